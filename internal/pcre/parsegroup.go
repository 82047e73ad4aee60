package pcre

import "strings"

// group parses what begins with an opening parenthesis. n is nil for (?i) and the like.
func (p *parser) group() (n *node, countable bool, err error) {
	at := p.pos
	if p.has("(*") && at+2 < len(p.src) {
		c := p.src[at+2]
		if c >= 'a' && c <= 'z' {
			n, err = p.alphaAssertion()
			return n, true, err
		}
		if c >= 'A' && c <= 'Z' || c == ':' {
			return p.verb()
		}
	}
	if p.depth++; p.depth > maxParens {
		return nil, false, &Error{Pos: at, Msg: "groups are nested too deep", Err: ErrTooBig}
	}
	saved := p.flags
	n, countable, err = p.groupKind(at)
	p.depth--
	if err != nil {
		return nil, false, err
	}
	if n != nil {
		p.flags = saved
	}
	return n, countable, nil
}

// groupKind looks at what follows the parenthesis.
func (p *parser) groupKind(at int) (*node, bool, error) {
	p.pos++
	if !p.take("?") {
		if p.flags&NoAutoCapture != 0 {
			n, err := p.body()
			return n, true, err
		}
		n, err := p.capture("", at)
		return n, true, err
	}
	if !p.more() {
		return nil, false, p.fail(p.pos, "group without )")
	}
	c := p.src[p.pos]
	next := byte(0)
	if p.pos+1 < len(p.src) {
		next = p.src[p.pos+1]
	}
	var n *node
	var err error
	switch {
	case c == ':':
		p.pos++
		n, err = p.body()
	case c == '|':
		p.pos++
		n, err = p.branchReset()
	case c == '>':
		p.pos++
		n, err = p.wrap(nAtomic)
	case c == '=' || c == '!':
		p.pos++
		n, err = p.lookBody(false, c == '!')
	case c == '<' && (next == '=' || next == '!'):
		p.pos += 2
		n, err = p.lookBody(true, next == '!')
	case c == '*' || c == '<' && next == '*':
		return nil, false, p.unsupported(at, "non-atomic look-around")
	case c == '<':
		p.pos++
		n, err = p.named('>', at)
	case c == '\'':
		p.pos++
		n, err = p.named('\'', at)
	case c == 'P':
		n, err = p.groupP(next, at)
	case c == '(':
		n, err = p.condition(at)
	case c == 'C':
		return p.callout()
	case c == 'R' || c == '&' || isDigit(c) || c == '+' || c == '-' && isDigit(next):
		if c == 'R' || c == '&' {
			p.pos++
		}
		if c == 'R' {
			if !p.take(")") {
				return nil, false, p.fail(p.pos, "(?R without )")
			}
			n = p.call(at)
			p.refs = append(p.refs, ref{node: n, num: 0, pos: at})
			break
		}
		n, err = p.callTo(')', at)
	default:
		return p.inlineFlags()
	}
	return n, true, err
}

// body parses up to the closing parenthesis.
func (p *parser) body() (*node, error) {
	n, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	return n, p.close()
}

func (p *parser) close() error {
	if !p.take(")") {
		return p.fail(len(p.src), "group without )")
	}
	return nil
}

func (p *parser) wrap(op nodeOp) (*node, error) {
	n := p.node(op)
	b, err := p.body()
	n.sub = []*node{b}
	return n, err
}

func (p *parser) lookBody(behind, neg bool) (*node, error) {
	p.lookDepth++
	b, err := p.body()
	p.lookDepth--
	if err != nil {
		return nil, err
	}
	return p.look(b, behind, neg), nil
}

// capture parses a capturing group.
func (p *parser) capture(name string, at int) (*node, error) {
	p.groups++
	if p.groups > maxGroups {
		return nil, &Error{Pos: at, Msg: "too many groups", Err: ErrTooBig}
	}
	num := p.groups
	if name != "" {
		if err := p.addName(name, num); err != nil {
			return nil, err
		}
	}
	n := p.node(nGroup)
	n.n, n.pos = num, at
	for len(p.nodes) <= num {
		p.nodes = append(p.nodes, nil)
		p.ends = append(p.ends, 0)
	}
	if p.nodes[num] == nil {
		p.nodes[num] = n
		p.ends[num] = len(p.src)
	} else {
		p.shared = append(p.shared, num)
	}
	b, err := p.body()
	if err != nil {
		return nil, err
	}
	n.sub = []*node{b}
	if p.nodes[num] == n {
		p.ends[num] = p.pos
	}
	return n, nil
}

func (p *parser) addName(name string, num int) error {
	for _, nm := range p.names {
		switch {
		case nm.Name == name && nm.Group == num:
			return nil
		case nm.Name == name && p.flags&dupNames == 0:
			return p.fail(p.pos, "two groups of the same name")
		case nm.Name != name && nm.Group == num:
			return p.fail(p.pos, "two names for groups of the same number")
		}
	}
	p.names = append(p.names, Name{Name: name, Group: num})
	return nil
}

func (p *parser) named(end byte, at int) (*node, error) {
	name, err := p.nameTo(end)
	if err != nil {
		return nil, err
	}
	return p.capture(name, at)
}

// groupP parses (?P<name>...), (?P=name) and (?P>name).
func (p *parser) groupP(next byte, at int) (*node, error) {
	p.pos += 2
	switch next {
	case '<':
		return p.named('>', at)
	case '=':
		name, err := p.nameTo(')')
		if err != nil {
			return nil, err
		}
		return p.backrefName(name, at), nil
	case '>':
		return p.callTo(')', at)
	}
	return nil, p.fail(p.pos-1, "unknown group syntax after (?P")
}

// branchReset parses (?|...): every alternative numbers its groups from the same start.
func (p *parser) branchReset() (*node, error) {
	alt := p.node(nAlt)
	base, most := p.groups, p.groups
	for {
		p.groups = base
		n, err := p.sequence()
		if err != nil {
			return nil, err
		}
		alt.sub = append(alt.sub, n)
		most = max(most, p.groups)
		if !p.more() || p.src[p.pos] != '|' {
			break
		}
		p.pos++
	}
	p.groups = most
	return alt, p.close()
}

func (p *parser) call(at int) *node {
	n := p.node(nCall)
	n.pos = at
	p.recursion = true
	return n
}

// callTo parses the number or name of a subroutine call and the byte that ends it.
func (p *parser) callTo(end byte, at int) (*node, error) {
	n := p.call(at)
	if p.more() && (isDigit(p.src[p.pos]) || p.src[p.pos] == '+' || p.src[p.pos] == '-') {
		v, ok, err := p.groupNumber()
		if err != nil {
			return nil, err
		}
		if !ok || !p.more() || p.src[p.pos] != end {
			return nil, p.fail(p.pos, "group number expected")
		}
		p.pos++
		p.refs = append(p.refs, ref{node: n, num: v, pos: at})
		return n, nil
	}
	name, err := p.nameTo(end)
	if err != nil {
		return nil, err
	}
	p.refs = append(p.refs, ref{node: n, name: name, num: -1, pos: at})
	return n, nil
}

// callout passes over (?C), (?Cn) and (?C"text"): nobody listens to them here.
func (p *parser) callout() (*node, bool, error) {
	p.pos++
	switch {
	case p.more() && strings.IndexByte("`'\"^%#${", p.src[p.pos]) >= 0:
		end := p.src[p.pos]
		if end == '{' {
			end = '}'
		}
		for p.pos++; ; p.pos++ {
			if !p.more() {
				return nil, false, p.fail(p.pos, "callout text without end")
			}
			if p.src[p.pos] == end {
				if p.pos+1 < len(p.src) && p.src[p.pos+1] == end {
					p.pos++
					continue
				}
				p.pos++
				break
			}
		}
	default:
		v := 0
		for p.more() && isDigit(p.src[p.pos]) {
			if v = v*10 + int(p.src[p.pos]-'0'); v > 255 {
				return nil, false, p.fail(p.pos, "callout number is too big")
			}
			p.pos++
		}
	}
	if !p.take(")") {
		return nil, false, p.fail(p.pos, "callout without )")
	}
	return p.node(nEmpty), false, nil
}

// inlineFlags parses (?i), (?i-s) and (?i:...).
func (p *parser) inlineFlags() (*node, bool, error) {
	set, unset := Flags(0), Flags(0)
	to := &set
	flags := p.flags
	if p.take("^") {
		flags &^= Caseless | Multiline | DotAll | Extended | extendedMore | NoAutoCapture
	}
	hyphen := p.src[p.pos-1] == '^' // (?^-i) does not exist
	for {
		if !p.more() {
			return nil, false, p.fail(p.pos, "group without )")
		}
		c := p.src[p.pos]
		p.pos++
		switch c {
		case 'i':
			*to |= Caseless
		case 'm':
			*to |= Multiline
		case 's':
			*to |= DotAll
		case 'n':
			*to |= NoAutoCapture
		case 'J':
			*to |= dupNames
		case 'U':
			*to |= Ungreedy
		case 'x':
			*to |= Extended
			if p.more() && p.src[p.pos] == 'x' {
				*to |= extendedMore
				p.pos++
			} else if to == &set {
				// (?x) after (?xx) switches the second x off.
				unset |= extendedMore
			}
			if to == &unset {
				unset |= extendedMore
			}
		case '-':
			if hyphen {
				return nil, false, p.fail(p.pos, "second hyphen in an option setting")
			}
			hyphen = true
			to = &unset
		case ')', ':':
			p.flags = flags&^unset | set
			if c == ')' {
				return nil, false, nil
			}
			n, err := p.body()
			return n, true, err
		default:
			return nil, false, p.fail(p.pos-1, "unknown character after (? or (?-")
		}
	}
}

// condition parses (?(...)yes|no).
func (p *parser) condition(at int) (*node, error) {
	n := p.node(nCond)
	n.pos = at
	p.pos++ // the inner parenthesis
	var look *node
	var err error
	switch {
	case p.has("?=") || p.has("?!") || p.has("?<=") || p.has("?<!"):
		neg, behind := p.has("?!") || p.has("?<!"), p.has("?<")
		p.pos += 2
		if behind {
			p.pos++
		}
		saved := p.flags
		look, err = p.lookBody(behind, neg)
		p.flags = saved
		n.n = condLook
	case p.has("?C"):
		return nil, p.unsupported(p.pos, "callout before an assertion")
	case p.has("?"):
		return nil, p.fail(p.pos+1, "assertion expected after (?( or (?(?C)")
	default:
		err = p.conditionName(n)
	}
	if err != nil {
		return nil, err
	}
	yes, err := p.sequence()
	if err != nil {
		return nil, err
	}
	no := p.node(nEmpty)
	if p.take("|") {
		if n.max == 1 {
			return nil, p.fail(p.pos, "(?(DEFINE) has more than one branch")
		}
		if no, err = p.sequence(); err != nil {
			return nil, err
		}
		if p.has("|") {
			return nil, p.fail(p.pos, "conditional group has more than two branches")
		}
	}
	n.max = 0
	n.sub = []*node{yes, no}
	if look != nil {
		n.sub = append(n.sub, look)
	}
	return n, p.close()
}

// conditionName parses the inside of the condition's parentheses up to and with the ).
func (p *parser) conditionName(n *node) error {
	at := p.pos
	end := strings.IndexByte(p.src[p.pos:], ')')
	if end < 0 {
		return p.fail(len(p.src), "condition without )")
	}
	word := p.src[p.pos : p.pos+end]
	done := p.pos + end + 1
	n.n = condGroup
	switch {
	case word == "DEFINE":
		n.n, n.max = condFalse, 1
	case strings.HasPrefix(word, "VERSION"):
		ok, good := versionTest(word[len("VERSION"):])
		if !good {
			return p.fail(at, "VERSION condition is malformed")
		}
		n.n = condFalse
		if ok {
			n.n = condTrue
		}
	case word != "" && (isDigit(word[0]) || word[0] == '+' || word[0] == '-'):
		v, ok, err := p.groupNumber()
		if err != nil {
			return err
		}
		if !ok || p.pos != done-1 {
			return p.fail(p.pos, "condition is malformed")
		}
		if v <= 0 {
			return &Error{Pos: p.pos, Msg: ErrNoGroup.Error(), Err: ErrNoGroup}
		}
		p.refs = append(p.refs, ref{node: n, num: v, pos: at})
	case word != "" && word[0] == 'R' && p.isRecursionTest(word):
		n.n = condRecurse
		switch {
		case len(word) > 1 && word[1] == '&':
			p.pos += 2
			name, err := p.nameTo(')')
			if err != nil {
				return err
			}
			p.refs = append(p.refs, ref{node: n, name: name, num: -1, pos: at})
		case len(word) > 1:
			v, ok := decimal(word[1:])
			if !ok {
				return p.fail(at, "condition is malformed")
			}
			p.refs = append(p.refs, ref{node: n, num: v, pos: at})
		}
	default:
		var name string
		var err error
		if word != "" && (word[0] == '<' || word[0] == '\'') {
			name, err = p.delimitedName("condition")
			if err == nil && p.pos != done-1 {
				err = p.fail(p.pos, "condition is malformed")
			}
		} else {
			name, err = p.nameTo(')')
		}
		if err != nil {
			return err
		}
		p.refs = append(p.refs, ref{node: n, name: name, num: -1, pos: at})
	}
	p.pos = done
	return nil
}

// isRecursionTest tells R, R1 and R&name from a group whose name begins with R.
func (p *parser) isRecursionTest(word string) bool {
	for _, nm := range p.names {
		if nm.Name == word {
			return false
		}
	}
	if len(word) == 1 || word[1] == '&' {
		return true
	}
	_, ok := decimal(word[1:])
	return ok
}

// versionTest evaluates =x.y or >=x.y against the version of PCRE2 this engine follows.
func versionTest(s string) (holds, good bool) {
	atLeast := strings.HasPrefix(s, ">=")
	if !atLeast && !strings.HasPrefix(s, "=") {
		return false, false
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s, ">"), "=")
	a, b, dotted := strings.Cut(s, ".")
	major, ok := decimal(a)
	minor, ok2 := 0, true
	if dotted && b != "" {
		minor, ok2 = decimal(b)
		if len(b) == 1 {
			minor *= 10
		}
	}
	if !ok || !ok2 || len(b) > 2 {
		return false, false
	}
	v, own := major*100+minor, 1042
	if atLeast {
		return own >= v, true
	}
	return own == v, true
}

// alphaAssertion parses (*pla:...) and the other spelled-out groups.
func (p *parser) alphaAssertion() (*node, error) {
	at := p.pos
	end := at + 2
	for end < len(p.src) && (isWord(p.src[end])) {
		end++
	}
	if end >= len(p.src) || p.src[end] != ':' {
		return nil, p.fail(end, "unknown (* group")
	}
	name := p.src[at+2 : end]
	if p.depth++; p.depth > maxParens {
		return nil, &Error{Pos: at, Msg: "groups are nested too deep", Err: ErrTooBig}
	}
	saved := p.flags
	p.pos = end + 1
	var n *node
	var err error
	switch name {
	case "pla", "positive_lookahead":
		n, err = p.lookBody(false, false)
	case "nla", "negative_lookahead":
		n, err = p.lookBody(false, true)
	case "plb", "positive_lookbehind":
		n, err = p.lookBody(true, false)
	case "nlb", "negative_lookbehind":
		n, err = p.lookBody(true, true)
	case "atomic":
		n, err = p.wrap(nAtomic)
	case "napla", "napla_", "non_atomic_positive_lookahead", "naplb", "non_atomic_positive_lookbehind",
		"sr", "script_run", "asr", "atomic_script_run":
		return nil, p.unsupported(at, "(*"+name+":")
	default:
		return nil, p.fail(end, "unknown (* group")
	}
	p.depth--
	p.flags = saved
	return n, err
}

// verb parses (*FAIL) and the other backtracking verbs.
func (p *parser) verb() (*node, bool, error) {
	at := p.pos
	end := strings.IndexByte(p.src[p.pos:], ')')
	if end < 0 {
		return nil, false, p.fail(len(p.src), "verb without )")
	}
	word, name, named := strings.Cut(p.src[p.pos+2:p.pos+end], ":")
	p.pos += end + 1
	n := p.node(nVerb)
	switch word {
	case "F", "FAIL":
		n.c = vbFail
		return n, false, nil
	case "ACCEPT":
		n.c = vbAccept
		p.accept = true
		return n, false, nil
	case "COMMIT":
		n.c = vbCommit
	case "PRUNE":
		n.c = vbPrune
	case "SKIP":
		if named && name != "" {
			return nil, false, p.unsupported(at, "(*SKIP:name)")
		}
		n.c = vbSkip
	case "MARK", "":
		if !named || name == "" {
			return nil, false, p.fail(p.pos, "(*MARK) without a name")
		}
		n.op = nEmpty // marks are only told, and nobody asks
		return n, false, nil
	case "THEN":
		return nil, false, p.unsupported(at, "(*THEN)")
	default:
		return nil, false, p.fail(p.pos, "unknown verb")
	}
	p.verbs = true
	return n, false, nil
}
