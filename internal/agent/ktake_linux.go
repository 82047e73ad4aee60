package agent

import (
	"unsafe"

	"github.com/cilium/ebpf/asm"

	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// take gives the frame to session rVar: it fills in the job and sends a clone of the
// frame to the stage.
func (a *assembly) take(m *maps, dir mirror.Direction, mark uint32, s *stage) {
	a.at("take")
	a.add(asm.JGE.Imm(rVar, kSessions, "next"))
	a.add(asm.LSh.Imm(rVar, 5), asm.Add.Reg(rVar, rPlan), asm.Add.Imm(rVar, int32(planLane))) // *klane
	lane := func(dst asm.Register, field uintptr) { a.load(dst, rVar, int(field), b32) }
	lane(asm.R1, unsafe.Offsetof(klane{}.inactive))
	a.add(asm.JNE.Imm(asm.R1, 0, "inactive"))
	lane(asm.R1, unsafe.Offsetof(klane{}.slot))
	a.put(vSlot, asm.R1)
	a.store(rState, jobField(unsafe.Offsetof(kjob{}.slot)), asm.R1, b32)
	lane(asm.R1, unsafe.Offsetof(klane{}.target))
	a.add(asm.JEq.Imm(asm.R1, 0, "no-target"))

	lane(asm.R1, unsafe.Offsetof(klane{}.limit))
	a.store(rState, jobField(unsafe.Offsetof(kjob{}.limit)), asm.R1, b32)
	lane(asm.R1, unsafe.Offsetof(klane{}.cut4))
	a.get(asm.R2, vVersion)
	a.add(asm.JEq.Imm(asm.R2, 4, "cut"))
	lane(asm.R1, unsafe.Offsetof(klane{}.cut6))
	a.at("cut")
	a.store(rState, jobField(unsafe.Offsetof(kjob{}.cut)), asm.R1, b32)

	a.sourcePort()
	a.destination()
	a.clone(m, dir, mark, s)
}

// sourcePort is mirror.SourcePort.
func (a *assembly) sourcePort() {
	port := jobField(unsafe.Offsetof(kjob{}.port))
	a.add(asm.Mov.Imm(asm.R3, 0)) // seed
	a.add(asm.Mov.Imm(asm.R2, 0)) // ports and protocol
	a.get(asm.R4, vDepth)
	a.get(asm.R5, vProto)
	a.add(asm.JEq.Imm(asm.R4, 0, "three"), asm.JEq.Imm(asm.R5, packet.ProtoTCP, "five"), asm.JEq.Imm(asm.R5, packet.ProtoUDP, "five"))
	a.at("three") // a tuple of three: the protocol is the seed, with the identifier of ICMP
	a.get(asm.R3, vICMPID)
	a.add(asm.LSh.Imm(asm.R3, 8), asm.Or.Reg(asm.R3, asm.R5), asm.Ja.Label("hash"))
	a.at("five")
	a.ports()
	a.at("hash")
	a.hash()
	a.flag(kWidePort, "wide", "")
	a.get(asm.R1, vResolver)
	a.add(asm.JNE.Imm(asm.R1, 0, "first-port"))
	a.add(asm.RSh.Imm(asm.R0, 25), asm.And.Imm(asm.R0, 0x7f), asm.Or.Imm(asm.R0, 0xff80), asm.Ja.Label("port"))
	a.at("first-port")
	a.add(asm.Mov.Imm(asm.R0, 0xff80), asm.Ja.Label("port"))
	a.at("wide")
	a.add(asm.RSh.Imm(asm.R0, 20), asm.And.Imm(asm.R0, 0x3fff), asm.Or.Imm(asm.R0, 0xc000))
	a.at("port")
	a.store(rState, port, asm.R0, b32)
}

// ports makes R2 what packet's SymmetricHash takes of the ports and the protocol, which
// is in R5.
func (a *assembly) ports() {
	a.get(asm.R2, vSrcPort)
	a.get(asm.R4, vDstPort)
	a.add(asm.Mov.Reg(asm.R1, asm.R2), asm.Add.Reg(asm.R1, asm.R4), asm.And.Imm(asm.R1, 0xffff), asm.LSh.Imm(asm.R1, 16))
	a.add(asm.Xor.Reg(asm.R2, asm.R4), asm.Or.Reg(asm.R2, asm.R1), asm.LSh.Imm(asm.R5, 32), asm.Or.Reg(asm.R2, asm.R5))
}

// destination chooses one of the session's, by a hash of the flow, and copies the way to
// it into the job.
func (a *assembly) destination() {
	a.add(asm.Mov.Imm(asm.R0, 0))
	a.load(asm.R1, rVar, int(unsafe.Offsetof(klane{}.hops)), b32)
	a.add(asm.JLE.Imm(asm.R1, 1, "hop"))
	// packet.Parsed.SymmetricHash(0), which knows the ports of SCTP and no ICMP identifier.
	a.add(asm.Mov.Imm(asm.R2, 0))
	a.get(asm.R4, vDepth)
	a.get(asm.R5, vProto)
	a.add(asm.JEq.Imm(asm.R4, 0, "flow"))
	for _, p := range []int32{packet.ProtoTCP, packet.ProtoUDP, packet.ProtoSCTP} {
		a.add(asm.JEq.Imm(asm.R5, p, "flow-ports"))
	}
	a.add(asm.Ja.Label("flow"))
	a.at("flow-ports")
	a.ports()
	a.at("flow")
	a.add(asm.Mov.Imm(asm.R3, 0))
	a.hash()
	a.load(asm.R1, rVar, int(unsafe.Offsetof(klane{}.hops)), b32)
	a.add(asm.RSh.Imm(asm.R0, 32), asm.Mul.Reg(asm.R0, asm.R1), asm.RSh.Imm(asm.R0, 32))
	a.at("hop")
	a.load(asm.R1, rVar, int(unsafe.Offsetof(klane{}.first)), b32)
	a.add(
		asm.Add.Reg(asm.R1, asm.R0), asm.JGE.Imm(asm.R1, maxDestinations, "next"),
		asm.Mul.Imm(asm.R1, int32(unsafe.Sizeof(khop{}))), asm.Add.Reg(asm.R1, rPlan), asm.Add.Imm(asm.R1, int32(planHop)),
	)
	for i := 0; i < int(unsafe.Sizeof(khop{})); i += 4 {
		a.load(asm.R2, asm.R1, i, b32)
		a.store(rState, jobField(unsafe.Offsetof(kjob{}.hop))+i, asm.R2, b32)
	}
}

// clone sends a clone to the stage and counts what has become of it.
func (a *assembly) clone(m *maps, dir mirror.Direction, mark uint32, s *stage) {
	way := int64(dir - mirror.Ingress)
	active, arrived := jobField(unsafe.Offsetof(kjob{}.active)), jobField(unsafe.Offsetof(kjob{}.arrived))
	a.segments()
	a.add(
		asm.StoreImm(rState, int16(jobField(unsafe.Offsetof(kjob{}.out))), way, b32),
		asm.Mov.Imm(asm.R1, 0), asm.StoreMem(rState, int16(arrived), asm.R1, b64),
		asm.StoreImm(rState, int16(active), 1, b32),
		asm.Mov.Imm(asm.R1, int32(mark)),
	)
	a.store(rCtx, skbMark, asm.R1, b32)
	a.add()
	a.entrance(s)
	a.add(
		asm.Mov.Reg(asm.R1, rCtx), asm.Mov.Reg(asm.R2, rVar), asm.Mov.Imm(asm.R3, 0),
		asm.FnCloneRedirect.Call(),
		asm.StoreImm(rState, int16(active), 0, b32),
	)
	a.get(asm.R1, vMark)
	a.store(rCtx, skbMark, asm.R1, b32)
	// What has not arrived is lost: no memory, or frames that the kernel could not cut.
	a.load(rVar, rState, arrived, b64)
	a.get(asm.R1, vSegments)
	a.add(asm.JLE.Reg(asm.R1, rVar, "arrived"))
	a.seen()
	a.add(asm.Sub.Reg(asm.R1, rVar))
	a.count(rState, unsafe.Offsetof(tally{}.errSplit), asm.R1)
	a.put(vSegments, asm.R1)
	a.add(asm.Ja.Label("session-errors"))
	a.at("arrived")
	a.add(asm.Mov.Reg(asm.R1, rVar))
	a.seen()
	a.add(asm.Ja.Label("next"))

	a.at("no-target")
	a.segments()
	a.get(asm.R1, vSegments)
	a.seen()
	a.count(rState, unsafe.Offsetof(tally{}.errTarget), asm.R1)
	a.at("session-errors")
	a.get(asm.R2, vSlot)
	a.lookup(m.sessions, "next")
	a.get(asm.R1, vSegments)
	a.count(asm.R0, unsafe.Offsetof(sessionTally{}.errors), asm.R1)
	a.add(asm.Ja.Label("next"))
}

// entrance makes rVar the interface of the stage that the clone goes to. A frame as on
// the wire whose checksum is complete has no need of the bridge. It overtakes none that
// takes that way: nothing waits there.
//
// The kernel does not tell whether a checksum is left to hardware, but bpf_csum_level
// answers if it is known to be right, and makes one known that nobody has looked at: not
// one that is left open. What was made so is made as it was.
func (a *assembly) entrance(s *stage) {
	const query, inc, reset = 0, 1, 3 // BPF_CSUM_LEVEL_*
	level := func(what int32) {
		a.add(asm.Mov.Reg(asm.R1, rCtx), asm.Mov.Imm(asm.R2, what), asm.FnCsumLevel.Call())
	}
	a.add(asm.Mov.Imm(rVar, int32(s.bridge)))
	a.load(asm.R1, rCtx, skbGSOSize, b32)
	a.load(asm.R2, rCtx, skbVLANPresent, b32)
	a.add(asm.Or.Reg(asm.R1, asm.R2), asm.JNE.Imm(asm.R1, 0, "entrance"))
	level(query)
	a.add(asm.JSGE.Imm(asm.R0, 0, "complete"))
	level(inc)
	level(query)
	a.add(asm.JSLT.Imm(asm.R0, 0, "entrance"))
	level(reset)
	a.at("complete")
	a.add(asm.Mov.Imm(rVar, int32(s.port)))
	a.at("entrance")
}

// hash is packet's hashPair of the addresses, with ports in R2 and the seed in R3. The
// result is in R0; rVar is kept.
func (a *assembly) hash() {
	const ports, seed, sum = vHash, vHash + 8, vHash + 16
	a.store(rState, ports, asm.R2, b64)
	a.store(rState, seed, asm.R3, b64)
	for i, v := range []int{vSrc, vDst} {
		a.load(asm.R1, rState, v, b64)
		a.load(asm.R2, rState, v+8, b64)
		a.load(asm.R3, rState, seed, b64)
		a.add(asm.HostTo(asm.LE, asm.R1, b64), asm.HostTo(asm.LE, asm.R2, b64), asm.Xor.Reg(asm.R1, asm.R3), asm.Call.Label("mix"))
		if i == 1 {
			a.load(asm.R1, rState, sum, b64)
			a.add(asm.Add.Reg(asm.R0, asm.R1))
		}
		a.store(rState, sum, asm.R0, b64)
	}
	a.load(asm.R1, rState, sum, b64)
	a.load(asm.R2, rState, ports, b64)
	a.load(asm.R3, rState, seed, b64)
	a.add(asm.Xor.Reg(asm.R2, asm.R3), asm.Call.Label("mix"))
}

// mix is packet's mix as a function: R1 and R2 to R0. The product of 128 bits is made of
// four of 64.
func (a *assembly) mix() {
	lo := func(dst, src asm.Register) []asm.Instruction {
		return []asm.Instruction{asm.Mov.Reg(dst, src), asm.LSh.Imm(dst, 32), asm.RSh.Imm(dst, 32)}
	}
	a.at("mix")
	a.number(asm.R3, 0x9e37_79b9_7f4a_7c15)
	a.add(asm.Xor.Reg(asm.R1, asm.R3))
	a.number(asm.R3, 0xd1b5_4a32_d192_ed03)
	a.add(asm.Xor.Reg(asm.R2, asm.R3))
	// R1 = a, R2 = b. R0 = a*b, the low half of the result.
	a.add(asm.Mov.Reg(asm.R0, asm.R1), asm.Mul.Reg(asm.R0, asm.R2))
	// R3 = a0, R4 = b0; then R1 = a1, R2 = b1.
	a.add(lo(asm.R3, asm.R1)...)
	a.add(lo(asm.R4, asm.R2)...)
	a.add(asm.RSh.Imm(asm.R1, 32), asm.RSh.Imm(asm.R2, 32))
	// R5 = a0*b0 >> 32 + a1*b0, which does not overflow; R3 = a0*b1 + low half of R5.
	a.add(
		asm.Mov.Reg(asm.R5, asm.R3), asm.Mul.Reg(asm.R5, asm.R4), asm.RSh.Imm(asm.R5, 32),
		asm.Mul.Reg(asm.R4, asm.R1), asm.Add.Reg(asm.R5, asm.R4),
		asm.Mul.Reg(asm.R3, asm.R2),
	)
	a.add(lo(asm.R4, asm.R5)...)
	a.add(asm.Add.Reg(asm.R3, asm.R4), asm.RSh.Imm(asm.R3, 32), asm.RSh.Imm(asm.R5, 32))
	// The high half: a1*b1 and both carries.
	a.add(
		asm.Mul.Reg(asm.R1, asm.R2), asm.Add.Reg(asm.R1, asm.R5), asm.Add.Reg(asm.R1, asm.R3),
		asm.Xor.Reg(asm.R0, asm.R1), asm.Return(),
	)
}
