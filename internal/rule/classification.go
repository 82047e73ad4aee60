package rule

import "strings"

// Class is one line of classification.config.
type Class struct {
	Name        string // in lower case
	Description string
	Priority    uint32
}

// DefaultPriority is the priority of a rule without priority and known classtype.
const DefaultPriority = 3

// Classifications is the content of classification.config. The zero value has no
// classes. Lookups do not allocate for names in lower case.
type Classifications struct {
	List  []Class // in file order
	index map[string]int
}

// Lookup finds a class without regard to case.
func (c *Classifications) Lookup(name string) (Class, bool) {
	i, ok := c.index[lower(name)]
	if !ok {
		return Class{}, false
	}
	return c.List[i], true
}

// Of returns what a rule's alerts show: the description of its class and its
// priority. Of several classtypes the one with the highest priority counts, and
// an own priority option beats them. known is false when a classtype is not in the
// file; such a rule loads with DefaultPriority and an empty description, as in Suricata.
func (c *Classifications) Of(r *Rule) (description string, priority uint32, known bool) {
	priority, known = DefaultPriority, true
	found := false
	for i := range r.Options {
		if r.Options[i].Name != "classtype" {
			continue
		}
		class, ok := c.Lookup(unquote(r.Options[i].Value))
		if !ok {
			known = false
			continue
		}
		if !found || class.Priority < priority {
			description, priority = class.Description, class.Priority
		}
		found = true
	}
	if r.HasPriority {
		priority = r.Priority
	}
	return description, priority, known
}

// ParseClassifications reads classification.config: lines of the form
// "config classification: name,description,priority". Of two lines with the same
// name the first one counts.
func ParseClassifications(name string, data []byte) (*Classifications, []Problem) {
	c := &Classifications{index: map[string]int{}}
	var problems []Problem
	eachLine(string(data), func(line int, text string) {
		rest, ok := cutDirective(text, "classification")
		if !ok {
			problems = append(problems, lineProblem(name, line, "not of the form config classification: name,description,priority"))
			return
		}
		key, rest, ok := strings.Cut(rest, ",")
		end := strings.LastIndexByte(rest, ',')
		key = lower(trimSpace(key))
		if !ok || end < 0 || !isName(key) {
			problems = append(problems, lineProblem(name, line, "classification needs name, description and priority"))
			return
		}
		n, ok := parseUint32(trimSpace(rest[end+1:]))
		if !ok {
			problems = append(problems, lineProblem(name, line, "priority "+quoteShort(trimSpace(rest[end+1:]))+" is not a number"))
			return
		}
		if _, twice := c.index[key]; twice {
			p := lineProblem(name, line, "class "+quoteShort(key)+" is defined twice, the first one counts")
			p.Warning = true
			problems = append(problems, p)
			return
		}
		c.index[key] = len(c.List)
		c.List = append(c.List, Class{key, trimSpace(rest[:end]), n})
	})
	return c, problems
}

// References is the content of reference.config: kinds of references and the URL
// their values are appended to. The zero value has none.
type References struct {
	prefix map[string]string
}

// URL returns the address a reference points to: a value with a scheme of its own
// ("https://...") as it is, else the kind's prefix and the value. known is false,
// and the URL empty, when the kind is not in reference.config.
func (rs *References) URL(r Reference) (url string, known bool) {
	prefix, known := rs.prefix[r.Key]
	if !known {
		return "", false
	}
	if i := strings.Index(r.Value, "://"); i > 0 && isName(r.Value[:i]) {
		return r.Value, true
	}
	return prefix + r.Value, true
}

// ParseReferences reads reference.config: lines of the form
// "config reference: kind prefix". Of two lines with the same kind the first counts.
func ParseReferences(name string, data []byte) (*References, []Problem) {
	rs := &References{map[string]string{}}
	var problems []Problem
	eachLine(string(data), func(line int, text string) {
		rest, ok := cutDirective(text, "reference")
		key, prefix := cutWord(rest)
		key = lower(key)
		if !ok || prefix == "" || !isName(key) {
			problems = append(problems, lineProblem(name, line, "not of the form config reference: kind prefix"))
			return
		}
		if _, twice := rs.prefix[key]; !twice {
			rs.prefix[key] = prefix
		}
	})
	return rs, problems
}

// eachLine calls f for every line that is not empty and no comment.
func eachLine(s string, f func(line int, text string)) {
	s = strings.TrimPrefix(s, "\ufeff")
	for n := 1; s != ""; n++ {
		var text string
		text, s = cutLine(s)
		if text = trimSpace(text); text != "" && text[0] != '#' {
			f(n, text)
		}
	}
}

// cutDirective cuts "config <what> :" from the front.
func cutDirective(s, what string) (string, bool) {
	word, rest := cutWord(s)
	if word != "config" {
		return "", false
	}
	rest, ok := strings.CutPrefix(rest, what)
	if !ok {
		return "", false
	}
	rest, ok = strings.CutPrefix(trimSpace(rest), ":")
	return trimSpace(rest), ok
}

// cutWord splits s at its first white space.
func cutWord(s string) (word, rest string) {
	i := 0
	for i < len(s) && !isSpace(s[i]) {
		i++
	}
	return s[:i], trimSpace(s[i:])
}

// isName tells whether s is a letter and then letters, digits, '-', '_', '.' or '+'.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && (i == 0 || !isDigit(c) && c != '-' && c != '_' && c != '.' && c != '+') {
			return false
		}
	}
	return s != ""
}

func lineProblem(file string, line int, what string) Problem {
	return Problem{File: file, Line: line, Kind: KindFile, What: what}
}
