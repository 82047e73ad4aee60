package sensor

import "mirador/internal/jsonw"

// Drop is a reason for which a received frame is not processed. Each frame
// that was received ends in exactly one place: Processed or one Drop.
type Drop uint8

// The drop reasons.
const (
	DropOuter     Drop = iota // the outer packet is not a whole VXLAN or GENEVE datagram
	DropVXLAN                 // the VXLAN header is short or its I flag is not set (RFC 7348 section 5)
	DropGENEVE                // the GENEVE header is short, of another version, or does not hold VXLAN or Ethernet
	DropSource                // outer source address not in the allow-list
	DropVNI                   // VNI not in the allow-list
	DropDuplicate             // the same packet was mirrored at its other end too
	DropQueue                 // the worker's queue was full
	DropPanic                 // the packet made a station panic; it is kept in the quarantine
	numDrops
)

// DropNames are the reasons as status, stats, metrics and the summary name them.
var DropNames = [numDrops]string{"outer_header", "vxlan_header", "geneve_header", "source_not_allowed",
	"vni_not_allowed", "duplicate", "queue_full", "panic"}

// String returns the reason's name.
func (d Drop) String() string { return DropNames[d] }

// Ledger accounts for every frame of one worker or, summed, of the sensor.
// Received = Processed + sum(Drops) holds between any two frames.
type Ledger struct {
	Received, ReceivedBytes   uint64
	Processed, ProcessedBytes uint64
	Drops                     [numDrops]uint64
	// Kernel counts frames that the kernel dropped before they were received
	// (socket buffer or ring full). They are not part of Received.
	Kernel uint64
	// States of processed frames, each counted on its own.
	Truncated uint64 // cut by packet length, MTU or capture length
	Unknown   uint64 // from a source that is not in the sources file
	Tunnelled uint64 // came in a mirror tunnel (VXLAN or GENEVE)
}

// Dropped returns the sum of all drops.
func (l *Ledger) Dropped() uint64 {
	var n uint64
	for _, d := range l.Drops {
		n += d
	}
	return n
}

// Imbalance returns Received - Processed - Dropped: 0 unless the program is wrong.
func (l *Ledger) Imbalance() int64 {
	return int64(l.Received) - int64(l.Processed) - int64(l.Dropped())
}

// Add adds o to l.
func (l *Ledger) Add(o *Ledger) {
	l.Received += o.Received
	l.ReceivedBytes += o.ReceivedBytes
	l.Processed += o.Processed
	l.ProcessedBytes += o.ProcessedBytes
	for i := range l.Drops {
		l.Drops[i] += o.Drops[i]
	}
	l.Kernel += o.Kernel
	l.Truncated += o.Truncated
	l.Unknown += o.Unknown
	l.Tunnelled += o.Tunnelled
}

// AppendJSON writes the ledger's members into the open object of w.
func (l *Ledger) AppendJSON(w *jsonw.Writer) {
	w.Uint("received", l.Received)
	w.Uint("received_bytes", l.ReceivedBytes)
	w.Uint("processed", l.Processed)
	w.Uint("processed_bytes", l.ProcessedBytes)
	w.Object("drops")
	for i, n := range l.Drops {
		w.Uint(DropNames[i], n)
	}
	w.Close()
	w.Uint("dropped", l.Dropped())
	w.Uint("kernel_drops", l.Kernel)
	w.Uint("truncated", l.Truncated)
	w.Uint("unknown_source", l.Unknown)
	w.Uint("tunnelled", l.Tunnelled)
	w.Int("imbalance", l.Imbalance())
}
