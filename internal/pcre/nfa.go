package pcre

// nfa is an automaton without memory for a pattern, or for a laxer one: whatever the
// pattern matches the automaton matches too. When exact is set it matches nothing else.
type nfa struct {
	nodes []nfaNode
	sets  []byteSet
	start int32
	exact bool

	words   int        // length of a bit set of nodes
	reach   [][]uint64 // by node: what can be reached from its out without a byte
	begin   []uint64   // the same from start
	final   int32      // the match node
	uses    uint8      // contexts that assertions look at
	asserts bool       // there are assertions
	single  bool       // matches begin at one place only
}

// nfaNode is a node; only ndByte, ndAssert and ndMatch appear in sets of nodes.
type nfaNode struct {
	kind      nfaKind
	assert    assertKind
	set       uint16
	out, out1 int32
}

type nfaKind uint8

const (
	ndSplit nfaKind = iota
	ndByte
	ndAssert
	ndMatch
	ndFail
)

// Contexts an assertion can look at.
const (
	useWord  uint8 = 1 << iota // word or not, on either side
	useLine                    // newline before or after
	useLast                    // a newline that is the last byte
	useStart                   // start of the subject or of the search
)

// widenings returns the counts above which repeats are widened, tried one after the other
// until the automaton is small enough.
func widenings() [4]int { return [4]int{maxRepeat, 24, 4, 1} }

type nfaBuilder struct {
	p     *parser
	n     *nfa
	widen int
	full  bool
}

// newNFA makes the automaton of re; nil when even the widest is too big. The pattern
// is parsed again: few patterns ever need it, so the nodes are not kept.
func newNFA(re *Regexp) *nfa {
	try := re.flags
	if re.flags&AutoNoCapture != 0 {
		try |= NoAutoCapture
	}
	p, root, err := parsePattern(re.src, try)
	if err != nil {
		if p, root, err = parsePattern(re.src, re.flags); err != nil {
			return nil
		}
	}
	root = p.simplify(root)
	for _, w := range widenings() {
		b := nfaBuilder{p: p, widen: w, n: &nfa{exact: re.exact}}
		b.n.final = b.add(nfaNode{kind: ndMatch})
		b.n.start = b.build(root, b.n.final)
		if !b.full {
			b.n.single = re.anchor == anchorText || re.anchor == anchorStart
			b.n.close()
			return b.n
		}
	}
	return nil
}

func (b *nfaBuilder) add(n nfaNode) int32 {
	if len(b.n.nodes) >= maxNFA {
		b.full = true
		return 0
	}
	b.n.nodes = append(b.n.nodes, n)
	return int32(len(b.n.nodes) - 1)
}

func (b *nfaBuilder) bytes(s byteSet, next int32) int32 {
	for i := range b.n.sets {
		if b.n.sets[i] == s {
			return b.add(nfaNode{kind: ndByte, set: uint16(i), out: next})
		}
	}
	b.n.sets = append(b.n.sets, s)
	return b.add(nfaNode{kind: ndByte, set: uint16(len(b.n.sets) - 1), out: next})
}

// anything matches any bytes before next.
func (b *nfaBuilder) anything(next int32) int32 {
	b.n.exact = false
	s := b.add(nfaNode{kind: ndSplit, out1: next})
	b.n.nodes[s].out = b.bytes(allBytes(), s)
	return s
}

// build makes the nodes for n such that next follows, and returns the first.
func (b *nfaBuilder) build(n *node, next int32) int32 {
	if b.full {
		return 0
	}
	switch n.op {
	case nByte, nSet:
		s, _ := single(n)
		return b.bytes(s, next)
	case nCat:
		for i := len(n.sub) - 1; i >= 0; i-- {
			next = b.build(n.sub[i], next)
		}
	case nAlt:
		entry := b.build(n.sub[len(n.sub)-1], next)
		for i := len(n.sub) - 2; i >= 0; i-- {
			entry = b.add(nfaNode{kind: ndSplit, out: b.build(n.sub[i], next), out1: entry})
		}
		return entry
	case nRepeat:
		return b.repeat(n, next)
	case nGroup, nAtomic:
		return b.build(n.sub[0], next)
	case nBackref, nCall:
		return b.anything(next)
	case nCond:
		yes := b.build(n.sub[0], next)
		return b.add(nfaNode{kind: ndSplit, out: yes, out1: b.build(n.sub[1], next)})
	case nAssert:
		return b.assertion(n.c, next)
	case nVerb:
		switch n.c {
		case vbFail:
			return b.add(nfaNode{kind: ndFail})
		case vbAccept:
			return b.n.final
		}
	}
	return next
}

func (b *nfaBuilder) assertion(k assertKind, next int32) int32 {
	if b.p.opts.newline != nlLF && (k == asBOL || k == asEOL || k == asEOTL) || k == asCR {
		b.n.exact = false
		return next
	}
	b.n.asserts = true
	switch k {
	case asBOL, asEOL:
		b.n.uses |= useLine
	case asEOTL:
		b.n.uses |= useLast
	case asWord, asNotWord:
		b.n.uses |= useWord
	case asBOT, asStart:
		b.n.uses |= useStart
	}
	return b.add(nfaNode{kind: ndAssert, assert: k, out: next})
}

func (b *nfaBuilder) repeat(n *node, next int32) int32 {
	lo, hi := n.min, n.max
	if lo > b.widen || hi != inf && hi > b.widen && hi > 1 {
		b.n.exact = false
		lo, hi = min(lo, b.widen), inf
	}
	entry := next
	if hi == inf {
		entry = b.add(nfaNode{kind: ndSplit, out1: next})
		body := b.build(n.sub[0], entry)
		b.n.nodes[entry].out = body
	} else {
		for i := lo; i < hi && !b.full; i++ {
			body := b.build(n.sub[0], entry)
			entry = b.add(nfaNode{kind: ndSplit, out: body, out1: next})
		}
	}
	for i := 0; i < lo && !b.full; i++ {
		entry = b.build(n.sub[0], entry)
	}
	return entry
}

// close finds what is reachable from every node without a byte.
func (n *nfa) close() {
	n.words = (len(n.nodes) + 63) / 64
	n.reach = make([][]uint64, len(n.nodes))
	var stack []int32
	seen := make([]bool, len(n.nodes))
	closure := func(from int32) []uint64 {
		set := make([]uint64, n.words)
		clear(seen)
		stack = append(stack[:0], from)
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if seen[i] {
				continue
			}
			seen[i] = true
			switch nd := &n.nodes[i]; nd.kind {
			case ndSplit:
				stack = append(stack, nd.out, nd.out1)
			case ndByte, ndAssert, ndMatch:
				set[i>>6] |= 1 << (i & 63)
			}
		}
		return set
	}
	n.begin = closure(n.start)
	known := make(map[int32][]uint64)
	for i := range n.nodes {
		if nd := &n.nodes[i]; nd.kind == ndByte || nd.kind == ndAssert {
			if known[nd.out] == nil {
				known[nd.out] = closure(nd.out)
			}
			n.reach[i] = known[nd.out]
		}
	}
}
