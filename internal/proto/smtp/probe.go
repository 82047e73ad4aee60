package smtp

import (
	"bytes"

	"mirador/internal/proto"
)

// probe recognises the first command of a client, and what a server says first on the
// ports of mail: FTP begins in the same way.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	if dir == proto.ToClient {
		return probeServer(b, h)
	}
	match := proto.No
	for _, word := range [...]string{"EHLO", "HELO", "QUIT"} {
		n := min(len(b), len(word))
		if !is(b[:n], word[:n]) {
			continue
		}
		if n == len(word) {
			return proto.Yes
		}
		match = proto.More
	}
	return match
}

// probeServer looks for "220", the domain of the server, and the end of a line. That
// the server says 220 fits all the same when its client speaks SMTP.
func probeServer(b []byte, h proto.Hint) proto.Match {
	const code = "220"
	n := min(len(b), len(code))
	if string(b[:n]) != code[:n] {
		return proto.No
	}
	if h.DstPort != 25 && h.DstPort != 465 || len(b) <= len(code) || b[3] != ' ' && b[3] != '-' || !domain(b[4:]) {
		return proto.More
	}
	if bytes.IndexByte(b[:min(len(b), MaxLine)], '\n') < 0 {
		return proto.More
	}
	return proto.Yes
}

// domain tells whether b begins with a domain name of two labels or more; a label
// begins with a letter and does not end with a hyphen.
func domain(b []byte) bool {
	labels := 0
	for {
		n := 0
		for n < len(b) && (letter(b[n]) || n > 0 && (b[n] >= '0' && b[n] <= '9' || b[n] == '-')) {
			n++
		}
		if n == 0 || b[n-1] == '-' {
			return false
		}
		labels++
		if n == len(b) || b[n] != '.' {
			return labels > 1
		}
		b = b[n+1:]
	}
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
