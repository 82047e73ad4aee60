package smtp

import (
	"bytes"
	"crypto/md5"
	"unicode/utf8"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/mime"
)

// LogOptions say what EVE smtp records hold beside the usual (Suricata: eve-log type
// smtp).
type LogOptions struct {
	// Extended adds the fields bcc, message-id, subject, x-mailer and user-agent;
	// Custom adds those it names.
	Extended bool
	Custom   []string
	// MD5 names what of the mail is hashed: "body" (where mime.body-md5 is on) and
	// "subject".
	MD5 []string
}

// extra is a field that is shown on demand.
type extra struct {
	name  string // in the configuration
	key   string // in EVE
	field mime.Field
	list  bool
	more  bool // shown with Extended
}

func extras() []extra {
	return []extra{
		{"reply-to", "reply_to", mime.ReplyTo, false, false},
		{"bcc", "bcc", mime.Bcc, true, true},
		{"message-id", "message_id", mime.MessageID, false, true},
		{"subject", "subject", mime.Subject, false, true},
		{"x-mailer", "x_mailer", mime.XMailer, false, true},
		{"user-agent", "user_agent", mime.UserAgent, false, true},
		{"received", "received", mime.Received, false, false},
		{"x-originating-ip", "x_originating_ip", mime.XOriginatingIP, false, false},
		{"in-reply-to", "in_reply_to", mime.InReplyTo, false, false},
		{"references", "references", mime.References, false, false},
		{"importance", "importance", mime.Importance, false, false},
		{"priority", "priority", mime.Priority, false, false},
		{"sensitivity", "sensitivity", mime.Sensitivity, false, false},
		{"organization", "organization", mime.Organization, false, false},
		{"content-md5", "content_md5", mime.ContentMD5, false, false},
		{"date", "date", mime.Date, false, false},
	}
}

// view is LogOptions read.
type view struct {
	extras        []extra
	subject, body bool
}

// Logger returns a Log for o. It leaves the object "email" open behind "smtp", when
// there is a mail, so that the caller closes that.
func Logger(o LogOptions) func(*proto.Conn, proto.Tx, *jsonw.Writer) bool {
	v := &view{}
	for _, x := range extras() {
		want := o.Extended && x.more
		for _, name := range o.Custom {
			want = want || name == x.name
		}
		if want {
			v.extras = append(v.extras, x)
		}
	}
	for _, name := range o.MD5 {
		v.subject = v.subject || name == "subject"
		v.body = v.body || name == "body"
	}
	return func(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
		t, ok := tx.(*Tx)
		if !ok {
			return false
		}
		t.envelope(w)
		if t.Mail != nil {
			w.Close()
			w.Object("email")
			t.mail(w)
			v.write(t.Mail, w)
		}
		return true
	}
}

// logAlert writes the members "smtp" and "email" of an alert record.
func logAlert(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
	t, ok := tx.(*Tx)
	if !ok {
		return
	}
	w.Object("smtp")
	t.envelope(w)
	w.Close()
	if t.Mail != nil {
		w.Object("email")
		t.mail(w)
		w.Close()
	}
}

// envelope writes the members of the object "smtp". What is not text is left out.
func (t *Tx) envelope(w *jsonw.Writer) {
	text("helo", t.Helo(), w)
	text("mail_from", t.MailFrom, w)
	if len(t.Rcpt) == 0 {
		return
	}
	w.Array("rcpt_to")
	for _, r := range t.Rcpt {
		if r = upToNUL(r); utf8.Valid(r) {
			w.BytesValue(r)
		}
	}
	w.CloseArray()
}

func text(key string, v []byte, w *jsonw.Writer) {
	if v == nil {
		return
	}
	if v = upToNUL(v); utf8.Valid(v) {
		w.Bytes(key, v)
	}
}

func upToNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// mail writes the usual members of the object "email".
func (t *Tx) mail(w *jsonw.Writer) {
	m := t.Mail
	if v, ok := m.Get(mime.From); ok {
		w.Lossy("from", v)
	}
	addresses("to", mime.To, m, w)
	addresses("cc", mime.Cc, m, w)
	// Suricata 8 says so of every mail, also of one that is still being read.
	w.Str("status", "PARSE_DONE")
	if len(m.Attachments) > 0 {
		w.Array("attachment")
		for _, a := range m.Attachments {
			w.LossyValue(a)
		}
		w.CloseArray()
	}
	if n := len(m.URLs); n > 0 {
		w.Array("url")
		for i := n - 1; i >= 0; i-- { // the last one comes first
			w.LossyValue(m.URLs[i])
		}
		w.CloseArray()
	}
}

// addresses writes a field that is a list of addresses.
func addresses(key string, f mime.Field, m *mime.Message, w *jsonw.Writer) {
	list, ok := m.Get(f)
	if !ok {
		return
	}
	addr, rest, ok := mime.NextAddress(list)
	if !ok {
		return
	}
	w.Array(key)
	for ; ok; addr, rest, ok = mime.NextAddress(rest) {
		w.LossyValue(addr)
	}
	w.CloseArray()
}

// write writes the members that were asked for.
func (v *view) write(m *mime.Message, w *jsonw.Writer) {
	for i := range v.extras {
		x := &v.extras[i]
		switch {
		case x.field == mime.Received:
			received(m, w)
		case x.list:
			addresses(x.key, x.field, m, w)
		default:
			if b, ok := m.Get(x.field); ok {
				w.Lossy(x.key, b)
			}
		}
	}
	if v.subject {
		if b, ok := m.Get(mime.Subject); ok {
			sum := md5.Sum(b)
			w.Hex("subject_md5", sum[:])
		}
	}
	if b := m.BodyMD5(); v.body && b != nil {
		w.Hex("body_md5", b)
	}
}

func received(m *mime.Message, w *jsonw.Writer) {
	v, ok := m.ReceivedAt(0)
	if !ok {
		return
	}
	w.Array("received")
	for i := 1; ok; i++ {
		w.LossyValue(v)
		v, ok = m.ReceivedAt(i)
	}
	w.CloseArray()
}
