package setup

import (
	"slices"
	"strings"
)

// alarm notes sessions and targets that are not ours: somebody else copies traffic of this
// account, or gets it.
func (w *Watcher) alarm(o *Observed, r *Round) {
	w.who = o.Identity
	owner := map[string]string{}
	ourTarget := map[string]bool{}
	for i := range o.Targets {
		t := &o.Targets[i]
		owner[t.ID] = t.OwnerID
		ourTarget[t.ID] = tagsOf(t.Tags)[TagManaged] == ManagedBy
		if slices.Contains(w.o.Spec.Target.Shared, t.ID) {
			owner[t.ID], ourTarget[t.ID] = o.Identity.Account, true
		}
	}
	allowed := func(ids ...string) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return id != "" && slices.Contains(w.o.Allow, id) })
	}
	add := func(code, subject, text, remedy string) {
		if len(r.Alarms) < maxWatchFindings {
			r.Alarms = append(r.Alarms, Finding{Level: Error, Code: code, Subject: subject, Text: text, Remedy: remedy})
		}
	}
	for i := range o.Sessions {
		x := &o.Sessions[i]
		managed := tagsOf(x.Tags)[TagManaged] == ManagedBy
		target, known := owner[x.TargetID]
		mine := o.Identity.Account
		switch {
		case allowed(x.ID, x.TargetID, x.OwnerID, target):
		case x.OwnerID != "" && x.OwnerID != mine:
			add("foreign-session", x.ID, "belongs to account "+x.OwnerID+" and mirrors "+x.NetworkInterfaceID, "find out who shares what with that account; --allow "+x.OwnerID+" when it is right")
		case !known:
			add("foreign-target", x.ID, "mirrors "+x.NetworkInterfaceID+" to the target "+x.TargetID+", which this account does not have", "delete the session, or --allow "+x.TargetID+" when it is right")
		case target != "" && target != mine:
			add("foreign-target", x.ID, "mirrors "+x.NetworkInterfaceID+" to the target "+x.TargetID+" of account "+target, "delete the session, or --allow "+target+" when it is right")
		case !managed:
			add("rogue-session", x.ID, "mirrors "+x.NetworkInterfaceID+" to "+x.TargetID+", and Mirador did not make it", "find out who made it (CloudTrail, CreateTrafficMirrorSession); --allow "+x.ID+" when it is right")
		case !ourTarget[x.TargetID]:
			add("moved-session", x.ID, "is ours, but mirrors "+x.NetworkInterfaceID+" to the target "+x.TargetID+", which Mirador did not make", "the round puts it back; find out who changed it (CloudTrail, ModifyTrafficMirrorSession)")
		}
	}
	for i := range o.Targets {
		t := &o.Targets[i]
		if !ourTarget[t.ID] && t.OwnerID == o.Identity.Account && !allowed(t.ID, t.OwnerID) {
			add("rogue-target", t.ID, "is a target that Mirador did not make: "+or(or(t.NetworkInterfaceID, t.NetworkLoadBalancerARN), t.GatewayLoadBalancerEndpointID)+" may get mirrored traffic",
				"find out who made it (CloudTrail, CreateTrafficMirrorTarget); --allow "+t.ID+" when it is right")
		}
	}
	w.compare(r)
}

// compare tells what alarms are new and which are over. A round that did not get as far
// changes nothing.
func (w *Watcher) compare(r *Round) {
	now := map[string]Finding{}
	for _, f := range r.Alarms {
		k := f.Code + " " + f.Subject
		now[k] = f
		if _, ok := w.alarms[k]; !ok {
			r.New = append(r.New, f)
		}
	}
	for k, f := range w.alarms {
		if _, ok := now[k]; !ok {
			r.Gone = append(r.Gone, f)
		}
	}
	slices.SortFunc(r.Gone, func(a, b Finding) int { return strings.Compare(a.Subject, b.Subject) })
	w.alarms = now
}
