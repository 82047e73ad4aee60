package detect

import (
	"strconv"
	"strings"

	"mirador/internal/rule"
)

// Bits and numbers that rules keep: flowbits, flowint, xbits, hostbits.
// Suricata 8 rules/flow-keywords, rules/xbits.
func varKeywords() []keyword {
	return []keyword{
		{name: "flowbits", arg: argNeed, setup: setFlowbits, doc: "set or test a bit of the flow"},
		{name: "flowint", arg: argNeed, setup: setFlowint, doc: "compute with or test a number of the flow"},
		{name: "xbits", arg: argNeed, setup: setXbits, doc: "set or test a bit of a host or a pair of hosts"},
		{name: "hostbits", arg: argNeed, setup: setHostbits, doc: "set or test a bit of a host"},
		{name: "flowvar", arg: argNeed, setup: setFlowvar, doc: "test a captured variable of the flow"},
		{name: "pktvar", arg: argNeed, setup: setPktvar, doc: "test a captured variable of the packet"},
	}
}

// bitCmd is what a rule does with a bit.
type bitCmd uint8

const (
	bitSet bitCmd = iota
	bitUnset
	bitToggle
	bitIsSet
	bitIsNotSet
)

func parseBitCmd(s string) (bitCmd, bool) {
	switch s {
	case "set":
		return bitSet, true
	case "unset":
		return bitUnset, true
	case "toggle":
		return bitToggle, true
	case "isset":
		return bitIsSet, true
	case "isnotset":
		return bitIsNotSet, true
	}
	return 0, false
}

// flowbitCheck tests one bit, or several of which one must be so.
type flowbitCheck struct {
	ids []uint32
	not bool
}

func (k *flowbitCheck) match(w *Worker) bool {
	f := w.p.Flow
	if f == nil {
		return false
	}
	if k.not {
		// Of several bits one that is not set is enough.
		for _, id := range k.ids {
			if !f.hasBit(id) {
				return true
			}
		}
		return false
	}
	for _, id := range k.ids {
		if f.hasBit(id) {
			return true
		}
	}
	return false
}

type flowbitAction struct {
	id  uint32
	cmd bitCmd
}

func (a *flowbitAction) apply(w *Worker) {
	f := w.p.Flow
	if f == nil {
		return
	}
	switch a.cmd {
	case bitSet:
		f.setBit(a.id, &w.Counters)
	case bitUnset:
		f.clearBit(a.id)
	case bitToggle:
		if f.hasBit(a.id) {
			f.clearBit(a.id)
		} else {
			f.setBit(a.id, &w.Counters)
		}
	}
}

func setFlowbits(b *builder, o *rule.Option) error {
	name, rest, _ := strings.Cut(o.Value, ",")
	rest = strings.TrimSpace(rest)
	if name == "noalert" {
		if rest != "" {
			return refuse(0, "", "noalert takes no name")
		}
		return nil // read by the rule parser
	}
	cmd, ok := parseBitCmd(name)
	if !ok {
		return refuse(0, "use set, unset, toggle, isset, isnotset or noalert", "unknown command %s", quote(name))
	}
	if rest == "" {
		return refuse(0, "", "name of the bit is missing")
	}
	test := cmd == bitIsSet || cmd == bitIsNotSet
	var ids []uint32
	for _, n := range strings.Split(rest, "|") {
		n = strings.TrimSpace(n)
		if n == "" || strings.ContainsAny(n, " \t") {
			return refuse(0, "", "%s is not a name", quote(n))
		}
		ids = append(ids, b.c.shared.names.id(n))
	}
	if len(ids) > 1 && !test {
		return refuse(0, "", "several names go with isset and isnotset only")
	}
	if test {
		b.check(&flowbitCheck{ids, cmd == bitIsNotSet}, false)
		b.s.flag |= sigNeedFlow
		return nil
	}
	b.after(&flowbitAction{ids[0], cmd})
	return nil
}

// flowintOp is what a rule does with a flowint.
type flowintOp struct {
	id    uint32
	op    byte // + - = (set), < > l g e n (tests), i isset, u unset
	val   uint32
	other uint32 // id of another flowint, when isVar
	isVar bool
}

func (k *flowintOp) value(w *Worker) (uint32, bool) {
	if !k.isVar {
		return k.val, true
	}
	return w.p.Flow.intVal(k.other)
}

func (k *flowintOp) match(w *Worker) bool {
	f := w.p.Flow
	if f == nil {
		return false
	}
	have, set := f.intVal(k.id)
	switch k.op {
	case 'i':
		return set
	case 'u':
		return !set
	}
	x, ok := k.value(w)
	if !ok || !set {
		return false
	}
	switch k.op {
	case '<':
		return have < x
	case '>':
		return have > x
	case 'l':
		return have <= x
	case 'g':
		return have >= x
	case 'e':
		return have == x
	case 'n':
		return have != x
	}
	return false
}

func (k *flowintOp) apply(w *Worker) {
	f := w.p.Flow
	if f == nil {
		return
	}
	x, ok := k.value(w)
	if !ok {
		return
	}
	have, _ := f.intVal(k.id)
	switch k.op {
	case '+':
		x = have + x
	case '-':
		x = have - x
	}
	f.setInt(k.id, x, &w.Counters)
}

// flowintName checks the name of a flowint: a letter and at least one more of letters,
// digits and _ . /.
func flowintName(it rule.Item) error {
	for i := range len(it.Text) {
		c := it.Text[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && strings.IndexByte("_./", c) < 0) {
			return refuse(it.Off, "", "%s is not a name", quote(it.Text))
		}
	}
	if len(it.Text) < 2 {
		return refuse(it.Off, "a name has two characters or more", "%s is not a name", quote(it.Text))
	}
	return nil
}

func setFlowint(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if len(items) < 2 || items[0].Text == "" {
		return refuse(0, "", "needs a name and an operation")
	}
	if err := flowintName(items[0]); err != nil {
		return err
	}
	k := &flowintOp{id: b.c.shared.names.id(items[0].Text)}
	test := true
	switch items[1].Text {
	case "+", "-", "=":
		k.op = items[1].Text[0]
		test = false
	case "<", ">":
		k.op = items[1].Text[0]
	case "<=":
		k.op = 'l'
	case ">=":
		k.op = 'g'
	case "==":
		k.op = 'e'
	case "!=":
		k.op = 'n'
	case "isset":
		k.op = 'i'
	case "notset", "isnotset":
		k.op = 'u'
	default:
		return refuse(items[1].Off, "", "unknown operation %s", quote(items[1].Text))
	}
	if k.op == 'i' || k.op == 'u' {
		if len(items) > 2 {
			return refuse(items[2].Off, "", "%s takes no value", items[1].Text)
		}
	} else {
		if len(items) != 3 || items[2].Text == "" {
			return refuse(0, "", "needs a value")
		}
		n, err := strconv.ParseUint(items[2].Text, 10, 32)
		switch {
		case err == nil:
			k.val = uint32(n)
		case items[2].Text[0] >= '0' && items[2].Text[0] <= '9':
			return refuse(items[2].Off, "", "%s is not a 32-bit number", quote(items[2].Text))
		default:
			if err := flowintName(items[2]); err != nil {
				return err
			}
			k.isVar, k.other = true, b.c.shared.names.id(items[2].Text)
		}
	}
	b.s.flag |= sigNeedFlow
	if test {
		b.check(k, false)
		return nil
	}
	b.after(k)
	return nil
}

// xbitTrack says whose bit an xbit is.
type xbitTrack uint8

const (
	trackSrc xbitTrack = iota
	trackDst
	trackPair
	trackTx
)

type xbit struct {
	id     uint32
	cmd    bitCmd
	track  xbitTrack
	host   bool // hostbits: a name space of its own
	expire int64
}

func (x *xbit) match(w *Worker) bool {
	set := w.hasXbit(x)
	return set == (x.cmd == bitIsSet)
}

func (x *xbit) apply(w *Worker) { w.changeXbit(x) }

// DefaultXbitExpire is how long an xbit stays in seconds when the rule does not say.
const defaultXbitExpire = 30

func setXbits(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if len(items) < 2 {
		if o.Value == "noalert" {
			b.s.flag |= sigNoAlert
			return nil
		}
		return refuse(0, "", "needs a command, a name and track")
	}
	cmd, ok := parseBitCmd(items[0].Text)
	if !ok {
		return refuse(0, "use set, unset, toggle, isset or isnotset", "unknown command %s", quote(items[0].Text))
	}
	x := &xbit{id: b.c.shared.names.id(items[1].Text), cmd: cmd, expire: defaultXbitExpire}
	tracked := false
	for _, it := range items[2:] {
		word, arg := words(it.Text)
		switch word {
		case "track":
			tracked = true
			switch arg {
			case "ip_src":
				x.track = trackSrc
			case "ip_dst":
				x.track = trackDst
			case "ip_pair":
				x.track = trackPair
			case "tx":
				x.track = trackTx
			default:
				return refuse(it.Off, "use ip_src, ip_dst, ip_pair or tx", "unknown track %s", quote(arg))
			}
		case "expire":
			n, err := strconv.ParseUint(arg, 10, 31)
			if err != nil || n == 0 {
				return refuse(it.Off, "", "expire %s is not a number of seconds above 0", quote(arg))
			}
			x.expire = int64(n)
		default:
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
	}
	if items[1].Text == "" {
		return refuse(items[1].Off, "", "name of the bit is missing")
	}
	if !tracked {
		return refuse(0, "add track ip_src, ip_dst or ip_pair", "track is missing")
	}
	return b.addXbit(x)
}

func (b *builder) addXbit(x *xbit) error {
	if x.track == trackTx {
		if x.cmd == bitToggle {
			return refuse(0, "", "toggle does not go with track tx")
		}
		if b.hook.name == "" && (x.cmd == bitIsSet || x.cmd == bitIsNotSet) {
			return refuse(0, "name a hook in the header, such as http1:request_complete", "track tx needs a rule with a hook")
		}
	}
	if x.cmd == bitIsSet || x.cmd == bitIsNotSet {
		b.check(x, x.track != trackTx)
		return nil
	}
	b.after(x)
	return nil
}

func setHostbits(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if o.Value == "noalert" {
		b.s.flag |= sigNoAlert
		return nil
	}
	cmd, ok := parseBitCmd(items[0].Text)
	if !ok {
		return refuse(0, "use set, unset, toggle, isset or isnotset", "unknown command %s", quote(items[0].Text))
	}
	if len(items) < 2 || items[1].Text == "" {
		return refuse(0, "", "name of the bit is missing")
	}
	x := &xbit{id: b.c.shared.names.id(items[1].Text), cmd: cmd, host: true, expire: 300}
	for i, it := range items[2:] {
		if i > 0 {
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
		switch it.Text {
		case "src":
			x.track = trackSrc
		case "dst":
			x.track = trackDst
		default:
			return refuse(it.Off, "use src or dst", "unknown side %s", quote(it.Text))
		}
	}
	return b.addXbit(x)
}

// varCheck tests a captured variable for a content.
type varCheck struct {
	name string
	pat  rule.Content
	pkt  bool
}

func (k *varCheck) match(w *Worker) bool {
	vars := w.pktVars
	if !k.pkt {
		if w.p.Flow == nil {
			return false
		}
		vars = w.p.Flow.Vars()
	}
	for i := range vars {
		if vars[i].Name == k.name {
			return strings.Contains(string(vars[i].Value), string(k.pat.Bytes)) != k.pat.Negated
		}
	}
	return false
}

func (b *builder) varKeyword(o *rule.Option, pkt bool) error {
	name, rest, ok := strings.Cut(o.Value, ",")
	if !ok {
		return refuse(0, "", "needs a name and a value")
	}
	rest = strings.TrimSpace(rest)
	if !strings.Contains(rest, `"`) {
		rest = `"` + rest + `"`
	}
	c, err := parseContent(rest)
	if err != nil {
		return err
	}
	b.check(&varCheck{strings.TrimSpace(name), c, pkt}, false)
	return nil
}

func setFlowvar(b *builder, o *rule.Option) error { return b.varKeyword(o, false) }
func setPktvar(b *builder, o *rule.Option) error  { return b.varKeyword(o, true) }
