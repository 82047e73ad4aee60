package setup

import (
	"fmt"
	"slices"
	"strings"
)

// groups compares security groups.
func (n *planner) groups(d *Desired) {
	for i := range d.Groups {
		g := &d.Groups[i]
		at := best(n.w.Groups, func(x *SecurityGroup) int {
			if !n.ours(x.Tags, g.Key) || x.VPC != g.VPC || x.Name != g.Name {
				return -1
			}
			return b2i(x.Description == g.Description)
		})
		if at < 0 {
			c := &Change{Mark: Create, Kind: kindGroup, Key: g.Key, Name: g.Name, phase: phaseGroups, Why: "traffic interfaces in " + g.VPC + " need one"}
			if old := n.former(g.Key, kindGroup); old != "" {
				c.Mark, c.Why = Replace, "its name changes, which AWS cannot do in place ("+old+" goes last)"
			}
			ref := "@" + g.Key
			c.Steps = append(c.Steps, Step{CreateGroup{Name: g.Name, Description: g.Description, VPC: g.VPC, Tags: g.Tags}, g.Key})
			if len(g.Ingress) > 0 {
				c.Steps = append(c.Steps, Step{Call: Authorize{Group: ref, Rules: g.Ingress}})
			}
			if len(g.Egress) == 0 {
				c.Steps = append(c.Steps, Step{Call: Revoke{Group: ref, Egress: true, Rules: allEgress()}})
			}
			c.Detail = append(c.Detail, permissionLines("in", g.Ingress)...)
			c.Detail = append(c.Detail, permissionLines("out", g.Egress)...)
			n.add(c)
			continue
		}
		x := &n.w.Groups[at]
		n.have(g.Key, x.ID)
		if x.Description != g.Description {
			d.note(Warning, "description", x.ID, fmt.Sprintf("has the description %q, and AWS cannot change it to %q", x.Description, g.Description),
				"change security_group.name too, and a new group takes its place")
			n.p.Findings = d.Findings
		}
		c := &Change{Mark: Update, Kind: kindGroup, Key: g.Key, ID: x.ID, Name: g.Name, phase: phaseGroups, Why: "differs"}
		n.permissions(c, x.ID, x.Ingress, g.Ingress, false)
		n.permissions(c, x.ID, x.Egress, g.Egress, true)
		retag(c, x.ID, x.Tags, g.Tags, false)
		n.addIfAny(c)
	}
}

func allEgress() []Permission {
	return []Permission{{Protocol: "-1", From: AnyPort, To: AnyPort, CIDR: "0.0.0.0/0"}}
}

// permissions adds what is missing first and takes away what is too much then.
func (n *planner) permissions(c *Change, id string, have, want []Permission, egress bool) {
	plain := func(p Permission) Permission { p.Why = ""; return p }
	has := func(list []Permission, p Permission) bool {
		return slices.ContainsFunc(list, func(q Permission) bool { return plain(q) == plain(p) })
	}
	var add, del []Permission
	for _, p := range want {
		if !has(have, p) {
			add = append(add, p)
		}
	}
	for _, p := range have {
		if !has(want, p) {
			del = append(del, p)
		}
	}
	word := "in"
	if egress {
		word = "out"
	}
	if len(add) > 0 {
		c.Steps = append(c.Steps, Step{Call: Authorize{Group: id, Egress: egress, Rules: add}})
		for _, l := range permissionLines(word, add) {
			c.Detail = append(c.Detail, "+ "+l)
		}
	}
	if len(del) > 0 {
		c.Steps = append(c.Steps, Step{Call: Revoke{Group: id, Egress: egress, Rules: del}})
		for _, l := range permissionLines(word, del) {
			c.Detail = append(c.Detail, "- "+l)
		}
	}
}

func permissionLines(word string, list []Permission) []string {
	var out []string
	for _, p := range list {
		proto, ports := p.Protocol, ""
		if proto == "-1" {
			proto = "all"
		} else if p.From != AnyPort {
			ports = " " + itoa(p.From)
			if p.To != p.From {
				ports += "-" + itoa(p.To)
			}
		}
		out = append(out, fmt.Sprintf("%s %s%s %s", word, proto, ports, or(or(p.CIDR, p.Group), p.List)))
	}
	return out
}

// addIfAny puts c into the plan when it has something to do.
func (n *planner) addIfAny(c *Change) {
	if len(c.Steps) > 0 {
		n.add(c)
	}
}

// former returns a resource of the stack that has key k and that nothing stands for.
func (n *planner) former(k, kind string) string {
	var found string
	look := func(t Tags, id string) {
		if found == "" && n.ours(t, k) && !n.keep[id] {
			found = id
		}
	}
	switch kind {
	case kindGroup:
		for i := range n.w.Groups {
			look(n.w.Groups[i].Tags, n.w.Groups[i].ID)
		}
	case kindInterface:
		for i := range n.w.Interfaces {
			look(n.w.Interfaces[i].Tags, n.w.Interfaces[i].ID)
		}
	case kindTarget:
		for i := range n.w.Targets {
			look(tagsOf(n.w.Targets[i].Tags), n.w.Targets[i].ID)
		}
	case kindFilter:
		for i := range n.w.Filters {
			look(tagsOf(n.w.Filters[i].Tags), n.w.Filters[i].ID)
		}
	case kindNLB, kindGWLB:
		for i := range n.w.Balancers {
			look(n.w.Balancers[i].Tags, n.w.Balancers[i].ARN)
		}
	case kindTargets:
		for i := range n.w.TargetGroups {
			look(n.w.TargetGroups[i].Tags, n.w.TargetGroups[i].ARN)
		}
	}
	return found
}

// pickInterface returns the interface of the stack that stands for a seat: with its key,
// in its subnet, and in its instance or free. One that is attached goes before one that
// is not.
func pickInterface(w *Observed, stack string, s *Seat) *Interface {
	at := best(w.Interfaces, func(e *Interface) int {
		if e.Tags[TagStack] != stack || e.Tags[TagKey] != s.Key || e.Subnet != s.Subnet {
			return -1
		}
		switch e.InstanceID {
		case s.Instance.ID:
			return 1
		case "":
			return 0
		}
		return -1
	})
	if at < 0 {
		return nil
	}
	return &w.Interfaces[at]
}

// interfaces compares traffic interfaces.
func (n *planner) interfaces(d *Desired) {
	s := d.Spec
	taken := map[string]map[int]bool{}
	for i := range d.Seats {
		seat := &d.Seats[i]
		if seat.Key == "" {
			continue
		}
		used := taken[seat.Instance.ID]
		if used == nil {
			used = map[int]bool{}
			taken[seat.Instance.ID] = used
			for _, e := range n.w.InterfacesOf(seat.Instance.ID) {
				used[e.DeviceIndex] = true
			}
		}
		tags := s.tags(seat.Key, s.trafficName(), s.Traffic.Tags)
		group := n.resolve("@" + seat.Group)
		ref := "@" + seat.Key
		c := &Change{Mark: Update, Kind: kindInterface, Key: seat.Key, Name: s.trafficName() + " of " + seat.Instance.Name(), phase: phaseInterfaces, Why: "differs"}
		e := pickInterface(n.w, n.stack, seat)
		if e == nil {
			c.Mark, c.Why = Create, "sensor "+seat.Instance.ID+" needs a traffic interface"
			if old := n.former(seat.Key, kindInterface); old != "" {
				c.Mark, c.Why = Replace, "an interface cannot change its subnet ("+old+" goes last)"
			}
			c.Detail = append(c.Detail, "subnet "+seat.Subnet+" in "+seat.AZ)
			c.Steps = append(c.Steps, Step{CreateInterface{Subnet: seat.Subnet, Groups: []string{group}, Description: s.trafficDescription(), Tags: tags}, seat.Key})
		} else {
			n.have(seat.Key, e.ID)
			c.ID, ref = e.ID, e.ID
			if len(e.Groups) != 1 || e.Groups[0] != group {
				c.Detail = append(c.Detail, "groups: "+strings.Join(e.Groups, " ")+" -> "+group)
				c.Steps = append(c.Steps, Step{Call: ModifyInterfaceGroups{Interface: e.ID, Groups: []string{group}}})
			}
			if e.Description != s.trafficDescription() {
				c.Detail = append(c.Detail, fmt.Sprintf("description: %q -> %q", e.Description, s.trafficDescription()))
				c.Steps = append(c.Steps, Step{Call: ModifyInterfaceDescription{Interface: e.ID, Description: s.trafficDescription()}})
			}
			retag(c, e.ID, e.Tags, tags, false)
		}
		attachment := "@" + seat.Key + "#attachment"
		if e != nil && e.AttachmentID != "" {
			attachment = e.AttachmentID
		}
		if e == nil || e.InstanceID == "" {
			index := 1
			for used[index] {
				index++
			}
			used[index] = true
			c.Detail = append(c.Detail, fmt.Sprintf("attached to %s as device %d", seat.Instance.ID, index))
			c.Steps = append(c.Steps, Step{AttachInterface{Interface: ref, Instance: seat.Instance.ID, Index: index}, seat.Key + "#attachment"},
				Step{Call: Wait{For: WaitInterfaceAttached, ID: ref}})
		}
		if !s.Traffic.Keep && (e == nil || !e.DeleteWithOwner) {
			c.Steps = append(c.Steps, Step{Call: DeleteWithInstance{Interface: ref, Attachment: attachment}})
			c.Detail = append(c.Detail, "goes when its instance is terminated")
		}
		n.addIfAny(c)
	}
}
