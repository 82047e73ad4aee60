package config

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"mirador/internal/eve"
	"mirador/internal/proto"
)

// Outputs are the event outputs of a configuration.
type Outputs struct {
	EVE  []eve.Options
	Fast []FastOutput
	// Ignored names the enabled outputs that Mirador does not have.
	Ignored []string
}

// FastOutput is a fast.log.
type FastOutput struct {
	Filename     string
	Append       bool
	IPv6Compress bool
}

// outputs returns the nodes of the enabled outputs named name, in order. The node
// is the one that has the options as children.
func (f *Flat) outputs(name string) []*Node {
	list := f.Node("outputs")
	if list == nil {
		return nil
	}
	var out []*Node
	for _, item := range list.Kids {
		n := item.Child(name)
		if n == nil {
			continue
		}
		if s, ok := n.Child("enabled").text(); ok {
			if on, _ := parseBool(s); on {
				out = append(out, n)
			}
		}
	}
	return out
}

// EVEType returns the options of a type of the i-th enabled eve-log output (the
// i-th of Outputs.EVE), for the loggers of protocols: EVEType(0, "dns") has
// "version". Global looks from the root of the file.
func (f *Flat) EVEType(i int, typ string) proto.Settings {
	if list := f.outputs("eve-log"); i >= 0 && i < len(list) {
		return view{f: f, n: eveTypeNode(list[i], typ)}
	}
	return view{f: f}
}

// Outputs reads the list "outputs"; sensor-name becomes the key host of events.
func (f *Flat) Outputs() (Outputs, error) {
	var o Outputs
	for _, n := range f.outputs("eve-log") {
		e, err := f.eveLog(n)
		if err != nil {
			return o, err
		}
		o.EVE = append(o.EVE, e)
	}
	for _, n := range f.outputs("fast") {
		o.Fast = append(o.Fast, FastOutput{
			Filename:     n.str("filename", "fast.log"),
			Append:       n.bool("append", true),
			IPv6Compress: n.bool("ipv6-compress", false),
		})
	}
	if list := f.Node("outputs"); list != nil {
		for _, item := range list.Kids {
			switch name := item.Value; name {
			case "eve-log", "fast", "file-store", "stats", "":
			default:
				if item.Child(name).bool("enabled", false) {
					o.Ignored = append(o.Ignored, name)
				}
			}
		}
	}
	return o, nil
}

func (n *Node) str(key, def string) string {
	if s, ok := n.Child(key).text(); ok && s != "" {
		return s
	}
	return def
}

func (n *Node) bool(key string, def bool) bool {
	s, ok := n.Child(key).text()
	if !ok {
		return def
	}
	v, ok := parseBool(s)
	if !ok {
		return def
	}
	return v
}

func (n *Node) size(key string, def int64) (int64, error) {
	s, ok := n.Child(key).text()
	if !ok || s == "" {
		return def, nil
	}
	v, err := ParseSize(s)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	return v, nil
}

// eveLog reads one eve-log output.
func (f *Flat) eveLog(n *Node) (eve.Options, error) {
	o := eve.Options{
		Filename:     n.str("filename", "eve.json"),
		Filetype:     n.str("filetype", "regular"),
		Append:       n.bool("append", true),
		Metadata:     n.bool("metadata", true),
		Ethernet:     n.bool("ethernet", false),
		CommunityID:  n.bool("community-id", false),
		PcapFile:     n.bool("pcap-file", false),
		IPv6Compress: n.bool("ipv6-compress", false),
		Mirror:       n.bool("mirror", true),
		Frame:        eve.FrameOptions{PayloadBuffer: eve.DefaultPayloadBuffer},
	}
	o.Prefix = n.str("prefix", "")
	o.Host, _ = f.Get("sensor-name")
	if n.bool("suricata-version", false) {
		o.SuricataVersion = Compat
	}
	if s, ok := n.Child("community-id-seed").text(); ok {
		seed, err := strconv.ParseUint(strings.TrimSpace(s), 0, 16)
		if err != nil {
			return o, fmt.Errorf("outputs.eve-log.community-id-seed: %q is not a number from 0 to 65535", s)
		}
		o.CommunitySeed = uint16(seed)
	}
	if s, ok := n.Child("filemode").text(); ok {
		mode, err := strconv.ParseUint(s, 8, 32)
		if err != nil {
			return o, fmt.Errorf("outputs.eve-log.filemode: %q is not an octal number", s)
		}
		o.FileMode = uint32(mode) & uint32(os.ModePerm)
	}
	if s, ok := n.Child("rotate-interval").text(); ok {
		sec, err := parseInterval(s)
		if err != nil {
			return o, fmt.Errorf("outputs.eve-log.rotate-interval: %w", err)
		}
		o.RotateSec = sec
	}
	o.XFF = readXFF(n.Child("xff"), eve.XFF{Header: "X-Forwarded-For"})
	types := n.Child("types")
	if types == nil {
		return o, nil
	}
	for _, item := range types.Kids {
		if err := eveType(&o, item); err != nil {
			return o, fmt.Errorf("outputs.eve-log.types.%s: %w", item.Value, err)
		}
	}
	return o, nil
}

// Compat is the Suricata release whose behaviour Mirador follows.
const Compat = "8.0.7"

// parseInterval reads "3600", "30s", "10m", "6h", "1d", "1w", and the words
// minute, hour, day.
func parseInterval(s string) (int64, error) {
	t := strings.TrimSpace(strings.ToLower(s))
	switch t {
	case "minute":
		return 60, nil
	case "hour":
		return 3600, nil
	case "day":
		return 86400, nil
	}
	unit := int64(1)
	if t != "" {
		switch t[len(t)-1] {
		case 's':
			t = t[:len(t)-1]
		case 'm':
			unit, t = 60, t[:len(t)-1]
		case 'h':
			unit, t = 3600, t[:len(t)-1]
		case 'd':
			unit, t = 86400, t[:len(t)-1]
		case 'w':
			unit, t = 7*86400, t[:len(t)-1]
		}
	}
	v, err := strconv.ParseInt(t, 10, 32)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("%q is no interval (such as 30s, 10m, 1d)", s)
	}
	return v * unit, nil
}

// eveTypeNode finds the options of type typ in the types list of an eve-log
// output: nil when the type is not there, an empty node when it has no options.
func eveTypeNode(out *Node, typ string) *Node {
	types := out.Child("types")
	if types == nil {
		return nil
	}
	for _, item := range types.Kids {
		if item.Value == typ {
			if n := item.Child(typ); n != nil {
				return n
			}
			return &Node{Name: typ}
		}
	}
	return nil
}

// eveType switches on one element of the types list.
func eveType(o *eve.Options, item *Node) error {
	name := item.Value
	n := item.Child(name) // nil for a type without options
	if !n.bool("enabled", true) {
		return nil
	}
	switch name {
	case "alert":
		return alertType(o, n)
	case "anomaly":
		o.AnomalyOn = true
		t := n.Child("types")
		o.Anomaly = eve.AnomalyOptions{
			Decode:    t.bool("decode", false),
			Stream:    t.bool("stream", false),
			AppLayer:  t.bool("applayer", true),
			PacketHdr: n.bool("packethdr", false),
		}
	case "files":
		o.FilesOn = true
		o.Files.Magic = n.bool("force-magic", false)
		var h hashSet
		err := hashes(n.Child("force-hash"), &h)
		o.Files.MD5, o.Files.SHA1, o.Files.SHA256 = h.MD5, h.SHA1, h.SHA256
		return err
	case "flow":
		o.FlowOn = true
		o.Flow.ExceptionPolicy = n.bool("exception-policy", true)
	case "netflow":
		o.NetflowOn = true
	case "stats":
		o.StatsOn = true
		o.Stats = eve.StatsOptions{
			Totals:   n.bool("totals", true),
			Threads:  n.bool("threads", false),
			Deltas:   n.bool("deltas", false),
			SkipZero: !n.bool("null-values", true),
		}
	case "frame":
		o.FrameOn = true
		size, err := n.size("payload-buffer-size", eve.DefaultPayloadBuffer)
		o.Frame.PayloadBuffer = int(min(size, eve.MaxPayload))
		return err
	case "stream":
		o.StreamOn = true
		o.Stream = eve.StreamOptions{
			All:                    n.bool("all", false),
			EventSet:               n.bool("event-set", false),
			StateUpdate:            n.bool("state-update", false),
			SpuriousRetransmission: n.bool("spurious-retransmission", false),
		}
	case "arp":
		o.ARPOn = true
	case "metadata":
		o.MetadataOn = true
	case "drop":
		o.DropOn = true
	case "ikev1", "ikev2":
		o.Protocols = append(o.Protocols, "ike")
	default:
		o.Protocols = append(o.Protocols, name)
	}
	return nil
}

// alertType reads the options of type alert.
func alertType(o *eve.Options, n *Node) error {
	o.AlertOn = true
	a := eve.DefaultAlert()
	a.Payload = n.bool("payload", false)
	a.PayloadPrintable = n.bool("payload-printable", false)
	a.PayloadLength = n.bool("payload-length", false)
	a.Packet = n.bool("packet", false)
	a.HTTPBody = n.bool("http-body", false)
	a.HTTPBodyPrint = n.bool("http-body-printable", false)
	a.TaggedPackets = n.bool("tagged-packets", false)
	a.Verdict = n.bool("verdict", false)
	a.XFF = readXFF(n.Child("xff"), o.XFF)
	size, err := n.size("payload-buffer-size", eve.DefaultPayloadBuffer)
	if err != nil {
		return err
	}
	a.PayloadBuffer = int(min(size, eve.MaxPayload))
	if m := n.Child("metadata"); m != nil {
		if s, ok := m.text(); ok {
			if on, known := parseBool(s); known && !on {
				a.AppLayer, a.Flow, a.RuleMetadata = false, false, false
			}
		}
		a.AppLayer = m.bool("app-layer", a.AppLayer)
		a.Flow = m.bool("flow", a.Flow)
		r := m.Child("rule")
		a.RuleMetadata = r.bool("metadata", a.RuleMetadata)
		a.RuleRaw = r.bool("raw", false)
		a.References = r.bool("reference", false)
	}
	o.Alert = a
	return nil
}

func readXFF(n *Node, def eve.XFF) eve.XFF {
	if n == nil {
		return def
	}
	return eve.XFF{
		Enabled:   n.bool("enabled", false),
		Overwrite: n.str("mode", "extra-data") == "overwrite",
		Forward:   n.str("deployment", "reverse") == "forward",
		Header:    n.str("header", "X-Forwarded-For"),
	}
}

type hashSet struct{ MD5, SHA1, SHA256 bool }

// hashes reads force-hash.
func hashes(n *Node, f *hashSet) error {
	list, _ := n.list()
	for _, h := range list {
		switch strings.ToLower(h) {
		case "md5":
			f.MD5 = true
		case "sha1":
			f.SHA1 = true
		case "sha256":
			f.SHA256 = true
		default:
			return fmt.Errorf("force-hash: %q is none of md5, sha1, sha256", h)
		}
	}
	return nil
}
