package detect

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"golang.org/x/net/publicsuffix"

	"mirador/internal/pcre"
)

// transformed runs the transforms of d over data. The result is data itself or lies in
// out, which is grown as needed and returned; ok is false when a transform leaves
// nothing to look at.
func (w *Worker) transformed(d *bufDef, data, out []byte) (result, grown []byte, ok bool) {
	for i := range d.transforms {
		// Two halves of scratch: a step reads what the step before wrote.
		t := &d.transforms[i]
		if i%2 == 0 {
			data, out, ok = w.step(t, data, out[:0])
		} else {
			data, w.scratch, ok = w.step(t, data, w.scratch[:0])
		}
		if !ok {
			return nil, out, false
		}
	}
	// The result must not lie in the worker's scratch: the next buffer uses it.
	if len(d.transforms)%2 == 0 && len(d.transforms) > 0 {
		out = append(out[:0], data...)
		data = out
	}
	return data, out, true
}

// step runs one transform. The result is in grown, or a part of in.
func (w *Worker) step(t *transform, in, out []byte) (result, grown []byte, ok bool) {
	switch t.kind {
	case xfLower:
		out = appendLower(out, in)
	case xfUpper:
		out = append(out, in...)
		for i, c := range out {
			if c >= 'a' && c <= 'z' {
				out[i] = c - ('a' - 'A')
			}
		}
	case xfStripSpace:
		for _, c := range in {
			if !isSpace(c) {
				out = append(out, c)
			}
		}
	case xfOneSpace:
		for i, c := range in {
			if !isSpace(c) {
				out = append(out, c)
			} else if i == 0 || !isSpace(in[i-1]) {
				out = append(out, ' ')
			}
		}
	case xfDotPrefix:
		out = append(append(out, '.'), in...)
	case xfMD5:
		h := md5.Sum(in)
		out = append(out, h[:]...)
	case xfSHA1:
		h := sha1.Sum(in)
		out = append(out, h[:]...)
	case xfSHA256:
		h := sha256.Sum256(in)
		out = append(out, h[:]...)
	case xfURLDecode:
		out = urlDecode(out, in)
	case xfXor:
		for i, c := range in {
			out = append(out, c^t.key[i%len(t.key)])
		}
	case xfPCRE:
		if _, _, ok := t.re.Match(w.machine, in, 0, pcre.WantGroups); !ok {
			return nil, out, false
		}
		from, to := w.machine.Group(1)
		if from < 0 {
			return nil, out, false
		}
		return in[from:to], out, true
	case xfDomain, xfTLD:
		d, ok := domainPart(in, t.kind == xfTLD)
		return d, out, ok
	case xfBase64:
		if t.offset > len(in) {
			return nil, out, false
		}
		in = in[t.offset:]
		if t.bytes > 0 && t.bytes < len(in) {
			in = in[:t.bytes]
		}
		if out = decodeBase64(out, in, t.mode, maxTransformOut); len(out) > maxTransformOut-3 {
			w.Counters.TransformLimit++
		}
		return out, out, len(out) > 0
	case xfHeaderLower:
		out = headerLower(out, in)
	case xfStripPseudo:
		out = stripPseudo(out, in)
	case xfGunzip, xfZlib:
		out = w.inflate(t, in, out)
		return out, out, len(out) > 0
	case xfSubslice:
		d, ok := subslice(t, in)
		return d, out, ok
	}
	return out, out, true
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// urlDecode resolves %41 and +; what is no valid escape stays as it is.
func urlDecode(out, in []byte) []byte {
	for i := 0; i < len(in); i++ {
		c := in[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(in) && hexVal(in[i+1]) >= 0 && hexVal(in[i+2]) >= 0:
			c = byte(hexVal(in[i+1])<<4 | hexVal(in[i+2]))
			i += 2
		}
		out = append(out, c)
	}
	return out
}

// headerLower brings header names (what stands before the first colon of a line) into
// lower case.
func headerLower(out, in []byte) []byte {
	name := true
	for _, c := range in {
		switch {
		case c == '\n':
			name = true
		case c == ':':
			name = false
		case name && c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return out
}

// stripPseudo drops the lines that begin with a colon.
func stripPseudo(out, in []byte) []byte {
	for len(in) > 0 {
		line := in
		if i := bytes.IndexByte(in, '\n'); i >= 0 {
			line = in[:i+1]
		}
		in = in[len(line):]
		if line[0] != ':' {
			out = append(out, line...)
		}
	}
	return out
}

// domainPart returns the registered domain of a host name, or its public suffix.
func domainPart(host []byte, suffix bool) ([]byte, bool) {
	if len(host) == 0 || len(host) > 255 {
		return nil, false
	}
	name := strings.ToLower(string(host))
	tld, _ := publicsuffix.PublicSuffix(name)
	if len(tld) == 0 || len(tld) > len(host) {
		return nil, false
	}
	if suffix {
		return host[len(host)-len(tld):], true
	}
	if len(tld) == len(host) {
		return nil, false
	}
	// One label more than the suffix.
	rest := host[:len(host)-len(tld)-1]
	i := bytes.LastIndexByte(rest, '.')
	if len(rest) == i+1 {
		return nil, false
	}
	return host[i+1:], true
}

// inflate unpacks in; what cannot be unpacked gives what came until then.
func (w *Worker) inflate(t *transform, in, out []byte) []byte {
	w.source.Reset(in)
	limit := t.bytes
	if cap(out) < limit {
		out = make([]byte, 0, limit)
	}
	var read func(p []byte) (int, error)
	if t.kind == xfGunzip {
		if w.gunzip == nil {
			w.gunzip = new(gzip.Reader)
		}
		if w.gunzip.Reset(&w.source) != nil {
			return out
		}
		read = w.gunzip.Read
	} else {
		if w.zlib == nil {
			r, err := zlib.NewReader(&w.source)
			if err != nil {
				return out
			}
			w.zlib = r
		} else if w.zlib.(zlib.Resetter).Reset(&w.source, nil) != nil {
			return out
		}
		read = w.zlib.Read
	}
	for len(out) < limit {
		n, err := read(out[len(out):limit])
		out = out[:len(out)+n]
		if err != nil {
			return out
		}
	}
	w.Counters.TransformLimit++
	return out
}

// subslice cuts offset and length; negative ones count from the end.
func subslice(t *transform, in []byte) ([]byte, bool) {
	from := t.offset
	if from < 0 {
		from += len(in)
	}
	if from < 0 || from >= len(in) {
		return nil, false
	}
	to := len(in)
	if t.hasEnd {
		if t.end >= 0 {
			to = min(from+t.end, len(in))
		} else {
			to = len(in) + t.end
		}
	}
	if to <= from {
		return nil, false
	}
	return in[from:to], true
}

// appendLower appends b in ASCII lower case.
func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
