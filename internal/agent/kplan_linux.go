package agent

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// The memory that this process and the programs in the kernel share. The programs take
// offsets from these types; all numbers are in the order of the machine, but for what is
// bytes of packets.

// kplan is a Plan for the kernel. It is not changed once the kernel has it: another one
// takes its place.
type kplan struct {
	flags     uint32
	dns       uint32 // index of the session for DNS of the resolver; noSession: none
	sessions  uint32
	resolvers uint32
	tunnels   uint32
	rules     [4]uint32 // by direction*2 + family
	_         uint32
	resolver  [kResolvers]packet.Addr
	tunnel    [kTunnels]packet.Addr
	lane      [kSessions]klane
	hop       [maxDestinations]khop
	rule      [4][kRules]krule
}

// Flags of a kplan.
const (
	kRejectStops = 1 << iota
	kFragmentsIgnorePorts
	kAllNTP
	kNeighborDiscovery
	kAllResolver
	kWidePort
)

const noSession = 1<<32 - 1

// klane is what a session does with a packet. Lengths are in bytes, 0: no limit.
type klane struct {
	inactive uint32
	target   uint32 // 0: the target is away
	cut4     uint32
	cut6     uint32
	limit    uint32
	slot     uint32 // of its counters
	first    uint32 // its destinations in kplan.hop
	hops     uint32
}

// khop is the way to one destination.
type khop struct {
	len     uint32 // of header
	sum     uint32 // of the IPv4 header, without its length
	mtu     uint32
	ifindex uint32   // 0: there is no way
	family  uint32   // of next; with it struct bpf_redir_neigh
	next    [16]byte // the next hop's address
	v6      uint32   // the outer header is IPv6
	header  [kHeader]byte
}

// krule is a filter rule: mirror.TableRule.
type krule struct {
	src, srcMask, dst, dstMask packet.Addr
	srcFrom, srcTo             uint16
	dstFrom, dstTo             uint16
	protocol                   uint32 // anyProtocol: all
	flags                      uint16
	session                    uint16
}

// Flags of a krule.
const (
	kAccept = 1 << iota
	kPorts
)

const anyProtocol = 0xffff

// kHeader is the length of the longest outer headers that the kernel puts on.
const kHeader = lenIPv6 + lenUDP + lenVXLAN

// kstate is the memory of one processor: counters, and the frame that is being mirrored.
type kstate struct {
	tally
	job  kjob
	vars kvars
}

// kjob is what the first program tells the second one of a frame. Between them nothing
// waits: the job is done when the first goes on.
type kjob struct {
	arrived uint64 // frames that came to the second program
	active  uint32
	out     uint32 // direction: an index of tally.mirror
	slot    uint32
	port    uint32
	cut     uint32
	limit   uint32
	hop     khop
}

// words are values of maps as the library takes them: numbers in an array.
type (
	stateWords   [unsafe.Sizeof(kstate{}) / 8]uint64
	sessionWords [unsafe.Sizeof(sessionTally{}) / 8]uint64
)

// encode makes the kernel's form of p. slot tells where the counters of each session are,
// way finds the way to a destination.
func (p *Plan) encode(slot func(*mirror.Session) int, way func(src, dst netip.Addr) khop) (*kplan, error) {
	t := p.Program.Table()
	switch {
	case len(t.Sessions) > kSessions:
		return nil, unsuited("%d sessions, at most %d", len(t.Sessions), kSessions)
	case len(t.Resolvers) > kResolvers:
		return nil, unsuited("%d resolvers, at most %d", len(t.Resolvers), kResolvers)
	case len(t.Tunnels) > kTunnels:
		return nil, unsuited("%d targets, at most %d", len(t.Tunnels), kTunnels)
	}
	k := &kplan{dns: noSession, sessions: uint32(len(t.Sessions)), resolvers: uint32(len(t.Resolvers)), tunnels: uint32(len(t.Tunnels))}
	if t.DNS >= 0 {
		k.dns = uint32(t.DNS)
	}
	for flag, on := range map[uint32]bool{
		kRejectStops: t.Switches.RejectStops, kFragmentsIgnorePorts: t.Switches.FragmentsIgnorePorts, kAllNTP: t.Switches.AllNTPExcluded,
		kNeighborDiscovery: t.Switches.NeighborDiscoveryExcluded, kAllResolver: t.Switches.AllResolverTrafficIsDNS, kWidePort: t.Port == mirror.PortWide,
	} {
		if on {
			k.flags |= flag
		}
	}
	copy(k.resolver[:], t.Resolvers)
	copy(k.tunnel[:], t.Tunnels)
	for i, list := range [4][]mirror.TableRule{t.Rules[0][0], t.Rules[0][1], t.Rules[1][0], t.Rules[1][1]} {
		if len(list) > kRules {
			return nil, unsuited("%d rules of one direction and IP version, at most %d", len(list), kRules)
		}
		k.rules[i] = uint32(len(list))
		for n := range list {
			k.rule[i][n] = newKrule(&list[n])
		}
	}
	hops := 0
	sessions := p.Program.Sessions()
	for i := range sessions {
		r, s := &p.Routes[i], &t.Sessions[i]
		l := &k.lane[i]
		*l = klane{cut4: uint32(s.Length4), cut6: uint32(s.Length6), limit: uint32(s.Limit), first: uint32(hops)}
		if s.Inactive {
			l.inactive = 1
		}
		for _, n := range []int{s.Length4, s.Length6, s.Limit} {
			if n > 0 && n < kLength {
				return nil, unsuited("frames are cut to %d bytes, less than %d", n, kLength)
			}
		}
		l.slot = uint32(slot(&sessions[i].Session))
		if r.Sender == nil {
			continue
		}
		if r.GWLB != nil {
			return nil, unsuited("GENEVE")
		}
		l.target = 1
		for _, h := range newHeaders(*r, sessions[i].Session.VNI) {
			if hops == len(k.hop) {
				return nil, unsuited("more than %d destinations", len(k.hop))
			}
			x := way(h.route.Src, h.route.Dst)
			x.len, x.sum = uint32(h.len), h.outers[0].sum
			if h.outers[0].v6 {
				x.v6 = 1
			}
			copy(x.header[:], h.bytes[:h.len])
			k.hop[hops] = x
			hops++
			l.hops++
		}
	}
	return k, nil
}

func newKrule(r *mirror.TableRule) krule {
	k := krule{
		src: r.Src, srcMask: r.SrcMask, dst: r.Dst, dstMask: r.DstMask, srcFrom: r.SrcFrom, srcTo: r.SrcTo, dstFrom: r.DstFrom, dstTo: r.DstTo,
		protocol: anyProtocol, session: uint16(r.Session),
	}
	if r.Protocol >= 0 {
		k.protocol = uint32(r.Protocol)
	}
	if r.Accept {
		k.flags |= kAccept
	}
	if r.Ports {
		k.flags |= kPorts
	}
	return k
}

// setNext stores the address of the next hop.
func (h *khop) setNext(a netip.Addr) {
	h.family = unix.AF_INET
	if a.Is6() {
		h.family = unix.AF_INET6
	}
	copy(h.next[:], a.AsSlice())
}

// bytes are the memory of k.
func (k *kplan) bytes() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(k)), unsafe.Sizeof(*k)) }
