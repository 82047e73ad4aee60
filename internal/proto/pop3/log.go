package pop3

import (
	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes the members of the object "pop3".
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	if t.request {
		w.Object("request")
		w.Text("command", t.name)
		list("args", t.args, w)
		w.Close()
	}
	if t.response {
		status := "ERR"
		if t.ok {
			status = "OK"
		}
		w.Object("response")
		w.Bool("success", t.ok)
		w.Str("status", status)
		w.Text("header", t.header)
		list("data", t.data, w)
		w.Close()
	}
	return true
}

func list(key string, values [][]byte, w *jsonw.Writer) {
	w.Array(key)
	for _, v := range values {
		w.TextValue(v)
	}
	w.CloseArray()
}
