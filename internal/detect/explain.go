package detect

import (
	"fmt"
	"slices"
	"strings"

	"mirador/internal/proto"
	"mirador/internal/rule"
)

// Explained says how the engine looks for a rule.
type Explained struct {
	SID  uint32
	Type string // in the words of engine analysis
	Dirs string // "toserver", "toclient" or "both"
	// FastBuffer and FastPattern are what the prefilter looks for; "" when the rule
	// has nothing for it.
	FastBuffer  string
	FastPattern string // as a content value
	FastNocase  bool
	// When it is looked at, in words.
	When string
	// Steps are the conditions in the order in which they are tried.
	Steps []string
	// Cost is "cheap", "fair" or "dear": what the rule costs on traffic that it does
	// not match.
	Cost  string
	Notes []string
}

// Explain tells how the engine looks for r, which must be one of its rules.
func (e *Engine) Explain(r *Rule) Explained {
	s := r.s
	x := Explained{SID: r.SID, Type: r.Type, Dirs: [...]string{"", "toserver", "toclient", "both"}[s.dirs&3]}
	if s.fastBuf != nil {
		x.FastBuffer, x.FastNocase = s.fastBuf.label, s.fastNo
		x.FastPattern = string(rule.AppendPattern(nil, []byte(s.fastPat)))
	}
	x.When = s.when()
	x.Steps = s.steps()
	x.Cost, x.Notes = s.cost()
	return x
}

// when says at which moments s is looked at.
func (s *sig) when() string {
	switch s.kind {
	case kindDecodeEvent:
		return "packets with the decoder event"
	case kindIPOnly:
		return "the first packet of each direction of a flow, and each packet without flow"
	case kindProtoDetect:
		return "once in each direction, when the protocol is known"
	case kindAppLayer:
		return "every packet of flows of the protocol"
	case kindStream:
		return "chunks of the stream, and payloads that are in no stream"
	case kindPacketStream:
		return "chunks of the stream and payloads"
	case kindTx:
		if s.flag&sigFrames != 0 {
			return "frames of the protocol"
		}
		return "transactions, whenever something of them is new"
	}
	return "every packet"
}

// steps lists the conditions of s.
func (s *sig) steps() []string {
	var out []string
	for _, k := range s.checks {
		out = append(out, strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", k), "*detect."), "Check"))
	}
	chain := func(where string, ops []op) {
		if len(ops) == 0 {
			return
		}
		var parts []string
		for i := range ops {
			parts = append(parts, ops[i].describe())
		}
		out = append(out, where+": "+strings.Join(parts, "; "))
	}
	for i := range s.pktBufs {
		chain(s.pktBufs[i].def.label, s.pktBufs[i].ops)
	}
	if s.kind != kindTx || s.flag&sigFrames != 0 {
		chain("payload", s.payload)
	}
	for i := range s.frames {
		chain(s.frames[i].def.label, s.frames[i].ops)
	}
	for d := range s.tx {
		side := [...]string{"request ", "response "}[d]
		for i := range s.tx[d] {
			t := &s.tx[d][i]
			switch t.kind {
			case txBuffer:
				if len(t.ops) == 0 {
					out = append(out, side+t.def.label+": absent")
				}
				chain(side+t.def.label, t.ops)
			case txNumber:
				out = append(out, side+t.def.name+": "+t.num.u.String())
			case txCustom:
				out = append(out, side+t.def.name)
			case txFile:
				out = append(out, side+"files")
			case txEvent:
				out = append(out, side+"event")
			case txHook:
				out = append(out, fmt.Sprintf("%sprogress %d", side, slices.Min(t.custom.states)))
			case txStream:
				chain(side+"stream", s.payload)
			}
		}
	}
	return out
}

// describe is o in the words of the rule language.
func (o *op) describe() string {
	var b strings.Builder
	if o.flag&flagNegated != 0 {
		b.WriteString("not ")
	}
	switch o.kind {
	case opContent:
		fmt.Fprintf(&b, "content \"%s\"", rule.AppendPattern(nil, []byte(o.pat)))
	case opPCRE:
		x := o.ext.(*pcreOp)
		fmt.Fprintf(&b, "pcre /%s/ (%s)", x.re.String(), x.re.Kind())
	case opIsDataAt:
		fmt.Fprintf(&b, "isdataat %d", o.off)
	case opByteTest:
		b.WriteString("byte_test")
	case opByteJump:
		b.WriteString("byte_jump")
	case opByteExtract:
		b.WriteString("byte_extract")
	case opByteMath:
		b.WriteString("byte_math")
	case opSize:
		b.WriteString("size " + o.ext.(*rule.Uint).String())
	default:
		b.WriteString(strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", o.ext), "*detect."), "Op"))
	}
	if o.flag&flagProvenByScan != 0 {
		b.WriteString(" (by the prefilter alone)")
	}
	return b.String()
}

// cost rates s by what happens on traffic that it does not match.
func (s *sig) cost() (class string, notes []string) {
	dear, fair := false, false
	switch {
	case s.kind == kindIPOnly || s.kind == kindProtoDetect || s.kind == kindDecodeEvent:
	case s.fastBuf == nil:
		fair = true
		notes = append(notes, "no content that the prefilter could look for")
		if s.kind == kindPacket && s.dp == nil && s.sp == nil && s.mask()&(hasFlag|isFirst) == 0 {
			dear = true
			notes = append(notes, "looked at for every packet: name ports, or add a content")
		}
	case len(s.fastPat) < 3:
		dear = true
		notes = append(notes, fmt.Sprintf("the prefilter's pattern has only %d bytes", len(s.fastPat)))
	case len(s.fastPat) < 5:
		fair = true
	}
	for _, ops := range s.chains() {
		for i := range ops {
			x, ok := ops[i].ext.(*pcreOp)
			if !ok {
				continue
			}
			if x.re.Kind() == "backtrack" {
				fair = true
			}
			if s.fastBuf == nil && s.kind != kindTx {
				dear = true
				notes = append(notes, "pcre without a content before it")
			}
		}
	}
	switch {
	case dear:
		return "dear", notes
	case fair:
		return "fair", notes
	}
	return "cheap", notes
}

// Protocols returns the names of the application protocols that r is for; nil is any.
func (e *Engine) Protocols(r *Rule) []string {
	var out []string
	for i, p := range e.table.Rows() {
		if r.s.apps&appBit(proto.ID(i+1)) != 0 {
			out = append(out, p.Name)
		}
	}
	return out
}
