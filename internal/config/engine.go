package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"mirador/internal/flow"
	"mirador/internal/packet"
	"mirador/internal/rule"
	"mirador/internal/stream"
)

// reader looks values up and remembers the first that cannot be read, so that a
// row of settings reads as a row.
type reader struct {
	f   *Flat
	err error
}

func (r *reader) fail(path string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", path, err)
	}
}

func (r *reader) bool(path string, def bool) bool {
	s, ok := r.f.Get(path)
	if !ok || s == "" {
		return def
	}
	v, ok := parseBool(s)
	if !ok {
		r.fail(path, fmt.Errorf("%q is neither yes nor no", s))
	}
	return v
}

func (r *reader) int(path string, def int64) int64 {
	s, ok := r.f.Get(path)
	if !ok || s == "" {
		return def
	}
	v, err := strconv.ParseInt(strings.TrimSpace(s), 0, 64)
	if err != nil || v < 0 {
		r.fail(path, fmt.Errorf("%q is no number", s))
	}
	return v
}

func (r *reader) size(path string, def int64) int64 {
	s, ok := r.f.Get(path)
	if !ok || s == "" {
		return def
	}
	v, err := ParseSize(s)
	if err != nil {
		r.fail(path, err)
	}
	return v
}

func (r *reader) str(path, def string) string {
	if s, ok := r.f.Get(path); ok && s != "" {
		return s
	}
	return def
}

func (r *reader) seconds(path string, def int64) time.Duration {
	const most = 10 * 365 * 24 * 3600 // ten years; more is a mistake and could overflow
	v := r.int(path, def)
	if v > most {
		r.fail(path, fmt.Errorf("%d seconds, at most %d are possible", v, most))
		return 0
	}
	return time.Duration(v) * time.Second
}

// Decoder returns the settings of decoder.
func (f *Flat) Decoder() (packet.Options, error) {
	r := &reader{f: f}
	o := packet.Options{
		VXLANPorts:  r.tunnel("decoder.vxlan"),
		GENEVEPorts: r.tunnel("decoder.geneve"),
		TeredoPorts: r.tunnel("decoder.teredo"),
		VXLANStrict: r.str("decoder.vxlan.reserved-bits-check", "") == "strict",
		MaxLayers:   int(min(r.int("decoder.max-layers", 0), packet.MaxLayers)),
	}
	return o, r.err
}

// tunnel returns the ports of a tunnel: nil for its usual ones, an empty list
// when it is off.
func (r *reader) tunnel(path string) []uint16 {
	if !r.bool(path+".enabled", true) {
		return []uint16{}
	}
	s, ok := r.f.Get(path + ".ports")
	if n := r.f.Node(path + ".ports"); n != nil && n.Seq {
		list, _ := n.list()
		s, ok = strings.Join(list, ","), true
	}
	if !ok || s == "" || s == "any" {
		return nil
	}
	ports, err := r.f.ports(s, 0)
	if err != nil {
		r.fail(path+".ports", err)
	}
	return ports
}

// maxPorts bounds a list of ports (Suricata takes 4 for a tunnel).
const maxPorts = 64

// ports reads "4789", "[8472, 4789]" or "$NAME" of vars.port-groups.
func (f *Flat) ports(s string, depth int) ([]uint16, error) {
	if depth > 8 {
		return nil, fmt.Errorf("%q: variables go round in a circle", s)
	}
	var out []uint16
	s = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "["), "]")
	for _, part := range strings.Split(s, ",") {
		part = strings.TrimSpace(part)
		if name, ok := strings.CutPrefix(part, "$"); ok {
			v, ok := f.Get("vars.port-groups." + name)
			if !ok {
				return nil, fmt.Errorf("no port group named %q", name)
			}
			more, err := f.ports(v, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
			continue
		}
		p, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is no port", part)
		}
		out = append(out, uint16(p))
		if len(out) > maxPorts {
			return nil, fmt.Errorf("more than %d ports", maxPorts)
		}
	}
	return out, nil
}

// Vars returns the variables of rule headers.
func (f *Flat) Vars() rule.Vars {
	group := func(path string) map[string]string {
		m := map[string]string{}
		if n := f.Node(path); n != nil {
			for _, k := range n.Kids {
				if k.Seq {
					list, _ := k.list()
					m[k.Name] = "[" + strings.Join(list, ",") + "]"
				} else {
					m[k.Name] = k.Value
				}
			}
		}
		return m
	}
	return rule.Vars{Addresses: group("vars.address-groups"), Ports: group("vars.port-groups")}
}

// Flow returns the settings of flow and flow-timeouts. A key that is absent has
// the value that Suricata has built in, which is not always that of its stock
// configuration file.
func (f *Flat) Flow() (flow.Options, error) {
	r := &reader{f: f}
	o := flow.DefaultOptions()
	o.Memcap = uint64(r.size("flow.memcap", flow.DefaultMemcap))
	o.HashSize = int(r.int("flow.hash-size", flow.DefaultHashSize))
	o.Prealloc = int(r.int("flow.prealloc", flow.DefaultPrealloc))
	o.EmergencyRecovery = int(r.int("flow.emergency-recovery", flow.DefaultEmergencyRecovery))
	o.IgnoreVLAN = !r.bool("vlan.use-for-tracking", true)
	o.IgnoreRecursion = !r.bool("decoder.recursion-level.use-for-tracking", true)
	o.Midstream = r.bool("stream.midstream", false)
	o.Timeouts[flow.ClassDefault] = r.timeouts("default", [8]int64{30, 300, 0, 100, 10, 100, 0, 50})
	o.Timeouts[flow.ClassTCP] = r.timeouts("tcp", [8]int64{30, 300, 10, 100, 10, 100, 5, 50})
	o.Timeouts[flow.ClassUDP] = r.timeouts("udp", [8]int64{30, 300, 0, 100, 10, 100, 0, 50})
	o.Timeouts[flow.ClassICMP] = r.timeouts("icmp", [8]int64{30, 300, 0, 100, 10, 100, 0, 50})
	if r.err != nil {
		return o, r.err
	}
	if err := o.Validate(); err != nil {
		return o, fmt.Errorf("flow: %w", err)
	}
	return o, nil
}

func (r *reader) timeouts(class string, def [8]int64) flow.Timeouts {
	p := "flow-timeouts." + class + "."
	return flow.Timeouts{
		New:                  r.seconds(p+"new", def[0]),
		Established:          r.seconds(p+"established", def[1]),
		Closed:               r.seconds(p+"closed", def[2]),
		Bypassed:             r.seconds(p+"bypassed", def[3]),
		EmergencyNew:         r.seconds(p+"emergency-new", def[4]),
		EmergencyEstablished: r.seconds(p+"emergency-established", def[5]),
		EmergencyClosed:      r.seconds(p+"emergency-closed", def[6]),
		EmergencyBypassed:    r.seconds(p+"emergency-bypassed", def[7]),
	}
}

// Stream returns the settings of stream and host-os-policy. inline is what
// "stream.inline: auto" means: true when the run simulates prevention.
func (f *Flat) Stream(inline bool) (stream.Options, error) {
	r := &reader{f: f}
	o := stream.DefaultOptions()
	o.Memcap = uint64(r.size("stream.memcap", int64(o.Memcap)))
	o.ReassemblyMemcap = uint64(r.size("stream.reassembly.memcap", int64(o.ReassemblyMemcap)))
	o.Midstream = r.bool("stream.midstream", false)
	o.AsyncOneside = r.bool("stream.async-oneside", false)
	o.Inline = inline
	if s, ok := f.Get("stream.inline"); ok && s != "auto" && s != "" {
		o.Inline = r.bool("stream.inline", inline)
	}
	o.ChecksumValidation = r.bool("stream.checksum-validation", true)
	o.DropInvalid = r.bool("stream.drop-invalid", o.DropInvalid)
	o.Depth = r.size("stream.reassembly.depth", o.Depth)
	o.ChunkSize[0] = int(r.size("stream.reassembly.toserver-chunk-size", int64(o.ChunkSize[0])))
	o.ChunkSize[1] = int(r.size("stream.reassembly.toclient-chunk-size", int64(o.ChunkSize[1])))
	o.RawOff = !r.bool("stream.reassembly.raw", true)
	o.MaxSynQueued = int(r.int("stream.max-syn-queued", int64(o.MaxSynQueued)))
	o.MaxSynackQueued = int(r.int("stream.max-synack-queued", int64(o.MaxSynackQueued)))
	o.LiberalTimestamps = r.bool("stream.liberal-timestamps", o.LiberalTimestamps)
	o.Urgent = r.urgent("stream.reassembly.urgent.policy", o.Urgent)
	o.UrgentLimit = r.urgent("stream.reassembly.urgent.oob-limit-policy", o.UrgentLimit)
	o.HostOS = r.hostOS()
	if r.err != nil {
		return o, r.err
	}
	if err := o.Validate(); err != nil {
		return o, fmt.Errorf("stream: %w", err)
	}
	return o, nil
}

func (r *reader) urgent(path string, def stream.UrgentPolicy) stream.UrgentPolicy {
	switch s := r.str(path, ""); s {
	case "":
		return def
	case "oob":
		return stream.UrgentOOB
	case "inline":
		return stream.UrgentInline
	case "drop":
		return stream.UrgentDrop
	case "gap":
		return stream.UrgentGap
	default:
		r.fail(path, fmt.Errorf("%q is none of oob, inline, drop, gap", s))
		return def
	}
}

// maxHostOS bounds the prefixes of host-os-policy: the stream room compares them
// one by one for every new connection.
const maxHostOS = 1024

func (r *reader) hostOS() []stream.HostPolicy {
	n := r.f.Node("host-os-policy")
	if n == nil {
		return nil
	}
	var out []stream.HostPolicy
	for _, k := range n.Kids {
		path := "host-os-policy." + k.Name
		pol, ok := stream.PolicyByName(k.Name)
		if !ok {
			r.fail(path, fmt.Errorf("unknown policy"))
			continue
		}
		list, _ := k.list()
		for _, s := range list {
			p, err := parsePrefix(s)
			if err != nil {
				r.fail(path, err)
				continue
			}
			out = append(out, stream.HostPolicy{Addr: p.Masked().Addr().As16(), Bits: bits128(p), Policy: pol})
		}
	}
	if len(out) > maxHostOS {
		r.fail("host-os-policy", fmt.Errorf("%d prefixes, at most %d are possible", len(out), maxHostOS))
	}
	return out
}

// parsePrefix reads an address or a prefix.
func parsePrefix(s string) (netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("%q is no address", s)
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no network", s)
	}
	return p, nil
}

// Defrag returns the settings of defrag and host-os-policy.
func (f *Flat) Defrag() (stream.DefragOptions, error) {
	r := &reader{f: f}
	o := stream.DefaultDefragOptions()
	o.Memcap = uint64(r.size("defrag.memcap", int64(o.Memcap)))
	o.Trackers = int(r.int("defrag.trackers", int64(o.Trackers)))
	o.MaxFrags = int(r.int("defrag.max-frags", int64(o.MaxFrags)))
	o.Timeout = int64(r.seconds("defrag.timeout", o.Timeout/int64(time.Second)))
	o.IgnoreVLAN = !r.bool("vlan.use-for-tracking", true)
	o.HostOS = r.hostOS()
	if n := f.Node("defrag.host-config"); n != nil {
		for i, item := range n.Kids {
			path := "defrag.host-config." + strconv.Itoa(i) + "." + item.Value
			timeout := r.seconds(path+".timeout", o.Timeout/int64(time.Second))
			list, _ := f.Node(path + ".address").list()
			for _, s := range list {
				p, err := parsePrefix(s)
				if err != nil {
					r.fail(path+".address", err)
					continue
				}
				o.HostTimeouts = append(o.HostTimeouts, stream.HostTimeout{Addr: p.Masked().Addr().As16(), Bits: bits128(p), Timeout: int64(timeout)})
			}
		}
		if len(o.HostTimeouts) > maxHostOS {
			r.fail("defrag.host-config", fmt.Errorf("%d networks, at most %d are possible", len(o.HostTimeouts), maxHostOS))
		}
	}
	if r.err != nil {
		return o, r.err
	}
	if err := o.Validate(); err != nil {
		return o, err
	}
	return o, nil
}

// bits128 returns the length of p in the form of 16-byte addresses.
func bits128(p netip.Prefix) int {
	if p.Addr().Is4() {
		return p.Bits() + 96
	}
	return p.Bits()
}

// FileStore is the output file-store.
type FileStore struct {
	Enabled       bool
	Dir           string // below the log directory unless absolute
	StoreAll      bool   // force-filestore
	WriteFileinfo bool
	// StreamDepth replaces the reassembly depth of flows whose files are stored:
	// -1 when not set, 0 without limit.
	StreamDepth int64
	MaxOpen     int
	MD5, SHA1   bool // force-hash; SHA-256 names the files and is always there
	Magic       bool
}

// FileStore returns the settings of the output file-store.
func (f *Flat) FileStore() (FileStore, error) {
	o := FileStore{Dir: "filestore", StreamDepth: -1}
	for _, n := range f.outputs("file-store") {
		if n.str("version", "2") != "2" {
			return o, fmt.Errorf("outputs.file-store: version %s is not there any more, version 2 is", n.str("version", ""))
		}
		o.Enabled = true
		o.Dir = n.str("dir", o.Dir)
		o.StoreAll = n.bool("force-filestore", false)
		o.WriteFileinfo = n.bool("write-fileinfo", false)
		o.Magic = n.bool("force-magic", false)
		var err error
		if o.StreamDepth, err = n.size("stream-depth", -1); err != nil {
			return o, fmt.Errorf("outputs.file-store.%w", err)
		}
		open, err := n.size("max-open-files", 0)
		if err != nil {
			return o, fmt.Errorf("outputs.file-store.%w", err)
		}
		o.MaxOpen = int(min(open, 1<<20))
		var h hashSet
		if err := hashes(n.Child("force-hash"), &h); err != nil {
			return o, fmt.Errorf("outputs.file-store.%w", err)
		}
		o.MD5, o.SHA1 = h.MD5, h.SHA1
	}
	return o, nil
}

// Detect holds the settings of the detection engine.
type Detect struct {
	GuessTx         bool // detect.guess-applayer-tx
	TxLogLimit      int  // detect.stream-tx-log-limit
	PrefilterAuto   bool // detect.prefilter.default: auto
	Recursion       int  // detect.inspection-recursion-limit
	PcreLimit       int  // pcre.match-limit
	MaxAlerts       int  // packet-alert-max
	ASN1Frames      int  // asn1-max-frames
	ThresholdMemcap int64

	DatasetsOn       bool
	AllowAbsolute    bool // datasets.rules.allow-absolute-filenames
	NoDatasetWrite   bool // datasets.rules.allow-write: no
	ClassFile        string
	ReferenceFile    string
	ThresholdFile    string
	RulePath         string
	RuleFiles        []string
	GeoIPFile        string
	CategoriesFile   string // reputation-categories-file
	ReputationPath   string
	ReputationFiles  []string
	IgnoreUnknownReq bool // ignore-unknown-requirements
	Datasets         []Dataset
}

// Dataset is a set defined under datasets.
type Dataset struct {
	Name, Type  string
	Load, State string
	Memcap      int64
	HashSize    int64
}

// Detect returns the settings of detection.
func (f *Flat) Detect() (Detect, error) {
	r := &reader{f: f}
	d := Detect{
		GuessTx:         r.bool("detect.guess-applayer-tx", false),
		TxLogLimit:      int(r.int("detect.stream-tx-log-limit", 4)),
		PrefilterAuto:   r.str("detect.prefilter.default", "mpm") == "auto",
		Recursion:       int(r.int("detect.inspection-recursion-limit", 3000)),
		PcreLimit:       int(r.int("pcre.match-limit", 3500)),
		MaxAlerts:       int(min(r.int("packet-alert-max", 15), 1<<12)),
		ASN1Frames:      int(r.int("asn1-max-frames", 256)),
		ThresholdMemcap: r.size("detect.thresholds.memcap", 16<<20),

		DatasetsOn:       r.bool("datasets.enabled", true),
		AllowAbsolute:    r.bool("datasets.rules.allow-absolute-filenames", false),
		NoDatasetWrite:   !r.bool("datasets.rules.allow-write", true),
		ClassFile:        r.str("classification-file", ""),
		ReferenceFile:    r.str("reference-config-file", ""),
		ThresholdFile:    r.str("threshold-file", ""),
		RulePath:         r.str("default-rule-path", ""),
		GeoIPFile:        r.str("geoip-database", ""),
		CategoriesFile:   r.str("reputation-categories-file", ""),
		ReputationPath:   r.str("default-reputation-path", ""),
		IgnoreUnknownReq: r.bool("ignore-unknown-requirements", false),
	}
	d.RuleFiles, _ = f.Node("rule-files").list()
	d.ReputationFiles, _ = f.Node("reputation-files").list()
	if n := f.Node("datasets"); n != nil {
		for _, k := range n.Kids {
			typ := k.str("type", "")
			if typ == "" {
				continue // defaults, limits, rules
			}
			ds := Dataset{Name: k.Name, Type: typ, Load: k.str("load", ""), State: k.str("state", "")}
			ds.Memcap = r.size("datasets."+k.Name+".memcap", 0)
			ds.HashSize = r.int("datasets."+k.Name+".hashsize", 0)
			d.Datasets = append(d.Datasets, ds)
		}
	}
	return d, r.err
}

// Stats holds the settings of stats.
type Stats struct {
	Enabled       bool
	Interval      time.Duration
	DecoderEvents bool
	DecoderPrefix string
	StreamEvents  bool
}

// Stats returns the settings of stats.
func (f *Flat) Stats() (Stats, error) {
	r := &reader{f: f}
	s := Stats{
		Enabled:       r.bool("stats.enabled", true),
		Interval:      r.seconds("stats.interval", 8),
		DecoderEvents: r.bool("stats.decoder-events", true),
		DecoderPrefix: r.str("stats.decoder-events-prefix", "decoder.event"),
		StreamEvents:  r.bool("stats.stream-events", false),
	}
	return s, r.err
}

// Checksums tells what to do about wrong checksums of a capture file:
// pcap-file.checksum-checks is yes, no or auto.
func (f *Flat) Checksums() string {
	s, ok := f.Get("pcap-file.checksum-checks")
	if !ok {
		return "auto"
	}
	if v, known := parseBool(s); known {
		if v {
			return "yes"
		}
		return "no"
	}
	return "auto"
}

// MidstreamPolicy returns what EVE shows as exception policy of flows picked up
// midstream; a passive engine always ignores.
func (f *Flat) MidstreamPolicy() string { return f.policy("stream.midstream-policy") }

// ErrorPolicy is MidstreamPolicy for flows that their application parser gave up.
func (f *Flat) ErrorPolicy() string { return f.policy("app-layer.error-policy") }

func (f *Flat) policy(key string) string {
	if s, ok := f.Get(key); ok && s != "" && s != "auto" {
		return s
	}
	return "ignore"
}
