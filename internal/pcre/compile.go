package pcre

import (
	"bytes"
	"errors"
)

// compile parses and prepares a pattern.
func compile(src string, flags Flags) (*Regexp, error) {
	try := flags
	if flags&AutoNoCapture != 0 {
		try |= NoAutoCapture
	}
	p, root, err := parsePattern(src, try)
	if err != nil && flags&AutoNoCapture != 0 && flags&NoAutoCapture == 0 && errors.Is(err, ErrNoGroup) {
		p, root, err = parsePattern(src, flags)
	}
	if err != nil {
		return nil, err
	}
	root = p.simplify(root)
	re := &Regexp{src: src, flags: flags, names: p.names, groups: p.groups, opts: p.opts, limit: p.limit}
	c := &compiler{p: p, widths: newWidther(p), nl: p.opts.newline}
	if err := c.program(root); err != nil {
		return nil, err
	}
	c.finish(re, root)
	return re, nil
}

// inst is one instruction of the backtracker. What the fields mean depends on op.
type inst struct {
	op   opcode
	flag uint8
	set  uint16 // a byte, a set, an assertKind or a register
	fs   uint16 // a set of bytes that may follow
	memo uint16 // place in the memory of failures, from 1; 0 = not remembered
	x, y int32
	but  byte // loops with loopBut: the byte that is not taken
	next byte // loops with loopOne: the byte that must follow
}

type opcode uint8

const (
	opFail      opcode = iota
	opMatch            // the end
	opByte             // byte set
	opByteFold         // byte set (lower case) in either case
	opStr              // y bytes of lits at x
	opStrFold          // the same in either case
	opSet              // one byte of set
	opAny              // any byte
	opJmp              // go to x
	opSplit            // try x, then y; set and fs: what x and y can begin with
	opGreedy           // x to y bytes of set, longest first; fs: what can follow
	opLazy             // the same, shortest first
	opTake             // the same, longest only
	opSave             // register set = position
	opClose            // group set ends here; it began at register x
	opAssert           // assertKind set
	opBackref          // groups lists[x]
	opAtomic           // begin of a group without a way back
	opAtomicEnd        //
	opLook             // begin of a look-around; go to x when it holds, y when not (-1: fail)
	opLookEnd          //
	opBack             // x bytes back
	opBackVar          // x to y bytes back, farthest first
	opBackEnd          // only where the look-behind began
	opCond             // condKind set, groups lists[x]; go to y when it does not hold
	opCall             // group y, which begins at x
	opRet              // end of group x, which may have been called
	opMark             // register set = position, at the head of an iteration
	opEmptyTo          // go to x when nothing was matched since register set was marked (and counter fs, if any, is at least y)
	opZero             // counter set = 0
	opCount            // counter set against x and y; the next instruction is the split
	opInc              // counter set + 1
	opAccept           //
	opVerb             // verbKind set
)

const (
	flagEndX uint8 = 1 << iota // opSplit: x can match at the end
	flagEndY                   // opSplit: y can match at the end
	flagNeg                    // opLook: negative
	flagNeed                   // opSave, opClose: also when the caller wants no groups
	flagFold                   // opBackref
	flagUndo                   // opAtomic, opLook: the inside changes registers
	flagLazy                   // opCount: the split that follows prefers the exit
)

// Flags of opGreedy, opLazy and opTake.
const (
	loopEnd uint8 = 1 << iota // what follows can match at the end of the subject
	loopAny                   // the set is all bytes
	loopBut                   // the set is all bytes but one
	loopOne                   // what follows begins with one certain byte
)

// compiler makes the program from the nodes.
type compiler struct {
	p      *parser
	widths *widther
	nl     newline
	prog   []inst
	sets   []byteSet
	lits   []byte
	lists  [][]int
	nregs  int
	look   int // depth of look-around and atomic groups
	err    error

	starts   []int32 // first instruction of each group, for calls
	needed   []bool  // groups that back references and conditions look at
	open     []int   // groups that the present node stands in, up to the next look-around
	memoOK   bool
	undo     bool // an instruction that changes registers was emitted
	memos    int
	stamp    []uint32
	gen      uint32
	worklist []int32

	fromStart bool // firstFrom is asked for the whole pattern
}

func (c *compiler) emit(in inst) int {
	if len(c.prog) >= maxInsts {
		if c.err == nil {
			c.err = &Error{Msg: "pattern needs too many instructions", Err: ErrTooBig}
		}
		return len(c.prog) - 1
	}
	// Failures inside look-around and atomic groups cannot be remembered: what is
	// known is that all has failed after the group, not that the inside did not match.
	if c.look == 0 {
		in.memo = 1 // numbered later, where it is of use
	}
	c.prog = append(c.prog, in)
	return len(c.prog) - 1
}

func (c *compiler) here() int32 { return int32(len(c.prog)) }

// setIndex returns the number of s among the sets of the pattern; 0 is all bytes.
func (c *compiler) setIndex(s *byteSet) uint16 {
	for i := range c.sets {
		if c.sets[i] == *s {
			return uint16(i)
		}
	}
	if len(c.sets) >= maxSets {
		if c.err == nil {
			c.err = &Error{Msg: "pattern needs too many byte sets", Err: ErrTooBig}
		}
		return 0
	}
	c.sets = append(c.sets, *s)
	return uint16(len(c.sets) - 1)
}

// Registers: 2*g and 2*g+1 are the ends of group g (0: the match, of which only the
// start is used); then one begin for each group when a group refers to itself; then
// counters and marks.
func (c *compiler) program(root *node) error {
	p := c.p
	c.sets = append(c.sets, allBytes())
	c.nregs = 2 * (p.groups + 1)
	if p.selfRef || p.recursion || p.accept {
		c.nregs += p.groups + 1
	}
	c.starts = make([]int32, p.groups+1)
	c.needed = make([]bool, p.groups+1)
	c.memoOK = !p.recursion && !p.verbs && !p.accept
	for _, r := range p.refs {
		if r.node.op == nBackref || r.node.op == nCond {
			c.memoOK = false
			for _, g := range r.node.groups {
				c.needed[g] = true
			}
		}
	}
	c.node(root)
	if p.recursion {
		c.emit(inst{op: opRet, x: 0})
	}
	c.emit(inst{op: opMatch})
	for i := range c.prog {
		if c.prog[i].op == opCall {
			c.prog[i].x = c.starts[c.prog[i].y]
		}
	}
	if c.err == nil {
		c.filters()
	}
	return c.err
}

func (c *compiler) node(n *node) {
	if c.err != nil {
		return
	}
	switch n.op {
	case nEmpty:
	case nByte:
		c.literal([]*node{n})
	case nSet:
		if i := c.setIndex(n.set); i == 0 {
			c.emit(inst{op: opAny})
		} else {
			c.emit(inst{op: opSet, set: i})
		}
	case nCat:
		c.cat(n.sub)
	case nAlt:
		c.alt(n.sub, c.node)
	case nRepeat:
		c.repeat(n)
	case nGroup:
		c.group(n)
	case nAtomic:
		c.atomic(func() { c.node(n.sub[0]) })
	case nLook:
		c.lookaround(n, -1)
	case nBackref:
		f := uint8(0)
		if n.fold {
			f = flagFold
		}
		c.lists = append(c.lists, n.groups)
		c.emit(inst{op: opBackref, x: int32(len(c.lists) - 1), flag: f})
	case nCond:
		c.cond(n)
	case nCall:
		c.undo = true
		c.emit(inst{op: opCall, y: int32(n.n)})
	case nAssert:
		c.emit(inst{op: opAssert, set: uint16(n.c)})
	case nKeep:
		c.undo = true
		c.emit(inst{op: opSave, set: 0, flag: flagNeed})
	case nVerb:
		switch n.c {
		case vbFail:
			c.emit(inst{op: opFail})
		case vbAccept:
			c.lists = append(c.lists, append([]int(nil), c.open...))
			c.undo = true
			c.emit(inst{op: opAccept, x: int32(len(c.lists) - 1)})
		default:
			c.emit(inst{op: opVerb, set: uint16(n.c)})
		}
	}
}

// cat emits a sequence; bytes in a row become one instruction.
func (c *compiler) cat(sub []*node) {
	for i := 0; i < len(sub); {
		if sub[i].op != nByte {
			c.node(sub[i])
			i++
			continue
		}
		j, fold, exact := i, false, false
		for ; j < len(sub) && sub[j].op == nByte; j++ {
			f := sub[j].fold
			e := !f && isLetter(sub[j].c)
			if f && exact || e && fold {
				break
			}
			fold, exact = fold || f, exact || e
		}
		c.literal(sub[i:j])
		i = j
	}
}

func (c *compiler) literal(run []*node) {
	fold := false
	for _, n := range run {
		fold = fold || n.fold
	}
	if len(run) == 1 {
		if fold {
			c.emit(inst{op: opByteFold, set: uint16(lower(run[0].c))})
		} else {
			c.emit(inst{op: opByte, set: uint16(run[0].c)})
		}
		return
	}
	in := inst{op: opStr, y: int32(len(run))}
	if fold {
		in.op = opStrFold
	}
	at := len(c.lits)
	for _, n := range run {
		b := n.c
		if fold {
			b = lower(b)
		}
		c.lits = append(c.lits, b)
	}
	if i := bytes.Index(c.lits[:at], c.lits[at:]); i >= 0 { // as in the copies of a repeat
		c.lits = c.lits[:at]
		at = i
	}
	in.x = int32(at)
	c.emit(in)
}

func (c *compiler) alt(sub []*node, each func(*node)) {
	var jumps []int
	for i, s := range sub {
		if i == len(sub)-1 {
			each(s)
			break
		}
		split := c.emit(inst{op: opSplit})
		c.prog[split].x = c.here()
		each(s)
		jumps = append(jumps, c.emit(inst{op: opJmp}))
		c.prog[split].y = c.here()
	}
	for _, j := range jumps {
		c.prog[j].x = c.here()
	}
}

func (c *compiler) group(n *node) {
	first := c.p.nodes[n.n] == n
	if first {
		c.starts[n.n] = c.here()
	}
	f := uint8(0)
	if c.needed[n.n] {
		f = flagNeed
	}
	c.undo = true
	reg := 2 * n.n
	pending := c.p.selfRef || c.p.recursion || c.p.accept
	if pending {
		reg = 2*(c.p.groups+1) + n.n
	}
	c.emit(inst{op: opSave, set: uint16(reg), flag: f})
	c.open = append(c.open, n.n)
	c.node(n.sub[0])
	c.open = c.open[:len(c.open)-1]
	if pending {
		c.emit(inst{op: opClose, set: uint16(n.n), x: int32(reg), flag: f})
	} else {
		c.emit(inst{op: opSave, set: uint16(2*n.n + 1), flag: f})
	}
	if c.p.recursion && first {
		c.emit(inst{op: opRet, x: int32(n.n)})
	}
}

// within runs f and tells whether it emitted anything that changes registers.
func (c *compiler) within(f func()) bool {
	saved := c.undo
	c.undo = false
	f()
	changed := c.undo
	c.undo = saved || changed
	return changed
}

func (c *compiler) atomic(body func()) {
	at := c.emit(inst{op: opAtomic})
	c.look++
	if c.within(body) {
		c.prog[at].flag |= flagUndo
	}
	c.look--
	c.emit(inst{op: opAtomicEnd})
}

// lookaround emits n; when it does not hold matching goes on at miss, or fails when
// miss is -1. It returns the instruction so that the targets can be changed.
func (c *compiler) lookaround(n *node, miss int32) int {
	in := inst{op: opLook, y: miss}
	if n.neg {
		in.flag |= flagNeg
	}
	at := c.emit(in)
	c.look++
	open := c.open // (*ACCEPT) closes no groups beyond its look-around
	c.open = nil
	if c.within(func() { c.lookBody(n) }) {
		c.prog[at].flag |= flagUndo
	}
	c.look--
	c.open = open
	c.emit(inst{op: opLookEnd})
	c.prog[at].x = c.here()
	return at
}

func (c *compiler) lookBody(n *node) {
	body := n.sub[0]
	if !n.behind {
		c.node(body)
		return
	}
	if body.op == nAlt {
		c.alt(body.sub, func(s *node) { c.behind(s, n) })
		return
	}
	c.behind(body, n)
}

func (c *compiler) behind(n, look *node) {
	w := c.widths.of(n)
	switch {
	case w.max == inf || w.max != w.min && w.max > maxLookbehind:
		if c.err == nil {
			c.err = &Error{Pos: look.pos, Msg: "look-behind has no bounded length"}
		}
	case w.min == w.max:
		c.emit(inst{op: opBack, x: int32(w.min)})
		c.node(n)
	default:
		c.emit(inst{op: opBackVar, x: int32(w.min), y: int32(w.max)})
		c.node(n)
		c.emit(inst{op: opBackEnd})
	}
}

func (c *compiler) cond(n *node) {
	yes, no := n.sub[0], n.sub[1]
	switch n.n {
	case condTrue:
		c.node(yes)
		return
	case condFalse:
		if c.p.recursion { // the inside of (DEFINE) is called from elsewhere
			j := c.emit(inst{op: opJmp})
			c.node(yes)
			c.prog[j].x = c.here()
		}
		c.node(no)
		return
	}
	var at int
	if n.n == condLook {
		at = c.lookaround(n.sub[2], 0)
	} else {
		c.lists = append(c.lists, n.groups)
		at = c.emit(inst{op: opCond, set: uint16(n.n), x: int32(len(c.lists) - 1)})
	}
	c.node(yes)
	j := c.emit(inst{op: opJmp})
	c.prog[at].y = c.here()
	c.node(no)
	c.prog[j].x = c.here()
}
