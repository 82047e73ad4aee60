package setup

// Spec is what mirror.yaml says. Its keys are the names in the tag "yaml"; doc, enum, min and
// max make the JSON Schema and the commented example. A key that is absent has
// its default, which is written in doc.
type Spec struct {
	Name     string         `yaml:"name" doc:"name of the stack: everything made for it is tagged mirador:stack with it; small letters, digits and dashes, at most 20"`
	Region   string         `yaml:"region,omitempty" doc:"AWS region; default: the one of the AWS configuration"`
	Tags     Tags           `yaml:"tags,omitempty" doc:"tags of every resource"`
	Sensors  []Sensor       `yaml:"sensors" doc:"who receives the mirrored traffic"`
	Group    GroupSpec      `yaml:"security_group,omitempty" doc:"the security group of the traffic interfaces"`
	Traffic  TrafficSpec    `yaml:"traffic_interface,omitempty" doc:"the second interface of each sensor"`
	Target   TargetSpec     `yaml:"target,omitempty" doc:"what sessions send to"`
	Sources  SourcesSpec    `yaml:"sources,omitempty" doc:"what is mirrored"`
	Filter   FilterSpec     `yaml:"filter,omitempty" doc:"which packets are mirrored"`
	Session  SessionSpec    `yaml:"session,omitempty" doc:"defaults of the sessions"`
	Software *SoftwareAgent `yaml:"software_mirror,omitempty" doc:"the software mirror for what AWS does not mirror"`

	places places
}

// Sensor is one sensor, or all of an Auto Scaling group.
type Sensor struct {
	Instance   string `yaml:"instance,omitempty" doc:"id of an instance; this, group or interface"`
	ASG        string `yaml:"auto_scaling_group,omitempty" doc:"every running instance of this Auto Scaling group"`
	Interface  string `yaml:"interface,omitempty" doc:"an interface that is there already and stays as it is; nothing is made and attached then"`
	Subnet     string `yaml:"subnet,omitempty" doc:"subnet of the traffic interface, in the zone of the sensor; default: the subnet of the sensor"`
	Interfaces int    `yaml:"interfaces,omitempty" min:"1" max:"14" doc:"how many traffic interfaces; each takes 10 sources (100 on the largest types); default 1"`
}

// GroupSpec describes the security group.
type GroupSpec struct {
	Name        string  `yaml:"name,omitempty" doc:"default: mirador-NAME-traffic"`
	Description string  `yaml:"description,omitempty" doc:"cannot be changed once the group is there; default: Mirrored traffic to the sensors of NAME"`
	Sources     Strings `yaml:"sources,omitempty" doc:"CIDRs and ids of security groups and prefix lists that may send to UDP 4789; default: the subnets of the sources"`
	Health      Strings `yaml:"health_sources,omitempty" doc:"CIDRs and ids of security groups and prefix lists that may ask TCP 80 for the health; default: the subnets of the load balancer"`
	Egress      string  `yaml:"egress,omitempty" enum:"all,none" doc:"outbound traffic: all (default) or none; a traffic interface only answers"`
	Tags        Tags    `yaml:"tags,omitempty" doc:"more tags of the group"`
}

// TrafficSpec describes the traffic interfaces.
type TrafficSpec struct {
	Name        string `yaml:"name,omitempty" doc:"tag Name; default: mirador-NAME-traffic"`
	Description string `yaml:"description,omitempty" doc:"default: Traffic interface of the sensors of NAME"`
	// KeepWithInstance is said the other way round so that the zero value is the default.
	Keep bool `yaml:"keep,omitempty" doc:"keep the interface when its sensor is terminated; default false"`
	Tags Tags `yaml:"tags,omitempty" doc:"more tags of the interfaces"`
}

// The kinds of TargetSpec.
const (
	TargetENI  = "eni"
	TargetNLB  = "nlb"
	TargetGWLB = "gwlb"
	// TargetShared are targets that somebody else made, such as those that another account
	// shares by RAM: they are used, and stay as they are.
	TargetShared = "shared"
)

// TargetSpec describes the mirror targets.
type TargetSpec struct {
	Kind        string  `yaml:"kind,omitempty" enum:"eni,nlb,gwlb,shared" doc:"eni (default): the traffic interfaces themselves; nlb: a network load balancer; gwlb: a gateway load balancer with endpoints; shared: targets of another account"`
	Shared      Strings `yaml:"targets,omitempty" doc:"shared: ids of traffic mirror targets that are there already, such as those that another account shares with this one; they are never changed or deleted"`
	Name        string  `yaml:"name,omitempty" doc:"tag Name of the target; default: mirador-NAME"`
	Description string  `yaml:"description,omitempty" doc:"a change makes a new target; default: Sensors of NAME"`
	Tags        Tags    `yaml:"tags,omitempty" doc:"more tags of targets and load balancer"`
	Balancer    string  `yaml:"load_balancer,omitempty" doc:"name of the load balancer, at most 32 characters; default: mirador-NAME"`
	Subnets     Strings `yaml:"subnets,omitempty" doc:"subnets of the load balancer, one in each zone; default: those of the traffic interfaces"`
	CrossZone   bool    `yaml:"cross_zone,omitempty" doc:"send to sensors of other zones too, which costs transfer; default false"`
	Sticky      *bool   `yaml:"sticky,omitempty" doc:"keep all that one source sends on one sensor, so that queries and answers of the DNS meet; default true for nlb"`
	Endpoints   Strings `yaml:"endpoint_subnets,omitempty" doc:"gwlb: subnets of the endpoints; default: a subnet of the sources in each of their zones and VPCs"`
	HealthPath  string  `yaml:"health_path,omitempty" doc:"path of the health check; default /api/2.0/status"`
	HealthPort  int     `yaml:"health_port,omitempty" min:"1" max:"65535" doc:"port of the health check; default 80"`
	Interval    int     `yaml:"health_interval,omitempty" min:"5" max:"300" doc:"seconds between health checks; default 10"`
}

// SourcesSpec selects the sources.
type SourcesSpec struct {
	Include []Selector `yaml:"include,omitempty" doc:"interfaces that one of these selects are mirrored: all interfaces of an instance that is selected"`
	Exclude []Selector `yaml:"exclude,omitempty" doc:"interfaces that one of these selects are not, and the reason is shown"`
	Stopped bool       `yaml:"stopped,omitempty" doc:"make sessions for stopped instances too, which cost as much as others; default false"`
}

// Selector selects interfaces. All of its fields that are given must hold; of several
// values of a field one must.
type Selector struct {
	Tags       Tags    `yaml:"tags,omitempty" doc:"tags of the instance or the interface; a value may end in *"`
	VPC        Strings `yaml:"vpc,omitempty" doc:"ids of VPCs"`
	Subnet     Strings `yaml:"subnet,omitempty" doc:"ids of subnets"`
	Instance   Strings `yaml:"instance,omitempty" doc:"ids of instances"`
	Interface  Strings `yaml:"interface,omitempty" doc:"ids of network interfaces"`
	ASG        Strings `yaml:"auto_scaling_group,omitempty" doc:"names of Auto Scaling groups"`
	Zone       Strings `yaml:"availability_zone,omitempty" doc:"availability zones"`
	PrimaryENI bool    `yaml:"primary_only,omitempty" doc:"only the primary interface of an instance; default false"`
	Reason     string  `yaml:"reason,omitempty" doc:"why; shown beside what it selects"`
}

// The presets of FilterSpec.
const (
	PresetAll      = "all"
	PresetInternet = "internet-only"
	PresetDNS      = "dns-only"
	PresetNoBackup = "no-backup"
)

// FilterSpec describes the mirror filter.
type FilterSpec struct {
	Name        string     `yaml:"name,omitempty" doc:"tag Name; default: mirador-NAME"`
	Description string     `yaml:"description,omitempty" doc:"a change makes a new filter and moves the sessions; default: Filter of NAME"`
	Preset      string     `yaml:"preset,omitempty" enum:"all,internet-only,dns-only,no-backup,none" doc:"rules after your own: all (default without rules), internet-only (nothing between addresses of the VPC), dns-only, no-backup (no rsync, NFS, iSCSI), none (default with rules)"`
	Services    *Strings   `yaml:"network_services,omitempty" doc:"default [amazon-dns]: without it queries to the Amazon resolver are not mirrored"`
	IPv6        *bool      `yaml:"ipv6,omitempty" doc:"give rules for any address a twin for IPv6; default true"`
	Rules       []RuleSpec `yaml:"rules,omitempty" doc:"rules in order; at most 10 of both directions and families together"`
	Tags        Tags       `yaml:"tags,omitempty" doc:"more tags of the filter and its rules"`
}

// RuleSpec describes one or more filter rules: one for each direction, address family
// and pair of CIDRs.
type RuleSpec struct {
	Direction        string  `yaml:"direction,omitempty" enum:"ingress,egress,both" doc:"as the source sees it; default both, where source and destination are swapped for ingress"`
	Action           string  `yaml:"action,omitempty" enum:"accept,reject" doc:"default accept"`
	Protocol         string  `yaml:"protocol,omitempty" type:"string,integer" doc:"name or number; default all"`
	Source           Strings `yaml:"source,omitempty" doc:"CIDRs, any (default) or vpc: all CIDRs of the VPCs of the sources"`
	Destination      Strings `yaml:"destination,omitempty" doc:"like source"`
	SourcePorts      string  `yaml:"source_ports,omitempty" type:"string,integer" doc:"a port or first-last; TCP and UDP only"`
	DestinationPorts string  `yaml:"destination_ports,omitempty" type:"string,integer" doc:"a port or first-last; TCP and UDP only"`
	Number           int     `yaml:"number,omitempty" min:"1" max:"32766" doc:"number of the (first) rule in its direction; default: ten after the last"`
	Description      string  `yaml:"description,omitempty" doc:"description of the rules"`
}

// SessionSpec has the defaults of the sessions.
type SessionSpec struct {
	VNI          string `yaml:"vni,omitempty" type:"string,integer" doc:"a number from 1 to 16777215 for all sessions (default 1169), or unique: a different one for each session"`
	PacketLength int    `yaml:"packet_length,omitempty" min:"0" max:"8500" doc:"how many bytes of a frame are mirrored; default 0: all, or 8500 with a load balancer"`
	Number       string `yaml:"number,omitempty" type:"string,integer" doc:"session number, 1 to 32766, or auto (default): the lowest that is free on the source"`
	Name         string `yaml:"name,omitempty" doc:"tag Name; {instance}, {name}, {interface} and {stack} are replaced; default {instance} {interface}"`
	Description  string `yaml:"description,omitempty" doc:"likewise; default: {name} to sensors of {stack}"`
	Tags         Tags   `yaml:"tags,omitempty" doc:"more tags of the sessions"`
}

// SoftwareAgent says where software mirrors send to.
type SoftwareAgent struct {
	To string `yaml:"to,omitempty" doc:"address and port; default: the target that sessions of the zone use"`
}

func or(s, def string) string {
	if s != "" {
		return s
	}
	return def
}

// kind returns the kind of target.
func (s *Spec) kind() string { return or(s.Target.Kind, TargetENI) }

func (s *Spec) base() string { return "mirador-" + s.Name }

func (s *Spec) groupName() string { return or(s.Group.Name, s.base()+"-traffic") }
func (s *Spec) groupDescription() string {
	return or(s.Group.Description, "Mirrored traffic to the sensors of "+s.Name)
}
func (s *Spec) trafficName() string { return or(s.Traffic.Name, s.base()+"-traffic") }
func (s *Spec) trafficDescription() string {
	return or(s.Traffic.Description, "Traffic interface of the sensors of "+s.Name)
}
func (s *Spec) targetName() string        { return or(s.Target.Name, s.base()) }
func (s *Spec) targetDescription() string { return or(s.Target.Description, "Sensors of "+s.Name) }
func (s *Spec) balancerName() string      { return or(s.Target.Balancer, s.base()) }
func (s *Spec) filterName() string        { return or(s.Filter.Name, s.base()) }
func (s *Spec) filterDescription() string { return or(s.Filter.Description, "Filter of "+s.Name) }

func (s *Spec) health() Health {
	h := Health{Protocol: "HTTP", Port: "80", Path: or(s.Target.HealthPath, "/api/2.0/status"), Interval: 10, Healthy: 2, Unhealthy: 2}
	if s.Target.HealthPort > 0 {
		h.Port = itoa(s.Target.HealthPort)
	}
	if s.Target.Interval > 0 {
		h.Interval = s.Target.Interval
	}
	return h
}

// healthPort returns the port that the health check asks.
func (s *Spec) healthPort() int {
	if s.Target.HealthPort > 0 {
		return s.Target.HealthPort
	}
	return 80
}

// tags returns the tags of a resource: those of the stack, more, and ours.
func (s *Spec) tags(k, name string, more Tags) Tags {
	t := Tags{tagName: name}
	for _, m := range []Tags{s.Tags, more} {
		for k, v := range m {
			t[k] = v
		}
	}
	t[TagStack], t[TagKey], t[TagManaged] = s.Name, k, ManagedBy
	return t
}
