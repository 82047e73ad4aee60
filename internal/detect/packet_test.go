package detect_test

import (
	"testing"

	"mirador/internal/detect"
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// one tells whether the rule body alerts on p, seen in an established flow of dir.
func one(t *testing.T, head, body string, p *packet.Parsed, set ...func(*detect.Packet)) bool {
	t.Helper()
	e := engine(t, detect.Options{StreamEvents: []string{"pkt_invalid_ack", "reassembly_seq_gap"}},
		"alert "+head+" any any -> any any ("+body+" sid:1;)")
	d := &detect.Packet{P: p, Flow: &detect.Flow{}, Established: true}
	for _, f := range set {
		f(d)
	}
	return sids(detect.NewWorker(e, nil).Inspect(d)) == "1"
}

func TestHeaderKeywords(t *testing.T) {
	tcp := func(f func(*packet.Parsed)) *packet.Parsed {
		p := tcpPacket("abc")
		f(p)
		return p
	}
	icmp := func(typ, code uint8) *packet.Parsed {
		p := parsed(1, 8, "")
		p.ICMPType, p.ICMPCode = typ, code
		copy(p.Data[20:], []byte{typ, code, 0, 0, 0x12, 0x34, 0, 7})
		return p
	}
	options := func(o ...byte) *packet.Parsed {
		p := parsed(17, 8, "x")
		data := append(append(append([]byte(nil), p.Data[:20]...), o...), p.Data[20:]...)
		p.Data, p.L3Len, p.L4, p.Payload, p.PayloadEnd = data, 20+len(o), 20+len(o), 28+len(o), len(data)
		return p
	}
	same := tcpPacket("")
	same.Dst = same.Src
	vlan := tcpPacket("")
	vlan.NVLAN, vlan.VLAN = 2, [packet.MaxVLAN]uint16{100, 200}
	for _, c := range []struct {
		head, body string
		p          *packet.Parsed
		want       bool
	}{
		{"tcp", "flags:S;", tcp(func(p *packet.Parsed) { p.Flags = packet.SYN }), true},
		{"tcp", "flags:S;", tcp(func(p *packet.Parsed) { p.Flags = packet.SYN | packet.ACK }), false},
		{"tcp", "flags:S+;", tcp(func(p *packet.Parsed) { p.Flags = packet.SYN | packet.ACK }), true},
		{"tcp", "flags:+S;", tcp(func(p *packet.Parsed) { p.Flags = packet.SYN | packet.ACK }), true},
		{"tcp", "flags:*SF;", tcp(func(p *packet.Parsed) { p.Flags = packet.SYN | packet.ACK }), true},
		{"tcp", "flags:*RF;", tcp(func(p *packet.Parsed) { p.Flags = packet.SYN | packet.ACK }), false},
		{"tcp", "flags:!S;", tcp(func(p *packet.Parsed) { p.Flags = packet.ACK }), false},
		{"tcp", "flags:S,12;", tcp(func(p *packet.Parsed) { p.Flags = packet.SYN | packet.ECE | packet.CWR }), true},
		{"tcp", "tcp.flags:R,A;", tcp(func(p *packet.Parsed) { p.Flags = packet.RST | packet.ACK }), true},
		{"tcp", "flags:0;", tcp(func(p *packet.Parsed) { p.Flags = 0 }), true},
		{"tcp", "seq:5;", tcp(func(p *packet.Parsed) { p.Seq = 5 }), true},
		{"tcp", "ack:5;", tcp(func(p *packet.Parsed) { p.Ack = 6 }), false},
		{"tcp", "tcp.ack:6;", tcp(func(p *packet.Parsed) { p.Ack = 6 }), true},
		{"tcp", "window:!1000;", tcp(func(p *packet.Parsed) { p.Window = 5 }), true},
		{"tcp", "tcp.mss:<536;", tcp(func(p *packet.Parsed) { p.MSS, p.HasMSS = 500, true }), true},
		{"tcp", "tcp.mss:<536;", tcp(func(p *packet.Parsed) {}), false},
		{"tcp", "tcp.wscale:>3;", tcp(func(p *packet.Parsed) { p.WScale, p.HasWScale = 7, true }), true},
		{"tcp", "ttl:<65;", tcp(func(p *packet.Parsed) {}), true},
		{"tcp", "ttl:!64;", tcp(func(p *packet.Parsed) {}), false},
		{"tcp", "tos:8;", tcp(func(p *packet.Parsed) { p.TOS = 8 }), true},
		{"tcp", "id:77;", tcp(func(p *packet.Parsed) { p.IPID = 77 }), true},
		{"ip", "sameip;", same, true},
		{"ip", "sameip;", tcpPacket(""), false},
		{"ip", "ip_proto:6;", tcpPacket(""), true},
		{"ip", "ip_proto:!TCP;", tcpPacket(""), false},
		{"ip", "ip_proto:udp;", tcpPacket(""), false},
		{"ip", "ip_proto:>10;", udpPacket(""), true},
		{"ip", "ipopts:rr;", options(7, 3, 4, 0), true},
		{"ip", "ipopts:lsrr;", options(7, 3, 4, 0), false},
		{"ip", "ipopts:any;", options(1, 1, 1, 0), true},
		{"ip", "ipopts:any;", udpPacket("x"), false},
		{"tcp", "fragbits:D;", tcp(func(p *packet.Parsed) { p.Data[6] = 0x40 }), true},
		{"tcp", "fragbits:M;", tcp(func(p *packet.Parsed) { p.Data[6] = 0x60 }), false},
		{"tcp", "fragbits:+M;", tcp(func(p *packet.Parsed) { p.Data[6] = 0x60 }), true},
		{"tcp", "fragoffset:>0;", tcp(func(p *packet.Parsed) { p.FragOffset = 800 }), true},
		{"icmp", "itype:8;", icmp(8, 0), true},
		{"icmp", "itype:>8;", icmp(8, 0), false},
		{"icmp", "itype:7<>20;", icmp(8, 0), true},
		{"icmp", "icode:3;", icmp(3, 3), true},
		{"icmp", "icmp_id:4660;", icmp(8, 0), true},
		{"icmp", "icmp_id:4660;", icmp(3, 0), false},
		{"icmp", "icmp_seq:7;", icmp(8, 0), true},
		{"icmp", "icmpv4.hdr; content:\"|12 34|\"; offset:4; depth:2;", icmp(8, 0), true},
		{"tcp", "vlan.id:200;", vlan, true},
		{"tcp", "vlan.id:200,0;", vlan, false},
		{"tcp", "vlan.id:200,-1;", vlan, true},
		{"tcp", "vlan.id:>50,all;", vlan, true},
		{"tcp", "vlan.layers:2;", vlan, true},
		{"ip", "ip.src; content:\"|c0 a8 01 05|\";", tcpPacket(""), true},
		{"ip", "ip.dst; content:\"|c0 a8 01 05|\";", tcpPacket(""), false},
		{"udp", "udp.hdr; bsize:8;", udpPacket("x"), true},
		{"tcp", "ipv4.hdr; content:\"|45|\"; startswith;", tcpPacket(""), true},
		{"tcp", "ipv6.hdr; content:\"|45|\"; startswith;", tcpPacket(""), false},
	} {
		if got := one(t, c.head, c.body, c.p); got != c.want {
			t.Errorf("%s %s = %v, want %v", c.head, c.body, got, c.want)
		}
	}
}

func TestFlowKeywords(t *testing.T) {
	flow := func(f func(*detect.Flow)) func(*detect.Packet) {
		return func(p *detect.Packet) { f(p.Flow) }
	}
	client := func(p *detect.Packet) { p.Dir = proto.ToClient }
	for _, c := range []struct {
		body string
		set  func(*detect.Packet)
		want bool
	}{
		{"flow:established;", func(*detect.Packet) {}, true},
		{"flow:established;", func(p *detect.Packet) { p.Established = false }, false},
		{"flow:not_established;", func(p *detect.Packet) { p.Established = false }, true},
		{"flow:stateless;", func(p *detect.Packet) { p.Established = false }, true},
		{"flow:stateless;", func(p *detect.Packet) { p.Flow = nil }, false},
		{"flow:to_server;", func(*detect.Packet) {}, true},
		{"flow:from_server;", func(*detect.Packet) {}, false},
		{"flow:to_client;", client, true},
		{"flow:to_server;", func(p *detect.Packet) { p.Flow = nil }, true},
		{"flow:to_client;", func(p *detect.Packet) { p.Flow = nil }, false},
		{"flow:from_client,established;", client, false},
		{"flow:only_frag;", func(p *detect.Packet) { p.Defrag = true }, true},
		{"flow:no_frag;", func(p *detect.Packet) { p.Defrag = true }, false},
		{"flow.age:>3;", flow(func(f *detect.Flow) { f.Start, f.Last = 1e9, 5e9 }), true},
		{"flow.age:4;", flow(func(f *detect.Flow) { f.Start, f.Last = 1.9e9, 5.1e9 }), true},
		{"flow.pkts:toserver,3;", flow(func(f *detect.Flow) { f.Pkts = [2]uint64{3, 9} }), true},
		{"flow.pkts:either,>30;", flow(func(f *detect.Flow) { f.Pkts = [2]uint64{3, 9} }), false},
		{"flow.pkts:either,>3;", flow(func(f *detect.Flow) { f.Pkts = [2]uint64{3, 9} }), true},
		{"flow.pkts_toclient:9;", flow(func(f *detect.Flow) { f.Pkts = [2]uint64{3, 9} }), true},
		{"flow.bytes:toclient,<100;", flow(func(f *detect.Flow) { f.Bytes = [2]uint64{300, 90} }), true},
		{"flow.bytes_toserver:>299;", flow(func(f *detect.Flow) { f.Bytes = [2]uint64{300, 90} }), true},
		{"flow.elephant:either;", flow(func(f *detect.Flow) { f.Elephant[1] = true }), true},
		{"flow.elephant:toserver;", flow(func(f *detect.Flow) { f.Elephant[1] = true }), false},
		{"stream_size:client,>,10;", flow(func(f *detect.Flow) { f.StreamBytes = [2]uint64{20, 5} }), true},
		{"stream_size:server,>,10;", flow(func(f *detect.Flow) { f.StreamBytes = [2]uint64{20, 5} }), false},
		{"stream_size:both,>,3;", flow(func(f *detect.Flow) { f.StreamBytes = [2]uint64{20, 5} }), true},
		{"stream_size:either,=,5;", flow(func(f *detect.Flow) { f.StreamBytes = [2]uint64{20, 5} }), true},
		{"stream-event:reassembly_seq_gap;", func(p *detect.Packet) { p.StreamEvents = []uint16{1} }, true},
		{"stream-event:reassembly_seq_gap;", func(p *detect.Packet) { p.StreamEvents = []uint16{0} }, false},
		{"dsize:0;", func(*detect.Packet) {}, true},
		{"dsize:0;", func(p *detect.Packet) { p.HasRaw, p.Raw, p.StreamAdded = true, []byte("x"), true }, true},
	} {
		if got := one(t, "tcp", c.body, tcpPacket(""), c.set); got != c.want {
			t.Errorf("%s = %v, want %v", c.body, got, c.want)
		}
	}
}

func TestDecodeEvents(t *testing.T) {
	e := engine(t, detect.Options{},
		`alert pkthdr any any -> any any (decode-event:tcp.pkt_too_small; sid:1;)`,
		`alert tcp any any -> any any (ttl:<100; sid:2;)`,
		`alert ip any any -> any any (sid:3;)`)
	p := tcpPacket("")
	p.Depth, p.Invalid = packet.DepthNet, true
	p.AddEvent(packet.TCPPktTooSmall)
	w := detect.NewWorker(e, nil)
	// A packet whose transport header is broken still has all that its IP header says.
	if got := sids(w.Inspect(&detect.Packet{P: p})); got != "1 2 3" {
		t.Errorf("broken packet: %q", got)
	}
	bare := *p
	bare.IPVersion, bare.Proto, bare.NEvents = 6, packet.ProtoHopOpts, 0
	e6 := engine(t, detect.Options{}, `alert ip any any -> any any (ttl:<100; sid:2;)`, `alert ip any any -> any any (sid:3;)`)
	if got := sids(detect.NewWorker(e6, nil).Inspect(&detect.Packet{P: &bare})); got != "3" {
		t.Errorf("IPv6 without an upper layer: %q", got)
	}
	// A fragment of IPv6 is none of what it is a part of.
	frag := *p
	frag.IPVersion, frag.Fragment, frag.Depth, frag.NEvents = 6, true, packet.DepthNet, 0
	ef := engine(t, detect.Options{}, `alert tcp any any -> any any (sid:2;)`, `alert ip any any -> any any (sid:3;)`)
	if got := sids(detect.NewWorker(ef, nil).Inspect(&detect.Packet{P: &frag})); got != "3" {
		t.Errorf("fragment of IPv6: %q", got)
	}
	none := &packet.Parsed{Data: []byte{1}}
	none.AddEvent(packet.TCPPktTooSmall)
	if got := sids(w.Inspect(&detect.Packet{P: none})); got != "1" {
		t.Errorf("packet without IP: %q", got)
	}
}

func TestIPOnly(t *testing.T) {
	e := engine(t, detect.Options{},
		`alert ip [192.168.1.0/24,1.2.3.4] any -> any any (sid:1;)`,
		`alert ip any any -> [9.9.9.9,8.8.4.4] any (sid:2;)`,
		`alert tcp any any -> any any (sid:3;)`,
		`alert ip 2001:db8::/32 any -> any any (sid:4;)`,
		`alert ip !10.0.0.0/8 any -> any any (sid:5;)`,
		`alert udp any any -> any any (sid:6;)`)
	w := detect.NewWorker(e, nil)
	f := &detect.Flow{}
	for i, want := range []string{"1 2 3 5", "5"} {
		if got := sids(w.Inspect(&detect.Packet{P: tcpPacket(""), Flow: f})); got != want {
			t.Errorf("packet %d of a flow: %q, want %q", i+1, got, want)
		}
	}
	back := tcpPacket("")
	back.Src, back.Dst = back.Dst, back.Src
	if got := sids(w.Inspect(&detect.Packet{P: back, Dir: proto.ToClient, Flow: f})); got != "3 5" {
		t.Errorf("first packet of the other direction: %q", got)
	}
	for range 2 {
		if got := sids(w.Inspect(&detect.Packet{P: tcpPacket("")})); got != "1 2 3 5" {
			t.Errorf("without flow: %q", got)
		}
	}
	six := tcpPacket("")
	six.IPVersion = 6
	six.Src = packet.Addr{0x20, 0x01, 0x0d, 0xb8, 15: 1}
	if got := sids(w.Inspect(&detect.Packet{P: six})); got != "3 4 5" {
		t.Errorf("IPv6: %q", got)
	}
}

func TestRuleOrderAndPass(t *testing.T) {
	e := engine(t, detect.Options{},
		`alert tcp any any -> any any (flowbits:isset,a; content:"x"; sid:1;)`,
		`alert tcp any any -> any any (flowbits:set,a; content:"x"; sid:2;)`,
		`alert tcp any any -> any any (content:"x"; priority:1; sid:3;)`,
		`pass tcp any any -> any any (content:"ok"; sid:4;)`,
		`drop tcp any any -> any any (content:"x"; sid:5;)`)
	s := newSession(t, e, nil, "")
	if got := s.packet(proto.ToServer, tcpPacket("x")); got != "5 2 1 3" {
		t.Errorf("order: %q", got)
	}
	s = newSession(t, e, nil, "")
	if got := s.packet(proto.ToServer, tcpPacket("x ok")); got != "" {
		t.Errorf("passed packet: %q", got)
	}
	if s.flow.Passed {
		t.Error("a match in the packet alone must not pass the flow")
	}
	if got := s.stream(proto.ToServer, "", "ok"); got != "" || !s.flow.Passed {
		t.Errorf("passed stream: %q, passed %v", got, s.flow.Passed)
	}
	if got := s.stream(proto.ToServer, "", "x"); got != "" {
		t.Errorf("after the flow was passed: %q", got)
	}
}

func TestAlertLimit(t *testing.T) {
	var rules []string
	for i := range 20 {
		rules = append(rules, `alert udp any any -> any any (content:"x"; sid:`+string(rune('1'+i/10))+string(rune('0'+i%10))+`;)`)
	}
	w := detect.NewWorker(engine(t, detect.Options{}, rules...), nil)
	if n := len(w.Inspect(&detect.Packet{P: udpPacket("x")})); n != detect.DefaultMaxAlerts {
		t.Errorf("%d alerts, want %d", n, detect.DefaultMaxAlerts)
	}
	if w.Counters.AlertOverflow != 5 {
		t.Errorf("overflow %d, want 5", w.Counters.AlertOverflow)
	}
}

// A pseudo packet at a flow's end shows what is left of the stream to rules for the
// stream only; one made while the flow goes on is a packet without bytes and flags.
func TestPseudoPackets(t *testing.T) {
	for _, c := range []struct {
		body          string
		end, going    bool
		withoutStream bool
	}{
		{body: `content:"abc";`, end: true, going: true},
		{body: `content:"abc";`, withoutStream: true},
		{body: `ip.src; content:"|c0 a8 01 05|";`, going: true},
		{body: `ip.src; content:"|c0 a8 01 05|";`, going: true, withoutStream: true},
		{body: `flow:established;`, going: true},
		{body: `flags:A;`},
		{body: `dsize:0;`},
		{body: `ttl:64;`},
		{body: `tcp.hdr; content:"|00|";`},
		{body: `flow:established; ip.src; content:"|c0 a8|"; tcp.hdr; bsize:20;`},
	} {
		for _, going := range []bool{false, true} {
			p := tcpPacket("")
			p.Data, p.L3Len, p.L4, p.L4Len, p.Payload, p.PayloadEnd = nil, 0, 0, 0, 0, 0
			p.Flags, p.Source = packet.ACK, packet.FromFlowEnd
			want := c.end
			if going {
				p.Source, want = packet.FromStreamEnd, c.going
			}
			got := one(t, "tcp", c.body, p, func(d *detect.Packet) {
				d.Pseudo = true
				if !c.withoutStream {
					d.HasRaw, d.Raw = true, []byte("xabcx")
				}
			})
			if got != want {
				t.Errorf("%s: flow goes on %v, stream %v: alert %v", c.body, going, !c.withoutStream, got)
			}
		}
	}
}

// An alert of a packet rule that names a protocol shows the transaction of the
// datagram; over TCP it shows none.
func TestDatagramTx(t *testing.T) {
	tab := fakeTable(t)
	for _, c := range []struct {
		head string
		p    *packet.Parsed
		want bool
	}{
		{"dns", udpPacket("abc"), true},
		{"dns", tcpPacket("abc"), false},
		{"udp", udpPacket("abc"), false},
	} {
		e := engine(t, detect.Options{Table: tab}, "alert "+c.head+` any any -> any any (content:"abc"; sid:1;)`)
		s := newSession(t, e, tab, "dns")
		seen := s.tx(map[string]string{"dns.query": "a"})
		seen.Inspected[proto.ToServer] = true
		next := s.tx(map[string]string{"dns.query": "b"})
		alerts := s.w.Inspect(s.fill(proto.ToServer, c.p))
		if len(alerts) != 1 || (alerts[0].Tx == proto.Tx(next)) != c.want || (alerts[0].Tx == nil) == c.want {
			t.Errorf("%s: alerts %+v, want one with a transaction: %v", c.head, alerts, c.want)
		}
	}
}

// Rules for a protocol alone see the first pseudo packet of each direction at the end
// of a flow, as in Suricata.
func TestProtocolAtFlowEnd(t *testing.T) {
	tab := fakeTable(t)
	e := engine(t, detect.Options{Table: tab},
		`alert http any any -> any any (sid:1;)`,
		`alert http any any -> any any (flow:to_server; sid:2;)`,
		`alert http any any -> any any (flow:established; sid:3;)`,
		`alert http any any -> any any (flow:no_stream; sid:4;)`,
		`alert http any any -> any any (ttl:<100; sid:5;)`)
	s := newSession(t, e, tab, "http")
	for _, c := range []struct {
		dir   proto.Dir
		again bool
		want  string
	}{
		{proto.ToServer, false, "1 2"}, {proto.ToClient, false, "1"}, {proto.ToServer, true, ""},
	} {
		p := s.fill(c.dir, tcpPacket(""))
		p.Pseudo, p.FlowEnd, p.Again = true, true, c.again
		if got := sids(s.w.Inspect(p)); got != c.want {
			t.Errorf("direction %d, again %v: %q, want %q", c.dir, c.again, got, c.want)
		}
	}
}

// A packet without a payload that shows a window of the stream has bytes, when a rule
// looks at windows of its direction. Rules for transactions look at the packet alone.
func TestSizeBesideStream(t *testing.T) {
	tab := fakeTable(t)
	for _, c := range []struct {
		name, rule, want string
	}{
		{"no rule for the stream", `alert tcp any any -> any any (msg:"x"; flags:S; sid:9;)`, "1 2"},
		{"for the other direction", `alert tcp any any -> any any (flow:to_client; content:"abc"; sid:9;)`, "1 2"},
		{"for this one", `alert tcp any any -> any any (flow:to_server; content:"abc"; sid:9;)`, "2"},
	} {
		e := engine(t, detect.Options{Table: tab}, c.rule,
			`alert tcp any any -> any any (dsize:0; sid:1;)`,
			`alert http1:request_line any any -> any any (dsize:0; sid:2;)`)
		s := newSession(t, e, tab, "http")
		tx := s.tx(map[string]string{"http.uri": "/a"})
		tx.Progress[0] = atLine
		p := s.fill(proto.ToServer, tcpPacket(""))
		p.HasRaw, p.Raw, p.StreamAdded = true, []byte("x"), true
		if got := sids(s.w.Inspect(p)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
