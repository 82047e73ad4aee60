package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// MaxSpecFile bounds a mirroring file in bytes. The output of DescribeTrafficMirror...
// for a full account is less.
const MaxSpecFile = 64 << 20

// MaxSpecRules bounds the filter rules that one rule of a mirroring file can make by
// listing CIDRs on both sides. AWS takes 10 in a filter.
const MaxSpecRules = 4096

// Spec is what a mirroring file says: interfaces, targets, filters and sessions by name.
// An object without an id in the file has its name as id.
type Spec struct {
	Interfaces []SpecInterface
	Targets    []SpecTarget
	Filters    []SpecFilter
	Sessions   []Session // NetworkInterfaceID, TargetID, FilterID are ids of the above
	Switches   Switches

	vpcs map[string][]netip.Prefix // CIDRs by VPC id, of describe-vpcs
}

// SpecInterface is a mirror source of a Spec.
type SpecInterface struct {
	Name string
	Interface
}

// SpecTarget is a target of a Spec. Addr and MTU are where and how the software mirror
// sends; Addr is not valid when the file does not say.
type SpecTarget struct {
	Name string
	Target
	Addr netip.Addr
	MTU  int // 0: not limited
}

// SpecFilter is a filter of a Spec.
type SpecFilter struct {
	Name string
	Filter
}

// ParseSpec reads a mirroring file: YAML, JSON of the same shape, or what the AWS CLI
// prints for describe-traffic-mirror-filters, -filter-rules, -sessions, -targets,
// describe-network-interfaces and describe-vpcs. name stands for the file in errors,
// which begin with file, line and column where the reader knows them.
//
//	interfaces:
//	  web-1: {id: eni-0a1, addresses: [10.0.1.15], mac: "02:00:00:00:00:01", vpc_cidrs: [10.0.0.0/16]}
//	targets:
//	  sensor: {address: 10.0.9.5, mtu: 9001}
//	filters:
//	  main:
//	    network_services: [amazon-dns]
//	    rules:
//	      - {number: 100, direction: egress, action: reject, protocol: udp, destination_ports: 123}
//	      - {number: 200, source: 10.0.0.0/8}
//	sessions:
//	  - {number: 10, source: web-1, target: sensor, filter: main, vni: 1169}
//	switches: [reject-stops]
//
// A single filter may also stand as "filter:" at the top. A rule without direction, or
// with "both", is made for both, source and destination swapped for ingress; action is
// accept and protocol all when they are not said; source and destination are CIDRs or
// lists of them, and default to any: 0.0.0.0/0, or ::/0 when the other is IPv6. A rule
// without number gets ten more than the last of its direction.
func ParseSpec(data []byte, name string) (*Spec, error) {
	if len(data) > MaxSpecFile {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", name, len(data), MaxSpecFile)
	}
	read := readYAML
	b := bytes.TrimLeft(data, " \t\r\n")
	if len(b) > 0 && b[0] == '{' {
		read = readJSON
		if aws, ok, err := awsFile(data); ok {
			var s *Spec
			if err == nil {
				s, err = aws.spec()
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return s, nil
		}
	}
	var f specFile
	if err := read(data, name, &f); err != nil {
		return nil, err
	}
	s, err := f.spec()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// specFile is a mirroring file as written.
type specFile struct {
	Interfaces map[string]specInterface `yaml:"interfaces" json:"interfaces"`
	Targets    map[string]specTarget    `yaml:"targets" json:"targets"`
	Filters    map[string]specFilter    `yaml:"filters" json:"filters"`
	Filter     *specFilter              `yaml:"filter" json:"filter"`
	Sessions   []specSession            `yaml:"sessions" json:"sessions"`
	Switches   []string                 `yaml:"switches" json:"switches"`
}

type specInterface struct {
	ID           string `yaml:"id" json:"id"`
	MAC          string `yaml:"mac" json:"mac"`
	Addresses    texts  `yaml:"addresses" json:"addresses"`
	VPC          string `yaml:"vpc" json:"vpc"`
	VPCCIDRs     texts  `yaml:"vpc_cidrs" json:"vpc_cidrs"`
	MTU          int    `yaml:"mtu" json:"mtu"`
	InstanceID   string `yaml:"instance_id" json:"instance_id"`
	InstanceType string `yaml:"instance_type" json:"instance_type"`
}

type specTarget struct {
	ID          string `yaml:"id" json:"id"`
	Address     string `yaml:"address" json:"address"`
	MTU         int    `yaml:"mtu" json:"mtu"`
	Interface   string `yaml:"network_interface" json:"network_interface"`
	NLB         string `yaml:"network_load_balancer" json:"network_load_balancer"`
	Endpoint    string `yaml:"gateway_load_balancer_endpoint" json:"gateway_load_balancer_endpoint"`
	Description string `yaml:"description" json:"description"`
}

type specFilter struct {
	ID          string     `yaml:"id" json:"id"`
	Description string     `yaml:"description" json:"description"`
	Services    []string   `yaml:"network_services" json:"network_services"`
	Rules       []specRule `yaml:"rules" json:"rules"`
}

type specRule struct {
	ID               string `yaml:"id" json:"id"`
	Direction        string `yaml:"direction" json:"direction"`
	Number           int    `yaml:"number" json:"number"`
	Action           string `yaml:"action" json:"action"`
	Protocol         text   `yaml:"protocol" json:"protocol"`
	Source           texts  `yaml:"source" json:"source"`
	Destination      texts  `yaml:"destination" json:"destination"`
	SourcePorts      text   `yaml:"source_ports" json:"source_ports"`
	DestinationPorts text   `yaml:"destination_ports" json:"destination_ports"`
	Description      string `yaml:"description" json:"description"`
}

type specSession struct {
	ID           string  `yaml:"id" json:"id"`
	Number       int     `yaml:"number" json:"number"`
	Source       string  `yaml:"source" json:"source"`
	Target       string  `yaml:"target" json:"target"`
	Filter       string  `yaml:"filter" json:"filter"`
	VNI          *uint32 `yaml:"vni" json:"vni"`
	PacketLength int     `yaml:"packet_length" json:"packet_length"`
	Description  string  `yaml:"description" json:"description"`
}

// text is a text or a number.
type text string

// texts is a text or a list of them.
type texts []string

func (t *text) set(v any) error {
	switch v := v.(type) {
	case nil:
	case string:
		*t = text(v)
	case int, int64, uint64:
		*t = text(fmt.Sprint(v))
	case float64:
		if v != float64(int64(v)) {
			return fmt.Errorf("%v is no whole number", v)
		}
		*t = text(strconv.FormatInt(int64(v), 10))
	default:
		return errors.New("want a text or a number")
	}
	return nil
}

func (t *texts) set(v any) error {
	switch v := v.(type) {
	case nil:
	case string:
		*t = texts{v}
	case []any:
		for _, x := range v {
			s, ok := plainText(x)
			if !ok {
				return errors.New("want a list of texts")
			}
			*t = append(*t, s)
		}
	default:
		return errors.New("want a text or a list of texts")
	}
	return nil
}

// plainText returns x as the text it was written as. In a list within a map in braces the
// YAML package reads 2001:db8::/32 as a map of 2001.
func plainText(x any) (string, bool) {
	switch x := x.(type) {
	case string:
		return x, true
	case uint64:
		return strconv.FormatUint(x, 10), true
	case map[string]any:
		for k, v := range x {
			if s, ok := plainText(v); ok && len(x) == 1 {
				return k + ":" + s, true
			}
		}
	}
	return "", false
}

// UnmarshalYAML reads t.
func (t *text) UnmarshalYAML(decode func(any) error) error { return fromYAML(decode, t.set) }

// UnmarshalJSON reads t.
func (t *text) UnmarshalJSON(b []byte) error { return fromJSON(b, t.set) }

// UnmarshalYAML reads t.
func (t *texts) UnmarshalYAML(decode func(any) error) error { return fromYAML(decode, t.set) }

// UnmarshalJSON reads t.
func (t *texts) UnmarshalJSON(b []byte) error { return fromJSON(b, t.set) }

func fromYAML(decode func(any) error, set func(any) error) error {
	var v any
	if err := decode(&v); err != nil {
		return err
	}
	return set(v)
}

func fromJSON(b []byte, set func(any) error) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	return set(v)
}

// spec checks f and gives it its inner form.
func (f *specFile) spec() (*Spec, error) {
	s := &Spec{}
	for _, name := range f.Switches {
		if err := s.Switches.Set(name, true); err != nil {
			return nil, fmt.Errorf("switches: %w", err)
		}
	}
	for _, name := range sortedKeys(f.Interfaces) {
		x := f.Interfaces[name]
		i, err := x.build(name)
		if err != nil {
			return nil, fmt.Errorf("interfaces.%s: %w", name, err)
		}
		s.Interfaces = append(s.Interfaces, SpecInterface{name, i})
	}
	for _, name := range sortedKeys(f.Targets) {
		x := f.Targets[name]
		t, err := x.build(name)
		if err != nil {
			return nil, fmt.Errorf("targets.%s: %w", name, err)
		}
		s.Targets = append(s.Targets, t)
	}
	if f.Filter != nil {
		x, err := f.Filter.build("filter")
		if err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
		s.Filters = append(s.Filters, SpecFilter{"filter", x})
	}
	for _, name := range sortedKeys(f.Filters) {
		x := f.Filters[name]
		y, err := x.build(name)
		if err != nil {
			return nil, fmt.Errorf("filters.%s: %w", name, err)
		}
		s.Filters = append(s.Filters, SpecFilter{name, y})
	}
	for i := range f.Sessions {
		x, err := f.Sessions[i].build(s)
		if err != nil {
			return nil, fmt.Errorf("sessions[%d]: %w", i, err)
		}
		s.Sessions = append(s.Sessions, x)
	}
	return s, s.check()
}

func sortedKeys[T any](m map[string]T) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// check tells what is there twice.
func (s *Spec) check() error {
	seen := map[string]bool{}
	add := func(kind, id string) error {
		if k := kind + " " + id; seen[k] {
			return fmt.Errorf("%s is there twice", k)
		} else {
			seen[k] = true
		}
		return nil
	}
	for i := range s.Interfaces {
		if err := add("interface", s.Interfaces[i].ID); err != nil {
			return err
		}
	}
	for i := range s.Targets {
		if err := add("target", s.Targets[i].ID); err != nil {
			return err
		}
	}
	for i := range s.Filters {
		if err := add("filter", s.Filters[i].ID); err != nil {
			return err
		}
	}
	for i := range s.Sessions {
		if err := add("session", s.Sessions[i].ID); err != nil {
			return err
		}
	}
	return nil
}

func orName(id, name string) string {
	if id == "" {
		return name
	}
	return id
}

func (x *specInterface) build(name string) (Interface, error) {
	i := Interface{ID: orName(x.ID, name), Kind: "interface", VPC: x.VPC, MTU: x.MTU, InstanceID: x.InstanceID, InstanceType: x.InstanceType}
	if x.MAC != "" {
		m, err := net.ParseMAC(x.MAC)
		if err != nil || len(m) != 6 {
			return i, fmt.Errorf("mac: %q is no Ethernet address", x.MAC)
		}
		i.MAC = [6]byte(m)
	}
	if len(x.Addresses) > MaxAddrs || len(x.VPCCIDRs) > MaxAddrs {
		return i, fmt.Errorf("more than %d addresses or CIDRs", MaxAddrs)
	}
	for _, s := range x.Addresses {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return i, fmt.Errorf("addresses: %q is no IP address", s)
		}
		i.Addrs = append(i.Addrs, a.Unmap())
	}
	for _, s := range x.VPCCIDRs {
		p, err := parseCIDR("vpc_cidrs", s)
		if err != nil {
			return i, cidrError("vpc_cidrs", s)
		}
		i.VPCCIDRs = append(i.VPCCIDRs, p)
	}
	return i, nil
}

func cidrError(key, s string) error {
	return fmt.Errorf("%s: %q is no CIDR block that begins at a network address", key, s)
}

func (x *specTarget) build(name string) (SpecTarget, error) {
	t := SpecTarget{Name: name, MTU: x.MTU, Target: Target{ID: orName(x.ID, name), NetworkInterfaceID: x.Interface, NetworkLoadBalancerARN: x.NLB,
		GatewayLoadBalancerEndpointID: x.Endpoint, Description: x.Description}}
	if x.MTU < 0 || x.MTU > 65535 {
		return t, fmt.Errorf("mtu: %d is out of range", x.MTU)
	}
	if x.Address != "" {
		a, err := netip.ParseAddr(x.Address)
		if err != nil || a.Zone() != "" {
			return t, fmt.Errorf("address: %q is no IP address", x.Address)
		}
		t.Addr = a.Unmap()
	}
	return t, nil
}

func (x *specFilter) build(name string) (Filter, error) {
	f := Filter{ID: orName(x.ID, name), Description: x.Description}
	for _, s := range x.Services {
		if s != AmazonDNS {
			return f, fmt.Errorf("network_services: there is no %q, only %s", s, AmazonDNS)
		}
		f.NetworkServices = []string{AmazonDNS}
	}
	for i := range x.Rules {
		rules, err := x.Rules[i].build(&f)
		if err != nil {
			return f, fmt.Errorf("rules[%d]: %w", i, err)
		}
		f.Rules = append(f.Rules, rules...)
	}
	sortRules(f.Rules)
	return f, CheckFilter(&f)
}

// build makes the rules that x stands for: one for each direction and pair of CIDRs of
// the same family. f has the rules before.
func (x *specRule) build(f *Filter) ([]FilterRule, error) {
	r := FilterRule{FilterID: f.ID, Action: Accept, Protocol: AnyProtocol, Description: x.Description}
	var err error
	if x.Action != "" {
		if r.Action, err = parseAction(x.Action); err != nil {
			return nil, fmt.Errorf("action: %q is neither accept nor reject", x.Action)
		}
	}
	if x.Protocol != "" {
		if r.Protocol, err = ParseProtocol(string(x.Protocol)); err != nil {
			return nil, err
		}
	}
	if r.SourcePorts, err = ParsePortRange(string(x.SourcePorts)); err != nil {
		return nil, fmt.Errorf("source_ports: %w", err)
	}
	if r.DestinationPorts, err = ParsePortRange(string(x.DestinationPorts)); err != nil {
		return nil, fmt.Errorf("destination_ports: %w", err)
	}
	pairs, err := cidrPairs(x.Source, x.Destination)
	if err != nil {
		return nil, err
	}
	var directions []Direction
	switch x.Direction {
	case "ingress":
		directions = []Direction{Ingress}
	case "egress":
		directions = []Direction{Egress}
	case "both", "":
		directions = []Direction{Ingress, Egress}
	default:
		return nil, fmt.Errorf("direction: %q is none of ingress, egress and both", x.Direction)
	}
	both := len(directions) == 2
	var out []FilterRule
	for _, d := range directions {
		next := x.Number
		if next == 0 {
			next = lastNumber(f.Rules, d) + 10
		}
		for _, p := range pairs {
			c := copyRule(&r)
			c.Direction, c.Number = d, next
			c.SourceCIDR, c.DestinationCIDR = p[0], p[1]
			if both && d == Ingress {
				c.SourceCIDR, c.DestinationCIDR = c.DestinationCIDR, c.SourceCIDR
				c.SourcePorts, c.DestinationPorts = c.DestinationPorts, c.SourcePorts
			}
			if c.ID = x.ID; x.ID == "" || both || len(pairs) > 1 {
				c.ID = fmt.Sprintf("%s-%s-%d", f.ID, d, next)
			}
			if err := checkWholeRule(&c); err != nil {
				var e *Error
				if errors.As(err, &e) {
					err = errors.New(e.Message)
				}
				return nil, err
			}
			out = append(out, c)
			next++
		}
	}
	return out, nil
}

func lastNumber(rules []FilterRule, d Direction) int {
	n := 0
	for i := range rules {
		if rules[i].Direction == d {
			n = max(n, rules[i].Number)
		}
	}
	return n
}

// cidrPairs returns all pairs of the two lists that are of one family.
func cidrPairs(source, destination texts) ([][2]netip.Prefix, error) {
	src, any1, err := cidrs("source", source)
	if err != nil {
		return nil, err
	}
	dst, any2, err := cidrs("destination", destination)
	if err != nil {
		return nil, err
	}
	v4, v6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	fill := func(list, other []netip.Prefix) []netip.Prefix {
		if len(other) == 0 || slices.ContainsFunc(other, func(p netip.Prefix) bool { return p.Addr().Is4() }) {
			list = append(list, v4)
		}
		if slices.ContainsFunc(other, func(p netip.Prefix) bool { return !p.Addr().Is4() }) {
			list = append(list, v6)
		}
		return list
	}
	if any1 {
		src = fill(src, dst)
	}
	if any2 {
		dst = fill(dst, src)
	}
	if len(src)*len(dst) > MaxSpecRules {
		return nil, fmt.Errorf("%d sources and %d destinations make more than %d rules", len(src), len(dst), MaxSpecRules)
	}
	var out [][2]netip.Prefix
	for _, s := range src {
		for _, d := range dst {
			if s.Addr().Is4() == d.Addr().Is4() {
				out = append(out, [2]netip.Prefix{s, d})
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("source and destination are of different address families")
	}
	return out, nil
}

// cidrs reads CIDRs and addresses; any tells that one of them, or nothing at all, means
// any address of the family of the other side.
func cidrs(key string, list texts) (out []netip.Prefix, any bool, err error) {
	for _, s := range list {
		switch s {
		case "any":
			any = true
			continue
		case "any6":
			s = "::/0"
		}
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			out = append(out, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		p, err := parseCIDR(key, s)
		if err != nil {
			return nil, false, cidrError(key, s)
		}
		out = append(out, p)
	}
	return out, any || len(list) == 0, nil
}

// ParsePortRange reads "443" or "8000-8999"; the empty text and "any" are nil, all ports.
func ParsePortRange(s string) (*PortRange, error) {
	if s == "" || s == "any" {
		return nil, nil
	}
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	a, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
	b, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
	if err1 != nil || err2 != nil || a > b {
		return nil, fmt.Errorf("%q is neither a port nor a range first-last", s)
	}
	return &PortRange{int(a), int(b)}, nil
}

func (x *specSession) build(s *Spec) (Session, error) {
	out := Session{ID: x.ID, Number: x.Number, PacketLength: x.PacketLength, Description: x.Description, NetworkInterfaceID: x.Source, TargetID: x.Target}
	if err := checkSessionNumber(x.Number); err != nil {
		return out, fmt.Errorf("number: %d is not %d to %d", x.Number, MinSessionNumber, MaxSessionNumber)
	}
	if x.PacketLength < 0 || x.PacketLength > 65535 {
		return out, fmt.Errorf("packet_length: %d is out of range", x.PacketLength)
	}
	if x.VNI != nil {
		if *x.VNI > MaxVNI {
			return out, fmt.Errorf("vni: %d does not fit 24 bits", *x.VNI)
		}
		out.VNI = *x.VNI
	}
	if i := s.findInterface(x.Source); i != nil {
		out.NetworkInterfaceID = i.ID
	} else if x.Source == "" && len(s.Interfaces) == 1 {
		out.NetworkInterfaceID = s.Interfaces[0].ID
	} else if len(s.Interfaces) > 0 && !strings.HasPrefix(x.Source, "eni-") {
		return out, fmt.Errorf("source: there is no interface %q", x.Source)
	}
	if out.ID == "" {
		out.ID = fmt.Sprintf("session-%d", x.Number)
		if out.NetworkInterfaceID != "" {
			out.ID = fmt.Sprintf("%s-%d", out.NetworkInterfaceID, x.Number)
		}
	}
	for i := range s.Targets {
		if t := &s.Targets[i]; t.Name == x.Target || t.ID == x.Target || x.Target == "" && len(s.Targets) == 1 {
			out.TargetID = t.ID
		}
	}
	for i := range s.Filters {
		if f := &s.Filters[i]; f.Name == x.Filter || f.ID == x.Filter || x.Filter == "" && len(s.Filters) == 1 {
			out.FilterID = f.ID
			return out, nil
		}
	}
	return out, fmt.Errorf("filter: there is no filter %q", x.Filter)
}

func (s *Spec) findInterface(name string) *SpecInterface {
	for i := range s.Interfaces {
		if name != "" && (s.Interfaces[i].Name == name || s.Interfaces[i].ID == name || s.Interfaces[i].InstanceID == name) {
			return &s.Interfaces[i]
		}
	}
	return nil
}

// Merge adds what is in o to s. An object that is in both is an error; but a filter may
// have its rules in one and the rest in the other, as describe-traffic-mirror-filter-rules
// shows it.
func (s *Spec) Merge(o *Spec) error {
	s.Interfaces = append(s.Interfaces, o.Interfaces...)
	s.Targets = append(s.Targets, o.Targets...)
	s.Sessions = append(s.Sessions, o.Sessions...)
	for i := range o.Filters {
		f := o.Filters[i]
		at := slices.IndexFunc(s.Filters, func(x SpecFilter) bool { return x.ID == f.ID && (len(x.Rules) == 0 || len(f.Rules) == 0) })
		if at < 0 {
			s.Filters = append(s.Filters, f)
			continue
		}
		// One of the two has only the rules of the filter, the other all but them.
		x := &s.Filters[at]
		if len(x.Rules) == 0 {
			x.Rules = f.Rules
		} else {
			x.Name, x.NetworkServices, x.Description, x.Tags = f.Name, f.NetworkServices, f.Description, f.Tags
		}
	}
	for _, name := range o.Switches.On() {
		if err := s.Switches.Set(name, true); err != nil {
			return err
		}
	}
	for id, c := range o.vpcs {
		if s.vpcs == nil {
			s.vpcs = make(map[string][]netip.Prefix)
		}
		s.vpcs[id] = c
	}
	return s.check()
}

// FiltersOnly returns the filters of s as Compile wants them.
func (s *Spec) FiltersOnly() []Filter {
	var out []Filter
	for i := range s.Filters {
		out = append(out, s.Filters[i].Filter)
	}
	return out
}

// Interface returns the interface with this name, id or instance id. With an empty name
// it is the only source there is; when the file tells nothing of it, all but its id is
// empty.
func (s *Spec) Interface(name string) (Interface, bool) {
	i := s.findInterface(name)
	if name == "" && len(s.Interfaces) == 1 {
		i = &s.Interfaces[0]
	}
	if i != nil {
		out := i.Interface
		if len(out.VPCCIDRs) == 0 {
			out.VPCCIDRs = s.vpcs[out.VPC]
		}
		return out, true
	}
	ids := s.sources()
	switch {
	case name != "" && slices.Contains(ids, name):
		return Interface{ID: name}, true
	case name == "" && len(s.Interfaces) == 0 && len(ids) == 1:
		return Interface{ID: ids[0]}, true
	case len(s.Interfaces) == 0 && len(s.Sessions) == 0:
		return Interface{ID: name}, true
	}
	return Interface{}, false
}

// sources returns the source interfaces of the sessions.
func (s *Spec) sources() []string {
	var ids []string
	for i := range s.Sessions {
		if id := s.Sessions[i].NetworkInterfaceID; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// SourceNames returns the names of all sources: those of interfaces, and ids of sessions
// whose interface is not described.
func (s *Spec) SourceNames() []string {
	var out []string
	for i := range s.Interfaces {
		out = append(out, s.Interfaces[i].Name)
	}
	for _, id := range s.sources() {
		if id != "" && s.findInterface(id) == nil {
			out = append(out, id)
		}
	}
	return out
}

// Program compiles what s says for the source interface with this name, id or instance
// id. With an empty name it is the only one there is. A file with one filter and no
// sessions means one session with that filter. Target MTUs and switches of s are added
// to o.
func (s *Spec) Program(source string, o CompileOptions) (*Program, error) {
	i, ok := s.Interface(source)
	if !ok {
		if source == "" {
			return nil, fmt.Errorf("more than one source: %s", strings.Join(s.SourceNames(), ", "))
		}
		return nil, fmt.Errorf("there is no source %q, but %s", source, strings.Join(s.SourceNames(), ", "))
	}
	sessions := s.Sessions
	if len(sessions) == 0 && len(s.Filters) == 1 {
		sessions = []Session{{ID: "session-1", NetworkInterfaceID: i.ID, FilterID: s.Filters[0].ID, Number: 1}}
	}
	mtu := make(map[string]int)
	for id, n := range o.TargetMTU {
		mtu[id] = n
	}
	for t := range s.Targets {
		if x := &s.Targets[t]; x.MTU > 0 && mtu[x.ID] == 0 {
			mtu[x.ID] = x.MTU
		}
		if x := &s.Targets[t]; x.Addr.IsValid() && !slices.Contains(o.Tunnels, x.Addr) {
			o.Tunnels = append(slices.Clip(o.Tunnels), x.Addr)
		}
	}
	o.TargetMTU = mtu
	for _, name := range s.Switches.On() {
		if err := o.Switches.Set(name, true); err != nil {
			return nil, err
		}
	}
	return Compile(i, sessions, s.FiltersOnly(), o)
}
