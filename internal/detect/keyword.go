package detect

import (
	"cmp"
	"fmt"
	"slices"

	"mirador/internal/proto"
	"mirador/internal/rule"
)

// argMode says whether a keyword takes a value.
type argMode uint8

const (
	argNone argMode = iota
	argNeed
	argMaybe
)

// keyword is one row of the keyword table: its names, what value it takes, and how
// it becomes part of a rule.
type keyword struct {
	name    string
	aliases []string
	arg     argMode
	setup   func(b *builder, o *rule.Option) error
	doc     string
	field   bool // from a protocol's table
}

// families returns the keyword table: one slice per file kw_*.go. A new family is
// one file and one line here.
func families() [][]keyword {
	return [][]keyword{
		metaKeywords(),
		contentKeywords(),
		byteKeywords(),
		pcreKeywords(),
		transformKeywords(),
		flowKeywords(),
		varKeywords(),
		thresholdKeywords(),
		ipKeywords(),
		tcpKeywords(),
		icmpKeywords(),
		headerBufferKeywords(),
		checksumKeywords(),
		eventKeywords(),
		appKeywords(),
		fileKeywords(),
		datasetKeywords(),
		reputationKeywords(),
		geoKeywords(),
		entropyKeywords(),
		base64Keywords(),
		asn1Keywords(),
		frameKeywords(),
		miscKeywords(),
	}
}

// optError is a refusal with the place in the option's value.
type optError struct {
	at   int
	what string
	hint string
	// outdated refusals leave the rule out with a warning: the rule was written
	// for another version.
	outdated bool
}

func (e *optError) Error() string { return e.what }

func refuse(at int, hint, format string, args ...any) error {
	return &optError{at: at, what: fmt.Sprintf(format, args...), hint: hint}
}

// quote quotes s for a message, at most 40 bytes of it.
func quote(s string) string {
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return fmt.Sprintf("%q", s)
}

// keywordTable builds the table of names once per Compile: the families and the
// rows that the protocols bring.
func (c *compiler) keywordTable() {
	c.words = make(map[string]*keyword, 1024)
	add := func(k *keyword) {
		c.words[k.name] = k
		for _, a := range k.aliases {
			c.words[a] = k
		}
	}
	for _, f := range families() {
		for i := range f {
			add(&f[i])
		}
	}
	for _, k := range c.fieldKeywords() {
		if old, ok := c.words[k.name]; ok && old != nil {
			continue // a built-in keyword goes first
		}
		add(k)
	}
}

// Keyword is one keyword as listed for operators.
type Keyword struct {
	Name    string
	Aliases []string
	Doc     string
	Field   bool // from a protocol's table
}

// Keywords lists the keywords that rules may use with the protocols of t, by name.
func Keywords(t *proto.Table) []Keyword {
	c := newCompiler(Options{Table: t})
	var out []Keyword
	seen := map[*keyword]bool{}
	for _, k := range c.words {
		if !seen[k] {
			seen[k] = true
			out = append(out, Keyword{Name: k.name, Aliases: k.aliases, Doc: k.doc, Field: k.field})
		}
	}
	slices.SortFunc(out, func(a, b Keyword) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
