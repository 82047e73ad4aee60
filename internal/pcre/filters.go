package pcre

// maxClosure bounds the instructions that one question for first bytes looks at, so
// that compiling stays linear.
const maxClosure = 128

// firsts says what a match from some instruction on can begin with.
type firsts struct {
	set byteSet
	end bool // it can match at the end of the subject
	any bool // nothing is known: it can match before any byte, and at the end
}

func (f *firsts) unknown() {
	f.set, f.end, f.any = allBytes(), true, true
}

// firstFrom finds what the program can begin with from instruction pc on. The set may
// be too large, never too small.
func (c *compiler) firstFrom(pc int32) firsts {
	var f firsts
	if c.p.verbs && !c.fromStart { // passing over a verb would change where the search goes on
		f.unknown()
		return f
	}
	c.gen++
	c.worklist = append(c.worklist[:0], pc)
	for seen := 0; len(c.worklist) > 0; {
		pc := c.worklist[len(c.worklist)-1]
		c.worklist = c.worklist[:len(c.worklist)-1]
		if c.stamp[pc] == c.gen {
			continue
		}
		c.stamp[pc] = c.gen
		if seen++; seen > maxClosure {
			f.unknown()
			return f
		}
		if c.firstStep(&f, pc); f.any {
			return f
		}
	}
	return f
}

func (c *compiler) firstStep(f *firsts, pc int32) {
	in := &c.prog[pc]
	switch in.op {
	case opFail:
	case opByte:
		f.set.add(byte(in.set))
	case opByteFold:
		c.addByte(f, byte(in.set), true)
	case opStr, opStrFold:
		c.addByte(f, c.lits[in.x], in.op == opStrFold)
	case opSet, opAny:
		f.set.union(&c.sets[in.set])
	case opGreedy, opLazy, opTake:
		f.set.union(&c.sets[in.set])
		if in.x == 0 {
			c.worklist = append(c.worklist, pc+1)
		}
	case opJmp:
		c.worklist = append(c.worklist, in.x)
	case opSplit:
		c.worklist = append(c.worklist, in.x, in.y)
	case opEmptyTo:
		c.worklist = append(c.worklist, in.x, pc+1)
	case opCond:
		c.worklist = append(c.worklist, in.y, pc+1)
	case opLook:
		c.worklist = append(c.worklist, in.x)
		if in.y >= 0 {
			c.worklist = append(c.worklist, in.y)
		}
	case opAssert:
		switch assertKind(in.set) {
		case asEOT:
			f.end = true
		case asEOTL, asEOL:
			f.end = true
			s := newlineBytes(c.nl)
			f.set.union(&s)
		default:
			c.worklist = append(c.worklist, pc+1)
		}
	case opVerb:
		// PCRE2, too, looks for the first byte before it tries (*COMMIT).
		if !c.fromStart {
			f.unknown()
			return
		}
		c.worklist = append(c.worklist, pc+1)
	case opAtomicEnd:
		// Inside the group a way is chosen for good before what follows is looked at.
		if !c.fromStart {
			f.unknown()
			return
		}
		c.worklist = append(c.worklist, pc+1)
	case opSave, opClose, opMark, opZero, opCount, opInc, opAtomic, opBackEnd:
		c.worklist = append(c.worklist, pc+1)
	default:
		f.unknown()
	}
}

func (c *compiler) addByte(f *firsts, b byte, fold bool) {
	f.set.add(b)
	if fold && isLetter(b) {
		f.set.add(b ^ 0x20)
	}
}

// newlineBytes returns the bytes a newline can begin with.
func newlineBytes(nl newline) byteSet {
	switch nl {
	case nlLF:
		return setOf('\n')
	case nlCR, nlCRLF:
		return setOf('\r')
	case nlNUL:
		return setOf(0)
	case nlAnyCRLF:
		return setOf('\r', '\n')
	}
	return vspaceSet()
}

// filters adds to every choice what the ways can begin with, so that most choices are
// made by looking at one byte, makes loops possessive where giving back cannot help,
// and numbers the places where failures are remembered.
func (c *compiler) filters() {
	c.stamp = make([]uint32, len(c.prog))
	memos := 0
	for i := range c.prog {
		in := &c.prog[i]
		keep := in.memo != 0 && c.memoOK
		in.memo = 0
		switch in.op {
		case opSplit:
			fx, fy := c.firstFrom(in.x), c.firstFrom(in.y)
			in.set, in.fs = c.filterSet(&fx), c.filterSet(&fy)
			if fx.end {
				in.flag |= flagEndX
			}
			if fy.end {
				in.flag |= flagEndY
			}
		case opGreedy, opLazy, opTake:
			c.loopFilter(in, int32(i))
			keep = keep && in.y > in.x
		case opLook:
			if f := c.firstFrom(int32(i) + 1); !f.any && !f.end {
				in.set = c.filterSet(&f)
			}
			continue
		default:
			continue
		}
		if keep {
			memos++
			in.memo = uint16(memos)
		}
	}
	if c.memos = memos; memos >= 1<<16 {
		c.memos = 0
		for i := range c.prog {
			c.prog[i].memo = 0
		}
	}
}

// filterSet numbers the set of f; when there is no room for one more the filter is
// given up, which costs only time.
func (c *compiler) filterSet(f *firsts) uint16 {
	if f.any || len(c.sets) >= maxSets {
		f.end = true
		return 0
	}
	return c.setIndex(&f.set)
}

func (c *compiler) loopFilter(in *inst, pc int32) {
	set := c.sets[in.set]
	switch set.count() {
	case 256:
		in.flag |= loopAny
	case 255:
		s := not(set)
		in.flag |= loopBut
		in.but = s.lowest()
	}
	if in.op == opTake {
		return
	}
	f := c.firstFrom(pc + 1)
	if !f.any && !f.set.meets(&set) {
		// Wherever the loop could stop earlier a byte of set follows, with which
		// nothing that comes next can begin.
		in.op = opTake
		return
	}
	if in.op == opGreedy && c.matchesNext(pc+1) {
		in.op = opTake
		return
	}
	if in.fs = c.filterSet(&f); in.fs != 0 && f.set.count() == 1 {
		in.flag |= loopOne
		in.next = f.set.lowest()
	}
	if f.end {
		in.flag |= loopEnd
	}
}

// matchesNext tells whether the program is done at pc but for saving registers, so
// that the first way a loop ends is the last one needed. The end of an atomic group or
// a look-around is such a place as well.
func (c *compiler) matchesNext(pc int32) bool {
	for c.prog[pc].op == opSave || c.prog[pc].op == opClose {
		pc++
	}
	op := c.prog[pc].op
	if op == opMatch && (c.p.opts.notEmpty || c.p.opts.notEmptyAt) {
		return false
	}
	return op == opMatch || op == opAtomicEnd || op == opLookEnd
}

// place is an instruction and how much of it has been matched.
type place struct {
	pc   int32
	done int32
}

// prefix returns the sets of bytes a match can have at its first offsets, as many as
// are known and at most n.
func (c *compiler) prefix(n int) []byteSet {
	const maxPlaces = 48
	var out []byteSet
	now := []place{{}}
	for len(out) < n {
		var s byteSet
		var next []place
		for i := 0; i < len(now); i++ {
			if len(now) > maxPlaces || len(next) > maxPlaces || !c.prefixStep(now[i], &now, &next, &s) {
				return out
			}
		}
		out = append(out, s)
		now = next
	}
	return out
}

// prefixStep adds to now what is reached from p without a byte, or to set and next what
// is reached with one; false means that nothing is known.
func (c *compiler) prefixStep(p place, now, next *[]place, set *byteSet) bool {
	goTo := func(pc int32) {
		if q := (place{pc: pc}); !containsPlace(*now, q) {
			*now = append(*now, q)
		}
	}
	in := &c.prog[p.pc]
	after := place{pc: p.pc + 1}
	switch in.op {
	case opFail:
		return true
	case opByte:
		set.add(byte(in.set))
	case opByteFold:
		set.add(byte(in.set))
		if isLetter(byte(in.set)) {
			set.add(byte(in.set) - 32)
		}
	case opStr, opStrFold:
		b := c.lits[in.x+p.done]
		set.add(b)
		if in.op == opStrFold && isLetter(b) {
			set.add(b - 32)
		}
		if p.done+1 < in.y {
			after = place{p.pc, p.done + 1}
		}
	case opSet, opAny:
		set.union(&c.sets[in.set])
	case opGreedy, opLazy, opTake:
		if p.done >= in.x {
			goTo(p.pc + 1)
		}
		if p.done >= in.y {
			return true
		}
		set.union(&c.sets[in.set])
		after = place{p.pc, p.done + 1}
	default:
		var f firsts
		c.worklist = c.worklist[:0]
		if c.firstStep(&f, p.pc); f.any || f.end {
			return false
		}
		for _, pc := range c.worklist {
			goTo(pc)
		}
		return true
	}
	if !containsPlace(*next, after) {
		*next = append(*next, after)
	}
	return true
}

func containsPlace(s []place, p place) bool {
	for i := range s {
		if s[i] == p {
			return true
		}
	}
	return false
}
