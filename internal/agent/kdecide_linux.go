package agent

import (
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// maps are what the programs share with this process.
type maps struct {
	plan     *ebpf.Map // array of one map: an array with one kplan
	state    *ebpf.Map // kstate by processor
	sessions *ebpf.Map // sessionTally by processor, by slot
	limit    *ebpf.Map // klimit of all processors
}

// Offsets of what the programs use most.
var (
	planRule  = unsafe.Offsetof(kplan{}.rule)
	planRules = unsafe.Offsetof(kplan{}.rules)
	planFlags = unsafe.Offsetof(kplan{}.flags)
	planLane  = unsafe.Offsetof(kplan{}.lane)
	planHop   = unsafe.Offsetof(kplan{}.hop)
	jobAt     = unsafe.Offsetof(kstate{}.job)
)

// jobField is the offset of a field of the job.
func jobField(field uintptr) int { return int(jobAt + field) }

// Values that a program at tcx returns, uapi/linux/bpf.h.
const (
	tcxNext = -1
	tcxDrop = 2
)

// decideProgram is mirror.Program.Decide for the frames of one direction, in the order
// in which that does it. A frame that a session takes is cloned and goes to the stage;
// what is ours has the mark, and is let pass. The frame itself always goes on unchanged;
// production is the limits that it has a part in.
func decideProgram(m *maps, dir mirror.Direction, mark uint32, s *stage, production []krate) asm.Instructions {
	a := &assembly{vars: rState}
	a.add(asm.Mov.Reg(rCtx, asm.R1))
	a.load(asm.R1, rCtx, skbMark, b32)
	a.add(asm.JEq.Imm32(asm.R1, int32(mark), "next"))
	a.add(asm.Mov.Imm(asm.R2, 0))
	a.lookup(m.state, "next")
	a.add(asm.Mov.Reg(rState, asm.R0), asm.Mov.Imm(asm.R2, 0))
	a.lookup(m.plan, "next")
	a.add(asm.Mov.Reg(asm.R1, asm.R0), asm.Mov.Imm(asm.R2, 0))
	a.lookupIn("next")
	a.add(asm.Mov.Reg(rPlan, asm.R0))
	a.load(asm.R1, rCtx, skbMark, b32)
	a.put(vMark, asm.R1)
	if len(production) > 0 {
		a.produce(m.limit, production)
	}

	a.decode()
	a.class()
	a.rules(dir)
	a.take(m, dir, mark, s)

	for _, x := range []struct {
		label  string
		reason mirror.Reason
	}{
		{"not-ip", mirror.ReasonNotIP}, {"arp", mirror.ReasonARP}, {"metadata", mirror.ReasonMetadata}, {"ntp", mirror.ReasonNTP},
		{"activation", mirror.ReasonActivation}, {"own-tunnel", mirror.ReasonOwnTunnel}, {"dhcp", mirror.ReasonDHCP},
		{"neighbor", mirror.ReasonNeighbor}, {"resolver-off", mirror.ReasonResolver}, {"no-sessions", mirror.ReasonNoSessions},
		{"inactive", mirror.ReasonInactiveTarget},
	} {
		a.at(x.label)
		a.add(asm.Mov.Imm(rVar, int32(x.reason)), asm.Ja.Label("pass"))
	}
	a.at("no-rule")
	a.get(rVar, vReason)
	// Nobody mirrors it, for the reason in rVar.
	a.at("pass")
	a.add(asm.JGE.Imm(rVar, int32(mirror.NumReasons), "next"))
	a.segments()
	a.get(asm.R1, vSegments)
	a.seen()
	a.add(asm.LSh.Imm(rVar, 3), asm.Add.Reg(rVar, rState))
	a.count(rVar, unsafe.Offsetof(tally{}.notMirrored), asm.R1)
	a.at("next")
	a.add(asm.Mov.Imm(asm.R0, tcxNext), asm.Return())
	a.mix()
	return a.ins
}

// seen counts R1 frames on the wire with vBytes in them.
func (a *assembly) seen() {
	a.count(rState, unsafe.Offsetof(tally{}.frames), asm.R1)
	a.get(asm.R2, vBytes)
	a.count(rState, unsafe.Offsetof(tally{}.bytes), asm.R2)
}

// segments sets vSegments and vBytes for a frame that stands for several on the wire:
// each has the headers and a part of the payload.
func (a *assembly) segments() {
	a.load(asm.R1, rCtx, skbGSOSize, b32)
	one, known := a.local("one"), a.local("segments")
	a.add(asm.JEq.Imm(asm.R1, 0, one))
	a.load(asm.R3, rCtx, skbGSOSegs, b32)
	a.get(asm.R2, vHead)
	a.add(asm.JEq.Imm(asm.R2, 0, known)) // not TCP or UDP: what the kernel says
	a.get(asm.R4, vL4)
	a.add(asm.Add.Reg(asm.R2, asm.R4)) // headers
	a.get(asm.R3, vEnd)
	a.add(
		asm.Sub.Reg(asm.R3, asm.R2),
		asm.Add.Reg(asm.R3, asm.R1), asm.Sub.Imm(asm.R3, 1), asm.Div.Reg(asm.R3, asm.R1),
		asm.JEq.Imm(asm.R3, 0, one),
	)
	a.get(asm.R4, vWire)
	a.load(asm.R5, rCtx, skbLen, b32)
	a.add(asm.Sub.Reg(asm.R4, asm.R5), asm.Add.Reg(asm.R2, asm.R4)) // the VLAN tag is a header too
	a.add(asm.Mov.Reg(asm.R1, asm.R3), asm.Sub.Imm(asm.R1, 1), asm.Mul.Reg(asm.R1, asm.R2))
	a.get(asm.R2, vBytes)
	a.add(asm.Add.Reg(asm.R1, asm.R2))
	a.put(vBytes, asm.R1)
	a.at(known)
	a.add(asm.JEq.Imm(asm.R3, 0, one))
	a.put(vSegments, asm.R3)
	a.at(one)
}

// class is mirror.Program.class: what rules are not asked for.
func (a *assembly) class() {
	a.at("class")
	a.service(vSrc, vSrcPort)
	a.service(vDst, vDstPort)
	a.get(asm.R1, vProto)
	a.add(asm.JNE.Imm(asm.R1, packet.ProtoUDP, "no-udp"))
	a.ownTunnel()
	a.get(asm.R1, vHasPorts)
	a.add(asm.JEq.Imm(asm.R1, 0, "no-udp"))
	a.get(asm.R1, vSrcPort)
	a.get(asm.R2, vDstPort)
	a.get(asm.R3, vVersion)
	a.add(asm.JEq.Imm(asm.R3, 6, "dhcp6"))
	dhcp := func(ports ...int32) {
		for _, p := range ports {
			a.add(asm.JEq.Imm(asm.R1, p, "dhcp"), asm.JEq.Imm(asm.R2, p, "dhcp"))
		}
	}
	dhcp(67, 68)
	a.add(asm.Ja.Label("ntp-port"))
	a.at("dhcp6")
	dhcp(546, 547)
	a.at("ntp-port")
	a.flag(kAllNTP, "", "no-udp")
	a.add(asm.JEq.Imm(asm.R1, 123, "ntp"), asm.JEq.Imm(asm.R2, 123, "ntp"))

	a.at("no-udp")
	a.flag(kNeighborDiscovery, "", "resolver")
	a.get(asm.R1, vVersion)
	a.add(asm.JNE.Imm(asm.R1, 6, "resolver"))
	a.get(asm.R1, vProto)
	a.add(asm.JNE.Imm(asm.R1, packet.ProtoICMPv6, "resolver"))
	a.get(asm.R1, vDepth)
	a.add(asm.JEq.Imm(asm.R1, 0, "resolver"))
	a.get(asm.R1, vICMPType)
	a.add(asm.JLT.Imm(asm.R1, 133, "resolver"), asm.JLE.Imm(asm.R1, 137, "neighbor"))
	a.resolver()
}

// flag jumps to set or clear by a flag of the plan; an empty label goes on. It uses R3.
func (a *assembly) flag(f int32, set, clear string) {
	a.load(asm.R3, rPlan, int(planFlags), b32)
	a.add(asm.And.Imm(asm.R3, f))
	if set != "" {
		a.add(asm.JNE.Imm(asm.R3, 0, set))
	}
	if clear != "" {
		a.add(asm.JEq.Imm(asm.R3, 0, clear))
	}
}

// service tells whether the end of the packet whose address and port are at addr and
// port is one of the services that are never mirrored: see mirror's service.
func (a *assembly) service(addr, port int) {
	six, act, no := a.local("six"), a.local("activation"), a.local("service")
	a.load(asm.R1, rState, addr, b64)
	a.load(asm.R2, rState, addr+8, b64)
	a.add(asm.HostTo(asm.BE, asm.R2, b64), asm.JNE.Imm(asm.R1, 0, six))
	a.number(asm.R4, 0xffff_a9fea9) // 169.254.169.0/24
	a.add(
		asm.Mov.Reg(asm.R3, asm.R2), asm.RSh.Imm(asm.R3, 8), asm.JNE.Reg(asm.R3, asm.R4, no),
		asm.And.Imm(asm.R2, 0xff),
		asm.JEq.Imm(asm.R2, 254, "metadata"), asm.JEq.Imm(asm.R2, 123, "ntp"),
		asm.JEq.Imm(asm.R2, 250, act), asm.JEq.Imm(asm.R2, 251, act), asm.Ja.Label(no),
	)
	a.at(six)
	a.number(asm.R4, 0xfd00_0ec2_0000_0000)
	a.add(
		asm.HostTo(asm.BE, asm.R1, b64), asm.JNE.Reg(asm.R1, asm.R4, no),
		asm.JEq.Imm(asm.R2, 0x254, "metadata"), asm.JEq.Imm(asm.R2, 0x123, "ntp"),
		asm.JEq.Imm(asm.R2, 0x250, act), asm.JEq.Imm(asm.R2, 0x240, act), asm.Ja.Label(no),
	)
	a.at(act)
	a.get(asm.R1, vProto)
	a.add(asm.JNE.Imm(asm.R1, packet.ProtoTCP, no))
	a.get(asm.R1, vHasPorts)
	a.add(asm.JEq.Imm(asm.R1, 0, no))
	a.get(asm.R1, port)
	a.add(asm.JEq.Imm(asm.R1, 1688, "activation"))
	a.at(no)
}

// each goes through a list of addresses of the plan. found is added for one that is
// address v; it may leave by a jump. It uses rVar and R1 to R4.
func (a *assembly) each(count, list uintptr, most int32, vs []int, found func(v int)) {
	loop, done := a.local("each"), a.local("each")
	a.add(asm.Mov.Imm(rVar, 0))
	a.at(loop)
	a.load(asm.R1, rPlan, int(count), b32)
	a.add(asm.JGE.Imm(rVar, most, done), asm.JGE.Reg(rVar, asm.R1, done))
	for _, v := range vs {
		other := a.local("other")
		a.add(asm.Mov.Reg(asm.R2, rVar), asm.LSh.Imm(asm.R2, 4), asm.Add.Reg(asm.R2, rPlan))
		for i := range 2 {
			a.load(asm.R3, asm.R2, int(list)+8*i, b64)
			a.load(asm.R4, rState, v+8*i, b64)
			a.add(asm.JNE.Reg(asm.R3, asm.R4, other))
		}
		found(v)
		a.at(other)
	}
	a.add(asm.Add.Imm(rVar, 1), asm.Ja.Label(loop))
	a.at(done)
}

// ownTunnel goes to "own-tunnel" for UDP to a target: VXLAN, GENEVE, and later fragments.
func (a *assembly) ownTunnel() {
	a.each(unsafe.Offsetof(kplan{}.tunnels), unsafe.Offsetof(kplan{}.tunnel), kTunnels, []int{vDst}, func(int) {
		a.get(asm.R3, vHasPorts)
		a.add(asm.JEq.Imm(asm.R3, 0, "own-tunnel"))
		a.get(asm.R3, vDstPort)
		a.add(asm.JEq.Imm(asm.R3, portVXLAN, "own-tunnel"), asm.JEq.Imm(asm.R3, portGENEVE, "own-tunnel"))
	})
}

// resolver takes DNS of the Amazon resolver to the session for it.
func (a *assembly) resolver() {
	a.at("resolver")
	a.set(vDNS, 0)
	a.set(vResolver, 0)
	a.each(unsafe.Offsetof(kplan{}.resolvers), unsafe.Offsetof(kplan{}.resolver), kResolvers, []int{vSrc, vDst}, func(v int) {
		yes, no := a.local("dns"), a.local("dns")
		port := vDstPort
		if v == vSrc {
			a.set(vResolver, 1)
			port = vSrcPort
		}
		a.flag(kAllResolver, yes, "")
		a.get(asm.R3, vProto)
		tcpOrUDP := a.local("dns")
		a.add(asm.JEq.Imm(asm.R3, packet.ProtoTCP, tcpOrUDP), asm.JNE.Imm(asm.R3, packet.ProtoUDP, no))
		a.at(tcpOrUDP)
		a.get(asm.R3, vHasPorts)
		a.add(asm.JEq.Imm(asm.R3, 0, yes))
		a.get(asm.R3, port)
		a.add(asm.JNE.Imm(asm.R3, 53, no))
		a.at(yes)
		a.set(vDNS, 1)
		a.at(no)
	})
	a.get(asm.R1, vDNS)
	a.add(asm.JEq.Imm(asm.R1, 0, "rules"))
	a.load(rVar, rPlan, int(unsafe.Offsetof(kplan{}.dns)), b32)
	a.add(asm.JGE.Imm(rVar, kSessions, "resolver-off"))
	a.add(asm.Ja.Label("take"))
}

// rules is the search of mirror.Program.Decide.
func (a *assembly) rules(dir mirror.Direction) {
	a.at("rules")
	a.load(asm.R1, rPlan, int(unsafe.Offsetof(kplan{}.sessions)), b32)
	a.add(asm.JEq.Imm(asm.R1, 0, "no-sessions"))
	a.set(vResolver, 0)
	a.set(vReason, int64(mirror.ReasonNoRule))
	a.set(vRejected, noSession>>1)
	a.get(asm.R1, vVersion)
	a.add(asm.JEq.Imm(asm.R1, 6, "rules6"))
	a.list(int(dir-mirror.Ingress)*2, false)
	a.at("rules6")
	a.list(int(dir-mirror.Ingress)*2+1, true)
}

// list looks through one list of rules.
func (a *assembly) list(n int, six bool) {
	const size = int32(unsafe.Sizeof(krule{}))
	loop, more, hit, ports := a.local("rule"), a.local("rule"), a.local("rule"), a.local("rule")
	a.add(asm.Mov.Imm(rVar, 0))
	a.at(loop)
	a.load(asm.R1, rPlan, int(planRules)+4*n, b32)
	a.add(asm.JGE.Imm(rVar, kRules, "no-rule"), asm.JGE.Reg(rVar, asm.R1, "no-rule"))
	a.add(
		asm.Mov.Reg(asm.R2, rVar), asm.Mul.Imm(asm.R2, size), asm.Add.Reg(asm.R2, rPlan),
		asm.Add.Imm(asm.R2, int32(planRule)+int32(n)*kRules*size),
	)
	// Where a session has rejected the packet its other rules do not matter.
	a.load(asm.R3, asm.R2, int(unsafe.Offsetof(krule{}.session)), b16)
	a.get(asm.R4, vRejected)
	a.add(asm.JEq.Reg(asm.R3, asm.R4, more))
	proto := a.local("rule")
	a.load(asm.R3, asm.R2, int(unsafe.Offsetof(krule{}.protocol)), b32)
	a.add(asm.JEq.Imm(asm.R3, anyProtocol, proto))
	a.get(asm.R4, vProto)
	a.add(asm.JNE.Reg(asm.R3, asm.R4, more))
	a.at(proto)
	for _, x := range []struct {
		v         int
		net, mask uintptr
	}{
		{vSrc, unsafe.Offsetof(krule{}.src), unsafe.Offsetof(krule{}.srcMask)},
		{vDst, unsafe.Offsetof(krule{}.dst), unsafe.Offsetof(krule{}.dstMask)},
	} {
		differ := func(at int, s asm.Size) {
			a.load(asm.R3, rState, x.v+at, s)
			a.load(asm.R4, asm.R2, int(x.net)+at, s)
			a.load(asm.R5, asm.R2, int(x.mask)+at, s)
			a.add(asm.Xor.Reg(asm.R3, asm.R4), asm.And.Reg(asm.R3, asm.R5), asm.JNE.Imm(asm.R3, 0, more))
		}
		if six {
			differ(0, b64)
			differ(8, b64)
		} else {
			differ(12, b32) // before it all is as in any IPv4 address
		}
	}
	a.load(asm.R5, asm.R2, int(unsafe.Offsetof(krule{}.flags)), b16)
	a.add(asm.JSet.Imm(asm.R5, kPorts, ports), asm.Ja.Label(hit))
	a.at(ports)
	havePorts := a.local("rule")
	a.get(asm.R3, vHasPorts)
	a.add(asm.JNE.Imm(asm.R3, 0, havePorts))
	a.flag(kFragmentsIgnorePorts, hit, more)
	a.at(havePorts)
	for _, x := range []struct {
		v        int
		from, to uintptr
	}{
		{vSrcPort, unsafe.Offsetof(krule{}.srcFrom), unsafe.Offsetof(krule{}.srcTo)},
		{vDstPort, unsafe.Offsetof(krule{}.dstFrom), unsafe.Offsetof(krule{}.dstTo)},
	} {
		a.get(asm.R3, x.v)
		a.load(asm.R4, asm.R2, int(x.from), b16)
		a.add(asm.JLT.Reg(asm.R3, asm.R4, more))
		a.load(asm.R4, asm.R2, int(x.to), b16)
		a.add(asm.JGT.Reg(asm.R3, asm.R4, more))
	}
	a.at(hit)
	a.load(asm.R3, asm.R2, int(unsafe.Offsetof(krule{}.session)), b16)
	accept := a.local("accept")
	a.add(asm.JSet.Imm(asm.R5, kAccept, accept))
	a.put(vRejected, asm.R3)
	a.set(vReason, int64(mirror.ReasonReject))
	a.flag(kRejectStops, "no-rule", "")
	a.at(more)
	a.add(asm.Add.Imm(rVar, 1), asm.Ja.Label(loop))
	a.at(accept)
	a.add(asm.Mov.Reg(rVar, asm.R3), asm.Ja.Label("take"))
}
