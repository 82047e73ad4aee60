package dcerpc

import (
	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes the EVE object dcerpc.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	if t.Done[proto.ToServer] && !t.Lost[proto.ToServer] {
		w.Str("request", TypeName(t.ReqType))
		if t.ReqType == TypeRequest {
			w.Object("req")
			w.Uint("opnum", uint64(t.Opnum))
			t.writeStub(proto.ToServer, w)
		}
		if t.ReqType != TypeAlterContext {
			t.writeIfaces(w)
		}
	} else {
		w.Str("request", "REQUEST_LOST")
	}
	if t.Done[proto.ToClient] && !t.Lost[proto.ToClient] {
		w.Str("response", TypeName(t.RespType))
		if t.RespType == TypeResponse {
			w.Object("res")
			t.writeStub(proto.ToClient, w)
		}
	} else {
		w.Str("response", "UNREPLIED")
	}
	var buf [36]byte
	if t.UDP {
		w.Bytes("activityuuid", t.Activity.AppendText(buf[:0]))
		w.Uint("seqnum", uint64(t.Seq))
	} else {
		w.Uint("call_id", uint64(t.CallID))
	}
	w.Bytes("rpc_version", []byte{'0' + t.Major%10, '.', '0' + t.Minor%10})
	return true
}

// writeStub ends an object with what is known of the stub data.
func (t *Tx) writeStub(dir proto.Dir, w *jsonw.Writer) {
	w.Uint("frag_cnt", uint64(t.Frags[dir]))
	w.Uint("stub_data_size", uint64(len(t.Stub[dir])))
	w.Close()
}

func (t *Tx) writeIfaces(w *jsonw.Writer) {
	if len(t.Ifaces) == 0 {
		return
	}
	w.Array("interfaces")
	for i := range t.Ifaces {
		c := &t.Ifaces[i]
		w.Open()
		c.Write(w)
		if c.Acked {
			w.Uint("ack_result", uint64(c.Result))
		}
		w.Close()
	}
	w.CloseArray()
}

// Write writes uuid and version of c into an open object.
func (c *Context) Write(w *jsonw.Writer) {
	var buf [36]byte
	w.Bytes("uuid", c.UUID.AppendText(buf[:0]))
	b := appendUint(buf[:0], c.Major)
	b = appendUint(append(b, '.'), c.Minor)
	w.Bytes("version", b)
}

func appendUint(b []byte, n uint16) []byte {
	if n >= 10 {
		b = appendUint(b, n/10)
	}
	return append(b, '0'+byte(n%10))
}
