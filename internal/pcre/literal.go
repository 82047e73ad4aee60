package pcre

import "strings"

// literal is a byte string that every match contains.
type literal struct {
	text   []byte // in lower case when fold
	fold   bool
	min    int  // where it begins, counted from the start of the match: at least
	max    int  // and at most; inf = anywhere
	rare   int  // index of the byte that is searched for
	common bool // even that byte is common: better search for the whole
}

const (
	// maxLiteral is as long as a required literal gets; longer ones reject no better.
	maxLiteral = 24
	// maxLiterals bounds the literals collected of a pattern, and of an alternative.
	maxLiterals = 24
	// maxAlso is how many literals are kept beside the one that is searched for first.
	maxAlso = 2
	// maxLitVisits bounds the nodes looked at for literals, repeats counted each time.
	maxLitVisits = 1024
)

// litScan collects literals along the spine of a pattern.
type litScan struct {
	widths *widther
	at     width // where the next byte is, counted from the start of the match
	run    []byte
	start  width
	fold   bool
	exact  bool
	found  []literal
	visits *int
}

// findLiterals returns the literal that is best to search for, and others.
func findLiterals(root *node, w *widther) (best literal, also []literal) {
	visits := 0
	x := litScan{widths: w, visits: &visits}
	x.node(root)
	x.flush()
	for len(x.found) > 0 && len(also) < maxAlso {
		k := 0
		for i := range x.found {
			if x.found[i].score() > x.found[k].score() {
				k = i
			}
		}
		l := x.found[k]
		x.found = append(x.found[:k], x.found[k+1:]...)
		l.text = clip(l.text)
		l.pickRare()
		if len(best.text) == 0 {
			best = l
			continue
		}
		also = append(also, l)
	}
	return best, clip(also)
}

func (x *litScan) node(n *node) {
	if *x.visits++; *x.visits > maxLitVisits {
		x.jump(x.at.then(x.widths.of(n)))
		return
	}
	switch n.op {
	case nEmpty, nAssert, nLook, nKeep, nVerb:
	case nByte:
		x.byte(n)
	case nCat:
		for _, s := range n.sub {
			x.node(s)
		}
	case nGroup, nAtomic:
		x.node(n.sub[0])
	case nRepeat:
		if n.min == n.max && n.max <= 8 {
			for i := 0; i < n.min; i++ {
				x.node(n.sub[0])
			}
			return
		}
		after := x.at.then(x.widths.of(n))
		if n.min > 0 {
			x.node(n.sub[0])
		}
		x.jump(after)
	case nAlt:
		x.flush()
		x.common(n)
		x.jump(x.at.then(x.widths.of(n)))
	default:
		x.jump(x.at.then(x.widths.of(n)))
	}
}

// jump ends the run and goes on at another place.
func (x *litScan) jump(to width) {
	x.flush()
	x.at = to
}

func (x *litScan) byte(n *node) {
	f := n.fold
	e := !f && isLetter(n.c)
	if f && x.exact || e && x.fold || len(x.run) >= maxLiteral {
		x.flush()
	}
	if len(x.run) == 0 {
		x.start = x.at
	}
	x.fold, x.exact = x.fold || f, x.exact || e
	x.run = append(x.run, n.c)
	x.at = x.at.then(width{1, 1})
}

func (x *litScan) flush() {
	if len(x.run) > 0 && len(x.found) < maxLiterals {
		l := literal{text: append([]byte(nil), x.run...), fold: x.fold, min: x.start.min, max: x.start.max}
		if l.fold {
			for i, c := range l.text {
				l.text[i] = lower(c)
			}
		}
		x.found = append(x.found, l)
	}
	x.run, x.fold, x.exact = x.run[:0], false, false
}

// common finds the literals that all alternatives of n contain.
func (x *litScan) common(n *node) {
	var all []literal
	for i, s := range n.sub {
		y := litScan{widths: x.widths, visits: x.visits, at: x.at}
		y.node(s)
		y.flush()
		if i == 0 {
			all = y.found
			continue
		}
		keep := all[:0]
		for _, l := range all {
			if l.widen(y.found) {
				keep = append(keep, l)
			}
		}
		if all = keep; len(all) == 0 {
			return
		}
	}
	for _, l := range all {
		if len(x.found) < maxLiterals {
			x.found = append(x.found, l)
		}
	}
}

// widen cuts l down to what one of others contains too, the longest such piece, and
// takes its place there into account. It is false when there is none worth a search.
func (l *literal) widen(others []literal) bool {
	best, from, in, at := 0, 0, 0, 0
	for i := range others {
		o := &others[i]
		if l.fold != o.fold {
			continue
		}
		for a := range l.text {
			for b := range o.text {
				n := 0
				for a+n < len(l.text) && b+n < len(o.text) && l.text[a+n] == o.text[b+n] {
					n++
				}
				if n > best {
					best, from, in, at = n, a, i, b
				}
			}
		}
	}
	if best == 0 || best == 1 && commonness(l.text[from]) > 40 {
		return false
	}
	o := &others[in]
	l.text = l.text[from : from+best]
	l.min = min(l.min+from, o.min+at)
	l.max = max(satAdd(l.max, from), satAdd(o.max, at))
	return true
}

// score says how much searching for l helps: the more the longer it is, the rarer its
// rarest byte, and when it tells where a match begins.
func (l *literal) score() int {
	s := 8 * min(len(l.text), 8)
	least := 255
	for _, c := range l.text {
		least = min(least, commonness(c))
	}
	s += 16 - least/8
	if l.max < 256 {
		s += 8
	}
	return s
}

func (l *literal) pickRare() {
	least := 1 << 30
	for i, c := range l.text {
		k := commonness(c)
		if l.fold && isLetter(c) {
			k = 2*k + 8 // has to be searched for twice
		}
		if k < least {
			least, l.rare = k, i
		}
	}
	l.common = least > 70
}

// commonBytes are the most common bytes of network traffic, the most common first.
const commonBytes = "\x00 e\ntaoinsr\rlc/dhpm.u-=0:1gf,2;b\"3TAyv54w86C79xESk\x01\xffR&PINMOLDBHF_)(|GU%?*+<>XWVq"

// commonness is 0 for rare bytes, and up to some 100 for the most common.
func commonness(c byte) int {
	i := strings.IndexByte(commonBytes, c)
	if i < 0 {
		return 0
	}
	return len(commonBytes) - i
}
