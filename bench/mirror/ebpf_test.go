package mirror

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"mirador/internal/packet"
)

// The third way to mirror, for comparison: eBPF programs at tc. One on the mirrored
// interface asks the rules and sends a clone, with a mark, out of the other interface;
// one there puts the headers on what has the mark. It is not what the agent does, because
// it cannot do all of it: it has no way to cut what the kernel handles in one piece (TSO,
// GRO) into frames, nor to fill in checksums that are left to hardware, which is most of
// what a host sends.

const (
	cloneMark = 0x6d697262
	lenOuter  = 14 + packet.MirrorOverhead
)

// Offsets in struct __sk_buff.
const (
	skbLen     = 0
	skbMark    = 8
	skbData    = 76
	skbDataEnd = 80
)

// decideProgram takes what the agent's program takes: eight /24 of UDP rejected, then
// 10.0.0.0/8 accepted.
func decideProgram(out int) asm.Instructions {
	pass := func(in asm.Instructions) asm.Instructions {
		return append(in, asm.Mov.Imm(asm.R0, -1).WithSymbol("pass"), asm.Return())
	}
	in := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R6, skbData, asm.Word),
		asm.LoadMem(asm.R8, asm.R6, skbDataEnd, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, 34),
		asm.JGT.Reg(asm.R2, asm.R8, "pass"),
		asm.LoadMem(asm.R2, asm.R7, 12, asm.Half),
		asm.JNE.Imm(asm.R2, 0x0008, "pass"), // 0x0800 as it lies in memory
		asm.LoadMem(asm.R3, asm.R7, 30, asm.Word),
		asm.HostTo(asm.BE, asm.R3, asm.Word),
		asm.LoadMem(asm.R4, asm.R7, 23, asm.Byte),
	}
	for i := 1; i < 9; i++ {
		next := fmt.Sprintf("rule%d", i+1)
		in = append(in,
			asm.Mov.Reg(asm.R5, asm.R3).WithSymbol(fmt.Sprintf("rule%d", i)),
			asm.RSh.Imm(asm.R5, 8),
			asm.JNE.Imm(asm.R5, int32(172<<16|16<<8|i), next),
			asm.JEq.Imm(asm.R4, 17, "pass"),
		)
	}
	return pass(append(in,
		asm.RSh.Imm(asm.R3, 24).WithSymbol("rule9"),
		asm.JNE.Imm(asm.R3, 10, "pass"),
		asm.Mov.Imm(asm.R2, cloneMark),
		asm.StoreMem(asm.R6, skbMark, asm.R2, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R2, int32(out)),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnCloneRedirect.Call(),
		asm.Mov.Imm(asm.R2, 0),
		asm.StoreMem(asm.R6, skbMark, asm.R2, asm.Word),
	))
}

// encapsulateProgram puts header before what has the mark; the lengths in it are 0.
func encapsulateProgram(header []byte, sum uint32) asm.Instructions {
	in := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, skbMark, asm.Word),
		asm.JNE.Imm(asm.R2, cloneMark, "pass"),
		asm.Mov.Imm(asm.R2, 0),
		asm.StoreMem(asm.R6, skbMark, asm.R2, asm.Word),
		asm.LoadMem(asm.R9, asm.R6, skbLen, asm.Word), // of the frame
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R2, lenOuter),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkbChangeHead.Call(),
		asm.JNE.Imm(asm.R0, 0, "pass"),
		asm.LoadMem(asm.R7, asm.R6, skbData, asm.Word),
		asm.LoadMem(asm.R8, asm.R6, skbDataEnd, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, lenOuter),
		asm.JGT.Reg(asm.R2, asm.R8, "pass"),
	}
	for i := 0; i < lenOuter; i += 2 {
		in = append(in, asm.Mov.Imm(asm.R2, int32(binary.NativeEndian.Uint16(header[i:]))), asm.StoreMem(asm.R7, int16(i), asm.R2, asm.Half))
	}
	put := func(at int16, add int32) {
		in = append(in, asm.Mov.Reg(asm.R2, asm.R9), asm.Add.Imm(asm.R2, add), asm.HostTo(asm.BE, asm.R2, asm.Half), asm.StoreMem(asm.R7, at, asm.R2, asm.Half))
	}
	put(14+2, packet.MirrorOverhead)
	put(14+20+4, 16)
	return append(in,
		// The checksum of the IP header: that without the length, and the length.
		asm.Mov.Reg(asm.R2, asm.R9),
		asm.Add.Imm(asm.R2, int32(packet.MirrorOverhead)+int32(sum)),
		asm.Mov.Reg(asm.R3, asm.R2),
		asm.RSh.Imm(asm.R3, 16),
		asm.And.Imm(asm.R2, 0xffff),
		asm.Add.Reg(asm.R2, asm.R3),
		asm.Xor.Imm(asm.R2, 0xffff),
		asm.HostTo(asm.BE, asm.R2, asm.Half),
		asm.StoreMem(asm.R7, 14+10, asm.R2, asm.Half),
		asm.Mov.Imm(asm.R0, -1).WithSymbol("pass"),
		asm.Return(),
	)
}

// ebpf mirrors with eBPF at tc.
func (l *lab) ebpf(b *testing.B) {
	b.Helper()
	header := packet.AppendEthernet(nil, l.target.MAC(b, "t0"), l.host.MAC(b, "out0"), packet.EtherTypeIPv4)
	header = packet.AppendMirror(header, [4]byte{10, 2, 0, 1}, [4]byte{10, 2, 0, 2}, 0xff80, 7, 0)
	ip := header[14:34]
	ip[2], ip[3], ip[10], ip[11] = 0, 0, 0, 0
	sum := uint32(^packet.InternetChecksum(ip))
	err := l.host.Do(func() error {
		for _, x := range []struct {
			name    string
			in      asm.Instructions
			ifindex int
			at      ebpf.AttachType
		}{
			{"decide", decideProgram(l.out), l.eni, ebpf.AttachTCXIngress},
			{"encapsulate", encapsulateProgram(header, sum), l.out, ebpf.AttachTCXEgress},
		} {
			p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: x.name, Type: ebpf.SchedCLS, License: "GPL", Instructions: x.in})
			if err != nil {
				return fmt.Errorf("%s: %+v", x.name, err)
			}
			k, err := link.AttachTCX(link.TCXOptions{Interface: x.ifindex, Program: p, Attach: x.at})
			if err != nil {
				p.Close()
				return err
			}
			b.Cleanup(func() { k.Close(); p.Close() })
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
