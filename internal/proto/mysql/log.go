package mysql

import (
	"strconv"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes a login or a command with its answer. What authenticates a user is not in
// it.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	w.Uint("tx_id", t.ID+1)
	if g := t.Greeting; g != nil {
		w.Object("greeting")
		w.Uint("protocol_version", uint64(g.Protocol))
		w.Text("server_version", g.Version)
		w.Uint("connection_id", uint64(g.Connection))
		optional(w, "auth_plugin", g.Plugin)
		w.Close()
	}
	if t.Login != nil || t.Kind == KindCommand {
		w.Object("request")
		t.request(w)
		w.Close()
	}
	if t.Answer != NoAnswer || t.Infile.Name != nil {
		w.Object("response")
		t.response(w)
		w.Close()
	}
	return true
}

// optional writes text that is there.
func optional(w *jsonw.Writer, key string, v []byte) {
	if len(v) > 0 {
		w.Text(key, v)
	}
}

func (t *Tx) request(w *jsonw.Writer) {
	switch name, known := commands[t.Command]; {
	case t.Login != nil:
		w.Str("command", "login")
		t.Login.log(w)
	case known:
		w.Str("command", name)
	default:
		w.Str("command", "unknown_"+strconv.Itoa(int(t.Command)))
	}
	optional(w, "user", t.User)
	optional(w, "database", t.Database)
	optional(w, "auth_plugin", t.Plugin)
	if t.Query != nil {
		w.Text("query", t.Query)
	}
	if t.HasStatement && t.Command != comStmtPrepare {
		w.Uint("statement_id", uint64(t.Statement))
	}
	if t.HasArgument {
		key := "position"
		switch t.Command {
		case comProcessKill:
			key = "connection_id"
		case comSetOption:
			key = "option"
		}
		w.Uint(key, t.Argument)
	}
	if t.ServerID != 0 {
		w.Uint("server_id", uint64(t.ServerID))
	}
	if len(t.File) > 0 {
		key := "file"
		if t.Command == comFieldList {
			key = "table"
		}
		w.Text(key, t.File)
	}
	if t.Infile.Bytes > 0 {
		w.Uint("file_size", t.Infile.Bytes)
	}
}

func (l *Login) log(w *jsonw.Writer) {
	w.Bool("tls", l.TLS)
	if l.Compress != "" {
		w.Str("compression", l.Compress)
	}
	w.Uint("max_packet_size", uint64(l.MaxPacket))
	if l.Charset != 0 {
		w.Uint("character_set", uint64(l.Charset))
	}
	if len(l.Attributes) == 0 {
		return
	}
	w.Array("attributes")
	for _, a := range l.Attributes {
		w.Open()
		w.Text("name", a.Name)
		w.Text("value", a.Value)
		w.Close()
	}
	w.CloseArray()
}

func (t *Tx) response(w *jsonw.Writer) {
	switch t.Answer {
	case Accepted:
		w.Str("status", "ok")
		w.Uint("affected_rows", t.OK.Affected)
		if t.OK.InsertID != 0 {
			w.Uint("last_insert_id", t.OK.InsertID)
		}
		optional(w, "info", t.OK.Info)
	case Failed:
		w.Str("status", "error")
		w.Uint("code", uint64(t.Error.Code))
		optional(w, "sql_state", t.Error.State)
		w.Text("message", t.Error.Message)
	case ResultSet:
		w.Str("status", "result_set")
	case Prepared:
		w.Str("status", "prepared")
		w.Uint("statement_id", uint64(t.Statement))
		w.Uint("parameters", uint64(t.Params))
		w.Uint("columns", t.Columns)
	case Text:
		w.Str("status", "text")
		w.Text("text", t.Info)
	case Binlog:
		w.Str("status", "binlog")
		w.Uint("events", t.Rows)
		w.Uint("event_bytes", t.Bytes)
	}
	if t.Results > 0 || t.Command == comStmtFetch && t.Rows > 0 {
		w.Uint("results", uint64(t.Results))
		w.Uint("columns", t.Columns)
		w.Uint("rows", t.Rows)
		w.Uint("row_bytes", t.Bytes)
	}
	if t.OK.Warnings > 0 {
		w.Uint("warnings", uint64(t.OK.Warnings))
	}
	if t.Infile.Name != nil {
		w.Text("local_infile", t.Infile.Name)
	}
}
