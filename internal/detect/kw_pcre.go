package detect

import (
	"strings"

	"mirador/internal/pcre"
	"mirador/internal/rule"
)

// pcre and the captures of it. Suricata 8 rules/payload-keywords.
func pcreKeywords() []keyword {
	return []keyword{
		{name: "pcre", arg: argNeed, setup: setPCRE, doc: "regular expression"},
	}
}

// capScope says where a captured group goes.
type capScope uint8

const (
	capNone capScope = iota
	capFlow
	capPkt
	capAlert
)

// capture is where one group of a pcre goes.
type capture struct {
	scope capScope
	name  string
}

// pcreOp is a compiled pcre keyword.
type pcreOp struct {
	re   *pcre.Regexp
	caps []capture // by group, from 1
	// pair tells that the captures are "pkt:key,pkt:value".
	pair bool
}

// pcreLetters are the buffers that modifiers name.
func pcreBuffer(letter byte) string {
	switch letter {
	case 'U':
		return "http.uri"
	case 'I':
		return "http.uri.raw"
	case 'P':
		return "http.request_body"
	case 'Q':
		return "http.response_body"
	case 'H':
		return "http.header"
	case 'D':
		return "http.header.raw"
	case 'M':
		return "http.method"
	case 'C':
		return "http.cookie"
	case 'S':
		return "http.stat_code"
	case 'Y':
		return "http.stat_msg"
	case 'V':
		return "http.user_agent"
	case 'W':
		return "http.host"
	case 'Z':
		return "http.host.raw"
	}
	return ""
}

// pcreParts is a pcre value taken apart.
type pcreParts struct {
	negated bool
	pattern string
	at      int // offset of the pattern in the value
	letters string
	vars    []string
}

// cutPCRE takes value apart: [!]["]/pattern/letters[, scope:name ...]["].
func cutPCRE(value string) (p pcreParts, err error) {
	s := value
	trim := func() {
		t := strings.TrimLeft(s, " \t")
		p.at += len(s) - len(t)
		s = t
	}
	trim()
	if strings.HasPrefix(s, "!") {
		p.negated = true
		s = s[1:]
		p.at++
		trim()
	}
	if strings.HasPrefix(s, `"`) {
		s = strings.TrimSuffix(strings.TrimRight(s[1:], " \t"), `"`)
		p.at++
		trim()
		// Suricata also takes the '!' inside of the quotes.
		if strings.HasPrefix(s, "!") {
			p.negated = true
			s = s[1:]
			p.at++
			trim()
		}
	}
	if !strings.HasPrefix(s, "/") {
		return p, refuse(p.at, "write pcre:\"/.../\"", "pattern does not begin with a slash")
	}
	s = s[1:]
	p.at++
	// The last slash whose tail can be modifiers and captures ends the pattern.
	for end := strings.LastIndexByte(s, '/'); end >= 0; end = strings.LastIndexByte(s[:end], '/') {
		if escaped(s, end) {
			continue
		}
		letters, vars, ok := pcreTail(s[end+1:])
		if ok {
			p.pattern, p.letters, p.vars = s[:end], letters, vars
			return p, nil
		}
	}
	return p, refuse(p.at, "write pcre:\"/.../\"", "pattern has no closing slash, or unknown modifiers behind it")
}

// escaped tells whether s[i] has an odd number of backslashes before it.
func escaped(s string, i int) bool {
	n := 0
	for i--; i >= 0 && s[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

func pcreTail(s string) (letters string, vars []string, ok bool) {
	letters, rest, more := strings.Cut(s, ",")
	letters = strings.TrimSpace(letters)
	for i := range len(letters) {
		c := letters[i]
		if c != 'R' && c != 'B' && c != 'O' && pcreBuffer(c) == "" && pcre.FlagOf(c) == 0 {
			return "", nil, false
		}
	}
	if !more {
		return letters, nil, true
	}
	for _, v := range strings.Split(rest, ",") {
		v = strings.TrimSpace(v)
		scope, name, ok := strings.Cut(v, ":")
		if !ok || name == "" || scope != "flow" && scope != "pkt" && scope != "alert" {
			return "", nil, false
		}
		vars = append(vars, v)
	}
	return letters, vars, true
}

func setPCRE(b *builder, o *rule.Option) error {
	p, err := cutPCRE(o.Value)
	if err != nil {
		return err
	}
	x := op{kind: opPCRE, flag: flagMoves}
	if p.negated {
		x.flag = flagNegated
	}
	var flags pcre.Flags
	buffer := ""
	for i := range len(p.letters) {
		c := p.letters[i]
		if c == 'R' {
			x.flag |= flagRelative
			x.flag &^= flagMoves
			continue
		}
		if name := pcreBuffer(c); name != "" {
			if buffer != "" && buffer != name {
				return refuse(0, "", "modifiers name two buffers")
			}
			buffer = name
			continue
		}
		flags |= pcre.FlagOf(c)
	}
	if len(p.vars) == 0 && !strings.Contains(p.pattern, "(?P<flow_") && !strings.Contains(p.pattern, "(?P<pkt_") {
		flags |= pcre.AutoNoCapture
	}
	re, err := pcre.Compile(p.pattern, flags)
	if err != nil {
		at := 0
		if e, ok := err.(*pcre.Error); ok {
			at = e.Pos
		}
		return refuse(p.at+at, "", "%v", err)
	}
	px := &pcreOp{re: re}
	if err := px.captures(p.vars); err != nil {
		return err
	}
	x.ext = px
	if b.cur != 0 && b.lists[b.cur].def.name == "file.data" && (buffer == "http.response_body" || buffer == "http.request_body") {
		buffer = "" // bodies are files, too
	}
	if buffer == "" {
		b.lastPos = b.addRelative(x)
		return nil
	}
	d := b.c.byLabel[buffer]
	if d == nil {
		return refuse(0, "", "protocol http is not built in")
	}
	if b.cur != 0 && b.lists[b.cur].def != d {
		return refuse(0, "", "a buffer modifier cannot follow another sticky buffer")
	}
	if err := b.onlyHTTP1(d); err != nil {
		return err
	}
	i := b.listFor(d)
	b.lists[i].ops = append(b.lists[i].ops, x)
	b.lastPos = opRef{i, len(b.lists[i].ops) - 1}
	return nil
}

// captures settles where groups go: by the list of variables, or by names of the form
// flow_x and pkt_x.
func (x *pcreOp) captures(vars []string) error {
	n := x.re.NumGroups()
	if len(vars) > n {
		return refuse(0, "", "%d variables for %d groups", len(vars), n)
	}
	for i, v := range vars {
		scope, name, _ := strings.Cut(v, ":")
		c := capture{name: name}
		switch scope {
		case "flow":
			c.scope = capFlow
		case "pkt":
			c.scope = capPkt
		case "alert":
			c.scope = capAlert
		}
		x.caps = append(x.caps, c)
		if i == 1 && x.caps[0] == (capture{capPkt, "key"}) && c == (capture{capPkt, "value"}) {
			x.pair = true
		}
	}
	if len(vars) > 0 {
		return nil
	}
	for _, g := range x.re.Names() {
		scope, name, ok := strings.Cut(g.Name, "_")
		if !ok || scope != "flow" && scope != "pkt" {
			continue
		}
		for len(x.caps) < g.Group {
			x.caps = append(x.caps, capture{})
		}
		c := capture{capFlow, name}
		if scope == "pkt" {
			c.scope = capPkt
		}
		x.caps[g.Group-1] = c
	}
	return nil
}
