package mime_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mirador/internal/proto/mime"
)

// sink collects what a message has.
type sink struct {
	files  []string // "name=content"
	data   []byte   // of the last one
	events map[mime.Event]int
	open   bool
}

func (s *sink) FileOpen(name []byte) {
	s.files, s.open, s.data = append(s.files, string(name)+"="), true, nil
}

func (s *sink) FileData(b []byte) { s.data = append(s.data, b...) }

func (s *sink) FileClose() {
	s.files[len(s.files)-1] += string(s.data)
	s.open = false
}

func (s *sink) MIMEEvent(e mime.Event) {
	if s.events == nil {
		s.events = map[mime.Event]int{}
	}
	s.events[e]++
}

func options() *mime.Options {
	return &mime.Options{Base64: true, QuotedPrintable: true, URLs: true, Schemes: []string{"http"}}
}

// read gives text to a new message, line by line, long lines in pieces.
func read(o *mime.Options, text string) (*mime.Message, *sink) {
	s := &sink{}
	m := mime.New(o, s)
	first := true
	for len(text) > 0 {
		n := strings.IndexByte(text, '\n') + 1
		last := n > 0
		if n == 0 {
			n = len(text)
		}
		if n > 4096 && m.InHeader() {
			m.Line([]byte(text[:4096]), true, true) // as package smtp does it
			text, first = text[n:], true
			continue
		}
		if n > 4096 {
			n, last = 4096, false
		}
		m.Line([]byte(text[:n]), first, last)
		text, first = text[n:], last
	}
	m.End()
	return m, s
}

func crlf(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n" }

// The expectations are what Suricata 8.0.7 makes of the same messages, as far as EVE
// and rules show.
func TestMessages(t *testing.T) {
	head := []string{"From: a@b", "Content-Type: multipart/mixed; boundary=\"xx\"", "", "--xx"}
	with := func(lines ...string) string { return crlf(append(append([]string{}, head...), lines...)...) }
	for _, c := range []struct {
		name, in string
		files    []string
		events   map[mime.Event]int
		urls     []string
	}{
		{"no body", crlf("Subject: x", ""), nil, nil, nil},
		{"text", crlf("Subject: x", "", "hello"), nil, nil, nil},
		{"url in text", crlf("Content-Type: text/plain", "", "see http://a.example/b?c now"), nil, nil, []string{"a.example/b?c"}},
		{"base64", with("Content-Disposition: attachment; filename=\"a.txt\"", "Content-Transfer-Encoding: base64", "", "aGVsbG8gd29ybGQ=", "--xx--"),
			[]string{"a.txt=hello world"}, nil, nil},
		{"quoted-printable", with("Content-Disposition: attachment; filename=a.txt", "Content-Transfer-Encoding: quoted-printable", "", "a=3Db=", "c", "--xx--"),
			[]string{"a.txt=a=bc\r\n"}, nil, nil},
		{"plain", with("Content-Disposition: attachment; filename=a.txt", "", "one", "two", "--xx--"), []string{"a.txt=one\r\ntwo"}, nil, nil},
		{"two files", with("Content-Type: text/plain; name=a", "", "A", "--xx", "Content-Type: text/plain; name=b", "", "B", "--xx--"),
			[]string{"a=A", "b=B"}, nil, nil},
		{"nested", with("Content-Type: multipart/mixed; boundary=yy", "", "--yy", "Content-Disposition: attachment; filename=in", "", "I", "--yy--",
			"--xx", "Content-Disposition: attachment; filename=out", "", "O", "--xx--"), []string{"in=I", "out=O"}, nil, nil},
	} {
		m, s := read(options(), c.in)
		if !reflect.DeepEqual(s.files, c.files) || !reflect.DeepEqual(s.events, c.events) || s.open {
			t.Errorf("%s: files %q, events %v, still open %v", c.name, s.files, s.events, s.open)
		}
		var urls []string
		for _, u := range m.URLs {
			urls = append(urls, string(u))
		}
		if !reflect.DeepEqual(urls, c.urls) {
			t.Errorf("%s: URLs %q, want %q", c.name, urls, c.urls)
		}
	}
}

func TestFields(t *testing.T) {
	m, _ := read(options(), crlf("From: a@b", "Subject: one", " two", "SUBJECT: later", "Received: x", "Received: y", "Unknown: z", "", "To: body"))
	for f, want := range map[mime.Field]string{mime.From: "a@b", mime.Subject: "onetwo", mime.To: ""} {
		if got, ok := m.Get(f); string(got) != want || ok != (want != "") {
			t.Errorf("field %d: %q, %v, want %q", f, got, ok, want)
		}
	}
	for i, want := range []string{"x", "y", ""} {
		if got, ok := m.ReceivedAt(i); string(got) != want || ok != (want != "") {
			t.Errorf("Received %d: %q, %v", i, got, ok)
		}
	}
}

func TestEvents(t *testing.T) {
	part := func(encoding string, lines ...string) string {
		return crlf(append([]string{"Content-Disposition: attachment; filename=a", "Content-Transfer-Encoding: " + encoding, ""}, lines...)...)
	}
	for _, c := range []struct {
		name string
		in   string
		want mime.Event
	}{
		{"long line", crlf("A: b", "", strings.Repeat("x", mime.MaxLine+1)), mime.LongLine},
		{"long name", crlf(strings.Repeat("A", mime.MaxHeaderName+1)+": b", ""), mime.LongHeaderName},
		{"long value", crlf("A: "+strings.Repeat("b", mime.DefaultHeaderValue+1), ""), mime.LongHeaderValue},
		{"long boundary", crlf("Content-Type: multipart/mixed; boundary="+strings.Repeat("b", mime.MaxBoundary+1), "", ""), mime.LongBoundary},
		{"long encoded line", part("base64", strings.Repeat("QUFB", 20)), mime.LongEncodedLine},
		{"long filename", crlf("Content-Disposition: attachment; filename="+strings.Repeat("f", mime.MaxFilename+1), "", ""), mime.LongFilename},
	} {
		if _, s := read(options(), c.in); s.events[c.want] == 0 {
			t.Errorf("%s: events %v", c.name, s.events)
		}
	}
	if _, s := read(options(), part("base64", "QUFB", "QUFB")); len(s.events) != 0 {
		t.Errorf("a good message has events %v", s.events)
	}
}

func TestNextAddress(t *testing.T) {
	for in, want := range map[string][]string{
		"":                             nil,
		"a@b":                          {"a@b"},
		"a@b, c@d":                     {"a@b", "c@d"},
		"\"x, y\" <a@b>, <c@d>":        {"\"x, y\" <a@b>", "<c@d>"},
		"\"never closed, <a@b>, <c@d>": {"\"never closed, <a@b>, <c@d>"},
	} {
		var got []string
		for rest := []byte(in); ; {
			a, r, ok := mime.NextAddress(rest)
			if !ok {
				break
			}
			got, rest = append(got, strings.TrimSpace(string(a))), r
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestBounds gives more of everything than is kept.
func TestBounds(t *testing.T) {
	b := strings.Builder{}
	for i := range 3000 {
		fmt.Fprintf(&b, "Received: %d %s\r\n", i, strings.Repeat("r", 500))
	}
	b.WriteString("Content-Type: text/plain\r\n\r\n")
	for i := range 30000 {
		fmt.Fprintf(&b, "http://host%d.example/%s\r\n", i, strings.Repeat("u", 50))
	}
	m, _ := read(options(), b.String())
	kept := 0
	for _, u := range m.URLs {
		kept += len(u)
	}
	if len(m.URLs) > 1024 || kept > 256<<10 {
		t.Errorf("%d URLs with %d bytes are kept", len(m.URLs), kept)
	}
	if _, ok := m.ReceivedAt(128); ok {
		t.Error("too many Received fields are kept")
	}
	deep := strings.Builder{}
	for i := range 500 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	read(options(), deep.String())
}

// messages are shapes that make a careless reader slow.
func messages(n int) map[string]string {
	deep := strings.Builder{}
	for i := 0; deep.Len() < n; i++ {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	return map[string]string{
		"nested":   deep.String(),
		"one line": "A: b\r\n\r\n" + strings.Repeat("http:", n/5),
		"header":   strings.Repeat("Received: x\r\n", n/13) + "\r\n",
		"folded":   "Subject: x\r\n" + strings.Repeat(" y\r\n", n/4) + "\r\n",
		"params":   "Content-Type: text/plain" + strings.Repeat("; a=b", n/5) + "\r\n\r\n",
		"dashes":   "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--\r\n", n/4),
		"base64":   "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a\r\n\r\n" + strings.Repeat("QUFB\r\n", n/6),
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range messages(300) {
		f.Add(m)
	}
	f.Add(crlf("From: a@b", "Content-Type: multipart/mixed; boundary=xx", "", "--xx", "Content-Disposition: attachment; filename*0=a; filename*1=b",
		"Content-Transfer-Encoding: quoted-printable", "", "a=3D=", "--xx--"))
	f.Fuzz(func(t *testing.T, text string) {
		o := options()
		o.BodyMD5 = true
		_, s := read(o, text)
		n := 0
		for _, file := range s.files {
			n += len(file)
		}
		if s.open || n > 2*len(text)+256*len(s.files) {
			t.Fatalf("open %v, %d bytes of files in a message of %d", s.open, n, len(text))
		}
	})
}
