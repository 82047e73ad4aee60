package pcre

// repeat emits a quantified item.
func (c *compiler) repeat(n *node) {
	sub := n.sub[0]
	if n.max == 0 {
		if c.p.recursion { // groups inside may be called
			j := c.emit(inst{op: opJmp})
			c.node(sub)
			c.prog[j].x = c.here()
		}
		return
	}
	if s, ok := single(sub); ok {
		in := inst{op: opGreedy, set: c.setIndex(&s), x: int32(n.min), y: int32(n.max)}
		switch n.mode {
		case repLazy:
			in.op = opLazy
		case repPossessive:
			in.op = opTake
		}
		c.emit(in)
		return
	}
	if n.mode == repPossessive {
		c.atomic(func() { c.loop(n, false) })
		return
	}
	c.loop(n, n.mode == repLazy)
}

// single returns the set of a node that matches exactly one byte.
func single(n *node) (byteSet, bool) {
	switch n.op {
	case nSet:
		return *n.set, true
	case nByte:
		s := setOf(n.c)
		if n.fold {
			s.addFolded()
		}
		return s, true
	}
	return byteSet{}, false
}

// loop emits a repeat of something that is not a single byte.
func (c *compiler) loop(n *node, lazy bool) {
	sub := n.sub[0]
	nullable := c.widths.of(sub).min == 0
	switch {
	case n.min == 0 && n.max == 1:
		c.optional(lazy, func() { c.node(sub) })
		return
	case n.min == 0 && n.max == inf:
		c.star(sub, lazy, nullable)
		return
	case n.min == 1 && n.max == inf:
		c.plus(sub, lazy, nullable)
		return
	}
	copies := n.max
	if copies == inf {
		copies = n.min
	}
	if n.max == 1 || satMul(c.size(sub), copies) <= expandInsts {
		c.expand(n, lazy, nullable)
		return
	}
	c.counted(n, lazy, nullable)
}

// size is about how many instructions n needs.
func (c *compiler) size(n *node) int {
	switch n.op {
	case nByte, nSet, nBackref, nCall, nAssert, nKeep, nVerb:
		return 1
	case nCat, nAlt:
		k := 0
		for _, s := range n.sub {
			k = satAdd(k, c.size(s))
		}
		if n.op == nAlt {
			k = satAdd(k, 2*len(n.sub))
		}
		return k
	case nRepeat:
		if _, ok := single(n.sub[0]); ok {
			return 1
		}
		k := c.size(n.sub[0])
		times := n.max
		if times == inf {
			times = max(n.min, 1)
		}
		if all := satMul(k+1, times); all <= expandInsts {
			return all + 3
		}
		return k + 6
	case nGroup:
		return c.size(n.sub[0]) + 3
	case nAtomic, nLook:
		return c.size(n.sub[0]) + 4
	case nCond:
		return satAdd(c.size(n.sub[0]), c.size(n.sub[1])) + 8
	}
	return 0
}

func (c *compiler) split(lazy bool) int {
	f := uint8(0)
	if lazy {
		f = flagLazy
	}
	return c.emit(inst{op: opSplit, flag: f})
}

// aim sets where a split goes for another round and for the exit.
func (c *compiler) aim(split int, body, exit int32) {
	in := &c.prog[split]
	if in.flag&flagLazy != 0 {
		body, exit = exit, body
		in.flag &^= flagLazy
	}
	in.x, in.y = body, exit
}

func (c *compiler) optional(lazy bool, body func()) {
	s := c.split(lazy)
	b := c.here()
	body()
	c.aim(s, b, c.here())
}

// body emits sub between a mark and the check that it matched something; it returns
// the check, whose target is still to be set, or -1.
func (c *compiler) body(sub *node, nullable bool) int {
	if !nullable {
		c.node(sub)
		return -1
	}
	reg := uint16(c.nregs)
	c.nregs++
	c.undo = true
	c.emit(inst{op: opMark, set: reg})
	c.node(sub)
	return c.emit(inst{op: opEmptyTo, set: reg})
}

func (c *compiler) star(sub *node, lazy, nullable bool) {
	s := c.split(lazy)
	b := c.here()
	check := c.body(sub, nullable)
	c.emit(inst{op: opJmp, x: int32(s)})
	c.aim(s, b, c.here())
	if check >= 0 {
		c.prog[check].x = c.here()
	}
}

func (c *compiler) plus(sub *node, lazy, nullable bool) {
	b := c.here()
	check := c.body(sub, nullable)
	s := c.split(lazy)
	c.aim(s, b, c.here())
	if check >= 0 {
		c.prog[check].x = c.here()
	}
}

// expand writes the body out as often as it is needed.
func (c *compiler) expand(n *node, lazy, nullable bool) {
	sub := n.sub[0]
	for i := 0; i < n.min; i++ {
		if i == n.min-1 && n.max == inf {
			c.plus(sub, lazy, nullable)
			return
		}
		c.node(sub)
	}
	var splits []int
	var bodies []int32
	for i := n.min; i < n.max; i++ {
		splits = append(splits, c.split(lazy))
		bodies = append(bodies, c.here())
		c.node(sub)
	}
	for i, s := range splits {
		c.aim(s, bodies[i], c.here())
	}
}

// counted emits a repeat that counts at run time.
func (c *compiler) counted(n *node, lazy, nullable bool) {
	c.memoOK = false
	c.undo = true
	ctr := uint16(c.nregs)
	c.nregs++
	c.emit(inst{op: opZero, set: ctr})
	f := uint8(0)
	if lazy {
		f = flagLazy
	}
	top := c.emit(inst{op: opCount, set: ctr, x: int32(n.min), y: int32(n.max), flag: f})
	s := c.split(lazy)
	b := c.here()
	c.emit(inst{op: opInc, set: ctr})
	check := -1
	if nullable && n.max == inf {
		check = c.body(n.sub[0], true)
	} else {
		c.node(n.sub[0])
	}
	c.emit(inst{op: opJmp, x: int32(top)})
	c.aim(s, b, c.here())
	if check >= 0 {
		// An empty round ends the loop once there were enough.
		c.prog[check].x = c.here()
		c.prog[check].y = int32(n.min)
		c.prog[check].fs = ctr
	}
}
