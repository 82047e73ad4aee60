package vpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// MaxImportFile bounds one file with the output of a Describe call, in bytes: ten
// thousand instances with all that the AWS CLI prints of them.
const MaxImportFile = 128 << 20

// Importer makes a topology of what the AWS CLI prints for Describe calls (JSON, or YAML
// with --output yaml). Files are told apart by what is in them.
type Importer struct {
	d       described
	healths []describedHealth
	attrs   []describedAttributes
	report  []string
}

// Report is what was not taken over, a line each.
func (m *Importer) Report() []string { return m.report }

func (m *Importer) say(format string, args ...any) {
	m.report = append(m.report, fmt.Sprintf(format, args...))
}

// Add reads one file.
func (m *Importer) Add(name string, data []byte) error {
	if len(data) > MaxImportFile {
		return fmt.Errorf("%s: %d bytes, at most %d are read", name, len(data), MaxImportFile)
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		m.say("%s: empty", name)
		return nil
	}
	if data[0] != '{' {
		var err error
		if data, err = toJSON(data); err != nil {
			return fmt.Errorf("%s: neither JSON nor YAML as the AWS CLI prints it: %w", name, err)
		}
	}
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &keys); err != nil {
		return fmt.Errorf("%s: %w", name, place(data, err))
	}
	d := described{}
	known := d.known()
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		switch {
		case k == "TargetHealthDescriptions", k == "Attributes", slices.Contains(known, k):
		case k == "NextToken" || k == "NextMarker":
			if string(keys[k]) != `""` && string(keys[k]) != "null" {
				m.say("%s: the output has more pages (%s), which are not in the file", name, k)
			}
		default:
			m.say("%s: %s is not imported", name, k)
		}
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("%s: %w", name, place(data, err))
	}
	m.d.merge(&d)
	if raw, ok := keys["TargetHealthDescriptions"]; ok {
		h := describedHealth{file: name}
		if err := json.Unmarshal(raw, &h.targets); err != nil {
			return fmt.Errorf("%s: TargetHealthDescriptions: %w", name, err)
		}
		m.healths = append(m.healths, h)
	}
	if raw, ok := keys["Attributes"]; ok {
		a := describedAttributes{file: name}
		if err := json.Unmarshal(raw, &a.list); err != nil {
			return fmt.Errorf("%s: Attributes: %w", name, err)
		}
		m.attrs = append(m.attrs, a)
	}
	return nil
}

// toJSON converts YAML, for a package that panics on some malformed files.
func toJSON(data []byte) (out []byte, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("malformed YAML")
		}
	}()
	return yaml.YAMLToJSON(data)
}

// place adds line and column to an error of encoding/json.
func place(data []byte, err error) error {
	var at int64
	var s *json.SyntaxError
	var u *json.UnmarshalTypeError
	switch {
	case errors.As(err, &s):
		at = s.Offset
	case errors.As(err, &u):
		at = u.Offset
	default:
		return err
	}
	head := data[:min(int(at), len(data))]
	line := bytes.Count(head, []byte("\n")) + 1
	return fmt.Errorf("line %d column %d: %w", line, len(head)-bytes.LastIndexByte(head, '\n'), err)
}

// The parts of Describe answers that are used, as the AWS CLI names them.
type (
	described struct {
		Vpcs                     []describedVPC
		Subnets                  []describedSubnet
		SecurityGroups           []describedGroup
		NetworkAcls              []describedACL
		RouteTables              []describedTable
		InternetGateways         []describedGateway
		Reservations             []struct{ Instances []describedInstance }
		NetworkInterfaces        []describedENI
		TrafficMirrorTargets     []describedTarget
		TrafficMirrorFilters     []describedFilter
		TrafficMirrorFilterRules []describedFilterRule
		TrafficMirrorSessions    []describedSession
		LoadBalancers            []describedBalancer
		TargetGroups             []describedTargetGroup
		Listeners                []describedListener
		VpcEndpoints             []describedEndpoint
		ServiceConfigurations    []describedService
	}
	describedTag struct{ Key, Value string }
	describedVPC struct {
		VpcID                       string `json:"VpcId"`
		CidrBlock                   string
		CidrBlockAssociationSet     []struct{ CidrBlock string }
		Ipv6CidrBlockAssociationSet []struct{ Ipv6CidrBlock string }
		OwnerID                     string `json:"OwnerId"`
		Tags                        []describedTag
	}
	describedSubnet struct {
		SubnetID                    string `json:"SubnetId"`
		VpcID                       string `json:"VpcId"`
		CidrBlock                   string
		Ipv6CidrBlockAssociationSet []struct{ Ipv6CidrBlock string }
		AvailabilityZone            string
		Ipv6Native                  bool
		OwnerID                     string `json:"OwnerId"`
		Tags                        []describedTag
	}
	describedPermission struct {
		IPProtocol       string `json:"IpProtocol"`
		FromPort, ToPort *int
		IPRanges         []struct {
			CidrIP      string `json:"CidrIp"`
			Description string
		} `json:"IpRanges"`
		IPv6Ranges []struct {
			CidrIPv6    string `json:"CidrIpv6"`
			Description string
		} `json:"Ipv6Ranges"`
		UserIDGroupPairs []struct {
			GroupID     string `json:"GroupId"`
			Description string
		} `json:"UserIdGroupPairs"`
		PrefixListIDs []struct {
			PrefixListID string `json:"PrefixListId"`
			Description  string
		} `json:"PrefixListIds"`
	}
	describedGroup struct {
		GroupID             string `json:"GroupId"`
		GroupName           string
		Description         string
		VpcID               string                `json:"VpcId"`
		IPPermissions       []describedPermission `json:"IpPermissions"`
		IPPermissionsEgress []describedPermission `json:"IpPermissionsEgress"`
		Tags                []describedTag
	}
	describedACL struct {
		NetworkACLID string `json:"NetworkAclId"`
		VpcID        string `json:"VpcId"`
		IsDefault    bool
		Associations []struct {
			SubnetID string `json:"SubnetId"`
		}
		Entries []struct {
			CidrBlock, Ipv6CidrBlock string
			Egress                   bool
			Protocol, RuleAction     string
			RuleNumber               int
			PortRange                *struct{ From, To int }
			IcmpTypeCode             *struct{ Type, Code int }
		}
		Tags []describedTag
	}
	describedTable struct {
		RouteTableID string `json:"RouteTableId"`
		VpcID        string `json:"VpcId"`
		Associations []struct {
			Main     bool
			SubnetID string `json:"SubnetId"`
		}
		Routes []map[string]any
		Tags   []describedTag
	}
	describedGateway struct {
		InternetGatewayID string `json:"InternetGatewayId"`
		Attachments       []struct {
			VpcID string `json:"VpcId"`
		}
	}
	describedInstance struct {
		InstanceID        string `json:"InstanceId"`
		InstanceType      string
		State             struct{ Name string }
		VpcID             string `json:"VpcId"`
		NetworkInterfaces []describedENI
		Tags              []describedTag
	}
	describedENI struct {
		NetworkInterfaceID string `json:"NetworkInterfaceId"`
		InterfaceType      string
		Description        string
		VpcID              string `json:"VpcId"`
		SubnetID           string `json:"SubnetId"`
		MacAddress         string
		SourceDestCheck    *bool
		Groups             []struct {
			GroupID string `json:"GroupId"`
		}
		PrivateIPAddress   string `json:"PrivateIpAddress"`
		PrivateIPAddresses []struct {
			Primary          bool
			PrivateIPAddress string `json:"PrivateIpAddress"`
		} `json:"PrivateIpAddresses"`
		Ipv6Addresses []struct{ Ipv6Address string }
		Attachment    *struct {
			DeviceIndex int
			InstanceID  string `json:"InstanceId"`
		}
		TagSet []describedTag
	}
	describedTarget struct {
		TrafficMirrorTargetID         string `json:"TrafficMirrorTargetId"`
		NetworkInterfaceID            string `json:"NetworkInterfaceId"`
		NetworkLoadBalancerARN        string `json:"NetworkLoadBalancerArn"`
		GatewayLoadBalancerEndpointID string `json:"GatewayLoadBalancerEndpointId"`
		Description                   string
		Tags                          []describedTag
	}
	describedFilterRule struct {
		TrafficMirrorFilterRuleID string `json:"TrafficMirrorFilterRuleId"`
		TrafficMirrorFilterID     string `json:"TrafficMirrorFilterId"`
		TrafficDirection          string
		RuleNumber                int
		RuleAction                string
		Protocol                  *int
		SourcePortRange           *struct{ FromPort, ToPort int }
		DestinationPortRange      *struct{ FromPort, ToPort int }
		SourceCidrBlock           string
		DestinationCidrBlock      string
		Description               string
	}
	describedFilter struct {
		TrafficMirrorFilterID string `json:"TrafficMirrorFilterId"`
		IngressFilterRules    []describedFilterRule
		EgressFilterRules     []describedFilterRule
		NetworkServices       []string
		Description           string
		Tags                  []describedTag
	}
	describedSession struct {
		TrafficMirrorSessionID string `json:"TrafficMirrorSessionId"`
		TrafficMirrorTargetID  string `json:"TrafficMirrorTargetId"`
		TrafficMirrorFilterID  string `json:"TrafficMirrorFilterId"`
		NetworkInterfaceID     string `json:"NetworkInterfaceId"`
		PacketLength           *int
		SessionNumber          int
		VirtualNetworkID       int `json:"VirtualNetworkId"`
		Description            string
		Tags                   []describedTag
	}
	describedBalancer struct {
		LoadBalancerARN   string `json:"LoadBalancerArn"`
		LoadBalancerName  string
		Type              string
		VpcID             string `json:"VpcId"`
		AvailabilityZones []struct {
			SubnetID string `json:"SubnetId"`
		}
		SecurityGroups []string
	}
	describedTargetGroup struct {
		TargetGroupARN             string `json:"TargetGroupArn"`
		TargetGroupName            string
		Protocol                   string
		Port                       int
		VpcID                      string `json:"VpcId"`
		TargetType                 string
		HealthCheckProtocol        string
		HealthCheckPort            string
		HealthCheckPath            string
		HealthCheckIntervalSeconds int
		HealthCheckTimeoutSeconds  int
		HealthyThresholdCount      int
		UnhealthyThresholdCount    int
		Matcher                    *struct {
			HTTPCode string `json:"HttpCode"`
		}
	}
	describedListener struct {
		ListenerARN     string `json:"ListenerArn"`
		LoadBalancerARN string `json:"LoadBalancerArn"`
		Protocol        string
		Port            int
		DefaultActions  []struct {
			Type           string
			TargetGroupARN string `json:"TargetGroupArn"`
			ForwardConfig  *struct {
				TargetGroups []struct {
					TargetGroupARN string `json:"TargetGroupArn"`
				}
			}
		}
	}
	describedEndpoint struct {
		VpcEndpointID       string `json:"VpcEndpointId"`
		VpcEndpointType     string
		ServiceName         string
		SubnetIDs           []string `json:"SubnetIds"`
		NetworkInterfaceIDs []string `json:"NetworkInterfaceIds"`
		Tags                []describedTag
	}
	describedService struct {
		ServiceID               string `json:"ServiceId"`
		ServiceName             string
		GatewayLoadBalancerARNs []string `json:"GatewayLoadBalancerArns"`
		NetworkLoadBalancerARNs []string `json:"NetworkLoadBalancerArns"`
		Tags                    []describedTag
	}
	describedHealth struct {
		file    string
		targets []struct {
			Target struct {
				ID   string `json:"Id"`
				Port int
			}
		}
	}
	describedAttributes struct {
		file string
		list []describedTag
	}
)

func (d *described) known() []string {
	return []string{
		"Vpcs", "Subnets", "SecurityGroups", "NetworkAcls", "RouteTables", "InternetGateways", "Reservations", "NetworkInterfaces",
		"TrafficMirrorTargets", "TrafficMirrorFilters", "TrafficMirrorFilterRules", "TrafficMirrorSessions", "LoadBalancers", "TargetGroups",
		"Listeners", "VpcEndpoints", "ServiceConfigurations",
	}
}

func (d *described) merge(o *described) {
	d.Vpcs = append(d.Vpcs, o.Vpcs...)
	d.Subnets = append(d.Subnets, o.Subnets...)
	d.SecurityGroups = append(d.SecurityGroups, o.SecurityGroups...)
	d.NetworkAcls = append(d.NetworkAcls, o.NetworkAcls...)
	d.RouteTables = append(d.RouteTables, o.RouteTables...)
	d.InternetGateways = append(d.InternetGateways, o.InternetGateways...)
	d.Reservations = append(d.Reservations, o.Reservations...)
	d.NetworkInterfaces = append(d.NetworkInterfaces, o.NetworkInterfaces...)
	d.TrafficMirrorTargets = append(d.TrafficMirrorTargets, o.TrafficMirrorTargets...)
	d.TrafficMirrorFilters = append(d.TrafficMirrorFilters, o.TrafficMirrorFilters...)
	d.TrafficMirrorFilterRules = append(d.TrafficMirrorFilterRules, o.TrafficMirrorFilterRules...)
	d.TrafficMirrorSessions = append(d.TrafficMirrorSessions, o.TrafficMirrorSessions...)
	d.LoadBalancers = append(d.LoadBalancers, o.LoadBalancers...)
	d.TargetGroups = append(d.TargetGroups, o.TargetGroups...)
	d.Listeners = append(d.Listeners, o.Listeners...)
	d.VpcEndpoints = append(d.VpcEndpoints, o.VpcEndpoints...)
	d.ServiceConfigurations = append(d.ServiceConfigurations, o.ServiceConfigurations...)
}

// topo gives a thing its name and tags.
func topo(id string, tags []describedTag) Topo {
	t := Topo{ID: id}
	for _, x := range tags {
		switch {
		case x.Key == "Name":
			t.Name = x.Value
		default:
			if t.Tags == nil {
				t.Tags = map[string]string{}
			}
			t.Tags[x.Key] = x.Value
		}
	}
	return t
}

// one finds what a file is about whose content does not say: the thing whose name is in
// the file's name, the longest of them.
func one(file string, names []string) string {
	base, best := filepath.Base(file), ""
	for _, n := range names {
		if n != "" && strings.Contains(base, n) && len(n) > len(best) {
			best = n
		}
	}
	return best
}

// portText writes a range as topology files have it.
func portText(from, to int) string {
	if from == to {
		return strconv.Itoa(from)
	}
	return strconv.Itoa(from) + "-" + strconv.Itoa(to)
}
