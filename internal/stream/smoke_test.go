package stream_test

import (
	"testing"

	"mirador/internal/packet"
	"mirador/internal/stream"
)

// seg makes a Parsed that holds only what the engine looks at.
func seg(seq, ack uint32, flags uint8, payload string) *packet.Parsed {
	return &packet.Parsed{Data: []byte(payload), PayloadEnd: len(payload), Seq: seq, Ack: ack, Flags: flags,
		Window: 65535, IPVersion: 4, Proto: packet.ProtoTCP}
}

func TestHandshakeAndData(t *testing.T) {
	e, err := stream.NewEngine(stream.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var s stream.Session
	e.Packet(&s, seg(100, 0, packet.SYN, ""), stream.ToServer)
	e.Packet(&s, seg(500, 101, packet.SYN|packet.ACK, ""), stream.ToClient)
	r := e.Packet(&s, seg(101, 501, packet.ACK, ""), stream.ToServer)
	if s.State != stream.Established || r.Flags&stream.Opened == 0 {
		t.Fatalf("state %v, flags %b", s.State, r.Flags)
	}
	e.Packet(&s, seg(101, 501, packet.ACK|packet.PSH, "hello"), stream.ToServer)
	if _, ok := s.App(stream.ToServer); ok {
		t.Fatal("data readable before the acknowledgement")
	}
	e.Packet(&s, seg(501, 106, packet.ACK, ""), stream.ToClient)
	c, ok := s.App(stream.ToServer)
	if !ok || string(c.Data) != "hello" {
		t.Fatalf("App = %q, %v", c.Data, ok)
	}
	s.AppUsed(stream.ToServer, len(c.Data))
	if _, ok := s.App(stream.ToServer); ok {
		t.Fatal("same data again")
	}
}
