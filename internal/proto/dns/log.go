package dns

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// LogOptions are the settings of the EVE output "dns". The zero value is
// Suricata 8's default: version 3, requests and responses, both formats, all
// types.
type LogOptions struct {
	// Version is 2 or 3; 0 means 3.
	Version int
	// NoRequests and NoResponses leave out one kind of message.
	NoRequests, NoResponses bool
	// NoDetailed leaves out "answers", NoGrouped leaves out "grouped".
	NoDetailed, NoGrouped bool
	// Types limits the records to these types ("a", "https"); empty means all.
	Types []string
}

// logger writes messages under one set of options.
type logger struct {
	o      LogOptions
	v      *vocabulary
	rcodes []string
	types  map[uint16]bool // nil: all
}

func newLogger(o LogOptions) *logger {
	l := &logger{o: o, v: newVocabulary(), rcodes: rcodes()}
	if len(o.Types) > 0 {
		nums := rrtypeNumbers()
		l.types = map[uint16]bool{}
		for _, s := range o.Types {
			if n, ok := nums[lower(s)]; ok {
				l.types[uint16(n)] = true
			}
		}
	}
	return l
}

// Logger returns the Protocol.Log of the EVE output "dns" under o.
func Logger(o LogOptions) func(*proto.Conn, proto.Tx, *jsonw.Writer) bool {
	l := newLogger(o)
	return func(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
		t, ok := tx.(*Tx)
		if !ok || !l.wanted(t) {
			return false
		}
		if l.o.Version == 2 {
			l.version2(t, w)
		} else {
			l.version3(t, w)
		}
		return true
	}
}

// MessageLogger returns a function that writes t's keys in the form of version
// 3, for protocols that carry DNS messages (DNS over HTTPS).
func MessageLogger() func(t *Tx, w *jsonw.Writer) {
	return newLogger(LogOptions{}).version3
}

// alertLogger returns the function that writes the member "dns" of an alert
// record, which is always of version 3.
func alertLogger() func(*proto.Conn, proto.Tx, *jsonw.Writer) {
	l := newLogger(LogOptions{NoGrouped: true})
	return func(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
		if t, ok := tx.(*Tx); ok {
			w.Object("dns")
			l.version3(t, w)
			w.Close()
		}
	}
}

func (l *logger) on(typ uint16) bool { return l.types == nil || l.types[typ] }

// wanted tells whether t is to be logged: its kind is on, and one of its
// questions has a wanted type. A response without question is not logged.
func (l *logger) wanted(t *Tx) bool {
	if t.Response() && l.o.NoResponses || !t.Response() && l.o.NoRequests {
		return false
	}
	for i := range t.Questions {
		if l.on(t.Questions[i].Type) {
			return true
		}
	}
	return false
}

func (l *logger) version3(t *Tx, w *jsonw.Writer) {
	w.Uint("version", 3)
	if t.Response() {
		w.Str("type", "response")
	} else {
		w.Str("type", "request")
	}
	w.Uint("tx_id", t.ID)
	w.Uint("id", uint64(t.MsgID))
	l.flags(t, w)
	w.Uint("opcode", uint64(t.Opcode()))
	w.Str("rcode", rcodeName(l.rcodes, t.Rcode()))
	if len(t.Questions) > 0 {
		w.Array("queries")
		for i := range t.Questions {
			if q := &t.Questions[i]; l.on(q.Type) {
				w.Open()
				rrname(q.Name, w)
				w.Str("rrtype", l.v.rrType(q.Type))
				w.Close()
			}
		}
		w.CloseArray()
	}
	l.answers(t, w)
	l.section("authorities", t.Authorities, w)
	l.section("additionals", t.Additionals, w)
}

// version2 writes the form of Suricata 7. A request with several questions is
// written with its first wanted one.
func (l *logger) version2(t *Tx, w *jsonw.Writer) {
	w.Uint("version", 2)
	if !t.Response() {
		w.Str("type", "query")
		w.Uint("id", uint64(t.MsgID))
		l.firstQuestion(t, w)
		w.Uint("tx_id", t.ID)
		if t.Flags&flagZ != 0 {
			w.Bool("z", true)
		}
		w.Uint("opcode", uint64(t.Opcode()))
		return
	}
	w.Str("type", "answer")
	w.Uint("id", uint64(t.MsgID))
	l.flags(t, w)
	w.Uint("opcode", uint64(t.Opcode()))
	l.firstQuestion(t, w)
	w.Str("rcode", rcodeName(l.rcodes, t.Rcode()))
	l.answers(t, w)
	l.section("authorities", t.Authorities, w)
}

func (l *logger) firstQuestion(t *Tx, w *jsonw.Writer) {
	for i := range t.Questions {
		if q := &t.Questions[i]; l.on(q.Type) {
			w.Text("rrname", q.Name.B)
			w.Str("rrtype", l.v.rrType(q.Type))
			return
		}
	}
}

func (l *logger) flags(t *Tx, w *jsonw.Writer) {
	w.Str("flags", strconv.FormatUint(uint64(t.Flags), 16))
	for _, f := range [...]struct {
		bit  uint16
		name string
	}{{flagQR, "qr"}, {flagAA, "aa"}, {flagTC, "tc"}, {flagRD, "rd"}, {flagRA, "ra"}, {flagZ, "z"}} {
		if t.Flags&f.bit != 0 {
			w.Bool(f.name, true)
		}
	}
}

// answers writes the answer section in the forms that are on.
func (l *logger) answers(t *Tx, w *jsonw.Writer) {
	if len(t.Answers) == 0 {
		return
	}
	if !l.o.NoDetailed {
		w.Array("answers")
		for i := range t.Answers {
			if l.on(t.Answers[i].Type) {
				l.record(&t.Answers[i], w)
			}
		}
		w.CloseArray()
	}
	if !l.o.NoGrouped {
		l.grouped(t.Answers, w)
	}
}

// grouped writes the data of rs by type, each type once.
func (l *logger) grouped(rs []Record, w *jsonw.Writer) {
	w.Object("grouped")
	var done [MaxGroups]uint16
	n := 0
next:
	for i := range rs {
		typ := rs[i].Type
		if !l.on(typ) || !hasData(typ) {
			continue
		}
		for _, d := range done[:n] {
			if d == typ {
				continue next
			}
		}
		if n == len(done) {
			break
		}
		done[n] = typ
		n++
		w.Array(l.v.rrType(typ))
		for j := i; j < len(rs); j++ {
			if rs[j].Type == typ {
				data(&rs[j], w)
			}
		}
		w.CloseArray()
	}
	w.Close()
}

// hasData tells whether the data of typ is written.
func hasData(typ uint16) bool {
	switch typ {
	case typeA, typeAAAA, typeCNAME, typeNS, typePTR, typeMX, typeTXT, typeNULL, typeSOA, typeSRV, typeSSHFP:
		return true
	}
	return false
}

// data writes the data of r as one value, or as several for TXT.
func data(r *Record, w *jsonw.Writer) {
	switch r.Type {
	case typeA, typeAAAA:
		w.StrValue(address(r.Raw))
	case typeCNAME, typeNS, typePTR, typeMX:
		w.TextValue(r.Target.B)
	case typeTXT:
		for i, rest := 0, r.Raw; i < MaxTexts && len(rest) > 0; i++ {
			var s []byte
			s, rest = text(rest)
			w.TextValue(s)
		}
	case typeNULL:
		w.TextValue(r.Raw)
	case typeSOA:
		w.Open()
		soa(r, w)
		w.Close()
	case typeSRV:
		w.Open()
		srv(r, w)
		w.Close()
	case typeSSHFP:
		w.Open()
		sshfp(r, w)
		w.Close()
	}
}

// section writes records under key, in detail.
func (l *logger) section(key string, rs []Record, w *jsonw.Writer) {
	m := w.Mark()
	w.Array(key)
	any := false
	for i := range rs {
		if rs[i].Type == typeOPT && len(rs[i].Raw) == 0 {
			continue // EDNS without options says nothing
		}
		any = true
		l.record(&rs[i], w)
	}
	if !any {
		w.Rollback(m)
		return
	}
	w.CloseArray()
}

func rrname(n Name, w *jsonw.Writer) {
	w.Text("rrname", n.B)
	if n.Cut {
		w.Bool("rrname_truncated", true)
	}
}

// record writes r as an object; a TXT record as one object for each string.
func (l *logger) record(r *Record, w *jsonw.Writer) {
	if r.Type == typeTXT && len(r.Raw) == 0 {
		return
	}
	rest, texts := r.Raw, 0
	for {
		w.Open()
		rrname(r.Name, w)
		w.Str("rrtype", l.v.rrType(r.Type))
		w.Uint("ttl", uint64(r.TTL))
		switch r.Type {
		case typeA, typeAAAA:
			w.Str("rdata", address(r.Raw))
		case typeCNAME, typeNS, typePTR, typeMX:
			w.Text("rdata", r.Target.B)
			if r.Target.Cut {
				w.Bool("rdata_truncated", true)
			}
		case typeTXT:
			var s []byte
			s, rest = text(rest)
			w.Text("rdata", s)
		case typeNULL:
			w.Text("rdata", r.Raw)
		case typeSOA:
			w.Object("soa")
			soa(r, w)
			w.Close()
		case typeSRV:
			w.Object("srv")
			srv(r, w)
			w.Close()
		case typeSSHFP:
			w.Object("sshfp")
			sshfp(r, w)
			w.Close()
		case typeOPT:
			options(r.Raw, w)
		}
		w.Close()
		texts++
		if r.Type != typeTXT || len(rest) == 0 || texts >= MaxTexts {
			return
		}
	}
}

// text cuts the first string off the data of a TXT record.
func text(b []byte) (s, rest []byte) {
	if len(b) == 0 {
		return nil, nil
	}
	n := min(1+int(b[0]), len(b))
	return b[1:n], b[n:]
}

// address writes the address in b as text, "" when it is none.
func address(b []byte) string {
	if a, ok := netip.AddrFromSlice(b); ok {
		if a.Is4() {
			return a.String()
		}
		return full6(a.As16())
	}
	return ""
}

// full6 writes an IPv6 address with all its digits, as EVE does.
func full6(a [16]byte) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 39)
	for i, c := range a {
		if i > 0 && i&1 == 0 {
			b = append(b, ':')
		}
		b = append(b, digits[c>>4], digits[c&15])
	}
	return string(b)
}

func soa(r *Record, w *jsonw.Writer) {
	w.Text("mname", r.Target.B)
	if r.Target.Cut {
		w.Bool("mname_truncated", true)
	}
	w.Text("rname", r.Mailbox.B)
	if r.Mailbox.Cut {
		w.Bool("rname_truncated", true)
	}
	for i, k := range [...]string{"serial", "refresh", "retry", "expire", "minimum"} {
		if len(r.Raw) >= 4*i+4 {
			w.Uint(k, uint64(binary.BigEndian.Uint32(r.Raw[4*i:])))
		}
	}
}

func srv(r *Record, w *jsonw.Writer) {
	if len(r.Raw) >= 6 {
		w.Uint("priority", uint64(binary.BigEndian.Uint16(r.Raw)))
		w.Uint("weight", uint64(binary.BigEndian.Uint16(r.Raw[2:])))
		w.Uint("port", uint64(binary.BigEndian.Uint16(r.Raw[4:])))
	}
	w.Text("name", r.Target.B)
}

func sshfp(r *Record, w *jsonw.Writer) {
	if len(r.Raw) < 2 {
		return
	}
	const digits = "0123456789abcdef"
	w.Key("fingerprint")
	b := make([]byte, 0, 3*len(r.Raw))
	for i, c := range r.Raw[2:] {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[c>>4], digits[c&15])
	}
	w.BytesValue(b)
	w.Uint("algo", uint64(r.Raw[0]))
	w.Uint("type", uint64(r.Raw[1]))
}

// options writes the options of an EDNS record: their code and data.
func options(b []byte, w *jsonw.Writer) {
	w.Array("opt")
	for i := 0; len(b) >= 4 && i < MaxOptions; i++ {
		code, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if len(b)-4 < n {
			break
		}
		w.Open()
		w.Uint("code", uint64(code))
		w.Hex("data", b[4:4+n])
		w.Close()
		b = b[4+n:]
	}
	w.CloseArray()
}
