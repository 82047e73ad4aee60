package detect

import (
	"slices"
	"strings"

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
		if err := b.checkSize(l.ops, i == 0); err != nil {
			return err
		}
		markRetries(l.ops)
	}
	if err := b.consolidate(); err != nil {
		return err
	}
	if err := b.place(); err != nil {
		return err
	}
	if err := b.mixed(); err != nil {
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
	if l.def.kind == bufField && len(l.def.transforms) == 0 {
		for d := range l.def.fields {
			for _, f := range l.def.fields[d] {
				if f == nil {
					continue
				}
				if f.Validate != nil {
					if err := f.Validate([]byte(o.pat), o.flag&flagNocase != 0); err != nil {
						return refuse(0, "", "%v", err)
					}
				}
				switch f.Case {
				case proto.CaseLower:
					o.pat = strings.ToLower(o.pat)
				case proto.CaseUpper:
					o.pat = strings.ToUpper(o.pat)
				}
			}
		}
	}
	return nil
}

// checkSize refuses contents that need more bytes than the size of the buffer, or the
// dsize of the packet, allows.
func (b *builder) checkSize(ops []op, payload bool) error {
	need, end := uint64(0), uint64(0)
	for i := range ops {
		o := &ops[i]
		if o.kind != opContent || o.flag&flagVars != 0 {
			continue
		}
		n := uint64(len(o.pat))
		switch {
		case o.flag&flagNegated != 0: // does not move on
			if !payload {
				need = max(need, n+uint64(max(o.off, 0)))
			}
		case o.flag&flagRelative != 0:
			end += n + uint64(max(o.distance, 0))
		default:
			end = n + uint64(max(o.off, 0))
		}
		need = max(need, end)
	}
	for i := range ops {
		if ops[i].kind != opSize {
			continue
		}
		if _, most := ops[i].ext.(*rule.Uint).Bounds(^uint64(0)); need > most {
			return refuse(0, "", "contents that need %d bytes: that does not fit the buffer size asked for", need)
		}
	}
	if payload && b.dsize != nil {
		if _, most := b.dsize.Bounds(65535); need > most {
			return refuse(0, "", "contents that need %d bytes: that does not fit the dsize asked for", need)
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
			if f := l.def.anyField(); f != nil && f.OneWay && b.flowDir == 0 {
				return refuse(0, "add flow:to_server or flow:to_client", "%s needs a direction", l.def.name)
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
	if len(b.files) > 0 {
		if err := b.needApp(b.c.fileProtos(false), "a condition on files"); err != nil {
			return err
		}
	}
	if err := b.hookFits(); err != nil {
		return err
	}
	if b.flowDir != 0 {
		b.s.dirs &= b.flowDir
		if b.s.dirs == 0 {
			return refuse(0, "", "flow direction and hook contradict each other")
		}
	}
	if b.s.flag&sigBothDirs != 0 {
		return b.bothSides()
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
	if len(b.files) > 0 {
		want &= b.fileDirs()
		if want&b.s.dirs == 0 {
			return refuse(0, "", "there are no files in the direction of the rule")
		}
	}
	b.s.dirs &= want
	return nil
}

// bothSides checks a rule for both sides of a transaction: it has conditions on both,
// and none that could be meant for either.
func (b *builder) bothSides() error {
	if b.flowDir != 0 {
		return refuse(0, "leave the direction out of flow", "a rule with => looks at both directions")
	}
	var seen uint8
	look := func(name string, dirs uint8) error {
		if dirs == bothDirs {
			return refuse(0, "name a buffer that only one side has", "%s exists on both sides; a rule with => has to say which is meant", name)
		}
		seen |= dirs
		return nil
	}
	for i := range b.lists {
		if l := &b.lists[i]; (l.def.kind == bufField || l.def.kind == bufFile) && (len(l.ops) > 0 || l.absent != absentNone) {
			if err := look(l.def.name, b.dirsOf(l.def)); err != nil {
				return err
			}
		}
	}
	for i := range b.number {
		if d := b.number[i].def; d != nil {
			if err := look(d.name, b.dirsOf(d)); err != nil {
				return err
			}
		}
	}
	if len(b.files) > 0 {
		if err := look("a condition on files", b.fileDirs()); err != nil {
			return err
		}
	}
	if seen != bothDirs {
		return refuse(0, "write -> instead of =>", "a rule with => needs a buffer of each side")
	}
	return nil
}

// mixed refuses rules that look at packets and at transactions or the stream.
func (b *builder) mixed() error {
	s := &b.s
	for i := range s.pktBufs {
		if n := s.pktBufs[i].def.name; n != "ip.src" && n != "ip.dst" {
			b.pktOnly = true
		}
	}
	if !b.pktOnly && b.ipProtos == "" {
		return nil
	}
	if b.streams {
		return refuse(0, "", "looks at packets and at the stream only")
	}
	if b.hasTxBuffer() || len(b.files) > 0 || s.flag&sigFrames != 0 {
		return refuse(0, "take out the condition on packets, or the buffers of the protocol",
			"conditions on packets (dsize, flags, ttl and the like) do not go with buffers, events or files of a protocol")
	}
	return nil
}

// hookFits refuses buffers that are complete at another progress of the transaction than
// the rule's hook names.
func (b *builder) hookFits() error {
	if b.hook.name == "" {
		return nil
	}
	apps := b.s.apps
	if own := b.c.appBits(b.r.Proto); own != 0 {
		apps = own // DNS in HTTP/2 has states of HTTP/2
	}
	fits := func(d *bufDef) error {
		for id, row := range b.c.table.Rows() {
			if apps&appBit(proto.ID(id+1)) == 0 {
				continue
			}
			f := d.field(proto.ID(id+1), b.hook.dir)
			if f == nil || f.Kind == proto.Custom {
				continue
			}
			at := f.MinProgress[b.hook.dir]
			if row.States[b.hook.dir] == nil && row.Done[b.hook.dir] == 1 {
				at = 1 // complete with its first message
			}
			if at != b.hook.at[id+1] {
				return refuse(0, "", "%s is not of the state that the hook %s names", d.name, b.hook.name)
			}
		}
		return nil
	}
	for i := range b.lists {
		if l := &b.lists[i]; len(l.ops) > 0 || l.absent != absentNone {
			if err := fits(l.def); err != nil {
				return err
			}
		}
	}
	for i := range b.number {
		if d := b.number[i].def; d != nil {
			if err := fits(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// dirsOf returns the directions in which the rule's protocols have d.
func (b *builder) dirsOf(d *bufDef) uint8 {
	if d.kind == bufFile {
		return b.fileDirs()
	}
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

// fileDirs returns the directions in which the rule's protocols carry files.
func (b *builder) fileDirs() (dirs uint8) {
	for id, p := range b.c.table.Rows() {
		if b.s.apps != 0 && b.s.apps&appBit(proto.ID(id+1)) == 0 {
			continue
		}
		if p.Files&proto.DirServer != 0 {
			dirs |= dirBit(proto.ToServer)
		}
		if p.Files&proto.DirClient != 0 {
			dirs |= dirBit(proto.ToClient)
		}
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
		if len(s.payload) > 0 {
			return refuse(0, "", "contents of the payload and of frames do not go together")
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
			if s.tx[dir] = b.txTests(dir); len(s.tx[dir]) > maxTxTests {
				return refuse(0, "put several conditions on one buffer", "more than %d buffers and conditions on one side", maxTxTests)
			}
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
			return int(slices.Min(t.custom.states))
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
	if s.kind == kindPacket && (b.early == "pre_stream" || b.early == "pre_flow" && s.flag&(sigNeedFlow|sigEstablished|sigNotEstablished) == 0) {
		// Suricata looks at the packet before it has a flow, or a stream, and once more
		// with the other rules.
		s.flag |= sigTwice
	}
	if s.kind == kindStream || s.kind == kindPacketStream {
		// The stream has no first packet: the hook means nothing for contents of it.
		s.flag &^= sigFlowStart
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
	return s.dirs == bothDirs && b.flowDir == 0
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
