package pcre

// escapeItem parses a backslash sequence outside a class.
func (p *parser) escapeItem() (*node, bool, error) {
	at := p.pos
	if at+1 >= len(p.src) {
		return nil, false, p.fail(len(p.src), `\ at the end`)
	}
	c := p.src[at+1]
	if s, ok := classEscape(c); ok {
		p.pos += 2
		return p.setNode(s), true, nil
	}
	if c >= '1' && c <= '9' {
		if n, err := p.numberEscape(); n != nil || err != nil {
			return n, true, err
		}
	}
	switch c {
	case 'A':
		p.pos += 2
		return p.assert(asBOT), false, nil
	case 'Z':
		p.pos += 2
		return p.assert(asEOTL), false, nil
	case 'z':
		p.pos += 2
		return p.assert(asEOT), false, nil
	case 'G':
		p.pos += 2
		return p.assert(asStart), false, nil
	case 'b':
		p.pos += 2
		return p.assert(asWord), false, nil
	case 'B':
		p.pos += 2
		return p.assert(asNotWord), false, nil
	case 'K':
		p.pos += 2
		if p.lookDepth > 0 {
			return nil, false, p.fail(p.pos, `\K in look-around`)
		}
		p.keep = true
		return p.node(nKeep), false, nil
	case 'C':
		p.pos += 2
		return p.setNode(allBytes()), true, nil
	case 'N':
		p.pos += 2
		if p.has("{") {
			if _, _, _, ok, _ := p.braces(p.pos); !ok {
				return nil, false, p.unsupported(at, `\N{`)
			}
		}
		return p.notNewline(), true, nil
	case 'R':
		p.pos += 2
		return p.newlineSequence(), true, nil
	case 'X':
		p.pos += 2
		// Without UTF the only sequence of bytes that belongs together is CR LF.
		n := p.node(nAtomic)
		alt := p.node(nAlt)
		alt.sub = []*node{p.cat(p.plain('\r'), p.plain('\n')), p.setNode(allBytes())}
		n.sub = []*node{alt}
		return n, true, nil
	case 'p', 'P':
		s, err := p.property()
		if err != nil {
			return nil, false, err
		}
		return p.setNode(s), true, nil
	case 'g':
		return p.gEscape()
	case 'k':
		p.pos += 2
		if !p.more() {
			return nil, false, p.fail(p.pos, `\k without a name`)
		}
		name, err := p.delimitedName(`\k`)
		if err != nil {
			return nil, false, err
		}
		return p.backrefName(name, at), true, nil
	}
	b, err := p.literalEscape(false)
	if err != nil {
		return nil, false, err
	}
	return p.byteNode(b), true, nil
}

// plain is a byte in its own case only.
func (p *parser) plain(c byte) *node {
	n := p.node(nByte)
	n.c = c
	return n
}

func (p *parser) newlineSequence() *node {
	n := p.node(nAtomic)
	alt := p.node(nAlt)
	s := vspaceSet()
	if p.opts.bsrAnyCRLF {
		s = setOf('\r', '\n')
	}
	alt.sub = []*node{p.cat(p.plain('\r'), p.plain('\n')), p.setNode(s)}
	n.sub = []*node{alt}
	return n
}

// classEscape is for the escapes that mean a set both in and outside a class.
func classEscape(c byte) (byteSet, bool) {
	switch c {
	case 'd':
		return digitSet(), true
	case 'D':
		return not(digitSet()), true
	case 's':
		return spaceSet(), true
	case 'S':
		return not(spaceSet()), true
	case 'w':
		return wordSet(), true
	case 'W':
		return not(wordSet()), true
	case 'h':
		return hspaceSet(), true
	case 'H':
		return not(hspaceSet()), true
	case 'v':
		return vspaceSet(), true
	case 'V':
		return not(vspaceSet()), true
	}
	return byteSet{}, false
}

// numberEscape parses \1 to \9 and what follows as a back reference; it returns nil
// when the digits mean an octal number.
func (p *parser) numberEscape() (*node, error) {
	at := p.pos
	i, v := at+1, 0
	for ; i < len(p.src) && isDigit(p.src[i]); i++ {
		if v = v*10 + int(p.src[i]-'0'); v > maxRepeat {
			return nil, p.fail(i, "number is too big")
		}
	}
	if v >= 10 && p.src[at+1] < '8' && v > p.groups {
		return nil, nil
	}
	p.pos = i
	return p.backrefNumber(v, at), nil
}

func (p *parser) backrefNumber(v, at int) *node {
	n := p.node(nBackref)
	n.pos = at
	n.fold = p.flags&Caseless != 0
	p.refs = append(p.refs, ref{node: n, num: v, pos: at + 1})
	return n
}

func (p *parser) backrefName(name string, at int) *node {
	n := p.node(nBackref)
	n.pos = at
	n.fold = p.flags&Caseless != 0
	p.refs = append(p.refs, ref{node: n, name: name, num: -1, pos: at + 1})
	return n
}

// literalEscape parses a backslash sequence that means one byte.
func (p *parser) literalEscape(inClass bool) (byte, error) {
	at := p.pos
	if at+1 >= len(p.src) {
		return 0, p.fail(len(p.src), `\ at the end`)
	}
	c := p.src[at+1]
	p.pos += 2
	switch c {
	case 'a':
		return 7, nil
	case 'e':
		return 27, nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'b':
		if inClass {
			return '\b', nil
		}
	case 'x':
		return p.hexEscape(at)
	case 'o':
		return p.octalBraces(at)
	case 'c':
		if !p.more() {
			return 0, p.fail(p.pos, `\c at the end`)
		}
		d := p.src[p.pos]
		if d < 32 || d > 126 {
			return 0, p.fail(p.pos, `\c must be followed by a printable ASCII character`)
		}
		p.pos++
		if d >= 'a' && d <= 'z' {
			d -= 32
		}
		return d ^ 0x40, nil
	case 'L', 'l', 'U', 'u':
		return 0, p.unsupported(at, `\`+string(c))
	}
	switch {
	case c >= '0' && c <= '7':
		p.pos--
		v := 0
		for i := 0; i < 3 && p.more() && p.src[p.pos] >= '0' && p.src[p.pos] <= '7'; i++ {
			v = v*8 + int(p.src[p.pos]-'0')
			p.pos++
		}
		if v > 255 {
			return 0, p.fail(p.pos, "octal value is greater than 0377")
		}
		return byte(v), nil
	case c == '8' || c == '9':
		return c, nil
	case isLetter(c):
		return 0, p.fail(at+1, "unknown escape sequence")
	}
	return c, nil
}

func (p *parser) hexEscape(at int) (byte, error) {
	v := 0
	if p.take("{") {
		start := p.pos
		for p.more() && hexVal(p.src[p.pos]) >= 0 {
			if v = v*16 + hexVal(p.src[p.pos]); v > 255 {
				return 0, p.fail(p.pos, "character value is too big")
			}
			p.pos++
		}
		if p.pos == start && p.has("}") {
			return 0, p.fail(p.pos, "digits missing")
		}
		if !p.take("}") {
			return 0, p.fail(p.pos, `not a hex digit in \x{}`)
		}
		return byte(v), nil
	}
	for i := 0; i < 2 && p.more() && hexVal(p.src[p.pos]) >= 0; i++ {
		v = v*16 + hexVal(p.src[p.pos])
		p.pos++
	}
	return byte(v), nil
}

func (p *parser) octalBraces(at int) (byte, error) {
	if !p.take("{") {
		return 0, p.fail(p.pos, `\o without {`)
	}
	v, start := 0, p.pos
	for p.more() && p.src[p.pos] >= '0' && p.src[p.pos] <= '7' {
		if v = v*8 + int(p.src[p.pos]-'0'); v > 255 {
			return 0, p.fail(p.pos, "character value is too big")
		}
		p.pos++
	}
	if p.pos == start && p.has("}") {
		return 0, p.fail(p.pos, "digits missing")
	}
	if !p.take("}") {
		return 0, p.fail(p.pos, `not an octal digit in \o{}`)
	}
	return byte(v), nil
}

// gEscape parses \g: a back reference by number or name, or with <> or ” a call.
func (p *parser) gEscape() (*node, bool, error) {
	at := p.pos
	p.pos += 2
	if !p.more() {
		return nil, false, p.fail(p.pos, `\g without a number or name`)
	}
	c := p.src[p.pos]
	if c == '<' || c == '\'' {
		end := byte('>')
		if c == '\'' {
			end = '\''
		}
		p.pos++
		n, err := p.callTo(end, at)
		return n, true, err
	}
	braced := c == '{'
	if braced {
		p.pos++
		if p.more() && !isDigit(p.src[p.pos]) && p.src[p.pos] != '-' && p.src[p.pos] != '+' {
			p.pos--
			name, err := p.delimitedName(`\g`)
			if err != nil {
				return nil, false, err
			}
			return p.backrefName(name, at), true, nil
		}
	}
	v, ok, err := p.groupNumber()
	if err != nil {
		return nil, false, err
	}
	if !ok {
		return nil, false, p.fail(p.pos, `\g without a number or name`)
	}
	if braced && !p.take("}") {
		return nil, false, p.fail(p.pos, `\g{ without }`)
	}
	if v <= 0 {
		return nil, false, &Error{Pos: p.pos, Msg: ErrNoGroup.Error(), Err: ErrNoGroup}
	}
	return p.backrefNumber(v, at), true, nil
}

// groupNumber reads n, -n or +n as a group number; relative ones count from here.
func (p *parser) groupNumber() (int, bool, error) {
	sign := byte(0)
	if p.more() && (p.src[p.pos] == '-' || p.src[p.pos] == '+') {
		sign = p.src[p.pos]
		p.pos++
	}
	start, v := p.pos, 0
	for p.more() && isDigit(p.src[p.pos]) {
		if v = v*10 + int(p.src[p.pos]-'0'); v > maxRepeat {
			return 0, false, p.fail(p.pos, "number is too big")
		}
		p.pos++
	}
	if p.pos == start {
		return 0, false, nil
	}
	switch sign {
	case '-':
		if v == 0 {
			return 0, false, p.fail(p.pos, "-0 is not a group")
		}
		return p.groups - v + 1, true, nil
	case '+':
		if v == 0 {
			return 0, false, p.fail(p.pos, "+0 is not a group")
		}
		return p.groups + v, true, nil
	}
	return v, true, nil
}

// delimitedName reads <name>, 'name' or {name}.
func (p *parser) delimitedName(what string) (string, error) {
	end := byte(0)
	if p.more() {
		switch p.src[p.pos] {
		case '<':
			end = '>'
		case '\'':
			end = '\''
		case '{':
			end = '}'
		}
	}
	if end == 0 {
		return "", p.fail(p.pos, what+" without a name in braces, angle brackets or quotes")
	}
	p.pos++
	return p.nameTo(end)
}

// nameTo reads a group name and the byte that ends it.
func (p *parser) nameTo(end byte) (string, error) {
	start := p.pos
	if p.more() && isDigit(p.src[p.pos]) {
		return "", p.fail(p.pos, "group name begins with a digit")
	}
	for p.more() && isWord(p.src[p.pos]) {
		p.pos++
	}
	if p.pos-start > maxName {
		return "", p.fail(p.pos, "group name is too long")
	}
	if p.pos == start {
		return "", p.fail(p.pos, "group name expected")
	}
	if !p.more() || p.src[p.pos] != end {
		return "", p.fail(p.pos, "group name without end")
	}
	p.pos++
	return p.src[start : p.pos-1], nil
}
