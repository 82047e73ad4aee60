package agent

import (
	"encoding/binary"
	"unsafe"

	"github.com/cilium/ebpf/asm"

	"mirador/internal/packet"
)

// kvars is what the program that decides knows of a frame: numbers in the order of the
// machine. They lie in memory of the processor and not on the stack, so that the kernel's
// verifier, which tries all ways through the program, does not take note of each value:
// the ways meet again.
type kvars struct {
	src, dst         packet.Addr
	buf              [40]byte // headers
	hash             [3]uint64
	srcPort, dstPort uint32
	proto            uint32 // upper-layer protocol
	hasPorts         uint32
	end              uint32 // of the IP packet, an offset in the frame
	l4               uint32 // of the upper-layer header
	depth            uint32 // 1: the upper-layer header is whole and sound
	icmpType, icmpID uint32
	version          uint32 // 4 or 6
	fragOff          uint32
	head             uint32 // length of the upper-layer header
	wire             uint32 // length of the frame on the wire
	trunc            uint32 // 1: cut before the end of the IP packet
	tags             uint32
	rejected         uint32 // the session that has rejected the frame
	reason           uint32 // that of the frame, should no session take it
	fragHdr          uint32 // a fragment header was met
	resolver         uint32 // an answer of the Amazon resolver
	dns              uint32 // DNS of the resolver
	segments         uint32 // frames on the wire, and the bytes in them
	bytes            uint32
	mark             uint32 // what the frame's mark was
	slot             uint32 // of the session's counters
}

// Offsets of the variables in kstate.
const (
	vars      = int(unsafe.Offsetof(kstate{}.vars))
	vSrc      = vars + int(unsafe.Offsetof(kvars{}.src))
	vDst      = vars + int(unsafe.Offsetof(kvars{}.dst))
	vBuf      = vars + int(unsafe.Offsetof(kvars{}.buf))
	vHash     = vars + int(unsafe.Offsetof(kvars{}.hash))
	vSrcPort  = vars + int(unsafe.Offsetof(kvars{}.srcPort))
	vDstPort  = vars + int(unsafe.Offsetof(kvars{}.dstPort))
	vProto    = vars + int(unsafe.Offsetof(kvars{}.proto))
	vHasPorts = vars + int(unsafe.Offsetof(kvars{}.hasPorts))
	vEnd      = vars + int(unsafe.Offsetof(kvars{}.end))
	vL4       = vars + int(unsafe.Offsetof(kvars{}.l4))
	vDepth    = vars + int(unsafe.Offsetof(kvars{}.depth))
	vICMPType = vars + int(unsafe.Offsetof(kvars{}.icmpType))
	vICMPID   = vars + int(unsafe.Offsetof(kvars{}.icmpID))
	vVersion  = vars + int(unsafe.Offsetof(kvars{}.version))
	vFragOff  = vars + int(unsafe.Offsetof(kvars{}.fragOff))
	vHead     = vars + int(unsafe.Offsetof(kvars{}.head))
	vWire     = vars + int(unsafe.Offsetof(kvars{}.wire))
	vTrunc    = vars + int(unsafe.Offsetof(kvars{}.trunc))
	vTags     = vars + int(unsafe.Offsetof(kvars{}.tags))
	vRejected = vars + int(unsafe.Offsetof(kvars{}.rejected))
	vReason   = vars + int(unsafe.Offsetof(kvars{}.reason))
	vFragHdr  = vars + int(unsafe.Offsetof(kvars{}.fragHdr))
	vResolver = vars + int(unsafe.Offsetof(kvars{}.resolver))
	vDNS      = vars + int(unsafe.Offsetof(kvars{}.dns))
	vSegments = vars + int(unsafe.Offsetof(kvars{}.segments))
	vBytes    = vars + int(unsafe.Offsetof(kvars{}.bytes))
	vMark     = vars + int(unsafe.Offsetof(kvars{}.mark))
	vSlot     = vars + int(unsafe.Offsetof(kvars{}.slot))
)

// decode finds the headers as packet.Decoder does for the first layer of a frame:
// Ethernet with up to three VLAN tags, IPv4, IPv6 with extension headers, and so much of
// TCP, UDP and ICMP as rules and hash need. It goes on at "class", or at "not-ip" and
// "arp".
//
// Unlike the decoder it knows nothing of MPLS, PPPoE and other headers that a network
// interface of a VPC does not see; such frames are not IP.
func (a *assembly) decode() {
	for _, v := range []int{vSrcPort, vDstPort, vHasPorts, vDepth, vICMPType, vICMPID, vFragOff, vHead, vTrunc, vTags, vFragHdr} {
		a.set(v, 0)
	}
	// A tag that the network card, or the kernel, has taken off is part of the frame.
	a.load(asm.R1, rCtx, skbLen, b32)
	a.load(asm.R2, rCtx, skbVLANPresent, b32)
	a.add(asm.JEq.Imm(asm.R2, 0, "ethernet"), asm.Add.Imm(asm.R1, lenVLAN))
	a.set(vTags, 1)
	a.at("ethernet")
	a.put(vWire, asm.R1)
	a.set(vSegments, 1)
	a.put(vBytes, asm.R1)
	a.add(asm.Mov.Imm(rVar, 0))
	a.frame(rVar, vBuf, lenEthernet, "not-ip")
	a.add(asm.Mov.Imm(rVar, lenEthernet))
	a.net16(asm.R1, rState, vBuf+12)
	for range packet.MaxVLAN + 1 {
		tag, next := a.local("tag"), a.local("tagged")
		for _, t := range []int32{0x8100, 0x88a8, 0x9100} {
			a.add(asm.JEq.Imm(asm.R1, t, tag))
		}
		a.add(asm.Ja.Label("ip"))
		a.at(tag)
		a.get(asm.R2, vTags)
		a.add(asm.JGE.Imm(asm.R2, packet.MaxVLAN, "not-ip"), asm.Add.Imm(asm.R2, 1))
		a.put(vTags, asm.R2)
		a.frame(rVar, vBuf, lenVLAN, "not-ip")
		a.add(asm.Add.Imm(rVar, lenVLAN))
		a.net16(asm.R1, rState, vBuf+2)
		a.at(next)
	}
	a.add(asm.Ja.Label("not-ip"))
	a.at("ip") // type in R1, offset in rVar
	a.add(
		asm.JEq.Imm(asm.R1, packet.EtherTypeIPv4, "ipv4"),
		asm.JEq.Imm(asm.R1, packet.EtherTypeIPv6, "ipv6"),
		asm.JEq.Imm(asm.R1, 0x0806, "arp"),
		asm.Ja.Label("not-ip"),
	)
	a.ipv4()
	a.ipv6()
	a.transport()
}

// length checks the length that an IP header of R2 bytes at rVar claims, which is in R1:
// it sets vEnd and vTrunc. A frame that stands for several may be longer than what the
// header has room for.
func (a *assembly) length() {
	whole, done := a.local("length"), a.local("length")
	a.load(asm.R3, rCtx, skbLen, b32)
	a.add(
		asm.Mov.Reg(asm.R4, asm.R3),
		asm.Sub.Reg(asm.R4, rVar), // what there is
		asm.JLE.Reg(asm.R1, asm.R4, whole),
	)
	a.put(vEnd, asm.R3)
	a.set(vTrunc, 1)
	a.add(asm.JGT.Reg(asm.R2, asm.R4, "not-ip"), asm.Ja.Label(done))
	a.at(whole)
	a.add(asm.Add.Reg(asm.R1, rVar))
	a.put(vEnd, asm.R1)
	a.at(done)
}

// large makes R1 the length of what there is, when it is want and the frame stands for
// several.
func (a *assembly) large(want int32) {
	no := a.local("large")
	a.load(asm.R3, rCtx, skbGSOSize, b32)
	a.add(asm.JEq.Imm(asm.R3, 0, no), asm.JNE.Imm(asm.R1, want, no))
	a.load(asm.R1, rCtx, skbLen, b32)
	a.add(asm.Sub.Reg(asm.R1, rVar))
	a.at(no)
}

func (a *assembly) ipv4() {
	a.at("ipv4")
	a.set(vVersion, 4)
	a.frame(rVar, vBuf, lenIPv4, "not-ip")
	a.load(asm.R2, rState, vBuf, b8)
	a.add(
		asm.Mov.Reg(asm.R3, asm.R2),
		asm.RSh.Imm(asm.R3, 4),
		asm.JNE.Imm(asm.R3, 4, "not-ip"),
		asm.And.Imm(asm.R2, 0x0f),
		asm.LSh.Imm(asm.R2, 2), // length of the header
		asm.JLT.Imm(asm.R2, lenIPv4, "not-ip"),
	)
	a.net16(asm.R1, rState, vBuf+2)
	a.large(0)
	a.add(asm.JLT.Reg(asm.R1, asm.R2, "not-ip"))
	a.length()
	a.add(asm.Add.Reg(asm.R2, rVar))
	a.put(vL4, asm.R2)
	a.load(asm.R1, rState, vBuf+9, b8)
	a.put(vProto, asm.R1)
	mapped := binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff})
	for i, v := range []int{vSrc, vDst} {
		a.set(v, 0)
		a.set(v+4, 0)
		a.add(asm.Mov.Imm(asm.R1, int32(mapped)))
		a.put(v+8, asm.R1)
		a.get(asm.R1, vBuf+12+4*i)
		a.put(v+12, asm.R1)
	}
	a.net16(asm.R1, rState, vBuf+6)
	a.add(
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.And.Imm(asm.R2, 0x3fff), // more to come, or an offset
		asm.JEq.Imm(asm.R2, 0, "transport"),
		asm.And.Imm(asm.R1, 0x1fff),
	)
	a.put(vFragOff, asm.R1)
	a.add(asm.Ja.Label("ports"))
}

func (a *assembly) ipv6() {
	a.at("ipv6")
	a.set(vVersion, 6)
	a.frame(rVar, vBuf, lenIPv6, "not-ip")
	a.load(asm.R2, rState, vBuf, b8)
	a.add(asm.RSh.Imm(asm.R2, 4), asm.JNE.Imm(asm.R2, 6, "not-ip"))
	a.net16(asm.R1, rState, vBuf+4)
	a.add(asm.Add.Imm(asm.R1, lenIPv6))
	a.large(lenIPv6)
	a.add(asm.Mov.Imm(asm.R2, lenIPv6))
	a.length()
	for i := range 2 {
		a.load(asm.R1, rState, vBuf+8+8*i, b64)
		a.store(rState, vSrc+8*i, asm.R1, b64)
		a.load(asm.R1, rState, vBuf+24+8*i, b64)
		a.store(rState, vDst+8*i, asm.R1, b64)
	}
	a.load(asm.R1, rState, vBuf+6, b8)
	a.put(vProto, asm.R1)
	a.add(asm.Add.Imm(rVar, lenIPv6)) // from here on that of the next header
	for range kExtHdrs {
		a.extensionHeader()
	}
	a.put(vL4, rVar)
	a.add(asm.Ja.Label("transport"))
}

// extensionHeader goes past one, or to "transport".
func (a *assembly) extensionHeader() {
	plain, auth, fragment, have, next := a.local("ext"), a.local("ext"), a.local("ext"), a.local("ext"), a.local("ext")
	a.put(vL4, rVar)
	a.get(asm.R1, vProto)
	for _, proto := range []int32{packet.ProtoHopOpts, packet.ProtoDstOpts, packet.ProtoRouting, packet.ProtoMobility, packet.ProtoHIP, packet.ProtoShim6} {
		a.add(asm.JEq.Imm(asm.R1, proto, plain))
	}
	a.add(asm.JEq.Imm(asm.R1, packet.ProtoAH, plain), asm.JEq.Imm(asm.R1, packet.ProtoFragment, plain), asm.Ja.Label("transport"))
	a.at(plain)
	// All are of 8 bytes or more. What is cut ends the search.
	a.get(asm.R2, vEnd)
	a.add(asm.Sub.Reg(asm.R2, rVar), asm.JSLT.Imm(asm.R2, 8, "class"))
	a.frame(rVar, vBuf, 8, "class")
	a.get(asm.R1, vProto)
	a.load(asm.R3, rState, vBuf+1, b8)
	a.add(asm.JEq.Imm(asm.R1, packet.ProtoAH, auth), asm.JEq.Imm(asm.R1, packet.ProtoFragment, fragment))
	a.add(asm.Add.Imm(asm.R3, 1), asm.LSh.Imm(asm.R3, 3), asm.Ja.Label(have))
	a.at(auth)
	a.add(asm.Add.Imm(asm.R3, 2), asm.LSh.Imm(asm.R3, 2), asm.JGE.Imm(asm.R3, 12, have), asm.Mov.Imm(asm.R3, 12), asm.Ja.Label(have))
	a.at(fragment)
	a.add(asm.Mov.Imm(asm.R3, 8))
	a.at(have) // length in R3
	a.get(asm.R2, vEnd)
	a.add(asm.Sub.Reg(asm.R2, rVar), asm.JSGT.Reg(asm.R3, asm.R2, "class"))
	a.add(asm.Add.Reg(rVar, asm.R3))
	a.load(asm.R2, rState, vBuf, b8)
	a.put(vProto, asm.R2)
	a.add(asm.JNE.Imm(asm.R1, packet.ProtoFragment, next))
	// The first fragment header counts. One with offset 0 and nothing to come is none.
	a.get(asm.R2, vFragHdr)
	a.add(asm.JNE.Imm(asm.R2, 0, next))
	a.set(vFragHdr, 1)
	a.net16(asm.R2, rState, vBuf+2)
	a.add(asm.Mov.Reg(asm.R3, asm.R2), asm.And.Imm(asm.R3, 0xfff9), asm.JEq.Imm(asm.R3, 0, next), asm.And.Imm(asm.R2, 0xfff8))
	a.put(vFragOff, asm.R2)
	a.put(vL4, rVar)
	a.add(asm.Ja.Label("ports"))
	a.at(next)
}

// transport reads the upper-layer header at vL4. One that is cut or wrong still has
// ports, if its first four bytes are there ("ports").
func (a *assembly) transport() {
	a.at("transport")
	a.get(rVar, vL4)
	a.get(asm.R1, vProto)
	a.add(asm.JEq.Imm(asm.R1, packet.ProtoTCP, "tcp"), asm.JEq.Imm(asm.R1, packet.ProtoUDP, "udp"), asm.JEq.Imm(asm.R1, packet.ProtoSCTP, "sctp"))
	a.get(asm.R2, vVersion)
	a.add(asm.JEq.Imm(asm.R2, 6, "six"), asm.JEq.Imm(asm.R1, packet.ProtoICMP, "icmp"), asm.Ja.Label("class"))
	a.at("six")
	a.add(asm.JEq.Imm(asm.R1, packet.ProtoICMPv6, "icmp"), asm.Ja.Label("class"))

	// enough reads n bytes of the header, if the packet has them.
	enough := func(n int, short string) {
		a.get(asm.R1, vEnd)
		a.add(asm.Sub.Reg(asm.R1, rVar), asm.JSLT.Imm(asm.R1, int32(n), short))
		a.frame(rVar, vBuf, n, short)
		a.get(asm.R1, vEnd)
		a.add(asm.Sub.Reg(asm.R1, rVar)) // what there is of header and payload
	}
	ports := func() {
		for i, v := range []int{vSrcPort, vDstPort} {
			a.net16(asm.R2, rState, vBuf+2*i)
			a.put(v, asm.R2)
		}
	}
	a.at("tcp")
	enough(20, "ports")
	a.load(asm.R2, rState, vBuf+12, b8)
	a.add(
		asm.RSh.Imm(asm.R2, 4), asm.LSh.Imm(asm.R2, 2),
		asm.JGT.Reg(asm.R2, asm.R1, "ports"), asm.JLT.Imm(asm.R2, 20, "ports"),
	)
	a.put(vHead, asm.R2)
	a.add(asm.Ja.Label("sound"))

	a.at("udp")
	enough(lenUDP, "ports")
	a.net16(asm.R2, rState, vBuf+4)
	a.add(asm.JLE.Reg(asm.R2, asm.R1, "udp-length"))
	a.get(asm.R3, vTrunc)
	a.load(asm.R4, rCtx, skbGSOSize, b32)
	a.add(asm.Or.Reg(asm.R3, asm.R4), asm.JEq.Imm(asm.R3, 0, "ports"), asm.Mov.Reg(asm.R2, asm.R1))
	a.at("udp-length")
	a.add(asm.JLT.Imm(asm.R2, lenUDP, "ports"))
	a.set(vHead, lenUDP)
	a.at("sound")
	a.set(vDepth, 1)
	a.set(vHasPorts, 1)
	ports()
	a.add(asm.Ja.Label("class"))

	a.at("sctp") // ports for the choice of a destination alone
	enough(12, "class")
	a.set(vDepth, 1)
	ports()
	a.add(asm.Ja.Label("class"))

	a.at("icmp")
	enough(8, "class")
	a.set(vDepth, 1)
	a.load(asm.R1, rState, vBuf, b8)
	a.put(vICMPType, asm.R1)
	a.get(asm.R2, vVersion)
	types := [][]int32{{0, 8, 13, 14, 15, 16, 17, 18}, {128, 129}} // those with an identifier
	a.add(asm.JEq.Imm(asm.R2, 6, "icmp6"))
	for i, list := range types {
		for _, t := range list {
			a.add(asm.JEq.Imm(asm.R1, t, "icmp-id"))
		}
		a.add(asm.Ja.Label("class"))
		if i == 0 {
			a.at("icmp6")
		}
	}
	a.at("icmp-id")
	a.net16(asm.R1, rState, vBuf+4)
	a.put(vICMPID, asm.R1)
	a.add(asm.Ja.Label("class"))

	a.at("ports")
	a.get(rVar, vL4)
	a.get(asm.R1, vProto)
	a.add(asm.JEq.Imm(asm.R1, packet.ProtoTCP, "has-ports"), asm.JEq.Imm(asm.R1, packet.ProtoUDP, "has-ports"), asm.Ja.Label("class"))
	a.at("has-ports")
	a.get(asm.R1, vFragOff)
	a.add(asm.JNE.Imm(asm.R1, 0, "class"))
	enough(4, "class")
	ports()
	a.set(vHasPorts, 1)
}
