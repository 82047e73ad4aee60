package smtp

import (
	"mirador/internal/proto"
	"mirador/internal/proto/mime"
)

// getter is the Get of a field.
type getter = func(c *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool)

// of makes a getter of a function of a mail.
func of(f func(t *Tx, i int) ([]byte, bool)) getter {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok {
			return nil, false
		}
		return f(t, i)
	}
}

// ofField makes a getter of a header field.
func ofField(f mime.Field) getter {
	return of(func(t *Tx, _ int) ([]byte, bool) {
		if t.Mail == nil {
			return nil, false
		}
		return t.Mail.Get(f)
	})
}

// fields are the keywords of SMTP and of the mail in it.
func fields() []proto.Field {
	data := [2]uint8{Data, Data}
	email := func(name string, f mime.Field, what string) proto.Field {
		return proto.Field{Name: "email." + name, ToServer: true, MinProgress: data, Get: ofField(f), Doc: what + " of a mail"}
	}
	return []proto.Field{
		{Name: "smtp.helo", ToServer: true, Get: of(func(t *Tx, _ int) ([]byte, bool) {
			b := t.Helo()
			return b, b != nil
		}), Doc: "name the client gave with HELO or EHLO"},
		{Name: "smtp.mail_from", ToServer: true, Get: of(func(t *Tx, _ int) ([]byte, bool) {
			return t.MailFrom, t.MailFrom != nil
		}), Doc: "sender of the envelope, with its angle brackets"},
		{Name: "smtp.rcpt_to", ToServer: true, Multi: true, Get: of(func(t *Tx, i int) ([]byte, bool) {
			if i >= len(t.Rcpt) {
				return nil, false
			}
			return t.Rcpt[i], true
		}), Doc: "each recipient of the envelope, with its angle brackets"},
		email("from", mime.From, "From field"),
		email("subject", mime.Subject, "Subject field"),
		email("to", mime.To, "To field"),
		email("cc", mime.Cc, "Cc field"),
		email("date", mime.Date, "Date field"),
		email("message_id", mime.MessageID, "Message-ID field"),
		email("x_mailer", mime.XMailer, "X-Mailer field"),
		{Name: "email.url", ToServer: true, MinProgress: data, Multi: true, Get: of(func(t *Tx, i int) ([]byte, bool) {
			if t.Mail == nil || i >= len(t.Mail.URLs) {
				return nil, false
			}
			return t.Mail.URLs[i], true
		}), Doc: "each URL found in the text and the attachments of a mail"},
		{Name: "email.received", ToServer: true, MinProgress: data, Multi: true, Get: of(func(t *Tx, i int) ([]byte, bool) {
			if t.Mail == nil {
				return nil, false
			}
			return t.Mail.ReceivedAt(i)
		}), Doc: "each Received field of a mail"},
	}
}
