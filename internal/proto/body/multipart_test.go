package body_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto/body"
)

// parts is a PartSink that writes down what it is told.
type parts struct{ strings.Builder }

func (p *parts) FileOpen(name []byte) { fmt.Fprintf(p, "[%s:", name) }
func (p *parts) FileData(b []byte)    { p.Write(b) }
func (p *parts) FileClose(whole bool) { fmt.Fprintf(p, "]%v ", whole) }

func split(boundary, in string, size int) (string, body.PartNote) {
	var p parts
	m := body.NewMultipart([]byte(boundary), &p)
	var n body.PartNote
	for len(in) > 0 {
		k := min(size, len(in))
		n |= m.Write([]byte(in[:k]))
		in = in[k:]
	}
	n |= m.Close(false)
	return p.String(), n
}

func TestMultipart(t *testing.T) {
	file := func(name, data string) string {
		return "Content-Disposition: form-data; name=\"f\"; filename=\"" + name + "\"\r\nContent-Type: text/plain\r\n\r\n" + data
	}
	for _, c := range []struct {
		name, boundary, in, want string
		note                     body.PartNote
	}{
		{"one file", "xyz", "--xyz\r\n" + file("a.txt", "hello") + "\r\n--xyz--\r\n", "[a.txt:hello]true ", 0},
		{"two files", "xyz", "--xyz\r\n" + file("a", "1\r\n2") + "\r\n--xyz\r\n" + file("b", "3") + "\r\n--xyz--",
			"[a:1\r\n2]true [b:3]true ", 0},
		{"field is no file", "xyz", "--xyz\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\nv\r\n--xyz\r\n" + file("b", "3") +
			"\r\n--xyz--", "[b:3]true ", 0},
		{"cut short", "xyz", "--xyz\r\n" + file("a", "hello\r\n--xy"), "[a:hello\r\n--xy]false ", 0},
		{"near misses", "aab", "--aab\r\n" + file("a", "\r\n--aa\r\n--aaab\n--aa\r\r\n") + "\r\n--aab--",
			"[a:\r\n--aa\r\n--aaab\n--aa\r\r\n]true ", 0},
		{"empty file", "xyz", "--xyz\r\n" + file("a", "") + "\r\n--xyz--", "[a:]true ", 0},
		{"no data at all", "xyz", "--xyz\r\n" + file("a", "") + "--xyz--", "[a:]true ", body.PartNoFileData},
		{"line feed before a boundary", "xyz", "--xyz\r\n" + file("a", "1") + "\n--xyz--", "[a:1\n--xyz--]false ", 0},
		{"preamble", "xyz", "junk\r\n--xyz\r\n" + file("a", "1") + "\r\n--xyz--", "[a:1]true ", 0},
		{"no boundary", "xyz", "a=b&c=d", "", 0},
		{"header without colon", "xyz", "--xyz\r\nfoo\r\n" + file("a", "1") + "\r\n--xyz--", "[a:1]true ", body.PartBadHeader},
		{"starts with line feed", "xyz", "--xyz\r\n" + file("a", "\n\n--xy") + "\r\n--xyz--", "[a:\n\n--xy]true ", 0},
		{"dashes", "--x", "----x\r\n" + file("a", "--x\n--\r\n---x") + "\r\n----x--", "[a:--x\n--\r\n---x]true ", 0},
	} {
		for _, size := range []int{1, 2, 3, 7, 1 << 20} {
			got, note := split(c.boundary, c.in, size)
			if got != c.want || note != c.note {
				t.Errorf("%s in pieces of %d: %q note %d, want %q note %d", c.name, size, got, note, c.want, c.note)
			}
		}
	}
}

func TestParam(t *testing.T) {
	for _, c := range []struct{ in, name, want string }{
		{`attachment; filename="eicar.txt"`, "filename", "eicar.txt"},
		{`attachment;filename=a b.txt ; x=1`, "filename", "a b.txt"},
		{`attachment; FileName = "a\"b"`, "filename", `a"b`},
		{`attachment; filename="C:\dir\a.txt"`, "filename", `C:dira.txt`},
		{`attachment; xfilename=1; filename=2`, "filename", "2"},
		{`attachment; filename="open`, "filename", "open"},
		{`attachment`, "filename", "-"},
		{`attachment; filename`, "filename", "-"},
	} {
		got, ok := body.Param([]byte(c.in), c.name)
		if !ok {
			got = []byte("-")
		}
		if string(got) != c.want {
			t.Errorf("Param(%q, %q) = %q, want %q", c.in, c.name, got, c.want)
		}
	}
	if b, ok := body.Boundary([]byte(`multipart/form-data; boundary="a b"`)); !ok || string(b) != "a b" {
		t.Errorf("Boundary = %q %v", b, ok)
	}
}

func FuzzMultipart(f *testing.F) {
	f.Add("--xyz\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\nhello\r\n--xyz\r\n\r\nx\r\n--xyz--", "xyz", 3)
	f.Add("--aab\n\n\r\r\n--aab\r\n\r\n\r\n--aaaab", "aab", 1)
	f.Fuzz(func(t *testing.T, in, boundary string, size int) {
		if boundary == "" || size <= 0 {
			return
		}
		a, na := split(boundary, in, 1<<30)
		b, nb := split(boundary, in, size%9+1)
		if a != b || na != nb {
			t.Errorf("whole %q %d, in pieces %q %d", a, na, b, nb)
		}
	})
}

func BenchmarkMultipart(b *testing.B) {
	in := []byte("--xyz\r\nContent-Disposition: form-data; filename=\"a\"\r\n\r\n" + strings.Repeat("some\r\ndata\n--", 20000) + "\r\n--xyz--")
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		var n nullParts
		m := body.NewMultipart([]byte("xyz"), &n)
		for rest := in; len(rest) > 0; {
			k := min(1400, len(rest))
			m.Write(rest[:k])
			rest = rest[k:]
		}
	}
}

type nullParts struct{ n int }

func (n *nullParts) FileOpen([]byte)   {}
func (n *nullParts) FileData(b []byte) { n.n += len(b) }
func (n *nullParts) FileClose(bool)    {}
