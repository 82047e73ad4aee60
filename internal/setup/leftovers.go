package setup

import "strings"

// leftovers takes away what carries the tag of the stack and stands for nothing: what
// was replaced, what is no longer wanted, and what was made twice.
func (n *planner) leftovers() {
	w := n.w
	for i := range w.Sessions {
		x := &w.Sessions[i]
		n.gone(tagsOf(x.Tags), x.ID, kindSession, phaseSessionsGo, Step{Call: DeleteSession{Session: x.ID}})
	}
	for i := range w.Targets {
		x := &w.Targets[i]
		n.gone(tagsOf(x.Tags), x.ID, kindTarget, phaseTargetsGo, Step{Call: DeleteTarget{Target: x.ID}})
	}
	for i := range w.Filters {
		x := &w.Filters[i]
		n.gone(tagsOf(x.Tags), x.ID, kindFilter, phaseFiltersGo, Step{Call: DeleteFilter{Filter: x.ID}})
	}
	for i := range w.Endpoints {
		x := &w.Endpoints[i]
		if s := strings.ToLower(x.State); s == "deleted" {
			continue
		}
		n.gone(x.Tags, x.ID, kindEndpoint, phaseEndpointsGo, Step{Call: DeleteEndpoint{Endpoint: x.ID}}, Step{Call: Wait{For: WaitEndpointGone, ID: x.ID}})
	}
	for i := range w.Services {
		x := &w.Services[i]
		if strings.EqualFold(x.State, "deleted") {
			continue
		}
		n.gone(x.Tags, x.ID, kindService, phaseEndpointsGo, Step{Call: DeleteService{Service: x.ID}})
	}
	for i := range w.Listeners {
		// Listeners go with their load balancer; one that stays alone is one too many.
		x := &w.Listeners[i]
		if n.keep[x.Balancer] {
			n.gone(x.Tags, x.ARN, kindListener, phaseBalancerGo, Step{Call: DeleteListener{Listener: x.ARN}})
		}
	}
	for i := range w.Balancers {
		x := &w.Balancers[i]
		kind := kindNLB
		if x.Type == "gateway" {
			kind = kindGWLB
		}
		n.gone(x.Tags, x.ARN, kind, phaseBalancerGo, Step{Call: DeleteBalancer{Balancer: x.ARN}}, Step{Call: Wait{For: WaitBalancerGone, ID: x.ARN}})
	}
	for i := range w.TargetGroups {
		x := &w.TargetGroups[i]
		n.gone(x.Tags, x.ARN, kindTargets, phaseBalancerGo, Step{Call: DeleteTargetGroup{TargetGroup: x.ARN}})
	}
	for i := range w.Interfaces {
		x := &w.Interfaces[i]
		var steps []Step
		if x.AttachmentID != "" {
			steps = append(steps, Step{Call: DetachInterface{Attachment: x.AttachmentID}})
		}
		if x.Status != "available" {
			steps = append(steps, Step{Call: Wait{For: WaitInterfaceAvailable, ID: x.ID}})
		}
		n.gone(x.Tags, x.ID, kindInterface, phaseInterfacesGo, append(steps, Step{Call: DeleteInterface{Interface: x.ID}})...)
	}
	for i := range w.Groups {
		x := &w.Groups[i]
		n.gone(x.Tags, x.ID, kindGroup, phaseGroupsGo, Step{Call: DeleteGroup{Group: x.ID}})
	}
}

// gone adds the removal of a resource of the stack unless it stands for its key. Only
// what carries all three tags of ours is touched.
func (n *planner) gone(t Tags, id, kind string, p phase, steps ...Step) {
	if !n.ours(t, "") || t[TagManaged] != ManagedBy || t[TagKey] == "" || n.keep[id] {
		return
	}
	why := "is no longer wanted"
	switch {
	case n.p.Desired == nil:
		why = "belongs to stack " + n.stack
	case n.p.ids[t[TagKey]] != "":
		why = "was made twice; " + n.p.ids[t[TagKey]] + " stays"
	case n.replaced(t[TagKey]):
		why = "is replaced"
	}
	n.add(&Change{Mark: Delete, Kind: kind, Key: t[TagKey], ID: id, Name: t[tagName], Why: why, Steps: steps, phase: p})
}

// replaced tells whether another resource is made for key k.
func (n *planner) replaced(k string) bool {
	for _, c := range n.p.Changes {
		if c.Key == k && c.Mark == Replace {
			return true
		}
	}
	return false
}
