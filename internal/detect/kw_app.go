package detect

import (
	"strconv"
	"strings"

	"mirador/internal/proto"
	"mirador/internal/rule"
)

// Keywords that the protocols bring in their tables: sticky buffers, content
// modifiers of old rules, integers, and keywords with a syntax of their own.

// appKeywords are those built in: none, all come from the tables.
func appKeywords() []keyword { return nil }

// fieldKeywords makes the rows of the keyword table that the protocols' fields ask
// for. The same name from several protocols is one keyword.
func (c *compiler) fieldKeywords() []*keyword {
	var out []*keyword
	index := map[string]*keyword{}
	add := func(name string, arg argMode, doc string, setup func(b *builder, o *rule.Option) error) {
		if name == "" || index[name] != nil {
			return
		}
		k := &keyword{name: name, arg: arg, setup: setup, doc: doc, field: true}
		index[name] = k
		out = append(out, k)
	}
	for _, p := range c.table.Rows() {
		for i := range p.Fields {
			f := &p.Fields[i]
			name := f.Name
			switch f.Kind {
			case proto.Bytes:
				setup := func(b *builder, _ *rule.Option) error { return b.sticky(b.c.byLabel[name]) }
				add(name, argNone, f.Doc, setup)
				for _, a := range f.Aliases {
					add(a, argNone, f.Doc, setup)
				}
				add(f.Legacy, argNone, f.Doc, func(b *builder, _ *rule.Option) error { return b.legacy(b.c.byLabel[name]) })
			case proto.Number:
				setup := func(b *builder, o *rule.Option) error { return b.numberField(name, o) }
				add(name, argNeed, f.Doc, setup)
				for _, a := range f.Aliases {
					add(a, argNeed, f.Doc, setup)
				}
			case proto.Custom:
				setup := func(b *builder, o *rule.Option) error { return b.customField(name, o) }
				add(name, argMaybe, f.Doc, setup)
				for _, a := range f.Aliases {
					add(a, argMaybe, f.Doc, setup)
				}
			}
		}
	}
	return out
}

// legacy moves the last content into buffer d, as content modifiers do.
func (b *builder) legacy(d *bufDef) error {
	if d.name == "file.data" || d.kind == bufFile {
		return b.sticky(d)
	}
	if b.last.list < 0 {
		return refuse(0, "put it behind a content", "there is no content before it")
	}
	from := &b.lists[b.last.list]
	if b.last.list != 0 || b.last.op != len(from.ops)-1 || from.ops[b.last.op].kind != opContent {
		return refuse(0, "put it behind a content of the payload", "there is no content before it that could be moved")
	}
	if b.cur != 0 {
		return refuse(0, "", "a content modifier cannot follow a sticky buffer")
	}
	o := from.ops[b.last.op]
	from.ops = from.ops[:b.last.op]
	i := b.listFor(d)
	b.lists[i].ops = append(b.lists[i].ops, o)
	moved := opRef{i, len(b.lists[i].ops) - 1}
	if b.fastSeen && b.fast == b.last {
		b.fast = moved
	}
	b.last, b.lastPos = moved, moved
	return nil
}

// numTest is a condition on a Number field.
type numTest struct {
	u     rule.Uint
	index numIndex
	at    int
	count rule.Uint // numNb
	only  bool      // count alone: any value counts
	slice [2]int
	cut   bool // slice is set
}

// numIndex says which of several values are meant. Suricata 8 rules/integer-keywords.
type numIndex uint8

const (
	numAny numIndex = iota
	numAll
	numAllOrAbsent
	numOrAbsent
	numAt    // one place
	numAtOr  // one place, or it does not exist
	numCount // a number of them
)

func (b *builder) numberField(name string, o *rule.Option) error {
	var def *bufDef
	label := "#" + name
	if def = b.c.byLabel[label]; def == nil {
		def = b.c.register(&bufDef{name: name, label: label, kind: bufField, noScan: true})
		for i, p := range b.c.table.Rows() {
			for j := range p.Fields {
				if f := &p.Fields[j]; f.Name == name && f.Kind == proto.Number {
					b.c.attach(def, proto.ID(i+1), f)
				}
			}
		}
	}
	width, names := fieldNumber(def)
	t, err := parseNumTest(o.Value, width, names)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	b.number = append(b.number, txTest{kind: txNumber, def: def, num: t})
	return nil
}

// attach adds field f of protocol id to d.
func (c *compiler) attach(d *bufDef, id proto.ID, f *proto.Field) {
	if d.fields[0] == nil {
		n := len(c.table.Rows()) + 1
		d.fields = [2][]*proto.Field{make([]*proto.Field, n), make([]*proto.Field, n)}
	}
	if f.ToServer {
		d.fields[proto.ToServer][id] = f
		d.dirs |= dirBit(proto.ToServer)
	}
	if f.ToClient {
		d.fields[proto.ToClient][id] = f
		d.dirs |= dirBit(proto.ToClient)
	}
	d.protos |= appBit(id)
	d.multi = d.multi || f.Multi
}

func fieldNumber(d *bufDef) (width int, names map[string]uint64) {
	width = 64
	for dir := range d.fields {
		for _, f := range d.fields[dir] {
			if f == nil {
				continue
			}
			if f.Bits != 0 {
				width = int(f.Bits)
			}
			if f.Names != nil {
				names = f.Names
			}
		}
	}
	return width, names
}

// parseNumTest reads "value[,index[,slice]]" or "count value".
func parseNumTest(s string, width int, names map[string]uint64) (*numTest, error) {
	t := &numTest{}
	find := func(word string) (uint64, bool) {
		if v, ok := names[word]; ok {
			return v, true
		}
		for k, v := range names {
			if strings.EqualFold(k, word) {
				return v, true
			}
		}
		return 0, false
	}
	if rest, ok := strings.CutPrefix(strings.TrimSpace(s), "count "); ok {
		u, err := rule.ParseUint(rest, 32, nil)
		t.index, t.count, t.only = numCount, u, true
		return t, err
	}
	items := rule.SplitList(s)
	if len(items) == 0 {
		return nil, refuse(0, "", "value is missing")
	}
	if bits, ok, err := bitNames(items, find); ok || err != nil {
		t.u = bits
		return t, err
	}
	u, err := rule.ParseUint(items[0].Text, width, find)
	if err != nil {
		return nil, err
	}
	t.u = u
	if len(items) > 1 {
		if err := t.where(items[1].Text); err != nil {
			return nil, err
		}
	}
	if len(items) > 2 {
		from, to, ok := strings.Cut(items[2].Text, ":")
		a, err1 := strconv.Atoi(strings.TrimSpace(from))
		z, err2 := strconv.Atoi(strings.TrimSpace(to))
		if !ok || err1 != nil || err2 != nil {
			return nil, refuse(items[2].Off, "", "%s is not a part from:to", quote(items[2].Text))
		}
		t.slice, t.cut = [2]int{a, z}, true
	}
	return t, nil
}

// bitNames reads a list of names of bits, each of which may be negated:
// "fin,!comp". ok is false when it is not such a list.
func bitNames(items []rule.Item, find func(string) (uint64, bool)) (u rule.Uint, ok bool, err error) {
	if len(items) < 2 {
		return u, false, nil
	}
	u.Op = rule.UintMask
	for _, it := range items {
		word := strings.TrimSpace(strings.TrimPrefix(it.Text, "!"))
		v, known := find(word)
		if !known {
			return rule.Uint{}, false, nil
		}
		u.A |= v
		if word == it.Text {
			u.B |= v
		}
	}
	return u, true, nil
}

func (t *numTest) where(s string) error {
	switch s {
	case "any":
	case "all":
		t.index = numAll
	case "all_or_absent":
		t.index = numAllOrAbsent
	case "or_absent":
		t.index = numOrAbsent
	default:
		if rest, ok := strings.CutPrefix(s, "nb"); ok {
			u, err := rule.ParseUint(rest, 32, nil)
			t.index, t.count = numCount, u
			return err
		}
		t.index = numAt
		if rest, ok := strings.CutPrefix(s, "oob_or "); ok {
			t.index, s = numAtOr, rest
		}
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil {
			return refuse(0, "", "unknown index %s", quote(s))
		}
		t.at = n
	}
	return nil
}

// customTest is a compiled Custom field, or an application-layer event.
type customTest struct {
	match  [2][]proto.TxMatcher // by direction and protocol
	events []int16              // by protocol; -1 none
}

func (b *builder) customField(name string, o *rule.Option) error {
	ct := &customTest{}
	n := len(b.c.table.Rows()) + 1
	ct.match = [2][]proto.TxMatcher{make([]proto.TxMatcher, n), make([]proto.TxMatcher, n)}
	def := &bufDef{name: name, label: "%" + name + ":" + o.Value, kind: bufField, noScan: true}
	if have := b.c.byLabel["%"+name]; have != nil {
		def = have
	} else {
		def.label = "%" + name
		b.c.register(def)
		for i, p := range b.c.table.Rows() {
			for j := range p.Fields {
				if f := &p.Fields[j]; f.Name == name && f.Kind == proto.Custom {
					b.c.attach(def, proto.ID(i+1), f)
				}
			}
		}
	}
	var first error
	compiled := false
	for i, p := range b.c.table.Rows() {
		for j := range p.Fields {
			f := &p.Fields[j]
			if f.Name != name || f.Kind != proto.Custom {
				continue
			}
			m, err := f.Compile(o.Value)
			if err != nil {
				if first == nil {
					first = err
				}
				continue
			}
			compiled = true
			if f.ToServer {
				ct.match[proto.ToServer][i+1] = m
			}
			if f.ToClient {
				ct.match[proto.ToClient][i+1] = m
			}
		}
	}
	if !compiled {
		return refuse(0, "", "%v", first)
	}
	b.number = append(b.number, txTest{kind: txCustom, def: def, custom: ct})
	return nil
}
