package mime_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto/prototest/step"
)

// TestCost makes the known ways to keep a mail reader busy again.
func TestCost(t *testing.T) {
	texts := func(n int) map[string]string {
		m := messages(n)
		m["many parts"] = "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Disposition: attachment; filename=a\r\n\r\nx\r\n", n/60)
		m["almost boundaries"] = "Content-Type: multipart/mixed; boundary=bbbbbbbb\r\n\r\n" + strings.Repeat("--bbbbbbb\r\n", n/11)
		m["URLs"] = "A: b\r\n\r\n" + strings.Repeat("http://example.org/x y\r\n", n/24)
		m["one URL many times in HTML"] = "Content-Type: text/html\r\n\r\n" + strings.Repeat("<a href=http://example.org/x>", n/29)
		m["quoted-printable"] = "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=3D=\r\n", n/6)
		m["encoded words"] = "Subject: " + strings.Repeat("=?utf-8?q?x?= ", n/14) + "\r\n\r\n"
		m["file name in pieces"] = "Content-Disposition: attachment" + func() string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, "; filename*%d=a", i)
			}
			return b.String()
		}() + "\r\n\r\n"
		m["headers of different names"] = func() string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, "H%d: x\r\n", i)
			}
			return b.String()
		}() + "\r\n"
		m["messages in messages"] = strings.Repeat("Content-Type: message/rfc822\r\n\r\n", n/32)
		return m
	}
	var cases []step.Case
	for name := range texts(100) {
		cases = append(cases, step.Case{Name: name, N: 1 << 15, Make: func(n int) func() {
			text := texts(n)[name]
			return func() { read(options(), text) }
		}})
	}
	step.Ratio(t, cases...)
}
