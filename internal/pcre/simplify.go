package pcre

// simplify rewrites n into an equal, smaller form: it flattens sequences, makes sets
// of alternatives that are single bytes, and drops repeats that do nothing.
func (p *parser) simplify(n *node) *node {
	for i, s := range n.sub {
		n.sub[i] = p.simplify(s)
	}
	switch n.op {
	case nByte:
		n.fold = n.fold && isLetter(n.c)
	case nSet:
		return p.smallSet(n)
	case nCat:
		return p.flatten(n)
	case nAlt:
		return p.mergeAlt(n)
	case nAtomic:
		if _, ok := single(n.sub[0]); ok {
			return n.sub[0]
		}
	case nRepeat:
		switch {
		case n.sub[0].op == nEmpty, n.max == 0 && !p.recursion:
			return p.node(nEmpty)
		case n.min == 1 && n.max == 1 && n.mode != repPossessive:
			return n.sub[0]
		}
	}
	return n
}

// smallSet turns a set of one byte, or of both cases of a letter, into a byte.
func (p *parser) smallSet(n *node) *node {
	switch n.set.count() {
	case 1:
		b := p.node(nByte)
		b.c = n.set.lowest()
		return b
	case 2:
		c := n.set.lowest()
		if isLetter(c) && n.set.has(c|0x20) && c|0x20 != c {
			b := p.node(nByte)
			b.c, b.fold = c|0x20, true
			return b
		}
	}
	return n
}

func (p *parser) flatten(n *node) *node {
	nested := false
	for _, s := range n.sub {
		nested = nested || s.op == nCat || s.op == nEmpty
	}
	if nested {
		var out []*node
		for _, s := range n.sub {
			switch s.op {
			case nEmpty:
			case nCat:
				out = append(out, s.sub...)
			default:
				out = append(out, s)
			}
		}
		n.sub = out
	}
	switch len(n.sub) {
	case 0:
		return p.node(nEmpty)
	case 1:
		return n.sub[0]
	}
	return n
}

// mergeAlt joins neighbouring alternatives that match one byte each. Their order does
// not matter: at most one of them can match.
func (p *parser) mergeAlt(n *node) *node {
	out := n.sub[:0:len(n.sub)]
	for i := 0; i < len(n.sub); {
		s, ok := single(n.sub[i])
		j := i + 1
		for ok && j < len(n.sub) {
			t, also := single(n.sub[j])
			if !also {
				break
			}
			s.union(&t)
			j++
		}
		one := n.sub[i]
		if j > i+1 {
			one = p.smallSet(p.setNode(s))
		}
		out = append(out, one)
		i = j
	}
	n.sub = out
	if len(out) == 1 {
		return out[0]
	}
	return n
}
