package rule

// ParseOne parses the text of a single rule (no comment sign, no line ends).
func ParseOne(text string) (*Rule, error) {
	p := newParser("rule")
	r, f := p.rule(text, 1, 1, nil, false)
	if f != nil {
		return nil, p.problem(r, f)
	}
	return r, nil
}
