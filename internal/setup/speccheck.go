package setup

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"mirador/internal/mirror"
)

// DefaultVNI is the virtual network identifier that the reference product gives to
// every session.
const DefaultVNI = 1169

// UniqueVNI asks for a different identifier for each session.
const UniqueVNI = "unique"

// autoNumber asks for the lowest free session number.
const autoNumber = "auto"

// Validate checks what can be checked without asking the cloud.
func (s *Spec) Validate() error {
	p := &problems{places: s.places}
	switch {
	case s.Name == "":
		p.add("name", "is missing: a stack needs a name")
	case len(s.Name) > maxStack || !regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`).MatchString(s.Name):
		p.add("name", "%q: small letters, digits and dashes, beginning with a letter, at most %d", s.Name, maxStack)
	}
	s.checkTags(p, "tags", s.Tags)
	s.checkSensors(p)
	s.checkGroup(p)
	checkText(p, "traffic_interface.description", s.Traffic.Description)
	s.checkTags(p, "traffic_interface.tags", s.Traffic.Tags)
	s.checkTarget(p)
	s.checkSelectors(p, "sources.include", s.Sources.Include)
	s.checkSelectors(p, "sources.exclude", s.Sources.Exclude)
	s.checkFilter(p)
	s.checkSession(p)
	if s.Software != nil && s.Software.To != "" {
		if _, err := netip.ParseAddrPort(s.Software.To); err != nil {
			p.add("software_mirror.to", "%q is no ADDRESS:PORT", s.Software.To)
		}
	}
	return p.err()
}

func (s *Spec) checkTags(p *problems, path string, tags Tags) {
	if len(tags) > maxTags {
		p.add(path, "%d tags, at most %d are possible beside those of Mirador", len(tags), maxTags)
	}
	for k, v := range tags {
		switch {
		case k == TagStack || k == TagKey || k == TagManaged:
			p.add(path+"."+k, "is set by Mirador")
		case strings.HasPrefix(strings.ToLower(k), "aws:"):
			p.add(path+"."+k, "keys with aws: belong to AWS")
		case k == "" || utf8.RuneCountInString(k) > mirror.MaxTagKey || utf8.RuneCountInString(v) > mirror.MaxTagValue:
			p.add(path+"."+k, "a key has 1 to %d characters, a value at most %d", mirror.MaxTagKey, mirror.MaxTagValue)
		}
	}
}

// checkText checks a description. AWS: at most 255 characters.
func checkText(p *problems, path, s string) {
	if utf8.RuneCountInString(s) > 255 {
		p.add(path, "at most 255 characters are possible")
	}
}

func (s *Spec) checkSensors(p *problems) {
	if s.kind() == TargetShared {
		if len(s.Sensors) > 0 {
			p.add("sensors", "those behind shared targets are of the other account: leave them out")
		}
		return
	}
	if len(s.Sensors) == 0 {
		p.add("sensors", "is missing: who receives the mirrored traffic?")
	}
	if len(s.Sensors) > maxSensors {
		p.add("sensors", "%d, at most %d are possible", len(s.Sensors), maxSensors)
	}
	seen := map[string]bool{}
	for i, x := range s.Sensors {
		at := fmt.Sprintf("sensors[%d]", i)
		n := 0
		for _, id := range []string{x.Instance, x.ASG, x.Interface} {
			if id == "" {
				continue
			}
			n++
			if seen[id] {
				p.add(at, "%q is there twice", id)
			}
			seen[id] = true
		}
		if n != 1 {
			p.add(at, "needs one of instance, auto_scaling_group and interface")
		}
		checkID(p, at+".instance", "i", x.Instance)
		checkID(p, at+".interface", "eni", x.Interface)
		checkID(p, at+".subnet", "subnet", x.Subnet)
		if x.Interfaces < 0 || x.Interfaces > 14 {
			p.add(at+".interfaces", "%d is not between 1 and 14", x.Interfaces)
		}
		if x.Interface != "" && (x.Subnet != "" || x.Interfaces > 1) {
			p.add(at, "interface is there already: subnet and interfaces have no meaning beside it")
		}
	}
}

var idForm = regexp.MustCompile(`^[a-z]+-[0-9a-f]{8,17}$`)

// checkID checks the form of a resource id; an empty one is none.
func checkID(p *problems, path, prefix, id string) {
	if id != "" && (!strings.HasPrefix(id, prefix+"-") || !idForm.MatchString(id)) {
		p.add(path, "%q is no id like %s-0123456789abcdef0", id, prefix)
	}
}

func checkIDs(p *problems, path, prefix string, ids Strings) {
	for _, id := range ids {
		checkID(p, path, prefix, id)
		if id == "" {
			p.add(path, "an empty id")
		}
	}
}

func checkPeers(p *problems, path string, peers Strings) {
	for _, x := range peers {
		if kind, _, ok := strings.Cut(x, "-"); ok && (kind == "sg" || kind == "pl") {
			checkID(p, path, kind, x)
			continue
		}
		if n, err := netip.ParsePrefix(x); err != nil || n != n.Masked() {
			p.add(path, "%q is neither a CIDR (with no bits set after its length) nor the id of a security group or prefix list", x)
		}
	}
}

func (s *Spec) checkGroup(p *problems) {
	g := s.Group
	if len(g.Name) > 255 || strings.HasPrefix(g.Name, "sg-") {
		p.add("security_group.name", "at most 255 characters, not beginning with sg-")
	}
	checkText(p, "security_group.description", g.Description)
	checkPeers(p, "security_group.sources", g.Sources)
	checkPeers(p, "security_group.health_sources", g.Health)
	p.oneOf("security_group.egress", g.Egress, "all", "none")
	s.checkTags(p, "security_group.tags", g.Tags)
}

func (s *Spec) checkTarget(p *problems) {
	t := s.Target
	p.oneOf("target.kind", t.Kind, TargetENI, TargetNLB, TargetGWLB, TargetShared)
	checkText(p, "target.description", t.Description)
	s.checkTags(p, "target.tags", t.Tags)
	if t.Balancer != "" && !regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`).MatchString(t.Balancer) || strings.HasPrefix(t.Balancer, "internal-") {
		p.add("target.load_balancer", "%q: letters, digits and dashes, at most 32, not beginning with internal-", t.Balancer)
	}
	checkIDs(p, "target.subnets", "subnet", t.Subnets)
	checkIDs(p, "target.endpoint_subnets", "subnet", t.Endpoints)
	if t.HealthPath != "" && !strings.HasPrefix(t.HealthPath, "/") {
		p.add("target.health_path", "%q does not begin with /", t.HealthPath)
	}
	if t.HealthPort < 0 || t.HealthPort > 65535 {
		p.add("target.health_port", "%d is no port", t.HealthPort)
	}
	if t.Interval != 0 && (t.Interval < 5 || t.Interval > 300) {
		p.add("target.health_interval", "%d is not between 5 and 300 seconds", t.Interval)
	}
	checkIDs(p, "target.targets", "tmt", t.Shared)
	switch {
	case s.kind() == TargetShared && len(t.Shared) == 0:
		p.add("target.targets", "is missing: which targets?")
	case s.kind() != TargetShared && len(t.Shared) > 0:
		p.add("target.targets", "has a meaning with target.kind shared only")
	}
	if s.kind() == TargetENI || s.kind() == TargetShared {
		for _, x := range []struct {
			key string
			set bool
		}{{"load_balancer", t.Balancer != ""}, {"subnets", len(t.Subnets) > 0}, {"cross_zone", t.CrossZone}, {"sticky", t.Sticky != nil}, {"endpoint_subnets", len(t.Endpoints) > 0}} {
			if x.set {
				p.add("target."+x.key, "has a meaning for load balancers only, and target.kind is %s", s.kind())
			}
		}
	}
}

func (s *Spec) checkSelectors(p *problems, path string, list []Selector) {
	if len(list) > maxSelectors {
		p.add(path, "%d selectors, at most %d are possible", len(list), maxSelectors)
	}
	for i, x := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		if len(x.Tags)+len(x.VPC)+len(x.Subnet)+len(x.Instance)+len(x.Interface)+len(x.ASG)+len(x.Zone) == 0 {
			p.add(at, "selects nothing: it needs one of tags, vpc, subnet, instance, interface, auto_scaling_group, availability_zone")
		}
		checkIDs(p, at+".vpc", "vpc", x.VPC)
		checkIDs(p, at+".subnet", "subnet", x.Subnet)
		checkIDs(p, at+".instance", "i", x.Instance)
		checkIDs(p, at+".interface", "eni", x.Interface)
		for k, v := range x.Tags {
			if strings.Contains(strings.TrimSuffix(v, "*"), "*") {
				p.add(at+".tags."+k, "%q: * has a meaning at the end only", v)
			}
		}
	}
}

func (s *Spec) checkFilter(p *problems) {
	f := s.Filter
	p.oneOf("filter.preset", f.Preset, PresetAll, PresetInternet, PresetDNS, PresetNoBackup, "none")
	checkText(p, "filter.description", f.Description)
	s.checkTags(p, "filter.tags", f.Tags)
	if f.Services != nil {
		for _, x := range *f.Services {
			if x != mirror.AmazonDNS {
				p.add("filter.network_services", "%q is none of amazon-dns", x)
			}
		}
	}
	if f.Preset == "none" && len(f.Rules) == 0 {
		p.add("filter.preset", "a filter without rules mirrors nothing")
	}
	for i, r := range f.Rules {
		at := fmt.Sprintf("filter.rules[%d]", i)
		r.check(p, at)
	}
}

func (s *Spec) checkSession(p *problems) {
	x := s.Session
	if _, err := s.vni(); err != nil {
		p.add("session.vni", "%v", err)
	}
	if _, err := s.sessionNumber(); err != nil {
		p.add("session.number", "%v", err)
	}
	if x.PacketLength < 0 || x.PacketLength > mirror.MaxPacketLength {
		p.add("session.packet_length", "%d is not between 1 and %d", x.PacketLength, mirror.MaxPacketLength)
	}
	checkText(p, "session.description", x.Description)
	s.checkTags(p, "session.tags", x.Tags)
	for _, t := range []struct{ path, text string }{{"session.name", x.Name}, {"session.description", x.Description}} {
		for _, m := range regexp.MustCompile(`\{([^}]*)\}`).FindAllStringSubmatch(t.text, -1) {
			p.oneOf(t.path, m[1], "instance", "name", "interface", "stack")
		}
	}
}

// vni returns the identifier of all sessions, or 0 when each has its own.
func (s *Spec) vni() (uint32, error) {
	switch s.Session.VNI {
	case "":
		return DefaultVNI, nil
	case UniqueVNI:
		return 0, nil
	}
	n, err := strconv.ParseUint(s.Session.VNI, 10, 32)
	if err != nil || n == 0 || n > mirror.MaxVNI {
		return 0, fmt.Errorf("%q is neither a number from 1 to %d nor %s", s.Session.VNI, mirror.MaxVNI, UniqueVNI)
	}
	return uint32(n), nil
}

// sessionNumber returns the number of all sessions, or 0 when it is chosen.
func (s *Spec) sessionNumber() (int, error) {
	if s.Session.Number == "" || s.Session.Number == autoNumber {
		return 0, nil
	}
	n, err := strconv.Atoi(s.Session.Number)
	if err != nil || n < 1 || n > mirror.MaxSessionNumber {
		return 0, fmt.Errorf("%q is neither a number from 1 to %d nor %s", s.Session.Number, mirror.MaxSessionNumber, autoNumber)
	}
	return n, nil
}
