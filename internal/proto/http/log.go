package http

import (
	"bytes"
	"strings"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// Dump says of which messages all headers are logged (Suricata: dump-all-headers).
type Dump uint8

// The directions that can be dumped.
const (
	DumpNone     Dump = 0
	DumpRequest  Dump = 1
	DumpResponse Dump = 2
	DumpBoth     Dump = DumpRequest | DumpResponse
)

// LogOptions shape EVE http records (Suricata: outputs.eve-log.types.http). The
// zero value is not the default: Extended is on there.
type LogOptions struct {
	// Extended adds referer, method, protocol, status, redirect and length.
	Extended bool
	// Custom names headers that are added to request_headers or
	// response_headers, such as "Content-Range"; case does not matter.
	Custom []string
	// Dump adds all headers of the messages named.
	Dump Dump
}

// Longest name and value of a header in a record, in bytes.
const (
	maxLogName  = 256
	maxLogValue = 2048
)

// Logger returns a Protocol.Log that writes records as o says.
func Logger(o LogOptions) func(*proto.Conn, proto.Tx, *jsonw.Writer) bool {
	custom := make([]string, 0, len(o.Custom))
	for _, c := range o.Custom {
		custom = append(custom, strings.ToLower(c))
	}
	return func(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
		t, ok := tx.(*Tx)
		if !ok {
			return false
		}
		t.logBasic(w)
		if o.Extended {
			t.logExtended(w)
		}
		if o.Dump != 0 || len(custom) > 0 {
			t.logHeaders(w, proto.ToServer, "request_headers", o.Dump&DumpRequest != 0, custom)
			t.logHeaders(w, proto.ToClient, "response_headers", o.Dump&DumpResponse != 0, custom)
		}
		return true
	}
}

// AlertOptions shape the http object of alert records (Suricata:
// outputs.eve-log.types.alert).
type AlertOptions struct {
	Body          bool // http-body: bodies in base64
	BodyPrintable bool // http-body-printable
}

// AlertLogger returns a Protocol.LogAlert that writes the http object of alerts
// and of fileinfo records.
func AlertLogger(o AlertOptions) func(*proto.Conn, proto.Tx, *jsonw.Writer) {
	return func(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
		t, ok := tx.(*Tx)
		if !ok {
			return
		}
		w.Object("http")
		t.logBasic(w)
		t.logExtended(w)
		for d, name := range [2]string{"http_request_body", "http_response_body"} {
			b := t.body[d].buf
			if len(b) == 0 {
				continue
			}
			if o.BodyPrintable {
				w.Printable(name+"_printable", b)
			}
			if o.Body {
				w.Base64(name, b)
			}
		}
		w.Close()
	}
}

// logBasic writes what every http record has.
func (t *Tx) logBasic(w *jsonw.Writer) {
	if len(t.host) > 0 {
		w.Bytes("hostname", t.host)
	}
	if t.port > 0 {
		w.Uint("http_port", uint64(t.port))
	}
	switch {
	case t.noRequest:
		w.Str("url", requestURINotSeen)
	case t.hasURI:
		w.Bytes("url", t.msg[proto.ToServer].bytes(t.target))
	}
	t.logHeader(w, "http_user_agent", proto.ToServer, "user-agent")
	t.logHeader(w, "xff", proto.ToServer, "x-forwarded-for")
	if v, ok := t.Header(proto.ToClient, "content-type"); ok {
		if i := bytes.IndexByte(v, ';'); i >= 0 {
			v = v[:i]
		}
		w.Bytes("http_content_type", v)
	}
	if v, ok := t.Header(proto.ToClient, "content-range"); ok {
		w.Object("content_range")
		if len(v) > 0 {
			w.Bytes("raw", v)
		}
		if r, ok := parseRange(v); ok {
			logNumber(w, "start", r.start)
			logNumber(w, "end", r.end)
			logNumber(w, "size", r.size)
		}
		w.Close()
	}
}

func logNumber(w *jsonw.Writer, key string, n int64) {
	if n >= 0 {
		w.Uint(key, uint64(n))
	}
}

func (t *Tx) logHeader(w *jsonw.Writer, key string, dir proto.Dir, name string) {
	if v, ok := t.Header(dir, name); ok && len(v) > 0 {
		w.Bytes(key, v)
	}
}

func (t *Tx) logExtended(w *jsonw.Writer) {
	req, res := &t.msg[proto.ToServer], &t.msg[proto.ToClient]
	t.logHeader(w, "http_refer", proto.ToServer, "referer")
	if t.methodB.n > 0 {
		w.Bytes("http_method", req.bytes(t.methodB))
	}
	if req.proto.n > 0 {
		w.Bytes("protocol", req.bytes(req.proto))
	}
	if t.status > 0 {
		w.Uint("status", uint64(t.status))
	} else if t.statusB.n > 0 {
		w.Bytes("status_string", res.bytes(t.statusB))
	}
	t.logHeader(w, "redirect", proto.ToClient, "location")
	w.Uint("length", res.length)
}

// logHeaders writes the headers of one message: all, or those in custom.
func (t *Tx) logHeaders(w *jsonw.Writer, dir proto.Dir, key string, all bool, custom []string) {
	if !all && len(custom) == 0 {
		return
	}
	m := &t.msg[dir]
	mark, any := w.Mark(), false
	w.Array(key)
	for i := range m.hdrs {
		name := m.bytes(m.hdrs[i].name)
		if !all && !listed(name, custom) {
			continue
		}
		any = true
		value := m.bytes(m.hdrs[i].value)
		w.Open()
		w.Bytes("name", name[:min(len(name), maxLogName)])
		w.Bytes("value", value[:min(len(value), maxLogValue)])
		w.Close()
	}
	if !any {
		w.Rollback(mark)
		return
	}
	w.CloseArray()
}

func listed(name []byte, custom []string) bool {
	for _, c := range custom {
		if sameName(name, c) {
			return true
		}
	}
	return false
}
