package pkttest

import (
	"encoding/binary"
	"net/netip"

	"mirador/internal/packet"
)

// Sent is one frame of a flow.
type Sent struct {
	Data     []byte
	Time     int64 // Unix nanoseconds
	ToServer bool
}

// Flow makes the frames of one TCP connection or UDP conversation. Its fields may be
// changed between calls.
type Flow struct {
	Client, Server netip.AddrPort
	VLAN           []uint16
	MSS            int   // most payload of one segment; 0 means 1460
	Now            int64 // time of the next frame
	Step           int64 // time between frames; 0 means a millisecond
	ISN            [2]uint32
	Frames         []Sent

	proto  uint8
	ipID   uint16
	seq    [2]uint32 // next sequence number of client and server
	acked  [2]uint32 // what each has acknowledged of the other
	opened bool
}

// Epoch is the time of the first frame of a flow: 2026-01-01 00:00:00 UTC.
const Epoch = 1767225600_000000000

// TCP returns a connection from client to server, addresses as netip.ParseAddrPort
// takes them. It has no frames yet.
func TCP(client, server string) *Flow { return newFlow(client, server, packet.ProtoTCP) }

// UDP returns a conversation between client and server.
func UDP(client, server string) *Flow { return newFlow(client, server, packet.ProtoUDP) }

func newFlow(client, server string, proto uint8) *Flow {
	return &Flow{
		Client: netip.MustParseAddrPort(client), Server: netip.MustParseAddrPort(server),
		Now: Epoch, ISN: [2]uint32{1000, 2000000}, proto: proto,
	}
}

// who is an index: 0 the client, 1 the server.
func (f *Flow) ends(from int) (src, dst netip.AddrPort) {
	if from == 0 {
		return f.Client, f.Server
	}
	return f.Server, f.Client
}

// add wraps the transport segment l4 in IP and Ethernet.
func (f *Flow) add(from int, l4 []byte) {
	src, dst := f.ends(from)
	f.ipID++
	var ip []byte
	et := uint16(packet.EtherTypeIPv4)
	if src.Addr().Is4() {
		ip = packet.AppendIPv4(nil, packet.IPv4{Src: src.Addr().As4(), Dst: dst.Addr().As4(), ID: f.ipID, Frag: 0x4000, Proto: f.proto}, len(l4))
	} else {
		et = packet.EtherTypeIPv6
		ip = packet.AppendIPv6(nil, packet.IPv6{Src: src.Addr().As16(), Dst: dst.Addr().As16(), Next: f.proto}, len(l4))
	}
	ip = append(ip, l4...)
	packet.SetChecksums(ip)
	macs := [2][6]byte{ClientMAC, ServerMAC}
	var b []byte
	if len(f.VLAN) == 0 {
		b = packet.AppendEthernet(nil, macs[1-from], macs[from], et)
	} else {
		b = packet.AppendEthernet(nil, macs[1-from], macs[from], packet.EtherTypeVLAN)
		for i, id := range f.VLAN {
			next := uint16(packet.EtherTypeVLAN)
			if i == len(f.VLAN)-1 {
				next = et
			}
			b = packet.AppendVLAN(b, id, next)
		}
	}
	f.Frames = append(f.Frames, Sent{Data: append(b, ip...), Time: f.Now, ToServer: from == 0})
	if f.Step == 0 {
		f.Step = 1e6
	}
	f.Now += f.Step
}

// Segment adds one TCP segment as described, from the client or the server, without
// regard to the state of the connection.
func (f *Flow) Segment(toServer bool, h packet.TCP, payload []byte) *Flow {
	from := 1
	if toServer {
		from = 0
	}
	src, dst := f.ends(from)
	h.SrcPort, h.DstPort = src.Port(), dst.Port()
	if h.Window == 0 {
		h.Window = 65535
	}
	f.add(from, append(packet.AppendTCP(nil, h), payload...))
	return f
}

// Open adds the three segments that open a TCP connection.
func (f *Flow) Open() *Flow {
	f.opened = true
	mss := []byte{packet.TCPOptMSS, 4, 0x05, 0xb4, packet.TCPOptNOP, packet.TCPOptWScale, 3, 7, packet.TCPOptSACKOK, 2}
	f.Segment(true, packet.TCP{Seq: f.ISN[0], Flags: packet.SYN, Options: mss}, nil)
	f.Segment(false, packet.TCP{Seq: f.ISN[1], Ack: f.ISN[0] + 1, Flags: packet.SYN | packet.ACK, Options: mss}, nil)
	f.seq = [2]uint32{f.ISN[0] + 1, f.ISN[1] + 1}
	f.acked = [2]uint32{f.seq[1], f.seq[0]}
	f.Segment(true, packet.TCP{Seq: f.seq[0], Ack: f.seq[1], Flags: packet.ACK}, nil)
	return f
}

// ToServer and ToClient add data in segments of at most MSS bytes, each acknowledged by
// the other side; a TCP connection is opened first. With UDP they add one datagram.
func (f *Flow) ToServer(data string) *Flow { return f.send(0, data) }

// ToClient is ToServer for the other direction.
func (f *Flow) ToClient(data string) *Flow { return f.send(1, data) }

func (f *Flow) send(from int, data string) *Flow {
	if f.proto == packet.ProtoUDP {
		src, dst := f.ends(from)
		f.add(from, append(packet.AppendUDP(nil, src.Port(), dst.Port(), len(data)), data...))
		return f
	}
	if !f.opened {
		f.Open()
	}
	mss := f.MSS
	if mss == 0 {
		mss = 1460
	}
	for len(data) > 0 {
		n := min(mss, len(data))
		f.Segment(from == 0, packet.TCP{Seq: f.seq[from], Ack: f.seq[1-from], Flags: packet.ACK | packet.PSH}, []byte(data[:n]))
		f.seq[from] += uint32(n)
		f.Segment(from == 1, packet.TCP{Seq: f.seq[1-from], Ack: f.seq[from], Flags: packet.ACK}, nil)
		data = data[n:]
	}
	return f
}

// Close adds the segments that close a TCP connection, the client first.
func (f *Flow) Close() *Flow {
	f.Segment(true, packet.TCP{Seq: f.seq[0], Ack: f.seq[1], Flags: packet.FIN | packet.ACK}, nil)
	f.seq[0]++
	f.Segment(false, packet.TCP{Seq: f.seq[1], Ack: f.seq[0], Flags: packet.FIN | packet.ACK}, nil)
	f.seq[1]++
	f.Segment(true, packet.TCP{Seq: f.seq[0], Ack: f.seq[1], Flags: packet.ACK}, nil)
	return f
}

// Mirror wraps an Ethernet frame as AWS mirrors it, in an Ethernet frame of its own.
func Mirror(frame []byte, vni uint32) []byte {
	b := packet.AppendEthernet(nil, ServerMAC, ClientMAC, packet.EtherTypeIPv4)
	return append(b, MirrorIP(frame, vni)...)
}

// MirrorIP is Mirror without the outer Ethernet header.
func MirrorIP(frame []byte, vni uint32) []byte {
	d := packet.NewDecoder(packet.Options{})
	ps := d.Decode(nil, packet.LinkEthernet, frame, len(frame), 0)
	b := packet.AppendMirror(nil, [4]byte{172, 31, 0, 10}, [4]byte{172, 31, 0, 20}, packet.MirrorPort(&ps[0]), vni, len(frame))
	return append(b, frame...)
}

// GWLB wraps what MirrorIP returned as an AWS Gateway Load Balancer hands it to an
// appliance: outer IPv4, UDP 6081, GENEVE with three options.
func GWLB(ip []byte, endpoint, attachment uint64, cookie uint32) []byte {
	opts := packet.AppendAWSOptions(nil, endpoint, attachment, cookie)
	g := packet.AppendGENEVE(nil, 0, packet.EtherTypeIPv4, opts)
	n := len(g) + len(ip)
	b := packet.AppendEthernet(nil, ServerMAC, ClientMAC, packet.EtherTypeIPv4)
	b = packet.AppendIPv4(b, packet.IPv4{Src: [4]byte{10, 1, 0, 1}, Dst: [4]byte{10, 1, 0, 2}, TTL: 255, Proto: packet.ProtoUDP}, 8+n)
	b = packet.AppendUDP(b, 0xc001, packet.PortGENEVE, n)
	return append(append(b, g...), ip...)
}

// Fragments cuts an Ethernet frame with IPv4 in it into frames with at most size bytes of
// IP payload each, size a multiple of 8.
func Fragments(frame []byte, size int) [][]byte {
	d := packet.NewDecoder(packet.Options{})
	p := &d.Decode(nil, packet.LinkEthernet, frame, len(frame), 0)[0]
	head, body := frame[:p.L3+p.L3Len], frame[p.L3+p.L3Len:p.IPEnd]
	var out [][]byte
	for off := 0; off < len(body); off += size {
		end := min(off+size, len(body))
		b := append([]byte(nil), head...)
		b = append(b, body[off:end]...)
		ip := b[p.L3:]
		frag := uint16(off / 8)
		if end < len(body) {
			frag |= 0x2000
		}
		binary.BigEndian.PutUint16(ip[2:], uint16(p.L3Len+end-off))
		binary.BigEndian.PutUint16(ip[6:], frag)
		packet.SetChecksums(ip)
		out = append(out, b)
	}
	return out
}

// Pcap returns a pcap file of frames, Ethernet and nanoseconds.
func Pcap(frames []Sent) []byte {
	b := make([]byte, 24)
	binary.LittleEndian.PutUint32(b, 0xa1b23c4d)
	binary.LittleEndian.PutUint16(b[4:], 2)
	binary.LittleEndian.PutUint16(b[6:], 4)
	binary.LittleEndian.PutUint32(b[16:], 262144)
	binary.LittleEndian.PutUint32(b[20:], uint32(packet.LinkEthernet))
	for _, f := range frames {
		b = binary.LittleEndian.AppendUint32(b, uint32(f.Time/1e9))
		b = binary.LittleEndian.AppendUint32(b, uint32(f.Time%1e9))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f.Data)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f.Data)))
		b = append(b, f.Data...)
	}
	return b
}
