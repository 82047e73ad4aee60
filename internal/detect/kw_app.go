package detect

import (
	"slices"
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
	if b.at(b.last).flag&flagRawBytes != 0 {
		return refuse(0, "", "does not go with rawbytes")
	}
	if err := b.onlyHTTP1(d); err != nil {
		return err
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

// onlyHTTP1 narrows a rule that names an HTTP buffer in the old way: such rules are for
// HTTP/1 only.
func (b *builder) onlyHTTP1(d *bufDef) error {
	if set := b.c.appBits("http"); d.protos&set != 0 {
		return b.needApp(set, d.name+" in its old form")
	}
	return nil
}

// numTest is a condition on a Number field.
type numTest struct {
	u     rule.Uint
	index numIndex
	at    int
}

// numIndex says which of several values are meant. Suricata 8 rules/integer-keywords.
type numIndex uint8

const (
	numAny numIndex = iota
	numAll
	numAt // one place
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
	t, err := parseNumTest(o.Value, def.anyField())
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

// anyField returns one of the fields behind d: they have the same names and width.
func (d *bufDef) anyField() *proto.Field {
	for dir := range d.fields {
		for _, f := range d.fields[dir] {
			if f != nil {
				return f
			}
		}
	}
	return nil
}

// parseNumTest reads "value", or "value,index" when the field is Indexed.
func parseNumTest(s string, f *proto.Field) (*numTest, error) {
	t := &numTest{}
	width := int(f.Bits)
	if width == 0 {
		width = 64
	}
	find := func(word string) (uint64, bool) {
		if v, ok := f.Names[word]; ok {
			return v, true
		}
		for k, v := range f.Names {
			if strings.EqualFold(k, word) {
				return v, true
			}
		}
		return 0, false
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
	switch {
	case len(f.Only) > 0 && (u.Op != rule.UintEq || !slices.Contains(f.Only, u.A) || items[0].Text[0] == '='):
		return nil, refuse(0, "", "%s is not one of %v", quote(s), f.Only)
	case len(items) > 2 || len(items) == 2 && !f.Indexed:
		return nil, refuse(items[1].Off, "", "takes no index")
	case len(items) == 2:
		return t, t.where(items[1].Text)
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
	default:
		n, err := strconv.Atoi(s)
		if err != nil {
			return refuse(0, "write any, all or the place of a value", "unknown index %s", quote(s))
		}
		t.index, t.at = numAt, n
	}
	return nil
}

// customTest is a compiled Custom field, an application-layer event, or a hook.
type customTest struct {
	match  [2][]proto.TxMatcher // by direction and protocol
	events []int16              // by protocol; -1 none
	states []uint8              // by protocol: progress to be reached, neverAt
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
