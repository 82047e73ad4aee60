package eve

import "mirador/internal/packet"

// StreamPacket is one TCP packet as the stream engine saw it, for the debugging
// records of type stream.
type StreamPacket struct {
	Seq, Ack   uint32
	Window     uint16
	Urgent     uint16
	Flags      uint8
	Len        int // of the IP packet
	TOS, TTL   uint8
	IPID       uint32
	Events     []string
	HasSession bool
	State      TCPState
	Before     TCPState // state before the packet
	StateMoved bool     // the packet changed the state
	Retransmit bool     // spurious retransmission
}

// StreamTCP appends a record of type stream_tcp if the options ask for this
// packet.
func (w *Writer) StreamTCP(dst []byte, h *Header, s *StreamPacket) []byte {
	o := &w.o.Stream
	if !w.o.StreamOn || !(o.All || o.EventSet && len(s.Events) > 0 ||
		o.StateUpdate && s.StateMoved || o.SpuriousRetransmission && s.Retransmit) {
		return dst
	}
	w.begin(dst)
	w.header(h, "stream_tcp")
	w.direction(h.Direction)
	j := &w.w
	j.Object("stream_tcp")
	j.Object("packet")
	j.Int("len", int64(s.Len))
	j.Uint("tos", uint64(s.TOS))
	j.Uint("ttl", uint64(s.TTL))
	j.Uint("ipid", uint64(s.IPID))
	j.Uint("tcpseq", uint64(s.Seq))
	j.Uint("tcpack", uint64(s.Ack))
	j.Uint("tcpwin", uint64(s.Window))
	for _, f := range [...]struct {
		name string
		bit  uint8
	}{{"syn", packet.SYN}, {"ack", packet.ACK}, {"psh", packet.PSH}, {"rst", packet.RST}, {"urg", packet.URG}, {"fin", packet.FIN}} {
		j.Bool(f.name, s.Flags&f.bit != 0)
	}
	j.Uint("tcpres", 0)
	j.Uint("tcpurgp", uint64(s.Urgent))
	// Why the packet may be of interest.
	j.Array("flags")
	if s.Retransmit {
		j.StrValue("spurious_retransmission")
	}
	if len(s.Events) > 0 {
		j.StrValue("event_set")
	}
	if s.StateMoved {
		j.StrValue("state_update")
	}
	j.CloseArray()
	j.Close()
	if s.HasSession {
		j.Object("session")
		j.Str("state", s.State.String())
		if s.StateMoved {
			j.Str("pstate", s.Before.String())
		}
		j.Close()
	}
	if len(s.Events) > 0 {
		j.Array("events")
		for _, e := range s.Events[:min(len(s.Events), MaxItems)] {
			j.StrValue(cut(e))
		}
		j.CloseArray()
	}
	j.Close()
	return w.end()
}
