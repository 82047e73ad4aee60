package capture

import (
	"fmt"

	"golang.org/x/net/bpf"

	"mirador/internal/packet"
)

// A steering program is a classic BPF filter that the kernel runs over every packet to
// choose a socket of a group. It hashes the two addresses of the mirrored packet, so that
// both directions of all flows between two hosts, their fragments, and the second copy
// when both ends are mirrored meet at one socket; the source port of the outer header, by
// which the kernel would choose, is another one in each direction. Ports are left out
// because most fragments have none (docs/design/0002-steering.md). What is neither IPv4
// nor IPv6 goes to the first socket, and so does what is cut so short that a field is
// missing (a filter that reads behind the end returns 0).

// steerStart says where a program begins to read.
type steerStart uint8

const (
	steerVXLAN  steerStart = iota // at a VXLAN header: payload of UDP port 4789
	steerGENEVE                   // at a GENEVE header
	steerIP                       // at an IP header, which may carry either
)

// Scratch memory of the program.
const (
	memA = iota
	memB
	memHash
	memX
	memProto
	memHops
)

// steerMul is an odd constant for multiplicative hashing (2^32 divided by the golden
// ratio).
const steerMul = 0x9e3779b1

// steerShift drops the low bits of the product, which are the weak ones.
const steerShift = 12

// Offsets into headers, in bytes.
const (
	offEtherType  = 12
	lenEther      = 14
	lenVXLANHdr   = 8
	lenUDPHdr     = 8
	lenIPv6Hdr    = 40
	etIPv4        = packet.EtherTypeIPv4
	etIPv6        = packet.EtherTypeIPv6
	etVLAN        = packet.EtherTypeVLAN
	etQinQ        = packet.EtherTypeQinQ
	etBridge      = packet.EtherTypeBridge
	steerVLANTags = 2
)

// steerProgram returns the program that spreads over n sockets. seed makes the spread
// unpredictable.
func steerProgram(start steerStart, n int, seed uint32) ([]bpf.RawInstruction, error) {
	a := &asm{n: uint32(n), seed: seed}
	switch start {
	case steerVXLAN:
		a.setX(lenVXLANHdr)
		a.ethernet()
	case steerGENEVE:
		a.setX(0)
		a.geneve()
	case steerIP:
		a.setX(0)
		a.outerIP()
	}
	code, err := a.finish()
	if err != nil {
		return nil, err
	}
	return bpf.Assemble(code)
}

// asm builds a program. X always holds the offset of the header in question.
type asm struct {
	n, seed uint32
	code    []bpf.Instruction
	jumps   []jump
	labels  []int
}

// label is the name of a place in the program.
type label int

type jump struct {
	at int
	to label
}

func (a *asm) emit(i ...bpf.Instruction) { a.code = append(a.code, i...) }

func (a *asm) newLabel() label {
	a.labels = append(a.labels, -1)
	return label(len(a.labels) - 1)
}

func (a *asm) place(l label) { a.labels[l] = len(a.code) }

// jump goes to l, which must be further down: classic BPF has no loops.
func (a *asm) jump(l label) {
	a.jumps = append(a.jumps, jump{len(a.code), l})
	a.emit(bpf.Jump{})
}

// jumpIf goes to l when the condition holds for A. The jump itself is an instruction of
// its own, since a conditional one reaches only 255 instructions.
func (a *asm) jumpIf(cond bpf.JumpTest, val uint32, l label) {
	a.emit(bpf.JumpIf{Cond: cond, Val: val, SkipFalse: 1})
	a.jump(l)
}

// finish resolves the jumps.
func (a *asm) finish() ([]bpf.Instruction, error) {
	for _, j := range a.jumps {
		to := a.labels[j.to]
		if to <= j.at {
			return nil, fmt.Errorf("steering program jumps back from %d to %d", j.at, to)
		}
		a.code[j.at] = bpf.Jump{Skip: uint32(to - j.at - 1)}
	}
	return a.code, nil
}

func (a *asm) setX(off uint32) { a.emit(bpf.LoadConstant{Dst: bpf.RegX, Val: off}) }

// addX moves X on by k.
func (a *asm) addX(k uint32) {
	a.emit(bpf.TXA{}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: k}, bpf.TAX{})
}

// load reads size bytes at X+off into A.
func (a *asm) load(off uint32, size int) { a.emit(bpf.LoadIndirect{Off: off, Size: size}) }

// addIHL moves X behind the IPv4 header at X.
func (a *asm) addIHL() {
	a.load(0, 1)
	a.emit(
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x0f},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
		bpf.ALUOpX{Op: bpf.ALUOpAdd},
		bpf.TAX{},
	)
}

// outerIP follows an IP header at X: into a tunnel if that is what it carries, else it
// is hashed itself.
func (a *asm) outerIP() {
	plain, v6, udp, vxlan, geneve := a.newLabel(), a.newLabel(), a.newLabel(), a.newLabel(), a.newLabel()
	a.emit(bpf.StoreScratch{Src: bpf.RegX, N: memHops}) // to come back
	a.load(0, 1)
	a.emit(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4})
	a.jumpIf(bpf.JumpEqual, 6, v6)
	a.load(9, 1)
	a.jumpIf(bpf.JumpNotEqual, packet.ProtoUDP, plain)
	a.load(6, 2)
	a.jumpIf(bpf.JumpBitsSet, 0x3fff, plain)
	a.addIHL()
	a.jump(udp)
	a.place(v6)
	a.load(6, 1)
	a.jumpIf(bpf.JumpNotEqual, packet.ProtoUDP, plain)
	a.addX(lenIPv6Hdr)
	a.place(udp)
	a.load(2, 2)
	a.jumpIf(bpf.JumpEqual, packet.PortVXLAN, vxlan)
	a.jumpIf(bpf.JumpEqual, packet.PortGENEVE, geneve)
	a.place(plain)
	a.emit(bpf.LoadScratch{Dst: bpf.RegX, N: memHops})
	a.ip()
	a.place(geneve)
	a.addX(lenUDPHdr)
	a.geneve()
	a.place(vxlan)
	a.addX(lenUDPHdr + lenVXLANHdr)
	a.ethernet()
}

// geneve follows a GENEVE header at X.
func (a *asm) geneve() {
	ether, ip := a.newLabel(), a.newLabel()
	a.load(2, 2)
	a.emit(bpf.StoreScratch{Src: bpf.RegA, N: memProto})
	a.load(0, 1)
	a.emit(
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x3f},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
		bpf.ALUOpX{Op: bpf.ALUOpAdd},
		bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 8},
		bpf.TAX{},
		bpf.LoadScratch{Dst: bpf.RegA, N: memProto},
	)
	a.jumpIf(bpf.JumpEqual, etBridge, ether)
	a.jumpIf(bpf.JumpEqual, etIPv4, ip)
	a.jumpIf(bpf.JumpEqual, etIPv6, ip)
	a.emit(bpf.RetConstant{Val: 0})
	a.place(ether)
	a.ethernet()
	a.place(ip)
	a.innerIP()
}

// innerIP follows an IP header at X, into VXLAN if that is what it carries: a mirror
// target behind a Gateway Load Balancer endpoint gets it so.
func (a *asm) innerIP() {
	plain, v6, udp := a.newLabel(), a.newLabel(), a.newLabel()
	a.emit(bpf.StoreScratch{Src: bpf.RegX, N: memHops})
	a.load(0, 1)
	a.emit(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4})
	a.jumpIf(bpf.JumpEqual, 6, v6)
	a.load(9, 1)
	a.jumpIf(bpf.JumpNotEqual, packet.ProtoUDP, plain)
	a.load(6, 2)
	a.jumpIf(bpf.JumpBitsSet, 0x3fff, plain)
	a.addIHL()
	a.jump(udp)
	a.place(v6)
	a.load(6, 1)
	a.jumpIf(bpf.JumpNotEqual, packet.ProtoUDP, plain)
	a.addX(lenIPv6Hdr)
	a.place(udp)
	a.load(2, 2)
	a.jumpIf(bpf.JumpNotEqual, packet.PortVXLAN, plain)
	a.addX(lenUDPHdr + lenVXLANHdr)
	a.ethernet()
	a.place(plain)
	a.emit(bpf.LoadScratch{Dst: bpf.RegX, N: memHops})
	a.ip()
}

// ethernet hashes what is in the Ethernet frame at X, after up to two VLAN tags.
func (a *asm) ethernet() {
	ip := a.newLabel()
	a.load(offEtherType, 2)
	for range steerVLANTags {
		tag, next := a.newLabel(), a.newLabel()
		a.jumpIf(bpf.JumpEqual, etVLAN, tag)
		a.jumpIf(bpf.JumpEqual, etQinQ, tag)
		a.jump(next)
		a.place(tag)
		a.addX(4)
		a.load(offEtherType, 2)
		a.place(next)
	}
	a.jumpIf(bpf.JumpEqual, etIPv4, ip)
	a.jumpIf(bpf.JumpEqual, etIPv6, ip)
	a.emit(bpf.RetConstant{Val: 0})
	a.place(ip)
	a.addX(lenEther)
	a.ip()
}

// ip hashes the addresses of the IP packet at X and returns.
func (a *asm) ip() {
	v6, done := a.newLabel(), a.newLabel()
	a.emit(bpf.StoreScratch{Src: bpf.RegX, N: memX})
	a.emit(bpf.LoadConstant{Dst: bpf.RegA, Val: a.seed}, bpf.StoreScratch{Src: bpf.RegA, N: memHash})
	a.load(0, 1)
	a.emit(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4})
	a.jumpIf(bpf.JumpEqual, 6, v6)
	a.pair(12, 16)
	a.jump(done)
	a.place(v6)
	for w := uint32(0); w < 16; w += 4 {
		a.pair(8+w, 24+w)
	}
	a.place(done)
	a.emit(
		bpf.LoadScratch{Dst: bpf.RegA, N: memHash},
		bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: steerMul},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: steerShift},
		bpf.ALUOpConstant{Op: bpf.ALUOpMod, Val: a.n},
		bpf.RetA{},
	)
}

// pair blends the words at X+s and X+d into the hash, in a way that does not tell one
// from the other: hash = (hash + (s xor d)) * constant + (s + d). memX holds X.
func (a *asm) pair(s, d uint32) {
	a.load(s, 4)
	a.emit(bpf.StoreScratch{Src: bpf.RegA, N: memA})
	a.load(d, 4)
	a.emit(
		bpf.StoreScratch{Src: bpf.RegA, N: memB},
		bpf.LoadScratch{Dst: bpf.RegX, N: memA},
		bpf.ALUOpX{Op: bpf.ALUOpXor},
		bpf.LoadScratch{Dst: bpf.RegX, N: memHash},
		bpf.ALUOpX{Op: bpf.ALUOpAdd},
		bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: steerMul},
		bpf.LoadScratch{Dst: bpf.RegX, N: memA},
		bpf.ALUOpX{Op: bpf.ALUOpAdd},
		bpf.LoadScratch{Dst: bpf.RegX, N: memB},
		bpf.ALUOpX{Op: bpf.ALUOpAdd},
		bpf.StoreScratch{Src: bpf.RegA, N: memHash},
		bpf.LoadScratch{Dst: bpf.RegX, N: memX},
	)
}

// portFilter returns a socket filter for frames that carry UDP to one of ports. Later
// fragments of UDP have no port and pass.
func portFilter(ports []uint16) []bpf.Instruction {
	a := &asm{}
	v4, v6, udp, pass := a.newLabel(), a.newLabel(), a.newLabel(), a.newLabel()
	drop := a.newLabel()
	a.setX(lenEther)
	a.emit(bpf.LoadAbsolute{Off: offEtherType, Size: 2})
	a.jumpIf(bpf.JumpEqual, etIPv4, v4)
	a.jumpIf(bpf.JumpEqual, etIPv6, v6)
	a.jump(drop)
	a.place(v4)
	a.load(9, 1)
	a.jumpIf(bpf.JumpNotEqual, packet.ProtoUDP, drop)
	a.load(6, 2)
	a.jumpIf(bpf.JumpBitsSet, 0x1fff, pass)
	a.addIHL()
	a.jump(udp)
	a.place(v6)
	a.load(6, 1)
	a.jumpIf(bpf.JumpEqual, packet.ProtoFragment, pass)
	a.jumpIf(bpf.JumpNotEqual, packet.ProtoUDP, drop)
	a.addX(lenIPv6Hdr)
	a.place(udp)
	a.load(2, 2)
	for _, p := range ports {
		a.jumpIf(bpf.JumpEqual, uint32(p), pass)
	}
	a.place(drop)
	a.emit(bpf.RetConstant{Val: 0})
	a.place(pass)
	a.emit(bpf.RetConstant{Val: 0xffff_ffff})
	code, err := a.finish()
	if err != nil {
		panic(err) // the labels above are in order
	}
	return code
}
