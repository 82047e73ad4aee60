package eve

import (
	"encoding/json"
	"unicode/utf8"

	"mirador/internal/packet"
	"mirador/internal/proto"
)

// RuleInfo is what records show of a rule. One value per rule, built at load
// time, shared and not changed.
type RuleInfo struct {
	GID, SID, Rev uint32
	Msg           string
	Category      string // text of the classification
	Priority      int    // EVE: severity
	Action        string // action of the rule: alert, drop, reject, pass
	Target        Target // keyword target
	Metadata      []Pair
	References    []string // whole addresses
	Raw           string   // the rule as written
}

// Pair is one metadata entry of a rule.
type Pair struct{ Key, Value string }

// Target says which end of a packet is the target of the attack.
type Target uint8

// The values of keyword target.
const (
	NoTarget Target = iota
	TargetSrc
	TargetDst
)

// Context is data that a dataset or another keyword attached to an alert
// (alert.context.KEY). JSON must be one JSON value; what is not is shown as text.
type Context struct {
	Key  string
	JSON []byte
}

// Alert is one match of a rule.
type Alert struct {
	Rule *RuleInfo
	// Blocked: the rule would have dropped or rejected. In a passive sensor that
	// never happens, so it stays false unless the engine runs simulated.
	Blocked bool
	Context []Context
	XFF     string // address from X-Forwarded-For, when asked for

	// Conn and Tx give the application-layer object. Tx may be nil.
	Conn    *proto.Conn
	Tx      proto.Tx
	Guessed bool // Tx is the only live one and was guessed
	// Files of the transaction to show, with what the tracker knows.
	Files []File
	// Frame that matched (keyword frame), nil for none.
	Frame *Frame

	Flow *Flow // counters so far; nil for a packet without flow

	// Payload is what the rule looked at: the payload of the packet, or with
	// Stream the reassembled bytes around it, gaps marked by AppendMissing.
	// PayloadLen counts the bytes of gaps too.
	Payload    []byte
	PayloadLen uint64
	Stream     bool
	// Packet is the frame (or the IP packet inside a tunnel) and Link its type.
	Packet []byte
	Link   packet.Link

	Verdict string // final action on the packet: alert, pass, drop; "" for none
}

// Alert appends the record of a to dst. h is the header in the direction of the
// packet.
func (w *Writer) Alert(dst []byte, h *Header, a *Alert) []byte {
	if !w.o.AlertOn || a.Rule == nil {
		return dst
	}
	w.begin(dst)
	w.alert(h, a, true)
	if w.tooLong() {
		w.Oversize++
		w.cancel()
		w.begin(dst)
		w.alert(h, a, false)
	}
	return w.end()
}

// progress tells how far both sides of a transaction are, when its protocol has
// names for that.
func (w *Writer) progress(b *proto.TxBase) {
	p := b.Protocol()
	if p == nil {
		return
	}
	for d, key := range [2]string{"ts_progress", "tc_progress"} {
		if n := int(b.Progress[d]); n < len(p.States[d]) {
			w.w.Str(key, p.States[d][n])
		}
	}
}

func (w *Writer) alert(h *Header, a *Alert, body bool) {
	j := &w.w
	o := &w.o.Alert
	w.header(h, "alert")
	if h.HasTx {
		j.Uint("tx_id", h.TxID)
	}
	if a.Guessed {
		j.Bool("tx_guessed", true)
	}
	if h.Tunnel != nil {
		w.tunnel(h.Tunnel)
	}
	w.rule(h, a)
	if a.Conn != nil && a.Tx != nil {
		if o.AppLayer {
			w.progress(a.Tx.Base())
			if body {
				w.appLayer(a.Conn, a.Tx)
			}
		}
		if body && o.RuleMetadata { // as Suricata, which hangs the files on that option
			w.files(a.Files)
		}
	}
	w.app(&h.App)
	w.direction(h.Direction)
	if o.Flow && a.Flow != nil {
		w.flowSoFar(a.Flow, h.Tuple.Version)
	}
	w.payload(a, body)
	if a.Frame != nil {
		w.frame(a.Frame)
	}
	if o.Packet && len(a.Packet) > 0 {
		w.packet(a.Packet, a.Link)
	}
	if o.Verdict && a.Verdict != "" {
		j.Object("verdict")
		j.Str("action", a.Verdict)
		j.Close()
	}
}

// rule writes the object "alert".
func (w *Writer) rule(h *Header, a *Alert) {
	j, r, o := &w.w, a.Rule, &w.o.Alert
	j.Object("alert")
	if a.Blocked {
		j.Str("action", "blocked")
	} else {
		j.Str("action", "allowed")
	}
	j.Uint("gid", uint64(r.GID))
	j.Uint("signature_id", uint64(r.SID))
	j.Uint("rev", uint64(r.Rev))
	j.Str("signature", cut(r.Msg))
	j.Str("category", cut(r.Category))
	j.Int("severity", int64(r.Priority))
	if r.Target != NoTarget && h.Tuple.Version != 0 {
		t := h.Tuple
		if r.Target == TargetSrc {
			t = t.Reverse()
		}
		w.end1("source", &t.Src, t.SrcPort, &t)
		w.end1("target", &t.Dst, t.DstPort, &t)
	}
	if o.References && len(r.References) > 0 {
		j.Array("references")
		for _, s := range r.References[:min(len(r.References), MaxItems)] {
			j.StrValue(cut(s))
		}
		j.CloseArray()
	}
	if o.RuleMetadata {
		w.metadata(r.Metadata)
	}
	w.context(a.Context)
	if o.RuleRaw && r.Raw != "" {
		j.Str("rule", cut(r.Raw))
	}
	if a.XFF != "" {
		w.str("xff", a.XFF)
	}
	j.Close()
}

// end1 writes one end of the attack.
func (w *Writer) end1(k string, a *packet.Addr, port uint16, t *packet.Tuple) {
	w.w.Object(k)
	w.ip("ip", a, t.Version)
	if hasPorts(t.Proto) {
		w.w.Uint("port", uint64(port))
	}
	w.w.Close()
}

// metadata groups the values of equal keys. The last of the rule comes first, as in
// Suricata's records.
func (w *Writer) metadata(m []Pair) {
	if len(m) == 0 {
		return
	}
	j := &w.w
	m = m[:min(len(m), MaxItems)]
	keys := 0
	j.Object("metadata")
	for i := len(m) - 1; i >= 0; i-- {
		if seenKey(m[i+1:], m[i].Key) {
			continue
		}
		if keys++; keys > MaxKeys {
			break
		}
		j.Array(cut(m[i].Key))
		for k := i; k >= 0; k-- {
			if m[k].Key == m[i].Key {
				j.StrValue(cut(m[k].Value))
			}
		}
		j.CloseArray()
	}
	j.Close()
}

func seenKey(m []Pair, key string) bool {
	for i := range m {
		if m[i].Key == key {
			return true
		}
	}
	return false
}

func (w *Writer) context(c []Context) {
	if len(c) == 0 {
		return
	}
	w.w.Object("context")
	for i := range c[:min(len(c), MaxKeys)] {
		if len(c[i].JSON) <= MaxPayload && json.Valid(c[i].JSON) && utf8.Valid(c[i].JSON) {
			w.tmp = appendOneLine(w.tmp[:0], c[i].JSON)
			w.w.Raw(cut(c[i].Key), w.tmp)
		} else {
			w.w.Bytes(cut(c[i].Key), cut(c[i].JSON))
		}
	}
	w.w.Close()
}

// appendOneLine appends valid JSON without its line ends, which can only stand
// between tokens.
func appendOneLine(b, v []byte) []byte {
	for _, c := range v {
		if c != '\n' && c != '\r' {
			b = append(b, c)
		}
	}
	return b
}

// appLayer writes the object of tx as alerts and fileinfo records show it.
func (w *Writer) appLayer(c *proto.Conn, tx proto.Tx) {
	id := w.id(tx)
	l := &w.logs[id]
	switch {
	case id == proto.Unknown:
	case l.LogAlert != nil:
		l.LogAlert(c, tx, &w.w)
	case tx.Base().Protocol().Log != nil:
		// The protocol's own function: options of the protocol's records, such as
		// http.custom, are not those of alerts.
		m := w.w.Mark()
		w.w.Object(l.Name)
		if !tx.Base().Protocol().Log(c, tx, &w.w) {
			w.w.Rollback(m)
			return
		}
		w.w.Close()
	}
}

func logName(p *proto.Protocol) string {
	if p.LogName != "" {
		return p.LogName
	}
	return p.Name
}

func (w *Writer) payload(a *Alert, body bool) {
	o := &w.o.Alert
	if !o.Payload && !o.PayloadPrintable && !o.PayloadLength {
		return
	}
	p := a.Payload
	limit := min(max(o.PayloadBuffer, 0), MaxPayload)
	if !a.Stream {
		limit = MaxPacket
	}
	p = p[:min(len(p), limit)]
	if !body {
		p = p[:min(len(p), MaxText)]
	}
	if o.Payload && len(p) > 0 {
		w.w.Base64("payload", p)
	}
	if o.PayloadPrintable && len(p) > 0 {
		w.w.Printable("payload_printable", p)
	}
	if o.PayloadLength {
		w.w.Uint("payload_length", a.PayloadLen)
	}
	if a.Stream {
		w.w.Uint("stream", 1)
	} else {
		w.w.Uint("stream", 0)
	}
}

// AppendMissing appends the mark that stands for n lost bytes in a payload.
func AppendMissing(b []byte, n uint64) []byte {
	var digits [20]byte
	i := len(digits)
	for {
		i--
		digits[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			break
		}
	}
	b = append(b, '[')
	b = append(b, digits[i:]...)
	return append(b, " bytes missing]"...)
}

// packet writes a packet and its link type.
func (w *Writer) packet(p []byte, l packet.Link) {
	j := &w.w
	j.Base64("packet", p[:min(len(p), MaxPacket)])
	j.Object("packet_info")
	j.Uint("linktype", uint64(l))
	if n := linkName(l); n != "" {
		j.Str("linktype_name", n)
	}
	j.Close()
}
