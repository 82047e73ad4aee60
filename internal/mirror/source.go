package mirror

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"mirador/internal/packet"
)

// Limits of a SourceTable.
const (
	// MaxSources bounds the entries of one sources file. A sensor can be the
	// target of at most 10,000 sessions (AWS: traffic-mirroring-limits, sessions
	// per account); the factor leaves room for sources of several accounts.
	MaxSources = 65536
	// MaxTags bounds the tags of one source (AWS: 50 tags a resource).
	MaxTags = 50
	// MaxText bounds every text of a source in bytes (AWS tag values have up to
	// 256 characters).
	MaxText = 1024
	// MaxAddrs bounds the addresses of one source; they are compared one by one for
	// every packet (AWS: up to 50 private addresses an interface).
	MaxAddrs = 64
	// MaxVNI is the largest VXLAN or GENEVE network identifier (24 bits).
	MaxVNI = 1<<24 - 1
)

// Tag is an AWS resource tag.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Source is where mirrored packets come from: one network interface seen
// through one mirror session. A Source is not changed once it is in a table.
type Source struct {
	SessionID   string // tms-...
	SessionName string
	ENI         string // eni-... of the mirrored interface
	InstanceID  string // i-...
	Name        string // a name for people, such as the instance's Name tag
	Account     string
	VPC         string
	Subnet      string
	AZ          string
	// Tenant is the scope of addresses as configured: packets of two tenants never
	// meet in one flow, even when their addresses are equal. Empty means the VPC.
	Tenant string
	// TenantID numbers the scopes of a table from 1; 0 means that neither tenant
	// nor VPC is known, and the VNI is the scope.
	TenantID uint32
	Tags     []Tag
	// MAC and Addrs of the interface tell the direction of a packet.
	MAC    [6]byte
	HasMAC bool
	Addrs  []packet.Addr
}

// Direction is the way of a packet as the mirrored interface sees it.
type Direction uint8

// The directions of a traffic mirror filter.
const (
	DirectionUnknown Direction = iota
	Ingress                    // received by the interface
	Egress                     // sent by the interface
)

// String returns "ingress", "egress" or "".
func (d Direction) String() string {
	switch d {
	case Ingress:
		return "ingress"
	case Egress:
		return "egress"
	}
	return ""
}

// MarshalText writes d as String does.
func (d Direction) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "ingress", "egress" or "".
func (d *Direction) UnmarshalText(b []byte) error {
	switch string(b) {
	case "ingress":
		*d = Ingress
	case "egress":
		*d = Egress
	case "":
		*d = DirectionUnknown
	default:
		return fmt.Errorf("%q is no direction", b)
	}
	return nil
}

// Direction tells which way p went, by the MAC of the interface and, when that
// is not known, by its addresses. p is the mirrored packet, not the outer one.
func (s *Source) Direction(p *packet.Parsed) Direction {
	if s.HasMAC && p.HasEther {
		if p.EtherSrc == s.MAC {
			return Egress
		}
		if p.EtherDst == s.MAC {
			return Ingress
		}
	}
	if p.Depth < packet.DepthNet {
		return DirectionUnknown
	}
	for i := range s.Addrs {
		if s.Addrs[i] == p.Src {
			return Egress
		}
		if s.Addrs[i] == p.Dst {
			return Ingress
		}
	}
	return DirectionUnknown
}

// Key says which packets an entry is for. Entries with an outer address and a
// VNI go before entries with a VNI only, those before entries with an address
// only.
type Key struct {
	Outer    packet.Addr // source of the outer IP header: the primary address of the ENI
	HasOuter bool
	VNI      uint32
	HasVNI   bool
}

type pair struct {
	outer packet.Addr
	vni   uint32
}

// SourceTable maps the outer header of mirrored packets to sources. It is
// immutable and safe for concurrent use. The zero value knows nobody.
type SourceTable struct {
	exact   map[pair]*Source
	byVNI   map[uint32]*Source
	byOuter map[packet.Addr]*Source
	all     []*Source
}

// Entry is one line of a sources file.
type Entry struct {
	Key    Key
	Source Source
}

// ErrTooManySources is returned for more than MaxSources entries.
var ErrTooManySources = errors.New("too many sources (at most " + strconv.Itoa(MaxSources) + ")")

// NewSourceTable builds a table and keeps no part of entries. An error names the
// entry by its index and wraps the reason.
func NewSourceTable(entries []Entry) (*SourceTable, error) {
	if len(entries) > MaxSources {
		return nil, ErrTooManySources
	}
	t := &SourceTable{
		exact:   make(map[pair]*Source),
		byVNI:   make(map[uint32]*Source),
		byOuter: make(map[packet.Addr]*Source),
	}
	ids := make(map[string]uint32)
	for i := range entries {
		if err := t.add(&entries[i], ids); err != nil {
			return nil, &EntryError{Index: i, Err: err}
		}
	}
	return t, nil
}

// EntryError tells which entry was refused.
type EntryError struct {
	Index int
	Err   error
}

func (e *EntryError) Error() string { return fmt.Sprintf("source %d: %v", e.Index+1, e.Err) }

// Unwrap returns the reason.
func (e *EntryError) Unwrap() error { return e.Err }

func (t *SourceTable) add(e *Entry, ids map[string]uint32) error {
	if !e.Key.HasOuter && !e.Key.HasVNI {
		return errors.New("neither vni nor outer address")
	}
	if e.Key.VNI > MaxVNI {
		return fmt.Errorf("vni %d does not fit 24 bits", e.Key.VNI)
	}
	if len(e.Source.Tags) > MaxTags {
		return fmt.Errorf("%d tags, at most %d are possible", len(e.Source.Tags), MaxTags)
	}
	s := e.Source
	s.Tags = uniqueTags(e.Source.Tags)
	s.Addrs = append([]packet.Addr(nil), e.Source.Addrs...)
	if e.Key.HasOuter && len(s.Addrs) == 0 {
		// The outer source is the primary address of the mirrored interface.
		s.Addrs = append(s.Addrs, e.Key.Outer)
	}
	s.TenantID = t.tenant(&s, ids)
	switch k := e.Key; {
	case k.HasOuter && k.HasVNI:
		if _, dup := t.exact[pair{k.Outer, k.VNI}]; dup {
			return fmt.Errorf("vni %d from %s is there twice", k.VNI, AddrString(k.Outer))
		}
		t.exact[pair{k.Outer, k.VNI}] = &s
	case k.HasVNI:
		if _, dup := t.byVNI[k.VNI]; dup {
			return fmt.Errorf("vni %d is there twice", k.VNI)
		}
		t.byVNI[k.VNI] = &s
	default:
		if _, dup := t.byOuter[k.Outer]; dup {
			return fmt.Errorf("outer address %s is there twice", AddrString(k.Outer))
		}
		t.byOuter[k.Outer] = &s
	}
	t.all = append(t.all, &s)
	return nil
}

// uniqueTags returns a copy of tags in which a key that is there twice has its
// last value.
func uniqueTags(tags []Tag) []Tag {
	var out []Tag
	for _, t := range tags {
		if i := slices.IndexFunc(out, func(o Tag) bool { return o.Key == t.Key }); i >= 0 {
			out[i] = t
			continue
		}
		out = append(out, t)
	}
	return out
}

// tenant numbers the scope of s: the configured tenant, else the VPC, whose id is
// unique over accounts.
func (t *SourceTable) tenant(s *Source, ids map[string]uint32) uint32 {
	name := "tenant " + s.Tenant
	if s.Tenant == "" {
		name = "vpc " + s.VPC
		if s.VPC == "" {
			return 0
		}
	}
	id, ok := ids[name]
	if !ok {
		id = uint32(len(ids) + 1)
		ids[name] = id
	}
	return id
}

// Lookup returns the source of a packet whose outer IP header is from outer and
// whose VXLAN or GENEVE header has vni. It does not allocate.
func (t *SourceTable) Lookup(outer packet.Addr, vni uint32) (*Source, bool) {
	if s, ok := t.exact[pair{outer, vni}]; ok {
		return s, true
	}
	if s, ok := t.byVNI[vni]; ok {
		return s, true
	}
	s, ok := t.byOuter[outer]
	return s, ok
}

// Sources returns all sources in the order of the file. The slice is not to be
// changed.
func (t *SourceTable) Sources() []*Source { return t.all }

// Len returns the number of sources.
func (t *SourceTable) Len() int { return len(t.all) }

// AddrString returns a as people write it, IPv4 in dotted form.
func AddrString(a packet.Addr) string { return netip.AddrFrom16(a).Unmap().String() }
