package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written as "32MiB".
type Size int64

// Duration is a length of time, written as "500ms" or "1h30m".
type Duration time.Duration

// File is mirador.yaml. Default returns what applies without one. Struct tags
// give each key's name and what is known of it; decoding, the JSON schema, the
// environment and the reference page are all made from them.
type File struct {
	Sensor     Sensor     `key:"sensor" doc:"How packets come in and how they are spread."`
	Allow      Allow      `key:"allow" doc:"Who may send mirrored packets. Everything else is dropped and counted."`
	Dedup      Dedup      `key:"dedup" doc:"Packets mirrored at both of their ends, taken once."`
	Sources    string     `key:"sources" doc:"File that says which session, interface and instance each VNI or source address is."`
	Rules      Rules      `key:"rules" doc:"Detection rules and what goes with them."`
	Vars       Vars       `key:"vars" doc:"Variables of rule headers, over those of the Suricata configuration."`
	EVE        EVE        `key:"eve" doc:"The event file."`
	Health     Health     `key:"health" doc:"Status page for load balancers. It answers without authentication and tells nothing secret."`
	Management Management `key:"management" doc:"API, metrics and console."`
	Memcaps    Memcaps    `key:"memcaps" doc:"Bounds of memory, under Suricata's names."`
	Suricata   Suricata   `key:"suricata" doc:"Suricata settings below this key, as in a suricata.yaml." free:"yes"`
	SuricataAt string     `key:"suricata-config" doc:"A suricata.yaml to take settings from; its outputs and capture settings are not used."`
	Set        []string   `key:"set" doc:"Single Suricata settings, name=value. They go before everything else."`

	origin map[string]Origin
	// UnknownEnv are variables that begin with MIRADOR_ and name no key.
	UnknownEnv []string `key:"-"`
}

// Sensor is the key sensor.
type Sensor struct {
	Name          string   `key:"name" doc:"Name of this sensor: the key host of events. Empty leaves it out."`
	VXLAN         []string `key:"vxlan" doc:"Addresses and ports to receive VXLAN on (RFC 7348; AWS sends to 4789)."`
	GENEVE        []string `key:"geneve" doc:"Addresses and ports to receive GENEVE on (RFC 8926; Gateway Load Balancer sends to 6081)."`
	Interface     string   `key:"interface" doc:"Network interface that the sockets are bound to, and the name in events. Empty takes all."`
	AFPacket      string   `key:"afpacket" doc:"Network interface to capture frames from with AF_PACKET, in place of sockets. Needs CAP_NET_RAW."`
	Workers       int      `key:"workers" doc:"Receivers, each with a worker of its own. 0 means one a processor." max:"256"`
	ReceiveBuffer Size     `key:"receive-buffer" doc:"Socket buffer of each receiver. The kernel gives at most net.core.rmem_max."`
	Drain         Duration `key:"drain" doc:"How long to keep receiving after a stop was asked for, while the status page says 503."`
	Quarantine    string   `key:"quarantine" doc:"Directory for packets that made a parser fail. Empty keeps none."`
	State         string   `key:"state" doc:"Directory for state: dataset files, stored files, rules."`
}

// Allow is the key allow.
type Allow struct {
	Sources []string `key:"sources" doc:"Networks that outer source addresses must be in. Empty allows all."`
	VNIs    []string `key:"vnis" doc:"VNIs, or ranges of them (100-199), that are taken. Empty allows all."`
}

// Dedup is the key dedup.
type Dedup struct {
	Enabled bool     `key:"enabled" doc:"Drop the second copy of a packet of the same tenant."`
	Window  Duration `key:"window" doc:"How far apart two copies may come."`
}

// Rules is the key rules.
type Rules struct {
	Files           []string `key:"files" doc:"Rule files; * and ? stand for parts of a name."`
	Classifications string   `key:"classification-file" doc:"classification.config."`
	References      string   `key:"reference-config-file" doc:"reference.config."`
	Thresholds      string   `key:"threshold-file" doc:"threshold.config."`
	Disable         []string `key:"disable" doc:"Rules to switch off, in the words of suricata-update (sid, group:, re:)."`
	Enable          []string `key:"enable" doc:"Rules to switch on that are commented out."`
	Modify          []string `key:"modify" doc:"Changes to rules, in the words of suricata-update: matcher, pattern, replacement."`
}

// Vars is the key vars.
type Vars struct {
	Addresses map[string]string `key:"address-groups" doc:"Networks, such as HOME_NET."`
	Ports     map[string]string `key:"port-groups" doc:"Ports, such as HTTP_PORTS."`
}

// EVE is the key eve.
type EVE struct {
	Path           string   `key:"path" doc:"File that events are appended to. Empty writes none."`
	RotateSize     Size     `key:"rotate-size" doc:"Start a new file past this size. 0 never does."`
	RotateInterval Duration `key:"rotate-interval" doc:"Start a new file after this time. 0 never does."`
	Keep           int      `key:"keep" doc:"Old files to keep. 0 keeps all." max:"100000"`
	DNSVersion     int      `key:"dns-version" doc:"Shape of dns events: 3 as Suricata 8, 2 for Filebeat and other older readers." min:"2" max:"3"`
	Mirror         bool     `key:"mirror" doc:"Say in every event which mirror session and instance it is from (the object mirror)."`
	CommunityID    bool     `key:"community-id" doc:"Write community_id."`
	CommunitySeed  int      `key:"community-id-seed" doc:"Seed of community_id." max:"65535"`
	Payload        bool     `key:"payload" doc:"Show what a rule matched in, in alerts: base64 and printable."`
	Packet         bool     `key:"packet" doc:"Show the packet in alerts."`
	Ethernet       bool     `key:"ethernet" doc:"Write MAC addresses."`
	Netflow        bool     `key:"netflow" doc:"Write one-way flow records too."`
	Stats          bool     `key:"stats" doc:"Write counters."`
	StatsInterval  Duration `key:"stats-interval" doc:"Time between records of counters."`
}

// Health is the key health.
type Health struct {
	Listen string `key:"listen" doc:"Address and port of GET /api/2.0/status. Empty opens none."`
}

// Management is the key management.
type Management struct {
	Listen          string `key:"listen" doc:"Address and port, or unix: and the path of a socket. Empty opens none. It has no password."`
	SuricataMetrics bool   `key:"suricata-metrics" doc:"Offer the metrics of suricata_exporter too, under its names."`
}

// Memcaps is the key memcaps.
type Memcaps struct {
	Flow       Size `key:"flow" doc:"flow.memcap: the flow table."`
	Stream     Size `key:"stream" doc:"stream.memcap: TCP sessions."`
	Reassembly Size `key:"stream-reassembly" doc:"stream.reassembly.memcap: TCP data waiting."`
	Defrag     Size `key:"defrag" doc:"defrag.memcap: IP fragments waiting."`
}

// Suricata holds the keys below suricata, with dotted names, in order.
type Suricata struct{ Node Node }

// Default returns the configuration that applies without a file.
func Default() *File {
	return &File{
		Sensor: Sensor{
			VXLAN: []string{"0.0.0.0:4789"}, GENEVE: []string{"0.0.0.0:6081"}, ReceiveBuffer: 32 << 20, Drain: Duration(10 * time.Second),
			State: "/var/lib/mirador",
		},
		// Copies come within tens of microseconds of each other; packets that are
		// truly sent again come after a round trip.
		Dedup: Dedup{Enabled: true, Window: Duration(50 * time.Millisecond)},
		EVE: EVE{
			Path: "/var/log/mirador/eve.json", DNSVersion: 3, Mirror: true, CommunityID: true, Stats: true,
			StatsInterval: Duration(8 * time.Second),
		},
		Health:     Health{Listen: ":80"},
		Management: Management{Listen: "127.0.0.1:8420"},
		Memcaps:    Memcaps{Flow: 128 << 20, Stream: 64 << 20, Reassembly: 256 << 20, Defrag: 32 << 20},
	}
}

// Problem is something wrong with a value: Path names its key.
type Problem struct{ Path, Text string }

// Validate tells what is impossible in f, as one error with a line for each
// problem.
func (f *File) Validate() error { return f.problems(f.check()) }

// check finds values that have the right type and make no sense.
func (f *File) check() (out []Problem) {
	bad := func(path, format string, args ...any) {
		out = append(out, Problem{path, fmt.Sprintf(format, args...)})
	}
	listener := func(path, s string, port bool) {
		if err := checkListen(s, port); err != nil {
			bad(path, "%v", err)
		}
	}
	for i, s := range f.Sensor.VXLAN {
		listener(fmt.Sprintf("sensor.vxlan.%d", i), s, true)
	}
	for i, s := range f.Sensor.GENEVE {
		listener(fmt.Sprintf("sensor.geneve.%d", i), s, true)
	}
	if f.Sensor.AFPacket != "" && f.Sensor.Interface != "" && f.Sensor.AFPacket != f.Sensor.Interface {
		bad("sensor.afpacket", "%q is not the interface %q", f.Sensor.AFPacket, f.Sensor.Interface)
	}
	if f.Health.Listen != "" {
		listener("health.listen", f.Health.Listen, false)
	}
	if f.Management.Listen != "" && !strings.HasPrefix(f.Management.Listen, "unix:") {
		listener("management.listen", f.Management.Listen, false)
	}
	for i, s := range f.Allow.Sources {
		if _, err := parsePrefix(s); err != nil {
			bad(fmt.Sprintf("allow.sources.%d", i), "%v", err)
		}
	}
	for i, s := range f.Allow.VNIs {
		if _, err := parseVNIs(s); err != nil {
			bad(fmt.Sprintf("allow.vnis.%d", i), "%v", err)
		}
	}
	if f.Dedup.Enabled && (f.Dedup.Window <= 0 || time.Duration(f.Dedup.Window) > maxDedup) {
		bad("dedup.window", "%v is not in 1ns to %v", time.Duration(f.Dedup.Window), maxDedup)
	}
	if d := time.Duration(f.EVE.StatsInterval); f.EVE.Stats && d < time.Second {
		bad("eve.stats-interval", "%v is below 1s", d)
	}
	for path, d := range map[string]Duration{"sensor.drain": f.Sensor.Drain, "eve.rotate-interval": f.EVE.RotateInterval} {
		if d < 0 {
			bad(path, "%v is negative", time.Duration(d))
		}
	}
	for path, s := range map[string]Size{"memcaps.flow": f.Memcaps.Flow, "memcaps.stream": f.Memcaps.Stream,
		"memcaps.stream-reassembly": f.Memcaps.Reassembly, "memcaps.defrag": f.Memcaps.Defrag} {
		if s < minMemcap {
			bad(path, "%s is below %s", FormatSize(s), FormatSize(minMemcap))
		}
	}
	for i, s := range f.Set {
		if err := new(Flat).Set(s); err != nil {
			bad(fmt.Sprintf("set.%d", i), "%v", err)
		}
	}
	return out
}

const (
	// minMemcap is the least memory cap that a sensor runs with at all.
	minMemcap Size = 1 << 20
	// maxDedup is the longest window: past it real retransmissions would be taken
	// for copies.
	maxDedup = 10 * time.Second
)

// checkListen checks "address:port" with an IP address or none in front.
func checkListen(s string, udp bool) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not address:port", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 && udp {
		return fmt.Errorf("%q has no port from 1 to 65535", s)
	}
	if host == "" || host == "localhost" && !udp {
		return nil
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return fmt.Errorf("%q is no IP address", host)
	}
	return nil
}

// AddrPorts returns listeners as addresses; an empty host is all of IPv4.
func AddrPorts(listen []string) ([]netip.AddrPort, error) {
	var out []netip.AddrPort
	for _, s := range listen {
		if err := checkListen(s, true); err != nil {
			return nil, err
		}
		if strings.HasPrefix(s, ":") {
			s = "0.0.0.0" + s
		}
		a, err := netip.ParseAddrPort(s)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// VNIRange is a range of VNIs, both ends included.
type VNIRange struct{ First, Last uint32 }

func parseVNIs(s string) (VNIRange, error) {
	a, b, two := strings.Cut(s, "-")
	if !two {
		b = a
	}
	first, err1 := strconv.ParseUint(strings.TrimSpace(a), 10, 24)
	last, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 24)
	if err1 != nil || err2 != nil || first > last {
		return VNIRange{}, fmt.Errorf("%q is no VNI (0 to 16777215) and no range of them", s)
	}
	return VNIRange{uint32(first), uint32(last)}, nil
}

// VNIRanges returns allow.vnis.
func (a *Allow) VNIRanges() ([]VNIRange, error) {
	var out []VNIRange
	for _, s := range a.VNIs {
		r, err := parseVNIs(s)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Prefixes returns allow.sources.
func (a *Allow) Prefixes() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range a.Sources {
		p, err := parsePrefix(s)
		if err != nil {
			return nil, err
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// FormatSize writes a size with the largest unit that keeps it whole.
func FormatSize(s Size) string {
	for _, u := range [...]struct {
		unit Size
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if s != 0 && s%u.unit == 0 {
			return strconv.FormatInt(int64(s/u.unit), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Flat returns the Suricata settings that f amounts to: those of the stock
// configuration or of the file at suricata-config, then the keys below suricata,
// then the variables, memory caps and event options of f where they were set,
// then set.
func (f *File) Flat() (*Flat, error) {
	flat := Stock()
	if f.SuricataAt != "" {
		var err error
		if flat, err = LoadFlat(f.SuricataAt); err != nil {
			return nil, err
		}
	}
	flat.merge(&flat.root, &f.Suricata.Node)
	for _, g := range []struct {
		path string
		m    map[string]string
	}{{"vars.address-groups.", f.Vars.Addresses}, {"vars.port-groups.", f.Vars.Ports}} {
		for k, v := range g.m {
			flat.put(g.path+k, v)
		}
	}
	// The defaults of f are those of the stock configuration, so what was not set
	// must not hide what the Suricata settings say.
	for _, m := range []struct {
		own, path string
		value     Size
	}{
		{"memcaps.flow", "flow.memcap", f.Memcaps.Flow},
		{"memcaps.stream", "stream.memcap", f.Memcaps.Stream},
		{"memcaps.stream-reassembly", "stream.reassembly.memcap", f.Memcaps.Reassembly},
		{"memcaps.defrag", "defrag.memcap", f.Memcaps.Defrag},
	} {
		if f.IsSet(m.own) {
			flat.put(m.path, strconv.FormatInt(int64(m.value), 10))
		}
	}
	if f.Sensor.Name != "" {
		flat.put("sensor-name", f.Sensor.Name)
	}
	flat.putOutputs(f)
	for _, s := range f.Set {
		if err := flat.Set(s); err != nil {
			return nil, err
		}
	}
	return flat, nil
}
