package pcre

import "math"

// node is one piece of a parsed pattern.
type node struct {
	op     nodeOp
	mode   repMode // nRepeat
	neg    bool    // nLook
	behind bool    // nLook
	fold   bool    // nByte, nBackref
	c      byte    // nByte; nAssert: an assertKind; nVerb: a verbKind
	n      int     // nGroup, nCall: group number; nCond: condKind
	min    int     // nRepeat
	max    int     // nRepeat; inf = no end
	set    *byteSet
	sub    []*node
	groups []int // nBackref, nCond: the groups meant (more than one for duplicate names)
	pos    int   // where in the pattern, for errors found late
}

type nodeOp uint8

const (
	nEmpty   nodeOp = iota
	nByte           // c, in either case when fold
	nSet            // one byte of set
	nCat            // sub in a row
	nAlt            // the first of sub that leads to a match
	nRepeat         // sub[0] min to max times
	nGroup          // capturing group n around sub[0]
	nAtomic         // sub[0] without a way back into it
	nLook           // look-ahead or look-behind of sub[0]
	nBackref        // what one of groups matched
	nCond           // condition: sub[0] yes, sub[1] no, sub[2] an nLook for condLook
	nCall           // group n of the pattern as a subroutine; 0 = all
	nAssert         // an assertion without width
	nKeep           // \K
	nVerb           // (*FAIL) and the like
)

type repMode uint8

const (
	repGreedy repMode = iota
	repLazy
	repPossessive
)

// inf is the upper bound of an endless repeat, and an unbounded width.
const inf = math.MaxInt32

type assertKind = byte

const (
	asBOT     assertKind = iota // \A, ^
	asBOL                       // ^ with m
	asEOT                       // \z, $ with E
	asEOTL                      // \Z, $: the end or before a last newline
	asEOL                       // $ with m
	asWord                      // \b
	asNotWord                   // \B
	asStart                     // \G
	asCR                        // not between \r and \n of a CRLF: dot with the CRLF convention
)

type verbKind = byte

const (
	vbFail verbKind = iota
	vbAccept
	vbCommit
	vbPrune
	vbSkip
)

const (
	condGroup   = iota // one of groups is set
	condRecurse        // in a recursion into groups[0], or any when none
	condLook           // sub[2] holds
	condTrue           // (VERSION>=...)
	condFalse          // (DEFINE), (VERSION>=...)
)

// newline is the convention a pattern is compiled with.
type newline uint8

const (
	nlLF newline = iota
	nlCR
	nlCRLF
	nlAnyCRLF
	nlAny
	nlNUL
)

// patternOpts are the options written at the head of a pattern.
type patternOpts struct {
	newline    newline
	bsrAnyCRLF bool
	notEmpty   bool
	notEmptyAt bool
}

// width is the least and the greatest number of bytes something matches.
type width struct{ min, max int }

func (w width) then(v width) width { return width{satAdd(w.min, v.min), satAdd(w.max, v.max)} }

func (w width) or(v width) width { return width{min(w.min, v.min), max(w.max, v.max)} }

func satAdd(a, b int) int {
	if a >= inf-b {
		return inf
	}
	return a + b
}

func satMul(a, b int) int {
	if a == 0 || b == 0 {
		return 0
	}
	if a >= inf/b {
		return inf
	}
	return a * b
}

// widther measures nodes; group widths are found once each.
type widther struct {
	groups []*node
	known  []width
	state  []uint8 // 0 not seen, 1 being measured (a recursion), 2 known
}

func newWidther(p *parser) *widther {
	x := &widther{groups: p.nodes, known: make([]width, len(p.nodes)), state: make([]uint8, len(p.nodes))}
	for _, g := range p.shared {
		x.known[g], x.state[g] = width{0, inf}, 2
	}
	return x
}

// group returns the width of a group's inside; one that contains itself is unbounded.
func (x *widther) group(n int) width {
	if n >= len(x.groups) || x.groups[n] == nil || x.state[n] == 1 {
		return width{0, inf}
	}
	if x.state[n] == 0 {
		x.state[n] = 1
		x.known[n] = x.of(x.groups[n].sub[0])
		x.state[n] = 2
	}
	return x.known[n]
}

// of returns the width of n. The least is a lower bound for every match, also
// where (*ACCEPT) is not involved; the caller looks at that.
func (x *widther) of(n *node) width {
	switch n.op {
	case nByte, nSet:
		return width{1, 1}
	case nCat:
		var w width
		for _, s := range n.sub {
			if s.op == nVerb && (s.c == vbFail || s.c == vbAccept) {
				break // nothing gets further; minLen does not count on it with (*ACCEPT)
			}
			w = w.then(x.of(s))
		}
		return w
	case nAlt:
		w := x.of(n.sub[0])
		for _, s := range n.sub[1:] {
			w = w.or(x.of(s))
		}
		return w
	case nRepeat:
		w := x.of(n.sub[0])
		return width{satMul(w.min, n.min), satMul(w.max, n.max)}
	case nGroup:
		return x.of(n.sub[0])
	case nAtomic:
		return x.of(n.sub[0])
	case nBackref:
		w := x.group(n.groups[0])
		for _, g := range n.groups[1:] {
			w = w.or(x.group(g))
		}
		return w
	case nCall:
		if n.n == 0 {
			return width{0, inf}
		}
		return x.group(n.n)
	case nCond:
		return x.of(n.sub[0]).or(x.of(n.sub[1]))
	}
	return width{}
}
