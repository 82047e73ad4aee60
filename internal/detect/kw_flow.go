package detect

import (
	"strconv"
	"strings"

	"mirador/internal/proto"
	"mirador/internal/rule"
)

// Keywords about the flow a packet is in. Suricata 8 rules/flow-keywords.
func flowKeywords() []keyword {
	return []keyword{
		{name: "flow", arg: argNeed, setup: setFlow, doc: "state and direction of the flow"},
		{name: "tcp.session", arg: argNeed, setup: setTCPSession, doc: "phase of the TCP session: setup, established, closing, or several"},
		{name: "stream_size", arg: argNeed, setup: setStreamSize, doc: "bytes of the TCP stream by sequence numbers"},
		{name: "flow.age", arg: argNeed, setup: setFlowAge, doc: "seconds since the first packet"},
		{name: "flow.pkts", arg: argNeed, setup: setFlowPkts, doc: "packets of the flow"},
		{name: "flow.pkts_toserver", arg: argNeed, setup: setFlowPktsTS, doc: "packets to the server"},
		{name: "flow.pkts_toclient", arg: argNeed, setup: setFlowPktsTC, doc: "packets to the client"},
		{name: "flow.bytes", arg: argNeed, setup: setFlowBytes, doc: "bytes of the flow"},
		{name: "flow.bytes_toserver", arg: argNeed, setup: setFlowBytesTS, doc: "bytes to the server"},
		{name: "flow.bytes_toclient", arg: argNeed, setup: setFlowBytesTC, doc: "bytes to the client"},
		{name: "flow.elephant", arg: argNeed, setup: setElephant, doc: "the flow is an elephant flow (Suricata 9)"},
	}
}

// flowParts are the words of keyword flow; two of one set, or a word twice, contradict
// each other.
var flowParts = [...]struct {
	word string
	set  uint8
}{
	{"to_server", 1}, {"from_client", 1}, {"to_client", 1}, {"from_server", 1},
	{"established", 2}, {"not_established", 2}, {"stateless", 2},
	{"only_stream", 4}, {"no_stream", 4}, {"only_frag", 8}, {"no_frag", 8},
}

// setFlow reads at most three words. A second flow keyword may follow one that names
// only a direction or what to look at.
func setFlow(b *builder, o *rule.Option) error {
	s := &b.s
	if b.flowSeen {
		return refuse(0, "name all in one flow keyword", "given twice")
	}
	items := rule.SplitList(o.Value)
	if len(items) > 3 {
		return refuse(items[3].Off, "", "more than three parts")
	}
	var sets uint8
	for _, it := range items {
		word, set := strings.ToLower(it.Text), uint8(0)
		for i := range flowParts {
			if flowParts[i].word == word {
				set = flowParts[i].set
			}
		}
		switch {
		case set == 0:
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		case sets&set != 0 && !(set == 2 && s.flag&sigEstablished == 0 && word != "established"):
			return refuse(it.Off, "", "%s and a part before it contradict each other", word)
		}
		sets |= set
		switch word {
		case "to_server", "from_client":
			b.flowDir |= dirBit(proto.ToServer)
		case "to_client", "from_server":
			b.flowDir |= dirBit(proto.ToClient)
		case "established":
			s.flag |= sigEstablished | sigNeedFlow
			b.onlyPD = false
		case "not_established":
			s.flag |= sigNotEstablished | sigNeedFlow
			b.onlyPD = false
		case "stateless":
			s.flag |= sigNeedFlow
		case "only_stream":
			b.streams = true
		case "no_stream":
			b.pktOnly = true
			b.s.flag |= sigReal | sigPktOnly
		case "only_frag":
			s.flag |= sigOnlyFrag
		case "no_frag":
			s.flag |= sigNoFrag
		}
	}
	b.flowSeen = sets&(2|8) != 0
	switch {
	case b.flowDir == bothDirs:
		return refuse(0, "", "to_server and to_client contradict each other")
	case b.streams && b.pktOnly && sets&4 != 0:
		return refuse(0, "", "only_stream and no_stream contradict each other")
	}
	b.onlyDE = false
	if sets != 4 {
		b.ipOK = false // what to look at, stream or packets, goes with ip-only
	}
	return nil
}

// direction of the flow counters.
type flowSide uint8

const (
	sideServer flowSide = iota // packets to the server
	sideClient
	sideEither
	sideBoth
)

func parseSide(s string) (flowSide, bool) {
	switch s {
	case "toserver":
		return sideServer, true
	case "toclient":
		return sideClient, true
	case "either":
		return sideEither, true
	case "both":
		return sideBoth, true
	}
	return 0, false
}

// pick applies test to the sides.
func (s flowSide) pick(v *[2]uint64, u rule.Uint) bool {
	switch s {
	case sideServer:
		return u.Match(v[0])
	case sideClient:
		return u.Match(v[1])
	case sideEither:
		return u.Match(v[0]) || u.Match(v[1])
	}
	return u.Match(v[0]) && u.Match(v[1])
}

type countCheck struct {
	side  flowSide
	bytes bool
	u     rule.Uint
}

func (k *countCheck) match(w *Worker) bool {
	f := w.p.Flow
	if f == nil {
		return false
	}
	if k.bytes {
		return k.side.pick(&f.Bytes, k.u)
	}
	return k.side.pick(&f.Pkts, k.u)
}

func (b *builder) count2(value string, side flowSide, bytes bool) error {
	width := 32
	if bytes {
		width = 64
	}
	u, err := rule.ParseUint(value, width, nil)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	b.check(&countCheck{side, bytes, u}, false)
	b.pktOnly = true
	return nil
}

func (b *builder) countSided(o *rule.Option, bytes bool) error {
	name, rest, ok := strings.Cut(o.Value, ",")
	side, known := parseSide(strings.TrimSpace(name))
	if !ok || !known || side == sideBoth {
		return refuse(0, "write toserver, toclient or either, a comma, and the number", "direction is missing")
	}
	return b.count2(strings.TrimSpace(rest), side, bytes)
}

func setFlowPkts(b *builder, o *rule.Option) error  { return b.countSided(o, false) }
func setFlowBytes(b *builder, o *rule.Option) error { return b.countSided(o, true) }
func setFlowPktsTS(b *builder, o *rule.Option) error {
	return b.count2(o.Value, sideServer, false)
}
func setFlowPktsTC(b *builder, o *rule.Option) error {
	return b.count2(o.Value, sideClient, false)
}
func setFlowBytesTS(b *builder, o *rule.Option) error {
	return b.count2(o.Value, sideServer, true)
}
func setFlowBytesTC(b *builder, o *rule.Option) error {
	return b.count2(o.Value, sideClient, true)
}

type elephantCheck struct{ side flowSide }

func (k *elephantCheck) match(w *Worker) bool {
	f := w.p.Flow
	if f == nil {
		return false
	}
	e := f.Elephant
	switch k.side {
	case sideServer:
		return e[0]
	case sideClient:
		return e[1]
	case sideEither:
		return e[0] || e[1]
	}
	return e[0] && e[1]
}

func setElephant(b *builder, o *rule.Option) error {
	side, ok := parseSide(o.Value)
	if !ok {
		return refuse(0, "", "unknown direction %s", quote(o.Value))
	}
	b.check(&elephantCheck{side}, false)
	return nil
}

type ageCheck struct{ u rule.Uint }

func (k *ageCheck) match(w *Worker) bool {
	f := w.p.Flow
	if f == nil || f.Last < f.Start {
		return false
	}
	return k.u.Match(uint64(f.Last/1e9 - f.Start/1e9))
}

func setFlowAge(b *builder, o *rule.Option) error {
	u, err := rule.ParseUint(o.Value, 32, nil)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	b.check(&ageCheck{u}, false)
	b.pktOnly = true
	return nil
}

type streamSizeCheck struct {
	side flowSide // server: bytes sent by the server
	u    rule.Uint
}

func (k *streamSizeCheck) match(w *Worker) bool {
	if w.p.Flow == nil || w.p.P.Proto != 6 {
		return false
	}
	v := &w.p.Flow.StreamBytes
	return k.side.pick(v, k.u)
}

// setStreamSize: client and server name the sender, as Suricata has it.
func setStreamSize(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if len(items) != 3 {
		return refuse(0, "", "needs a side, an operator and a number")
	}
	var k streamSizeCheck
	switch items[0].Text {
	case "client":
		k.side = sideServer
	case "server":
		k.side = sideClient
	case "both":
		k.side = sideBoth
	case "either":
		k.side = sideEither
	default:
		return refuse(items[0].Off, "", "unknown side %s", quote(items[0].Text))
	}
	n, err := strconv.ParseUint(items[2].Text, 10, 32)
	if err != nil {
		return refuse(items[2].Off, "", "%s is not a number", quote(items[2].Text))
	}
	k.u.A = n
	switch items[1].Text {
	case "=":
		k.u.Op = rule.UintEq
	case "!=", "!":
		k.u.Op = rule.UintNe
	case "<":
		k.u.Op = rule.UintLt
	case "<=":
		k.u.Op = rule.UintLe
	case ">":
		k.u.Op = rule.UintGt
	case ">=":
		k.u.Op = rule.UintGe
	default:
		return refuse(items[1].Off, "", "unknown operator %s", quote(items[1].Text))
	}
	b.check(&k, false)
	return nil
}

// The phases of tcp.session, as bits.
const (
	phaseSetup       uint8 = 1 << iota // the handshake is not done before the packet
	phaseEstablished                   // it is
	phaseClosing                       // one side has sent its last data, and the session is not over
)

// sessionCheck is tcp.session.
type sessionCheck struct{ phases uint8 }

func (k *sessionCheck) match(w *Worker) bool { return k.phases&w.phases() != 0 }

// phases are those of the packet in work: a closing session is an established one, too.
func (w *Worker) phases() (p uint8) {
	if w.p.Flow == nil {
		return 0
	}
	p = phaseSetup
	if w.p.Established {
		p = phaseEstablished
	}
	if w.p.Closing {
		p |= phaseClosing
	}
	return p
}

func setTCPSession(b *builder, o *rule.Option) error {
	if b.s.protos != nil && !b.s.protos.has(6) {
		return refuse(0, "", "goes with rules for TCP only")
	}
	k := &sessionCheck{}
	for _, word := range strings.Split(o.Value, ",") {
		var p uint8
		switch word {
		case "setup":
			p = phaseSetup
		case "established":
			p = phaseEstablished
		case "closing":
			p = phaseClosing
		default:
			return refuse(0, "write setup, established and closing, with commas and no spaces", "unknown phase %s", quote(word))
		}
		if k.phases&p != 0 {
			return refuse(0, "", "%s is given twice", word)
		}
		k.phases |= p
	}
	b.s.flag |= sigNeedFlow
	b.packetCheck(k)
	return nil
}
