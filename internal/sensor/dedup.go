package sensor

import (
	"encoding/binary"
	"math/bits"

	"mirador/internal/packet"
)

// De-duplication. When both ends of a conversation are mirrored, each packet
// comes twice: from two outer sources, often under two VNIs, some microseconds
// apart (AWS does not de-duplicate). The second copy is dropped and counted.
//
// Copies are told by a digest over what stays equal on the way: addresses,
// ports, protocol, IP identification and length, TCP numbers and flags, and the
// payload. MACs, TTL and checksums are left out.
//
// The same digest can also come from two VPCs that use the same addresses. The
// sources file says which sources share a tenant. Where it does not, sources
// with one VNI do, and a pair of sources with different VNIs is judged by its
// first common digest: two copies of one packet pass different paths and cannot
// carry the same time stamp, so equal times mean two tenants, and a lag within
// the window means one.

const (
	// dedupBits sets the size of a worker's digest table: 2^16 entries, 1.5 MiB,
	// which is 50 ms of 1.3 million packets/s.
	dedupBits = 16
	// DefaultDedupWindow is how long, in nanoseconds, a packet is remembered.
	DefaultDedupWindow = 50e6
	// maxPairs bounds the judged pairs of sources of a worker; later pairs count
	// as different tenants.
	maxPairs = 1 << 16
)

type digestEntry struct {
	sum  uint64
	time int64
	src  *source
}

type pair struct{ a, b uint32 }

type dedup struct {
	window int64
	seed   uint64
	table  []digestEntry
	pairs  map[pair]bool // true: one tenant
	full   uint64        // pairs not kept because there are maxPairs
}

func newDedup(window int64, seed uint64) *dedup {
	return &dedup{window: window, seed: seed | 1, table: make([]digestEntry, 1<<dedupBits), pairs: map[pair]bool{}}
}

// duplicate tells whether p was already seen from another source of the same
// tenant within the window, and remembers it otherwise.
func (d *dedup) duplicate(p *packet.Parsed, src *source) bool {
	if p.Depth < packet.DepthNet || p.IPVersion == 0 {
		return false
	}
	sum := d.digest(p)
	e := &d.table[sum>>(64-dedupBits)]
	if e.sum == sum && e.src != nil && e.src != src {
		lag := p.Time - e.time
		if lag >= 0 && lag <= d.window && d.sameTenant(e.src, src, lag) {
			return true
		}
	}
	e.sum, e.time, e.src = sum, p.Time, src
	return false
}

// sameTenant judges two sources that sent the same packet lag apart.
func (d *dedup) sameTenant(a, b *source, lag int64) bool {
	if a.root().tenant == b.root().tenant {
		return true
	}
	if a.fixed || b.fixed {
		return false
	}
	k := pair{min(a.id, b.id), max(a.id, b.id)}
	same, judged := d.pairs[k]
	if judged {
		return same
	}
	if len(d.pairs) >= maxPairs {
		d.full++
		return false
	}
	same = lag > 0
	d.pairs[k] = same
	if same {
		b.root().parent = a.root()
	}
	return same
}

// digest returns a keyed 64-bit digest of the invariant parts of p.
func (d *dedup) digest(p *packet.Parsed) uint64 {
	h := d.seed
	mix := func(a, b uint64) {
		hi, lo := bits.Mul64(a^h, b^0x9e3779b97f4a7c15)
		h = hi ^ lo
	}
	mix(binary.LittleEndian.Uint64(p.Src[:8]), binary.LittleEndian.Uint64(p.Src[8:]))
	mix(binary.LittleEndian.Uint64(p.Dst[:8]), binary.LittleEndian.Uint64(p.Dst[8:]))
	mix(uint64(p.SrcPort)<<48|uint64(p.DstPort)<<32|uint64(p.Proto)<<16|uint64(p.FragOffset), uint64(p.IPID)<<32|uint64(uint32(p.IPTotal)))
	mix(uint64(p.Seq)<<32|uint64(p.Ack), uint64(p.Flags)<<16|uint64(p.Window))
	body := p.PayloadBytes()
	for len(body) >= 16 {
		mix(binary.LittleEndian.Uint64(body), binary.LittleEndian.Uint64(body[8:]))
		body = body[16:]
	}
	var tail [16]byte
	copy(tail[:], body)
	mix(binary.LittleEndian.Uint64(tail[:]), binary.LittleEndian.Uint64(tail[8:])^uint64(len(body)))
	if h == 0 {
		return 1
	}
	return h
}
