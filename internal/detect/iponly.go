package detect

import (
	"encoding/binary"
	"slices"

	"mirador/internal/packet"
	"mirador/internal/rule"
)

// ipIndex finds the ip-only rules that can match a pair of addresses. Each rule is
// filed under the side that names fewer addresses, so that long lists of bad hosts
// cost one search per packet however many they are.
type ipIndex struct {
	rules    []uint32 // all
	any      []uint32 // rules that name no IPv4 address on either side
	any6     []uint32 // rules that IPv6 packets can match
	src, dst rangeIndex
}

// rangeIndex maps an address to the rules whose ranges it is in.
type rangeIndex struct {
	starts []uint32 // first addresses of the intervals, rising
	lists  [][]uint32
}

// fewAddrs is the number of addresses from which a side is as good as any.
const fewAddrs = 1 << 31

func (x *ipIndex) build(e *Engine) {
	var src, dst []filed
	for _, num := range x.rules {
		s := e.sigs[num]
		if (s.src == nil || s.src.Has6()) && (s.dst == nil || s.dst.Has6()) && s.ipVer != 4 {
			x.any6 = append(x.any6, num)
		}
		a, b := addrCount(s.src), addrCount(s.dst)
		switch {
		case s.ipVer == 6:
		case min(a, b) >= fewAddrs:
			x.any = append(x.any, num)
		case a < b:
			src = append(src, filed{num, s.src})
		default:
			dst = append(dst, filed{num, s.dst})
		}
	}
	x.src, x.dst = newRangeIndex(src), newRangeIndex(dst)
}

type filed struct {
	num uint32
	set *rule.AddrSet
}

func addrCount(s *rule.AddrSet) (n uint64) {
	if s == nil {
		return 1 << 32
	}
	for _, r := range s.AppendRanges4(nil) {
		n += uint64(r.Hi-r.Lo) + 1
	}
	return n
}

func newRangeIndex(rules []filed) rangeIndex {
	var x rangeIndex
	var ranges []rule.Range4
	cuts := map[uint32]bool{0: true}
	for _, f := range rules {
		ranges = f.set.AppendRanges4(ranges[:0])
		for _, r := range ranges {
			cuts[r.Lo] = true
			if r.Hi != ^uint32(0) {
				cuts[r.Hi+1] = true
			}
		}
	}
	for c := range cuts {
		x.starts = append(x.starts, c)
	}
	slices.Sort(x.starts)
	x.lists = make([][]uint32, len(x.starts))
	for _, f := range rules {
		ranges = f.set.AppendRanges4(ranges[:0])
		for _, r := range ranges {
			i, _ := slices.BinarySearch(x.starts, r.Lo)
			for ; i < len(x.starts) && x.starts[i] <= r.Hi; i++ {
				x.lists[i] = append(x.lists[i], f.num)
			}
		}
	}
	return x
}

// find returns the rules for address a.
func (x *rangeIndex) find(a uint32) []uint32 {
	lo, hi := 0, len(x.starts)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if x.starts[mid] <= a {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return nil
	}
	return x.lists[lo-1]
}

// ipOnlyPhase looks at the ip-only rules: for the first packet of each direction of a
// flow, or for each packet without flow.
func (w *Worker) ipOnlyPhase() {
	if f := w.p.Flow; f != nil {
		d := w.p.Dir & 1
		if f.ipOnly[d] {
			return
		}
		f.ipOnly[d] = true
	}
	x := &w.e.groups.ipOnly
	w.nextGen()
	w.cand = w.cand[:0]
	p := w.p.P
	if p.IPVersion == 6 {
		w.cand = append(w.cand, x.any6...)
	} else {
		w.cand = append(w.cand, x.any...)
		w.cand = append(w.cand, x.src.find(addr4(&p.Src))...)
		w.cand = append(w.cand, x.dst.find(addr4(&p.Dst))...)
	}
	w.runPacketRules()
	if w.trace != nil {
		w.traceRest(w.evalOnly, kindIPOnly)
	}
}

func addr4(a *packet.Addr) uint32 { return binary.BigEndian.Uint32(a[12:16]) }
