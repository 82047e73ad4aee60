package body

import "bytes"

// Formats a layer tries.
const (
	fmtGzip uint8 = iota
	fmtZlib
	fmtRaw
	fmtLZMA
	fmtBrotli
	fmtPlain // given up: pass everything on
	fmtEnd   // the stream is over: drop what follows
)

// States of a gzip header (RFC 1952 section 2.3).
const (
	gzFixed uint8 = iota
	gzExtraLen
	gzExtra
	gzName
	gzComment
	gzCRC
	gzBody
)

// layer undoes one encoding. While nothing has come out, it keeps the input and
// can start over with another format.
type layer struct {
	enc    Encoding
	format uint8
	tried  uint8 // set of formats
	begun  bool  // the format was chosen
	sure   bool  // output may go on at once
	gz     uint8
	gzFlag uint8
	gzLeft int
	head   []byte // input since the start, until something came out
	held   []byte // output of a guessed format
	inf    *inflater
	lzma   *lzmaDecoder
	br     *brotliDecoder
}

func newLayer(e Encoding) layer { return layer{enc: e} }

// looksGzip and looksZlib judge the first bytes.
func looksGzip(b []byte) bool { return len(b) >= 2 && b[0] == 0x1f && b[1] == 0x8b }

func looksZlib(b []byte) bool {
	return len(b) >= 2 && b[0]&15 == 8 && b[0]>>4 <= 7 && (uint(b[0])<<8|uint(b[1]))%31 == 0
}

// write decodes b and passes the output to layer i+1.
func (l *layer) write(d *Decoder, i int, b []byte) {
	for len(b) > 0 && !d.stop {
		switch {
		case l.format == fmtPlain && l.begun:
			d.emit(i, b)
			return
		case l.format == fmtEnd:
			return
		case !l.keeping():
			l.run(d, i, b)
			return
		case len(l.head) == maxHead:
			// So much input and still no output: go on without a way back.
			l.sure, l.head = true, nil
			l.flush(d, i)
			continue
		}
		n, from := min(len(b), maxHead-len(l.head)), len(l.head)
		l.head = append(l.head, b[:n]...)
		b = b[n:]
		if !l.begun {
			if len(l.head) < 2 && l.enc != LZMA && l.enc != Brotli {
				continue
			}
			l.choose(l.head)
			from = 0
		}
		l.run(d, i, l.head[from:])
	}
}

// keeping tells that the way back is still open.
func (l *layer) keeping() bool { return !l.begun || l.head != nil }

// choose picks the first format to try for the input that begins with head.
func (l *layer) choose(head []byte) {
	l.begun = true
	switch l.enc {
	case LZMA:
		l.start(fmtLZMA)
	case Brotli:
		l.start(fmtBrotli)
	default:
		switch {
		case looksGzip(head):
			l.start(fmtGzip)
		case looksZlib(head):
			l.start(fmtZlib)
		default:
			l.start(fmtRaw)
		}
	}
}

// start makes the layer ready for format f.
func (l *layer) start(f uint8) {
	l.format = f
	l.tried |= 1 << f
	l.gz, l.gzLeft = gzFixed, 0
	l.held = l.held[:0]
	switch f {
	case fmtGzip, fmtZlib, fmtRaw:
		if l.inf == nil {
			l.inf = new(inflater)
		}
		l.inf.reset()
		l.sure = l.sure || f == fmtGzip
	case fmtLZMA:
		l.lzma = new(lzmaDecoder)
	case fmtBrotli:
		l.br = newBrotli()
	}
}

// run decodes b in the format chosen, and tries the others when it fails before
// anything went out.
func (l *layer) run(d *Decoder, i int, b []byte) {
	for {
		r := l.decode(d, i, b, false)
		if d.stop || r == more {
			return
		}
		if r == ended {
			l.flush(d, i)
			l.format, l.head = fmtEnd, nil
			l.drop()
			return
		}
		if r == large {
			d.note |= LZMAMemory
		}
		if l.head == nil {
			// Something went out already; what follows cannot be told.
			d.note |= Failed
			l.flush(d, i)
			l.format = fmtEnd
			l.drop()
			return
		}
		if f, ok := l.next(); ok {
			l.start(f)
			b = l.head
			continue
		}
		head := l.head
		l.format, l.head, l.held = fmtPlain, nil, nil
		l.drop()
		d.emit(i, head)
		return
	}
}

// next picks another format for input that the present one failed on.
func (l *layer) next() (uint8, bool) {
	if l.enc != Gzip && l.enc != Deflate {
		return 0, false
	}
	if l.tried&(1<<fmtRaw) == 0 {
		l.sure = false
		return fmtRaw, true
	}
	return 0, false
}

// drop frees the decoders.
func (l *layer) drop() { l.inf, l.lzma, l.br, l.held = nil, nil, nil, nil }

// finish decodes and passes on what was held back; nothing follows.
func (l *layer) finish(d *Decoder, i int) {
	if l.format == fmtEnd || l.format == fmtPlain && l.begun {
		return
	}
	if l.format == fmtLZMA || l.format == fmtBrotli {
		l.decode(d, i, nil, true)
	}
	l.flush(d, i)
	// A beginning from which nothing came out is no more than that.
	l.head = nil
	l.format = fmtEnd
	l.drop()
}

// output takes decoded bytes; those of a mere guess wait until there are enough
// of them.
func (l *layer) output(d *Decoder, i int, b []byte) {
	if len(b) == 0 {
		return
	}
	if l.sure {
		l.head = nil
		d.emit(i, b)
		return
	}
	l.held = append(l.held, b...)
	if len(l.held) >= sureOutput {
		l.flush(d, i)
	}
}

// flush passes on what was held.
func (l *layer) flush(d *Decoder, i int) {
	if len(l.held) == 0 {
		return
	}
	l.sure, l.head = true, nil
	b := l.held
	l.held = nil
	d.emit(i, b)
}

// decode runs the decoder of the format over b.
func (l *layer) decode(d *Decoder, i int, b []byte, last bool) (r result) {
	switch l.format {
	case fmtLZMA:
		return l.lzma.write(l, d, i, b, last)
	case fmtBrotli:
		return l.br.write(l, d, i, b)
	case fmtGzip:
		if l.gz != gzBody {
			if b, r = l.gzipHeader(b); r != ended {
				return r
			}
		}
	case fmtZlib:
		for ; l.gzLeft < 2; l.gzLeft++ {
			if len(b) == 0 {
				return more
			}
			b = b[1:]
		}
	}
	for {
		used, r := l.inf.step(b)
		b = b[used:]
		l.output(d, i, l.inf.take())
		if d.stop {
			return more
		}
		if r != full {
			return r
		}
	}
}

// gzipHeader skips the header. It forgives reserved flags and a wrong header
// checksum, as browsers do.
func (l *layer) gzipHeader(b []byte) ([]byte, result) {
	for {
		switch l.gz {
		case gzFixed:
			for ; l.gzLeft < 10; l.gzLeft++ {
				if len(b) == 0 {
					return b, more
				}
				switch c := b[0]; l.gzLeft {
				case 2:
					if c != 8 {
						return b, bad
					}
				case 3:
					l.gzFlag = c
				}
				b = b[1:]
			}
			l.gz, l.gzLeft = gzName, 0
			if l.gzFlag&4 != 0 {
				l.gz = gzExtraLen
			}
		case gzExtraLen:
			if len(b) == 0 {
				return b, more
			}
			// The length is little-endian; bit 16 marks that the low byte came.
			if l.gzLeft == 0 {
				l.gzLeft = 1<<16 | int(b[0])
			} else {
				l.gzLeft = l.gzLeft&0xff | int(b[0])<<8
				l.gz = gzExtra
			}
			b = b[1:]
		case gzExtra:
			n := min(l.gzLeft, len(b))
			b = b[n:]
			if l.gzLeft -= n; l.gzLeft > 0 {
				return b, more
			}
			l.gz = gzName
		case gzName, gzComment:
			flag := byte(8)
			if l.gz == gzComment {
				flag = 16
			}
			if l.gzFlag&flag != 0 {
				n := bytes.IndexByte(b, 0)
				if n < 0 {
					return nil, more
				}
				b = b[n+1:]
			}
			l.gz++
		case gzCRC:
			if l.gzFlag&2 != 0 {
				for ; l.gzLeft < 2; l.gzLeft++ {
					if len(b) == 0 {
						return b, more
					}
					b = b[1:]
				}
			}
			l.gz = gzBody
		default:
			return b, ended
		}
	}
}
