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
	return b.packetNumber(o, 32, func(p *packet.Parsed) (uint64, bool) { return uint64(p.Seq), hasTCP(p) })
}

func setAck(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 32, func(p *packet.Parsed) (uint64, bool) { return uint64(p.Ack), hasTCP(p) })
}

func setWindow(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 16, func(p *packet.Parsed) (uint64, bool) { return uint64(p.Window), hasTCP(p) })
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
		return have&k.bits != k.bits
	}
	return have == k.bits
}

func tcpFlagBit(c byte) (uint8, bool) {
	switch c {
	case 'S', 's':
		return packet.SYN, true
	case 'A', 'a':
		return packet.ACK, true
	case 'F', 'f':
		return packet.FIN, true
	case 'R', 'r':
		return packet.RST, true
	case 'P', 'p':
		return packet.PSH, true
	case 'U', 'u':
		return packet.URG, true
	case '1', 'C', 'c':
		return packet.CWR, true
	case '2', 'E', 'e':
		return packet.ECE, true
	case '0':
		return 0, true
	}
	return 0, false
}

// setTCPFlags reads [modifier]<flags>[,<ignored flags>]. "R,A" ignores ACK.
func setTCPFlags(b *builder, o *rule.Option) error {
	k := &flagsCheck{}
	flags, ignore, _ := strings.Cut(o.Value, ",")
	flags = strings.ReplaceAll(flags, " ", "")
	if flags == "" {
		return refuse(0, "", "names no flag")
	}
	for _, end := range [...]bool{false, true} {
		if flags == "" {
			break
		}
		i := 0
		if end {
			i = len(flags) - 1
		}
		if c := flags[i]; strings.IndexByte("+*!=", c) >= 0 {
			if k.mode != 0 {
				return refuse(0, "", "more than one modifier")
			}
			k.mode = c
			flags = flags[:i] + flags[i+1:]
		}
	}
	if flags == "" {
		return refuse(0, "", "names no flag")
	}
	for i := range len(flags) {
		bit, ok := tcpFlagBit(flags[i])
		if !ok {
			return refuse(0, "", "unknown flag %q", flags[i])
		}
		k.bits |= bit
	}
	for i := range len(ignore) {
		if ignore[i] == ' ' || ignore[i] == '!' {
			continue
		}
		bit, ok := tcpFlagBit(ignore[i])
		if !ok {
			return refuse(0, "", "unknown flag %q", ignore[i])
		}
		k.ignore |= bit
	}
	b.packetCheck(k)
	return nil
}
