package pcre

// finish fills re from the program and what the nodes tell about every match.
func (c *compiler) finish(re *Regexp, root *node) {
	p := c.p
	re.prog, re.lits, re.nregs, re.memos = clip(c.prog), clip(c.lits), c.nregs, c.memos
	if !c.memoOK {
		re.memos = 0
	}
	re.lists = c.lists
	w := c.widths.of(root)
	re.minLen = w.min
	if p.accept {
		re.minLen = 0
	}
	c.fromStart = true
	f := c.firstFrom(0)
	if !f.any && !f.end && !p.accept && (!p.verbs || f.set.count() == 1 && c.leadsWithByte()) {
		re.first = c.filterSet(&f)
		if f.set.count() == 1 {
			re.firstByte, re.oneFirst = f.set.lowest(), true
		}
		if !p.verbs && re.first != 0 {
			sets := c.prefix(min(re.minLen, 3))
			for i := 1; i < len(sets); i++ {
				re.then[i-1] = c.filterSet(&firsts{set: sets[i]})
			}
		}
	}
	if !p.accept { // (*ACCEPT) may come before the anchor
		re.anchor = c.anchorOf(root)
	}
	if re.flags&Anchored != 0 && re.anchor != anchorText {
		re.anchor = anchorStart
	}
	if re.anchor == anchorNone && !p.verbs && !p.recursion && !c.refers() {
		if s := leadingLoop(root); s != nil {
			re.skip = c.filterSet(&firsts{set: *s})
			re.skips = true
		}
	}
	if !p.accept && !p.verbs {
		re.need, re.also = findLiterals(root, c.widths)
	}
	re.sets = clip(c.sets)
	re.exact, re.canDFA = regular(root, p), true
	switch {
	case c.isLiteral(root):
		re.kind = kindLiteral
		re.plain = re.anchor == anchorNone && re.minLen > 0 && len(re.need.text) == re.minLen
	case re.exact:
		re.kind = kindDFA
	}
	if !re.exact {
		c.dfaWorth(re, root)
	}
}

// leadsWithByte tells whether the pattern begins with a byte that nothing makes
// optional. Only then PCRE2 looks for it before it tries (*COMMIT).
func (c *compiler) leadsWithByte() bool {
	for pc := range c.prog {
		switch in := &c.prog[pc]; in.op {
		case opVerb, opSave, opAtomic:
			continue
		case opByte, opStr:
			return true
		case opGreedy, opLazy, opTake:
			return in.x > 0
		}
		break
	}
	return false
}

// refers tells whether any part of the pattern looks at what a group matched.
func (c *compiler) refers() bool {
	for _, n := range c.needed {
		if n {
			return true
		}
	}
	return false
}

// dfaWorth decides whether a DFA of the laxer pattern can prove anything.
func (c *compiler) dfaWorth(re *Regexp, root *node) {
	if c.p.accept && re.minLen == 0 && len(re.need.text) == 0 && re.first == 0 {
		re.canDFA = false
	}
}

func clip[T any](s []T) []T {
	if cap(s) == len(s) {
		return s
	}
	return append(make([]T, 0, len(s)), s...)
}

func (c *compiler) isLiteral(n *node) bool {
	if c.p.opts.notEmpty || c.p.opts.notEmptyAt {
		return false
	}
	if n.op == nByte {
		return true
	}
	if n.op != nCat {
		return false
	}
	for i, s := range n.sub {
		if s.op != nByte && !(i == 0 && s.op == nAssert && (s.c == asBOT || s.c == asStart)) {
			return false
		}
	}
	return true
}

// anchorOf says where every match of n must begin.
func (c *compiler) anchorOf(n *node) anchor {
	switch n.op {
	case nAssert:
		switch n.c {
		case asBOT:
			return anchorText
		case asStart:
			return anchorStart
		case asBOL:
			if c.nl == nlLF {
				return anchorLine
			}
		}
	case nCat:
		for _, s := range n.sub {
			if s.op == nEmpty || s.op == nLook || s.op == nKeep || s.op == nVerb {
				continue // without width
			}
			if s.op == nAssert {
				if a := c.anchorOf(s); a != anchorNone {
					return a
				}
				continue
			}
			return c.anchorOf(s)
		}
	case nGroup, nAtomic:
		return c.anchorOf(n.sub[0])
	case nAlt:
		a := c.anchorOf(n.sub[0])
		for _, s := range n.sub[1:] {
			if c.anchorOf(s) != a {
				return anchorNone
			}
		}
		return a
	case nRepeat:
		if n.min > 0 {
			return c.anchorOf(n.sub[0])
		}
	}
	return anchorNone
}

// leadingLoop returns the set of an endless loop over single bytes that the pattern
// begins with, or nil. After a byte of that set no match needs to be looked for where
// the search has failed one byte earlier: the loop would have taken that byte too.
func leadingLoop(n *node) *byteSet {
	switch n.op {
	case nCat:
		return leadingLoop(n.sub[0])
	case nGroup:
		return leadingLoop(n.sub[0])
	case nRepeat:
		if n.max != inf {
			return nil
		}
		if s, ok := single(n.sub[0]); ok {
			return &s
		}
	}
	return nil
}

// regular tells whether a DFA can mean exactly n.
func regular(n *node, p *parser) bool {
	if p.opts.newline != nlLF || p.opts.notEmpty || p.opts.notEmptyAt {
		return false
	}
	return regularNode(n)
}

func regularNode(n *node) bool {
	switch n.op {
	case nAtomic, nLook, nBackref, nCond, nCall, nVerb:
		return false
	case nRepeat:
		if n.mode == repPossessive && !lastsAlone(n) {
			return false
		}
	}
	for _, s := range n.sub {
		if !regularNode(s) {
			return false
		}
	}
	return true
}

// lastsAlone tells whether possessive makes no difference for a repeat of a single
// byte a fixed number of times.
func lastsAlone(n *node) bool {
	_, ok := single(n.sub[0])
	return ok && n.min == n.max
}
