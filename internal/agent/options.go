package agent

import (
	"errors"
	"fmt"
	"time"

	"mirador/internal/capture"
)

// Options say how a Mirror works. One of Iface and Reader is needed.
type Options struct {
	// Iface is the mirrored interface, by name, in the network namespace of the calling
	// thread. It may go away and come back.
	Iface string
	// Reader is where frames come from instead of Iface; the Mirror closes it.
	Reader capture.Reader
	// OtherEnd tells that Iface is the other end of the mirrored interface's veth pair:
	// what it receives the mirrored one has sent.
	OtherEnd bool
	// RingBytes is the size of the ring that frames wait in; 0 means DefaultRing.
	RingBytes int
	// Delay is how long a lonely frame waits at most; 0 means DefaultDelay.
	Delay time.Duration
	// Limit bounds what is mirrored. The zero value does not.
	Limit Limit
	// Mark is the mark of the sockets that mirrored packets are sent with: what carries it
	// is never mirrored. 0 means DefaultMark.
	Mark uint32
	// Loaded is what Load has made, for a Kernel, which closes it. nil: the Kernel loads it.
	Loaded *Loaded
	// NotLoaded, when not empty, is why there can be no Kernel.
	NotLoaded string
}

// Limit is a token bucket. Production traffic comes first: with Shared it takes tokens
// too, and is never held up; mirrored packets get what is left, and are skipped and
// counted when nothing is.
type Limit struct {
	BitsPerSecond    int64         // 0 means no limit
	PacketsPerSecond int64         // 0 means no limit
	Burst            time.Duration // how much may come at once; 0 means DefaultBurst
	Shared           bool          // the limit is that of production and mirrored traffic together
}

// Validate checks o.
func (o Options) Validate() error {
	switch {
	case (o.Iface == "") == (o.Reader == nil):
		return errors.New("agent: an interface or a reader is needed")
	case o.RingBytes < 0 || o.RingBytes > maxRing || o.RingBytes != 0 && o.RingBytes < minRing:
		return fmt.Errorf("agent: ring of %d bytes, want %d to %d", o.RingBytes, minRing, maxRing)
	case o.Delay < 0 || o.Delay > time.Second:
		return fmt.Errorf("agent: delay of %v, want up to 1s", o.Delay)
	case o.Limit.BitsPerSecond < 0 || o.Limit.BitsPerSecond > maxBits || o.Limit.PacketsPerSecond < 0 || o.Limit.PacketsPerSecond > maxBits:
		return fmt.Errorf("agent: limit out of range, want 0 to %d", int64(maxBits))
	case o.Limit.Burst < 0 || o.Limit.Burst > time.Minute:
		return errors.New("agent: a burst of more than a minute")
	}
	return nil
}
