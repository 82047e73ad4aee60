package detect

import (
	"encoding/binary"
	"strconv"
	"strings"

	"mirador/internal/packet"
	"mirador/internal/rule"
)

// Keywords that belong to no larger family.
func miscKeywords() []keyword {
	return []keyword{
		{name: "rpc", arg: argNeed, setup: setRPC, doc: "SunRPC program, version and procedure of a call"},
		{name: "config", arg: argNeed, setup: setConfig, doc: "switch logging off for a transaction or flow"},
		{name: "lua", arg: argNeed, setup: setUnsupported, doc: "not supported"},
		{name: "luaxform", arg: argNeed, setup: setUnsupported, doc: "not supported"},
		{name: "luajit", arg: argNeed, setup: setUnsupported, doc: "not supported"},
		{name: "nfq_set_mark", arg: argNeed, setup: setUnsupported, doc: "not supported"},
		{name: "sctp.vtag", arg: argNeed, setup: setSCTPVTag, doc: "SCTP verification tag (Suricata 9)"},
		{name: "sctp.chunk_cnt", arg: argNeed, setup: setSCTPChunks, doc: "number of SCTP chunks (Suricata 9)"},
		{name: "sctp.chunk_type", arg: argNeed, setup: setSCTPType, doc: "type of an SCTP chunk (Suricata 9)"},
	}
}

func setUnsupported(_ *builder, o *rule.Option) error {
	return refuse(0, "leave the rule out, or write it without this keyword", "%s is not supported", o.Name)
}

type rpcCheck struct {
	program          uint32
	version, proc    uint32
	anyVersion, anyP bool
}

func (k *rpcCheck) match(w *Worker) bool {
	d := w.payload
	switch w.p.P.Proto {
	case packet.ProtoTCP:
		if len(d) < 28 {
			return false
		}
		d = d[4:] // record mark
	case packet.ProtoUDP:
	default:
		return false
	}
	if len(d) < 24 || binary.BigEndian.Uint32(d[4:]) != 0 {
		return false
	}
	return binary.BigEndian.Uint32(d[12:]) == k.program &&
		(k.anyVersion || binary.BigEndian.Uint32(d[16:]) == k.version) &&
		(k.anyP || binary.BigEndian.Uint32(d[20:]) == k.proc)
}

func setRPC(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if len(items) == 0 || len(items) > 3 {
		return refuse(0, "", "needs program, version and procedure")
	}
	k := &rpcCheck{anyVersion: true, anyP: true}
	for i, it := range items {
		if it.Text == "*" && i > 0 {
			continue
		}
		n, err := strconv.ParseUint(it.Text, 10, 32)
		if err != nil {
			return refuse(it.Off, "", "%s is not a number", quote(it.Text))
		}
		switch i {
		case 0:
			k.program = uint32(n)
		case 1:
			k.version, k.anyVersion = uint32(n), false
		case 2:
			k.proc, k.anyP = uint32(n), false
		}
	}
	b.packetCheck(k)
	return nil
}

// configAction switches the logging of a transaction off.
type configAction struct{ flow bool }

func (a *configAction) apply(w *Worker) {
	if a.flow && w.p.Flow != nil {
		w.p.Flow.NoLog = true
	}
	if w.tx != nil {
		w.tx.Base().Logged = true
	}
}

// setConfig: logging disable, type tx, scope tx. Suricata 8 rules/config.
func setConfig(b *builder, o *rule.Option) error {
	a := &configAction{}
	off := false
	for _, it := range rule.SplitList(o.Value) {
		word, arg := words(it.Text)
		switch word {
		case "logging":
			if arg != "disable" {
				return refuse(it.Off, "", "logging %s is not possible", quote(arg))
			}
			off = true
		case "type":
			if arg != "tx" && arg != "flow" {
				return refuse(it.Off, "", "unknown type %s", quote(arg))
			}
		case "scope":
			switch arg {
			case "tx":
			case "flow":
				a.flow = true
			default:
				return refuse(it.Off, "", "unknown scope %s", quote(arg))
			}
		default:
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
	}
	if !off {
		return refuse(0, "", "logging is missing")
	}
	b.after(a)
	b.ipOK = false
	return nil
}

func setSCTPVTag(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 32, func(p *packet.Parsed) (uint64, bool) {
		v, ok := p.SCTPVTag()
		return uint64(v), ok
	})
}

func setSCTPChunks(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 8, func(p *packet.Parsed) (uint64, bool) {
		if !p.IsSCTP() {
			return 0, false
		}
		n := uint64(0)
		for it := p.SCTPChunks(); it.Next(); {
			n++
		}
		return n, true
	})
}

type sctpTypeCheck struct{ u rule.Uint }

func (k *sctpTypeCheck) match(w *Worker) bool {
	for it := w.p.P.SCTPChunks(); it.Next(); {
		if k.u.Match(uint64(it.Chunk.Type)) {
			return true
		}
	}
	return false
}

func setSCTPType(b *builder, o *rule.Option) error {
	u, err := rule.ParseUint(o.Value, 8, sctpType)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	b.packetCheck(&sctpTypeCheck{u})
	return nil
}

// sctpType names chunk types (RFC 9260 section 3.2).
func sctpType(name string) (uint64, bool) {
	names := [...]string{"data", "init", "init_ack", "sack", "heartbeat", "heartbeat_ack", "abort", "shutdown",
		"shutdown_ack", "error", "cookie_echo", "cookie_ack", "ecne", "cwr", "shutdown_complete"}
	for i, n := range names {
		if strings.EqualFold(n, name) {
			return uint64(i), true
		}
	}
	return 0, false
}
