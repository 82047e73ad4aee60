package smb

import (
	"slices"
	"strconv"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/dcerpc"
)

// LogOptions choose what of SMB is logged.
type LogOptions struct {
	// Types are the kinds of transactions to log: file, tree_connect, negotiate,
	// dcerpc, create, session_setup, ioctl, rename, set_file_path_info, generic. None
	// means all.
	Types []string
}

// Logger returns a log function with options o.
func Logger(o LogOptions) func(*proto.Conn, proto.Tx, *jsonw.Writer) bool {
	return newNames().logger(o)
}

func (n *names) logger(o LogOptions) func(*proto.Conn, proto.Tx, *jsonw.Writer) bool {
	return func(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
		t, ok := tx.(*Tx)
		if !ok || len(o.Types) > 0 && !slices.Contains(o.Types, t.kind()) {
			return false
		}
		n.log(t, w)
		return true
	}
}

// kind names what t is about, as in LogOptions.Types.
func (t *Tx) kind() string {
	switch {
	case t.file != nil:
		return "file"
	case t.tree != nil:
		return "tree_connect"
	case t.nego != nil:
		return "negotiate"
	case t.pipe != nil:
		return "dcerpc"
	case t.create != nil:
		return "create"
	case t.session != nil:
		return "session_setup"
	case t.ioctl != nil:
		return "ioctl"
	case t.rename != nil:
		return "rename"
	case t.setInfo != nil:
		return "set_file_path_info"
	}
	return "generic"
}

func (n *names) log(t *Tx, w *jsonw.Writer) {
	w.Uint("id", t.ID+1)
	text(w, "dialect", t.p.dialectName())
	w.Str("command", commandName(t.Version, t.Command))
	if t.status.set {
		name, code := n.status(t.status)
		w.Str("status", name)
		w.Str("status_code", code)
	}
	w.Uint("session_id", t.Session)
	w.Uint("tree_id", uint64(t.Tree))
	switch {
	case t.file != nil:
		f := t.file
		text(w, "filename", f.name)
		text(w, "share", f.share)
		f.id.write("fuid", w)
	case t.tree != nil:
		t.tree.log(t, w)
	case t.nego != nil:
		t.nego.log(w)
	case t.pipe != nil:
		t.pipe.log(t.p, w)
	case t.create != nil:
		t.create.log(w)
	case t.session != nil:
		t.session.log(w)
	case t.ioctl != nil:
		w.Str("function", functionName(t.ioctl.function))
	case t.rename != nil:
		t.rename.log(w)
	case t.setInfo != nil:
		t.setInfo.log(w)
	}
}

// dialectName returns the negotiated dialect as EVE shows it.
func (p *parser) dialectName() []byte {
	switch {
	case p.dialect != 0:
		return []byte(dialectName(p.dialect))
	case p.dialect1 != nil:
		return p.dialect1
	}
	return []byte("unknown")
}

// write writes k: id, as text: an SMB2 id like a GUID, an SMB1 id as a number.
func (id *fileID) write(k string, w *jsonw.Writer) {
	var buf [36]byte
	b := buf[:0]
	switch id.n {
	case 2:
		b = appendHex(b, id.b[1], id.b[0])
	case 16:
		b = appendGUID(b, id.b[:])
	}
	w.Bytes(k, b)
}

// text writes k: v with v as bytes from the wire.
func text(w *jsonw.Writer, k string, v []byte) { w.Bytes(k, lossy(v)) }

// textValue writes v as a value.
func textValue(w *jsonw.Writer, v []byte) { w.BytesValue(lossy(v)) }

func appendHex(dst []byte, b ...byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range b {
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}

// appendGUID appends the 16 bytes of b as Suricata shows them: 32, 16, 16, 16, 16 and
// 32 bits in little-endian order.
func appendGUID(dst, b []byte) []byte {
	dst = append(appendHex(dst, b[3], b[2], b[1], b[0]), '-')
	dst = append(appendHex(dst, b[5], b[4]), '-')
	dst = append(appendHex(dst, b[7], b[6]), '-')
	dst = append(appendHex(dst, b[9], b[8]), '-')
	return appendHex(dst, b[11], b[10], b[15], b[14], b[13], b[12])
}

func (n *negotiate) log(w *jsonw.Writer) {
	w.Array("client_dialects")
	for _, d := range n.dialects {
		textValue(w, d)
	}
	for _, d := range n.dialects2 {
		w.StrValue(dialectName(d))
	}
	w.CloseArray()
	guid := func(k string, b []byte) {
		var buf [36]byte
		if len(b) == 16 {
			w.Bytes(k, appendGUID(buf[:0], b))
			return
		}
		w.Str(k, "")
	}
	if n.clientGUID != nil {
		guid("client_guid", n.clientGUID)
	}
	guid("server_guid", n.serverGUID)
	if n.answered {
		w.Uint("max_read_size", uint64(n.maxRead))
		w.Uint("max_write_size", uint64(n.maxWrite))
	}
}

func (s *session) log(w *jsonw.Writer) {
	if k := s.krb; k != nil {
		w.Object("kerberos")
		text(w, "realm", k.realm)
		w.Array("snames")
		for _, n := range k.snames {
			textValue(w, n)
		}
		w.CloseArray()
		w.Close()
	}
	if n := s.ntlm; n != nil {
		w.Object("ntlmssp")
		text(w, "domain", n.domain)
		text(w, "user", n.user)
		text(w, "host", n.host)
		if v := n.version; v != nil {
			b := strconv.AppendUint(nil, uint64(v[0]), 10)
			b = strconv.AppendUint(append(b, '.'), uint64(v[1]), 10)
			b = strconv.AppendUint(append(b, " build "...), uint64(v[2])|uint64(v[3])<<8, 10)
			b = strconv.AppendUint(append(b, " rev "...), uint64(v[7]), 10)
			w.Bytes("version", b)
		}
		w.Close()
	}
	if s.hasReq {
		system("request", s.reqOS, s.reqLM, w)
	}
	if s.hasResp {
		system("response", s.respOS, s.respLM, w)
	}
}

// system writes the names of a side's systems.
func system(k string, os, lm []byte, w *jsonw.Writer) {
	w.Object(k)
	text(w, "native_os", os)
	text(w, "native_lm", lm)
	w.Close()
}

func (c *treeConnect) log(t *Tx, w *jsonw.Writer) {
	if c.pipe {
		text(w, "named_pipe", c.name)
	} else {
		text(w, "share", c.name)
	}
	if t.Version == 2 {
		kind := "UNKNOWN"
		if int(c.shareType) < len(shareTypes) {
			kind = shareTypes[c.shareType]
		}
		w.Str("share_type", kind)
		return
	}
	w.Object("service")
	text(w, "request", c.reqServe)
	if c.answered {
		text(w, "response", c.respServe)
	}
	w.Close()
}

func (c *create) log(w *jsonw.Writer) {
	switch {
	case len(c.name) == 0:
		w.Str("filename", "<share_root>")
	case c.directory:
		text(w, "directory", c.name)
	default:
		text(w, "filename", c.name)
	}
	disposition := "UNKNOWN"
	if int(c.disposition) < len(dispositions) {
		disposition = dispositions[c.disposition]
	}
	w.Str("disposition", disposition)
	w.Str("access", access(c.deleteOnClose))
	for i, k := range [...]string{"created", "accessed", "modified", "changed"} {
		w.Uint(k, unixTime(c.times[i]))
	}
	w.Uint("size", c.size)
	c.id.write("fuid", w)
}

func access(deleteOnClose bool) string {
	if deleteOnClose {
		return "delete on close"
	}
	return "normal"
}

func (r *rename) log(w *jsonw.Writer) {
	if !r.smb1 {
		w.Object("set_info")
		w.Str("class", "FILE_INFO")
		w.Str("info_level", r.info)
		w.Close()
	}
	w.Object("rename")
	text(w, "from", r.from)
	text(w, "to", r.to)
	w.Close()
	r.id.write("fuid", w)
}

func (s *setInfo) log(w *jsonw.Writer) {
	text(w, "filename", s.name)
	w.Str("access", access(s.deleteOnClose))
	if s.sub != "" {
		w.Str("subcmd", s.sub)
		w.Str("level_of_interest", s.level)
	}
	s.id.write("fuid", w)
}

func (c *pipeTx) log(p *parser, w *jsonw.Writer) {
	const ts, tc = proto.ToServer, proto.ToClient
	w.Object("dcerpc")
	if c.set[ts] {
		w.Str("request", dcerpc.TypeName(c.typ[ts]))
	} else {
		w.Str("request", "REQUEST_LOST")
	}
	if c.set[tc] {
		w.Str("response", dcerpc.TypeName(c.typ[tc]))
	} else {
		w.Str("response", "UNREPLIED")
	}
	if c.set[ts] {
		switch c.typ[ts] {
		case dcerpc.TypeRequest:
			w.Uint("opnum", uint64(c.opnum))
			w.Object("req")
			c.writeStub(ts, w)
			// Suricata shows what the connection bound last, on whatever pipe.
			c.writeIfaces(p.ifaces, w, false)
		case dcerpc.TypeBind:
			c.writeIfaces(c.ifaces, w, true)
		}
	}
	if c.set[tc] && c.typ[tc] == dcerpc.TypeResponse {
		w.Object("res")
		c.writeStub(tc, w)
	}
	w.Uint("call_id", uint64(c.callID))
	w.Close()
}

// writeStub ends an object with what is known of the stub data.
func (c *pipeTx) writeStub(dir proto.Dir, w *jsonw.Writer) {
	w.Uint("frag_cnt", uint64(c.frags[dir]))
	w.Uint("stub_data_size", uint64(len(c.stub[dir])))
	w.Close()
}

// writeIfaces writes the interfaces of a bind, or that of a request.
func (c *pipeTx) writeIfaces(list []dcerpc.Context, w *jsonw.Writer, bind bool) {
	open := false
	for i := range list {
		f := &list[i]
		if !bind && (f.Result != 0 || f.ID != c.context) {
			continue
		}
		if !open {
			open = true
			w.Array("interfaces")
		}
		w.Open()
		f.Write(w)
		if bind && f.Acked {
			// Suricata takes the two bytes of the result for result and reason.
			w.Uint("ack_result", uint64(f.Result&0xff))
			w.Uint("ack_reason", uint64(f.Result>>8))
		}
		w.Close()
	}
	if open {
		w.CloseArray()
	}
}
