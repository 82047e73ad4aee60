package detect

import (
	"cmp"
	"errors"
	"slices"

	"mirador/internal/proto"
	"mirador/internal/rule"
)

// compiler holds what is shared between the rules of one Compile.
type compiler struct {
	opt      Options
	table    *proto.Table
	shared   *Shared
	resolver *rule.Resolver
	words    map[string]*keyword
	nets     map[string]*netProto
	bufs     []*bufDef
	byLabel  map[string]*bufDef
	report   *Report
	sigs     []*sig
	rules    []*Rule
	ipSets   map[ipProtos]*ipProtos
	vars     int
	needs    needs
	files    map[string]*hashList
	frames   map[string]uint64 // types of frames that rules name, with their protocols
	seen     map[uint64]*rule.Rule
}

// Compile makes an engine of rules. A rule that cannot be used is a Problem in the
// Report and never hides a good one; Compile itself does not fail. Rules with
// Disabled set are counted only. It keeps the rules. Cost: linear in the rules and
// their patterns.
func Compile(rules []*rule.Rule, o Options) (*Engine, *Report) {
	c := newCompiler(o)
	for _, r := range rules {
		c.add(r)
	}
	return c.finish()
}

func newCompiler(o Options) *compiler {
	if o.Table == nil {
		o.Table, _ = proto.NewTable(nil, nil)
	}
	if o.Vars.Addresses == nil && o.Vars.Ports == nil {
		o.Vars = rule.DefaultVars()
	}
	if o.Version == (rule.Version{}) {
		o.Version = rule.Version{8, 0, 7}
	}
	if o.MaxAlerts <= 0 {
		o.MaxAlerts = DefaultMaxAlerts
	}
	if o.Recursion <= 0 {
		o.Recursion = DefaultRecursion
	}
	if o.FileMinInspect <= 0 {
		o.FileMinInspect = 32 << 10
	}
	if o.FileWindow <= 0 {
		o.FileWindow = 4 << 10
	}
	if o.Classes == nil {
		o.Classes = &rule.Classifications{}
	}
	if o.References == nil {
		o.References = &rule.References{}
	}
	if o.Shared == nil {
		o.Shared = NewShared(SharedOptions{})
	}
	c := &compiler{
		opt: o, table: o.Table, shared: o.Shared, resolver: rule.NewResolver(o.Vars),
		byLabel: map[string]*bufDef{}, report: &Report{ByKind: map[string]int{}},
		ipSets: map[ipProtos]*ipProtos{}, files: map[string]*hashList{},
		seen: map[uint64]*rule.Rule{},
	}
	c.nets = map[string]*netProto{}
	nets := netProtos()
	for i := range nets {
		c.nets[nets[i].name] = &nets[i]
	}
	c.shared.beginLoad()
	c.baseBuffers()
	c.keywordTable()
	c.configDatasets()
	return c
}

// add compiles one rule.
func (c *compiler) add(r *rule.Rule) {
	if r.Disabled {
		c.report.Disabled++
		return
	}
	ok, _ := r.Requires.Met(rule.Platform{
		Version: c.opt.Version,
		Feature: c.opt.Features,
		Keyword: func(name string) bool { return rule.IsGeneral(name) || c.words[name] != nil },
	})
	if !ok {
		c.report.Skipped++
		return
	}
	if old := c.seen[r.ID()]; old != nil {
		c.duplicate(old, r)
		return
	}
	c.seen[r.ID()] = r
	sigs, p := c.build(r)
	if p != nil {
		c.refuse(p...)
		return
	}
	c.sigs = append(c.sigs, sigs...)
	c.rules = append(c.rules, sigs[0].rule)
}

// duplicate handles a second rule with the same gid and sid: the higher rev wins,
// of equal ones the first.
func (c *compiler) duplicate(old, r *rule.Rule) {
	line, col := r.Position(0)
	p := rule.Problem{File: r.File, Line: line, Column: col, SID: r.SID, Kind: rule.KindDuplicate,
		What: "another rule has this sid", Hint: "give each rule a sid of its own"}
	if r.Rev <= old.Rev {
		c.refuse(p)
		return
	}
	sigs, bad := c.build(r)
	if bad != nil {
		c.refuse(bad...)
		return
	}
	drop := func(s *sig) bool { return s.rule.Rule == old }
	c.sigs = append(slices.DeleteFunc(c.sigs, drop), sigs...)
	c.rules = append(slices.DeleteFunc(c.rules, func(x *Rule) bool { return x.Rule == old }), sigs[0].rule)
	c.seen[r.ID()] = r
	line, col = old.Position(0)
	p.File, p.Line, p.Column = old.File, line, col
	p.What = "a newer revision of this rule takes its place"
	c.warn(p)
}

// refuse leaves a rule out. A rule whose only fault is its age is not held against
// the file it is in.
func (c *compiler) refuse(p ...rule.Problem) {
	if len(p) == 1 && p[0].Warning {
		c.report.Outdated++
	} else {
		c.report.Refused++
	}
	c.report.Problems = append(c.report.Problems, p...)
}

func (c *compiler) warn(p rule.Problem) {
	p.Warning = true
	c.report.Problems = append(c.report.Problems, p)
}

// build compiles r to one sig, or to two when it is bidirectional.
func (c *compiler) build(r *rule.Rule) ([]*sig, []rule.Problem) {
	b := &builder{c: c, r: r}
	if err := b.start(); err != nil {
		return nil, []rule.Problem{b.problem(nil, err)}
	}
	head, problems := c.resolver.Header(r)
	if len(problems) > 0 {
		return nil, problems
	}
	b.header(head)
	for i := range r.Options {
		o := &r.Options[i]
		k := c.words[o.Name]
		if k == nil {
			if rule.IsGeneral(o.Name) {
				continue
			}
			return nil, []rule.Problem{r.Problem(int(o.Off), rule.KindOption, "unknown keyword "+quote(o.Name), "")}
		}
		nchecks, ntests := len(b.s.checks), len(b.number)
		if err := b.option(k, o); err != nil {
			return nil, []rule.Problem{b.problem(o, err)}
		}
		if b.traced() {
			b.noteOption(i, nchecks, ntests)
		}
	}
	if err := b.end(); err != nil {
		return nil, []rule.Problem{b.problem(nil, err)}
	}
	s := b.s
	out := []*sig{&s}
	if r.Dir == rule.DirBoth && (head.Src != head.Dst || head.SrcPort != head.DstPort) {
		other := s
		other.src, other.dst, other.sp, other.dp = s.dst, s.src, s.dp, s.sp
		out = append(out, &other)
	}
	s.rule.s = out[0]
	return out, nil
}

// traced tells whether the rule is the one to be traced.
func (b *builder) traced() bool { return b.c.opt.TraceSID != 0 && b.r.SID == b.c.opt.TraceSID }

// noteOption notes that option i brought the checks and tests from nchecks and ntests on.
func (b *builder) noteOption(i, nchecks, ntests int) {
	for range b.s.checks[nchecks:] {
		b.s.checkOpts = append(b.s.checkOpts, int16(i))
	}
	for j := ntests; j < len(b.number); j++ {
		b.number[j].opt = int16(i + 1)
	}
}

// problem turns a refusal into a Problem at its place.
func (b *builder) problem(o *rule.Option, err error) rule.Problem {
	var e *optError
	at, hint := 0, ""
	if errors.As(err, &e) {
		at, hint = e.at, e.hint
	}
	if o == nil {
		return b.r.Problem(at, rule.KindOption, err.Error(), hint)
	}
	p := b.r.OptionProblem(o, at, err.Error(), hint)
	p.Warning = e != nil && e.outdated
	return p
}

// finish orders the rules and builds the groups.
func (c *compiler) finish() (*Engine, *Report) {
	c.order()
	e := &Engine{sigs: c.sigs, bufs: c.bufs, table: c.table, shared: c.shared, opt: c.opt, vars: c.vars, needs: c.needs, frames: c.frames}
	for i, s := range c.sigs {
		s.num = uint32(i)
		for _, t := range s.tx {
			e.maxTx = max(e.maxTx, len(t))
		}
		if s.kind == kindStream || s.kind == kindPacketStream || s.flag&sigStreamInTx != 0 {
			for d := range proto.Dir(2) {
				e.needs.raw[d] = e.needs.raw[d] || s.dirs&dirBit(d) != 0
			}
		}
	}
	slices.SortFunc(c.rules, func(a, b *Rule) int { return cmp.Compare(a.s.num, b.s.num) })
	e.rules = c.rules
	c.limitTable(e)
	c.buildGroups(e)
	if c.opt.Profile != nil {
		e.profile = make([]profileSlot, len(c.sigs))
	}
	for _, r := range e.rules {
		c.report.ByKind[r.Type]++
	}
	c.report.Loaded = len(e.rules)
	c.shared.endLoad()
	return e, c.report
}

// protoSet is a named group of application protocols, as rule headers and
// app-layer-protocol mean them.
func (c *compiler) protoSet(name string) (uint64, bool) {
	switch name {
	case "http":
		return c.appBits("http", "http1", "http2"), true
	case "http1":
		return c.appBits("http", "http1"), true
	case "http2":
		return c.appBits("http2", "doh2"), true
	case "dns":
		return c.appBits("dns", "doh2"), true
	case "doh2":
		return c.appBits("doh2", "http2", "dns"), true
	case "dcerpc":
		return c.appBits("dcerpc", "smb"), true
	case "ssl":
		return c.appBits("tls"), true
	case "ikev1", "ikev2":
		return c.appBits("ike"), true
	case "ftp-data":
		return c.appBits("ftp-data"), true
	}
	bits := c.appBits(name)
	return bits, bits != 0
}

func (c *compiler) appBits(names ...string) (set uint64) {
	for _, n := range names {
		set |= appBit(c.table.ByName(n))
	}
	return set
}
