package http2

import (
	"bytes"
	"strconv"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes the EVE object http; a transaction that has nothing to say is not
// logged.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok || !t.says() {
		return false
	}
	t.log(w)
	return true
}

func logAlert(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
	if t, ok := tx.(*Tx); ok {
		w.Object("http")
		t.log(w)
		w.Close()
	}
}

// says tells whether there is something to log.
func (t *Tx) says() bool {
	for d := range t.m {
		if m := &t.m[d]; len(m.fields) > 0 || m.settled || len(m.errs) > 0 || len(m.prio) > 0 {
			return true
		}
	}
	return false
}

func (t *Tx) log(w *jsonw.Writer) {
	w.Str("version", "2")
	t.m[0].logFields("request_headers", w)
	t.m[1].logFields("response_headers", w)
	t.common(w)
	w.Object("http2")
	w.Uint("stream_id", uint64(t.Stream))
	t.m[0].logFrames("request", w)
	t.m[1].logFrames("response", w)
	w.Close()
}

func (m *message) logFields(key string, w *jsonw.Writer) {
	if len(m.fields) == 0 {
		return
	}
	w.Array(key)
	for i := range m.fields {
		f := &m.fields[i]
		w.Open()
		switch f.kind {
		case kindSize:
			w.Uint("table_size_update", f.size)
		case kindBad:
			w.Str("error", "HTTP2HeaderDecodeNotIndexed")
		default:
			w.Text("name", f.name)
			w.Text("value", f.value)
		}
		w.Close()
	}
	w.CloseArray()
}

// commonFields are the fields that HTTP/1 records have too.
func commonFields() [6][2]string {
	return [6][2]string{{":authority", "hostname"}, {":method", "http_method"}, {":path", "url"},
		{":status", "status"}, {"user-agent", "http_user_agent"}, {"content-length", "length"}}
}

// common writes what HTTP/1 records have too; the last of several fields counts.
func (t *Tx) common(w *jsonw.Writer) {
	for _, c := range commonFields() {
		var v []byte
		found := false
		for d := range t.m {
			for i := range t.m[d].fields {
				if f := &t.m[d].fields[i]; f.kind == kindField && bytes.EqualFold(f.name, []byte(c[0])) {
					v, found = f.value, true
				}
			}
		}
		switch {
		case !found:
		case c[1] == "status" || c[1] == "length":
			if n, ok := decimal(v); ok {
				w.Uint(c[1], uint64(n))
			}
		default:
			w.Text(c[1], v)
		}
	}
}

func (m *message) logFrames(key string, w *jsonw.Writer) {
	if !m.settled && len(m.errs) == 0 && len(m.prio) == 0 {
		return
	}
	w.Object(key)
	multiple := ""
	if m.settled {
		w.Array("settings")
		for _, s := range m.settings {
			w.Open()
			w.Str("settings_id", settingName(s.id))
			w.Uint("settings_value", uint64(s.value))
			w.Close()
		}
		w.CloseArray()
	}
	if n := len(m.errs); n > 0 {
		if m.goaway {
			w.Str("error_code", upper(errorName(m.errs[0])))
		} else {
			w.Str("error_code", errorName(m.errs[0]))
		}
		if n > 1 {
			multiple = "error_code"
		}
	}
	if n := len(m.prio); n > 0 {
		w.Uint("priority", uint64(m.prio[0]))
		if n > 1 {
			multiple = "priority"
		}
	}
	if multiple != "" {
		w.Str("has_multiple", multiple)
	}
	w.Close()
}

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 32
		}
	}
	return string(b)
}

// errorNames are the names of error codes. RFC 9113 section 7.
func errorNames() []string {
	return []string{"NoError", "ProtocolError", "InternalError", "FlowControlError", "SettingsTimeout", "StreamClosed",
		"FrameSizeError", "RefusedStream", "Cancel", "CompressionError", "ConnectError", "EnhanceYourCalm",
		"InadequateSecurity", "Http11Required"}
}

func errorName(n uint32) string {
	if names := errorNames(); n < uint32(len(names)) {
		return names[n]
	}
	return strconv.FormatUint(uint64(n), 10)
}

// settingNames are the names of settings. RFC 9113 section 6.5.2, 8441, 9218.
func settingNames() map[uint16]string {
	return map[uint16]string{1: "SETTINGSHEADERTABLESIZE", 2: "SETTINGSENABLEPUSH", 3: "SETTINGSMAXCONCURRENTSTREAMS",
		4: "SETTINGSINITIALWINDOWSIZE", 5: "SETTINGSMAXFRAMESIZE", 6: "SETTINGSMAXHEADERLISTSIZE",
		8: "SETTINGSENABLECONNECTPROTOCOL", 9: "SETTINGSNORFC7540PRIORITIES"}
}

func settingName(id uint16) string {
	if s, ok := settingNames()[id]; ok {
		return s
	}
	return "SETTINGSUNKNOWN(" + strconv.Itoa(int(id)) + ")"
}
