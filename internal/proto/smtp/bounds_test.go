package smtp_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/smtp"
)

func start(more ...prototest.Chunk) []prototest.Chunk {
	return append([]prototest.Chunk{s2c(greeting), c2s("EHLO me\r\n"), s2c(ok)}, more...)
}

// Lines too long are cut and said so, whatever they are; what follows is read.
func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", 2*smtp.MaxLine)
	for name, in := range map[string][]prototest.Chunk{
		"command":     start(c2s("MAIL FROM:<a>\r\n"), s2c(ok), c2s("RCPT TO:<"+long+"\r\nRCPT TO:<b>\r\n"), s2c(ok), s2c(ok)),
		"reply":       start(c2s("MAIL FROM:<a>\r\n"), s2c(ok), c2s("RCPT TO:<b>\r\n"), s2c("250 "+long+"\r\n"), c2s("RCPT TO:<c>\r\n"), s2c(ok)),
		"header line": start(c2s("MAIL FROM:<a>\r\n"), s2c(ok), c2s("RCPT TO:<b>\r\n"), s2c(ok), c2s("DATA\r\n"), s2c(goOn), c2s("A: "+long+"\r\nFrom: z\r\n\r\n.\r\n"), s2c(ok)),
	} {
		first := ""
		for _, size := range []int{0, 1000, 4095, 4096, 4097} {
			got := records(runWith(t, size, nil, in...))
			if first == "" {
				first = got
			}
			if got != first || !strings.Contains(got, "truncated_line") || name != "header line" && strings.Count(got, `"`+"<") < 2 || name == "header line" && !strings.Contains(got, `"from":"z"`) {
				t.Errorf("%s, pieces of %d: %.300s", name, size, got)
			}
		}
	}
}

// A body line of any length is one piece of its file after the other.
func TestLongBodyLine(t *testing.T) {
	long := strings.Repeat("x", 3*smtp.MaxLine+5)
	for _, size := range []int{0, 1, 1000, 4096} {
		r := runWith(t, size, nil, start(c2s("DATA\r\n"), s2c(goOn), c2s("Content-Disposition: attachment; filename=f\r\n\r\n"+long+"\r\n.\r\n"), s2c(ok))...)
		files := r.Records[0].Tx.Base().Files
		if len(files) != 1 || files[0].Size != uint64(len(long)) || files[0].State != proto.FileClosed {
			t.Fatalf("pieces of %d: %+v", size, files)
		}
	}
}

// Mails that wait beyond max-tx end the oldest, which is counted.
func TestTooManyMails(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, prototest.Settings{"max-tx": "5"}, smtp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 25})
	for _, c := range start() {
		r.Feed(c, 0)
	}
	for range 50 {
		r.Feed(c2s("BDAT 0 LAST\r\n"), 0)
		if n := len(r.Conn.Txs); n > 5 {
			t.Fatalf("%d mails are kept", n)
		}
	}
	if r.Conn.TxOverflow != 45 {
		t.Errorf("%d mails were ended", r.Conn.TxOverflow)
	}
}

// Recipients are bounded in number and in bytes.
func TestRecipients(t *testing.T) {
	for _, c := range []struct {
		rcpt string
		want int
	}{{"<a@b>", 2048}, {"<" + strings.Repeat("a", 1000) + ">", (96 << 10) / 1002}} {
		r := runWith(t, 0, nil, start(c2s(strings.Repeat("RCPT TO:"+c.rcpt+"\r\n", 3000)))...)
		if n := len(r.Records[0].Tx.(*smtp.Tx).Rcpt); n != c.want {
			t.Errorf("%d recipients of %d bytes are kept, want %d", n, len(c.rcpt), c.want)
		}
		if n := r.Hits(t, "smtp", "recipients"); n != uint64(3000-c.want) {
			t.Errorf("%d recipients of 3000 are kept, counted are %d", c.want, n)
		}
	}
}

// Commands that wait for replies are bounded: a server that is not seen does not
// make the queue grow, and what it says later is taken for answers to the newest.
func TestQueue(t *testing.T) {
	in := start(c2s(strings.Repeat("NOOP\r\n", 10_000)))
	for range 4096 {
		in = append(in, s2c("250 x\r\n"))
	}
	in = append(in, c2s("MAIL FROM:<a>\r\n"), s2c(ok), c2s("DATA\r\n"), s2c(goOn), c2s("From: z\r\n\r\n.\r\n"), s2c(ok))
	r := runWith(t, 0, nil, in...)
	if got := records(r); !strings.Contains(got, `"from":"z"`) {
		t.Error(got)
	}
	if n := r.Hits(t, "smtp", "commands"); n < 5900 || n > 10_000 {
		t.Errorf("%d commands were forgotten", n)
	}
}

func TestSettings(t *testing.T) {
	for key, v := range map[string]string{"inspected-tracker.content-limit": "-1", "inspected-tracker.content-inspect-window": "-5"} {
		if _, err := proto.NewTable([]*proto.Protocol{smtp.Protocol()}, func(string) proto.Settings { return prototest.Settings{key: v} }); err == nil {
			t.Errorf("%s: %s is taken", key, v)
		}
	}
}

// Ten ways to be unkind: each must leave the parser on its feet, with what is kept
// within bounds, and the mail behind it read.
func TestHostile(t *testing.T) {
	nested := strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	for name, body := range map[string]string{
		"nested parts":         nested.String(),
		"boundary of nothing":  "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n--\r\n----\r\n",
		"NULs":                 "From: a\x00b\r\nSubject: \x00\x00\r\n\r\n\x00\x00\x00\r\n",
		"CR alone":             "From: a\rSubject: b\r\rbody\r",
		"endless header":       strings.Repeat("A: b\r\n", 5000),
		"endless folding":      "Subject: a\r\n" + strings.Repeat("\tb\r\n", 5000),
		"encoded words":        "Subject: " + strings.Repeat("=?utf-8?b?//8=?=", 500) + "\r\n\r\n",
		"half a base64":        "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=x\r\n\r\nQ\r\nU\r\nF\r\n=\r\n!!!\r\n",
		"quoted-printable end": "Content-Transfer-Encoding: quoted-printable\r\nContent-Disposition: attachment; filename=x\r\n\r\na=\r\n=\r\n=4\r\n=ZZ\r\n",
		"file name of pieces":  "Content-Disposition: attachment; " + strings.Repeat("filename*999=x; ", 100) + "\r\n\r\nx\r\n",
		"many attachments":     "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Disposition: attachment; filename=a\r\n\r\nx\r\n", 2000) + "--b--\r\n",
		"a boundary in itself": "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b--\r\n--b--\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{0, 1, 13} {
				in := start(c2s("MAIL FROM:<a>\r\n"), s2c(ok), c2s("DATA\r\n"), s2c(goOn), c2s(body+"\r\n.\r\n"), s2c(ok),
					c2s("MAIL FROM:<b>\r\n"), s2c(ok), c2s("DATA\r\n"), s2c(goOn), c2s("From: z\r\n\r\nx\r\n.\r\n"), s2c(ok))
				r := runWith(t, size, nil, in...)
				if len(r.Records) != 2 || !strings.Contains(r.Records[1].JSON, `"from":"z"`) && !strings.Contains(records(r), `"from":"z"`) {
					t.Fatalf("pieces of %d: %d mails\n%.500s", size, len(r.Records), records(r))
				}
				if n := len(r.Records[0].Tx.Base().Files); n > proto.MaxTxFiles {
					t.Errorf("%d files", n)
				}
				if over := r.Conn.FileOverflow; (over > 0) != (name == "many attachments") {
					t.Errorf("%d files were left out", over)
				}
				m := r.Records[0].Tx.(*smtp.Tx).Mail
				if len(m.Attachments) > 512 {
					t.Errorf("%d attachments", len(m.Attachments))
				}
				if n := r.Hits(t, "smtp", "mail"); (n > 0) != (m.Skipped > 0) || name == "many attachments" && n != 2000-512 {
					t.Errorf("counted %d times, %d were left out", n, m.Skipped)
				}
			}
		})
	}
}

func FuzzSession(f *testing.F) {
	f.Add("MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n", mailText, "250 ok\r\n", uint8(1), uint8(0), false)
	f.Add("BDAT 5\r\nabcdeBDAT 3 LAST\r\nxyz", "A: b\r\n\r\n.\r\nQUIT\r\n", "250 ok\r\n221 x\r\n", uint8(3), uint8(9), false)
	f.Add("STARTTLS\r\nRSET\r\nHELO a\r\n", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment; filename=a\r\n\r\nx\ry\r\n--b--\r\n.\r\n", "250-PIPELINING\r\n250 x\r\n", uint8(4), uint8(2), true)
	f.Fuzz(func(t *testing.T, cmds, body, replies string, size, gap uint8, raw bool) {
		if len(cmds)+len(body)+len(replies) > 1<<14 {
			t.Skip()
		}
		s := prototest.Settings{"max-tx": "4", "mime.body-md5": "yes"}
		if raw {
			s["mime.decode-mime"], s["raw-extraction"] = "no", "yes"
		}
		in := start(c2s(cmds), s2c(replies), c2s("DATA\r\n"), s2c(goOn), c2s(body), s2c(replies))
		if gap > 0 {
			in = append(in, lost(up, int(gap)), c2s(body+cmds), lost(down, int(gap)), s2c(replies))
		}
		var keep [][]byte
		for _, c := range in {
			keep = append(keep, bytes.Clone(c.Data))
		}
		one := func(size int) string {
			r := prototest.NewRunner(prototest.Table(t, s, smtp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 25})
			for _, c := range in {
				r.Feed(c, size)
				for _, tx := range r.Conn.Txs {
					if m := tx.(*smtp.Tx).Mail; m != nil && len(m.Attachments) > 512 {
						t.Fatalf("%d attachments", len(m.Attachments))
					}
				}
				if n := len(r.Conn.Txs); n > 4 {
					t.Fatalf("%d mails are kept", n)
				}
			}
			r.Finish()
			for i := range r.Records {
				r.Records[i].JSON = "" // its object "email" is closed by the owner
			}
			return records(r)
		}
		whole, cut := one(0), one(int(size)+1)
		if gap == 0 && whole != cut { // what waits in front of a gap is lost with it
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
		for i, c := range in {
			if !bytes.Equal(c.Data, keep[i]) {
				t.Fatal("the input was changed")
			}
		}
	})
}
