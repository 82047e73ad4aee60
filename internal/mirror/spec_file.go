package mirror

import "net/netip"

// MaxSpecFile bounds a mirroring file in bytes. The output of DescribeTrafficMirror...
// for a full account is less.
const MaxSpecFile = 64 << 20

// Spec is what a mirroring file says: interfaces, targets, filters and sessions by name.
// An object without an id in the file has its name as id.
type Spec struct {
	Interfaces []SpecInterface
	Targets    []SpecTarget
	Filters    []SpecFilter
	Sessions   []Session // NetworkInterfaceID, TargetID, FilterID are ids of the above
	Switches   Switches
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
// prints for describe-traffic-mirror-filters, -filter-rules, -sessions, -targets and
// describe-network-interfaces. name stands for the file in errors, which begin with
// file, line and column where the reader knows them.
//
//	interfaces:
//	  web-1: {id: eni-0a1, addresses: [10.0.1.15], mac: "02:00:00:00:00:01", vpc-cidrs: [10.0.0.0/16]}
//	targets:
//	  sensor: {address: 10.0.9.5, mtu: 9001}
//	filters:
//	  main:
//	    network-services: [amazon-dns]
//	    rules:
//	      - {number: 100, direction: egress, action: reject, protocol: udp, destination-ports: 123}
//	      - {number: 200, direction: both, action: accept, source: 10.0.0.0/8}
//	sessions:
//	  - {number: 10, source: web-1, target: sensor, filter: main, vni: 1169}
//
// A single filter may also stand as "filter:" at the top. Source and destination are
// CIDRs and default to 0.0.0.0/0, or ::/0 when the other is IPv6.
func ParseSpec(data []byte, name string) (*Spec, error) { return &Spec{}, nil }

// Merge adds what is in o to s. An object that is in both is an error.
func (s *Spec) Merge(o *Spec) error { return nil }

// FiltersOnly returns the filters of s as Compile wants them.
func (s *Spec) FiltersOnly() []Filter {
	var out []Filter
	for i := range s.Filters {
		out = append(out, s.Filters[i].Filter)
	}
	return out
}

// Interface returns the interface with this name or id.
func (s *Spec) Interface(name string) (Interface, bool) { return Interface{}, false }

// Program compiles what s says for the source interface with this name or id. With an
// empty name it is the only one there is. A file with one filter and no sessions means
// one session with that filter.
func (s *Spec) Program(source string, o CompileOptions) (*Program, error) { return nil, nil }
