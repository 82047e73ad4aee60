package ftp

import (
	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes the members of the object "ftp".
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	if t.cmd != cmdNone {
		w.Str("command", t.Command())
		if t.arg != nil {
			w.Text("command_data", t.arg)
		}
		if t.more {
			w.Bool("command_truncated", t.cut)
		}
	}
	list("completion_code", t.replies, func(r *Reply) []byte { return r.Code }, w)
	list("reply", t.replies, func(r *Reply) []byte { return r.Text }, w)
	// What PORT says counts when the server has answered.
	unanswered := t.active && !t.received
	if t.port != 0 && !unanswered {
		w.Uint("dynamic_port", uint64(t.port))
	}
	if t.cmd.addresses() {
		if unanswered {
			w.Str("mode", "passive")
		} else {
			w.Str("mode", t.mode())
		}
	}
	if t.received {
		w.Str("reply_received", "yes")
	} else {
		w.Str("reply_received", "no")
	}
	w.Bool("reply_truncated", t.replyCut)
	return true
}

// list writes what get takes of each reply, unless it is nothing.
func list(key string, replies []Reply, get func(*Reply) []byte, w *jsonw.Writer) {
	open := false
	for i := range replies {
		v := get(&replies[i])
		if v == nil {
			continue
		}
		if !open {
			open = true
			w.Array(key)
		}
		w.LossyValue(v)
	}
	if open {
		w.CloseArray()
	}
}

// logData writes the members of the object "ftp_data".
func logData(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*DataTx)
	if !ok {
		return false
	}
	if t.Transfer.Name != nil {
		w.Text("filename", t.Transfer.Name)
	}
	w.Str("command", t.Transfer.Command)
	return true
}
