package pgsql

import (
	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes a request with its responses.
func (cfg *config) log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	w.Uint("tx_id", t.ID+1)
	if t.Kind != NoRequest {
		w.Object("request")
		cfg.request(t, w)
		w.Close()
	}
	if len(t.Responses) > 0 {
		w.Object("response")
		t.responses(w)
		w.Close()
	}
	return true
}

func (cfg *config) request(t *Tx, w *jsonw.Writer) {
	switch t.Kind {
	case SSLRequest:
		w.Str("message", "SSL Request")
	case Startup:
		w.Str("protocol_version", "3.0")
		w.Object("startup_parameters")
		if t.User != nil {
			w.Text("user", t.User)
		}
		params("optional_parameters", t.Params, w)
		w.Close()
	case Cancel:
		w.Str("message", "cancel_request")
		w.Uint("process_id", uint64(t.PID))
		w.Uint("secret_key", uint64(t.Key))
	case Password:
		if cfg.passwords {
			w.Text("password", t.Text)
		} else {
			w.Bool("password_redacted", true)
		}
	case SASLInitial:
		w.Text("sasl_authentication_mechanism", mechanism(t.Mechanism))
		w.Text("sasl_param", t.Text)
	case SASLResponse:
		w.Text("sasl_response", t.Text)
	case SimpleQuery:
		w.Text("simple_query", t.Text)
	case CopyIn:
		if t.CopyMsgs > 0 {
			w.Object("copy_data_in")
			w.Uint("msg_count", t.CopyMsgs)
			w.Uint("data_size", t.CopyBytes)
			w.Close()
		}
		if t.CopyDone {
			w.Str("message", "copy_done")
		}
		if t.CopyFail != nil {
			w.Text("copy_fail", t.CopyFail)
		}
	case Terminate:
		w.Str("message", "termination_message")
	}
}

// mechanism returns a name of a SASL mechanism in the form of Suricata.
func mechanism(name []byte) []byte {
	switch string(name) {
	case "SCRAM-SHA-256":
		return []byte("scram_SHA256")
	case "SCRAM-SHA-256-PLUS":
		return []byte("scram_SHA256_plus")
	}
	return name
}

// params writes a list of objects with one member each.
func params(key string, list []Param, w *jsonw.Writer) {
	if len(list) == 0 {
		return
	}
	w.Array(key)
	for _, p := range list {
		w.Open()
		w.Text(paramName(p.Name), p.Value)
		w.Close()
	}
	w.CloseArray()
}

// paramName returns the name of a run-time parameter in the form of Suricata.
func paramName(name []byte) string {
	switch string(name) {
	case "DateStyle":
		return "date_style"
	case "IntervalStyle":
		return "interval_style"
	case "TimeZone":
		return "time_zone"
	}
	return string(name)
}

// responses writes the responses. A key is written once: of what may come several
// times, the last counts, but of messages the first.
func (t *Tx) responses(w *jsonw.Writer) {
	if t.Kind == CopyIn && t.CopyMsgs > 0 && t.CopyFail == nil {
		// Suricata shows the data of the client here too.
		w.Uint("data_rows", t.CopyMsgs)
		w.Uint("data_size", t.CopyBytes)
	}
	var seen uint32
	message := false
	for i := range t.Responses {
		r := &t.Responses[i]
		if seen&(1<<r.Kind) != 0 && r.Kind != AuthMessage || t.later(i) {
			continue
		}
		seen |= 1 << r.Kind
		switch r.Kind {
		case AuthMessage:
			if !message {
				w.Text("message", r.Text)
			}
			message = true
		case CopyOutDone:
			if !message {
				w.Str("message", "copy_done")
			}
			message = true
		case ErrorOrNotice:
			message = r.errors(w, message) || message
		default:
			t.one(r, w)
		}
	}
}

// later tells whether what response i says is said again by a later one.
func (t *Tx) later(i int) bool {
	k := t.Responses[i].Kind
	if k != CommandComplete && k != RowDescription {
		return false
	}
	for _, r := range t.Responses[i+1:] {
		if r.Kind == k {
			return true
		}
	}
	return false
}

func (t *Tx) one(r *Response, w *jsonw.Writer) {
	switch r.Kind {
	case SSLAnswer:
		w.Bool("ssl_accepted", r.Flag)
	case AuthMD5:
		w.Text("authentication_md5_password", r.Text)
	case AuthSASLFinal:
		w.Text("authentication_sasl_final", r.Text)
	case ParameterStatus:
		params("parameter_status", t.status, w)
	case BackendKey:
		w.Uint("process_id", uint64(r.N))
		w.Uint("secret_key", uint64(r.M))
	case RowDescription:
		w.Bool("row_description_malformed", r.Flag)
		w.Uint("field_count", uint64(r.N))
	case DataRows:
		w.Uint("data_rows", t.Rows.Count)
		w.Uint("data_size", t.Rows.Bytes)
	case CopyInStart, CopyOutStart:
		key := "copy_in_response"
		if r.Kind == CopyOutStart {
			key = "copy_out_response"
		}
		w.Object(key)
		w.Bool("malformed", r.Flag)
		w.Uint("columns", uint64(r.N))
		w.Close()
	case CopyOutData:
		w.Object("copy_data_out")
		w.Uint("row_count", t.Rows.Count)
		w.Uint("data_size", t.Rows.Bytes)
		w.Close()
	case CommandComplete:
		w.Text("command_completed", r.Text)
	}
}

// errors writes the fields of an error; it returns whether there was a message.
func (r *Response) errors(w *jsonw.Writer, message bool) bool {
	var seen [256]bool
	seen['M'] = message
	for _, f := range r.Error {
		c := f.Name[0]
		key := errorKey(c)
		if key == "" || seen[c] {
			continue
		}
		seen[c] = true
		w.Text(key, f.Value)
	}
	return seen['M']
}

// errorKey returns the key of a field of an error, "" when it is not shown.
func errorKey(c byte) string {
	switch c {
	case 'S':
		return "severity_localizable"
	case 'V':
		return "severity_non_localizable"
	case 'C':
		return "code"
	case 'M':
		return "message"
	case 'F':
		return "file"
	case 'L':
		return "line"
	case 'R':
		return "routine"
	}
	return ""
}
