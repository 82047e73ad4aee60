package mirror

import "slices"

// CreateFilter makes a filter without rules and network services, which mirrors nothing.
func (b *Book) CreateFilter(p CreateFilterParams) (Filter, error) {
	key := p
	key.ClientToken = ""
	if id, err := b.replay("CreateFilter", p.ClientToken, key); err != nil || id != "" {
		f, _ := b.Filter(id)
		return f, err
	}
	if err := checkDescription(p.Description); err != nil {
		return Filter{}, err
	}
	if err := checkTags(p.Tags); err != nil {
		return Filter{}, err
	}
	if len(b.filters) >= b.quotas.Filters {
		return Filter{}, refuse(CodeFilterLimit, "Traffic mirror filter limit reached (%d)", b.quotas.Filters)
	}
	f := &Filter{ID: b.newID(prefixFilter), Description: p.Description, Tags: slices.Clone(p.Tags)}
	b.addFilter(f)
	b.remember("CreateFilter", p.ClientToken, key, f.ID)
	return *copyFilter(f), nil
}

func filterNotFound(id string) *Error {
	return refuse(CodeFilterNotFound, "The traffic mirror filter ID '%s' does not exist", id)
}

// DeleteFilter removes a filter that no session uses, and its rules.
func (b *Book) DeleteFilter(id string) error {
	if id == "" {
		return missing("TrafficMirrorFilterId")
	}
	f := b.filters[id]
	if f == nil {
		return filterNotFound(id)
	}
	for _, s := range b.sessionIDs {
		if b.sessions[s].FilterID == id {
			return refuse(CodeFilterInUse, "Cannot delete %s Filter is in use by %s", id, s)
		}
	}
	for i := range f.Rules {
		delete(b.rules, f.Rules[i].ID)
	}
	b.touch(id)
	delete(b.filters, id)
	b.filterIDs = without(b.filterIDs, id)
	return nil
}

// ModifyFilterNetworkServices adds and removes network services. What is there already is
// added again, and what is not there removed, without complaint.
func (b *Book) ModifyFilterNetworkServices(p ModifyFilterNetworkServicesParams) (Filter, error) {
	if p.FilterID == "" {
		return Filter{}, missing("TrafficMirrorFilterId")
	}
	for _, l := range []struct {
		parameter string
		services  []string
	}{{"AddNetworkService", p.Add}, {"RemoveNetworkService", p.Remove}} {
		for _, s := range l.services {
			if s != AmazonDNS {
				return Filter{}, invalid(l.parameter, s, "Allowed values are amazon-dns.")
			}
		}
	}
	if len(p.Add) > 0 && len(p.Remove) > 0 {
		return Filter{}, refuse(CodeInvalidCombination, "A network service can be added or removed, not both")
	}
	f := b.filters[p.FilterID]
	if f == nil {
		return Filter{}, filterNotFound(p.FilterID)
	}
	b.touch(f.ID)
	if len(p.Remove) > 0 {
		f.NetworkServices = nil
	}
	if len(p.Add) > 0 {
		f.NetworkServices = []string{AmazonDNS}
	}
	return *copyFilter(f), nil
}

// CreateFilterRule makes a rule in a filter.
func (b *Book) CreateFilterRule(p CreateFilterRuleParams) (FilterRule, error) {
	key := p
	key.ClientToken = ""
	if id, err := b.replay("CreateFilterRule", p.ClientToken, key); err != nil || id != "" {
		r, _ := b.FilterRule(id)
		return r, err
	}
	if p.FilterID == "" {
		return FilterRule{}, missing("TrafficMirrorFilterId")
	}
	r, err := b.newRule(&p)
	if err != nil {
		return FilterRule{}, err
	}
	f := b.filters[p.FilterID]
	if f == nil {
		return FilterRule{}, filterNotFound(p.FilterID)
	}
	if err := b.checkRuleFree(f, r, ""); err != nil {
		return FilterRule{}, err
	}
	if len(f.Rules) >= b.quotas.RulesPerFilter {
		return FilterRule{}, refuse(CodeFilterRuleLimit, "Rules per filter limit reached (%d)", b.quotas.RulesPerFilter)
	}
	r.ID, r.FilterID = b.newID(prefixRule), f.ID
	b.touch(f.ID)
	f.Rules = append(f.Rules, *r)
	sortRules(f.Rules)
	b.rules[r.ID] = f.ID
	b.remember("CreateFilterRule", p.ClientToken, key, r.ID)
	return copyRule(r), nil
}

// newRule checks the parameters of a rule and makes it of them.
func (b *Book) newRule(p *CreateFilterRuleParams) (*FilterRule, error) {
	r := &FilterRule{Protocol: AnyProtocol, Description: p.Description, Tags: slices.Clone(p.Tags)}
	var err error
	if r.Direction, err = parseDirection(p.Direction); err != nil {
		return nil, err
	}
	if p.Number == nil {
		return nil, missing("RuleNumber")
	}
	if err = checkRuleNumber(*p.Number); err != nil {
		return nil, err
	}
	r.Number = *p.Number
	if r.Action, err = parseAction(p.Action); err != nil {
		return nil, err
	}
	if r.DestinationCIDR, err = parseCIDR("DestinationCidrBlock", p.DestinationCIDR); err != nil {
		return nil, err
	}
	if r.SourceCIDR, err = parseCIDR("SourceCidrBlock", p.SourceCIDR); err != nil {
		return nil, err
	}
	if p.Protocol != nil {
		if r.Protocol, err = b.protocol(*p.Protocol); err != nil {
			return nil, err
		}
	}
	if r.SourcePorts, err = parsePorts("SourcePortRange", p.SourcePorts); err != nil {
		return nil, err
	}
	if r.DestinationPorts, err = parsePorts("DestinationPortRange", p.DestinationPorts); err != nil {
		return nil, err
	}
	if err = checkRule(r); err != nil {
		return nil, err
	}
	if err = checkDescription(p.Description); err != nil {
		return nil, err
	}
	return r, checkTags(p.Tags)
}

// checkRuleFree tells whether direction and number of r are free in f, but for the rule
// with id except.
func (b *Book) checkRuleFree(f *Filter, r *FilterRule, except string) error {
	for i := range f.Rules {
		if o := &f.Rules[i]; o.ID != except && o.Direction == r.Direction && o.Number == r.Number {
			return refuse(CodeFilterRuleExists, "The %v rule number %d already exists in %s: %s", r.Direction, r.Number, f.ID, o.ID)
		}
	}
	return nil
}

func ruleNotFound(id string) *Error {
	return refuse(CodeFilterRuleNotFound, "The traffic mirror filter rule ID '%s' does not exist", id)
}

// The names of RemoveField.
const (
	FieldDestinationPorts = "destination-port-range"
	FieldSourcePorts      = "source-port-range"
	FieldProtocol         = "protocol"
	FieldDescription      = "description"
	FieldPacketLength     = "packet-length"
	FieldVNI              = "virtual-network-id"
)

// ModifyFilterRule changes a rule. A port range is only taken together with a protocol in
// the same request, as AWS does. AWS does not return the tags of the rule in its answer;
// this does.
func (b *Book) ModifyFilterRule(p ModifyFilterRuleParams) (FilterRule, error) {
	if p.RuleID == "" {
		return FilterRule{}, missing("TrafficMirrorFilterRuleId")
	}
	err := removals(p.RemoveFields, []string{FieldDestinationPorts, FieldSourcePorts, FieldProtocol, FieldDescription}, map[string]bool{
		FieldDestinationPorts: p.DestinationPorts != nil, FieldSourcePorts: p.SourcePorts != nil,
		FieldProtocol: p.Protocol != nil, FieldDescription: p.Description != nil && *p.Description != "",
	})
	if err != nil {
		return FilterRule{}, err
	}
	if (p.SourcePorts != nil || p.DestinationPorts != nil) && p.Protocol == nil && !b.o.Switches.PortsWithoutProtocolInModify {
		return FilterRule{}, refuse(CodeInvalidCombination, "A port range can be given only together with Protocol 6 (TCP) or 17 (UDP)")
	}
	old := b.rule(p.RuleID)
	if old == nil {
		return FilterRule{}, ruleNotFound(p.RuleID)
	}
	r := copyRule(old)
	if err := b.changeRule(&r, &p); err != nil {
		return FilterRule{}, err
	}
	f := b.filters[r.FilterID]
	if err := b.checkRuleFree(f, &r, r.ID); err != nil {
		return FilterRule{}, err
	}
	*old = r
	b.touch(f.ID)
	sortRules(f.Rules)
	return copyRule(&r), nil
}

// changeRule applies p to r.
func (b *Book) changeRule(r *FilterRule, p *ModifyFilterRuleParams) (err error) {
	for _, f := range p.RemoveFields {
		switch f {
		case FieldDestinationPorts:
			r.DestinationPorts = nil
		case FieldSourcePorts:
			r.SourcePorts = nil
		case FieldProtocol:
			r.Protocol = AnyProtocol
		case FieldDescription:
			r.Description = ""
		}
	}
	if p.Direction != nil {
		if r.Direction, err = parseDirection(*p.Direction); err != nil {
			return err
		}
	}
	if p.Number != nil {
		if err = checkRuleNumber(*p.Number); err != nil {
			return err
		}
		r.Number = *p.Number
	}
	if p.Action != nil {
		if r.Action, err = parseAction(*p.Action); err != nil {
			return err
		}
	}
	if p.DestinationCIDR != nil {
		if r.DestinationCIDR, err = parseCIDR("DestinationCidrBlock", *p.DestinationCIDR); err != nil {
			return err
		}
	}
	if p.SourceCIDR != nil {
		if r.SourceCIDR, err = parseCIDR("SourceCidrBlock", *p.SourceCIDR); err != nil {
			return err
		}
	}
	if p.Protocol != nil {
		if r.Protocol, err = b.protocol(*p.Protocol); err != nil {
			return err
		}
	}
	if p.SourcePorts != nil {
		if r.SourcePorts, err = parsePorts("SourcePortRange", p.SourcePorts); err != nil {
			return err
		}
	}
	if p.DestinationPorts != nil {
		if r.DestinationPorts, err = parsePorts("DestinationPortRange", p.DestinationPorts); err != nil {
			return err
		}
	}
	if p.Description != nil && *p.Description != "" {
		r.Description = *p.Description
	}
	if err = checkDescription(r.Description); err != nil {
		return err
	}
	return checkRule(r)
}

// DeleteFilterRule removes a rule.
func (b *Book) DeleteFilterRule(id string) error {
	if id == "" {
		return missing("TrafficMirrorFilterRuleId")
	}
	f := b.filters[b.rules[id]]
	if f == nil {
		return ruleNotFound(id)
	}
	b.touch(f.ID)
	f.Rules = slices.DeleteFunc(f.Rules, func(r FilterRule) bool { return r.ID == id })
	delete(b.rules, id)
	return nil
}
