package rule

// AppendTo appends the rule as one line of a rule file, without line end: a
// disabled rule gets "# " in front, white space becomes uniform, values stay as
// written. Parsing the line gives an equal rule.
func (r *Rule) AppendTo(dst []byte) []byte {
	if r.Disabled {
		dst = append(dst, "# "...)
	}
	dst = append(dst, r.Action.String()...)
	dst = append(dst, ' ')
	dst = append(dst, r.Proto...)
	if r.Hook != "" {
		dst = append(dst, ':')
		dst = append(dst, r.Hook...)
	}
	for _, s := range [...]string{r.Src.Text, r.SrcPort.Text, r.Dir.String(), r.Dst.Text, r.DstPort.Text} {
		dst = append(dst, ' ')
		dst = append(dst, s...)
	}
	dst = append(dst, " ("...)
	for i := range r.Options {
		o := &r.Options[i]
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, o.Name...)
		if o.HasValue {
			dst = append(dst, ':')
			dst = append(dst, o.Value...)
		}
		dst = append(dst, ';')
	}
	return append(dst, ')')
}

// String returns the rule as AppendTo writes it.
func (r *Rule) String() string { return string(r.AppendTo(nil)) }
