package sip

import (
	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes a request or a response.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	if t.Request {
		w.Text("method", t.Method)
		w.Text("uri", t.URI)
		w.Text("version", t.Version)
	} else {
		w.Text("version", t.Version)
		w.Text("code", t.Code)
		w.Text("reason", t.Reason)
	}
	if t.SDP != nil {
		t.SDP.write(w)
	}
	if t.Request {
		w.Text("request_line", t.Line)
	} else {
		w.Text("response_line", t.Line)
	}
	return true
}

func some(key string, v []byte, w *jsonw.Writer) {
	if v != nil {
		w.Text(key, v)
	}
}

func list(key string, vs [][]byte, w *jsonw.Writer) {
	if len(vs) == 0 {
		return
	}
	w.Array(key)
	for _, v := range vs {
		w.TextValue(v)
	}
	w.CloseArray()
}

func (s *SDP) write(w *jsonw.Writer) {
	w.Object("sdp")
	some("origin", s.Origin, w)
	some("session_name", s.Name, w)
	some("session_info", s.Info, w)
	some("uri", s.URI, w)
	some("email", s.Email, w)
	some("phone_number", s.Phone, w)
	some("connection_data", s.Connection, w)
	list("bandwidths", s.Bandwidths, w)
	if len(s.Times) > 0 {
		w.Array("time_descriptions")
		for _, t := range s.Times {
			w.Open()
			w.Text("time", t.Time)
			some("repeat_time", t.Repeat, w)
			w.Close()
		}
		w.CloseArray()
	}
	some("timezone", s.Zone, w)
	some("encryption_key", s.Key, w)
	list("attributes", s.Attributes, w)
	if len(s.Media) > 0 {
		w.Array("media_descriptions")
		for i := range s.Media {
			m := &s.Media[i]
			w.Open()
			w.Text("media", m.Media)
			some("media_info", m.Info, w)
			list("bandwidths", m.Bandwidths, w)
			some("connection_data", m.Connection, w)
			some("encryption_key", m.Key, w)
			list("attributes", m.Attributes, w)
			w.Close()
		}
		w.CloseArray()
	}
	w.Close()
}
