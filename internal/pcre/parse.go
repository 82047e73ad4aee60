package pcre

import "strings"

// parser turns a pattern into nodes by recursive descent; maxParens bounds its depth.
type parser struct {
	src    string
	pos    int
	flags  Flags
	opts   patternOpts
	quote  bool // between \Q and \E
	depth  int
	groups int
	nodes  []*node // by group number; the first of a number
	ends   []int   // by group number: where it ends in src
	shared []int   // numbers that more than one group has
	names  []Name
	refs   []ref
	slab   []node
	limit  int32

	recursion bool
	accept    bool
	verbs     bool // verbs that change where the search goes on
	selfRef   bool // a group refers to itself from inside
	keep      bool
	lookDepth int
}

// ref is a reference by name or number that is looked up when all groups are known.
type ref struct {
	node *node
	name string
	num  int
	pos  int
}

func (p *parser) fail(pos int, msg string) error { return &Error{Pos: pos, Msg: msg} }

func (p *parser) unsupported(pos int, what string) error {
	return &Error{Pos: pos, Msg: what + ": not supported", Err: ErrUnsupported}
}

func (p *parser) node(op nodeOp) *node {
	if len(p.slab) == 0 {
		p.slab = make([]node, 32)
	}
	n := &p.slab[0]
	p.slab = p.slab[1:]
	n.op, n.pos = op, p.pos
	return n
}

func (p *parser) byteNode(c byte) *node {
	n := p.node(nByte)
	n.c = c
	n.fold = p.flags&Caseless != 0 && isLetter(c)
	return n
}

func (p *parser) setNode(s byteSet) *node {
	n := p.node(nSet)
	n.set = &s
	return n
}

func (p *parser) assert(k assertKind) *node {
	n := p.node(nAssert)
	n.c = k
	return n
}

func (p *parser) cat(sub ...*node) *node {
	n := p.node(nCat)
	n.sub = sub
	return n
}

func (p *parser) more() bool { return p.pos < len(p.src) }

func (p *parser) has(s string) bool { return strings.HasPrefix(p.src[p.pos:], s) }

func (p *parser) take(s string) bool {
	if p.has(s) {
		p.pos += len(s)
		return true
	}
	return false
}

// parsePattern parses src and resolves what refers to groups.
func parsePattern(src string, flags Flags) (*parser, *node, error) {
	p := &parser{src: src, flags: flags, nodes: make([]*node, 1, 4), ends: make([]int, 1, 4)}
	if len(src) > maxPattern {
		return nil, nil, &Error{Pos: maxPattern, Msg: "pattern is too long", Err: ErrTooBig}
	}
	if err := p.head(); err != nil {
		return nil, nil, err
	}
	n, err := p.alternatives()
	if err != nil {
		return nil, nil, err
	}
	if p.more() {
		return nil, nil, p.fail(p.pos, "closing parenthesis without an opening one")
	}
	if err := p.resolve(); err != nil {
		return nil, nil, err
	}
	if p.recursion && (p.verbs || p.accept) {
		return nil, nil, p.unsupported(0, "backtracking verbs together with recursion")
	}
	return p, n, nil
}

// head parses the options at the very start, such as (*ANYCRLF).
func (p *parser) head() error {
	for p.has("(*") {
		end := strings.IndexByte(p.src[p.pos:], ')')
		if end < 0 {
			return nil
		}
		word := p.src[p.pos+2 : p.pos+end]
		at := p.pos
		switch word {
		case "LF":
			p.opts.newline = nlLF
		case "CR":
			p.opts.newline = nlCR
		case "CRLF":
			p.opts.newline = nlCRLF
		case "ANYCRLF":
			p.opts.newline = nlAnyCRLF
		case "ANY":
			p.opts.newline = nlAny
		case "NUL":
			p.opts.newline = nlNUL
		case "BSR_ANYCRLF":
			p.opts.bsrAnyCRLF = true
		case "BSR_UNICODE":
			p.opts.bsrAnyCRLF = false
		case "NOTEMPTY":
			p.opts.notEmpty = true
		case "NOTEMPTY_ATSTART":
			p.opts.notEmptyAt = true
		case "NO_AUTO_POSSESS", "NO_START_OPT", "NO_JIT", "NO_DOTSTAR_ANCHOR":
			// They switch off optimisations that do not change what matches.
		case "UTF", "UCP":
			return p.unsupported(at, "(*"+word+")")
		default:
			name, num, ok := strings.Cut(word, "=")
			if !ok || (name != "LIMIT_MATCH" && name != "LIMIT_DEPTH" && name != "LIMIT_RECURSION" && name != "LIMIT_HEAP") {
				return nil
			}
			v, good := decimal(num)
			if !good {
				return p.fail(at, "number of a limit is not valid")
			}
			if name == "LIMIT_MATCH" {
				p.limit = int32(min(max(v, 1), inf))
			}
		}
		p.pos += end + 1
	}
	return nil
}

func decimal(s string) (int, bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	v := 0
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
		v = v*10 + int(s[i]-'0')
	}
	return v, true
}

// alternatives parses up to an unmatched ) or the end. Flags set inside hold for the
// alternatives after it too; the caller restores them at the end of the group.
func (p *parser) alternatives() (*node, error) {
	first, err := p.sequence()
	if err != nil {
		return nil, err
	}
	if !p.more() || p.src[p.pos] != '|' {
		return first, nil
	}
	alt := p.node(nAlt)
	alt.sub = append(alt.sub, first)
	for p.more() && p.src[p.pos] == '|' {
		p.pos++
		n, err := p.sequence()
		if err != nil {
			return nil, err
		}
		alt.sub = append(alt.sub, n)
	}
	return alt, nil
}

// sequence parses items up to | or ) or the end.
func (p *parser) sequence() (*node, error) {
	var items []*node
	for {
		if err := p.skip(); err != nil {
			return nil, err
		}
		if !p.more() || (!p.quote && (p.src[p.pos] == '|' || p.src[p.pos] == ')')) {
			break
		}
		at := p.pos
		n, countable, err := p.item()
		if err != nil {
			return nil, err
		}
		if n == nil { // an option setting
			continue
		}
		if err := p.skip(); err != nil {
			return nil, err
		}
		if countable {
			if n, err = p.quantifier(n, at); err != nil {
				return nil, err
			}
		}
		items = append(items, n)
	}
	switch len(items) {
	case 0:
		return p.node(nEmpty), nil
	case 1:
		return items[0], nil
	}
	return p.cat(items...), nil
}

// skip passes over what is between items: comments, white space in extended mode,
// and the ends of quotations.
func (p *parser) skip() error {
	for p.more() {
		if p.quote {
			if !p.take(`\E`) {
				return nil
			}
			p.quote = false
			continue
		}
		c := p.src[p.pos]
		switch {
		case c == '\\' && p.take(`\E`):
		case c == '\\' && p.take(`\Q`):
			p.quote = true
		case c == '(' && p.has("(?#"):
			end := strings.IndexByte(p.src[p.pos:], ')')
			if end < 0 {
				return p.fail(len(p.src), "comment without end")
			}
			p.pos += end + 1
		case p.flags&Extended != 0 && (c == ' ' || c >= '\t' && c <= '\r'):
			p.pos++
		case p.flags&Extended != 0 && c == '#':
			for p.more() && !p.atNewline() {
				p.pos++
			}
		default:
			return nil
		}
	}
	return nil
}

// atNewline tells whether a newline ends at the next byte; it ends a # comment.
func (p *parser) atNewline() bool {
	c := p.src[p.pos]
	switch p.opts.newline {
	case nlLF:
		return c == '\n'
	case nlCR:
		return c == '\r'
	case nlCRLF:
		return p.has("\r\n")
	case nlNUL:
		return c == 0
	case nlAnyCRLF:
		return c == '\n' || c == '\r'
	}
	return c >= '\n' && c <= '\r' || c == 0x85
}

// item parses one item without its quantifier; n is nil for a setting of options.
func (p *parser) item() (n *node, countable bool, err error) {
	c := p.src[p.pos]
	if p.quote {
		p.pos++
		return p.byteNode(c), true, nil
	}
	switch c {
	case '\\':
		return p.escapeItem()
	case '.':
		p.pos++
		if p.flags&DotAll != 0 {
			return p.setNode(allBytes()), true, nil
		}
		return p.notNewline(), true, nil
	case '^':
		p.pos++
		if p.flags&Multiline != 0 {
			return p.assert(asBOL), false, nil
		}
		return p.assert(asBOT), false, nil
	case '$':
		p.pos++
		switch {
		case p.flags&Multiline != 0:
			return p.assert(asEOL), false, nil
		case p.flags&DollarEndOnly != 0:
			return p.assert(asEOT), false, nil
		}
		return p.assert(asEOTL), false, nil
	case '[':
		return p.classItem()
	case '(':
		return p.group()
	case '*', '+', '?':
		return nil, false, p.fail(p.pos, "quantifier without anything to repeat")
	case '{':
		if _, _, _, ok, _ := p.braces(p.pos); ok {
			return nil, false, p.fail(p.pos, "quantifier without anything to repeat")
		}
	}
	p.pos++
	return p.byteNode(c), true, nil
}

// notNewline is what dot and \N match when newlines are not meant.
func (p *parser) notNewline() *node {
	switch p.opts.newline {
	case nlCR:
		return p.setNode(not(setOf('\r')))
	case nlCRLF:
		return p.cat(p.assert(asCR), p.setNode(allBytes()))
	case nlAnyCRLF:
		return p.setNode(not(setOf('\r', '\n')))
	case nlAny:
		return p.setNode(not(vspaceSet()))
	case nlNUL:
		return p.setNode(not(setOf(0)))
	}
	return p.setNode(not(setOf('\n')))
}

// braces reads {n}, {n,} or {n,m} at offset at; ok is false when it is none of them.
func (p *parser) braces(at int) (lo, hi, end int, ok bool, err error) {
	s := p.src
	i := at + 1
	num := func() (int, bool) {
		j, v := i, 0
		for ; i < len(s) && isDigit(s[i]); i++ {
			if v = v*10 + int(s[i]-'0'); v > maxRepeat {
				v = maxRepeat + 1
			}
		}
		return v, i > j
	}
	lo, ok = num()
	if !ok {
		return 0, 0, 0, false, nil
	}
	hi = lo
	if i < len(s) && s[i] == ',' {
		i++
		if hi, ok = num(); !ok {
			hi = inf
		}
	}
	if i >= len(s) || s[i] != '}' {
		return 0, 0, 0, false, nil
	}
	if lo > maxRepeat || (hi > maxRepeat && hi != inf) {
		return 0, 0, 0, true, p.fail(i, "number in quantifier is too big")
	}
	if hi < lo {
		return 0, 0, 0, true, p.fail(i, "numbers in quantifier are out of order")
	}
	return lo, hi, i + 1, true, nil
}

// quantifier parses what may follow an item.
func (p *parser) quantifier(n *node, at int) (*node, error) {
	if !p.more() || p.quote {
		return n, nil
	}
	var lo, hi int
	switch p.src[p.pos] {
	case '*':
		lo, hi = 0, inf
		p.pos++
	case '+':
		lo, hi = 1, inf
		p.pos++
	case '?':
		lo, hi = 0, 1
		p.pos++
	case '{':
		l, h, end, ok, err := p.braces(p.pos)
		if err != nil {
			return nil, err
		}
		if !ok {
			return n, nil
		}
		lo, hi, p.pos = l, h, end
	default:
		return n, nil
	}
	for p.flags&Extended != 0 && p.more() && (p.src[p.pos] == ' ' || p.src[p.pos] >= '\t' && p.src[p.pos] <= '\r') {
		p.pos++
	}
	mode := repGreedy
	if p.flags&Ungreedy != 0 {
		mode = repLazy
	}
	if p.more() {
		switch p.src[p.pos] {
		case '+':
			mode = repPossessive
			p.pos++
		case '?':
			mode = repLazy - mode
			p.pos++
		}
	}
	r := p.node(nRepeat)
	r.pos = at
	r.min, r.max, r.mode, r.sub = lo, hi, mode, []*node{n}
	return r, nil
}

// resolve gives the references their group numbers.
func (p *parser) resolve() error {
	for _, r := range p.refs {
		groups := r.node.groups[:0]
		if r.name != "" {
			for _, nm := range p.names {
				if nm.Name == r.name && !contains(groups, nm.Group) {
					groups = append(groups, nm.Group)
				}
			}
		} else if r.num >= 0 && r.num <= p.groups {
			groups = append(groups, r.num)
		}
		if len(groups) == 0 {
			return &Error{Pos: r.pos, Msg: ErrNoGroup.Error(), Err: ErrNoGroup}
		}
		for _, g := range groups {
			if g > 0 && p.nodes[g].pos < r.pos && r.pos < p.ends[g] {
				p.selfRef = true
			}
		}
		r.node.groups = groups
		if r.node.op == nCall {
			r.node.n = groups[0]
		}
	}
	return nil
}

func contains(s []int, v int) bool {
	for _, x := range s {
		if x == v {
			return true
		}
	}
	return false
}
