package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"mirador/internal/flow"
	"mirador/internal/packet"
	"mirador/internal/stream"
)

// This file turns the tree of a suricata.yaml into the Options of the rooms that
// see packets. Keys are Suricata's; a key that is absent leaves the room's
// default, a value that cannot be read is an error naming the key.

// DecoderOptions reads the section "decoder".
func (f *Flat) DecoderOptions() (packet.Options, error) {
	var o packet.Options
	var err error
	ports := func(name string, dst *[]uint16) {
		n := f.Node("decoder." + name)
		if n == nil {
			return
		}
		if !n.bool("enabled", true) {
			*dst = []uint16{}
			return
		}
		s, ok := n.Child("ports").text()
		if !ok {
			return
		}
		s = strings.TrimSpace(s)
		if v, isVar := strings.CutPrefix(s, "$"); isVar {
			s, _ = f.Get("vars.port-groups." + v)
		}
		if list, e := parsePorts(s); e != nil {
			err = fmt.Errorf("decoder.%s.ports: %w", name, e)
		} else if len(list) > 0 {
			*dst = list
		}
	}
	ports("vxlan", &o.VXLANPorts)
	ports("geneve", &o.GENEVEPorts)
	ports("teredo", &o.TeredoPorts)
	o.NoVNTag = !f.on("decoder.vntag.enabled", true)
	o.NoERSPANI = !f.on("decoder.erspan.typeI.enabled", true)
	if s, ok := f.Get("decoder.vxlan.reserved-bits-check"); ok {
		o.VXLANStrict = s == "strict"
	}
	if n, ok := f.Get("decoder.max-layers"); ok {
		if o.MaxLayers, err = strconv.Atoi(n); err != nil {
			return o, fmt.Errorf("decoder.max-layers: %q is not a number", n)
		}
	}
	return o, err
}

// parsePorts reads a list such as "[4789, 8472]".
func parsePorts(s string) ([]uint16, error) {
	var out []uint16
	for _, p := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("[], ", r) }) {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is not a port", p)
		}
		out = append(out, uint16(n))
	}
	return out, nil
}

// on returns the boolean at path, def when absent.
func (f *Flat) on(path string, def bool) bool {
	if s, ok := f.Get(path); ok {
		if v, ok := parseBool(s); ok {
			return v
		}
	}
	return def
}

// FlowOptions reads "flow", "flow-timeouts" and "vlan".
func (f *Flat) FlowOptions() (flow.Options, error) {
	o := flow.DefaultOptions()
	if err := f.sizes(map[string]*uint64{"flow.memcap": &o.Memcap}); err != nil {
		return o, err
	}
	if err := f.ints(map[string]*int{"flow.hash-size": &o.HashSize, "flow.prealloc": &o.Prealloc,
		"flow.emergency-recovery": &o.EmergencyRecovery}); err != nil {
		return o, err
	}
	o.IgnoreVLAN = !f.on("vlan.use-for-tracking", true)
	o.IgnoreRecursion = !f.on("decoder.recursion-level.use-for-tracking", true)
	o.Midstream = f.on("stream.midstream", false)
	for class, name := range []string{flow.ClassDefault: "default", flow.ClassTCP: "tcp", flow.ClassUDP: "udp", flow.ClassICMP: "icmp"} {
		t := &o.Timeouts[class]
		for key, d := range map[string]*time.Duration{"new": &t.New, "established": &t.Established, "closed": &t.Closed,
			"bypassed": &t.Bypassed, "emergency-new": &t.EmergencyNew, "emergency-established": &t.EmergencyEstablished,
			"emergency-closed": &t.EmergencyClosed, "emergency-bypassed": &t.EmergencyBypassed} {
			path := "flow-timeouts." + name + "." + key
			s, ok := f.Get(path)
			if !ok {
				continue
			}
			n, err := strconv.ParseUint(s, 10, 31)
			if err != nil {
				return o, fmt.Errorf("%s: %q is not a number of seconds", path, s)
			}
			*d = time.Duration(n) * time.Second
		}
	}
	return o, o.Validate()
}

func (f *Flat) sizes(m map[string]*uint64) error {
	for path, dst := range m {
		if s, ok := f.Get(path); ok {
			n, err := ParseSize(s)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			*dst = uint64(n)
		}
	}
	return nil
}

func (f *Flat) ints(m map[string]*int) error {
	for path, dst := range m {
		if s, ok := f.Get(path); ok && s != "unlimited" {
			n, err := ParseSize(s)
			if err != nil {
				return fmt.Errorf("%s: %q is not a number", path, s)
			}
			*dst = int(n)
		}
	}
	return nil
}

// StreamOptions reads "stream" and "host-os-policy".
func (f *Flat) StreamOptions() (stream.Options, error) {
	o := stream.DefaultOptions()
	if err := f.sizes(map[string]*uint64{"stream.memcap": &o.Memcap, "stream.reassembly.memcap": &o.ReassemblyMemcap}); err != nil {
		return o, err
	}
	if err := f.ints(map[string]*int{"stream.reassembly.toserver-chunk-size": &o.ChunkSize[0],
		"stream.reassembly.toclient-chunk-size": &o.ChunkSize[1],
		"stream.max-synack-queued":              &o.MaxSynackQueued, "stream.max-syn-queued": &o.MaxSynQueued}); err != nil {
		return o, err
	}
	if s, ok := f.Get("stream.reassembly.depth"); ok {
		n, err := ParseSize(s)
		if err != nil {
			return o, fmt.Errorf("stream.reassembly.depth: %w", err)
		}
		o.Depth = n
	}
	o.Midstream = f.on("stream.midstream", false)
	o.AsyncOneside = f.on("stream.async-oneside", false)
	o.ChecksumValidation = f.on("stream.checksum-validation", true)
	o.RawOff = !f.on("stream.reassembly.raw", true)
	for path, dst := range map[string]*stream.UrgentPolicy{"stream.reassembly.urgent.policy": &o.Urgent,
		"stream.reassembly.urgent.oob-limit-policy": &o.UrgentLimit} {
		switch s, _ := f.Get(path); s {
		case "":
		case "oob":
			*dst = stream.UrgentOOB
		case "inline":
			*dst = stream.UrgentInline
		case "drop":
			*dst = stream.UrgentDrop
		case "gap":
			*dst = stream.UrgentGap
		default:
			return o, fmt.Errorf("%s: %q is not one of oob, inline, drop, gap", path, s)
		}
	}
	if err := f.hostOS(&o); err != nil {
		return o, err
	}
	return o, o.Validate()
}

// hostOS reads host-os-policy: a list of networks per operating system.
func (f *Flat) hostOS(o *stream.Options) error {
	n := f.Node("host-os-policy")
	if n == nil {
		return nil
	}
	for _, kid := range n.Kids {
		pol, ok := stream.PolicyByName(kid.Name)
		if !ok {
			return fmt.Errorf("host-os-policy.%s: unknown operating system", kid.Name)
		}
		list, _ := kid.list()
		for _, s := range list {
			for _, part := range strings.Split(s, ",") {
				part = strings.TrimSpace(part)
				if part == "" {
					continue
				}
				h, err := hostPolicy(part, pol)
				if err != nil {
					return fmt.Errorf("host-os-policy.%s: %w", kid.Name, err)
				}
				o.HostOS = append(o.HostOS, h)
			}
		}
	}
	return nil
}

func hostPolicy(s string, pol stream.Policy) (stream.HostPolicy, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return stream.HostPolicy{}, fmt.Errorf("%q is not an address or network", s)
		}
		return stream.HostPolicy{Addr: a.As16(), Bits: 128, Policy: pol}, nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return stream.HostPolicy{}, fmt.Errorf("%q is not an address or network", s)
	}
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return stream.HostPolicy{Addr: p.Addr().As16(), Bits: bits, Policy: pol}, nil
}
