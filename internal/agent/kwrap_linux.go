package agent

import (
	"unsafe"

	"github.com/cilium/ebpf/asm"

	"mirador/internal/packet"
)

// Where the program that wraps keeps what it knows.
const (
	wWire  = -8  // length of the frame
	wKeep  = -12 // bytes of it that are mirrored
	wBuf   = -32 // 14 bytes: the Ethernet header of the frame
	wLimit = -40 // *klimit
	wCost  = -56 // of the frame, by klimit.until
)

// Flags of bpf_skb_adjust_room, uapi/linux/bpf.h.
const (
	roomMAC       = 1      // mode: between the Ethernet and the IP header
	roomIPv4      = 1 << 1 // the outer headers
	roomIPv6      = 1 << 2
	roomUDP       = 1 << 4
	roomEthernet  = 1<<6 | lenEthernet<<56 // the inner frame has an Ethernet header
	lenFakeTagged = lenEthernet + lenVLAN
)

// wrapProgram puts the outer headers on what comes to the stage, one frame as on the wire
// at a time, and sends it to the next hop: the kernel knows its Ethernet address, or
// finds it. All else that comes there, from a host that greets a new network, is dropped.
func wrapProgram(m *maps, mark uint32, rates []krate) asm.Instructions {
	a := &assembly{vars: asm.RFP}
	a.add(asm.Mov.Reg(rCtx, asm.R1))
	a.load(asm.R1, rCtx, skbMark, b32)
	a.add(asm.JNE.Imm32(asm.R1, int32(mark), "drop"))
	a.add(asm.Mov.Imm(asm.R2, 0))
	a.lookup(m.state, "drop")
	a.add(asm.Mov.Reg(rState, asm.R0))
	a.load(asm.R1, rState, jobField(unsafe.Offsetof(kjob{}.active)), b32)
	a.load(asm.R2, rCtx, skbGSOSize, b32)
	a.add(asm.JEq.Imm(asm.R1, 0, "drop"), asm.JNE.Imm(asm.R2, 0, "drop"))
	a.countOne(rState, uintptr(jobField(unsafe.Offsetof(kjob{}.arrived))))
	a.load(asm.R2, rState, jobField(unsafe.Offsetof(kjob{}.slot)), b32)
	a.lookup(m.sessions, "drop")
	a.add(asm.Mov.Reg(rVar, asm.R0)) // *sessionTally
	a.keep()
	if len(rates) > 0 {
		a.admit(m.limit, rates)
	}
	a.trim()
	a.load(asm.R1, rState, jobHop(unsafe.Offsetof(khop{}.v6)), b32)
	a.add(asm.JNE.Imm(asm.R1, 0, "outer6"))
	a.wrap(lenIPv4)
	a.at("outer6")
	a.wrap(lenIPv6)

	a.at("failed")
	a.countOne(rState, unsafe.Offsetof(tally{}.errSend))
	a.countOne(rVar, unsafe.Offsetof(sessionTally{}.errors))
	a.at("drop")
	a.add(asm.Mov.Imm(asm.R0, tcxDrop), asm.Return())
	return a.ins
}

// jobHop is the offset of a field of the job's destination.
func jobHop(field uintptr) int { return jobField(unsafe.Offsetof(kjob{}.hop) + field) }

// keep finds out how much of the frame is mirrored, and refuses what is too long for the
// way.
func (a *assembly) keep() {
	a.load(asm.R1, rCtx, skbLen, b32)
	a.put(wWire, asm.R1)
	for _, x := range []struct{ limit, count uintptr }{
		{unsafe.Offsetof(kjob{}.cut), unsafe.Offsetof(sessionTally{}.cutLength)},
		{unsafe.Offsetof(kjob{}.limit), unsafe.Offsetof(sessionTally{}.cutMTU)},
	} {
		whole := a.local("whole")
		a.load(asm.R2, rState, jobField(x.limit), b32)
		a.add(asm.JEq.Imm(asm.R2, 0, whole), asm.JLE.Reg(asm.R1, asm.R2, whole), asm.Mov.Reg(asm.R1, asm.R2))
		a.countOne(rVar, x.count)
		a.at(whole)
	}
	a.put(wKeep, asm.R1)
	a.load(asm.R2, rState, jobHop(unsafe.Offsetof(khop{}.ifindex)), b32)
	a.add(asm.JEq.Imm(asm.R2, 0, "failed"))
	a.load(asm.R2, rState, jobHop(unsafe.Offsetof(khop{}.len)), b32)
	a.add(asm.Add.Reg(asm.R1, asm.R2))
	a.load(asm.R2, rState, jobHop(unsafe.Offsetof(khop{}.mtu)), b32)
	a.add(asm.JGT.Reg(asm.R1, asm.R2, "failed"))
}

// trim cuts the frame, before there are outer headers: after that the kernel refuses.
func (a *assembly) trim() {
	a.get(asm.R2, wKeep)
	a.get(asm.R3, wWire)
	a.add(
		asm.JEq.Reg(asm.R2, asm.R3, "kept"),
		asm.Mov.Reg(asm.R1, rCtx), asm.Mov.Imm(asm.R3, 0),
		asm.FnSkbChangeTail.Call(), asm.JNE.Imm(asm.R0, 0, "failed"),
	)
	a.at("kept")
}

// wrap puts on outer headers with an IP header of ip bytes, and ends the program.
func (a *assembly) wrap(ip int) {
	head := ip + lenUDP + lenVXLAN
	other := a.local("other")
	a.add(asm.Mov.Imm(asm.R2, 0))
	a.frame(asm.R2, wBuf, lenEthernet, "failed")
	a.load(asm.R1, rCtx, skbProtocol, b32)
	for _, t := range []uint16{packet.EtherTypeIPv4, packet.EtherTypeIPv6} {
		a.add(asm.JEq.Imm(asm.R1, int32(networkOrder(t)), a.labelOf("ip", ip)))
	}
	a.add(asm.Ja.Label(other))

	// The kernel makes room after the Ethernet header, and knows that outer headers come
	// there.
	a.at(a.labelOf("ip", ip))
	flags := uint64(roomIPv4)
	if ip == lenIPv6 {
		flags = roomIPv6
	}
	a.add(asm.Mov.Reg(asm.R1, rCtx), asm.Mov.Imm(asm.R2, int32(head+lenEthernet)), asm.Mov.Imm(asm.R3, roomMAC))
	a.number(asm.R4, flags|roomUDP|roomEthernet)
	a.add(asm.FnSkbAdjustRoom.Call(), asm.JNE.Imm(asm.R0, 0, "failed"))
	a.space(lenEthernet + head + lenEthernet)
	for i := range 7 { // R1: data
		a.add(asm.StoreImm(asm.R1, int16(2*i), 0, b16)) // made anew on the way out
	}
	for i := range 7 {
		a.load(asm.R2, asm.RFP, wBuf+2*i, b16)
		a.store(asm.R1, lenEthernet+head+2*i, asm.R2, b16)
	}
	a.outer(lenEthernet, ip)
	a.add(asm.Ja.Label(a.labelOf("send", ip)))

	// Behind a VLAN tag the kernel does not know what comes. The outer headers get a tag
	// too, and when that is taken off the kernel sees that they are IP.
	a.at(other)
	a.add(
		asm.Mov.Reg(asm.R1, rCtx), asm.Mov.Imm(asm.R2, int32(head+lenFakeTagged)), asm.Mov.Imm(asm.R3, 0),
		asm.FnSkbChangeHead.Call(), asm.JNE.Imm(asm.R0, 0, "failed"),
	)
	a.space(head + lenFakeTagged)
	for i := range 6 {
		a.add(asm.StoreImm(asm.R1, int16(2*i), 0, b16))
	}
	proto := uint16(packet.EtherTypeIPv4)
	if ip == lenIPv6 {
		proto = packet.EtherTypeIPv6
	}
	for i, v := range []uint16{0x8100, 0, proto} {
		a.add(asm.StoreImm(asm.R1, int16(12+2*i), int64(networkOrder(v)), b16))
	}
	a.outer(lenFakeTagged, ip)
	a.add(asm.Mov.Reg(asm.R1, rCtx), asm.FnSkbVlanPop.Call(), asm.JNE.Imm(asm.R0, 0, "failed"))

	a.at(a.labelOf("send", ip))
	a.mirrored(head)
	a.load(asm.R1, rState, jobHop(unsafe.Offsetof(khop{}.ifindex)), b32)
	a.add(
		asm.Mov.Reg(asm.R2, rState), asm.Add.Imm(asm.R2, int32(jobHop(unsafe.Offsetof(khop{}.family)))),
		asm.Mov.Imm(asm.R3, 20), // sizeof(struct bpf_redir_neigh): family and address
		asm.Mov.Imm(asm.R4, 0),
		asm.FnRedirectNeigh.Call(),
		asm.Return(),
	)
}

// labelOf is a label of the part of the program for an IP header of ip bytes.
func (*assembly) labelOf(name string, ip int) string {
	if ip == lenIPv6 {
		return name + "-6"
	}
	return name + "-4"
}

// space makes R1 the frame, of which n bytes are there.
func (a *assembly) space(n int) {
	a.load(asm.R1, rCtx, skbData, b32)
	a.load(asm.R3, rCtx, skbDataEnd, b32)
	a.add(asm.Mov.Reg(asm.R2, asm.R1), asm.Add.Imm(asm.R2, int32(n)), asm.JGT.Reg(asm.R2, asm.R3, "failed"))
}

// outer writes the outer headers at off of the frame in R1: header.put.
func (a *assembly) outer(off, ip int) {
	head := ip + lenUDP + lenVXLAN
	for i := 0; i < head; i += 4 {
		a.load(asm.R2, rState, jobHop(unsafe.Offsetof(khop{}.header))+i, b32)
		a.store(asm.R1, off+i, asm.R2, b32)
	}
	put := func(at int) { // R2
		a.add(asm.HostTo(asm.BE, asm.R2, b16))
		a.store(asm.R1, off+at, asm.R2, b16)
	}
	a.get(asm.R3, wKeep)
	a.add(asm.Add.Imm(asm.R3, int32(head))) // from the outer IP header on
	a.add(asm.Mov.Reg(asm.R2, asm.R3))
	if ip == lenIPv6 {
		a.add(asm.Sub.Imm(asm.R2, lenIPv6))
		put(4)
	} else {
		put(2)
		a.load(asm.R2, rState, jobHop(unsafe.Offsetof(khop{}.sum)), b32)
		a.add(
			asm.Add.Reg(asm.R2, asm.R3),
			asm.Mov.Reg(asm.R4, asm.R2), asm.RSh.Imm(asm.R4, 16), asm.And.Imm(asm.R2, 0xffff), asm.Add.Reg(asm.R2, asm.R4),
			asm.Xor.Imm(asm.R2, 0xffff),
		)
		put(10)
	}
	a.load(asm.R2, rState, jobField(unsafe.Offsetof(kjob{}.port)), b32)
	put(ip)
	a.add(asm.Mov.Reg(asm.R2, asm.R3), asm.Sub.Imm(asm.R2, int32(ip)))
	put(ip + 4)
}

// mirrored counts the frame.
func (a *assembly) mirrored(head int) {
	a.load(asm.R1, rState, jobField(unsafe.Offsetof(kjob{}.out)), b32)
	a.add(asm.And.Imm(asm.R1, 1), asm.LSh.Imm(asm.R1, 3))
	a.get(asm.R2, wWire)
	for _, x := range []struct {
		base           asm.Register
		packets, bytes uintptr
	}{
		{rState, unsafe.Offsetof(tally{}.mirrorPackets), unsafe.Offsetof(tally{}.mirror)},
		{rVar, unsafe.Offsetof(sessionTally{}.packets), unsafe.Offsetof(sessionTally{}.bytes)},
	} {
		a.add(asm.Mov.Reg(asm.R3, x.base), asm.Add.Reg(asm.R3, asm.R1))
		a.countOne(asm.R3, x.packets)
		a.count(asm.R3, x.bytes, asm.R2)
	}
	a.get(asm.R2, wKeep)
	a.add(asm.Add.Imm(asm.R2, int32(head)))
	a.count(rVar, unsafe.Offsetof(sessionTally{}.sent), asm.R2)
}
