package http

import (
	"bytes"
	"unicode/utf8"
)

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
		dst = append(dst[:at], fitUTF8(dst[at:], o)...)
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
		return fit(r, o.replacement), 6, escaped
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

// fitUTF8 maps UTF-8 sequences in b to single bytes, in place. Bytes that are
// not UTF-8 stay.
func fitUTF8(b []byte, o *uriOptions) []byte {
	ascii := true
	for _, c := range b {
		if c >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return b
	}
	w := 0
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			if r, n = overlong(b[i:]); n == 0 {
				b[w] = b[i]
				w++
				i++
				continue
			}
		}
		c := byte(r)
		if r >= utf8.RuneSelf {
			c = fit(r, o.replacement)
		}
		b[w] = c
		w++
		i += n
	}
	return b[:w]
}

// overlong decodes a two- or three-byte form of a character that needs fewer:
// "%c0%af" is a slash to some servers.
func overlong(b []byte) (rune, int) {
	cont := func(c byte) bool { return c&0xc0 == 0x80 }
	switch {
	case len(b) >= 2 && b[0]&0xe0 == 0xc0 && cont(b[1]):
		return rune(b[0]&0x1f)<<6 | rune(b[1]&0x3f), 2
	case len(b) >= 3 && b[0]&0xf0 == 0xe0 && cont(b[1]) && cont(b[2]):
		return rune(b[0]&0x0f)<<12 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f), 3
	}
	return 0, 0
}

// latinExtendedA are the base letters of U+0100 .. U+017F.
const latinExtendedA = "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIi??JjKk?LlLlLlLlLl" +
	"NnNnNn?NnOoOoOo\x8c\x9cRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs"

// fit returns the single byte that resembles r most, after Microsoft's best-fit
// mapping to code page 1252, which IIS uses for paths.
func fit(r rune, replacement byte) byte {
	switch {
	case r < 0x100:
		return byte(r)
	case r < 0x180:
		if i := int(r - 0x100); i < len(latinExtendedA) {
			return latinExtendedA[i]
		}
	case r >= 0xff01 && r <= 0xff5e: // full-width forms
		return byte(r - 0xfee0)
	case r >= 0x2000 && r <= 0x200a, r == 0x3000:
		return ' '
	case r >= 0x2010 && r <= 0x2015, r == 0x2212:
		return '-'
	case r >= 0x2080 && r <= 0x2089, r >= 0x2074 && r <= 0x2079:
		return '0' + byte(r&15)
	}
	switch r {
	case 0x2018, 0x2019, 0x2032, 0x2035, 0x02b9, 0x02bb, 0x02bc, 0x02c8:
		return '\''
	case 0x201c, 0x201d, 0x2033, 0x2036:
		return '"'
	case 0x2044, 0x2215:
		return '/'
	case 0x2216:
		return '\\'
	case 0x2024, 0x2026, 0x22c5:
		return '.'
	case 0x2022:
		return 0xb7
	case 0x2223:
		return '|'
	case 0x2236:
		return ':'
	case 0x223c, 0x02dc:
		return '~'
	case 0x2039, 0x2329, 0x3008:
		return '<'
	case 0x203a, 0x232a, 0x3009:
		return '>'
	case 0x2217:
		return '*'
	}
	return replacement
}

// removeDots removes "." and ".." segments from b in place (RFC 3986 section
// 5.2.4) and returns the new length.
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
		case hasPrefix(rest, "/./"):
			i += 2
		case string(rest) == "/.":
			b[i+1] = '/'
			i++
		case hasPrefix(rest, "/../"):
			i += 3
			w = up(b[:w])
		case string(rest) == "/..":
			b[i+2] = '/'
			i += 2
			w = up(b[:w])
		case string(rest) == ".", string(rest) == "..":
			i = len(b)
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
