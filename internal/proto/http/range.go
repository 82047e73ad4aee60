package http

import "bytes"

// contentRange is a Content-Range; -1 stands for what is not given.
type contentRange struct{ start, end, size int64 }

// parseRange reads "bytes 0-499/1234", "bytes 0-499/*" and "bytes */1234".
func parseRange(v []byte) (r contentRange, ok bool) {
	r = contentRange{-1, -1, -1}
	v = bytes.TrimLeft(v, " \t")
	if !matchFold(v, "bytes") {
		return r, false
	}
	v = bytes.TrimLeft(v[len("bytes"):], " \t")
	if len(v) > 0 && v[0] == '*' {
		v = v[1:]
	} else {
		if r.start, v, ok = number(v); !ok || len(v) == 0 || v[0] != '-' {
			return r, false
		}
		if r.end, v, ok = number(v[1:]); !ok {
			return r, false
		}
	}
	if len(v) == 0 || v[0] != '/' {
		return r, false
	}
	if v = v[1:]; len(v) > 0 && v[0] == '*' {
		return r, true
	}
	r.size, _, ok = number(v)
	return r, ok
}

// number reads decimal digits.
func number(b []byte) (int64, []byte, bool) {
	n, i := int64(0), 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if n > maxContentLength/10 {
			return -1, b, false
		}
		n = n*10 + int64(b[i]-'0')
	}
	if i == 0 {
		return -1, b, false
	}
	return n, b[i:], true
}
