package dns

import (
	"encoding/binary"

	"mirador/internal/proto"
)

// probe recognises DNS by its messages. On port 53 a datagram whose header,
// questions and answers can be read is enough, and for TCP the header; on any
// other port nothing about a message may look odd, since the header alone is a
// weak sign.
func probe(dir proto.Dir, data []byte, h proto.Hint) proto.Match {
	known := h.SrcPort == portDNS || h.DstPort == portDNS
	if h.Short {
		if known && len(data) >= headerLen && tidy(header(data)) && side(dir, data) == proto.Yes {
			return proto.Yes
		}
		return proto.No
	}
	if h.UDP {
		if !known && (otherNaming(h.SrcPort) || otherNaming(h.DstPort)) {
			return proto.No
		}
		if !sound(data, !known) {
			return proto.No
		}
		m := side(dir, data)
		if m == proto.Reversed && h.DstPort != portDNS && !h.Midstream {
			// A response alone counts when it goes to the port of DNS, as for
			// Suricata, or when flows may begin in their middle.
			return proto.No
		}
		return m
	}
	if len(data) < 2+headerLen {
		if len(data) >= 2 && int(binary.BigEndian.Uint16(data)) < headerLen {
			return proto.No
		}
		return proto.More
	}
	n := 2 + int(binary.BigEndian.Uint16(data))
	if n < 2+headerLen || !plausible(header(data[2:]), n-2) {
		return proto.No
	}
	hd := header(data[2:])
	switch {
	case known:
		// The header decides, so that it does not matter how much of the
		// message is here.
	case !tidy(hd) || n > maxStrict:
		return proto.No
	case len(data) < n:
		return proto.More
	case !sound(data[2:n], true):
		return proto.No
	}
	return side(dir, data[2:])
}

// maxStrict is the longest first message that is waited for on a port that is
// not known for DNS.
const maxStrict = 4096

// otherNaming tells whether port is known for a protocol with DNS's header.
func otherNaming(port uint16) bool {
	switch port {
	case portNBNS, portNBDGM, portMDNS, portLLMNR:
		return true
	}
	return false
}

// side tells whether msg comes from the side that dir says: queries from the
// client, responses from the server.
func side(dir proto.Dir, msg []byte) proto.Match {
	response := header(msg).flags&flagQR != 0
	if response == (dir == proto.ToClient) {
		return proto.Yes
	}
	return proto.Reversed
}

// probeLocal recognises mDNS and LLMNR on their ports. Both sides may ask and
// answer.
func probeLocal(_ proto.Dir, data []byte, h proto.Hint) proto.Match {
	if h.SrcPort != portDNS && h.DstPort != portDNS && sound(data, false) {
		return proto.Yes
	}
	return proto.No
}

// tidy tells whether h could come from an honest implementation: one question,
// or a response without any, and few records.
func tidy(h head) bool {
	if h.flags&flagZ != 0 || h.opcode() != 0 || h.qd != 1 {
		return false
	}
	if h.flags&flagQR == 0 {
		return h.flags&0xf == 0 && h.an == 0 && h.ns == 0 && h.ar <= 2
	}
	return h.flags&0xf < 11 && h.an < 1000 && h.ns < 100 && h.ar < 100
}

// sound reads through msg without keeping anything. Unless strict, the sections
// behind the answers are not looked at; with strict, every byte has to fit.
func sound(msg []byte, strict bool) bool {
	if len(msg) < headerLen {
		return false
	}
	h := header(msg)
	if !plausible(h, len(msg)) || strict && !tidy(h) {
		return false
	}
	w := walker{msg: msg, at: headerLen, strict: strict}
	for range h.qd {
		if !w.question() {
			return false
		}
	}
	n := int(h.an)
	if strict {
		n += int(h.ns) + int(h.ar)
	}
	for range n {
		if !w.record() {
			return false
		}
	}
	return !strict || w.at == len(msg)
}

// walker steps over the parts of a message.
type walker struct {
	msg    []byte
	at     int
	strict bool
}

func (w *walker) question() bool {
	if !w.name() || len(w.msg)-w.at < 4 {
		return false
	}
	b := w.msg[w.at:]
	w.at += 4
	return !w.strict || fitClass(binary.BigEndian.Uint16(b[2:]))
}

func (w *walker) record() bool {
	if !w.name() || len(w.msg)-w.at < 10 {
		return false
	}
	b := w.msg[w.at:]
	typ, class := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	w.at += 10
	size := int(binary.BigEndian.Uint16(b[8:]))
	if len(w.msg)-w.at < size {
		return false
	}
	w.at += size
	return !w.strict || typ == typeOPT || fitClass(class)
}

// fitClass tells whether class is IN, CH, HS, NONE or ANY.
func fitClass(class uint16) bool {
	return class == 1 || class == 3 || class == 4 || class == 254 || class == 255
}

// name steps over a name.
func (w *walker) name() bool {
	for length := 0; w.at < len(w.msg); {
		c := int(w.msg[w.at])
		switch {
		case c == 0:
			w.at++
			return true
		case c&0xc0 == 0xc0:
			if w.at+2 > len(w.msg) {
				return false
			}
			if to := c&0x3f<<8 | int(w.msg[w.at+1]); to >= len(w.msg) || to == w.at {
				return false
			}
			w.at += 2
			return true
		case c&0xc0 != 0 || w.at+1+c > len(w.msg):
			return false
		}
		if w.strict {
			if length += c + 1; length > 255 {
				return false
			}
			for _, ch := range w.msg[w.at+1 : w.at+1+c] {
				if ch <= ' ' || ch >= 0x7f {
					return false
				}
			}
		}
		w.at += 1 + c
	}
	return false
}
