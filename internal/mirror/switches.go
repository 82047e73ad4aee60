package mirror

// Switches choose where AWS's documentation leaves open what happens. The zero value is
// what this program takes AWS to do; docs/reference/mirroring-switches.md has the notes.
type Switches struct {
	RejectStops                  bool `json:"rejectStops,omitempty" yaml:"reject-stops"`
	FragmentsIgnorePorts         bool `json:"fragmentsIgnorePorts,omitempty" yaml:"fragments-ignore-ports"`
	NoLengthFloor                bool `json:"noLengthFloor,omitempty" yaml:"no-length-floor"`
	InactiveSessionsSkipped      bool `json:"inactiveSessionsSkipped,omitempty" yaml:"inactive-sessions-skipped"`
	AllNTPExcluded               bool `json:"allNtpExcluded,omitempty" yaml:"all-ntp-excluded"`
	NeighborDiscoveryExcluded    bool `json:"neighborDiscoveryExcluded,omitempty" yaml:"neighbor-discovery-excluded"`
	AllResolverTrafficIsDNS      bool `json:"allResolverTrafficIsDns,omitempty" yaml:"all-resolver-traffic-is-dns"`
	DuplicateSessionNumbers      bool `json:"duplicateSessionNumbers,omitempty" yaml:"duplicate-session-numbers"`
	DuplicateTargetsRefused      bool `json:"duplicateTargetsRefused,omitempty" yaml:"duplicate-targets-refused"`
	VNIZeroRefused               bool `json:"vniZeroRefused,omitempty" yaml:"vni-zero-refused"`
	LongPacketLength             bool `json:"longPacketLength,omitempty" yaml:"long-packet-length"`
	ProtocolMinusOne             bool `json:"protocolMinusOne,omitempty" yaml:"protocol-minus-one"`
	AnySourceType                bool `json:"anySourceType,omitempty" yaml:"any-source-type"`
	ManagedSourcesAsDocumented   bool `json:"managedSourcesAsDocumented,omitempty" yaml:"managed-sources-as-documented"`
	DetachedSourcesAllowed       bool `json:"detachedSourcesAllowed,omitempty" yaml:"detached-sources-allowed"`
	PortsWithoutProtocolInModify bool `json:"portsWithoutProtocolInModify,omitempty" yaml:"ports-without-protocol-in-modify"`
}
