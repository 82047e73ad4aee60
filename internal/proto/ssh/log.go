package ssh

import (
	"strconv"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes a session of which at least one banner is known.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok || t.Client.Proto == nil && t.Server.Proto == nil {
		return false
	}
	t.write("client", &t.Client, w)
	t.write("server", &t.Server, w)
	return true
}

// logAlert writes the member "ssh" of an alert record.
func logAlert(c *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
	m := w.Mark()
	w.Object("ssh")
	if !log(c, tx, w) {
		w.Rollback(m)
		return
	}
	w.Close()
}

func (t *Tx) write(key string, s *Side, w *jsonw.Writer) {
	if s.Proto == nil {
		return
	}
	w.Object(key)
	limited("proto_version", s.Proto, w)
	if len(s.Software) > 0 {
		limited("software_version", s.Software, w)
	}
	if t.hassh && s.Hassh != nil {
		w.Object("hassh")
		w.Bytes("hash", s.Hash())
		w.Text("string", s.Hassh)
		w.Close()
	}
	w.Close()
}

// limited writes at most maxLogged bytes of v and says how many are missing.
func limited(key string, v []byte, w *jsonw.Writer) {
	if len(v) <= maxLogged {
		w.Text(key, v)
		return
	}
	b := append(make([]byte, 0, maxLogged+40), v[:maxLogged]...)
	b = append(b, "[truncated "...)
	b = strconv.AppendInt(b, int64(len(v)-maxLogged), 10)
	w.Text(key, append(b, " additional bytes]"...))
}
