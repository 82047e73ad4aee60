package detect

import (
	"slices"
	"strconv"

	"mirador/internal/rule"
)

// Content and its modifiers. Suricata 8 rules/payload-keywords.
func contentKeywords() []keyword {
	return []keyword{
		{name: "content", arg: argNeed, setup: setContent, doc: "bytes to look for"},
		{name: "uricontent", arg: argNeed, setup: setURIContent, doc: "content in http.uri (old form)"},
		{name: "nocase", arg: argNone, setup: setNocase, doc: "content without regard to case"},
		{name: "depth", arg: argNeed, setup: setDepth, doc: "content within the first bytes"},
		{name: "offset", arg: argNeed, setup: setOffset, doc: "content from this byte on"},
		{name: "distance", arg: argNeed, setup: setDistance, doc: "content this far behind the last match"},
		{name: "within", arg: argNeed, setup: setWithin, doc: "content this near behind the last match"},
		{name: "startswith", arg: argNone, setup: setStartsWith, doc: "content at the start of the buffer"},
		{name: "endswith", arg: argNone, setup: setEndsWith, doc: "content at the end of the buffer"},
		{name: "rawbytes", arg: argNone, setup: setRawBytes, doc: "accepted, without effect"},
		{name: "replace", arg: argNeed, setup: setReplace, doc: "accepted, without effect: this sensor sees copies of packets"},
		{name: "fast_pattern", arg: argMaybe, setup: setFastPattern, doc: "content for the prefilter"},
		{name: "isdataat", arg: argNeed, setup: setIsDataAt, doc: "is there data at a place"},
		{name: "bsize", arg: argNeed, setup: setBsize, doc: "size of the buffer"},
		{name: "absent", arg: argMaybe, setup: setAbsent, doc: "the buffer does not exist"},
		{name: "pkt_data", arg: argNone, setup: setPktData, doc: "back to the payload"},
		{name: "urilen", arg: argNeed, setup: setURILen, doc: "size of http.uri"},
		{name: "dsize", arg: argNeed, setup: setDsize, doc: "size of the packet's payload"},
	}
}

func setContent(b *builder, o *rule.Option) error {
	c, err := parseContent(o.Value)
	if err != nil {
		return err
	}
	b.last = b.add(contentOp(c))
	b.lastPos = b.last
	return nil
}

func parseContent(value string) (rule.Content, error) {
	c, err := rule.ParseContent(value)
	if err != nil {
		at := 0
		if e, ok := err.(*rule.ContentError); ok {
			at = e.Off
		}
		return c, refuse(at, "", "%v", err)
	}
	if len(c.Bytes) > MaxContentLen {
		return c, refuse(0, "", "content is longer than %d bytes", MaxContentLen)
	}
	return c, nil
}

func contentOp(c rule.Content) op {
	x := op{kind: opContent, pat: string(c.Bytes), flag: flagMoves}
	if c.Negated {
		x.flag = flagNegated
	}
	return x
}

func setURIContent(b *builder, o *rule.Option) error {
	c, err := parseContent(o.Value)
	if err != nil {
		return err
	}
	d := b.c.byLabel["http.uri"]
	if d == nil {
		return refuse(0, "", "protocol http is not built in")
	}
	if b.cur != 0 {
		return refuse(0, "", "uricontent cannot follow a sticky buffer")
	}
	if err := b.onlyHTTP1(d); err != nil {
		return err
	}
	i := b.listFor(d)
	b.lists[i].ops = append(b.lists[i].ops, contentOp(c))
	b.last = opRef{i, len(b.lists[i].ops) - 1}
	b.lastPos = b.last
	return nil
}

// lastContent returns the content that a modifier changes.
func (b *builder) lastContent() (*op, error) {
	if b.last.list < 0 {
		return nil, refuse(0, "put it behind a content", "there is no content before it")
	}
	o := b.at(b.last)
	if o.kind != opContent {
		return nil, refuse(0, "put it behind a content", "what stands before it is no content")
	}
	return o, nil
}

func setNocase(b *builder, _ *rule.Option) error {
	c, err := b.lastContent()
	if err != nil {
		return err
	}
	if c.flag&flagNocase != 0 {
		return refuse(0, "", "nocase is given twice")
	}
	c.flag |= flagNocase
	return nil
}

// position reads the value of a position modifier: a number, or a variable of
// byte_extract or byte_math.
func (b *builder) position(o *rule.Option, c *op, lo, hi int64) (n int32, variable int8, err error) {
	s := o.Value
	if v, perr := strconv.ParseInt(s, 10, 64); perr == nil {
		if v < lo || v > hi {
			return 0, -1, refuse(0, "", "%d is not between %d and %d", v, lo, hi)
		}
		return int32(v), -1, nil
	}
	i := b.varIndex(s)
	if i < 0 {
		return 0, -1, refuse(0, "", "%s is neither a number nor a variable of byte_extract or byte_math before it", quote(s))
	}
	if c.flag&flagVars == 0 {
		c.flag |= flagVars
		c.ext = &contentVars{-1, -1, -1, -1}
	}
	return 0, i, nil
}

// once refuses a modifier that is there already or does not go with another one.
func once(c *op, own opFlag, conflicts opFlag) error {
	if c.flag&flagFastOnly != 0 {
		return refuse(0, "", "does not go with fast_pattern:only")
	}
	if c.flag&flagNegated != 0 && c.flag&flagFastPattern != 0 {
		return refuse(0, "", "fast_pattern on a negated content with a place")
	}
	if c.flag&conflicts != 0 {
		return refuse(0, "", "does not go with the other modifiers of this content")
	}
	if c.flag&own != 0 {
		return refuse(0, "", "given twice for one content")
	}
	return nil
}

func setDepth(b *builder, o *rule.Option) error {
	c, err := b.lastContent()
	if err != nil {
		return err
	}
	if err := once(c, flagDepth, flagStartsWith|flagDistance|flagWithin); err != nil {
		return err
	}
	n, v, err := b.position(o, c, 0, 65535)
	if err != nil {
		return err
	}
	c.flag |= flagDepth
	c.depth = n
	if v >= 0 {
		c.ext.(*contentVars).depth = v
	}
	return nil
}

func setOffset(b *builder, o *rule.Option) error {
	c, err := b.lastContent()
	if err != nil {
		return err
	}
	if err := once(c, flagOffset, flagStartsWith|flagDistance|flagWithin); err != nil {
		return err
	}
	n, v, err := b.position(o, c, 0, 65535)
	if err != nil {
		return err
	}
	c.flag |= flagOffset
	c.off = n
	if v >= 0 {
		c.ext.(*contentVars).off = v
	}
	return nil
}

func setDistance(b *builder, o *rule.Option) error {
	c, err := b.lastContent()
	if err != nil {
		return err
	}
	if err := once(c, flagDistance, flagStartsWith|flagDepth|flagOffset); err != nil {
		return err
	}
	n, v, err := b.position(o, c, -MaxDistance, MaxDistance)
	if err != nil {
		return err
	}
	c.flag |= flagDistance | flagRelative
	c.flag &^= flagMoves
	c.distance = n
	if v >= 0 {
		c.ext.(*contentVars).distance = v
	}
	return nil
}

func setWithin(b *builder, o *rule.Option) error {
	c, err := b.lastContent()
	if err != nil {
		return err
	}
	if err := once(c, flagWithin, flagStartsWith|flagDepth|flagOffset); err != nil {
		return err
	}
	n, v, err := b.position(o, c, -MaxDistance, MaxDistance)
	if err != nil {
		return err
	}
	c.flag |= flagWithin | flagRelative
	c.flag &^= flagMoves
	c.within = n
	if v >= 0 {
		c.ext.(*contentVars).within = v
	} else if int(n) < len(c.pat) {
		return refuse(0, "", "within %d is smaller than the content of %d bytes", n, len(c.pat))
	}
	return nil
}

func setStartsWith(b *builder, _ *rule.Option) error {
	c, err := b.lastContent()
	if err != nil {
		return err
	}
	if err := once(c, flagStartsWith, flagDepth|flagOffset|flagDistance|flagWithin); err != nil {
		return err
	}
	c.flag |= flagStartsWith | flagDepth | flagOffset
	c.off, c.depth = 0, int32(len(c.pat))
	return nil
}

func setEndsWith(b *builder, _ *rule.Option) error {
	c, err := b.lastContent()
	if err != nil {
		return err
	}
	c.flag |= flagEndsWith
	return nil
}

func setRawBytes(b *builder, _ *rule.Option) error {
	c, err := b.lastContent()
	if err != nil {
		return err
	}
	if b.last.list != 0 {
		return refuse(0, "put it behind a content of the payload", "there is no content of the payload before it")
	}
	if c.flag&flagRawBytes != 0 {
		return refuse(0, "", "given twice for one content")
	}
	c.flag |= flagRawBytes
	return nil
}

// setReplace: nothing is replaced, so that nothing is asked of the value but its form.
func setReplace(_ *builder, o *rule.Option) error {
	_, err := parseContent(o.Value)
	return err
}

func setFastPattern(b *builder, o *rule.Option) error {
	c, err := b.lastContent()
	if err != nil {
		return err
	}
	if slices.Contains(b.fastIn, b.last.list) && (o.Value != "only" || c.flag&flagFastOnly == 0) {
		return refuse(0, "", "rule has two fast_pattern for one buffer")
	}
	if slices.Contains(b.fastIn, b.last.list) {
		return nil // fast_pattern:only twice says the same
	}
	b.fastIn = append(b.fastIn, b.last.list)
	if c.flag&flagFastPattern != 0 {
		return refuse(0, "", "given twice for one content")
	}
	if c.flag&flagNegated != 0 && c.flag&(flagDepth|flagOffset|flagRelative) != 0 {
		return refuse(0, "", "fast_pattern on a negated content with a place")
	}
	switch {
	case o.Value == "":
	case o.Value == "only":
		if c.flag&(flagNegated|flagDepth|flagOffset|flagRelative) != 0 {
			return refuse(0, "", "fast_pattern:only does not go with the other modifiers of this content")
		}
		c.flag |= flagFastOnly
	default:
		items := rule.SplitList(o.Value)
		if len(items) != 2 {
			return refuse(0, "", "write fast_pattern, fast_pattern:only or fast_pattern:offset,length")
		}
		off, err1 := strconv.ParseUint(items[0].Text, 10, 16)
		n, err2 := strconv.ParseUint(items[1].Text, 10, 16)
		if err1 != nil || err2 != nil || n == 0 || int(off+n) > len(c.pat) {
			return refuse(0, "", "%s is not a part of the content of %d bytes", quote(o.Value), len(c.pat))
		}
		if !b.fastSeen {
			b.chop = [2]int{int(off), int(n)}
		}
	}
	c.flag |= flagFastPattern
	if c.flag&flagNegated != 0 {
		// A negated fast pattern cannot decide; the rule is looked at always.
		return nil
	}
	if !b.fastSeen {
		b.fastSeen, b.fast = true, b.last
	}
	return nil
}

func setIsDataAt(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	x := op{kind: opIsDataAt}
	s := items[0].Text
	if len(s) > 0 && s[0] == '!' {
		x.flag |= flagNegated
		s = s[1:]
	}
	for i, it := range items[1:] {
		switch {
		case i == 0 && it.Text == "relative":
			x.flag |= flagRelative
		case i == 1 && it.Text == "rawbytes":
		default:
			return refuse(it.Off, "write a place, then relative, then rawbytes", "unknown part %s", quote(it.Text))
		}
	}
	if v, err := strconv.ParseUint(s, 10, 16); err == nil {
		x.off = int32(v)
	} else {
		i := b.varIndex(s)
		if i < 0 {
			return refuse(items[0].Off, "", "%s is neither a number up to 65535 nor a variable", quote(s))
		}
		x.flag |= flagVars
		x.ext = &contentVars{i, -1, -1, -1}
	}
	b.addRelative(x)
	return nil
}

func setBsize(b *builder, o *rule.Option) error {
	u, err := rule.ParseUint(o.Value, 64, nil)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	if b.cur == 0 {
		return refuse(0, "name a sticky buffer first", "there is no buffer whose size is meant")
	}
	b.add(op{kind: opSize, ext: &u})
	return nil
}

func setAbsent(b *builder, o *rule.Option) error {
	if b.cur == 0 {
		return refuse(0, "name a sticky buffer first", "there is no buffer that could be absent")
	}
	i := b.list()
	l := &b.lists[i]
	if len(l.ops) > 0 || l.absent != absentNone {
		return refuse(0, "", "absent must come first behind its buffer")
	}
	switch o.Value {
	case "":
		l.absent = absentOnly
	case "or_else":
		l.absent = absentOr
	default:
		return refuse(0, "", "unknown value %s", quote(o.Value))
	}
	return nil
}

func setPktData(b *builder, _ *rule.Option) error {
	if err := b.leave(); err != nil {
		return err
	}
	b.cur = 0
	return nil
}

// setURILen: the normalised uri unless the value ends in ",raw".
func setURILen(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	name := "http.uri"
	if len(items) > 1 {
		switch items[1].Text {
		case "raw":
			name = "http.uri.raw"
		case "norm":
		default:
			return refuse(items[1].Off, "", "unknown part %s", quote(items[1].Text))
		}
	}
	u, err := rule.ParseUint(items[0].Text, 16, nil)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	d := b.c.byLabel[name]
	if d == nil {
		return refuse(0, "", "protocol http is not built in")
	}
	i := b.listFor(d)
	b.lists[i].ops = append(b.lists[i].ops, op{kind: opSize, ext: &u})
	return nil
}

func setDsize(b *builder, o *rule.Option) error {
	u, err := rule.ParseUint(o.Value, 16, nil)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	if b.dsize != nil {
		return refuse(0, "", "given twice")
	}
	b.dsize = &u
	b.packetCheck(&dsizeCheck{u})
	return nil
}

type dsizeCheck struct{ u rule.Uint }

// match compares the packet's size. In rules for packets a size above 0 asks for bytes to
// look at, in the packet or in the stream; size 0 for none in either.
func (k *dsizeCheck) match(w *Worker) bool {
	if w.p.Pseudo {
		return false
	}
	if w.tx != nil {
		return k.u.Match(uint64(w.size))
	}
	switch k.u.Op {
	case rule.UintEq:
		if (w.mask&hasPayload != 0) != (k.u.A > 0) {
			return false
		}
	case rule.UintGt, rule.UintGe, rule.UintRange, rule.UintNe:
		if w.mask&hasPayload == 0 {
			return false
		}
	}
	return k.u.Match(uint64(w.size))
}
