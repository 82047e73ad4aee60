package capture

import (
	"encoding/binary"
	"fmt"
	"io"

	"mirador/internal/packet"
)

// Writer writes a pcap file with nanosecond times. It is not safe for concurrent use and
// does not buffer: every frame is one Write.
type Writer struct {
	w   io.Writer
	buf []byte
}

// NewWriter writes the file header for frames of type link to w.
func NewWriter(w io.Writer, link packet.Link) (*Writer, error) {
	var h [24]byte
	binary.LittleEndian.PutUint32(h[0:], magicNano)
	binary.LittleEndian.PutUint16(h[4:], 2)
	binary.LittleEndian.PutUint16(h[6:], 4)
	binary.LittleEndian.PutUint32(h[16:], maxRecord)
	binary.LittleEndian.PutUint32(h[20:], uint32(link))
	if _, err := w.Write(h[:]); err != nil {
		return nil, fmt.Errorf("write capture header: %w", err)
	}
	return &Writer{w: w}, nil
}

// Write appends one frame; t in Unix nanoseconds, from 1970 to 2106. What is longer than
// 256 KiB is cut.
func (w *Writer) Write(data []byte, wireLen int, t int64) error {
	wireLen = max(wireLen, len(data))
	data = data[:min(len(data), maxRecord)]
	if t < 0 {
		t = 0
	}
	b := w.buf[:0]
	b = binary.LittleEndian.AppendUint32(b, uint32(t/1e9))
	b = binary.LittleEndian.AppendUint32(b, uint32(t%1e9))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(wireLen))
	b = append(b, data...)
	w.buf = b
	if _, err := w.w.Write(b); err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	return nil
}
