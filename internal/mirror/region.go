package mirror

// box is a set of packets: all whose fields are within its ranges. Rules are boxes, so
// that what a rule leaves over for later ones can be computed exactly.
type box struct {
	is4 bool
	dim [numDims]span
}

// span is a range of 128-bit numbers, both ends included.
type span struct{ lo, hi addr }

// The dimensions of a box. Ports count from 1, because 0 stands for packets without
// ports: later fragments and protocols that have none.
const (
	dimProtocol = iota
	dimSource
	dimDestination
	dimSourcePort
	dimDestinationPort
	numDims
)

// maxBoxes bounds a region; ten rules make some hundred boxes at worst. What is more
// complicated is not judged.
const maxBoxes = 1024

func (a addr) less(b addr) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

func (a addr) next() addr {
	a.lo++
	if a.lo == 0 {
		a.hi++
	}
	return a
}

func (a addr) prev() addr {
	if a.lo == 0 {
		a.hi--
	}
	a.lo--
	return a
}

func numbers(lo, hi int) span { return span{addr{lo: uint64(lo)}, addr{lo: uint64(hi)}} }

func boxOf(r *FilterRule) box {
	b := box{is4: r.SourceCIDR.Addr().Is4()}
	b.dim[dimProtocol] = numbers(0, 255)
	if r.Protocol >= 0 {
		b.dim[dimProtocol] = numbers(r.Protocol, r.Protocol)
	}
	o := newOp(r, 0, 0)
	b.dim[dimSource] = span{addr{o.src.hi & o.srcMask.hi, o.src.lo & o.srcMask.lo}, addr{o.src.hi | ^o.srcMask.hi, o.src.lo | ^o.srcMask.lo}}
	b.dim[dimDestination] = span{addr{o.dst.hi & o.dstMask.hi, o.dst.lo & o.dstMask.lo}, addr{o.dst.hi | ^o.dstMask.hi, o.dst.lo | ^o.dstMask.lo}}
	b.dim[dimSourcePort], b.dim[dimDestinationPort] = numbers(0, 65536), numbers(0, 65536)
	if o.ports {
		b.dim[dimSourcePort] = numbers(int(o.sportFrom)+1, int(o.sportTo)+1)
		b.dim[dimDestinationPort] = numbers(int(o.dportFrom)+1, int(o.dportTo)+1)
	}
	return b
}

// meets tells whether b and c have packets in common.
func (b *box) meets(c *box) bool {
	if b.is4 != c.is4 {
		return false
	}
	for i := range b.dim {
		if b.dim[i].hi.less(c.dim[i].lo) || c.dim[i].hi.less(b.dim[i].lo) {
			return false
		}
	}
	return true
}

// region is a union of boxes. known is false when it got too complicated.
type region struct {
	boxes []box
	known bool
}

func regionOf(b ...box) region { return region{boxes: b, known: true} }

func (r region) empty() bool { return r.known && len(r.boxes) == 0 }

// minus returns the packets of r that are not in c.
func (r region) minus(c box) region {
	if !r.known {
		return r
	}
	out := region{known: true}
	for i := range r.boxes {
		rest := r.boxes[i]
		if !rest.meets(&c) {
			out.boxes = append(out.boxes, rest)
			continue
		}
		for d := range rest.dim {
			if rest.dim[d].lo.less(c.dim[d].lo) {
				piece := rest
				piece.dim[d].hi = c.dim[d].lo.prev()
				out.boxes = append(out.boxes, piece)
				rest.dim[d].lo = c.dim[d].lo
			}
			if c.dim[d].hi.less(rest.dim[d].hi) {
				piece := rest
				piece.dim[d].lo = c.dim[d].hi.next()
				out.boxes = append(out.boxes, piece)
				rest.dim[d].hi = c.dim[d].hi
			}
		}
		if len(out.boxes) > maxBoxes {
			return region{}
		}
	}
	return out
}

func (r region) minusAll(c []box) region {
	for i := range c {
		r = r.minus(c[i])
	}
	return r
}

// and returns the packets that are in r and in c.
func (r region) and(c box) region {
	if !r.known {
		return r
	}
	out := region{known: true}
	for i := range r.boxes {
		b := r.boxes[i]
		if !b.meets(&c) {
			continue
		}
		for d := range b.dim {
			if b.dim[d].lo.less(c.dim[d].lo) {
				b.dim[d].lo = c.dim[d].lo
			}
			if c.dim[d].hi.less(b.dim[d].hi) {
				b.dim[d].hi = c.dim[d].hi
			}
		}
		out.boxes = append(out.boxes, b)
	}
	return out
}

// accepted returns the packets that rules, which are those of one direction in order,
// accept.
func accepted(rules []FilterRule) region {
	out := region{known: true}
	var before []box
	for i := range rules {
		b := boxOf(&rules[i])
		if rules[i].Action == Accept {
			reach := regionOf(b).minusAll(before)
			if !reach.known || len(out.boxes)+len(reach.boxes) > maxBoxes {
				return region{}
			}
			out.boxes = append(out.boxes, reach.boxes...)
		}
		before = append(before, b)
	}
	return out
}

// sameAccepted tells whether two lists of rules accept the same packets; false when that
// is too complicated to tell.
func sameAccepted(a, b []FilterRule) bool {
	x, y := accepted(a), accepted(b)
	return x.known && y.known && x.minusAll(y.boxes).empty() && y.minusAll(x.boxes).empty()
}
