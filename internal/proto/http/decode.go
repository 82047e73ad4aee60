package http

import "bytes"

// appendPath appends the normal form of path: escapes are undone, separators
// made one, UTF-8 mapped to single bytes, and dot segments removed, each as o
// says.
func appendPath(dst, path []byte, o *uriOptions) []byte {
	at := len(dst)
	dst = decodePath(dst, path, o)
	if o.doublePath {
		again := decodePath(nil, dst[at:], o)
		dst = append(dst[:at], again...)
	}
	if o.bestFit {
		dst = append(dst[:at], o.fitter.fitUTF8(dst[at:])...)
	}
	n := removeDots(dst[at:])
	return dst[:at+n]
}

// decodePath undoes percent escapes and unifies separators. dst may be where
// path lies only if it begins there.
func decodePath(dst, path []byte, o *uriOptions) []byte {
	start := len(dst)
	for i := 0; i < len(path); {
		c, n, kind := path[i], 1, plain
		if c == '%' {
			c, n, kind = unescape(path[i:], o)
		}
		if c == 0 && (kind == plain && o.nulRawEnds || kind != plain && o.nulEncEnds) {
			break
		}
		i += n
		if kind == dropped {
			continue
		}
		if kind == escaped && !o.decodeSep && (c == '/' || c == '\\' && o.backslash) {
			// The server takes an escaped separator for part of a name.
			dst = append(dst, path[i-n:i]...)
			continue
		}
		if c == '\\' && o.backslash {
			c = '/'
		}
		if o.lower {
			c = lower(c)
		}
		if c == '/' && o.compress && len(dst) > start && dst[len(dst)-1] == '/' {
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// What unescape found.
type found uint8

const (
	plain   found = iota // no escape
	escaped              // a byte
	dropped              // nothing
)

// unescape reads the escape at the start of b, which begins with '%'. It returns
// the byte and the length of the escape.
func unescape(b []byte, o *uriOptions) (c byte, n int, k found) {
	if len(b) >= 3 && isHex(b[1]) && isHex(b[2]) {
		return hexVal(b[1])<<4 | hexVal(b[2]), 3, escaped
	}
	if o.uEncoding && len(b) >= 6 && (b[1] == 'u' || b[1] == 'U') &&
		isHex(b[2]) && isHex(b[3]) && isHex(b[4]) && isHex(b[5]) {
		r := rune(hexVal(b[2]))<<12 | rune(hexVal(b[3]))<<8 | rune(hexVal(b[4]))<<4 | rune(hexVal(b[5]))
		return o.fitter.fit(r), 6, escaped
	}
	switch {
	case o.dropInvalid:
		return 0, 1, dropped
	case o.forceInvalid && len(b) >= 3:
		return looseHex(b[1])<<4 | looseHex(b[2])&15, 3, escaped
	}
	return '%', 1, plain
}

// looseHex is what a careless server makes of a digit that is none.
func looseHex(c byte) byte {
	if c >= 'A' {
		return c&0xdf - 'A' + 10
	}
	return c - '0'
}

// appendQuery appends query with its escapes undone.
func appendQuery(dst, query []byte, o *uriOptions) []byte {
	at := len(dst)
	dst = decodeQuery(dst, query, o)
	if o.doubleQuery {
		again := decodeQuery(nil, dst[at:], o)
		dst = append(dst[:at], again...)
	}
	return dst
}

func decodeQuery(dst, query []byte, o *uriOptions) []byte {
	for i := 0; i < len(query); {
		c, n, kind := query[i], 1, plain
		switch {
		case c == '%':
			c, n, kind = unescape(query[i:], o)
		case c == '+' && o.plusQuery:
			c = ' '
		}
		i += n
		if kind != dropped {
			dst = append(dst, c)
		}
	}
	return dst
}

// removeDots removes "." and ".." segments from b in place (RFC 3986 section
// 5.2.4) and returns the new length. Unlike there, no slash remains of a dot
// segment at the end.
func removeDots(b []byte) int {
	if bytes.IndexByte(b, '.') < 0 {
		return len(b)
	}
	w, i := 0, 0
	for i < len(b) {
		rest := b[i:]
		switch {
		case hasPrefix(rest, "../"):
			i += 3
		case hasPrefix(rest, "./"):
			i += 2
		case string(rest) == "/.", string(rest) == "/./":
			return w
		case string(rest) == "/..", string(rest) == "/../":
			return up(b[:w])
		case hasPrefix(rest, "/./"):
			i += 2
		case hasPrefix(rest, "/../"):
			i += 3
			w = up(b[:w])
		case string(rest) == ".", string(rest) == "..":
			return w
		default:
			for {
				b[w] = b[i]
				w++
				i++
				if i == len(b) || b[i] == '/' {
					break
				}
			}
		}
	}
	return w
}

// up returns the length of b without its last segment.
func up(b []byte) int { return max(0, bytes.LastIndexByte(b, '/')) }

func hasPrefix(b []byte, p string) bool { return len(b) >= len(p) && string(b[:len(p)]) == p }
