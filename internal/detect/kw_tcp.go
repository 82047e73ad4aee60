package detect

import (
	"strings"

	"mirador/internal/packet"
	"mirador/internal/rule"
)

// Keywords about the TCP header. Suricata 8 rules/header-keywords.
func tcpKeywords() []keyword {
	return []keyword{
		{name: "tcp.flags", aliases: []string{"flags"}, arg: argNeed, setup: setTCPFlags, doc: "TCP flags"},
		{name: "tcp.seq", aliases: []string{"seq"}, arg: argNeed, setup: setSeq, doc: "TCP sequence number"},
		{name: "tcp.ack", aliases: []string{"ack"}, arg: argNeed, setup: setAck, doc: "TCP acknowledgement number"},
		{name: "tcp.window", aliases: []string{"window"}, arg: argNeed, setup: setWindow, doc: "TCP window as sent"},
		{name: "tcp.mss", arg: argNeed, setup: setMSS, doc: "TCP option maximum segment size"},
		{name: "tcp.wscale", arg: argNeed, setup: setWScale, doc: "TCP option window scale"},
	}
}

func hasTCP(p *packet.Parsed) bool {
	return p.Depth >= packet.DepthTransport && p.Proto == packet.ProtoTCP
}

func setSeq(b *builder, o *rule.Option) error {
	return b.plainNumber(o, 32, false, func(p *packet.Parsed) (uint64, bool) { return uint64(p.Seq), hasTCP(p) })
}

func setAck(b *builder, o *rule.Option) error {
	return b.plainNumber(o, 32, false, func(p *packet.Parsed) (uint64, bool) { return uint64(p.Ack), hasTCP(p) })
}

func setWindow(b *builder, o *rule.Option) error {
	return b.plainNumber(o, 16, true, func(p *packet.Parsed) (uint64, bool) { return uint64(p.Window), hasTCP(p) })
}

func setMSS(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 16, func(p *packet.Parsed) (uint64, bool) { return uint64(p.MSS), hasTCP(p) && p.HasMSS })
}

func setWScale(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 8, func(p *packet.Parsed) (uint64, bool) { return uint64(p.WScale), hasTCP(p) && p.HasWScale })
}

// flagsCheck: ignore are the bits left out of the comparison.
type flagsCheck struct {
	bits, ignore uint8
	mode         byte // 0 or = exactly, + all and any others, * any, ! not these
}

func (k *flagsCheck) match(w *Worker) bool {
	p := w.p.P
	if w.p.Pseudo || !hasTCP(p) {
		return false
	}
	have := p.Flags &^ k.ignore
	switch k.mode {
	case '+':
		return have&k.bits == k.bits && (k.bits != 0 || have == 0)
	case '*':
		return have&k.bits != 0
	case '!':
		if k.bits == 0 {
			return have != 0
		}
		return have&k.bits != k.bits
	}
	return have == k.bits
}

func tcpFlagBit(c byte) (uint8, bool) {
	switch c {
	case 'S':
		return packet.SYN, true
	case 'A':
		return packet.ACK, true
	case 'F':
		return packet.FIN, true
	case 'R':
		return packet.RST, true
	case 'P':
		return packet.PSH, true
	case 'U':
		return packet.URG, true
	case '1', 'C':
		return packet.CWR, true
	case '2', 'E':
		return packet.ECE, true
	}
	return 0, false
}

// tcpFlagBits reads letters in a row; none is refused.
func tcpFlagBits(s string, at int) (bits uint8, err error) {
	if s == "" {
		return 0, refuse(at, "name flags of FSRPAUCE12", "names no flag")
	}
	for i := range len(s) {
		bit, ok := tcpFlagBit(s[i])
		if !ok {
			return 0, refuse(at, "name flags of FSRPAUCE12", "unknown flag %q", s[i])
		}
		bits |= bit
	}
	return bits, nil
}

// setTCPFlags reads [modifier]<flags>[,<ignored flags>]; the modifier is one of + * !
// and stands before or behind the flags. "R,A" ignores ACK, "0" is no flag.
func setTCPFlags(b *builder, o *rule.Option) error {
	k := &flagsCheck{}
	flags, ignore, two := strings.Cut(o.Value, ",")
	flags = strings.TrimSpace(flags)
	if flags != "" && strings.IndexByte("+*!", flags[0]) >= 0 {
		k.mode, flags = flags[0], strings.TrimSpace(flags[1:])
	}
	if n := len(flags); n > 1 && strings.IndexByte("+*!", flags[n-1]) >= 0 {
		if k.mode != 0 {
			return refuse(n-1, "", "more than one modifier")
		}
		k.mode, flags = flags[n-1], strings.TrimSpace(flags[:n-1])
	}
	var err error
	if flags = strings.ReplaceAll(flags, "0", ""); flags != "" || !strings.Contains(o.Value, "0") {
		if k.bits, err = tcpFlagBits(flags, 0); err != nil {
			return err
		}
	}
	if two {
		at := len(o.Value) - len(ignore)
		if k.ignore, err = tcpFlagBits(strings.TrimSpace(ignore), at); err != nil {
			return err
		}
	}
	b.packetCheck(k)
	return nil
}
