package setup

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"mirador/internal/mirror"
)

// ImportOptions say what to import.
type ImportOptions struct {
	Name   string // of the stack; default "imported"
	Filter string // id; default: the one that most sessions use
}

// Imported is a description of mirroring that was made by other means.
type Imported struct {
	Spec string // mirror.yaml
	// Adopt are the tags that make what is there part of the stack, so that apply changes it
	// in place instead of making it a second time.
	Adopt []SetTags
	// Left is what the description does not cover, with the reason.
	Left []Finding
}

// Import describes the sessions in w that are of no stack and share a filter and a kind of
// target, with that filter and those targets.
func Import(ctx context.Context, c Cloud, w *Observed, o ImportOptions) (*Imported, error) {
	m := &importer{ctx: ctx, c: c, w: w, name: or(o.Name, "imported"), out: &Imported{}, targets: map[string]*mirror.Target{}}
	for i := range w.Targets {
		m.targets[w.Targets[i].ID] = &w.Targets[i]
	}
	if err := m.choose(o.Filter); err != nil {
		return nil, err
	}
	text, err := m.text()
	if err != nil {
		return nil, err
	}
	s, err := ParseSpec([]byte(text), "mirror.yaml")
	if err != nil {
		return nil, fmt.Errorf("what is there does not fit a description: %w", err)
	}
	m.out.Spec = text
	rules, err := CompileFilter(&s.Filter, nil)
	if err != nil {
		return nil, fmt.Errorf("what is there does not fit a description: %w", err)
	}
	if len(rules) != len(m.filter.Rules) || !slices.EqualFunc(rules, m.filter.Rules, func(a, b mirror.FilterRule) bool {
		return a.Direction == b.Direction && a.Number == b.Number && sameRule(&a, &b)
	}) {
		m.left(Warning, "filter", m.filter.ID, "has rules that a description says otherwise: mirador aws plan shows how")
	}
	m.adopt(s)
	return m.out, nil
}

type importer struct {
	ctx      context.Context
	c        Cloud
	w        *Observed
	name     string
	out      *Imported
	targets  map[string]*mirror.Target
	filter   *mirror.Filter
	kind     string
	sessions []*mirror.Session
	seats    []string // traffic interfaces
}

func (m *importer) left(l Level, code, subject, text string) {
	m.out.Left = append(m.out.Left, Finding{Level: l, Code: code, Subject: subject, Text: text})
}

// kindOf returns the kind of a target in words of the description, or "".
func (m *importer) kindOf(target string) string {
	t := m.targets[target]
	if t == nil {
		return ""
	}
	if t.OwnerID != "" && t.OwnerID != m.w.Identity.Account {
		return TargetShared
	}
	return map[mirror.TargetType]string{mirror.TargetInterface: TargetENI, mirror.TargetNLB: TargetNLB, mirror.TargetGWLB: TargetGWLB}[t.Type()]
}

// choose picks the filter and the kind of target that most sessions have.
func (m *importer) choose(filter string) error {
	type pair struct{ filter, kind string }
	count := map[pair]int{}
	var free []*mirror.Session
	for i := range m.w.Sessions {
		x := &m.w.Sessions[i]
		kind := m.kindOf(x.TargetID)
		switch {
		case tagsOf(x.Tags)[TagStack] != "":
			m.left(OK, "other-stack", x.ID, "is of stack "+tagsOf(x.Tags)[TagStack])
			continue
		case kind == "":
			m.left(Warning, "target", x.ID, "leads to "+x.TargetID+", which is not in this account")
			continue
		case m.w.Interface(x.NetworkInterfaceID) == nil:
			m.left(Warning, "source", x.ID, "mirrors "+x.NetworkInterfaceID+", which is gone")
			continue
		}
		free = append(free, x)
		if filter == "" || x.FilterID == filter {
			count[pair{x.FilterID, kind}]++
		}
	}
	if len(count) == 0 {
		if filter != "" {
			return fmt.Errorf("no session that can be imported uses filter %s", filter)
		}
		return fmt.Errorf("there are no traffic mirror sessions to import in %s", m.w.Identity.Region)
	}
	var best pair
	for p, n := range count {
		if b := count[best]; n > b || n == b && cmp.Or(cmp.Compare(p.filter, best.filter), cmp.Compare(p.kind, best.kind)) < 0 {
			best = p
		}
	}
	m.kind = best.kind
	for i := range m.w.Filters {
		if m.w.Filters[i].ID == best.filter {
			m.filter = &m.w.Filters[i]
		}
	}
	if m.filter == nil {
		return fmt.Errorf("filter %s is not in this account", best.filter)
	}
	slices.SortStableFunc(free, func(a, b *mirror.Session) int {
		return cmp.Or(cmp.Compare(a.NetworkInterfaceID, b.NetworkInterfaceID), cmp.Compare(a.Number, b.Number))
	})
	seen := map[string]bool{}
	for _, x := range free {
		switch {
		case x.FilterID != best.filter:
			m.left(Warning, "filter", x.ID, "uses filter "+x.FilterID+": import it into a description of its own with --filter")
		case m.kindOf(x.TargetID) != best.kind:
			m.left(Warning, "target", x.ID, "leads to a target of kind "+m.kindOf(x.TargetID)+"; a description has one kind")
		case seen[x.NetworkInterfaceID]:
			m.left(Warning, "session", x.ID, "is the second session of "+x.NetworkInterfaceID+"; a description makes one")
		default:
			seen[x.NetworkInterfaceID] = true
			m.sessions = append(m.sessions, x)
		}
	}
	return m.findSeats()
}

// findSeats finds the interfaces that packets end at.
func (m *importer) findSeats() error {
	if m.kind == TargetShared {
		return nil // they are of the other account
	}
	v := &verifier{w: m.w, target: m.targets}
	seen := map[string]bool{}
	for _, x := range m.sessions {
		t := m.targets[x.TargetID]
		if t.NetworkInterfaceID != "" {
			m.seats = append(m.seats, t.NetworkInterfaceID)
			continue
		}
		b := v.balancerOf(t)
		if b == nil || seen[b.ARN] {
			continue
		}
		seen[b.ARN] = true
		for i := range m.w.TargetGroups {
			g := &m.w.TargetGroups[i]
			if !slices.Contains(g.Balancers, b.ARN) {
				continue
			}
			health, err := m.c.TargetHealth(m.ctx, g.ARN)
			if err != nil {
				return err
			}
			for _, h := range health {
				if e := v.byAddress(h.ID, g.VPC); e != nil {
					m.seats = append(m.seats, e.ID)
				} else if list := m.w.InterfacesOf(h.ID); len(list) > 0 {
					m.seats = append(m.seats, list[0].ID)
				}
			}
		}
	}
	m.seats = sorted(m.seats)
	for _, id := range m.seats {
		if m.w.Interface(id) == nil {
			return fmt.Errorf("the interface %s that sessions lead to is not in this account", id)
		}
	}
	if len(m.seats) == 0 {
		return fmt.Errorf("no sensor is known behind the load balancer that the sessions lead to")
	}
	return nil
}

// common returns the value that all sessions have.
func common[T comparable](list []*mirror.Session, get func(*mirror.Session) T) (v T, ok bool) {
	for i, x := range list {
		if i == 0 {
			v = get(x)
		} else if get(x) != v {
			return v, false
		}
	}
	return v, true
}

// text writes the description.
func (m *importer) text() (string, error) {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# Traffic mirroring that was found in account %s, %s: %d sessions.", m.w.Identity.Account, m.w.Identity.Region, len(m.sessions))
	p("name: %s", m.name)
	p("region: %s", m.w.Identity.Region)
	if m.kind != TargetShared {
		p("sensors:")
	}
	for _, id := range m.seats {
		note := ""
		if i := m.w.Instance(m.w.Interface(id).InstanceID); i != nil {
			note = "   # " + oneLine(describe(m.w, i))
		}
		p("  - interface: %s%s", id, note)
	}
	p("target:")
	p("  kind: %s", m.kind)
	if m.kind == TargetShared {
		var ids []string
		for _, x := range m.sessions {
			ids = append(ids, x.TargetID)
		}
		p("  targets: [%s]   # of account %s", strings.Join(sorted(ids), ", "), m.targets[ids[0]].OwnerID)
	} else if m.kind != TargetENI {
		p("  # A load balancer of the stack is made beside the one that is there; sessions move to it.")
	}
	described := func(what string, list []string) {
		slices.Sort(list)
		list = slices.Compact(list)
		if len(list) == 1 && list[0] != "" {
			p("  description: %s", jsonText(list[0]))
			return
		}
		p("  # %s differ in their description or have none: apply replaces those with another.", what)
	}
	var list []string
	for _, x := range m.sessions {
		list = append(list, m.targets[x.TargetID].Description)
	}
	if m.kind != TargetShared {
		described("targets", list)
	}
	p("sources:")
	p("  include:")
	p("    - interface:")
	for _, x := range m.sessions {
		e := m.w.Interface(x.NetworkInterfaceID)
		s := Source{Interface: e, Instance: m.w.Instance(e.InstanceID)}
		p("        - %s   # %s", e.ID, oneLine(strings.TrimSpace(s.InstanceID()+" "+s.Name())))
	}
	p("  stopped: true   # sessions of stopped instances stay")
	p("filter:")
	described("filters", []string{m.filter.Description})
	p("  network_services: [%s]", strings.Join(m.filter.NetworkServices, ", "))
	p("  ipv6: false   # the rules are as they were found")
	if len(m.filter.Rules) == 0 {
		return "", fmt.Errorf("filter %s has no rules: it mirrors nothing but network services, which a description cannot say", m.filter.ID)
	}
	p("  rules:")
	for i := range m.filter.Rules {
		p("    - %s", importRule(&m.filter.Rules[i]))
	}
	p("session:")
	m.session(p)
	return b.String(), nil
}

// session writes the defaults of the sessions, as far as they have something in common.
func (m *importer) session(p func(string, ...any)) {
	vnis := map[uint32]bool{}
	for _, x := range m.sessions {
		vnis[x.VNI] = true
	}
	switch {
	case len(vnis) == 1 && m.sessions[0].VNI > 0:
		p("  vni: %d", m.sessions[0].VNI)
	case len(vnis) == len(m.sessions):
		p("  vni: unique")
	default:
		p("  vni: unique   # some sessions share one: apply gives those others")
	}
	if n, ok := common(m.sessions, func(x *mirror.Session) int { return x.Number }); ok {
		p("  number: %d", n)
	} else {
		p("  # number: auto keeps the numbers that sessions have")
	}
	n, ok := common(m.sessions, func(x *mirror.Session) int { return x.PacketLength })
	switch {
	case !ok:
		p("  # packet_length differs between sessions: apply makes it full everywhere")
	case n > 0 && (m.kind == TargetENI || n != mirror.MaxPacketLength):
		p("  packet_length: %d", n)
	}
	if s, ok := common(m.sessions, func(x *mirror.Session) string { return x.Description }); ok && s != "" && !strings.ContainsAny(s, "{}") {
		p("  description: %s", jsonText(s))
	} else {
		p("  # descriptions differ: apply writes the default")
	}
}

// importRule writes a rule in the words of the description.
func importRule(r *mirror.FilterRule) string {
	out := fmt.Sprintf("{number: %d, direction: %s, action: %s", r.Number, r.Direction, r.Action)
	if r.Protocol != mirror.AnyProtocol {
		out += ", protocol: " + strconv.Itoa(r.Protocol)
	}
	out += fmt.Sprintf(", source: %s, destination: %s", jsonText(r.SourceCIDR.String()), jsonText(r.DestinationCIDR.String()))
	for _, x := range []struct {
		key   string
		ports *mirror.PortRange
	}{{"source_ports", r.SourcePorts}, {"destination_ports", r.DestinationPorts}} {
		if x.ports != nil {
			out += fmt.Sprintf(", %s: \"%d-%d\"", x.key, x.ports.From, x.ports.To)
		}
	}
	if r.Description != "" {
		out += ", description: " + jsonText(r.Description)
	}
	return out + "}"
}

// adopt works out the tags by which what is there becomes part of the stack.
func (m *importer) adopt(s *Spec) {
	tags := func(id, k string) {
		m.out.Adopt = append(m.out.Adopt, SetTags{Resource: id, Tags: Tags{TagStack: s.Name, TagKey: k, TagManaged: ManagedBy}})
	}
	done := map[string]bool{}
	for _, x := range m.sessions {
		if t := m.targets[x.TargetID]; m.kind == TargetENI && !done[t.ID] {
			done[t.ID] = true
			tags(t.ID, key(keyTarget, t.NetworkInterfaceID))
		}
	}
	tags(m.filter.ID, keyFilter)
	for i := range m.filter.Rules {
		r := &m.filter.Rules[i]
		tags(r.ID, key(keyRule, r.Direction.String(), itoa(r.Number)))
	}
	for _, x := range m.sessions {
		tags(x.ID, key(keySession, x.NetworkInterfaceID))
	}
	if n := sessionsUsing(m.w, m.filter.ID); n > len(m.sessions) {
		m.left(Warning, "filter", m.filter.ID, fmt.Sprintf("is used by %d sessions that are not imported: apply changes it for them too", n-len(m.sessions)))
	}
}

// WriteAdopt writes the tags as commands of the AWS CLI. extra are options of it.
func (i *Imported) WriteAdopt(w io.Writer, extra string) error {
	s := &script{w: w, extra: extra}
	for _, t := range i.Adopt {
		s.step(Step{Call: t})
	}
	return s.err
}
