package pcre

import (
	"strconv"
	"strings"
	"unicode"
)

// classItem parses [...], or the word boundaries written [[:<:]] and [[:>:]].
func (p *parser) classItem() (*node, bool, error) {
	if p.take("[[:<:]]") {
		return p.cat(p.assert(asWord), p.look(p.setNode(wordSet()), false, false)), true, nil
	}
	if p.take("[[:>:]]") {
		return p.cat(p.assert(asWord), p.look(p.setNode(wordSet()), true, false)), true, nil
	}
	if kind, _ := p.posixAt(p.pos); kind != 0 {
		if kind == ':' {
			return nil, false, p.fail(p.pos, "POSIX class outside a class")
		}
		return nil, false, p.fail(p.pos, "POSIX collating elements do not exist here")
	}
	s, err := p.class()
	if err != nil {
		return nil, false, err
	}
	return p.setNode(s), true, nil
}

func (p *parser) look(body *node, behind, neg bool) *node {
	n := p.node(nLook)
	n.sub, n.behind, n.neg = []*node{body}, behind, neg
	return n
}

// posixAt tells whether [:name:], [.x.] or [=x=] stands at offset at; kind is the
// byte after the bracket, 0 when it does not. end is the offset after it.
func (p *parser) posixAt(at int) (kind byte, end int) {
	s := p.src
	if at+1 >= len(s) || s[at] != '[' || (s[at+1] != ':' && s[at+1] != '.' && s[at+1] != '=') {
		return 0, 0
	}
	kind = s[at+1]
	for i := at + 2; i+1 < len(s); i++ {
		switch {
		case s[i] == '\\' && (s[i+1] == ']' || s[i+1] == '\\'):
			i++
		case s[i] == '[' && s[i+1] == kind, s[i] == ']':
			return 0, 0
		case s[i] == kind && s[i+1] == ']':
			return kind, i + 2
		}
	}
	return 0, 0
}

// classPart is one member of a class: a byte, which may begin or end a range, or a set.
type classPart struct {
	c     byte
	isSet bool
	set   byteSet
}

// class parses [...] and returns the bytes it matches.
func (p *parser) class() (byteSet, error) {
	p.pos++
	var s byteSet
	quote := false
	p.classQuote(&quote)
	neg := !quote && p.take("^")
	first := true
	for {
		p.classQuote(&quote)
		if !p.more() {
			return s, p.fail(len(p.src), "class without ]")
		}
		if !quote && p.src[p.pos] == ']' && !first {
			p.pos++
			break
		}
		first = false
		if !quote && p.flags&extendedMore != 0 && (p.src[p.pos] == ' ' || p.src[p.pos] == '\t') {
			p.pos++
			continue
		}
		part, err := p.classPart(quote)
		if err != nil {
			return s, err
		}
		if err := p.classRange(&s, part, &quote); err != nil {
			return s, err
		}
	}
	if neg {
		s.invert()
	}
	return s, nil
}

// addClass adds the bytes from lo to hi to s, in either case when letters are.
func (p *parser) addClass(s *byteSet, lo, hi byte) {
	var t byteSet
	t.addRange(lo, hi)
	if p.flags&Caseless != 0 {
		t.addFolded()
	}
	s.union(&t)
}

// classQuote passes over \Q and \E.
func (p *parser) classQuote(quote *bool) {
	for {
		switch {
		case *quote && p.take(`\E`):
			*quote = false
		case !*quote && p.take(`\E`):
		case !*quote && p.take(`\Q`):
			*quote = true
		default:
			return
		}
	}
}

// classRange adds part to s, or the range that part begins.
func (p *parser) classRange(s *byteSet, part classPart, quote *bool) error {
	more := func() bool {
		p.classQuote(quote)
		if !*quote && p.flags&extendedMore != 0 {
			for p.more() && (p.src[p.pos] == ' ' || p.src[p.pos] == '\t') {
				p.pos++
			}
		}
		return p.more()
	}
	if part.isSet {
		s.union(&part.set)
		// A hyphen after a set is itself, but only at the end of the class.
		if more() && !*quote && p.has("-") && !p.has("-]") {
			at := p.pos
			p.pos++
			s.add('-')
			if !more() || *quote || p.src[p.pos] != ']' {
				return p.fail(at+1, "range in class begins with a set")
			}
		}
		return nil
	}
	if !more() || *quote || p.src[p.pos] != '-' {
		p.addClass(s, part.c, part.c)
		return nil
	}
	back := p.pos
	p.pos++
	if !more() || (!*quote && p.src[p.pos] == ']') {
		p.pos = back + 1
		p.addClass(s, part.c, part.c)
		s.add('-')
		return nil
	}
	last, err := p.classPart(*quote)
	if err != nil {
		return err
	}
	if last.isSet {
		return p.fail(p.pos, "range in class ends with a set")
	}
	if last.c < part.c {
		return p.fail(p.pos, "range in class is out of order")
	}
	p.addClass(s, part.c, last.c)
	return nil
}

// classPart parses one member of a class.
func (p *parser) classPart(quote bool) (classPart, error) {
	c := p.src[p.pos]
	if quote || (c != '\\' && c != '[') {
		p.pos++
		return classPart{c: c}, nil
	}
	if c == '[' {
		kind, end := p.posixAt(p.pos)
		switch kind {
		case 0:
			p.pos++
			return classPart{c: c}, nil
		case ':':
			return p.posixClass(end)
		}
		return classPart{}, p.fail(p.pos, "POSIX collating elements do not exist here")
	}
	if p.pos+1 >= len(p.src) {
		return classPart{}, p.fail(len(p.src), `\ at the end`)
	}
	e := p.src[p.pos+1]
	if s, ok := classEscape(e); ok {
		p.pos += 2
		return classPart{isSet: true, set: s}, nil
	}
	switch e {
	case 'p', 'P':
		s, err := p.property()
		return classPart{isSet: true, set: s}, err
	case 'B', 'R', 'X', 'N', 'A', 'Z', 'z', 'G', 'C', 'K', 'g', 'k':
		return classPart{}, p.fail(p.pos+2, "escape sequence is not valid in a class")
	}
	b, err := p.literalEscape(true)
	return classPart{c: b}, err
}

func (p *parser) posixClass(end int) (classPart, error) {
	name := p.src[p.pos+2 : end-2]
	neg := strings.HasPrefix(name, "^")
	name = strings.TrimPrefix(name, "^")
	if p.flags&Caseless != 0 && (name == "upper" || name == "lower") {
		name = "alpha"
	}
	s, ok := posixSet(name)
	if !ok {
		return classPart{}, p.fail(p.pos+2, "unknown POSIX class name")
	}
	if neg {
		s.invert()
	}
	p.pos = end
	return classPart{isSet: true, set: s}, nil
}

// property parses \p{..}, \pL and their negations. Bytes are taken as the code points
// below 256, as PCRE2 does without UTF.
func (p *parser) property() (byteSet, error) {
	at := p.pos
	neg := p.src[p.pos+1] == 'P'
	p.pos += 2
	if !p.more() {
		return byteSet{}, p.fail(p.pos, `\p without a property`)
	}
	var name string
	if p.take("{") {
		end := strings.IndexByte(p.src[p.pos:], '}')
		if end < 0 {
			return byteSet{}, p.fail(len(p.src), `\p{ without }`)
		}
		name = p.src[p.pos : p.pos+end]
		p.pos += end + 1
		if strings.HasPrefix(name, "^") {
			neg = !neg
			name = name[1:]
		}
	} else {
		name = p.src[p.pos : p.pos+1]
		p.pos++
	}
	s, ok := propertySet(name)
	if !ok {
		return s, p.fail(p.pos, "unknown property "+strconv.Quote(p.src[at:p.pos]))
	}
	if neg {
		s.invert()
	}
	return s, nil
}

func propertySet(name string) (byteSet, bool) {
	switch name {
	case "Any":
		return allBytes(), true
	case "L&":
		return latin(func(r rune) bool { return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt) }), true
	case "Xan":
		return latin(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }), true
	case "Xwd":
		return latin(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || r == '_' }), true
	case "Xsp", "Xps":
		s := spaceSet()
		t := hspaceSet()
		s.union(&t)
		s.add(0x85)
		return s, true
	}
	if t, ok := unicode.Categories[name]; ok {
		return latin(func(r rune) bool { return unicode.Is(t, r) }), true
	}
	if t, ok := unicode.Scripts[name]; ok {
		return latin(func(r rune) bool { return unicode.Is(t, r) }), true
	}
	return byteSet{}, false
}

func latin(f func(rune) bool) byteSet {
	var s byteSet
	for c := 0; c < 256; c++ {
		if f(rune(c)) {
			s.add(byte(c))
		}
	}
	return s
}
