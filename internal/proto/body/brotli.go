package body

import (
	"errors"
	"io"

	"github.com/andybalholm/brotli"
)

// errDry tells the brotli reader that its input has run out for now.
var errDry = errors.New("input used up")

// feeder hands the brotli reader the bytes there are.
type feeder struct{ b []byte }

func (f *feeder) Read(p []byte) (int, error) {
	if len(f.b) == 0 {
		return 0, errDry
	}
	n := copy(p, f.b)
	f.b = f.b[n:]
	return n, nil
}

// brotliDecoder decodes RFC 7932. The library's reader keeps its state when its
// source reports an error, so it can be fed piece by piece.
type brotliDecoder struct {
	src feeder
	r   *brotli.Reader
	buf []byte
	any bool // the first byte was seen
}

func newBrotli() *brotliDecoder {
	z := &brotliDecoder{buf: make([]byte, brotliStep)}
	z.r = brotli.NewReader(&z.src)
	return z
}

func (z *brotliDecoder) write(l *layer, d *Decoder, i int, b []byte) result {
	if !z.any && len(b) > 0 {
		// The first byte holds the window size; see RFC 7932 section 9.1.
		z.any = true
		if b[0]&1 != 0 && b[0]>>1&7 > maxBrotliWindow-17 {
			return large
		}
	}
	z.src.b = b
	for {
		n, err := z.r.Read(z.buf)
		l.sure = l.sure || n > 0
		l.output(d, i, z.buf[:n])
		switch {
		case d.stop || errors.Is(err, errDry):
			z.src.b = nil
			return more
		case err == io.EOF:
			return ended
		case err != nil:
			return bad
		}
	}
}
