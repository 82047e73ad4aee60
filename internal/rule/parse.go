package rule

import (
	"strings"
	"unsafe"
)

// Parse reads a rule file: rules, disabled rules (a rule behind '#', Disabled set)
// and comments. name is what problems and Rule.File say. It keeps data, which must
// not change afterwards: the rules' strings are parts of it. Rules are in file order.
// A rule that cannot be used gives one Problem without Warning and no Rule.
func Parse(name string, data []byte) ([]*Rule, []Problem) {
	p := newParser(name)
	if len(data) > MaxFileBytes {
		p.add(Problem{File: name, Kind: KindLimit, What: "file is larger than 512 MiB"})
		return nil, p.problems
	}
	p.file(unsafe.String(unsafe.SliceData(data), len(data)))
	return p.rules, p.problems
}

// parser holds what is shared between the rules of one file.
type parser struct {
	name     string
	rules    []*Rule
	problems []Problem
	lost     int               // problems beyond MaxProblems
	names    map[string]string // one copy of keyword names, protocols, metadata keys and values

	ruleSlab   []Rule
	optionSlab []Option
	kvSlab     []KV
	refSlab    []Reference
	options    []Option // of the rule in work
	kvs        []KV
	refs       []Reference
}

func newParser(name string) *parser {
	return &parser{name: name, names: make(map[string]string, 512)}
}

func (p *parser) add(pr Problem) {
	if len(p.problems) >= MaxProblems {
		p.lost++
		p.problems[MaxProblems-1] = Problem{File: p.name, Line: pr.Line, Kind: KindLimit, What: "too many problems in this file, the rest is not shown"}
		return
	}
	p.problems = append(p.problems, pr)
}

// intern returns one copy of s for the file.
func (p *parser) intern(s string) string {
	if t, ok := p.names[s]; ok {
		return t
	}
	if len(p.names) < 1<<16 {
		p.names[s] = s
	}
	return s
}

// file walks over the lines as Suricata does: empty lines and lines that begin with
// a space, '#' or ';' are no rules, a backslash at the end joins the next line.
func (p *parser) file(s string) {
	s = strings.TrimPrefix(s, "\ufeff")
	line := 0
	for len(s) > 0 {
		var raw string
		raw, s = cutLine(s)
		line++
		if raw == "" {
			continue
		}
		switch raw[0] {
		case '#':
			p.comment(raw, line)
			continue
		case ';':
			continue
		case ' ':
			if text, cut := trim(raw); looksLikeRule(text) {
				p.add(Problem{File: p.name, Line: line, Column: cut + 1, Kind: KindSyntax, Warning: true,
					What: "rule begins with a space, so the line is ignored as Suricata does", Hint: "remove the space"})
			}
			continue
		}
		text, rest, joints, n := joinLines(raw, s, line)
		s = rest
		p.line(text, line, joints)
		line += n
	}
}

// cutLine splits s after its first line; the line comes without line end and
// without white space at its end.
func cutLine(s string) (line, rest string) {
	i := strings.IndexByte(s, '\n')
	if i < 0 {
		line = s
	} else {
		line, rest = s[:i], s[i+1:]
	}
	for len(line) > 0 && isSpace(line[len(line)-1]) {
		line = line[:len(line)-1]
	}
	return line, rest
}

// joinLines takes the continuation lines of raw from s. n is their number.
func joinLines(raw, s string, line int) (text, rest string, joints []joint, n int) {
	if raw[len(raw)-1] != '\\' {
		return raw, s, nil, 0
	}
	var b strings.Builder
	for raw != "" && raw[len(raw)-1] == '\\' {
		b.WriteString(raw[:len(raw)-1])
		if s == "" || b.Len() > MaxRuleBytes {
			raw = ""
			break
		}
		raw, s = cutLine(s)
		n++
		joints = append(joints, joint{int32(b.Len()), int32(line + n)})
	}
	b.WriteString(raw)
	return b.String(), s, joints, n
}

// line parses one logical line as a rule.
func (p *parser) line(text string, line int, joints []joint) {
	t, cut := trim(text)
	if t == "" {
		return
	}
	for i := range joints {
		joints[i].off -= int32(cut)
	}
	r, f := p.rule(t, line, cut+1, joints, false)
	if f != nil {
		p.add(p.problem(r, f))
		return
	}
	p.rules = append(p.rules, r)
}

// comment keeps a disabled rule; every other comment is dropped.
func (p *parser) comment(raw string, line int) {
	i := 0
	for i < len(raw) && (raw[i] == '#' || isSpace(raw[i])) {
		i++
	}
	text := raw[i:]
	if !looksLikeRule(text) || text[len(text)-1] != ')' {
		return
	}
	r, f := p.rule(text, line, i+1, nil, true)
	if f == nil {
		p.rules = append(p.rules, r)
	}
}

// looksLikeRule tells whether text begins with an action and has a '('.
func looksLikeRule(text string) bool {
	end := 0
	for end < len(text) && !isSpace(text[end]) {
		end++
	}
	if end == len(text) || parseAction(text[:end]) == ActionNone {
		return false
	}
	return strings.IndexByte(text, '(') > 0
}

func parseAction(s string) Action {
	for a := ActionAlert; int(a) < len(actionNames); a++ {
		if strings.EqualFold(s, actionNames[a]) {
			return a
		}
	}
	return ActionNone
}

// problem turns a fault of r into a Problem.
func (p *parser) problem(r *Rule, f *fault) Problem {
	off := min(max(f.off, 0), len(r.Text))
	if r.SID == 0 {
		r.SID = guessSID(r.Text)
	}
	return r.Problem(off, f.kind, f.what, f.hint)
}

// guessSID finds the sid of a rule that could not be parsed, for the report.
func guessSID(text string) uint32 {
	i := strings.LastIndex(text, "sid:")
	if i < 0 {
		return 0
	}
	n, _ := parseUint32(leadingDigits(trimSpace(text[i+len("sid:"):])))
	return n
}

func leadingDigits(s string) string {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return s[:i]
}

// rule parses text. On a fault the rule returned is only good for its place.
func (p *parser) rule(text string, line, col int, joints []joint, disabled bool) (*Rule, *fault) {
	if len(p.ruleSlab) == 0 {
		p.ruleSlab = make([]Rule, 64)
	}
	r := &p.ruleSlab[0]
	*r = Rule{File: p.name, Line: line, Disabled: disabled, Text: text, GID: 1, col: int32(col), joints: joints}
	if len(text) > MaxRuleBytes {
		r.Text = text[:MaxRuleBytes]
		return r, faultf(0, KindLimit, "rule is longer than %d bytes", MaxRuleBytes)
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return r, faultf(i, KindSyntax, "rule has a NUL byte")
	}
	rest, f := p.header(r)
	if f == nil {
		f = p.optionList(r, rest)
	}
	if f == nil {
		f = p.general(r)
	}
	if f != nil {
		// A fault in a sid-less place should still name the rule.
		return &Rule{File: r.File, Line: r.Line, Text: r.Text, SID: r.SID, col: r.col, joints: r.joints}, f
	}
	p.ruleSlab = p.ruleSlab[1:]
	r.Options = carve(&p.optionSlab, p.options, 4096)
	r.Metadata = carve(&p.kvSlab, p.kvs, 4096)
	r.References = carve(&p.refSlab, p.refs, 512)
	return r, nil
}

// carve copies from into the slab and returns the copy, so that a file needs a few
// large allocations and not some per rule.
func carve[T any](slab *[]T, from []T, step int) []T {
	n := len(from)
	if n == 0 {
		return nil
	}
	if n > len(*slab) {
		*slab = make([]T, max(n, step))
	}
	out := (*slab)[:n:n]
	*slab = (*slab)[n:]
	copy(out, from)
	return out
}

// header parses everything before the options and returns their offset.
func (p *parser) header(r *Rule) (int, *fault) {
	s := scanner{text: r.Text}
	word, off := s.word()
	r.Action = parseAction(word)
	if r.Action == ActionNone {
		return 0, actionFault(word, off)
	}
	proto, off, f := s.term("protocol")
	if f != nil {
		return 0, f
	}
	r.protoOff = int32(off)
	if i := strings.IndexByte(proto, ':'); i >= 0 {
		r.Hook = p.intern(lower(proto[i+1:]))
		proto = proto[:i]
		if r.Hook == "" || proto == "" {
			return 0, faultf(off+i, KindProtocol, "protocol hook needs the form protocol:hook")
		}
	}
	r.Proto = p.intern(lower(proto))
	if f = s.into(p, &r.Src, "source address"); f != nil {
		return 0, f
	}
	if f = s.into(p, &r.SrcPort, "source port"); f != nil {
		return 0, f
	}
	word, off = s.word()
	switch word {
	case "->":
		r.Dir = DirForward
	case "<>":
		r.Dir = DirBoth
	case "=>":
		r.Dir = DirTx
	case "<-":
		return 0, &fault{off, KindSyntax, `"<-" is not a direction`, "swap the sides and write ->"}
	default:
		return 0, &fault{off, KindSyntax, "direction is missing: " + quoteShort(word), "write ->, <> or => between the two sides"}
	}
	if f = s.into(p, &r.Dst, "destination address"); f != nil {
		return 0, f
	}
	if f = s.into(p, &r.DstPort, "destination port"); f != nil {
		return 0, f
	}
	s.space()
	if s.off == len(s.text) {
		return 0, faultf(s.off, KindSyntax, "rule has no options")
	}
	return s.off, nil
}

// actionFault tells firewall rules from typing errors.
func actionFault(word string, off int) *fault {
	base, scope, _ := strings.Cut(word, ":")
	if lower(base) == "accept" || scope != "" && parseAction(base) != ActionNone {
		return &fault{off, KindUnsupported, "firewall action " + quoteShort(word) + " is not supported",
			"firewall rules need an inline engine; this sensor sees copies of packets"}
	}
	return &fault{off, KindAction, "unknown action " + quoteShort(word), "use alert, pass, drop, reject, rejectsrc, rejectdst, rejectboth or config"}
}

// quoteShort quotes s for a message, at most 40 bytes of it.
func quoteShort(s string) string {
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return `"` + s + `"`
}

// scanner walks over the header.
type scanner struct {
	text string
	off  int
}

func (s *scanner) space() {
	for s.off < len(s.text) && isSpace(s.text[s.off]) {
		s.off++
	}
}

// word returns the next piece up to white space.
func (s *scanner) word() (string, int) {
	s.space()
	start := s.off
	for s.off < len(s.text) && !isSpace(s.text[s.off]) {
		s.off++
	}
	return s.text[start:s.off], start
}

// term returns the next piece up to white space outside of brackets.
func (s *scanner) term(what string) (string, int, *fault) {
	s.space()
	start, depth := s.off, 0
	for s.off < len(s.text) {
		c := s.text[s.off]
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
			if depth < 0 {
				return "", 0, faultf(s.off, KindSyntax, "%s: ']' without '['", what)
			}
		case c == '(' || c == ';':
			if s.off == start {
				return "", 0, faultf(start, KindSyntax, "%s is missing", what)
			}
			return "", 0, faultf(s.off, KindSyntax, "%s has a %q", what, c)
		case isSpace(c) && depth == 0 && !(s.text[start] == '!' && blank(s.text[start+1:s.off])):
			return s.text[start:s.off], start, nil
		}
		s.off++
	}
	if depth > 0 {
		return "", 0, faultf(start, KindSyntax, "%s: '[' without ']'", what)
	}
	if s.off == start {
		return "", 0, faultf(start, KindSyntax, "%s is missing", what)
	}
	return s.text[start:s.off], start, nil
}

// blank tells whether s is white space only.
func blank(s string) bool { return trimSpace(s) == "" }

func (s *scanner) into(p *parser, t *Term, what string) *fault {
	text, off, f := s.term(what)
	if f != nil {
		return f
	}
	*t = Term{p.intern(text), int32(off)}
	return nil
}

// optionList splits the options: '(' ... ')' around them, each ended by a ';' that
// has no backslash before it. Quotes protect nothing. Suricata 8 rules/intro.
func (p *parser) optionList(r *Rule, off int) *fault {
	text := r.Text
	p.options = p.options[:0]
	for off < len(text) && (text[off] == '(' || isSpace(text[off])) {
		off++
	}
	end := len(text)
	for end > off && (text[end-1] == ')' || isSpace(text[end-1])) {
		end--
	}
	if off == end {
		return faultf(off, KindSyntax, "rule has no options")
	}
	for off < end {
		for off < end && isSpace(text[off]) {
			off++
		}
		if off == end {
			break
		}
		semi := nextSemicolon(text[:end], off)
		if semi < 0 {
			return &fault{off, KindSyntax, "option is not ended by ';'", "end every option with ';', and escape a ';' inside values as \\;"}
		}
		if len(p.options) == MaxOptions {
			return faultf(off, KindLimit, "rule has more than %d options", MaxOptions)
		}
		if f := p.option(text[off:semi], off); f != nil {
			return f
		}
		off = semi + 1
	}
	return nil
}

func nextSemicolon(text string, off int) int {
	start := off
	for {
		i := strings.IndexByte(text[off:], ';')
		if i < 0 {
			return -1
		}
		off += i
		if off == start || text[off-1] != '\\' {
			return off
		}
		off++
	}
}

func (p *parser) option(s string, off int) *fault {
	o := Option{Off: int32(off)}
	name := s
	if i := strings.IndexByte(s, ':'); i >= 0 {
		name = s[:i]
		o.HasValue = true
		o.Value = trimSpace(s[i+1:])
	}
	name = trimSpace(name)
	if name == "" {
		return faultf(off, KindSyntax, "option without a name")
	}
	o.Name = p.intern(name)
	if l := lower(o.Name); l != o.Name {
		o.Name = p.intern(l)
	}
	p.options = append(p.options, o)
	return nil
}
