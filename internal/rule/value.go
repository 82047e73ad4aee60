package rule

import (
	"fmt"
	"math/bits"
	"strings"
)

// Quoted is the value of an option taken apart by Unquote.
type Quoted struct {
	Negated bool   // '!' stood before it
	Quoted  bool   // it stood in double quotes
	Body    string // without '!' and quotes, escapes as written
	Off     int    // offset of Body in the value
}

// Unquote takes the '!' and the double quotes from around the value of an option.
// A value that begins with a quote and does not end with one is an error; a quote
// in the middle is an ordinary byte. An empty body is an error.
func Unquote(value string) (Quoted, error) {
	var q Quoted
	s, cut := trim(value)
	q.Off = cut
	if strings.HasPrefix(s, "!") {
		q.Negated = true
		s, cut = trim(s[1:])
		q.Off += 1 + cut
	}
	if !strings.HasPrefix(s, `"`) {
		if s == "" {
			return q, fmt.Errorf("value is missing")
		}
		q.Body = s
		return q, nil
	}
	q.Quoted = true
	q.Off++
	if len(s) < 2 || s[len(s)-1] != '"' {
		return q, fmt.Errorf("closing quote is missing, or there is no ';' after it")
	}
	q.Body = s[1 : len(s)-1]
	if q.Body == "" {
		return q, fmt.Errorf("value is empty")
	}
	return q, nil
}

// mustQuote returns the body of a value that has to be in quotes.
func mustQuote(value string) (string, *fault) {
	q, err := Unquote(value)
	if err != nil {
		return "", faultf(0, KindOption, "%v", err)
	}
	if !q.Quoted || q.Negated {
		return "", &fault{0, KindOption, "value is not in double quotes", `write "..." around it`}
	}
	return q.Body, nil
}

// unquote drops a pair of quotes around s and white space inside of it.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return trimSpace(s[1 : len(s)-1])
	}
	return s
}

// Unescape resolves the backslashes of a text value such as msg: the byte after one
// stands for itself. Without a backslash it returns s.
func Unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	b := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		if s[i] == '\\' {
			i++
			if i == len(s) {
				break
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// Content is the decoded value of content, uricontent or a like keyword.
type Content struct {
	Bytes   []byte // a fresh copy
	Negated bool
}

// ContentError is why a content value cannot be used, and where.
type ContentError struct {
	Off  int // offset in the value
	What string
}

func (e *ContentError) Error() string { return e.What }

// ParseContent decodes a content value: quotes required, |41 42| is hex (a pair may
// have spaces anywhere), and outside of hex \" \; \: \\ are escapes; any other
// backslash is an error. Suricata 8 rules/payload-keywords.
func ParseContent(value string) (Content, error) {
	q, err := Unquote(value)
	if err != nil {
		return Content{}, &ContentError{0, err.Error()}
	}
	if !q.Quoted {
		return Content{}, &ContentError{q.Off, "value is not in double quotes"}
	}
	b, err := ParsePattern(q.Body)
	if err != nil {
		if ce, ok := err.(*ContentError); ok {
			ce.Off += q.Off
		}
		return Content{}, err
	}
	return Content{b, q.Negated}, nil
}

// ParsePattern decodes the part of a content value between the quotes.
func ParsePattern(body string) ([]byte, error) {
	out := make([]byte, 0, len(body))
	inHex, high, hexStart := false, -1, 0
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case c == '|':
			if high >= 0 {
				return nil, &ContentError{i, "odd number of hex digits"}
			}
			inHex = !inHex
			hexStart = i
		case inHex:
			if c == ' ' {
				continue
			}
			d := hexDigit(c)
			if d < 0 {
				return nil, &ContentError{i, fmt.Sprintf("%q is not a hex digit", c)}
			}
			if high < 0 {
				high = d
				continue
			}
			out = append(out, byte(high<<4|d))
			high = -1
		case c == '\\':
			i++
			if i == len(body) {
				return nil, &ContentError{i - 1, "backslash at the end"}
			}
			if c = body[i]; c != '"' && c != ';' && c != ':' && c != '\\' {
				return nil, &ContentError{i - 1, fmt.Sprintf("%q cannot be escaped", c)}
			}
			out = append(out, c)
		default:
			out = append(out, c)
		}
	}
	if inHex {
		return nil, &ContentError{hexStart, "hex without closing |"}
	}
	if len(out) == 0 {
		return nil, &ContentError{0, "pattern is empty"}
	}
	return out, nil
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// AppendPattern appends b in the form of a content value, without quotes: what is
// not printable or has a meaning there comes as hex.
func AppendPattern(dst, b []byte) []byte {
	const digits = "0123456789abcdef"
	inHex := false
	for _, c := range b {
		plain := c >= 0x20 && c < 0x7f && c != '"' && c != ';' && c != ':' && c != '\\' && c != '|'
		if plain {
			if inHex {
				dst = append(dst, '|')
				inHex = false
			}
			dst = append(dst, c)
			continue
		}
		if inHex {
			dst = append(dst, ' ')
		} else {
			dst = append(dst, '|')
			inHex = true
		}
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	if inHex {
		dst = append(dst, '|')
	}
	return dst
}

// Item is one member of a comma list.
type Item struct {
	Text string // without white space around it
	Off  int    // offset in the value
}

// SplitList splits a value at its commas. An empty value has no items; "a,,b" has an
// empty one in the middle.
func SplitList(value string) []Item {
	if trimSpace(value) == "" {
		return nil
	}
	items := make([]Item, 0, strings.Count(value, ",")+1)
	off := 0
	for {
		i := strings.IndexByte(value[off:], ',')
		end := len(value)
		if i >= 0 {
			end = off + i
		}
		text, cut := trim(value[off:end])
		items = append(items, Item{text, off + cut})
		if i < 0 {
			return items
		}
		off = end + 1
	}
}

// parseUint32 reads decimal digits only.
func parseUint32(s string) (uint32, bool) {
	n, ok := parseDecimal(s)
	return uint32(n), ok && n <= 1<<32-1
}

func parseDecimal(s string) (uint64, bool) {
	if s == "" || len(s) > 20 {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		hi, lo := bits.Mul64(n, 10)
		if hi != 0 || lo > ^uint64(0)-uint64(s[i]-'0') {
			return 0, false
		}
		n = lo + uint64(s[i]-'0')
	}
	return n, true
}
