package setup

import (
	"cmp"
	"fmt"
	"slices"

	"mirador/internal/mirror"
)

// assign gives each session its target. One that is there keeps its target while that
// stands; a new one gets a target in its zone, the least loaded first, then one
// elsewhere. have are our sessions by source.
func (d *Desired) assign(w *Observed, have map[string]*mirror.Session) error {
	switch d.Spec.kind() {
	case TargetNLB:
		for i := range d.Sessions {
			d.Sessions[i].Target = d.Targets[0].Key
		}
		return nil
	case TargetGWLB:
		return d.assignEndpoints()
	case TargetShared:
		d.assignShared(w, have)
		return nil
	}
	room := 0
	now := map[string]*Seat{} // by id of the target
	for i := range d.Seats {
		s := &d.Seats[i]
		room += s.Capacity
		id := s.Existing
		if s.Key != "" {
			if e := pickInterface(w, d.Spec.Name, s); e != nil {
				id = e.ID
			}
		}
		for j := range w.Targets {
			if t := &w.Targets[j]; id != "" && t.NetworkInterfaceID == id && tagsOf(t.Tags)[TagStack] == d.Spec.Name {
				now[t.ID] = s
			}
		}
	}
	if len(d.Sessions) > room {
		return d.tooMany(room)
	}
	var open []*DesiredSession
	for i := range d.Sessions {
		x := &d.Sessions[i]
		if old := have[x.Source.Interface.ID]; old != nil {
			if s := now[old.TargetID]; s != nil && s.Sources < s.Capacity {
				x.Target = s.TargetKey
				s.Sources++
				continue
			}
		}
		open = append(open, x)
	}
	away := 0
	for _, pass := range []bool{true, false} {
		for _, x := range open {
			if x.Target != "" {
				continue
			}
			s := d.leastLoaded(x.Source.Interface, pass)
			if s == nil {
				continue
			}
			x.Target = s.TargetKey
			s.Sources++
			if !pass {
				away++
			}
		}
	}
	if away > 0 {
		d.note(Warning, "cross-zone", fmt.Sprintf("%d sources", away), "mirror to a sensor in another zone, which costs transfer in both directions", "add a sensor in each zone that has sources")
	}
	return nil
}

// leastLoaded returns the seat with the smallest share of its capacity used: of the zone
// of e only, or of any. VPCs of e go before others.
func (d *Desired) leastLoaded(e *Interface, sameZone bool) *Seat {
	var best *Seat
	for i := range d.Seats {
		s := &d.Seats[i]
		if s.Sources >= s.Capacity || sameZone && s.AZ != e.AZ {
			continue
		}
		if best == nil || cmp.Or(
			cmp.Compare(b2i(s.VPC != e.VPC), b2i(best.VPC != e.VPC)),
			cmp.Compare(s.Sources*best.Capacity, best.Sources*s.Capacity)) < 0 {
			best = s
		}
	}
	return best
}

// tooMany says what would be needed.
func (d *Desired) tooMany(room int) error {
	perSeat := mirror.DefaultSourcesPerTarget
	missing := (len(d.Sessions) - room + perSeat - 1) / perSeat
	return &LimitError{
		What: fmt.Sprintf("sources of %d interface targets", len(d.Seats)), Need: len(d.Sessions), Have: room,
		Hint: fmt.Sprintf("add %d traffic interfaces (sensors, or sensors[].interfaces) of %d sources each, use a sensor of a type that takes %d, or set target.kind to nlb, which has no such limit",
			missing, perSeat, mirror.DefaultSourcesPerLargeTarget),
	}
}

// assignShared keeps the target that a session has, and gives others the one with the fewest of
// ours. How many sources it takes only its owner knows: AWS refuses what is too much.
func (d *Desired) assignShared(w *Observed, have map[string]*mirror.Session) {
	load := map[string]int{}
	for i := range d.Sessions {
		x := &d.Sessions[i]
		if old := have[x.Source.Interface.ID]; old != nil && slices.Contains(d.Spec.Target.Shared, old.TargetID) {
			x.Target = key(keyTarget, old.TargetID)
			load[x.Target]++
		}
	}
	for i := range d.Sessions {
		x := &d.Sessions[i]
		if x.Target == "" {
			x.Target = slices.MinFunc(d.Targets, func(a, b DesiredTarget) int {
				return cmp.Or(cmp.Compare(load[a.Key], load[b.Key]), cmp.Compare(a.Key, b.Key))
			}).Key
			load[x.Target]++
		}
	}
}

// assignEndpoints gives each session the endpoint of its zone, or one of its VPC, or any.
func (d *Desired) assignEndpoints() error {
	for i := range d.Sessions {
		e := d.Sessions[i].Source.Interface
		if len(d.Endpoints) == 0 {
			return fmt.Errorf("no endpoint for %s", e.ID)
		}
		best := slices.MinFunc(d.Endpoints, func(a, b DesiredEndpoint) int {
			return cmp.Or(cmp.Compare(b2i(a.VPC != e.VPC), b2i(b.VPC != e.VPC)), cmp.Compare(b2i(a.AZ != e.AZ), b2i(b.AZ != e.AZ)))
		})
		d.Sessions[i].Target = best.TargetKey
	}
	return nil
}
