package mirror

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// describe is what the AWS CLI prints, of several commands. Fields that are of no use
// here are left out.
type describe struct {
	Filters []awsFilter  `json:"TrafficMirrorFilters"`
	Filter  *awsFilter   `json:"TrafficMirrorFilter"`
	Rules   []awsRule    `json:"TrafficMirrorFilterRules"`
	Session *awsSession  `json:"TrafficMirrorSession"`
	Many    []awsSession `json:"TrafficMirrorSessions"`
	Targets []awsTarget  `json:"TrafficMirrorTargets"`
	ENIs    []awsENI     `json:"NetworkInterfaces"`
	VPCs    []awsVPC     `json:"Vpcs"`
}

type awsTag struct{ Key, Value string }

type awsPorts struct{ FromPort, ToPort *int }

type awsRule struct {
	TrafficMirrorFilterRuleId, TrafficMirrorFilterId   string
	TrafficDirection, RuleAction                       string
	RuleNumber                                         int
	Protocol                                           *int
	SourcePortRange, DestinationPortRange              *awsPorts
	SourceCidrBlock, DestinationCidrBlock, Description string
	Tags                                               []awsTag
}

type awsFilter struct {
	TrafficMirrorFilterId, Description    string
	IngressFilterRules, EgressFilterRules []awsRule
	NetworkServices                       []string
	Tags                                  []awsTag
}

type awsSession struct {
	TrafficMirrorSessionId, TrafficMirrorTargetId, TrafficMirrorFilterId string
	NetworkInterfaceId, OwnerId, Description                             string
	PacketLength, SessionNumber                                          int
	VirtualNetworkId                                                     uint32
	Tags                                                                 []awsTag
}

type awsTarget struct {
	TrafficMirrorTargetId, NetworkInterfaceId, NetworkLoadBalancerArn string
	GatewayLoadBalancerEndpointId, OwnerId, Description               string
	Tags                                                              []awsTag
}

type awsENI struct {
	NetworkInterfaceId, InterfaceType, OwnerId, VpcId, SubnetId string
	AvailabilityZone, MacAddress, PrivateIpAddress, RequesterId string
	PrivateIpAddresses                                          []struct {
		PrivateIpAddress string
		Primary          bool
	}
	Ipv6Addresses []struct{ Ipv6Address string }
	Attachment    *struct{ InstanceId string }
	TagSet        []awsTag
}

type awsVPC struct {
	VpcId, CidrBlock        string
	CidrBlockAssociationSet []struct{ CidrBlock string }
}

// awsFile reads the output of the AWS CLI. ok is false when data is something else.
func awsFile(data []byte) (d describe, ok bool, err error) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(data, &keys) != nil {
		return d, false, nil
	}
	for _, k := range []string{"TrafficMirrorFilters", "TrafficMirrorFilter", "TrafficMirrorFilterRules", "TrafficMirrorSession",
		"TrafficMirrorSessions", "TrafficMirrorTargets", "NetworkInterfaces", "Vpcs"} {
		if keys[k] != nil {
			return d, true, json.Unmarshal(data, &d)
		}
	}
	return d, false, nil
}

// nameOf returns the tag Name, else id.
func nameOf(tags []awsTag, id string) string {
	for _, t := range tags {
		if t.Key == "Name" && t.Value != "" {
			return t.Value
		}
	}
	return id
}

func ours(tags []awsTag) []Tag {
	var out []Tag
	for _, t := range tags {
		out = append(out, Tag(t))
	}
	return out
}

func (d *describe) spec() (*Spec, error) {
	s := &Spec{}
	if d.Filter != nil {
		d.Filters = append(d.Filters, *d.Filter)
	}
	if d.Session != nil {
		d.Many = append(d.Many, *d.Session)
	}
	for i := range d.Filters {
		f, err := d.Filters[i].build()
		if err != nil {
			return nil, err
		}
		s.Filters = append(s.Filters, f)
	}
	if err := addRules(s, d.Rules); err != nil {
		return nil, err
	}
	for i := range d.Many {
		x := &d.Many[i]
		if x.TrafficMirrorSessionId == "" || checkSessionNumber(x.SessionNumber) != nil || x.VirtualNetworkId > MaxVNI || x.PacketLength < 0 {
			return nil, fmt.Errorf("session %q: id, number, VNI or packet length cannot be", x.TrafficMirrorSessionId)
		}
		s.Sessions = append(s.Sessions, Session{ID: x.TrafficMirrorSessionId, NetworkInterfaceID: x.NetworkInterfaceId, TargetID: x.TrafficMirrorTargetId,
			FilterID: x.TrafficMirrorFilterId, OwnerID: x.OwnerId, Number: x.SessionNumber, VNI: x.VirtualNetworkId, PacketLength: x.PacketLength,
			Description: x.Description, Tags: ours(x.Tags)})
	}
	for i := range d.Targets {
		x := &d.Targets[i]
		s.Targets = append(s.Targets, SpecTarget{Name: nameOf(x.Tags, x.TrafficMirrorTargetId), Target: Target{ID: x.TrafficMirrorTargetId,
			NetworkInterfaceID: x.NetworkInterfaceId, NetworkLoadBalancerARN: x.NetworkLoadBalancerArn,
			GatewayLoadBalancerEndpointID: x.GatewayLoadBalancerEndpointId, Description: x.Description, OwnerID: x.OwnerId, Tags: ours(x.Tags)}})
	}
	for i := range d.ENIs {
		x, err := d.ENIs[i].build()
		if err != nil {
			return nil, fmt.Errorf("network interface %q: %w", d.ENIs[i].NetworkInterfaceId, err)
		}
		s.Interfaces = append(s.Interfaces, x)
	}
	for i := range d.VPCs {
		x := &d.VPCs[i]
		list := []string{x.CidrBlock}
		for _, a := range x.CidrBlockAssociationSet {
			list = append(list, a.CidrBlock)
		}
		for _, c := range list {
			p, err := netip.ParsePrefix(c)
			if err != nil {
				continue // a range that is being associated may have none yet
			}
			if s.vpcs == nil {
				s.vpcs = make(map[string][]netip.Prefix)
			}
			if !slices.Contains(s.vpcs[x.VpcId], p) {
				s.vpcs[x.VpcId] = append(s.vpcs[x.VpcId], p)
			}
		}
	}
	return s, s.check()
}

// addRules puts the rules of describe-traffic-mirror-filter-rules into filters of s, which
// it makes.
func addRules(s *Spec, rules []awsRule) error {
	for i := range rules {
		r, err := rules[i].build()
		if err != nil {
			return err
		}
		at := slices.IndexFunc(s.Filters, func(f SpecFilter) bool { return f.ID == r.FilterID })
		if at < 0 {
			at = len(s.Filters)
			s.Filters = append(s.Filters, SpecFilter{Name: r.FilterID, Filter: Filter{ID: r.FilterID}})
		}
		f := &s.Filters[at]
		if !slices.ContainsFunc(f.Rules, func(o FilterRule) bool { return o.ID == r.ID }) {
			f.Rules = append(f.Rules, r)
		}
	}
	for i := range s.Filters {
		f := &s.Filters[i].Filter
		sortRules(f.Rules)
		if err := CheckFilter(f); err != nil {
			return fmt.Errorf("filter %s: %w", f.ID, err)
		}
	}
	return nil
}

func (x *awsFilter) build() (SpecFilter, error) {
	f := SpecFilter{Name: nameOf(x.Tags, x.TrafficMirrorFilterId), Filter: Filter{ID: x.TrafficMirrorFilterId, Description: x.Description,
		NetworkServices: slices.Clone(x.NetworkServices), Tags: ours(x.Tags)}}
	if f.ID == "" {
		return f, fmt.Errorf("a filter has no TrafficMirrorFilterId")
	}
	for _, list := range [][]awsRule{x.IngressFilterRules, x.EgressFilterRules} {
		for i := range list {
			r, err := list[i].build()
			if err != nil {
				return f, fmt.Errorf("filter %s: %w", f.ID, err)
			}
			r.FilterID = f.ID
			f.Rules = append(f.Rules, r)
		}
	}
	return f, nil
}

func (x *awsRule) build() (FilterRule, error) {
	r := FilterRule{ID: x.TrafficMirrorFilterRuleId, FilterID: x.TrafficMirrorFilterId, Number: x.RuleNumber, Action: Action(x.RuleAction),
		Protocol: AnyProtocol, Description: x.Description, Tags: ours(x.Tags)}
	fail := func(err error) (FilterRule, error) { return r, fmt.Errorf("rule %q: %w", r.ID, err) }
	var err error
	if r.Direction, err = parseDirection(x.TrafficDirection); err != nil {
		return fail(err)
	}
	if x.Protocol != nil {
		r.Protocol = *x.Protocol
	}
	if r.SourceCIDR, err = parseCIDR("SourceCidrBlock", x.SourceCidrBlock); err != nil {
		return fail(err)
	}
	if r.DestinationCIDR, err = parseCIDR("DestinationCidrBlock", x.DestinationCidrBlock); err != nil {
		return fail(err)
	}
	for _, p := range []struct {
		name string
		from *awsPorts
		to   **PortRange
	}{{"SourcePortRange", x.SourcePortRange, &r.SourcePorts}, {"DestinationPortRange", x.DestinationPortRange, &r.DestinationPorts}} {
		if p.from == nil || p.from.FromPort == nil && p.from.ToPort == nil {
			continue
		}
		if *p.to, err = parsePorts(p.name, &PortRangeParams{From: p.from.FromPort, To: p.from.ToPort}); err != nil {
			return fail(err)
		}
	}
	return r, nil
}

func (x *awsENI) build() (SpecInterface, error) {
	i := SpecInterface{Name: nameOf(x.TagSet, x.NetworkInterfaceId), Interface: Interface{ID: x.NetworkInterfaceId, Kind: x.InterfaceType, OwnerID: x.OwnerId,
		VPC: x.VpcId, Subnet: x.SubnetId, AZ: x.AvailabilityZone, RequesterID: x.RequesterId}}
	if x.Attachment != nil {
		i.InstanceID = x.Attachment.InstanceId
	}
	if x.MacAddress != "" {
		m, err := net.ParseMAC(x.MacAddress)
		if err != nil || len(m) != 6 {
			return i, fmt.Errorf("MacAddress %q is no Ethernet address", x.MacAddress)
		}
		i.MAC = [6]byte(m)
	}
	list := []string{x.PrivateIpAddress}
	for _, a := range x.PrivateIpAddresses {
		list = append(list, a.PrivateIpAddress)
	}
	for _, a := range x.Ipv6Addresses {
		list = append(list, a.Ipv6Address)
	}
	for _, s := range list {
		if s == "" {
			continue
		}
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return i, fmt.Errorf("%q is no IP address", s)
		}
		if a = a.Unmap(); !slices.Contains(i.Addrs, a) {
			i.Addrs = append(i.Addrs, a)
		}
	}
	return i, nil
}
