package rule

import "strings"

// ExprKind says what an Expr is.
type ExprKind uint8

// The kinds of address and port expressions.
const (
	ExprAny  ExprKind = iota // any
	ExprVar                  // $NAME
	ExprItem                 // an address, network, range or port
	ExprList                 // [a,b,!c]
)

// Expr is an address or port expression of a rule header as a tree.
type Expr struct {
	Kind    ExprKind
	Negated bool
	Text    string // the item, or the variable's name without '$'
	Off     int    // offset in the text that was parsed
	List    []Expr
}

// ParseExpr parses an address or port expression: any, $VAR, an item, [lists], and
// '!' before each of them. What an item may be is checked when it is resolved.
func ParseExpr(text string) (Expr, error) {
	p := exprParser{text: text}
	e, f := p.expr(0)
	if f == nil {
		p.space()
		if p.off < len(text) {
			f = faultf(p.off, KindSyntax, "%s after the expression", quoteShort(text[p.off:]))
		}
	}
	if f != nil {
		return Expr{}, f
	}
	return e, nil
}

// AppendTo appends e as text.
func (e *Expr) AppendTo(dst []byte) []byte {
	if e.Negated {
		dst = append(dst, '!')
	}
	switch e.Kind {
	case ExprAny:
		return append(dst, "any"...)
	case ExprVar:
		return append(append(dst, '$'), e.Text...)
	case ExprItem:
		return append(dst, e.Text...)
	}
	dst = append(dst, '[')
	for i := range e.List {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = e.List[i].AppendTo(dst)
	}
	return append(dst, ']')
}

// String returns e as text.
func (e *Expr) String() string { return string(e.AppendTo(nil)) }

type exprParser struct {
	text  string
	off   int
	items int
}

func (p *exprParser) space() {
	for p.off < len(p.text) && isSpace(p.text[p.off]) {
		p.off++
	}
}

func (p *exprParser) expr(depth int) (Expr, *fault) {
	if depth > MaxDepth {
		return Expr{}, faultf(p.off, KindLimit, "lists are nested deeper than %d", MaxDepth)
	}
	if p.items++; p.items > MaxListItems {
		return Expr{}, faultf(p.off, KindLimit, "list has more than %d members", MaxListItems)
	}
	p.space()
	e := Expr{Off: p.off}
	if p.off < len(p.text) && p.text[p.off] == '!' {
		e.Negated = true
		p.off++
		p.space()
	}
	if p.off < len(p.text) && p.text[p.off] == '[' {
		return p.list(e, depth)
	}
	start := p.off
	for p.off < len(p.text) && !strings.ContainsRune("[],!", rune(p.text[p.off])) {
		p.off++
	}
	word := trimSpace(p.text[start:p.off])
	switch {
	case word == "":
		return e, faultf(start, KindSyntax, "value is missing")
	case strings.EqualFold(word, "any"):
		e.Kind = ExprAny
	case word[0] == '$':
		e.Kind, e.Text = ExprVar, word[1:]
		if e.Text == "" {
			return e, faultf(start, KindSyntax, "variable without a name")
		}
	default:
		e.Kind, e.Text = ExprItem, word
	}
	return e, nil
}

func (p *exprParser) list(e Expr, depth int) (Expr, *fault) {
	open := p.off
	e.Kind = ExprList
	p.off++
	for {
		m, f := p.expr(depth + 1)
		if f != nil {
			return e, f
		}
		e.List = append(e.List, m)
		p.space()
		if p.off == len(p.text) {
			return e, faultf(open, KindSyntax, "'[' without ']'")
		}
		c := p.text[p.off]
		if c != ',' && c != ']' {
			return e, faultf(p.off, KindSyntax, "%q where ',' or ']' should be", c)
		}
		p.off++
		if c == ']' {
			return e, nil
		}
	}
}
