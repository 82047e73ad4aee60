package mirror

// Quotas are the limits of AWS on mirroring. The zero value is what AWS grants; none of
// them can be raised there, here a test or a lab may. AWS: traffic-mirroring-limits.
type Quotas struct {
	SessionsPerInterface  int `json:"sessionsPerInterface,omitempty" yaml:"sessions-per-interface"`    // sessions of one source interface; 0: 3
	SourcesPerTarget      int `json:"sourcesPerTarget,omitempty" yaml:"sources-per-target"`            // sources of one interface target; 0: 10
	SourcesPerLargeTarget int `json:"sourcesPerLargeTarget,omitempty" yaml:"sources-per-large-target"` // the same on the largest instance types; 0: 100
	RulesPerFilter        int `json:"rulesPerFilter,omitempty" yaml:"rules-per-filter"`                // both directions together; 0: 10
	SessionsPerTarget     int `json:"sessionsPerTarget,omitempty" yaml:"sessions-per-target"`          // 0: no limit, as AWS has for load balancers
	Targets               int `json:"targets,omitempty" yaml:"targets"`                                // of the account; 0: 10,000
	Filters               int `json:"filters,omitempty" yaml:"filters"`                                // of the account; 0: 10,000
	Sessions              int `json:"sessions,omitempty" yaml:"sessions"`                              // of the account; 0: 10,000
}

// The quotas of AWS. AWS: traffic-mirroring-limits.
const (
	DefaultSessionsPerInterface  = 3
	DefaultSourcesPerTarget      = 10
	DefaultSourcesPerLargeTarget = 100
	DefaultRulesPerFilter        = 10
	DefaultAccountQuota          = 10000 // targets, filters and sessions, each
)

// WithDefaults returns q with AWS's quotas where q says nothing.
func (q Quotas) WithDefaults() Quotas {
	set := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	set(&q.SessionsPerInterface, DefaultSessionsPerInterface)
	set(&q.SourcesPerTarget, DefaultSourcesPerTarget)
	set(&q.SourcesPerLargeTarget, DefaultSourcesPerLargeTarget)
	set(&q.RulesPerFilter, DefaultRulesPerFilter)
	set(&q.Targets, DefaultAccountQuota)
	set(&q.Filters, DefaultAccountQuota)
	set(&q.Sessions, DefaultAccountQuota)
	return q
}

// Ranges of parameters and bounds of what a Book keeps.
const (
	MinSessionNumber = 1
	MaxSessionNumber = 32766 // AWS: CreateTrafficMirrorSession
	MaxPacketLength  = 8500  // AWS: CreateTrafficMirrorSession; what a session of a load balancer gets
	MaxRuleNumber    = 1<<31 - 1
	// MaxDescription bounds a description in characters (EC2's usual bound).
	MaxDescription = 255
	// MaxTagKey and MaxTagValue are in characters (AWS: tag naming limits).
	MaxTagKey, MaxTagValue = 128, 256
	// MaxClientToken is the length of a client token in bytes (AWS: EC2 API, ensuring
	// idempotency).
	MaxClientToken = 64
	// MaxClientTokens bounds the tokens that a Book remembers; the oldest goes first. AWS
	// remembers them for a day at most; a busy set-up tool makes a few thousand.
	MaxClientTokens = 20000
)

// Arithmetic of mirrored packets, in bytes. AWS: traffic-mirroring-considerations.
const (
	// MinLengthIPv4 and MinLengthIPv6 are the least that is mirrored of a frame: Ethernet
	// header, IP header and one byte.
	MinLengthIPv4 = 14 + 20 + 1
	MinLengthIPv6 = 14 + 40 + 1
	// OverheadIPv4 and OverheadIPv6 are what AWS documents that mirroring adds to an IP
	// packet; on the wire it is 4 less: the inner Ethernet header and the outer IP, UDP
	// and VXLAN headers.
	OverheadIPv4 = 54
	OverheadIPv6 = 74
	// OuterIPv4 and OuterIPv6 are the outer IP, UDP and VXLAN headers around a mirrored
	// frame.
	OuterIPv4 = 20 + 8 + 8
	OuterIPv6 = 40 + 8 + 8
	// OverheadGWLB is what a Gateway Load Balancer puts around the encapsulated packet on
	// its way to the appliance: IPv4, UDP, GENEVE and its options.
	OverheadGWLB = 20 + 8 + 8 + 32
	// MTUJumbo is that of most instances in a VPC, MTULoadBalancer that of the path over
	// a Gateway Load Balancer or its endpoint (8,500 too where a transit gateway is).
	MTUJumbo        = 9001
	MTULoadBalancer = 8500
)
