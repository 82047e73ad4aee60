package mime_test

import (
	"fmt"
	"strings"
	"testing"
)

// What is kept of a message is bounded, and what is left out is counted.
func TestLimits(t *testing.T) {
	rep := strings.Repeat
	subject := func(n int) string {
		return "Subject: " + rep("s", 100) + "\r\n" + rep(" "+rep("s", 999)+"\r\n", n) + "\r\n"
	}
	received := func(n, folds int) string {
		return rep("Received: r\r\n"+rep(" "+rep("r", 999)+"\r\n", folds), n) + "\r\n"
	}
	urls := func(n, size int) string {
		var b strings.Builder
		b.WriteString("Content-Type: text/plain\r\n\r\n")
		for i := range n {
			fmt.Fprintf(&b, "http://h%d.example/%s\r\n", i, rep("u", size))
		}
		return b.String()
	}
	attached := func(n int) string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + rep("--b\r\nContent-Disposition: attachment; filename=a\r\n\r\nx\r\n", n) + "--b--\r\n"
	}
	for _, c := range []struct {
		name    string
		in      string
		skipped uint64
	}{
		{"a field", subject(60), 0},
		{"a longer field", subject(67), 2},
		{"Received", received(128, 0), 0},
		{"a Received more", received(129, 0), 1},
		{"bytes of fields", received(104, 5), 0},
		{"more bytes of fields", received(106, 5), 2},
		{"attachments", attached(512), 0},
		{"an attachment more", attached(513), 1},
		{"URLs", urls(1024, 10), 0},
		{"a URL more", urls(1025, 10), 1},
		{"bytes of URLs", urls(256, 900), 0},
		{"more bytes of URLs", urls(300, 900), 300 - 286},
	} {
		m, _ := read(options(), c.in)
		if m.Skipped != c.skipped {
			t.Errorf("%s: %d left out, want %d", c.name, m.Skipped, c.skipped)
		}
	}
	// Multiparts in each other: the innermost that are too deep are plain bytes.
	for depth, found := range map[int]bool{63: true, 64: true, 65: false} {
		var b strings.Builder
		for i := range depth {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d-\r\n\r\n--b%d-\r\n", i, i)
		}
		b.WriteString("Content-Disposition: attachment; filename=deep\r\n\r\nx\r\n")
		m, _ := read(options(), b.String())
		if got := len(m.Attachments) > 0; got != found {
			t.Errorf("%d levels: attachment found %v", depth, got)
		}
	}
	// The parameters of a field.
	for n, found := range map[int]bool{255: true, 256: false} {
		m, _ := read(options(), "Content-Disposition: attachment"+rep("; a=b", n)+"; filename=f\r\n\r\nx\r\n")
		if got := len(m.Attachments) > 0; got != found {
			t.Errorf("a name behind %d parameters: found %v", n, got)
		}
	}
}
