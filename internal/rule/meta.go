package rule

import "strings"

// IsGeneral tells whether name (lower case) is an option that this room decodes
// into fields of Rule: a compiler of rules has nothing to do for it.
func IsGeneral(name string) bool {
	switch name {
	case "msg", "sid", "gid", "rev", "classtype", "priority", "reference", "metadata", "target", "requires", "noalert", "alert":
		return true
	}
	return false
}

// general decodes the general options. They are few and every rule has them, so they
// are read here once and shown by every report.
func (p *parser) general(r *Rule) *fault {
	p.kvs, p.refs = p.kvs[:0], p.refs[:0]
	var seenMsg, seenSID, seenRev bool
	for i := range p.options {
		o := &p.options[i]
		f := p.generalOption(r, o, &seenMsg, &seenSID, &seenRev)
		if f != nil {
			f.kind = KindMeta
			f.what = o.Name + ": " + f.what
			f.off += r.ValueOffset(o)
			return f
		}
	}
	if !seenSID {
		return &fault{0, KindMeta, "rule has no sid", "add sid:N; with a number of your own range (1000000-1999999)"}
	}
	return nil
}

func (p *parser) generalOption(r *Rule, o *Option, seenMsg, seenSID, seenRev *bool) *fault {
	switch o.Name {
	case "msg":
		if *seenMsg {
			return faultf(0, KindMeta, "given twice")
		}
		*seenMsg = true
		body, f := mustQuote(o.Value)
		if f != nil {
			return f
		}
		r.Msg = Unescape(body)
	case "sid":
		if *seenSID {
			return faultf(0, KindMeta, "given twice")
		}
		*seenSID = true
		return number(o.Value, 1, &r.SID)
	case "gid":
		return number(o.Value, 0, &r.GID)
	case "rev":
		if *seenRev {
			return faultf(0, KindMeta, "given twice")
		}
		*seenRev = true
		return number(o.Value, 1, &r.Rev)
	case "classtype":
		return p.classtype(r, o)
	case "priority":
		if f := noQuotes(o.Value); f != nil {
			return f
		}
		return priority(r, o.Value)
	case "reference":
		return p.reference(o.Value)
	case "metadata":
		if f := noQuotes(o.Value); f != nil {
			return f
		}
		return p.metadata(o.Value)
	case "target":
		switch o.Value {
		case "src_ip":
			r.Target = TargetSrcIP
		case "dest_ip":
			r.Target = TargetDestIP
		default:
			return &fault{0, KindMeta, "unknown value " + quoteShort(o.Value), "use src_ip or dest_ip"}
		}
	case "requires":
		if f := noQuotes(o.Value); f != nil {
			return f
		}
		if r.Requires == nil {
			r.Requires = &Requires{}
		}
		if err := parseRequires(r.Requires, o.Value); err != nil {
			return faultf(0, KindMeta, "%v", err)
		}
	case "noalert", "alert":
		if o.Value != "" {
			return faultf(0, KindMeta, "takes no value")
		}
		r.NoAlert = o.Name == "noalert"
		r.ForceAlert = o.Name == "alert"
	case "flowbits":
		if o.Value == "noalert" {
			r.NoAlert = true
		}
	}
	return nil
}

// noQuotes refuses a value in quotes.
func noQuotes(value string) *fault {
	if value != "" && value[0] == '"' {
		return &fault{0, KindMeta, "the value stands in quotes", "write it without quotes"}
	}
	return nil
}

func number(s string, least uint32, to *uint32) *fault {
	n, ok := parseUint32(s)
	if !ok || n < least {
		return faultf(0, KindMeta, "%s is not a number from %d to 4294967295", quoteShort(s), least)
	}
	*to = n
	return nil
}

// classtype keeps the first one; Classifications.Of looks at all of them.
func (p *parser) classtype(r *Rule, o *Option) *fault {
	name := unquote(o.Value)
	if name == "" || !isLetter(name[0]) {
		return faultf(0, KindMeta, "%s is not a class name", quoteShort(o.Value))
	}
	for i := range len(name) {
		if c := name[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
			return faultf(0, KindMeta, "%s is not a class name", quoteShort(o.Value))
		}
	}
	if r.Classtype == "" {
		r.Classtype = p.intern(name)
	}
	return nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// priority keeps the highest priority (the smallest number) of several.
func priority(r *Rule, value string) *fault {
	n, ok := parseUint32(value)
	if !ok || n > 255 {
		return faultf(0, KindMeta, "%s is not a number from 0 to 255", quoteShort(value))
	}
	if !r.HasPriority || n < r.Priority {
		r.Priority = n
	}
	r.HasPriority = true
	return nil
}

func (p *parser) reference(value string) *fault {
	key, rest, ok := strings.Cut(value, ",")
	key, rest = trimSpace(key), unquote(trimSpace(rest))
	if !ok || key == "" || rest == "" {
		return &fault{0, KindMeta, "needs a kind and a value", "write reference:url,example.com/page;"}
	}
	for i := range len(key) {
		if !isLetter(key[i]) && (i == 0 || !isDigit(key[i]) && key[i] != '-' && key[i] != '_') {
			return faultf(0, KindMeta, "%s is not a reference kind", quoteShort(key))
		}
	}
	if len(p.refs) < MaxMetadata {
		p.refs = append(p.refs, Reference{p.intern(lower(key)), rest})
	}
	return nil
}

// metadata keeps "key value" pairs; a key without a value is dropped, as Suricata
// does in EVE.
func (p *parser) metadata(value string) *fault {
	for value != "" {
		var item string
		if i := strings.IndexByte(value, ','); i >= 0 {
			item, value = value[:i], value[i+1:]
		} else {
			item, value = value, ""
		}
		item = trimSpace(item)
		i := 0
		for i < len(item) && !isSpace(item[i]) {
			i++
		}
		rest := trimSpace(item[i:])
		if rest == "" || len(p.kvs) == MaxMetadata {
			continue
		}
		p.kvs = append(p.kvs, KV{p.intern(item[:i]), p.intern(rest)})
	}
	return nil
}
