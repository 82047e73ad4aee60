package agent

import (
	"math"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"mirador/internal/mirror"
)

// klimit is the token bucket in the kernel: bucket, for all processors without a lock.
// Instead of tokens it keeps until when they are used up. A frame takes time, as much as
// the tokens that it needs take to come back; it may pass when that ends no later than a
// burst from now.
type klimit struct {
	_ [2]uint64 // nanoseconds of the kernel's clock, known to the programs alone: for bytes and for packets
}

// krate is a limit of bytes or packets as the programs have it.
type krate struct {
	at    int    // of klimit
	cost  uint64 // of one unit in nanoseconds, times 2^shift
	shift int32
	burst uint64 // nanoseconds
}

// newKrates returns what l limits.
func newKrates(l Limit) (all []krate) {
	b := newBucket(l)
	for i, f := range [2]mirror.Bucket{b.bytes, b.packets} {
		rate, most := f.Limit()
		if rate == 0 {
			continue
		}
		r := krate{at: 8 * i, shift: 20}
		// The cost of the longest frame is within 63 bits.
		for float64(uint64(1)<<r.shift)*1e9/float64(rate) >= 1<<45 {
			r.shift--
		}
		r.cost = uint64(math.Ceil(float64(uint64(1)<<r.shift) * 1e9 / float64(rate)))
		r.burst = uint64(math.Min(float64(most)/float64(rate)*1e9, float64(24*time.Hour)))
		all = append(all, r)
	}
	return all
}

// price makes R4 the time that R4 units take.
func (r *krate) price(a *assembly) {
	a.number(asm.R5, r.cost)
	a.add(asm.Mul.Reg(asm.R4, asm.R5), asm.Add.Imm(asm.R4, 1<<r.shift-1), asm.RSh.Imm(asm.R4, r.shift))
}

// raise adds the time in R4 to the bucket that R1 points to; now is a register. With clamp
// no more than twice the burst is owed. When other processors are always faster it jumps.
func (r *krate) raise(a *assembly, now asm.Register, clamp bool, busy string) {
	done := a.local("raised")
	for range 3 {
		later, within := a.local("raise"), a.local("raise")
		a.load(asm.R0, asm.R1, r.at, b64)
		a.add(asm.Mov.Reg(asm.R3, asm.R0), asm.Mov.Reg(asm.R2, asm.R0), asm.JGE.Reg(asm.R2, now, later), asm.Mov.Reg(asm.R2, now))
		a.at(later)
		a.add(asm.Add.Reg(asm.R2, asm.R4))
		if clamp {
			a.number(asm.R5, 2*r.burst)
			a.add(asm.Add.Reg(asm.R5, now), asm.JLE.Reg(asm.R2, asm.R5, within), asm.Mov.Reg(asm.R2, asm.R5))
			a.at(within)
		}
		swap := asm.CmpXchg.Mem(asm.R1, asm.R2, b64, int16(r.at)) // if it is still R0
		swap.Constant = 0xf1                                      // BPF_CMPXCHG, which the library leaves out
		a.add(swap, asm.JEq.Reg(asm.R0, asm.R3, done))
	}
	a.add(asm.Ja.Label(busy))
	a.at(done)
}

// produce takes what a frame of production traffic uses.
func (a *assembly) produce(m *ebpf.Map, rates []krate) {
	a.add(asm.FnKtimeGetNs.Call(), asm.Mov.Reg(rVar, asm.R0), asm.Mov.Imm(asm.R2, 0))
	a.lookup(m, "produced")
	a.add(asm.Mov.Reg(asm.R1, asm.R0))
	for i := range rates {
		r := &rates[i]
		a.add(asm.Mov.Imm(asm.R4, 1))
		if r.at == 0 {
			a.load(asm.R4, rCtx, skbLen, b32)
		}
		r.price(a)
		r.raise(a, rVar, true, "produced")
	}
	a.at("produced")
}

// admit asks for the tokens of a frame of wKeep bytes and its headers. What gets none is
// skipped.
func (a *assembly) admit(m *ebpf.Map, rates []krate) {
	const now = rPlan // there is no plan here
	a.add(asm.FnKtimeGetNs.Call(), asm.Mov.Reg(now, asm.R0), asm.Mov.Imm(asm.R2, 0))
	a.lookup(m, "drop")
	a.store(asm.RFP, wLimit, asm.R0, b64)
	for i := range rates {
		r := &rates[i]
		later := a.local("admit")
		a.add(asm.Mov.Imm(asm.R4, 1))
		if r.at == 0 {
			a.get(asm.R4, wKeep)
			a.load(asm.R5, rState, jobHop(unsafe.Offsetof(khop{}.len)), b32)
			a.add(asm.Add.Reg(asm.R4, asm.R5))
		}
		r.price(a)
		a.store(asm.RFP, wCost+r.at, asm.R4, b64)
		a.load(asm.R1, asm.RFP, wLimit, b64)
		a.load(asm.R2, asm.R1, r.at, b64)
		a.add(asm.JGE.Reg(asm.R2, now, later), asm.Mov.Reg(asm.R2, now))
		a.at(later)
		a.number(asm.R5, r.burst)
		a.add(asm.Add.Reg(asm.R2, asm.R4), asm.Add.Reg(asm.R5, now), asm.JGT.Reg(asm.R2, asm.R5, "skip"))
	}
	for i := range rates {
		r := &rates[i]
		a.load(asm.R1, asm.RFP, wLimit, b64)
		a.load(asm.R4, asm.RFP, wCost+r.at, b64)
		r.raise(a, now, false, "skip")
	}
	a.add(asm.Ja.Label("admitted"))
	a.at("skip")
	a.load(asm.R1, rState, jobField(unsafe.Offsetof(kjob{}.out)), b32)
	a.add(asm.And.Imm(asm.R1, 1), asm.LSh.Imm(asm.R1, 3), asm.Add.Reg(asm.R1, rState))
	a.get(asm.R2, wWire)
	a.countOne(asm.R1, unsafe.Offsetof(tally{}.skipPackets))
	a.count(asm.R1, unsafe.Offsetof(tally{}.skip), asm.R2)
	a.countOne(rVar, unsafe.Offsetof(sessionTally{}.skipped))
	a.count(rVar, unsafe.Offsetof(sessionTally{}.skipBytes), asm.R2)
	a.add(asm.Ja.Label("drop"))
	a.at("admitted")
}
