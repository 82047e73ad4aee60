package sensor

import (
	"errors"
	"io"
	"time"

	"mirador/internal/capture"
)

// Replay feeds the frames of r to w until the end. It returns nil at the end of
// the file, and the reader's error otherwise; what could be read was processed
// either way. progress, when not nil, is called now and then with the frames and
// bytes so far; it returns false to stop.
func Replay(w *Worker, r capture.Reader, name string, progress func(frames, bytes uint64) bool) error {
	w.pcapFile = name
	var b capture.Batch
	defer b.Release()
	for {
		err := r.Read(&b, -1)
		for i := range b.Frames {
			f := &b.Frames[i]
			w.Frame(f.Link, f.Data, f.WireLen, f.Time)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		w.flush(false)
		if progress != nil && !progress(w.Ledger.Received, w.Ledger.ReceivedBytes) {
			return ErrStopped
		}
	}
}

// ErrStopped tells that Replay ended because it was asked to.
var ErrStopped = errors.New("stopped")

// Span returns the packet time from the first to the last frame.
func (w *Worker) Span() time.Duration { return time.Duration(w.now - w.first) }
