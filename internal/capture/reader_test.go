package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"mirador/internal/capture"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// source is a kind of reader under the conformance suite.
type source struct {
	name string
	// live readers wait for frames; others end with io.EOF.
	live bool
	// open returns a reader and a function that makes frames come to it.
	open func(t *testing.T) (r capture.Reader, send func(frames [][]byte))
	// want turns a frame sent into the one that is read.
	want func(frame []byte) []byte
}

// forever is a wait that no test survives.
const forever = -1

func same(b []byte) []byte { return b }

// offline are the readers that need no privileges.
func offline() []source {
	return []source{
		{name: "memory", want: same, open: func(t *testing.T) (capture.Reader, func([][]byte)) {
			return openLater(func(frames [][]byte) (capture.Reader, error) {
				var all []capture.Frame
				for i, b := range frames {
					all = append(all, capture.Frame{Data: b, Link: packet.LinkEthernet, Time: int64(i + 1)})
				}
				return capture.NewMemory(all, 7), nil
			})
		}},
		{name: "pcap", want: same, open: func(t *testing.T) (capture.Reader, func([][]byte)) {
			return openLater(func(frames [][]byte) (capture.Reader, error) {
				var buf bytes.Buffer
				w, err := capture.NewWriter(&buf, packet.LinkEthernet)
				if err != nil {
					return nil, err
				}
				for i, b := range frames {
					if err := w.Write(b, len(b), int64(i+1)); err != nil {
						return nil, err
					}
				}
				return capture.NewFile(&buf)
			})
		}},
		{name: "pcapng", want: same, open: func(t *testing.T) (capture.Reader, func([][]byte)) {
			return openLater(func(frames [][]byte) (capture.Reader, error) {
				ng := newNG(false)
				ng.iface(1, 9)
				for i, b := range frames {
					ng.enhanced(0, uint64(i+1), b, len(b))
				}
				return capture.NewFile(bytes.NewReader(ng.buf))
			})
		}},
	}
}

// later is a reader that is opened when its frames are known.
type later struct {
	capture.Reader
	open func([][]byte) (capture.Reader, error)
}

func openLater(open func([][]byte) (capture.Reader, error)) (capture.Reader, func([][]byte)) {
	l := &later{open: open}
	return l, func(frames [][]byte) {
		r, err := open(frames)
		if err != nil {
			panic(err)
		}
		l.Reader = r
	}
}

func TestConformance(t *testing.T) {
	for _, s := range append(offline(), kernel()...) {
		t.Run(s.name, func(t *testing.T) {
			t.Run("frames", func(t *testing.T) { testFrames(t, s) })
			t.Run("close", func(t *testing.T) { testClose(t, s) })
			if s.live {
				t.Run("wait", func(t *testing.T) { testWait(t, s) })
			}
		})
	}
}

// numbered makes n frames that differ in length and content.
func numbered(n int) [][]byte {
	frames := make([][]byte, n)
	for i := range frames {
		frames[i] = pkttest.Frame(fmt.Sprintf("eth ip 10.0.0.1 10.0.0.2 udp %d 9 | frame %d %*s", 1000+i, i, i%1200, ""))
	}
	return frames
}

// All frames come, whole, in order, with times, which do not go back in files (the kernel
// stamps the first ones late, when it has just been asked to); the
// counters agree; what is appended to one frame does not reach the next.
func testFrames(t *testing.T, s source) {
	r, send := s.open(t)
	frames := numbered(300)
	send(frames)
	defer r.Close()
	var b capture.Batch
	var size uint64
	last := int64(0)
	for i := 0; i < len(frames); {
		if err := r.Read(&b, forever); err != nil {
			t.Fatalf("after %d frames: %v", i, err)
		}
		for j := range b.Frames {
			f := &b.Frames[j]
			_ = append(f.Data, 0xee)
		}
		for j := range b.Frames {
			f := &b.Frames[j]
			if want := s.want(frames[i]); !bytes.Equal(f.Data, want) {
				t.Fatalf("frame %d is %x, want %x", i, f.Data, want)
			}
			if f.WireLen != len(f.Data) || f.Time == 0 || f.Time < last && !s.live {
				t.Errorf("frame %d: %d of %d bytes, time %d after %d", i, len(f.Data), f.WireLen, f.Time, last)
			}
			last = f.Time
			size += uint64(len(f.Data))
			i++
		}
	}
	if st := r.Stats(); st.Frames != uint64(len(frames)) || st.Bytes != size || st.Drops != 0 || st.Truncated != 0 {
		t.Errorf("stats %+v, want %d frames and %d bytes", st, len(frames), size)
	}
	if s.live {
		return
	}
	for range 2 {
		if err := r.Read(&b, forever); !errors.Is(err, io.EOF) || len(b.Frames) != 0 {
			t.Errorf("at the end: %v, %d frames", err, len(b.Frames))
		}
	}
}

// After Close there are no frames, and a Read that waits returns.
func testClose(t *testing.T, s source) {
	r, send := s.open(t)
	if !s.live {
		send(numbered(3))
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var b capture.Batch
	done := make(chan error, 1)
	go func() { done <- r.Read(&b, forever) }()
	if s.live {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != capture.ErrClosed {
		t.Errorf("read returned %v, want ErrClosed", err)
	}
	if err := r.Read(&b, forever); err != capture.ErrClosed {
		t.Errorf("next read returned %v, want ErrClosed", err)
	}
	b.Release()
	if err := r.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	r.Stats()
}

// A wait ends without frames and without an error.
func testWait(t *testing.T, s source) {
	r, _ := s.open(t)
	defer r.Close()
	var b capture.Batch
	for _, wait := range []time.Duration{0, 1, time.Millisecond} {
		if err := r.Read(&b, wait); err != nil || len(b.Frames) != 0 {
			t.Errorf("wait of %v: %d frames, %v", wait, len(b.Frames), err)
		}
	}
}
