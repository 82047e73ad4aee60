package krb5

import (
	"bytes"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes the EVE object krb5.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	w.Str("msg_type", typeName(t.Type))
	if t.Type == Error {
		w.Str("failed_request", typeName(t.Failed))
		w.Str("error_code", errorName(t.Code))
	}
	name("cname", t.CName, w)
	if t.Realm == nil {
		w.Str("realm", "<empty>")
	} else {
		w.Text("realm", t.Realm)
	}
	name("sname", t.SName, w)
	if t.HasEType {
		w.Str("encryption", etypeName(t.EType))
		w.Bool("weak_encryption", Weak(t.EType))
	} else {
		w.Str("encryption", "<none>")
		w.Bool("weak_encryption", false)
	}
	if t.HasTicket {
		w.Str("ticket_encryption", etypeName(t.Ticket))
		w.Bool("ticket_weak_encryption", Weak(t.Ticket))
	}
	return true
}

// name writes a principal's name.
func name(key string, parts [][]byte, w *jsonw.Writer) {
	if parts == nil {
		w.Str(key, "<empty>")
		return
	}
	w.Text(key, bytes.Join(parts, []byte("/")))
}
