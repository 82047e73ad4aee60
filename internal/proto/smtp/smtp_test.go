package smtp_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/ftp"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/smtp"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

func c2s(s string) prototest.Chunk { return prototest.To(up, s) }
func s2c(s string) prototest.Chunk { return prototest.To(down, s) }
func lost(d proto.Dir, n int) prototest.Chunk {
	return prototest.Chunk{Dir: d, Gap: n}
}

func runWith(tb testing.TB, size int, s prototest.Settings, chunks ...prototest.Chunk) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, s, smtp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 25})
	for _, c := range chunks {
		r.Feed(c, size)
	}
	r.Finish()
	return r
}

// records are the envelope, events and files of each mail.
func records(r *prototest.Runner) string {
	var b strings.Builder
	for i := range r.Records {
		rec := &r.Records[i]
		var w jsonw.Writer
		w.Open()
		rec.Tx.Base().Protocol().LogAlert(r.Conn, rec.Tx, &w)
		w.Close()
		fmt.Fprint(&b, string(w.Buf), " ", strings.Join(rec.Events, ","))
		for _, f := range rec.Tx.Base().Files {
			data := f.Data
			if len(data) > 40 {
				data = data[:40]
			}
			fmt.Fprintf(&b, " file %q %q size %d state %d gaps %v", f.Name, data, f.Size, f.State, f.Gaps)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

const (
	greeting = "220 mail.example.org ESMTP\r\n"
	ok       = "250 ok\r\n"
	goOn     = "354 go on\r\n"
	mailText = "From: a@b\r\nTo: <c@d>, e@f\r\nSubject: s\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=\"f.txt\"\r\n\r\nhttp://example.org/x\r\n..dot\r\n"
)

// session is a mail from the greeting to the answer to its end.
func session(body string) []prototest.Chunk {
	return []prototest.Chunk{
		s2c(greeting), c2s("EHLO me\r\n"), s2c("250-mail\r\n250 8BITMIME\r\n"), c2s("MAIL FROM:<a@b> SIZE=1\r\n"), s2c(ok),
		c2s("RCPT TO:<c@d>\r\n"), s2c(ok), c2s("rcpt to:<e@f>\r\n"), s2c(ok), c2s("DATA\r\n"), s2c(goOn), c2s(body + ".\r\n"), s2c(ok),
	}
}

const envelope = `{"smtp":{"helo":"me","mail_from":"<a@b>","rcpt_to":["<c@d>","<e@f>"]}`

// The expectations are what Suricata 8.0.7 shows, its odd ends of URLs and the dots
// that it leaves doubled included.
func TestSessions(t *testing.T) {
	add := func(list []prototest.Chunk, more ...prototest.Chunk) []prototest.Chunk { return append(list, more...) }
	start := []prototest.Chunk{s2c(greeting), c2s("EHLO me\r\n"), s2c(ok)}
	startOf := func(more ...prototest.Chunk) []prototest.Chunk { return append(start[:3:3], more...) }
	for _, c := range []struct {
		name string
		in   []prototest.Chunk
		want []string
	}{
		{"a mail", session(mailText), []string{
			envelope + `,"email":{"from":"a@b","to":["<c@d>","e@f"],"status":"PARSE_DONE","attachment":["f.txt"],"url":["example.org/x\r\n"]}}  file "f.txt" "http://example.org/x\r\n..dot" size 27 state 1 gaps false`,
		}},
		{"two mails", add(session("From: a@b\r\n\r\nx\r\n"), c2s("MAIL FROM:<x@y>\r\n"), s2c(ok), c2s("QUIT\r\n"), s2c("221 bye\r\n")), []string{
			envelope + `,"email":{"from":"a@b","status":"PARSE_DONE"}} `,
			`{"smtp":{"helo":"me","mail_from":"<x@y>"}} `,
		}},
		{"data rejected", startOf(c2s("MAIL FROM:<a>\r\n"), s2c(ok), c2s("DATA\r\n"), s2c("554 no\r\n"), c2s("RSET\r\n"), s2c(ok)), []string{
			`{"smtp":{"helo":"me","mail_from":"<a>"},"email":{"status":"PARSE_DONE"}} data_command_rejected`,
		}},
		{"reset", startOf(c2s("MAIL FROM:<a>\r\n"), s2c(ok), c2s("RSET\r\n"), s2c(ok), c2s("MAIL FROM:<b>\r\n"), s2c(ok)), []string{
			`{"smtp":{"helo":"me","mail_from":"<a>"}} `, `{"smtp":{"helo":"me","mail_from":"<b>"}} `,
		}},
		{"no welcome", []prototest.Chunk{c2s("EHLO me\r\n"), s2c(ok)}, []string{`{"smtp":{"helo":"me"}} no_server_welcome_message`}},
		{"duplicates", startOf(c2s("MAIL FROM:<a>\r\n"), s2c(ok), c2s("MAIL FROM:<b>\r\n"), s2c("503 no\r\n"), c2s("HELO you\r\n"), s2c("503 no\r\n")), []string{
			`{"smtp":{"helo":"me","mail_from":"<a>"}} duplicate_fields,duplicate_fields`,
		}},
		{"pipelined behind DATA", startOf(c2s("DATA\r\nQUIT\r\n"), s2c("554 no\r\n")), []string{`{"smtp":{"helo":"me"},"email":{"status":"PARSE_DONE"}} invalid_pipelined_sequence,data_command_rejected`}},
		{"pipelined mail", []prototest.Chunk{s2c(greeting), c2s("EHLO me\r\n"), s2c("250-x\r\n250-PIPELINING\r\n250 y\r\n"),
			c2s("MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\nFrom: z\r\n\r\nx\r\n.\r\nQUIT\r\n"), s2c(ok + ok + goOn + ok + "221 bye\r\n")}, []string{
			`{"smtp":{"helo":"me","mail_from":"<a>","rcpt_to":["<b>"]},"email":{"from":"z","status":"PARSE_DONE"}} invalid_pipelined_sequence`,
		}},
		{"chunks", startOf(c2s("BDAT 5\r\n"), c2s("QUIT\n"), s2c(ok), c2s("BDAT 3 LAST\r\nabc"), s2c(ok), c2s("MAIL FROM:<b>\r\n")), []string{
			`{"smtp":{"helo":"me"}} `, `{"smtp":{"helo":"me","mail_from":"<b>"}} `,
		}},
		{"bad chunks", startOf(c2s("BDAT\r\n"), c2s("BDAT x\r\n"), c2s("BDAT 4294967296\r\n"), c2s("BDAT 1 LASTX\r\n")), []string{
			`{"smtp":{"helo":"me"}} invalid_bdat,invalid_bdat,invalid_bdat,invalid_bdat`,
		}},
		{"TLS refused", startOf(c2s("STARTTLS\r\n"), s2c("454 no\r\n")), []string{`{"smtp":{"helo":"me"}} tls_rejected`}},
		{"no reply", startOf(c2s("NOOP\r\n"), s2c("hello\r\n"), c2s("MAIL FROM:<late>\r\n")), []string{`{"smtp":{"helo":"me"}} invalid_reply`}},
		{"a gap in a body", add(session(mailText)[:11], c2s("Content-Disposition: attachment; filename=f\r\n\r\nab\r\n"), lost(up, 5), c2s("cd\r\n.\r\n"), s2c(ok)), []string{
			envelope + `,"email":{"status":"PARSE_DONE","attachment":["f"]}}  file "f" "ab\r\ncd" size 11 state 1 gaps true`,
		}},
		{"a gap in commands", startOf(lost(up, 5), c2s("MAIL FROM:<a>\r\n"), s2c(ok)), []string{`{"smtp":{"helo":"me"}} `}},
		{"the end in a mail", add(session(mailText)[:11], c2s("Content-Disposition: attachment; filename=f\r\n\r\nabcd\r\nef")), []string{
			envelope + `,"email":{"status":"PARSE_DONE","attachment":["f"]}}  file "f" "abcd\r\nef" size 8 state 2 gaps false`,
		}},
		{"a dot is the end only alone", add(session(mailText)[:11], c2s("A: b\r\n\r\n.x\r\n. \r\n.\r\n"), s2c(ok), c2s("QUIT\r\n"), s2c("221 bye\r\n")), []string{
			envelope + `,"email":{"status":"PARSE_DONE"}} `,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.Join(c.want, "\n") + "\n"
			for _, size := range []int{0, 1, 7} {
				if got := records(runWith(t, size, nil, c.in...)); got != want {
					t.Errorf("pieces of %d: got\n%swant\n%s", size, got, want)
				}
			}
		})
	}
}

func TestStartTLS(t *testing.T) {
	r := runWith(t, 0, nil, s2c(greeting), c2s("EHLO me\r\n"), s2c(ok), c2s("STARTTLS\r\n"), s2c("220 go\r\n"))
	if !r.Conn.Changing() {
		t.Error("the flow does not go on as another protocol")
	}
}

func TestFields(t *testing.T) {
	r := runWith(t, 0, nil, session("Received: x\r\nReceived: y\r\nCc: q\r\nDate: now\r\nMessage-ID: <1>\r\nX-Mailer: m\r\n"+mailText)...)
	p, tx := smtp.Protocol(), r.Records[0].Tx
	for _, c := range []struct {
		field string
		i     int
		want  string
	}{
		{"smtp.helo", 0, "me"}, {"smtp.mail_from", 0, "<a@b>"}, {"smtp.rcpt_to", 0, "<c@d>"}, {"smtp.rcpt_to", 1, "<e@f>"},
		{"email.from", 0, "a@b"}, {"email.subject", 0, "s"}, {"email.to", 0, "<c@d>, e@f"}, {"email.cc", 0, "q"}, {"email.date", 0, "now"},
		{"email.message_id", 0, "<1>"}, {"email.x_mailer", 0, "m"}, {"email.url", 0, "example.org/x\r\n"},
		{"email.received", 0, "x"}, {"email.received", 1, "y"},
	} {
		f := prototest.Field(p, c.field)
		if got, ok := f.Get(r.Conn, tx, up, c.i); !ok || string(got) != c.want {
			t.Errorf("%s %d = %q, %v, want %q", c.field, c.i, got, ok, c.want)
		}
		if _, ok := f.Get(r.Conn, tx, up, 99); ok && f.Multi {
			t.Errorf("%s has a hundredth value", c.field)
		}
	}
}

func TestLogger(t *testing.T) {
	r := runWith(t, 0, prototest.Settings{"mime.body-md5": "yes"}, session("Received: x\r\nBcc: q\r\nReply-To: z\r\n"+mailText)...)
	var w jsonw.Writer
	w.Open()
	w.Object("smtp")
	smtp.Logger(smtp.LogOptions{Extended: true, Custom: []string{"received", "reply-to"}, MD5: []string{"body", "subject"}})(r.Conn, r.Records[0].Tx, &w)
	w.Close()
	w.Close()
	for _, want := range []string{`"bcc":["q"]`, `"subject":"s"`, `"received":["x"]`, `"reply_to":"z"`, `"subject_md5":"03c7c0ace395d80182db07ae2c30f034"`, `"body_md5":"`} {
		if !strings.Contains(string(w.Buf), want) {
			t.Errorf("no %s in %s", want, w.Buf)
		}
	}
}

// Raw mails are one file, with their header.
func TestRaw(t *testing.T) {
	r := runWith(t, 3, prototest.Settings{"mime.decode-mime": "no", "raw-extraction": "yes"}, session("A: b\r\n\r\nx\r\n")...)
	want := `{"smtp":{"helo":"me","mail_from":"<a@b>","rcpt_to":["<c@d>","<e@f>"]}}  file "rawmsg" "A: b\r\n\r\nx\r\n" size 11 state 1 gaps false` + "\n"
	if got := records(r); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		dir  proto.Dir
		in   string
		port uint16
		want proto.Match
	}{
		{up, "EHLO x\r\n", 5000, proto.Yes}, {up, "helo", 25, proto.Yes}, {up, "HE", 25, proto.More}, {up, "QUIT\r\n", 25, proto.Yes}, {up, "USER x", 25, proto.No},
		{down, greeting, 25, proto.Yes}, {down, greeting, 21, proto.More}, {down, "220 mail\r\n", 25, proto.More}, {down, "220 mail.example.org", 25, proto.More},
		{down, "220 (vsFTPd)\r\n", 25, proto.More}, {down, "421 x", 25, proto.No}, {down, "22", 25, proto.More},
		{down, "220 a-.b\r\n", 25, proto.More},
	} {
		if got := smtp.Protocol().Probe(c.dir, []byte(c.in), proto.Hint{SrcPort: 4000, DstPort: c.port}); got != c.want {
			t.Errorf("probe(%d, %q, port %d) = %v, want %v", c.dir, c.in, c.port, got, c.want)
		}
	}
	r := prototest.NewRunner(prototest.Table(t, nil, smtp.Protocol(), ftp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 21})
	r.Feed(s2c("220 ftp.example.org\r\n"), 0)
	r.Feed(c2s("USER joe\r\n"), 0)
	if name := r.Conn.Table.Name(r.Conn.App); name != "ftp" {
		t.Errorf("an FTP session is %q", name)
	}
}

// One side alone, from the middle.
func TestOneWay(t *testing.T) {
	for name, in := range map[string][]prototest.Chunk{
		"client": {c2s("EHLO me\r\n"), c2s("MAIL FROM:<a>\r\n"), c2s("RCPT TO:<b>\r\n"), c2s("DATA\r\n"), c2s("From: x\r\n\r\nhello\r\n.\r\n"), c2s("QUIT\r\n")},
		"server": {s2c(greeting), s2c(ok), s2c(ok), s2c(goOn), s2c(ok)},
	} {
		r := prototest.NewRunner(prototest.Table(t, nil, smtp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 25, Midstream: true})
		r.Conn.OneSided = true
		for _, c := range in {
			r.Feed(c, 0)
		}
		r.Finish()
		if got := records(r); name == "client" && !strings.HasPrefix(got, `{"smtp":{"helo":"me","mail_from":"<a>","rcpt_to":["<b>"]}`) || name == "server" && got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}
