package mirror

import "slices"

// CreateTarget makes a target. What it points to must be there; an interface that is a
// mirror source cannot be one.
func (b *Book) CreateTarget(w World, p CreateTargetParams) (Target, error) {
	key := p
	key.ClientToken = ""
	if id, err := b.replay("CreateTarget", p.ClientToken, key); err != nil || id != "" {
		t, _ := b.Target(id)
		return t, err
	}
	t := &Target{
		NetworkInterfaceID: p.NetworkInterfaceID, NetworkLoadBalancerARN: p.NetworkLoadBalancerARN,
		GatewayLoadBalancerEndpointID: p.GatewayLoadBalancerEndpointID,
		Description:                   p.Description, OwnerID: b.o.AccountID, Tags: slices.Clone(p.Tags),
	}
	n := 0
	for _, s := range []string{p.NetworkInterfaceID, p.NetworkLoadBalancerARN, p.GatewayLoadBalancerEndpointID} {
		if s != "" {
			n++
		}
	}
	if n != 1 {
		return Target{}, refuse(CodeInvalidCombination,
			"Exactly one of NetworkInterfaceId, NetworkLoadBalancerArn and GatewayLoadBalancerEndpointId must be specified")
	}
	if err := checkDescription(p.Description); err != nil {
		return Target{}, err
	}
	if err := checkTags(p.Tags); err != nil {
		return Target{}, err
	}
	if err := b.checkResource(w, t); err != nil {
		return Target{}, err
	}
	if t.NetworkInterfaceID != "" && len(b.bySource[t.NetworkInterfaceID]) > 0 {
		return Target{}, refuse(CodeInvalidValue,
			"%s is the source of a traffic mirror session and cannot be a traffic mirror target", t.NetworkInterfaceID)
	}
	if b.o.Switches.DuplicateTargetsRefused {
		for _, id := range b.targetIDs {
			o := b.targets[id]
			if o.NetworkInterfaceID == t.NetworkInterfaceID && o.NetworkLoadBalancerARN == t.NetworkLoadBalancerARN &&
				o.GatewayLoadBalancerEndpointID == t.GatewayLoadBalancerEndpointID {
				return Target{}, refuse(CodeInvalidTarget, "%s is the same target already", id)
			}
		}
	}
	if len(b.targets) >= b.quotas.Targets {
		return Target{}, refuse(CodeTargetLimit, "Traffic mirror target limit reached (%d)", b.quotas.Targets)
	}
	t.ID = b.newID(prefixTarget)
	b.addTarget(t)
	b.remember("CreateTarget", p.ClientToken, key, t.ID)
	return *copyTarget(t), nil
}

// checkResource tells whether what t points to is there and can be a target.
func (b *Book) checkResource(w World, t *Target) error {
	switch t.Type() {
	case TargetInterface:
		id := t.NetworkInterfaceID
		i, ok := w.Interface(id)
		if !ok && !WellFormedID("eni-", id) {
			return refuse(CodeInterfaceMalformed, "Invalid id: %q (expecting \"eni-...\")", id)
		}
		if !ok || !b.visible(&i) {
			return refuse(CodeInvalidTarget, "The interface ID '%s' does not exist", id)
		}
		if !slices.Contains(sourceKinds, i.Kind) {
			return refuse(CodeInvalidTarget, "The interface %s is of type %s and cannot be a traffic mirror target", id, i.Kind)
		}
	case TargetNLB:
		arn := t.NetworkLoadBalancerARN
		if w.NetworkLoadBalancer(arn) {
			return nil
		}
		if !nlbARN.MatchString(arn) {
			return refuse(CodeNLBMalformed, "'%s' is not a valid network load balancer ARN", arn)
		}
		return refuse(CodeNLBNotFound, "The network load balancer '%s' does not exist", arn)
	case TargetGWLB:
		id := t.GatewayLoadBalancerEndpointID
		if w.GatewayEndpoint(id) {
			return nil
		}
		if !WellFormedID("vpce-", id) {
			return refuse(CodeEndpointMalformed, "Invalid id: %q (expecting \"vpce-...\")", id)
		}
		return refuse(CodeEndpointNotFound, "The Vpc Endpoint Id '%s' does not exist", id)
	}
	return nil
}

// DeleteTarget removes a target that no session of the account uses. Sessions of other
// accounts, which it may be shared with, do not hold it; they become inactive.
func (b *Book) DeleteTarget(id string) error {
	if id == "" {
		return missing("TrafficMirrorTargetId")
	}
	if b.targets[id] == nil {
		return targetNotFound(id)
	}
	for _, s := range b.sessionIDs {
		if b.sessions[s].TargetID == id {
			return refuse(CodeTargetInUse, "Cannot delete %s Target is in use by %s", id, s)
		}
	}
	b.touch(id)
	delete(b.targets, id)
	b.targetIDs = without(b.targetIDs, id)
	return nil
}

func targetNotFound(id string) *Error {
	return refuse(CodeTargetNotFound, "The traffic mirror target ID '%s' does not exist", id)
}

// anyTarget returns a target of the account, or one that is shared with it and how many
// sources of other accounts it has.
func (b *Book) anyTarget(w World, id string) (t *Target, others int) {
	if t := b.targets[id]; t != nil {
		return t, 0
	}
	if s, ok := w.SharedTarget(id); ok {
		return &s.Target, s.OtherSources
	}
	return nil, 0
}

// InterfaceDeleted removes the sessions whose source was this interface, which is gone,
// and returns their ids. Targets that were this interface stay, and so do the sessions
// that mirror to them: they mirror nothing until they are modified (Status tells).
func (b *Book) InterfaceDeleted(id string) []string {
	gone := slices.Clone(b.bySource[id])
	for _, s := range gone {
		b.removeSession(s)
	}
	return gone
}
