package smtp

import (
	"mirador/internal/proto"
	"mirador/internal/proto/mime"
)

// Tx is a mail with its envelope.
type Tx struct {
	proto.TxBase
	MailFrom []byte // nil: no MAIL
	Rcpt     [][]byte
	// Mail is what was given with DATA; nil when there was no DATA, or when mails are
	// not decoded.
	Mail *mime.Message

	p         *parser
	data      bool // there was a DATA
	file      *proto.File
	rcptBytes int // of Rcpt
}

// Helo returns what the client called itself; nil when it has not.
func (t *Tx) Helo() []byte { return t.p.helo }

// content tells whether the mail has more than a greeting.
func (t *Tx) content() bool { return t.MailFrom != nil || len(t.Rcpt) > 0 || t.data }

// complete ends t in both directions.
func (t *Tx) complete() {
	t.Advance(proto.ToServer, Complete)
	t.Advance(proto.ToClient, Complete)
}

// FileOpen implements mime.Sink.
func (t *Tx) FileOpen(name []byte) {
	t.FileClose()
	t.open(name)
}

func (t *Tx) open(name []byte) {
	t.file = t.p.c.NewFile(t, proto.ToServer, name)
	t.file.MinInspect, t.file.Window = t.p.opt.minInspect, t.p.opt.window
}

// FileData implements mime.Sink.
func (t *Tx) FileData(b []byte) {
	if t.file != nil {
		t.file.Append(b)
		t.Touch(proto.ToServer)
	}
}

// FileClose implements mime.Sink.
func (t *Tx) FileClose() {
	if t.file != nil {
		state := proto.FileClosed
		if t.p.cut {
			state = proto.FileTruncated
		}
		t.file.Close(state)
		t.file = nil
		t.Touch(proto.ToServer)
	}
}

// MIMEEvent implements mime.Sink.
func (t *Tx) MIMEEvent(e mime.Event) { t.RepeatEvent(mimeEvents[e]) }

// mimeEvents are the events of a mail, by mime.Event.
var mimeEvents = [...]proto.EventID{
	mime.InvalidBase64:   EventMIMEBase64,
	mime.InvalidQP:       EventMIMEQP,
	mime.LongLine:        EventMIMELongLine,
	mime.LongEncodedLine: EventMIMELongEncoded,
	mime.LongHeaderName:  EventMIMELongName,
	mime.LongHeaderValue: EventMIMELongValue,
	mime.LongBoundary:    EventMIMELongBoundary,
	mime.LongFilename:    EventMIMELongFilename,
}
