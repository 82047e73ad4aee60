package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"mirador/internal/packet"
)

// File reads a pcap or pcapng file, whichever it is.
type File struct {
	src    io.Reader
	closer io.Closer // nil for readers that are not ours

	format format
	slab   []byte // what is read at once; the frames of a batch lie in it
	pos    int    // slab[pos:end] is read and not yet parsed
	end    int
	off    int64 // file offset of slab[pos]
	// skipping tells that the front of a block, which began at skipFrom, was passed over,
	// and its last bytes come next.
	skipping bool
	skipFrom int64
	srcErr   error // what ended src: io.EOF or an error
	fail     error // final error

	closed atomic.Bool
	frames atomic.Uint64
	bytes  atomic.Uint64
}

// format parses one kind of capture file.
type format interface {
	// next looks at the record at the start of b. It returns the record's length, 0 when
	// b is too short to tell, in which case want is how much is needed, or skip how much
	// to pass over before calling again. isFrame tells whether f was filled.
	next(b []byte, f *Frame) (n, want, skip int, isFrame bool, reason string)
	// passed tells that the skip that next asked for is done.
	passed()
}

// Iface is an interface named in a pcapng file.
type Iface struct {
	Name, Description string
	Link              packet.Link
	SnapLen           uint32
}

// Open opens the capture file at path; "-" is the standard input.
func Open(path string) (*File, error) {
	if path == "-" {
		return NewFile(os.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := NewFile(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.closer = f
	return r, nil
}

// NewFile reads a capture from r, which it does not close. It reads the file header at
// once; the error is a *FormatError when that is no capture.
func NewFile(r io.Reader) (*File, error) {
	f := &File{src: r, slab: make([]byte, fileSlab)}
	head := f.slab[:24]
	n, err := io.ReadFull(r, head[:4])
	if err != nil {
		return nil, headError(n, err)
	}
	magic := binary.LittleEndian.Uint32(head)
	if magic == blockSection {
		f.end = 4
		f.format = &pcapng{}
		return f, nil
	}
	p, ok := newPcap(magic)
	if !ok {
		return nil, &FormatError{Reason: "neither pcap nor pcapng"}
	}
	if n, err = io.ReadFull(r, head[4:]); err != nil {
		return nil, headError(4+n, err)
	}
	p.header(head)
	f.format = p
	f.off = 24
	return f, nil
}

func headError(n int, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &FormatError{Offset: int64(n), Reason: "file header is cut", Err: err}
}

// Interfaces returns the interfaces a pcapng file has named so far; nil for pcap. It
// must not be called while Read runs.
func (f *File) Interfaces() []Iface {
	if p, ok := f.format.(*pcapng); ok {
		return p.ifaces
	}
	return nil
}

// Read fills b; wait is ignored, since files do not keep one waiting. The frames lie
// in memory of the File, so a second Batch is no way to keep those of the first.
func (f *File) Read(b *Batch, _ time.Duration) error {
	b.Release()
	if f.closed.Load() {
		return ErrClosed
	}
	var size uint64
	for len(b.Frames) < fileFrames && f.fail == nil {
		// The frame is filled in where it will lie: a local one would escape.
		at := len(b.Frames)
		b.Frames = append(b.Frames, Frame{})
		n, want, skip, isFrame, reason := f.format.next(f.slab[f.pos:f.end], &b.Frames[at])
		if isFrame {
			size += uint64(len(b.Frames[at].Data))
		} else {
			b.Frames = b.Frames[:at]
		}
		switch {
		case reason != "":
			f.fail = &FormatError{Offset: f.where(), Reason: reason}
		case n > 0:
			f.pos += n
			f.off += int64(n)
			f.skipping = false
		case f.srcErr != nil:
			f.finish()
		case len(b.Frames) > 0:
			// The slab must not move under these frames.
			f.count(len(b.Frames), size)
			return nil
		case skip > 0:
			f.skipping, f.skipFrom = true, f.off
			f.skip(skip)
			f.format.passed()
		default:
			f.fill(want)
		}
	}
	f.count(len(b.Frames), size)
	if len(b.Frames) == 0 {
		return f.fail
	}
	return nil
}

// fill moves what is not parsed to the start of the slab and reads until there are at
// least want bytes or the source ends.
func (f *File) fill(want int) {
	slab := f.slab
	if want > len(slab) {
		f.slab = make([]byte, want+fileSlab)
	}
	f.end = copy(f.slab, slab[f.pos:f.end])
	f.pos = 0
	for idle := 0; f.end < want && f.srcErr == nil; {
		n, err := f.src.Read(f.slab[f.end:])
		f.end += n
		f.srcErr = err
		if n > 0 {
			idle = 0
		} else if idle++; idle == maxIdleReads && err == nil {
			f.srcErr = io.ErrNoProgress
		}
	}
}

// where is the offset of the record at hand.
func (f *File) where() int64 {
	if f.skipping {
		return f.skipFrom
	}
	return f.off
}

// skip passes over n bytes, of which fewer are in the slab.
func (f *File) skip(n int) {
	for {
		k := min(n, f.end-f.pos)
		f.pos += k
		f.off += int64(k)
		if n -= k; n == 0 {
			return
		}
		if f.srcErr != nil {
			return
		}
		f.fill(1)
	}
}

// finish notes that the source is at its end, with what is not parsed left over.
func (f *File) finish() {
	switch {
	case !errors.Is(f.srcErr, io.EOF):
		f.fail = &FormatError{Offset: f.where(), Reason: "reading stopped", Err: f.srcErr}
	case f.skipping || f.end > f.pos:
		f.fail = &FormatError{Offset: f.where(), Reason: "last record is cut", Err: io.ErrUnexpectedEOF}
	default:
		f.fail = io.EOF
	}
}

func (f *File) count(frames int, size uint64) {
	f.frames.Add(uint64(frames))
	f.bytes.Add(size)
}

// Stats returns the counters.
func (f *File) Stats() Stats {
	return Stats{Frames: f.frames.Load(), Bytes: f.bytes.Load()}
}

// Close closes the file when Open opened it.
func (f *File) Close() error {
	if f.closed.Swap(true) || f.closer == nil {
		return nil
	}
	return f.closer.Close()
}
