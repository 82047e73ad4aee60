package eve

// StreamPacket is one TCP packet as the stream engine saw it, for the debugging
// records of type stream.
type StreamPacket struct {
	Seq, Ack   uint32
	Window     uint16
	Flags      uint8
	Len        int // payload bytes
	Events     []string
	HasSession bool
	State      TCPState
	StateMoved bool // the packet changed the state
	Retransmit bool // spurious retransmission
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
	j.Uint("seq", uint64(s.Seq))
	j.Uint("ack", uint64(s.Ack))
	j.Uint("win", uint64(s.Window))
	w.hex2("tcp_flags", s.Flags)
	w.flags(s.Flags)
	j.Int("len", int64(s.Len))
	j.Close()
	if s.HasSession {
		j.Object("session")
		j.Str("state", s.State.String())
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
