package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// Plan is what a Mirror does: which session takes a packet, and where it goes then. It
// is not changed once a Mirror has it.
type Plan struct {
	Program *mirror.Program
	// Routes has one entry for each of Program.Sessions(), in their order.
	Routes []Route
}

// Route is where the packets of one session go. The caller finds out where a target is,
// and swaps in another plan when it moves. How much of a frame fits the target's MTU is
// in the Program (mirror.CompileOptions.TargetMTU).
type Route struct {
	// Src and Dst are the outer addresses: the primary address of the source interface,
	// and that of the target's interface or load balancer node. Both are of one family.
	Src, Dst netip.Addr
	// Spread are more addresses like Dst: flows are spread over all of them, both directions
	// of each to the same. Each is a Route of its own to the Sender.
	Spread []netip.Addr
	// Port is the outer destination port; 0 means 4789.
	Port uint16
	// GWLB, when not nil, wraps the packet in GENEVE as a Gateway Load Balancer does.
	GWLB *GWLB
	// Sender takes the packets away; nil means that the target is away: packets are
	// counted as errors.
	Sender Sender
}

// GWLB is the way from a Gateway Load Balancer to one of its appliances.
type GWLB struct {
	Src, Dst   netip.Addr // IPv4 addresses of the load balancer's node and the appliance
	Endpoint   uint64     // id of the endpoint's interface: the hexadecimal digits of eni-...
	Attachment uint64     // id of the attachment
}

func (r *Route) check() error {
	same := func(a, b netip.Addr) bool { return a.IsValid() && b.IsValid() && a.Is4() == b.Is4() }
	switch {
	case r.Sender == nil:
		return nil
	case !same(r.Src, r.Dst) || r.Src.Is4In6() || r.Dst.Is4In6():
		return fmt.Errorf("%v to %v: two addresses of one family are needed", r.Src, r.Dst)
	case len(r.Spread) >= maxDestinations:
		return fmt.Errorf("%d destinations, at most %d", len(r.Spread)+1, maxDestinations)
	case slices.ContainsFunc(r.Spread, func(a netip.Addr) bool { return !same(r.Src, a) || a.Is4In6() }):
		return fmt.Errorf("%v to %v: addresses of one family are needed", r.Src, r.Spread)
	case r.GWLB != nil && !(r.GWLB.Src.Is4() && r.GWLB.Dst.Is4()):
		return fmt.Errorf("%v to %v: two IPv4 addresses are needed", r.GWLB.Src, r.GWLB.Dst)
	}
	return nil
}

// lane is a Route made ready.
type lane struct {
	headers []header // one for each destination
	box     int      // index in compiled.boxes; -1: no sender
	count   *sessionCounts
	now     sessionTally
}

// compiled is a Plan made ready for one Mirror.
type compiled struct {
	program *mirror.Program
	lanes   []lane
	boxes   []box
}

// box collects what goes to one Sender.
type box struct {
	sender Sender
	batch  []Datagram
	heads  []byte // maxHead for each of batch
	notes  []note
}

// note is what is counted of a datagram once its fate is known.
type note struct {
	lane  int
	out   bool
	bytes int // of the frame as on the wire
}

// check tells what is wrong with p.
func (p *Plan) check() error {
	if p == nil || p.Program == nil {
		return errors.New("agent: a plan without a program")
	}
	sessions := p.Program.Sessions()
	if len(p.Routes) != len(sessions) {
		return fmt.Errorf("agent: %d routes for %d sessions", len(p.Routes), len(sessions))
	}
	for i := range sessions {
		if err := p.Routes[i].check(); err != nil {
			return fmt.Errorf("agent: session %q: %w", sessions[i].Session.ID, err)
		}
	}
	return nil
}

// compile checks p and makes it ready. Counters of sessions are kept by id.
func (m *Mirror) compile(p *Plan) (*compiled, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	sessions := p.Program.Sessions()
	c := &compiled{program: p.Program, lanes: make([]lane, len(sessions))}
	for i := range sessions {
		r := p.Routes[i]
		l := &c.lanes[i]
		*l = lane{box: -1, count: m.counts.session(&sessions[i].Session)}
		if r.Sender == nil {
			continue
		}
		l.headers = newHeaders(r, sessions[i].Session.VNI)
		l.box = slices.IndexFunc(c.boxes, func(b box) bool { return b.sender == r.Sender })
		if l.box < 0 {
			l.box = len(c.boxes)
			c.boxes = append(c.boxes, box{sender: r.Sender, heads: make([]byte, maxBatch*maxHead), batch: make([]Datagram, 0, maxBatch), notes: make([]note, 0, maxBatch)})
		}
	}
	return c, nil
}

// header is the outer headers of a session, all but what depends on the frame.
type header struct {
	route  *Route
	bytes  [maxHead]byte
	len    int
	outers [2]outer // outermost first
	n      int
	cookie int // offset of the flow cookie of a Gateway Load Balancer, 0: none
	inner  int // offset of the UDP header before VXLAN
}

// outer is an IP header with UDP after it within a header.
type outer struct {
	at  int    // offset
	v6  bool   //
	sum uint32 // of the IPv4 header without its length
}

// newHeaders makes the headers for each destination of r.
func newHeaders(r Route, vni uint32) []header {
	var all []header
	for _, dst := range append([]netip.Addr{r.Dst}, r.Spread...) {
		to := r
		to.Dst, to.Spread = dst, nil
		all = append(all, newHeader(&to, vni))
	}
	return all
}

// newHeader makes the headers that packet.AppendMirror makes, for a frame of 0 bytes and
// with source port 0.
func newHeader(r *Route, vni uint32) header {
	h := header{route: r}
	b := h.bytes[:0]
	if g := r.GWLB; g != nil {
		h.add(outer{at: 0})
		b = packet.AppendIPv4(b, packet.IPv4{Src: g.Src.As4(), Dst: g.Dst.As4(), TTL: 255, Proto: packet.ProtoUDP}, 0)
		b = packet.AppendUDP(b, 0, portGENEVE, 0)
		b = packet.AppendGENEVE(b, 0, etherType(r.Dst), packet.AppendAWSOptions(nil, g.Endpoint, g.Attachment, 0))
		h.cookie = len(b) - 4
	}
	h.add(outer{at: len(b), v6: r.Dst.Is6()})
	if r.Dst.Is6() {
		b = packet.AppendMirror6(b, r.Src.As16(), r.Dst.As16(), 0, vni, 0)
	} else {
		b = packet.AppendMirror(b, r.Src.As4(), r.Dst.As4(), 0, vni, 0)
	}
	h.len = len(b)
	h.inner = len(b) - lenVXLAN - lenUDP
	if r.Port != 0 {
		binary.BigEndian.PutUint16(b[h.inner+2:], r.Port)
	}
	for i := range h.n {
		o := &h.outers[i]
		if o.v6 {
			continue
		}
		ip := b[o.at : o.at+lenIPv4]
		binary.BigEndian.PutUint16(ip[2:], 0)
		binary.BigEndian.PutUint16(ip[10:], 0)
		o.sum = uint32(^packet.InternetChecksum(ip))
	}
	return h
}

func (h *header) add(o outer) { h.outers[h.n] = o; h.n++ }

func etherType(a netip.Addr) uint16 {
	if a.Is6() {
		return packet.EtherTypeIPv6
	}
	return packet.EtherTypeIPv4
}

// put writes the headers for a mirrored frame of n bytes into b.
func (h *header) put(b []byte, port uint16, flow uint32, n int) {
	b = b[:h.len]
	copy(b, h.bytes[:h.len])
	for i := range h.n {
		o := &h.outers[i]
		total := h.len - o.at + n
		udp := o.at + lenIPv6
		if o.v6 {
			binary.BigEndian.PutUint16(b[o.at+4:], uint16(total-lenIPv6))
		} else {
			udp = o.at + lenIPv4
			binary.BigEndian.PutUint16(b[o.at+2:], uint16(total))
			s := o.sum + uint32(total)
			s = s>>16 + s&0xffff
			binary.BigEndian.PutUint16(b[o.at+10:], ^uint16(s))
		}
		binary.BigEndian.PutUint16(b[udp:], port)
		binary.BigEndian.PutUint16(b[udp+4:], uint16(total+o.at-udp))
	}
	if h.cookie > 0 {
		binary.BigEndian.PutUint32(b[h.cookie:], flow)
	}
}
