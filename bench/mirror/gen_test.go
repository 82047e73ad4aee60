// Package mirror measures the software mirror beside what the kernel has for the same
// purpose: tc with mirred into a VXLAN device. It holds benchmarks only; "make
// bench-mirror" runs them.
package mirror

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// generator makes the kernel receive frames on an interface, as if a network card had
// brought them: BPF_PROG_TEST_RUN with live frames. Each frame gets a random source
// port, so that there are many flows.
type generator struct {
	prog  *ebpf.Program
	frame []byte
	ctx   xdpMD
}

// xdpMD is struct xdp_md of the kernel.
type xdpMD struct {
	Data, DataEnd, DataMeta, Ingress, RxQueue, Egress uint32
}

const (
	liveFrames = 2 // BPF_F_TEST_XDP_LIVE_FRAMES
	xdpPass    = 2
	tcxDrop    = 2
)

// newGenerator makes frames like frame, whose source port is at offset port, arrive at
// the interface with this index. It is to be made and used in the namespace of the
// interface.
func newGenerator(frame []byte, port, ifindex int) (*generator, error) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "generate", Type: ebpf.XDP, License: "GPL",
		Instructions: asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.FnGetPrandomU32.Call(),
			asm.LoadMem(asm.R1, asm.R6, 0, asm.Word),
			asm.LoadMem(asm.R2, asm.R6, 4, asm.Word),
			asm.Mov.Reg(asm.R3, asm.R1),
			asm.Add.Imm(asm.R3, int32(port)+2),
			asm.JGT.Reg(asm.R3, asm.R2, "pass"),
			asm.And.Imm(asm.R0, 0x3ff),
			asm.StoreMem(asm.R1, int16(port), asm.R0, asm.Half),
			asm.Mov.Imm(asm.R0, xdpPass).WithSymbol("pass"),
			asm.Return(),
		},
	})
	if err != nil {
		return nil, err
	}
	return &generator{prog: prog, frame: frame, ctx: xdpMD{DataEnd: uint32(len(frame)), Ingress: uint32(ifindex)}}, nil
}

// run sends n frames.
func (g *generator) run(n int) error {
	_, err := g.prog.Run(&ebpf.RunOptions{Data: g.frame, Context: &g.ctx, Repeat: uint32(n), Flags: liveFrames})
	return err
}

// dropAll drops what arrives at an interface, right after taps and counters.
func dropAll(b *testing.B, ifindex int) error {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "drop", Type: ebpf.SchedCLS, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, tcxDrop), asm.Return()},
	})
	if err != nil {
		return err
	}
	l, err := link.AttachTCX(link.TCXOptions{Interface: ifindex, Program: prog, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		prog.Close()
		return err
	}
	b.Cleanup(func() { l.Close(); prog.Close() })
	return nil
}
