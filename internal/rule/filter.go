package rule

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Matcher chooses rules: one line of enable.conf, disable.conf or drop.conf.
// Source: suricata-update, "Rule matching".
type Matcher struct {
	text  string
	ids   []uint64 // gid:sid list
	group string   // file name pattern, matched against the last part of Rule.File
	file  string   // file name pattern, matched against the whole Rule.File
	re    *regexp.Regexp
	key   string // metadata key and value
	value string
	all   bool
}

// String returns the matcher as written.
func (m *Matcher) String() string { return m.text }

// Match tells whether m chooses r.
func (m *Matcher) Match(r *Rule) bool {
	switch {
	case m.all:
		return true
	case m.ids != nil:
		for _, id := range m.ids {
			if id == r.ID() {
				return true
			}
		}
		return false
	case m.re != nil:
		return m.re.MatchString(r.Text)
	case m.file != "":
		return globMatch(m.file, r.File)
	case m.group != "":
		base := path.Base(r.File)
		return globMatch(m.group, base) || globMatch(m.group, strings.TrimSuffix(base, ".rules")) || globMatch(m.group, r.File)
	case m.key != "":
		for _, kv := range r.Metadata {
			if strings.EqualFold(kv.Key, m.key) && strings.EqualFold(kv.Value, m.value) {
				return true
			}
		}
	}
	return false
}

func globMatch(pattern, name string) bool {
	// Unlike path.Match, '*' of suricata-update crosses '/'.
	const slash = "\x01"
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", slash), strings.ReplaceAll(name, "/", slash))
	return ok && err == nil
}

// ParseMatcher reads one matcher: "1:2019401", "2019401", a comma list of them,
// "re:expression", "group:name", "filename:pattern", "metadata: key value",
// "name.rules" or "*".
func ParseMatcher(s string) (Matcher, error) {
	s = trimSpace(s)
	m := Matcher{text: s}
	prefix, rest, hasColon := strings.Cut(s, ":")
	rest = trimSpace(rest)
	switch {
	case s == "":
		return m, fmt.Errorf("matcher is empty")
	case s == "*":
		m.all = true
		return m, nil
	case hasColon && prefix == "re":
		re, err := regexp.Compile("(?i)" + rest)
		if err != nil {
			return m, fmt.Errorf("regular expression: %w", err)
		}
		m.re = re
		return m, nil
	case hasColon && (prefix == "group" || prefix == "filename"):
		if _, err := path.Match(rest, ""); err != nil || rest == "" {
			return m, fmt.Errorf("%s is not a file name pattern", quoteShort(rest))
		}
		if prefix == "group" {
			m.group = rest
		} else {
			m.file = rest
		}
		return m, nil
	case hasColon && prefix == "metadata":
		m.key, m.value = cutWord(rest)
		if m.key == "" || m.value == "" {
			return m, fmt.Errorf("metadata needs a key and a value")
		}
		return m, nil
	case strings.HasSuffix(s, ".rules"):
		m.group = s
		return m, nil
	}
	for _, part := range strings.Split(s, ",") {
		gid, sid, ok := parseID(trimSpace(part))
		if !ok {
			return m, fmt.Errorf("%s is none of sid, gid:sid, re:, group:, filename:, metadata: and *", quoteShort(part))
		}
		m.ids = append(m.ids, uint64(gid)<<32|uint64(sid))
	}
	return m, nil
}

func parseID(s string) (gid, sid uint32, ok bool) {
	g, rest, colon := strings.Cut(s, ":")
	if !colon {
		sid, ok = parseUint32(s)
		return 1, sid, ok
	}
	gid, okGID := parseUint32(trimSpace(g))
	sid, okSID := parseUint32(trimSpace(rest))
	return gid, sid, okGID && okSID
}

// ParseMatchers reads an enable.conf, disable.conf or drop.conf.
func ParseMatchers(name string, data []byte) ([]Matcher, []Problem) {
	var out []Matcher
	var problems []Problem
	eachLine(string(data), func(line int, text string) {
		if !strings.HasPrefix(text, "re:") {
			text, _, _ = strings.Cut(text, " #")
		}
		m, err := ParseMatcher(text)
		if err != nil {
			problems = append(problems, lineProblem(name, line, err.Error()))
			return
		}
		out = append(out, m)
	})
	return out, problems
}

// Modifier changes the text of the rules its Matcher chooses: one line of
// modify.conf.
type Modifier struct {
	Matcher
	from     *regexp.Regexp // nil: to is inserted as metadata
	to       string
	metadata string // "key value" to add
	replace  bool   // metadata: drop other values of the key first
	key      string
}

// apply returns the changed text of r.
func (m *Modifier) apply(r *Rule) string {
	if m.from != nil {
		return m.from.ReplaceAllString(r.Text, m.to)
	}
	text := r.Text
	if m.replace {
		for i := range r.Options {
			if o := &r.Options[i]; o.Name == "metadata" {
				text = strings.Replace(text, o.Value, dropKey(o.Value, m.key), 1)
			}
		}
	}
	end := strings.LastIndexByte(text, ')')
	if end < 0 {
		end = len(text)
	}
	return text[:end] + " metadata:" + m.metadata + ";" + text[end:]
}

// dropKey removes the pairs with this key from a metadata value.
func dropKey(value, key string) string {
	var keep []string
	for _, item := range SplitList(value) {
		if k, _ := cutWord(item.Text); !strings.EqualFold(k, key) {
			keep = append(keep, item.Text)
		}
	}
	return strings.Join(keep, ", ")
}

// ParseModifiers reads a modify.conf: lines of the forms
//
//	<matcher> "from" "to"
//	modifysid <matcher> "from" | "to"
//	metadata-add <matcher> "key" "value"
//	metadata-modify <matcher> "key" "value"
//
// from is a regular expression (RE2); \1 and ${1} in to stand for its groups.
func ParseModifiers(name string, data []byte) ([]Modifier, []Problem) {
	var out []Modifier
	var problems []Problem
	eachLine(string(data), func(line int, text string) {
		m, err := parseModifier(text)
		if err != nil {
			problems = append(problems, lineProblem(name, line, err.Error()))
			return
		}
		out = append(out, m)
	})
	return out, problems
}

func parseModifier(text string) (Modifier, error) {
	var m Modifier
	verb, rest := cutWord(text)
	if verb != "modifysid" && verb != "metadata-add" && verb != "metadata-modify" {
		verb, rest = "", text
	}
	i := strings.IndexByte(rest, '"')
	if i < 0 {
		return m, fmt.Errorf(`needs two values in double quotes`)
	}
	matcher, err := ParseMatcher(rest[:i])
	if err != nil {
		return m, err
	}
	m.Matcher = matcher
	a, rest, ok := cutQuoted(rest[i:])
	rest = trimSpace(strings.TrimPrefix(trimSpace(rest), "|"))
	b, rest, ok2 := cutQuoted(rest)
	if !ok || !ok2 || trimSpace(rest) != "" {
		return m, fmt.Errorf(`needs two values in double quotes`)
	}
	if verb == "metadata-add" || verb == "metadata-modify" {
		if !isName(a) || b == "" || strings.ContainsAny(b, ";,") {
			return m, fmt.Errorf("metadata needs a key and a value without ';' and ','")
		}
		m.key, m.metadata, m.replace = a, a+" "+b, verb == "metadata-modify"
		return m, nil
	}
	if m.from, err = regexp.Compile(a); err != nil {
		return m, fmt.Errorf("regular expression: %w", err)
	}
	m.to = groupReferences(b)
	return m, nil
}

// cutQuoted takes a quoted string from the front of s; \" stands for a quote, any
// other backslash for itself.
func cutQuoted(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '"':
			b.WriteByte('"')
			i++
		case s[i] == '"':
			return b.String(), s[i+1:], true
		default:
			b.WriteByte(s[i])
		}
	}
	return "", s, false
}

// groupReferences turns \1 into ${1} and keeps other '$' as they are in rules, where
// they begin variables.
func groupReferences(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && isDigit(s[i+1]):
			fmt.Fprintf(&b, "${%c}", s[i+1])
			i++
		case s[i] == '$' && !strings.HasPrefix(s[i:], "${"):
			b.WriteString("$$")
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
