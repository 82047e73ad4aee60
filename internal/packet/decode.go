package packet

import "encoding/binary"

// Options configure a Decoder. The zero value is Suricata's default
// configuration, but for StopTruncated.
type Options struct {
	// VXLANPorts, GENEVEPorts are the UDP destination ports that carry these
	// tunnels, TeredoPorts the ports of either side; nil means 4789, 6081 and 3544.
	// An empty list that is not nil turns the tunnel off (decoder.vxlan.enabled).
	VXLANPorts, GENEVEPorts, TeredoPorts []uint16
	// VXLANStrict refuses VXLAN headers whose reserved bits are not 0, instead of
	// ignoring them as RFC 7348 section 5 says
	// (decoder.vxlan.reserved-bits-check: strict).
	VXLANStrict bool
	// NoVNTag turns off VN-Tag (decoder.vntag.enabled: false).
	NoVNTag bool
	// NoERSPANI takes GRE with protocol 0x88be and no sequence number as unknown,
	// instead of as ERSPAN type I.
	NoERSPANI bool
	// StopTruncated stops at an IP packet of the frame itself (not of a tunnel) that
	// is longer than its frame, as
	// Suricata does: event trunc_pkt, no addresses. Without it such a packet has
	// the event too, but is Truncated and decoded as far as it goes: that is how
	// mirrored packets look that AWS has cut.
	StopTruncated bool
	// AnyInner decodes Ethernet frames inside VXLAN whatever their EtherType, so that
	// each has a layer: a mirror tunnel carries all that an interface saw. Without it
	// those of unknown types stay payload, as for Suricata.
	AnyInner bool
	// MaxLayers bounds the headers of one frame (decoder.max-layers); 0 means the
	// constant MaxLayers, which is also the most.
	MaxLayers int
}

// Decoder finds the headers of frames. It is read-only after NewDecoder and may be
// shared by workers.
type Decoder struct {
	opts      Options
	maxLayers uint8
}

// Ports of the tunnels when Options does not say (IANA; RFC 7348, 8926, 4380).
const (
	PortVXLAN  = 4789
	PortGENEVE = 6081
	PortTeredo = 3544
)

// NewDecoder returns a Decoder for o. It keeps the port lists.
func NewDecoder(o Options) *Decoder {
	if o.VXLANPorts == nil {
		o.VXLANPorts = []uint16{PortVXLAN}
	}
	if o.GENEVEPorts == nil {
		o.GENEVEPorts = []uint16{PortGENEVE}
	}
	if o.TeredoPorts == nil {
		o.TeredoPorts = []uint16{PortTeredo}
	}
	d := &Decoder{opts: o, maxLayers: MaxLayers}
	if o.MaxLayers > 0 && o.MaxLayers < MaxLayers {
		d.maxLayers = uint8(o.MaxLayers)
	}
	return d
}

// Decode appends to dst the packets found in one frame and returns it: first the
// frame's own, then one for each tunnel inside, outermost first. There is always at
// least one. data is the frame from its link header on, as captured, and is kept in
// the results; wireLen is its length on the wire (less than len(data) counts as
// equal) and t its time in Unix nanoseconds. It does not allocate while dst has room
// for MaxLayers more.
func (d *Decoder) Decode(dst []Parsed, link Link, data []byte, wireLen int, t int64) []Parsed {
	dst = grow(dst)
	p := &dst[len(dst)-1]
	p.Data = data
	p.WireLen = max(wireLen, len(data))
	p.Time = t
	p.Link = link
	var in inner
	d.link(p, link, &in)
	return d.tunnels(dst, &in)
}

// DecodeIP is Decode for a packet that begins at its IP header: one that was put
// together from fragments, or was cut out of something else. src becomes its Source.
// When parent is not nil, it is the packet that data came from: VLAN tags, VNI,
// recursion level and the count of layers are taken from it.
func (d *Decoder) DecodeIP(dst []Parsed, data []byte, t int64, parent *Parsed, src Source) []Parsed {
	return d.DecodeAt(dst, data, 0, t, parent, src)
}

// DecodeAt is DecodeIP for data whose IP header is at l3, after a copy of the link
// headers of parent (parent.Data[:parent.L3]). Then the Ethernet addresses are taken
// over too, and the result has the link type of parent: that is how Suricata shows a
// reassembled packet. It panics when l3 is not within data.
func (d *Decoder) DecodeAt(dst []Parsed, data []byte, l3 int, t int64, parent *Parsed, src Source) []Parsed {
	var from Parsed
	if parent != nil {
		from = *parent // parent may be in dst, which may move
	}
	_ = data[:l3]
	dst = grow(dst)
	p := &dst[len(dst)-1]
	p.Data = data
	p.WireLen = len(data)
	p.Time = t
	p.Link = LinkRaw12
	p.Source = src
	if parent != nil {
		p.EtherSrc, p.EtherDst, p.EtherHdrType = from.EtherSrc, from.EtherDst, from.EtherHdrType
		p.NVLAN, p.VLAN = from.NVLAN, from.VLAN
		p.VNI, p.Recursion = from.VNI, from.Recursion
		if l3 > 0 || from.L3 == 0 {
			p.Link = from.Link
			p.HasEther, p.Ether = from.HasEther && l3 > 0, from.Ether
		}
		// The layers before IP stay counted; the IP header itself is met again.
		if from.Layers > 0 {
			p.Layers = from.Layers - 1
		}
	}
	var in inner
	d.rawIP(p, l3, &in)
	return d.tunnels(dst, &in)
}

// grow makes room for one more Parsed, all zero.
func grow(dst []Parsed) []Parsed {
	if n := len(dst); n < cap(dst) {
		dst = dst[:n+1]
		dst[n] = Parsed{}
		return dst
	}
	return append(dst, Parsed{})
}

// innerKind says what a tunnel carries.
type innerKind uint8

const (
	innerNone innerKind = iota
	innerEthernet
	innerIPv4
	innerIPv6
	innerPPP
	innerVLAN
	innerARP
	innerERSPAN2
)

// inner is the packet inside a tunnel: bytes off..end of the outer packet's Data. The
// decoding functions fill in the one they are handed when they find a tunnel.
type inner struct {
	off, end int
	vni      uint32
	kind     innerKind
	src      Source
}

// set fills in the fields one by one, which is faster than a literal: that is built
// beside and copied.
func (in *inner) set(kind innerKind, off, end int, src Source) {
	in.kind, in.src = kind, src
	in.off, in.end = off, end
	in.vni = 0
}

// tunnels decodes the packet in within the last element of dst, and what is within that.
// It ends because every packet counts a layer.
func (d *Decoder) tunnels(dst []Parsed, in *inner) []Parsed {
	for in.kind != innerNone {
		n := len(dst)
		if dst[n-1].Layers+1 >= d.maxLayers {
			dst[n-1].fail(TooManyLayers)
			return dst
		}
		dst = grow(dst)
		outer, p := &dst[n-1], &dst[n]
		p.Data = outer.Data[in.off:in.end:in.end]
		p.WireLen = len(p.Data)
		if outer.Truncated {
			p.WireLen = max(p.WireLen, outer.L3+outer.IPTotal-in.off)
		}
		p.Time = outer.Time
		p.Source = in.src
		p.VNI = in.vni
		p.Layers = outer.Layers
		p.Recursion = outer.Recursion + 1
		kind := in.kind
		in.kind = innerNone
		d.inner(p, kind, in)
		if p.Source == FromTunnelTeredo && p.Invalid {
			// Something else that looked like IPv6, on a port that is nobody's in particular.
			dst[n-1].Seen &^= SeenTeredo
			return dst[:n]
		}
	}
	return dst
}

// inner decodes p, whose Data begins with what kind says.
func (d *Decoder) inner(p *Parsed, kind innerKind, in *inner) {
	p.Link = LinkRaw12
	switch kind {
	case innerEthernet:
		p.Link = LinkEthernet
		d.ethernet(p, 0, in)
	case innerIPv4:
		d.ipv4(p, 0, in)
	case innerIPv6:
		d.ipv6(p, 0, in)
	case innerPPP:
		d.ppp(p, 0, in)
	case innerVLAN:
		d.payload(p, 0, etVLAN, unknownVLAN, in)
	case innerARP:
		d.arp(p, 0, in)
	case innerERSPAN2:
		p.Link = LinkEthernet
		d.erspan2(p, in)
	}
}

// enter counts one more header; false means that there are too many and decoding
// ends here.
func (d *Decoder) enter(p *Parsed) bool {
	p.Layers++
	if p.Layers < d.maxLayers {
		return true
	}
	p.fail(TooManyLayers)
	return false
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
