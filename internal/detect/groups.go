package detect

import (
	"slices"

	"mirador/internal/mpm"
	"mirador/internal/packet"
	"mirador/internal/proto"
	"mirador/internal/rule"
)

// groups are the rules sorted by when and on what they are looked at. All numbers in
// them are sig.num, in rising order.
type groups struct {
	ipOnly    ipIndex
	payload   [classCount][2]payloadGroup
	pktBufs   []bufGroup // packet sticky buffers
	decode    map[packet.Event][]uint32
	stream    [][]uint32 // by stream event
	conn      [][]uint32 // by flow-level application event
	protoOnly []uint32   // protocol detection only
	tx        [2][]txGroup
	byProto   [2][]protoGroup // by proto.ID
	frames    [2][]bufGroup
	frameAny  [2][]uint32 // frame rules without fast pattern
	frameUse  bool
}

// payloadGroup are the rules for packets of one class and direction.
type payloadGroup struct {
	packet, stream portMatchers
	plain          portLists
}

// portMatchers is a matcher for all ports and one more for ports that rules name. A
// port's class is shared by packet, stream and plain rules.
type portMatchers struct {
	any   *mpm.Matcher
	ports *portClasses
	spec  []*mpm.Matcher // by class; nil where there is none
}

// portLists is the same for rules without a pattern.
type portLists struct {
	any   []plainRule
	ports *portClasses
	spec  [][]plainRule
}

// plainRule is a rule that is looked at for every packet that has what it needs.
type plainRule struct {
	num  uint32
	need packetMask
}

// packetMask says what a packet has and what a rule needs at least.
type packetMask uint16

const (
	hasFlow packetMask = 1 << iota
	hasPayload
	hasStream
	isReal
	isNew // the first of its direction, where it is a pseudo packet at the end of a flow
	isEstablished
	isNotEstablished
	hasApp
	hasAppAny
	isFirst
	hasFlag     // SYN, FIN or RST
	hasRareFlag // URG, ECE or CWR
	hasStreamEvents
)

// portClasses sorts ports into classes of ports that the same rules name; class 0 are
// those that none names.
type portClasses struct {
	class  [65536]uint16
	ranges int
}

// wideRange is the number of ports from which a rule counts as one for all ports.
const wideRange = 16384

// bufGroup is the matcher for one buffer in one direction.
type bufGroup struct {
	def     *bufDef
	matcher *mpm.Matcher
	rules   int
}

// txGroup is the matcher for one buffer of transactions.
type txGroup = bufGroup

// protoGroup is what is looked at in transactions of one protocol and direction.
type protoGroup struct {
	groups []protoStep // in order of progress
	plain  []plainTx   // rules without pattern
	events []eventRule
	any    bool // there is something to look at
}

type protoStep struct {
	group *txGroup
	min   uint8
	grows bool
	// late is set in a second step of a buffer that may change (Field.Again).
	late *proto.Field
}

// plainTx is a rule without fast pattern; it is looked at when the transaction has
// come to trigger.
type plainTx struct {
	num     uint32
	trigger uint8
	grows   bool
}

type eventRule struct {
	event int16
	num   uint32
}

// buildGroups sorts the rules of e into groups.
func (c *compiler) buildGroups(e *Engine) {
	g := &e.groups
	b := &groupBuilder{c: c, e: e, g: g}
	g.decode = map[packet.Event][]uint32{}
	g.stream = make([][]uint32, len(c.opt.StreamEvents))
	g.conn = make([][]uint32, len(proto.ConnEvents))
	for d := range 2 {
		g.byProto[d] = make([]protoGroup, len(c.table.Rows())+1)
	}
	for _, s := range e.sigs {
		b.add(s)
	}
	b.finishPayload()
	b.finishTx()
	g.ipOnly.build(e)
}

type groupBuilder struct {
	c *compiler
	e *Engine
	g *groups

	pay    [classCount][2][3][]*sig // packet, stream, plain
	pkt    map[*bufDef][]*sig
	txPat  [2]map[*bufDef][]*sig
	frames [2]map[*bufDef][]*sig
}

func (b *groupBuilder) add(s *sig) {
	g := b.g
	switch s.kind {
	case kindIPOnly:
		g.ipOnly.rules = append(g.ipOnly.rules, s.num)
		return
	case kindProtoDetect:
		g.protoOnly = append(g.protoOnly, s.num)
		return
	case kindTx:
		if s.flag&sigFrames != 0 {
			b.addFrame(s)
			return
		}
		b.addTx(s)
		return
	}
	for _, k := range s.checks {
		switch k := k.(type) {
		case *decodeEventCheck:
			g.decode[k.ev] = append(g.decode[k.ev], s.num)
			return
		case *streamEventCheck:
			g.stream[k.ev] = append(g.stream[k.ev], s.num)
			return
		case *connEventCheck:
			g.conn[k.ev] = append(g.conn[k.ev], s.num)
			return
		}
	}
	if s.fastBuf != nil && s.fastBuf.kind == bufPacket {
		if b.pkt == nil {
			b.pkt = map[*bufDef][]*sig{}
		}
		b.pkt[s.fastBuf] = append(b.pkt[s.fastBuf], s)
		return
	}
	for class := range classCount {
		if !s.forClass(class) {
			continue
		}
		for dir := range 2 {
			if s.dirs&(1<<dir) == 0 {
				continue
			}
			to := &b.pay[class][dir]
			if s.fastBuf == nil {
				to[2] = append(to[2], s)
				continue
			}
			if s.flag&sigNeedPacket != 0 {
				to[0] = append(to[0], s)
			}
			if s.flag&sigNeedStream != 0 {
				to[1] = append(to[1], s)
			}
		}
	}
}

// forClass tells whether packets of class can match s.
func (s *sig) forClass(class protoClass) bool {
	if s.protos == nil {
		return true
	}
	switch class {
	case classTCP:
		return s.protos.has(6)
	case classUDP:
		return s.protos.has(17)
	case classICMP:
		return s.protos.has(1) || s.protos.has(58)
	case classSCTP:
		return s.protos.has(132)
	}
	rest := *s.protos
	for _, p := range [...]uint8{1, 6, 17, 58, 132} {
		rest[p>>6] &^= 1 << (p & 63)
	}
	return rest != ipProtos{}
}

// keyPort is the port by which rules are grouped: the server's side.
func (s *sig) keyPort(dir int) *rule.PortSet {
	p := s.dp
	if dir == int(proto.ToClient) {
		p = s.sp
	}
	if p != nil && p.Len() >= wideRange {
		return nil
	}
	return p
}

func (b *groupBuilder) finishPayload() {
	for class := range classCount {
		for dir := range 2 {
			lists := &b.pay[class][dir]
			pg := &b.g.payload[class][dir]
			classes, byClass := classify(lists, dir)
			names := [...]string{"packet", "stream"}
			for i, to := range [...]*portMatchers{&pg.packet, &pg.stream} {
				to.ports = classes
				to.any = b.matcher(b.c.byLabel["payload"], names[i], dir, onlyAny(lists[i], dir))
				if classes == nil {
					continue
				}
				to.spec = make([]*mpm.Matcher, classes.ranges)
				for c := 1; c < classes.ranges; c++ {
					to.spec[c] = b.matcher(b.c.byLabel["payload"], names[i], dir, byClass(lists[i], c))
				}
			}
			pg.plain.ports = classes
			pg.plain.any = plainRules(onlyAny(lists[2], dir))
			if classes != nil {
				pg.plain.spec = make([][]plainRule, classes.ranges)
				for c := 1; c < classes.ranges; c++ {
					pg.plain.spec[c] = plainRules(byClass(lists[2], c))
				}
			}
		}
	}
	for _, s := range b.e.sigs {
		d := s.fastBuf
		if d == nil || d.kind != bufPacket || b.pkt[d] == nil {
			continue
		}
		b.g.pktBufs = append(b.g.pktBufs, bufGroup{d, b.matcher(d, "", 0, b.pkt[d]), len(b.pkt[d])})
		b.pkt[d] = nil
	}
}

func onlyAny(list []*sig, dir int) []*sig {
	var out []*sig
	for _, s := range list {
		if s.keyPort(dir) == nil {
			out = append(out, s)
		}
	}
	return out
}

// classify finds the classes of ports: ports that lie in the same port sets. byClass
// returns the rules of a list that name the ports of a class.
func classify(lists *[3][]*sig, dir int) (*portClasses, func([]*sig, int) []*sig) {
	var sets []*rule.PortSet
	index := map[*rule.PortSet]int{}
	for _, l := range lists {
		for _, s := range l {
			if p := s.keyPort(dir); p != nil {
				if _, ok := index[p]; !ok {
					index[p] = len(sets)
					sets = append(sets, p)
				}
			}
		}
	}
	if len(sets) == 0 {
		return nil, nil
	}
	pc := &portClasses{ranges: 1}
	// Refine by one set after the other.
	var ranges []rule.PortRange
	for _, set := range sets {
		moved := map[uint16]uint16{}
		ranges = set.AppendRanges(ranges[:0])
		for _, r := range ranges {
			for p := int(r.Lo); p <= int(r.Hi); p++ {
				old := pc.class[p]
				to, ok := moved[old]
				if !ok {
					to = uint16(pc.ranges)
					pc.ranges++
					moved[old] = to
				}
				pc.class[p] = to
			}
		}
	}
	example := make([]int, pc.ranges)
	for i := range example {
		example[i] = -1
	}
	for p := 65535; p >= 0; p-- {
		example[pc.class[p]] = p
	}
	byClass := func(list []*sig, class int) []*sig {
		var out []*sig
		if example[class] < 0 {
			return nil
		}
		for _, s := range list {
			if set := s.keyPort(dir); set != nil && set.Contains(uint16(example[class])) {
				out = append(out, s)
			}
		}
		return out
	}
	return pc, byClass
}

func plainRules(list []*sig) []plainRule {
	out := make([]plainRule, 0, len(list))
	for _, s := range list {
		out = append(out, plainRule{s.num, s.mask()})
	}
	return out
}

// mask is what a packet needs at least for s.
func (s *sig) mask() (m packetMask) {
	f := s.flag
	if f&sigNeedFlow != 0 || s.dirs&dirBit(proto.ToServer) == 0 {
		m |= hasFlow
	}
	if f&sigEstablished != 0 {
		m |= isEstablished
	}
	if f&sigNotEstablished != 0 {
		m |= isNotEstablished
	}
	// As for Suricata, rules for a protocol that ask for nothing else see the pseudo
	// packets at the end of a flow, too.
	bare := s.kind == kindAppLayer && len(s.checks) == 0 && f&(sigEstablished|sigNotEstablished) == 0
	switch {
	case f&sigReal != 0:
		m |= isReal
	case len(s.payload)+len(s.pktBufs) > 0:
	case bare:
		m |= isNew
	default:
		m |= isReal
	}
	if f&sigFlowStart != 0 {
		m |= isFirst
	}
	if s.apps != 0 {
		m |= hasAppAny
	}
	for _, k := range s.checks {
		if fc, ok := k.(*flagsCheck); ok {
			// Whatever the modifier, as for Suricata.
			if fc.bits&(packet.SYN|packet.FIN|packet.RST) != 0 {
				m |= hasFlag
			}
			if fc.bits&(packet.URG|packet.ECE|packet.CWR) != 0 {
				m |= hasRareFlag
			}
		}
	}
	if len(s.payload) > 0 {
		m |= hasPayload
	}
	return m
}

// matcher builds the matcher for the fast patterns of list.
func (b *groupBuilder) matcher(d *bufDef, what string, dir int, list []*sig) *mpm.Matcher {
	if len(list) == 0 {
		return nil
	}
	var mb mpm.Builder
	for _, s := range list {
		p := mpm.Pattern{Bytes: []byte(s.fastPat), NoCase: s.fastNo, ID: s.num}
		p.Offset, p.End = s.fastOff, s.fastEnd
		if !mb.Add(p) {
			// Cannot be: the compile refuses what the matcher does. Without the
			// limits it is always taken.
			p.Offset, p.End = 0, 0
			mb.Add(p)
		}
	}
	m := mb.Build()
	dirs := [...]string{"toserver", "toclient"}
	name := d.label
	if what != "" {
		name += "/" + what
	}
	b.c.report.Groups = append(b.c.report.Groups, GroupReport{name, dirs[dir], m.Len(), len(list), m.Memory()})
	b.c.report.Patterns += m.Len()
	b.c.report.Memory += m.Memory()
	return m
}

func (b *groupBuilder) addTx(s *sig) {
	for dir := range 2 {
		if len(s.tx[dir]) == 0 {
			continue
		}
		if s.fastBuf != nil && s.fastDirs(dir) {
			if b.txPat[dir] == nil {
				b.txPat[dir] = map[*bufDef][]*sig{}
			}
			b.txPat[dir][s.fastBuf] = append(b.txPat[dir][s.fastBuf], s)
			continue
		}
		if s.fastBuf != nil && s.flag&sigBothDirs != 0 {
			continue // its pattern is on the other side
		}
		b.plainTx(s, proto.Dir(dir))
	}
}

// fastDirs tells whether the fast pattern is looked for in direction dir.
func (s *sig) fastDirs(dir int) bool {
	for i := range s.tx[dir] {
		if s.tx[dir][i].def == s.fastBuf {
			return true
		}
	}
	return false
}

// plainTx files a rule without fast pattern: under its events when it has some, else
// under the progress at which it can match.
func (b *groupBuilder) plainTx(s *sig, dir proto.Dir) {
	for id := 1; id <= len(b.c.table.Rows()); id++ {
		if s.apps != 0 && s.apps&appBit(proto.ID(id)) == 0 {
			continue
		}
		pg := &b.g.byProto[dir][id]
		if ev, ok := s.firstEvent(dir, id); ok {
			if ev >= 0 {
				pg.events = append(pg.events, eventRule{ev, s.num})
				pg.any = true
			}
			continue
		}
		trigger, grows, ok := s.trigger(proto.ID(id), dir)
		if !ok {
			continue
		}
		pg.plain = append(pg.plain, plainTx{s.num, trigger, grows})
		pg.any = true
	}
}

func (s *sig) firstEvent(dir proto.Dir, id int) (int16, bool) {
	for i := range s.tx[dir] {
		if t := &s.tx[dir][i]; t.kind == txEvent {
			return t.custom.events[id], true
		}
	}
	return 0, false
}

// trigger is the progress at which all conditions of s can be looked at; with buffers
// that grow it is the first of theirs, because their windows come one by one.
func (s *sig) trigger(id proto.ID, dir proto.Dir) (at uint8, grows, ok bool) {
	first := uint8(255)
	for i := range s.tx[dir] {
		t := &s.tx[dir][i]
		p := uint8(0)
		switch t.kind {
		case txHook:
			p = t.custom.states[id]
		case txBuffer, txNumber, txCustom:
			f := t.def.field(id, dir)
			if f == nil && t.def.kind != bufFile {
				return 0, false, false
			}
			p = t.def.minProgress(id, dir)
			if t.def.grows(id, dir) {
				grows = true
				first = min(first, p)
			}
		case txFile, txStream:
			grows = true
			first = 0
		}
		at = max(at, p)
	}
	if grows {
		at = min(at, first)
	}
	return at, grows, true
}

func (b *groupBuilder) finishTx() {
	g := b.g
	for dir := range 2 {
		// In the order of the rules, so that the report does not change.
		for _, s := range b.e.sigs {
			d := s.fastBuf
			list := b.txPat[dir][d]
			if d == nil || list == nil {
				continue
			}
			delete(b.txPat[dir], d)
			g.tx[dir] = append(g.tx[dir], txGroup{d, b.matcher(d, "", dir, list), len(list)})
		}
		for i := range g.tx[dir] {
			b.fileTxGroup(&g.tx[dir][i], proto.Dir(dir))
		}
		for id := range g.byProto[dir] {
			pg := &g.byProto[dir][id]
			slices.SortStableFunc(pg.groups, func(a, z protoStep) int { return int(a.min) - int(z.min) })
		}
		for _, s := range b.e.sigs {
			d := s.fastBuf
			list := b.frames[dir][d]
			if d == nil || list == nil {
				continue
			}
			delete(b.frames[dir], d)
			g.frames[dir] = append(g.frames[dir], bufGroup{d, b.matcher(d, "", dir, list), len(list)})
		}
	}
}

// fileTxGroup adds a group to the protocols that have its buffer.
func (b *groupBuilder) fileTxGroup(t *txGroup, dir proto.Dir) {
	for id := 1; id <= len(b.c.table.Rows()); id++ {
		f := t.def.field(proto.ID(id), dir)
		if f == nil && t.def.kind != bufFile {
			continue
		}
		pg := &b.g.byProto[dir][id]
		pg.groups = append(pg.groups, protoStep{t, t.def.minProgress(proto.ID(id), dir), t.def.grows(proto.ID(id), dir), nil})
		if f != nil && f.Again[dir] > 0 && f.Changed != nil {
			pg.groups = append(pg.groups, protoStep{t, f.Again[dir], false, f})
		}
		pg.any = true
	}
}

func (b *groupBuilder) addFrame(s *sig) {
	b.g.frameUse = true
	for dir := range 2 {
		if s.dirs&(1<<dir) == 0 {
			continue
		}
		if s.fastBuf == nil || s.fastBuf.kind != bufFrame {
			b.g.frameAny[dir] = append(b.g.frameAny[dir], s.num)
			continue
		}
		if b.frames[dir] == nil {
			b.frames[dir] = map[*bufDef][]*sig{}
		}
		b.frames[dir][s.fastBuf] = append(b.frames[dir][s.fastBuf], s)
	}
}
