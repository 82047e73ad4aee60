package detect

import (
	"slices"

	"mirador/internal/proto"
	"mirador/internal/rule"
)

// builder compiles one rule. Keywords add to it in the order of the rule.
type builder struct {
	c *compiler
	r *rule.Rule
	s sig

	lists []bufList // lists[0] is the payload
	cur   int       // list that contents go to
	last  opRef     // the content that modifiers change
	// lastPos is the last content or pcre: what relative ops outside of a sticky
	// buffer go on from.
	lastPos opRef
	vars    []string // byte_extract and byte_math results, by index

	fast     opRef // content with fast_pattern
	chop     [2]int
	fastSeen bool
	fastIn   []int  // lists that have a fast_pattern
	early    string // hook pre_flow or pre_stream

	number     []txTest // Number, Custom and event conditions, in order
	files      []fileTest
	onlyDE     bool // all conditions are decode-event
	onlyPD     bool // all conditions are app-layer-protocol
	ipOK       bool // all conditions go with ip-only
	flowDir    uint8
	hook       hook
	dsize      *rule.Uint
	ipProtos   string    // operators of the ip_proto keywords so far
	flowSeen   bool      // keyword flow
	streams    bool      // "tcp-stream", flow:only_stream
	pktOnly    bool      // "tcp-pkt", flow:no_stream, dsize and other packet keywords
	base64     *base64Op // the last base64_decode
	base64List int
	base64Data int // list of base64_data, 0 for none
}

// bufList is the chain on one buffer while a rule is built.
type bufList struct {
	def    *bufDef
	absent absentMode
	ops    []op
	pend   []transform // transforms before the first op
	legacy bool        // from a content modifier such as http_uri
	opened bool        // named as sticky buffer
}

// opRef names an op while lists may still move.
type opRef struct{ list, op int }

func (b *builder) at(r opRef) *op { return &b.lists[r.list].ops[r.op] }

// hook is what follows the protocol in a rule header.
type hook struct {
	name string
	dir  proto.Dir
	at   []uint8
}

// start reads action and protocol.
func (b *builder) start() error {
	r := b.r
	b.s = sig{action: r.Action, dirs: bothDirs}
	b.last, b.fast, b.lastPos = opRef{-1, -1}, opRef{-1, -1}, opRef{-1, -1}
	b.onlyDE, b.onlyPD, b.ipOK = true, true, true
	b.lists = append(b.lists, bufList{def: b.c.buffer("payload", bufPayload)})
	switch r.Action {
	case rule.ActionPass:
		b.s.flag |= sigPass
	case rule.ActionConfig:
		b.s.flag |= sigNoAlert
	}
	if r.NoAlert {
		b.s.flag |= sigNoAlert
	}
	if r.Action == rule.ActionPass && !r.ForceAlert {
		b.s.flag |= sigNoAlert
	}
	return b.protocol()
}

// netProtos are the protocols of rule headers that are not application protocols.
type netProto struct {
	name  string
	nums  []uint8 // nil: every protocol
	ver   uint8
	flags sigFlag
	need  bool // stream only
}

func netProtos() []netProto {
	return []netProto{
		{name: "ip"}, {name: "ipv4", ver: 4}, {name: "ip4", ver: 4}, {name: "ipv6", ver: 6}, {name: "ip6", ver: 6},
		{name: "pkthdr", flags: sigInvalidOK},
		{name: "tcp", nums: []uint8{6}},
		{name: "tcp-pkt", nums: []uint8{6}, flags: sigNeedPacket | sigReal | sigPktOnly},
		{name: "tcp-stream", nums: []uint8{6}, flags: sigNeedStream, need: true},
		{name: "udp", nums: []uint8{17}},
		{name: "icmp", nums: []uint8{1, 58}}, {name: "icmpv4", nums: []uint8{1}, ver: 4},
		{name: "icmpv6", nums: []uint8{58}, ver: 6},
		{name: "sctp", nums: []uint8{132}},
	}
}

func (b *builder) protocol() error {
	name := b.r.Proto
	if n := b.c.nets[name]; n != nil {
		b.s.ipVer, b.s.flag = n.ver, b.s.flag|n.flags
		b.streams = n.need
		b.pktOnly = n.flags&sigPktOnly != 0
		if n.nums != nil {
			b.s.protos = b.c.ipSet(n.nums...)
		}
		return b.hookOf(n.nums)
	}
	set, ok := b.c.protoSet(name)
	if name == "ssl" || name == "ikev1" {
		ok = false // names of app-layer-protocol only
	}
	if !ok || set == 0 {
		return refuse(b.protoOffset(), "ip, tcp, udp, icmp and the like, or an application protocol as Suricata names it: http, tls, dns, smb", "unknown protocol %s", quote(name))
	}
	b.s.apps = set
	if own := b.c.appBits(name); own != 0 {
		set = own // the transports are those of the protocol itself: no UDP for doh2
	}
	var nums []uint8
	for i, p := range b.c.table.Rows() {
		if set&appBit(proto.ID(i+1)) == 0 {
			continue
		}
		if p.Transport&proto.TCP != 0 {
			nums = append(nums, 6)
		}
		if p.Transport&proto.UDP != 0 {
			nums = append(nums, 17)
		}
	}
	b.s.protos = b.c.ipSet(nums...)
	return b.hookOf(nil)
}

// protoOffset is the place of the protocol in the rule's text.
func (b *builder) protoOffset() int {
	t := b.r.Text
	i := 0
	for i < len(t) && t[i] != ' ' && t[i] != '\t' {
		i++
	}
	for i < len(t) && (t[i] == ' ' || t[i] == '\t') {
		i++
	}
	return i
}

// hookOf reads the hook of the header.
func (b *builder) hookOf(nums []uint8) error {
	h := b.r.Hook
	if h == "" {
		return nil
	}
	if b.s.apps == 0 {
		switch h {
		case "flow_start":
			b.s.flag |= sigFlowStart
			b.ipOK = false
			return nil
		case "all":
			b.ipOK = false
			return nil
		case "pre_flow", "pre_stream":
			b.ipOK, b.early = false, h
			return nil
		}
		return refuse(b.protoOffset(), "", "unknown hook %s", quote(h))
	}
	if b.r.Proto == "http" && !generalHook(h) {
		return refuse(b.protoOffset(), "write http1 or http2", "http has no hook %s", quote(h))
	}
	dir, at, ok := b.hookStates(h, 0)
	if !ok {
		return refuse(b.protoOffset(), "", "unknown hook %s of protocol %s", quote(h), quote(b.r.Proto))
	}
	b.hook = hook{h, dir, at}
	return nil
}

// neverAt is the progress of a hook in a protocol that does not have it.
const neverAt = 255

// hookStates finds the progress that hook or state name means in each protocol of the
// rule (DNS of its own and in HTTP/2), adds past to it, and makes it a condition.
func (b *builder) hookStates(name string, past uint8) (dir proto.Dir, at []uint8, ok bool) {
	rows := b.c.table.Rows()
	at = make([]uint8, len(rows)+1)
	for i := range at {
		at[i] = neverAt
	}
	for i, p := range rows {
		if b.s.apps&appBit(proto.ID(i+1)) == 0 {
			continue
		}
		if d, state, has := hookState(p, name); has && (!ok || d == dir) {
			dir, at[i+1], ok = d, state+past, true
		}
	}
	if ok {
		b.s.dirs &= dirBit(dir)
		b.number = append(b.number, txTest{kind: txHook, dir: dir, custom: &customTest{states: at}})
	}
	return dir, at, ok
}

// generalHook tells whether every protocol has hook h.
func generalHook(h string) bool {
	switch h {
	case "request_started", "response_started", "request_complete", "response_complete":
		return true
	}
	return false
}

// hookState finds the progress that a hook names.
func hookState(p *proto.Protocol, name string) (proto.Dir, uint8, bool) {
	for d, names := range p.States {
		if i := slices.Index(names, name); i >= 0 {
			return proto.Dir(d), uint8(i), true
		}
	}
	switch name {
	case "request_started":
		return proto.ToServer, 0, true
	case "response_started":
		return proto.ToClient, 0, true
	case "request_complete":
		return proto.ToServer, p.Done[proto.ToServer], true
	case "response_complete":
		return proto.ToClient, p.Done[proto.ToClient], true
	}
	return 0, 0, false
}

func (c *compiler) ipSet(nums ...uint8) *ipProtos {
	var s ipProtos
	for _, n := range nums {
		s.add(n)
	}
	return c.internIPs(s)
}

func (c *compiler) internIPs(s ipProtos) *ipProtos {
	if have := c.ipSets[s]; have != nil {
		return have
	}
	n := new(ipProtos)
	*n = s
	c.ipSets[s] = n
	return n
}

// header takes the resolved addresses and ports; nil stands for any.
func (b *builder) header(h rule.Header) {
	if !h.Src.All() {
		b.s.src = h.Src
	}
	if !h.Dst.All() {
		b.s.dst = h.Dst
	}
	if !h.SrcPort.All() {
		b.s.sp = h.SrcPort
	}
	if !h.DstPort.All() {
		b.s.dp = h.DstPort
	}
	if b.negated(b.r.Src.Text, 0) || b.negated(b.r.Dst.Text, 0) {
		b.s.flag |= sigNegatedAddr
	}
	if b.r.Dir == rule.DirTx {
		b.s.flag |= sigBothDirs
	}
}

// negated tells whether an address expression takes addresses away.
func (b *builder) negated(text string, depth int) bool {
	if depth > rule.MaxDepth {
		return false
	}
	e, err := rule.ParseExpr(text)
	if err != nil {
		return false
	}
	return b.negatedExpr(&e, depth)
}

func (b *builder) negatedExpr(e *rule.Expr, depth int) bool {
	if e.Negated {
		return true
	}
	if e.Kind == rule.ExprVar {
		return b.negated(b.c.opt.Vars.Addresses[e.Text], depth+1)
	}
	for i := range e.List {
		if b.negatedExpr(&e.List[i], depth) {
			return true
		}
	}
	return false
}

// option applies one keyword.
func (b *builder) option(k *keyword, o *rule.Option) error {
	switch {
	case k.arg == argNone && o.HasValue && o.Value != "":
		return refuse(0, "", "takes no value")
	case k.arg == argNeed && o.Value == "":
		return refuse(0, "", "needs a value")
	}
	return k.setup(b, o)
}

// sticky makes d the buffer that the following contents are for.
func (b *builder) sticky(d *bufDef) error {
	if err := b.leave(); err != nil {
		return err
	}
	b.lists = append(b.lists, bufList{def: d, opened: true})
	b.cur = len(b.lists) - 1
	return nil
}

// leave checks the buffer that is left: it must have got something to look for.
func (b *builder) leave() error {
	l := &b.lists[b.cur]
	if b.cur != 0 && l.opened && len(l.ops) == 0 && l.absent == absentNone {
		return refuse(0, "put a content or the like behind it", "buffer %s has nothing to look for", l.def.name)
	}
	return nil
}

// list returns the list that an op goes to, after the transforms of a sticky buffer
// have settled which buffer it is.
func (b *builder) list() int {
	l := &b.lists[b.cur]
	if b.cur == 0 || len(l.ops) > 0 || l.absent != absentNone {
		return b.cur
	}
	l.def = b.c.transformed(l.def, l.pend)
	l.pend = nil
	// A buffer with one value is one list however often it is named.
	if !l.def.multi {
		for i := range b.lists[:b.cur] {
			if i != 0 && b.lists[i].def == l.def {
				b.lists = b.lists[:len(b.lists)-1]
				b.cur = i
				return i
			}
		}
	}
	return b.cur
}

// add appends an op to the current list and returns its place.
func (b *builder) add(o op) opRef {
	i := b.list()
	b.lists[i].ops = append(b.lists[i].ops, o)
	return opRef{i, len(b.lists[i].ops) - 1}
}

// addRelative appends an op that has no buffer letter of its own: inside a sticky
// buffer it belongs there, else a relative one to the buffer of the last content.
func (b *builder) addRelative(o op) opRef {
	if b.cur == 0 && o.flag&flagRelative != 0 && b.lastPos.list > 0 {
		l := &b.lists[b.lastPos.list]
		l.ops = append(l.ops, o)
		return opRef{b.lastPos.list, len(l.ops) - 1}
	}
	return b.add(o)
}

// listFor returns the list of buffer d for a legacy modifier.
func (b *builder) listFor(d *bufDef) int {
	for i := range b.lists {
		if i != 0 && b.lists[i].def == d && len(b.lists[i].pend) == 0 {
			return i
		}
	}
	b.lists = append(b.lists, bufList{def: d, legacy: true})
	return len(b.lists) - 1
}

// varIndex returns the index of byte variable name, or -1.
func (b *builder) varIndex(name string) int8 {
	return int8(slices.Index(b.vars, name))
}

// newVar adds a byte variable.
func (b *builder) newVar(name string, at int) (int8, error) {
	if i := b.varIndex(name); i >= 0 {
		return i, nil
	}
	if len(b.vars) == maxByteVars {
		return 0, refuse(at, "", "rule has more than %d variables", maxByteVars)
	}
	b.vars = append(b.vars, name)
	b.c.vars = max(b.c.vars, len(b.vars))
	return int8(len(b.vars) - 1), nil
}

// check adds a condition on packet, flow or shared state. ipOK tells whether an
// ip-only rule may have it.
func (b *builder) check(k check, ipOK bool) {
	b.s.checks = append(b.s.checks, k)
	b.onlyDE, b.onlyPD = false, false
	b.ipOK = b.ipOK && ipOK
}

// packetCheck adds a condition on the packet itself: the rule then looks at packets
// only, not at streams and transactions.
func (b *builder) packetCheck(k check) {
	b.anyPacketCheck(k)
	b.pktOnly = true
}

// anyPacketCheck is packetCheck for conditions that go with streams and transactions,
// too.
func (b *builder) anyPacketCheck(k check) {
	b.check(k, false)
	b.s.flag |= sigReal
}

// after adds an action for when the rule has matched.
func (b *builder) after(a action) { b.s.post = append(b.s.post, a) }

// needApp narrows the rule to the protocols in set.
func (b *builder) needApp(set uint64, what string) error {
	if set == 0 {
		return refuse(0, "", "no protocol offers %s", quote(what))
	}
	if b.s.apps == 0 {
		b.s.apps = set
		if set&b.c.appBits("http") != 0 {
			// What HTTP/1 has, too, is HTTP's: not looked for in DNS over HTTP/2.
			b.s.apps &^= b.c.appBits("doh2")
		}
		return nil
	}
	if b.s.apps&set == 0 {
		return refuse(0, "", "%s does not belong to protocol %s", what, b.r.Proto)
	}
	// DNS over HTTP/2 is both; a rule for it says so in its header.
	if both := b.c.appBits("doh2"); b.s.apps&set == both && b.s.apps != both && set != both {
		return refuse(0, "write alert doh2", "%s does not belong to protocol %s", what, b.r.Proto)
	}
	// SMB carries files, plain DCE/RPC does not.
	if files := b.c.fileProtos(false); set&^files == 0 && b.s.apps&b.c.appBits("dcerpc") != 0 {
		return refuse(0, "", "%s does not belong to protocol dcerpc", what)
	}
	b.s.apps &= set
	return nil
}
