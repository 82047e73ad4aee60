package eve

import (
	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// Options says what one eve-log output writes. The zero value writes nothing;
// DefaultOptions has what Suricata's own configuration file switches on. Package
// config reads it from a suricata.yaml. Names in comments are those of eve-log.
type Options struct {
	Filename  string
	Filetype  string // regular, unix_dgram, unix_stream, syslog
	Prefix    string // written before every record
	Append    bool
	FileMode  uint32 // filemode, 0 for the default
	RotateSec int64  // rotate-interval, 0 for never

	Metadata        bool // metadata: variables of rules
	Ethernet        bool
	CommunityID     bool
	CommunitySeed   uint16
	PcapFile        bool
	IPv6Compress    bool
	SuricataVersion string // "" unless suricata-version is on
	Host            string // sensor-name
	Mirror          bool   // the object "mirror"
	XFF             XFF

	AlertOn    bool
	Alert      AlertOptions
	AnomalyOn  bool
	Anomaly    AnomalyOptions
	FilesOn    bool
	Files      FileOptions
	FlowOn     bool
	Flow       FlowOptions
	NetflowOn  bool
	StatsOn    bool
	Stats      StatsOptions
	FrameOn    bool
	Frame      FrameOptions
	ARPOn      bool
	MetadataOn bool // type metadata
	DropOn     bool // accepted; a passive sensor drops nothing
	StreamOn   bool // type stream: one record a TCP packet
	Stream     StreamOptions

	// Protocols are the application-layer types that are on, by the name of the
	// type ("http", "dns", ...).
	Protocols []string
	// Loggers replace functions of protocols where this output has options for
	// them (http.custom, dns.version, alert.http-body, ...).
	Loggers []Logger
}

// Logger is how one output logs the transactions of one protocol.
type Logger struct {
	Name     string                                          // proto.Protocol.Name
	Log      func(*proto.Conn, proto.Tx, *jsonw.Writer) bool // nil: proto.Protocol.Log
	LogAlert func(*proto.Conn, proto.Tx, *jsonw.Writer)      // nil: proto.Protocol.LogAlert
	// ByFlow shows every transaction from client to server, also of protocols
	// that are otherwise shown as the packet went (dns of version 2).
	ByFlow bool
}

// byPacket are the protocols whose transactions Suricata shows in the direction
// of the packet that completed them; all others are shown from client to server.
var byPacket = [...]string{
	"bittorrent-dht", "dhcp", "dns", "ike", "krb5", "llmnr", "mdns", "mqtt", "nfs", "ntp",
	"quic", "rdp", "rfb", "sip", "snmp", "tftp", "websocket",
}

// Logs tells whether transactions of type name are logged.
func (o *Options) Logs(name string) bool {
	for _, p := range o.Protocols {
		if p == name {
			return true
		}
	}
	return false
}

// AlertOptions are the options of type alert.
type AlertOptions struct {
	Payload          bool
	PayloadPrintable bool
	PayloadLength    bool
	PayloadBuffer    int // payload-buffer-size in bytes
	Packet           bool
	AppLayer         bool // metadata.app-layer
	Flow             bool // metadata.flow
	RuleMetadata     bool // metadata.rule.metadata
	RuleRaw          bool // metadata.rule.raw
	References       bool // metadata.rule.reference
	HTTPBody         bool
	HTTPBodyPrint    bool
	TaggedPackets    bool
	Verdict          bool
	XFF              XFF
}

// AnomalyOptions are the options of type anomaly.
type AnomalyOptions struct {
	Decode, Stream, AppLayer bool
	PacketHdr                bool
}

// FileOptions are the options of type files.
type FileOptions struct {
	Magic             bool // force-magic
	MD5, SHA1, SHA256 bool // force-hash
}

// FlowOptions are the options of type flow.
type FlowOptions struct{ ExceptionPolicy bool }

// StatsOptions are the options of type stats.
type StatsOptions struct {
	Totals   bool
	Threads  bool
	Deltas   bool
	SkipZero bool // null-values: no
}

// FrameOptions are the options of type frame.
type FrameOptions struct{ PayloadBuffer int }

// StreamOptions are the options of type stream.
type StreamOptions struct {
	All, EventSet, StateUpdate, SpuriousRetransmission bool
}

// XFF says whether and how the client's address is taken from an HTTP header
// that a proxy has set.
type XFF struct {
	Enabled   bool
	Overwrite bool   // mode overwrite: replaces the address; else an extra field
	Forward   bool   // deployment forward: the first address of the header, else the last
	Header    string // name of the header
}

// DefaultPayloadBuffer is Suricata's payload-buffer-size.
const DefaultPayloadBuffer = 4096

// DefaultAlert returns the options of type alert when the configuration names
// none.
func DefaultAlert() AlertOptions {
	return AlertOptions{
		PayloadBuffer: DefaultPayloadBuffer,
		AppLayer:      true,
		Flow:          true,
		RuleMetadata:  true,
		XFF:           XFF{Header: "X-Forwarded-For"},
	}
}

// defaultProtocols are the application-layer types that Suricata 8's own
// configuration file switches on, and mysql, which it does not have.
var defaultProtocols = [...]string{
	"http", "dns", "mdns", "tls", "smtp", "websocket", "ftp", "rdp", "nfs", "smb",
	"tftp", "ike", "dcerpc", "krb5", "bittorrent-dht", "snmp", "rfb", "sip", "quic",
	"ldap", "pop3", "dhcp", "ssh", "mqtt", "http2", "doh2", "mysql",
}

// DefaultOptions returns what Suricata 8's own configuration file asks for:
// alert with tagged packets, anomaly of the application layer, the common
// protocols, files, stats and flow.
func DefaultOptions() Options {
	o := Options{
		Filename: "eve.json", Filetype: "regular", Append: true,
		Metadata: true, Mirror: true,
		AlertOn: true, Alert: DefaultAlert(),
		AnomalyOn: true, Anomaly: AnomalyOptions{AppLayer: true},
		FilesOn: true,
		StatsOn: true, Stats: StatsOptions{Totals: true},
		FlowOn:    true,
		Frame:     FrameOptions{PayloadBuffer: DefaultPayloadBuffer},
		Protocols: defaultProtocols[:],
	}
	o.Alert.TaggedPackets = true
	return o
}
