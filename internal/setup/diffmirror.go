package setup

import (
	"fmt"
	"slices"

	"mirador/internal/mirror"
)

// targets compares traffic mirror targets.
func (n *planner) targets(d *Desired) {
	for i := range d.Targets {
		t := &d.Targets[i]
		if t.Existing != "" {
			n.p.ids[t.Key] = t.Existing // not ours to keep, change or take away
			continue
		}
		eni, lb, ep := n.resolve(t.Interface), n.resolve(t.Balancer), n.resolve(t.Endpoint)
		at := best(n.w.Targets, func(x *mirror.Target) int {
			if !n.ours(tagsOf(x.Tags), t.Key) || x.NetworkInterfaceID != eni || x.NetworkLoadBalancerARN != lb ||
				x.GatewayLoadBalancerEndpointID != ep || x.Description != t.Description {
				return -1
			}
			return sessionsUsing(n.w, x.ID)
		})
		name := t.Tags[tagName]
		if at >= 0 {
			x := &n.w.Targets[at]
			n.have(t.Key, x.ID)
			c := &Change{Mark: Update, Kind: kindTarget, Key: t.Key, ID: x.ID, Name: name, phase: phaseTargets, Why: "tags differ"}
			retag(c, x.ID, tagsOf(x.Tags), t.Tags, false)
			n.addIfAny(c)
			continue
		}
		c := &Change{Mark: Create, Kind: kindTarget, Key: t.Key, Name: name, phase: phaseTargets, Why: "sessions need one"}
		if old := n.former(t.Key, kindTarget); old != "" {
			c.Mark, c.Why = Replace, "a target cannot be changed; sessions move to the new one, and "+old+" goes last"
		}
		c.Detail = append(c.Detail, "to "+or(or(eni, lb), ep))
		c.Steps = append(c.Steps, Step{CreateTarget{Interface: eni, Balancer: lb, Endpoint: ep, Description: t.Description, Tags: t.Tags}, t.Key})
		n.add(c)
	}
}

// filter compares the filter. Its rules are changed in place; with another description
// there is a new filter.
func (n *planner) filter(d *Desired) {
	f := &d.Filter
	at := best(n.w.Filters, func(x *mirror.Filter) int {
		if !n.ours(tagsOf(x.Tags), f.Key) || x.Description != f.Description {
			return -1
		}
		return sessionsUsing(n.w, x.ID)
	})
	name := f.Tags[tagName]
	if at >= 0 {
		x := &n.w.Filters[at]
		n.have(f.Key, x.ID)
		c := &Change{Mark: Update, Kind: kindFilter, Key: f.Key, ID: x.ID, Name: name, phase: phaseFilters, Why: "differs"}
		n.services(c, x.ID, x.NetworkServices, f.Services)
		n.rules(c, d, x)
		retag(c, x.ID, tagsOf(x.Tags), f.Tags, false)
		n.addIfAny(c)
		return
	}
	c := &Change{Mark: Create, Kind: kindFilter, Key: f.Key, Name: name, phase: phaseFilters, Why: "sessions need one"}
	if old := n.former(f.Key, kindFilter); old != "" {
		c.Mark, c.Why = Replace, "a filter cannot change its description; sessions move to the new one, and "+old+" goes last"
	}
	c.Steps = append(c.Steps, Step{CreateFilter{Description: f.Description, Tags: f.Tags}, f.Key})
	n.services(c, "@"+f.Key, nil, f.Services)
	for i := range f.Rules {
		r := &f.Rules[i]
		c.Detail = append(c.Detail, mirror.RuleText(r))
		c.Steps = append(c.Steps, Step{Call: CreateRule{Filter: "@" + f.Key, Rule: *r, Tags: d.ruleTags(r)}})
	}
	n.add(c)
}

func (n *planner) services(c *Change, id string, have, want []string) {
	var add, del []string
	for _, s := range want {
		if !slices.Contains(have, s) {
			add = append(add, s)
		}
	}
	for _, s := range have {
		if !slices.Contains(want, s) {
			del = append(del, s)
		}
	}
	if len(add)+len(del) == 0 {
		return
	}
	c.Steps = append(c.Steps, Step{Call: ModifyFilterServices{Filter: id, Add: add, Remove: del}})
	for _, s := range add {
		c.Detail = append(c.Detail, s+" on")
	}
	for _, s := range del {
		c.Detail = append(c.Detail, s+" off")
	}
}

// rules brings the rules of filter x in line. A rule that has its number already is
// changed in one call; new ones come before old ones go, as far as the budget of a filter
// lets them.
func (n *planner) rules(c *Change, d *Desired, x *mirror.Filter) {
	type place struct {
		d mirror.Direction
		n int
	}
	have := map[place]*mirror.FilterRule{}
	for i := range x.Rules {
		have[place{x.Rules[i].Direction, x.Rules[i].Number}] = &x.Rules[i]
	}
	var come, change, gone []Step
	wanted := map[place]bool{}
	for i := range d.Filter.Rules {
		r := d.Filter.Rules[i]
		at := place{r.Direction, r.Number}
		wanted[at] = true
		old := have[at]
		switch {
		case old == nil:
			come = append(come, Step{Call: CreateRule{Filter: x.ID, Rule: r, Tags: d.ruleTags(&r)}})
			c.Detail = append(c.Detail, "+ "+mirror.RuleText(&r))
			continue
		case !sameRule(old, &r):
			r.ID, r.FilterID = old.ID, x.ID
			change = append(change, Step{Call: ModifyRule{Rule: r, Remove: removed(old, &r)}})
			c.Detail = append(c.Detail, "~ "+mirror.RuleText(old)+"  =>  "+mirror.RuleText(&r))
		}
		if miss := missingTags(tagsOf(old.Tags), d.ruleTags(&r)); len(miss) > 0 {
			change = append(change, Step{Call: SetTags{Resource: old.ID, Tags: miss}})
			if sameRule(old, &r) {
				c.Detail = append(c.Detail, "~ tags of "+mirror.RuleText(old))
			}
		}
	}
	for i := range x.Rules {
		old := &x.Rules[i]
		if !wanted[place{old.Direction, old.Number}] {
			gone = append(gone, Step{Call: DeleteRule{Rule: old.ID}})
			c.Detail = append(c.Detail, "- "+mirror.RuleText(old))
		}
	}
	free := max(mirror.DefaultRulesPerFilter-len(x.Rules), 0)
	first := min(free, len(come))
	c.Steps = append(c.Steps, come[:first]...)
	c.Steps = append(c.Steps, change...)
	c.Steps = append(c.Steps, gone...)
	c.Steps = append(c.Steps, come[first:]...)
}

// removed returns the fields that a has and b has not.
func removed(a, b *mirror.FilterRule) []string {
	var out []string
	if a.SourcePorts != nil && b.SourcePorts == nil {
		out = append(out, "source-port-range")
	}
	if a.DestinationPorts != nil && b.DestinationPorts == nil {
		out = append(out, "destination-port-range")
	}
	if a.Protocol != mirror.AnyProtocol && b.Protocol == mirror.AnyProtocol {
		out = append(out, "protocol")
	}
	if a.Description != "" && b.Description == "" {
		out = append(out, "description")
	}
	return out
}

// sessions compares the sessions of the sources.
func (n *planner) sessions(d *Desired) {
	byKey := map[string][]mirror.Session{}
	for i := range n.w.Sessions {
		x := n.w.Sessions[i]
		if t := tagsOf(x.Tags); n.ours(t, "") && t[TagKey] == key(keySession, x.NetworkInterfaceID) {
			byKey[t[TagKey]] = append(byKey[t[TagKey]], x)
		}
	}
	for i := range d.Sessions {
		s := &d.Sessions[i]
		target, filter := n.resolve("@"+s.Target), n.resolve("@"+d.Filter.Key)
		list := byKey[s.Key]
		at := best(list, func(x *mirror.Session) int { return b2i(x.TargetID == target) + b2i(x.Number == s.Number) })
		if at >= 0 {
			n.have(s.Key, list[at].ID)
			n.session(d, s, &list[at], target, filter)
			continue
		}
		n.add(&Change{
			Mark: Create, Kind: kindSession, Key: s.Key, Name: s.Name, phase: phaseSessionsCome,
			Why:    or(s.Source.Why, "selected"),
			Detail: []string{fmt.Sprintf("number %d, VNI %d, to %s", s.Number, s.VNI, s.Target)},
			Steps: []Step{{CreateSession{
				Interface: s.Source.Interface.ID, Target: target, Filter: filter, Number: s.Number, VNI: s.VNI,
				PacketLength: s.PacketLength, Description: s.Description, Tags: s.Tags,
			}, s.Key}},
		})
	}
}

// session compares one session with the one that is there.
func (n *planner) session(d *Desired, s *DesiredSession, x *mirror.Session, target, filter string) {
	c := &Change{Mark: Update, Kind: kindSession, Key: s.Key, ID: x.ID, Name: s.Name, phase: phaseSessionsMove, Why: "differs"}
	m := ModifySession{Session: x.ID}
	changed := false
	diff := func(what string, from, to any) {
		changed = true
		c.Detail = append(c.Detail, fmt.Sprintf("%s: %v -> %v", what, from, to))
	}
	if x.TargetID != target {
		m.Target = target
		diff("target", x.TargetID, target)
	}
	if x.FilterID != filter {
		m.Filter = filter
		diff("filter", x.FilterID, filter)
	}
	if x.Number != s.Number {
		m.Number = s.Number
		diff("number", x.Number, s.Number)
	}
	if x.VNI != s.VNI {
		vni := s.VNI
		m.VNI = &vni
		diff("VNI", x.VNI, s.VNI)
	}
	byBalancer := d.Spec.kind() != TargetENI && x.PacketLength == mirror.MaxPacketLength
	switch {
	case s.PacketLength == x.PacketLength || s.PacketLength == 0 && byBalancer:
	case s.PacketLength == 0:
		m.Remove = append(m.Remove, "packet-length")
		diff("packet length", x.PacketLength, "full")
	default:
		m.PacketLength = s.PacketLength
		diff("packet length", x.PacketLength, s.PacketLength)
	}
	if x.Description != s.Description {
		m.Description = s.Description
		diff("description", fmt.Sprintf("%q", x.Description), fmt.Sprintf("%q", s.Description))
	}
	if changed {
		c.Steps = append(c.Steps, Step{Call: m})
	}
	retag(c, x.ID, tagsOf(x.Tags), s.Tags, false)
	n.addIfAny(c)
}
