package detect

import (
	"slices"

	"mirador/internal/proto"
	"mirador/internal/rule"
)

// end checks the rule as a whole, sorts it into its kind and picks its fast pattern.
func (b *builder) end() error {
	if err := b.leave(); err != nil {
		return err
	}
	b.closeBase64()
	for i := range b.lists {
		l := &b.lists[i]
		if l.absent == absentOr && len(l.ops) == 0 {
			return refuse(0, "", "absent:or_else needs something behind it")
		}
		for j := range l.ops {
			if err := b.checkOp(l, &l.ops[j]); err != nil {
				return err
			}
		}
		markRetries(l.ops)
	}
	if err := b.consolidate(); err != nil {
		return err
	}
	if err := b.place(); err != nil {
		return err
	}
	b.classify()
	if err := b.pickFast(); err != nil {
		return err
	}
	return b.describe()
}

// checkOp refuses contents that can never match.
func (b *builder) checkOp(l *bufList, o *op) error {
	if o.kind != opContent {
		return nil
	}
	if o.flag&flagDepth != 0 && o.flag&flagVars == 0 && int(o.depth) < len(o.pat) {
		return refuse(0, "", "depth %d is smaller than the content of %d bytes", o.depth, len(o.pat))
	}
	if o.flag&flagWithin != 0 && o.flag&flagVars == 0 && int(o.within) < len(o.pat) {
		return refuse(0, "", "within %d is smaller than the content of %d bytes", o.within, len(o.pat))
	}
	if o.flag&flagNegated == 0 && o.flag&flagVars == 0 {
		for i := range l.ops {
			if l.ops[i].kind != opSize {
				continue
			}
			_, most := l.ops[i].ext.(*rule.Uint).Bounds(^uint64(0))
			if need := uint64(len(o.pat)) + uint64(max(o.off, 0)); need > most {
				return refuse(0, "", "content of %d bytes does not fit the buffer size asked for", len(o.pat))
			}
		}
	}
	if l.def.kind == bufField && len(l.def.transforms) == 0 {
		for d := range l.def.fields {
			for _, f := range l.def.fields[d] {
				if f != nil && f.Validate != nil {
					if err := f.Validate([]byte(o.pat), o.flag&flagNocase != 0); err != nil {
						return refuse(0, "", "%v", err)
					}
				}
			}
		}
	}
	return nil
}

// consolidate narrows protocols and directions to those that all buffers have.
func (b *builder) consolidate() error {
	for i := range b.lists {
		l := &b.lists[i]
		if (l.def.kind == bufField || l.def.kind == bufFile) && (len(l.ops) > 0 || l.absent != absentNone) {
			if err := b.needApp(l.def.protos, l.def.name); err != nil {
				return err
			}
		}
	}
	for i := range b.number {
		if d := b.number[i].def; d != nil {
			if err := b.needApp(d.protos, d.name); err != nil {
				return err
			}
		}
	}
	if b.flowDir != 0 {
		b.s.dirs &= b.flowDir
		if b.s.dirs == 0 {
			return refuse(0, "", "flow direction and hook contradict each other")
		}
	}
	if b.s.flag&sigBothDirs != 0 {
		return nil
	}
	want := uint8(bothDirs)
	narrow := func(d *bufDef) error {
		dirs := b.dirsOf(d)
		if want&dirs == 0 || b.s.dirs&want&dirs == 0 {
			return refuse(0, "use => as direction of a rule for both sides of a transaction",
				"%s is not in the direction of the rule or of its other buffers", d.name)
		}
		want &= dirs
		return nil
	}
	for i := range b.lists {
		if l := &b.lists[i]; len(l.ops) > 0 || l.absent != absentNone {
			if err := narrow(l.def); err != nil {
				return err
			}
		}
	}
	for i := range b.number {
		if d := b.number[i].def; d != nil {
			if err := narrow(d); err != nil {
				return err
			}
		}
	}
	b.s.dirs &= want
	return nil
}

// dirsOf returns the directions in which the rule's protocols have d.
func (b *builder) dirsOf(d *bufDef) uint8 {
	if d.kind != bufField {
		return d.dirs
	}
	var dirs uint8
	for id := range b.c.table.Rows() {
		if b.s.apps != 0 && b.s.apps&appBit(proto.ID(id+1)) == 0 {
			continue
		}
		for _, dir := range [...]proto.Dir{proto.ToServer, proto.ToClient} {
			if d.field(proto.ID(id+1), dir) != nil {
				dirs |= dirBit(dir)
			}
		}
	}
	if dirs == 0 {
		return d.dirs
	}
	return dirs
}

// place puts the lists where the inspection finds them.
func (b *builder) place() error {
	s := &b.s
	hasTx := len(b.number) > 0 || len(b.files) > 0
	for i := range b.lists {
		l := &b.lists[i]
		if len(l.ops) == 0 && l.absent == absentNone {
			continue
		}
		switch l.def.kind {
		case bufField, bufFile:
			hasTx = true
		case bufFrame:
			s.flag |= sigFrames
			s.frames = append(s.frames, bufTest{l.def, l.ops})
		case bufPacket:
			s.pktBufs = append(s.pktBufs, bufTest{l.def, l.ops})
			s.flag |= sigReal
			b.onlyDE, b.onlyPD, b.ipOK = false, false, false
		case bufPayload:
			s.payload = l.ops
			b.onlyDE, b.onlyPD, b.ipOK = false, false, false
		}
	}
	if s.flag&sigFrames != 0 {
		if hasTx {
			return refuse(0, "", "frames and transaction buffers in one rule are not supported")
		}
		b.onlyDE, b.onlyPD, b.ipOK = false, false, false
		return nil
	}
	if !hasTx {
		return nil
	}
	s.kind = kindTx
	if b.r.Dir != rule.DirTx {
		s.flag &^= sigBothDirs
	}
	for _, dir := range [...]proto.Dir{proto.ToServer, proto.ToClient} {
		if s.dirs&dirBit(dir) != 0 || s.flag&sigBothDirs != 0 {
			s.tx[dir] = b.txTests(dir)
		}
	}
	return nil
}

// txTests returns the conditions on a transaction in direction dir, cheap ones
// first, those that need later progress last.
func (b *builder) txTests(dir proto.Dir) []txTest {
	var tests []txTest
	both := b.s.flag&sigBothDirs != 0
	use := func(d *bufDef) bool {
		// In a rule for both sides each buffer is looked at once: on the side it
		// exists on, the request when it exists on both.
		dirs := b.dirsOf(d)
		if !both {
			return true
		}
		if dirs == bothDirs {
			return dir == proto.ToServer
		}
		return dirs&dirBit(dir) != 0
	}
	for _, t := range b.number {
		switch {
		case t.kind == txHook:
			if t.dir == dir {
				tests = append(tests, t)
			}
		case t.kind == txEvent:
			if !both || dir == proto.ToServer {
				t.dir = dir
				tests = append(tests, t)
			}
		case use(t.def):
			t.dir = dir
			tests = append(tests, t)
		}
	}
	for i := range b.lists {
		l := &b.lists[i]
		if (l.def.kind == bufField || l.def.kind == bufFile) && (len(l.ops) > 0 || l.absent != absentNone) && use(l.def) {
			tests = append(tests, txTest{kind: txBuffer, dir: dir, def: l.def, ops: l.ops, absent: l.absent})
			if l.def.kind == bufFile {
				b.s.flag |= sigFiles
			}
		}
	}
	if len(b.files) > 0 {
		tests = append(tests, txTest{kind: txFile, dir: dir, file: b.files})
		b.s.flag |= sigFiles
	}
	if len(b.s.payload) > 0 && (!both || dir == proto.ToServer) {
		tests = append(tests, txTest{kind: txStream, dir: dir})
		b.s.flag |= sigStreamInTx
	}
	if len(tests) > maxTxTests {
		tests = tests[:maxTxTests]
	}
	sortTests(tests, b)
	return tests
}

// maxTxTests bounds the conditions of one rule on one side: they are kept as bits.
const maxTxTests = 32

// sortTests brings tests of lower progress first; the order is otherwise kept.
func sortTests(tests []txTest, b *builder) {
	rank := func(t *txTest) int {
		switch t.kind {
		case txStream:
			return 1 << 16
		case txHook:
			return int(t.hookAt)
		}
		if t.def == nil {
			return 0
		}
		most := 0
		for id := range b.c.table.Rows() {
			if b.s.apps == 0 || b.s.apps&appBit(proto.ID(id+1)) != 0 {
				p := int(t.def.minProgress(proto.ID(id+1), t.dir)) * 2
				if t.def.grows(proto.ID(id+1), t.dir) {
					p++
				}
				most = max(most, p)
			}
		}
		return most
	}
	for i := 1; i < len(tests); i++ {
		for j := i; j > 0 && rank(&tests[j]) < rank(&tests[j-1]); j-- {
			tests[j], tests[j-1] = tests[j-1], tests[j]
		}
	}
}

// classify sorts the rule into its kind. Suricata 8 rules/rule-types.
func (b *builder) classify() {
	s := &b.s
	hasDE := s.flag&sigNeedEvent != 0
	switch {
	case s.kind == kindTx || s.flag&sigFrames != 0:
		s.kind = kindTx
		if len(s.payload) > 0 {
			b.payloadKind()
		}
	case len(s.payload) > 0:
		s.kind = b.payloadKind()
	case hasDE && b.onlyDE:
		s.kind = kindDecodeEvent
	case b.r.Hook != "":
		s.kind = kindPacket
	case s.notApps != 0 || b.pdSeen():
		s.kind = kindPacket
		if b.onlyPD {
			s.kind = kindProtoDetect
		}
	case s.apps != 0:
		s.kind = kindAppLayer
		if len(s.checks) > 0 && !b.ipOK {
			s.kind = kindPacket
		}
	case b.ipOK && b.ipOnlyHeader():
		s.kind = kindIPOnly
		if s.flag&sigNegatedAddr != 0 {
			s.kind = kindLikeIPOnly
		}
	default:
		s.kind = kindPacket
	}
	if s.kind == kindPacket && b.pktOnly {
		s.flag |= sigNeedPacket
	}
	switch s.kind {
	case kindIPOnly, kindLikeIPOnly, kindProtoDetect, kindAppLayer, kindTx, kindStream, kindPacketStream:
		s.flag |= sigFlowAction
	}
}

// pdSeen tells whether the rule has app-layer-protocol.
func (b *builder) pdSeen() bool {
	for _, k := range b.s.checks {
		if _, ok := k.(*appProtoCheck); ok {
			return true
		}
	}
	return false
}

// ipOnlyHeader tells whether the header permits ip-only. Ports do not forbid it
// (Suricata 8 engine analysis; Suricata 7 was stricter).
func (b *builder) ipOnlyHeader() bool {
	s := &b.s
	if s.flag&(sigInvalidOK|sigPktOnly|sigNeedStream) != 0 || s.dirs != bothDirs || b.flowDir != 0 {
		return false
	}
	return !b.streams && !b.pktOnly
}

// payloadKind decides whether contents look at packets, at the stream or at both. A
// content with a fixed place may be meant for either.
func (b *builder) payloadKind() sigKind {
	s := &b.s
	tcp := s.protos == nil || s.protos.has(6)
	switch {
	case !tcp || b.pktOnly:
		s.flag |= sigNeedPacket
		return kindPacket
	case b.streams:
		s.flag |= sigNeedStream
		return kindStream
	}
	s.flag |= sigNeedStream
	for i := range s.payload {
		if o := &s.payload[i]; o.kind == opContent && o.flag&(flagDepth|flagOffset) != 0 {
			s.flag |= sigNeedPacket
			return kindPacketStream
		}
	}
	return kindStream
}

// describe makes what alerts show.
func (b *builder) describe() error {
	r := &Rule{Rule: b.r, Type: kindNames[b.s.kind]}
	var known bool
	r.Category, r.Severity, known = b.c.opt.Classes.Of(b.r)
	if !known {
		if err := b.lesser("classtype", "classtype "+quote(b.r.Classtype)+" is not in classification.config"); err != nil {
			return err
		}
	}
	for _, ref := range b.r.References {
		url, ok := b.c.opt.References.URL(ref)
		if !ok {
			if err := b.lesser("reference", "reference kind "+quote(ref.Key)+" is not in reference.config"); err != nil {
				return err
			}
			continue
		}
		r.Refs = append(r.Refs, url)
	}
	b.s.rule = r
	return nil
}

// lesser is a fault that costs the rule only when the keyword is named in
// Options.Strict.
func (b *builder) lesser(keyword, what string) error {
	if b.c.strict(keyword) {
		return refuse(0, "", "%s", what)
	}
	b.c.warn(b.r.Problem(0, rule.KindMeta, what, ""))
	return nil
}

func (c *compiler) strict(keyword string) bool {
	return slices.Contains(c.opt.Strict, keyword) || slices.Contains(c.opt.Strict, "all")
}
