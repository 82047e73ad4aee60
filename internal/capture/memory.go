package capture

import (
	"io"
	"sync/atomic"
	"time"
)

// Memory is a Reader over frames in memory. A batch refers to their bytes, without a
// copy.
type Memory struct {
	frames []Frame
	size   int
	next   int
	closed atomic.Bool
	count  atomic.Uint64
	bytes  atomic.Uint64
}

// NewMemory returns a Reader of frames, which it keeps, in batches of size; size 0 means
// 256. WireLen is raised to the length of Data where it is less.
func NewMemory(frames []Frame, size int) *Memory {
	if size <= 0 {
		size = fileFrames
	}
	return &Memory{frames: frames, size: size}
}

// Read fills b.
func (m *Memory) Read(b *Batch, _ time.Duration) error {
	b.Release()
	if m.closed.Load() {
		return ErrClosed
	}
	if m.next == len(m.frames) {
		return io.EOF
	}
	end := min(m.next+m.size, len(m.frames))
	var size uint64
	for _, f := range m.frames[m.next:end] {
		f.WireLen = max(f.WireLen, len(f.Data))
		size += uint64(len(f.Data))
		b.Frames = append(b.Frames, f)
	}
	m.count.Add(uint64(end - m.next))
	m.bytes.Add(size)
	m.next = end
	return nil
}

// Stats returns the counters.
func (m *Memory) Stats() Stats { return Stats{Frames: m.count.Load(), Bytes: m.bytes.Load()} }

// Close ends reading.
func (m *Memory) Close() error {
	m.closed.Store(true)
	return nil
}
