package agent

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// assembly is a program for the kernel in the making. It adds to an assembler what
// makes its text readable: registers with names, labels that stand on their own, and the
// calls that are made again and again.
type assembly struct {
	ins   asm.Instructions
	label string       // of the next instruction
	n     int          // names of local labels
	vars  asm.Register // where variables are
}

// What the programs keep in registers that calls leave alone.
const (
	rCtx   = asm.R6 // struct __sk_buff
	rPlan  = asm.R7 // *kplan
	rState = asm.R8 // *kstate of this processor
	rVar   = asm.R9 // what is looked at just now
)

// Sizes of memory.
const (
	b8, b16, b32, b64 = asm.Byte, asm.Half, asm.Word, asm.DWord
)

// Offsets in struct __sk_buff, uapi/linux/bpf.h.
const (
	skbLen         = 0
	skbMark        = 8
	skbProtocol    = 16
	skbVLANPresent = 20
	skbPriority    = 32
	skbData        = 76
	skbDataEnd     = 80
	skbGSOSegs     = 164
	skbGSOSize     = 176
)

// add appends instructions. The first gets the label that waits for one.
func (a *assembly) add(list ...asm.Instruction) {
	for _, i := range list {
		if a.label != "" {
			i = i.WithSymbol(a.label)
			a.label = ""
		}
		a.ins = append(a.ins, i)
	}
}

// at puts a label before the next instruction.
func (a *assembly) at(label string) {
	if a.label != "" {
		a.add(asm.Ja.Label(label))
	}
	a.label = label
}

// local returns a label that is used nowhere else.
func (a *assembly) local(name string) string {
	a.n++
	return fmt.Sprintf("%s.%d", name, a.n)
}

// load and store copy between a register and memory at reg + off.
func (a *assembly) load(dst, base asm.Register, off int, size asm.Size) {
	a.add(asm.LoadMem(dst, base, int16(off), size))
}

func (a *assembly) store(base asm.Register, off int, src asm.Register, size asm.Size) {
	a.add(asm.StoreMem(base, int16(off), src, size))
}

// get and put are load and store of a variable of 32 bits.
func (a *assembly) get(dst asm.Register, v int) { a.load(dst, a.vars, v, b32) }
func (a *assembly) put(v int, src asm.Register) { a.store(a.vars, v, src, b32) }

// set stores a number in a variable.
func (a *assembly) set(v int, n int64) { a.add(asm.StoreImm(a.vars, int16(v), n, b32)) }

// net16 reads a number of two bytes in network order.
func (a *assembly) net16(dst, base asm.Register, off int) {
	a.load(dst, base, off, b16)
	a.add(asm.HostTo(asm.BE, dst, b16))
}

// frame copies n bytes of the frame at off to variables, and jumps when there are not as
// many.
func (a *assembly) frame(off asm.Register, v, n int, short string) {
	a.add(
		asm.Mov.Reg(asm.R1, rCtx),
		asm.Mov.Reg(asm.R2, off),
		asm.Mov.Reg(asm.R3, a.vars),
		asm.Add.Imm(asm.R3, int32(v)),
		asm.Mov.Imm(asm.R4, int32(n)),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, short),
	)
}

// count adds register v to a counter of the memory that base points to. Counters belong
// to a processor, so that nobody adds at the same time. It uses R5.
func (a *assembly) count(base asm.Register, off uintptr, v asm.Register) {
	a.load(asm.R5, base, int(off), b64)
	a.add(asm.Add.Reg(asm.R5, v))
	a.store(base, int(off), asm.R5, b64)
}

// countOne adds 1. It uses R5.
func (a *assembly) countOne(base asm.Register, off uintptr) {
	a.load(asm.R5, base, int(off), b64)
	a.add(asm.Add.Imm(asm.R5, 1))
	a.store(base, int(off), asm.R5, b64)
}

// keyAt is where keys of maps lie on the stack.
const keyAt = -4

// lookup makes R0 the value whose key is in R2, and jumps when there is none.
func (a *assembly) lookup(m *ebpf.Map, none string) {
	a.add(asm.LoadMapPtr(asm.R1, m.FD()))
	a.lookupIn(none)
}

// lookupIn is lookup in the map that R1 points to.
func (a *assembly) lookupIn(none string) {
	a.store(asm.RFP, keyAt, asm.R2, b32)
	a.add(
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, keyAt),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, none),
	)
}

// number loads a number of 64 bits.
func (a *assembly) number(dst asm.Register, v uint64) {
	a.add(asm.LoadImm(dst, int64(v), b64))
}
