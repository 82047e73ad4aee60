package demo

import (
	"time"

	"mirador/internal/packet"
)

// mss is the most payload of one segment.
const mss = 1448

// conn is a TCP connection of a story.
type conn struct {
	s    *script
	end  [2]*host
	port [2]uint16
	seq  [2]uint32 // next of each end
	rtt  time.Duration
}

// dial opens a connection from client to port of server.
func (s *script) dial(client, server *host, port uint16) *conn {
	c := &conn{s: s, end: [2]*host{client, server}, port: [2]uint16{s.ephemeral(), port},
		seq: [2]uint32{s.rnd.Uint32(), s.rnd.Uint32()}, rtt: 800 * time.Microsecond}
	opts := []byte{packet.TCPOptMSS, 4, 0x05, 0xb4, packet.TCPOptSACKOK, 2, packet.TCPOptNOP, packet.TCPOptWScale, 3, 7, packet.TCPOptNOP, packet.TCPOptNOP}
	c.segment(0, packet.SYN, opts, nil)
	c.segment(1, packet.SYN|packet.ACK, opts, nil)
	c.segment(0, packet.ACK, nil, nil)
	return c
}

// segment sends one segment from an end.
func (c *conn) segment(from int, flags uint8, opts, body []byte) {
	h := packet.TCP{SrcPort: c.port[from], DstPort: c.port[1-from], Seq: c.seq[from], Flags: flags, Window: 64240, Options: opts}
	if flags&packet.ACK != 0 {
		h.Ack = c.seq[1-from]
	}
	c.s.frame(c.end[from], c.end[1-from], packet.ProtoTCP, append(packet.AppendTCP(nil, h), body...))
	c.seq[from] += uint32(len(body))
	if flags&(packet.SYN|packet.FIN) != 0 {
		c.seq[from]++
	}
	c.s.pause(c.rtt)
}

// send sends data from an end, acknowledged every other segment and at its end.
func (c *conn) send(from int, data []byte) {
	for n := 1; len(data) > 0; n++ {
		part := data[:min(mss, len(data))]
		data = data[len(part):]
		flags := uint8(packet.ACK)
		if len(data) == 0 {
			flags |= packet.PSH
		}
		c.segment(from, flags, nil, part)
		if n%2 == 0 || len(data) == 0 {
			c.segment(1-from, packet.ACK, nil, nil)
		}
	}
}

func (c *conn) toServer(data string) { c.send(0, []byte(data)) }
func (c *conn) toClient(data string) { c.send(1, []byte(data)) }

// replay sends a recorded dialogue.
func (c *conn) replay(t []turn) {
	for _, x := range t {
		c.send(x.from, x.data)
	}
}

// close closes the connection, the client first.
func (c *conn) close() {
	c.segment(0, packet.FIN|packet.ACK, nil, nil)
	c.segment(1, packet.FIN|packet.ACK, nil, nil)
	c.segment(0, packet.ACK, nil, nil)
}

// reset ends the connection with a RST of the server.
func (c *conn) reset() { c.segment(1, packet.RST|packet.ACK, nil, nil) }
