package mirror

import (
	"fmt"
	"strings"
)

// Switches choose where AWS's documentation leaves open what happens. The zero value is
// what this program takes AWS to do. SwitchTable has a note on each;
// docs/reference/mirroring-switches.md is made of it.
type Switches struct {
	RejectStops                  bool `json:"rejectStops,omitempty"`
	FragmentsIgnorePorts         bool `json:"fragmentsIgnorePorts,omitempty"`
	NoLengthFloor                bool `json:"noLengthFloor,omitempty"`
	InactiveSessionsSkipped      bool `json:"inactiveSessionsSkipped,omitempty"`
	AllNTPExcluded               bool `json:"allNtpExcluded,omitempty"`
	NeighborDiscoveryExcluded    bool `json:"neighborDiscoveryExcluded,omitempty"`
	AllResolverTrafficIsDNS      bool `json:"allResolverTrafficIsDns,omitempty"`
	DuplicateSessionNumbers      bool `json:"duplicateSessionNumbers,omitempty"`
	DuplicateTargetsRefused      bool `json:"duplicateTargetsRefused,omitempty"`
	VNIZeroRefused               bool `json:"vniZeroRefused,omitempty"`
	LongPacketLength             bool `json:"longPacketLength,omitempty"`
	ProtocolMinusOne             bool `json:"protocolMinusOne,omitempty"`
	AnySourceType                bool `json:"anySourceType,omitempty"`
	ManagedSourcesAsDocumented   bool `json:"managedSourcesAsDocumented,omitempty"`
	DetachedSourcesAllowed       bool `json:"detachedSourcesAllowed,omitempty"`
	PortsWithoutProtocolInModify bool `json:"portsWithoutProtocolInModify,omitempty"`
}

// SwitchInfo describes one of Switches.
type SwitchInfo struct {
	Name  string // as in files and flags: "reject-stops"
	Where string // "data plane" or "API"
	Off   string // what happens by default
	On    string // what happens with the switch
	Note  string // what is known, and why the default is what it is
	field func(*Switches) *bool
}

// SwitchTable returns all switches.
func SwitchTable() []SwitchInfo {
	const plane, api = "data plane", "API"
	return []SwitchInfo{
		{"reject-stops", plane, "a packet that a session rejects is offered to the next session", "a reject rule ends the search in all sessions",
			"AWS writes that the first session with a matching filter mirrors the packet, not whether a rejected packet has matched. Rejecting is read as: not for this session.",
			func(s *Switches) *bool { return &s.RejectStops }},
		{"fragments-ignore-ports", plane, "later fragments of TCP and UDP match no rule that has a port range", "they match as if the rule had no port range",
			"Only the first fragment has ports. Undocumented; network ACLs and security groups of AWS do not show how mirroring does it.",
			func(s *Switches) *bool { return &s.FragmentsIgnorePorts }},
		{"no-length-floor", plane, "a packet length below 35 bytes (IPv4) or 55 (IPv6) mirrors that many", "any packet length is taken literally",
			"The guide says that the length cannot be less; the API takes 1 (Terraform's tests use it). What happens to shorter ones is not said.",
			func(s *Switches) *bool { return &s.NoLengthFloor }},
		{"inactive-sessions-skipped", plane, "a session whose target is gone still takes its packets, and mirrors nothing", "it is skipped, and later sessions may take the packets",
			"The guide says that such a session stays and stops mirroring until it is modified, not what becomes of its packets.",
			func(s *Switches) *bool { return &s.InactiveSessionsSkipped }},
		{"all-ntp-excluded", plane, "only NTP with the Amazon Time Sync Service (169.254.169.123, fd00:ec2::123) is never mirrored", "no NTP (UDP port 123) is",
			"The guide lists NTP without more; a capture made with AWS mirroring has NTP with a public server.",
			func(s *Switches) *bool { return &s.AllNTPExcluded }},
		{"neighbor-discovery-excluded", plane, "ICMPv6 neighbour discovery is left to the rules", "it is never mirrored, like ARP",
			"The guide lists ARP only.",
			func(s *Switches) *bool { return &s.NeighborDiscoveryExcluded }},
		{"all-resolver-traffic-is-dns", plane, "amazon-dns is about TCP and UDP with port 53 of the resolver; all else is left to the rules", "it is about all traffic with an address of the resolver",
			"The difference is pings and the like; undocumented.",
			func(s *Switches) *bool { return &s.AllResolverTrafficIsDNS }},
		{"duplicate-session-numbers", api, "a session number is used once on a source interface", "it may be used again; of sessions with the same number the older goes first",
			"AWS says that the number tells the order, and no error code is documented for equal ones. InvalidParameterValue is a guess.",
			func(s *Switches) *bool { return &s.DuplicateSessionNumbers }},
		{"duplicate-targets-refused", api, "an interface, load balancer or endpoint may be several targets", "a second target for it is refused (InvalidTrafficMirrorTarget)",
			"Undocumented. The limit of sources counts by interface either way.",
			func(s *Switches) *bool { return &s.DuplicateTargetsRefused }},
		{"vni-zero-refused", api, "VirtualNetworkId 0 is taken", "it is refused (InvalidParameterValue)",
			"The API says no range but that the id is a VXLAN id of 24 bits; Terraform refuses 0 on its side.",
			func(s *Switches) *bool { return &s.VNIZeroRefused }},
		{"long-packet-length", api, "PacketLength is 1 to 8500", "for interface targets it may be up to 65535",
			"8500 is documented for load balancers; for interface targets nothing else is.",
			func(s *Switches) *bool { return &s.LongPacketLength }},
		{"protocol-minus-one", api, "Protocol is 0 to 255, and all protocols when it is left out", "-1 means all protocols too",
			"Security groups and network ACLs take -1; for filter rules it is not documented.",
			func(s *Switches) *bool { return &s.ProtocolMinusOne }},
		{"any-source-type", api, "a source's instance type must not be one that AWS is known not to mirror", "every instance type may be a source",
			"For labs, where the software mirror does what AWS does not. Families newer than the built-in list are taken either way.",
			func(s *Switches) *bool { return &s.AnySourceType }},
		{"managed-sources-as-documented", api, "interfaces that any AWS service manages may be sources", "only those of RDS and ElastiCache may",
			"The guide's limitations say so; AWS's own tools mirror interfaces of load balancers.",
			func(s *Switches) *bool { return &s.ManagedSourcesAsDocumented }},
		{"detached-sources-allowed", api, "an interface that is attached to nothing cannot become a source", "it can",
			"The error says that it must be attached to a supported instance. A source that is detached later keeps its sessions.",
			func(s *Switches) *bool { return &s.DetachedSourcesAllowed }},
		{"ports-without-protocol-in-modify", api, "ModifyTrafficMirrorFilterRule takes a port range only with Protocol in the same request", "the protocol that the rule has will do",
			"So says a comment in Terraform's provider, which always sends both.",
			func(s *Switches) *bool { return &s.PortsWithoutProtocolInModify }},
	}
}

// Set turns the switch with this name on or off.
func (s *Switches) Set(name string, on bool) error {
	var names []string
	for _, i := range SwitchTable() {
		if i.Name == name {
			*i.field(s) = on
			return nil
		}
		names = append(names, i.Name)
	}
	return fmt.Errorf("there is no switch %q, but %s", name, strings.Join(names, ", "))
}

// On returns the names of the switches that are on.
func (s *Switches) On() []string {
	var out []string
	for _, i := range SwitchTable() {
		if *i.field(s) {
			out = append(out, i.Name)
		}
	}
	return out
}
