package dns

import (
	"strconv"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// Bits that only LLMNR has (RFC 4795 section 2.1.1).
const (
	flagConflict  = 0x0400
	flagTentative = 0x0100
)

// mdnsLogger returns the function that writes an mDNS message. Unlike in dns
// records, the data of a record stands under its type in lower case.
func mdnsLogger() func(*proto.Conn, proto.Tx, *jsonw.Writer) bool {
	l := newLogger(LogOptions{})
	return func(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
		t, ok := tx.(*Tx)
		if ok {
			l.mdns(t, w)
		}
		return ok
	}
}

func (l *logger) mdns(t *Tx, w *jsonw.Writer) {
	kind(t, w)
	w.Uint("id", uint64(t.MsgID))
	localFlags(t, w)
	w.Uint("opcode", uint64(t.Opcode()))
	w.Uint("rcode", uint64(t.Rcode()))
	l.local(t, w)
}

// localFlags writes the names of the flags that are set.
func localFlags(t *Tx, w *jsonw.Writer) {
	m, any := w.Mark(), false
	w.Array("flags")
	for _, f := range [...]struct {
		bit  uint16
		name string
	}{{flagAA, "aa"}, {flagTC, "tc"}, {flagRD, "rd"}, {flagRA, "ra"}, {flagZ, "z"}, {flagAD, "ad"}, {flagCD, "cd"}} {
		if t.Flags&f.bit != 0 {
			w.StrValue(f.name)
			any = true
		}
	}
	if !any {
		w.Rollback(m)
		return
	}
	w.CloseArray()
}

// llmnrLogger returns the function that writes an LLMNR message, its records in
// the form of mDNS's.
func llmnrLogger() func(*proto.Conn, proto.Tx, *jsonw.Writer) bool {
	l := newLogger(LogOptions{})
	return func(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
		t, ok := tx.(*Tx)
		if ok {
			l.llmnr(t, w)
		}
		return ok
	}
}

func (l *logger) llmnr(t *Tx, w *jsonw.Writer) {
	kind(t, w)
	w.Uint("id", uint64(t.MsgID))
	w.Str("flags", strconv.FormatUint(uint64(t.Flags), 16))
	for _, f := range [...]struct {
		bit  uint16
		name string
	}{{flagConflict, "c"}, {flagTC, "tc"}, {flagTentative, "t"}} {
		if t.Flags&f.bit != 0 {
			w.Bool(f.name, true)
		}
	}
	w.Uint("opcode", uint64(t.Opcode()))
	if t.Response() {
		w.Str("rcode", rcodeName(l.rcodes, t.Rcode()))
	}
	l.local(t, w)
}

func kind(t *Tx, w *jsonw.Writer) {
	if t.Response() {
		w.Str("type", "response")
	} else {
		w.Str("type", "request")
	}
}

// local writes the sections of an mDNS or LLMNR message.
func (l *logger) local(t *Tx, w *jsonw.Writer) {
	if len(t.Questions) > 0 {
		w.Array("queries")
		for i := range t.Questions {
			w.Open()
			rrname(t.Questions[i].Name, w)
			w.Str("rrtype", l.v.rrTypeLower(t.Questions[i].Type))
			w.Close()
		}
		w.CloseArray()
	}
	l.localSection("answers", t.Answers, w)
	l.localSection("authorities", t.Authorities, w)
	l.localSection("additionals", t.Additionals, w)
}

func (l *logger) localSection(key string, rs []Record, w *jsonw.Writer) {
	m := w.Mark()
	w.Array(key)
	any := false
	for i := range rs {
		r := &rs[i]
		if r.Type == typeOPT && len(r.Raw) == 0 {
			continue
		}
		any = true
		w.Open()
		rrname(r.Name, w)
		l.localData(r, w)
		w.Close()
	}
	if !any {
		w.Rollback(m)
		return
	}
	w.CloseArray()
}

func (l *logger) localData(r *Record, w *jsonw.Writer) {
	key := l.v.rrTypeLower(r.Type)
	switch r.Type {
	case typeTXT:
		w.Array(key)
		data(r, w)
		w.CloseArray()
	case typeOPT:
		options(r.Raw, w)
	case typeCNAME, typeNS, typePTR, typeMX:
		w.Text(key, r.Target.B)
		if r.Target.Cut {
			w.Bool("rdata_truncated", true)
		}
	case typeA, typeAAAA, typeSOA, typeSRV, typeSSHFP, typeNULL:
		w.Key(key)
		data(r, w)
	default:
		w.Text(key, r.Raw)
	}
}
