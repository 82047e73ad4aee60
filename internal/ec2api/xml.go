package ec2api

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// xmlWriter appends elements to a buffer. Names come from the program, values from
// anywhere.
type xmlWriter struct {
	b    []byte
	item string // name of list elements: "item" for EC2, "member" for the Query protocol
}

func (x *xmlWriter) open(name string) {
	x.b = append(x.b, '<')
	x.b = append(x.b, name...)
	x.b = append(x.b, '>')
}

func (x *xmlWriter) close(name string) {
	x.b = append(x.b, '<', '/')
	x.b = append(x.b, name...)
	x.b = append(x.b, '>')
}

// str writes an element, be its value empty or not.
func (x *xmlWriter) str(name, value string) {
	x.open(name)
	x.b = appendEscaped(x.b, value)
	x.close(name)
}

// opt writes an element when its value is not empty.
func (x *xmlWriter) opt(name, value string) {
	if value != "" {
		x.str(name, value)
	}
}

func (x *xmlWriter) num(name string, v int) {
	x.open(name)
	x.b = strconv.AppendInt(x.b, int64(v), 10)
	x.close(name)
}

func (x *xmlWriter) float(name string, v float64) {
	x.open(name)
	x.b = strconv.AppendFloat(x.b, v, 'f', -1, 64)
	x.close(name)
}

func (x *xmlWriter) yes(name string, v bool) {
	x.open(name)
	x.b = strconv.AppendBool(x.b, v)
	x.close(name)
}

func (x *xmlWriter) time(name string, t time.Time) {
	if !t.IsZero() {
		x.str(name, t.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
}

// group writes an element around what f writes.
func (x *xmlWriter) group(name string, f func()) {
	x.open(name)
	f()
	x.close(name)
}

// strs writes a list of plain values.
func (x *xmlWriter) strs(name string, values []string) {
	x.open(name)
	for _, v := range values {
		x.str(x.item, v)
	}
	x.close(name)
}

// appendEscaped appends s as XML text. What no XML document may contain becomes U+FFFD.
func appendEscaped(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF {
				b = append(b, "\uFFFD"...)
			} else {
				b = append(b, s[i:i+n]...)
			}
			i += n
			continue
		}
		i++
		switch {
		case c == '&':
			b = append(b, "&amp;"...)
		case c == '<':
			b = append(b, "&lt;"...)
		case c == '>':
			b = append(b, "&gt;"...)
		case c == '\r':
			b = append(b, "&#13;"...)
		case c < ' ' && c != '\t' && c != '\n':
			b = append(b, "\uFFFD"...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// eachXML writes a list of structures.
func eachXML[T any](x *xmlWriter, name string, list []T, f func(T)) {
	x.open(name)
	for _, v := range list {
		x.open(x.item)
		f(v)
		x.close(x.item)
	}
	x.close(name)
}
