package mirror

// World is what a Book has to know of the network around it. A World answers from
// memory; it does not change during a call of the Book.
type World interface {
	// Interface returns the elastic network interface with this id, of any account that
	// the Book's account can see.
	Interface(id string) (Interface, bool)
	// NetworkLoadBalancer tells whether there is a Network Load Balancer (and not one of
	// another kind) with this ARN.
	NetworkLoadBalancer(arn string) bool
	// GatewayEndpoint tells whether there is a Gateway Load Balancer endpoint (and not an
	// endpoint of another kind) with this id.
	GatewayEndpoint(id string) bool
	// SharedTarget returns a target of another account that is shared with this one.
	SharedTarget(id string) (SharedTarget, bool)
}

// SharedTarget is a target that another account shares with this one (AWS: Resource
// Access Manager).
type SharedTarget struct {
	Target
	OtherSources int // source interfaces that other accounts mirror to it
}

// BookOptions say whose a Book is and how it decides.
type BookOptions struct {
	AccountID string // owner of everything in the Book
	// Random fills b with random bytes, for ids and VNIs; nil means crypto/rand.
	Random   func(b []byte)
	Quotas   Quotas
	Switches Switches
}

// BookState is all that a Book knows, in a form for encoding/json. Fields are only ever
// added.
type BookState struct {
	Targets  []Target      `json:"targets,omitempty"`
	Filters  []Filter      `json:"filters,omitempty"`
	Sessions []Session     `json:"sessions,omitempty"`
	Tokens   []ClientToken `json:"clientTokens,omitempty"` // oldest first
}

// ClientToken remembers what a client token has made.
type ClientToken struct {
	Action string `json:"action"` // without "TrafficMirror": CreateTarget, ...
	Token  string `json:"token"`
	Digest string `json:"digest"` // of the other parameters
	ID     string `json:"id"`     // of the object made
}

// Parameters of actions are as on the wire: texts are checked by the Book, nil means not
// given, an empty required text means missing.
type (
	// CreateTargetParams are those of CreateTrafficMirrorTarget. Exactly one of the
	// first three is to be given.
	CreateTargetParams struct {
		NetworkInterfaceID            string
		NetworkLoadBalancerARN        string
		GatewayLoadBalancerEndpointID string
		Description                   string
		Tags                          []Tag
		ClientToken                   string
	}
	// CreateFilterParams are those of CreateTrafficMirrorFilter.
	CreateFilterParams struct {
		Description string
		Tags        []Tag
		ClientToken string
	}
	// ModifyFilterNetworkServicesParams are those of
	// ModifyTrafficMirrorFilterNetworkServices.
	ModifyFilterNetworkServicesParams struct {
		FilterID    string
		Add, Remove []string
	}
	// PortRangeParams are FromPort and ToPort as given.
	PortRangeParams struct {
		From, To *int
	}
	// CreateFilterRuleParams are those of CreateTrafficMirrorFilterRule.
	CreateFilterRuleParams struct {
		FilterID         string
		Direction        string // "ingress" or "egress"
		Number           *int
		Action           string // "accept" or "reject"
		SourceCIDR       string
		DestinationCIDR  string
		Protocol         *int // nil: all
		SourcePorts      *PortRangeParams
		DestinationPorts *PortRangeParams
		Description      string
		Tags             []Tag
		ClientToken      string
	}
	// ModifyFilterRuleParams are those of ModifyTrafficMirrorFilterRule.
	ModifyFilterRuleParams struct {
		RuleID           string
		Direction        *string
		Number           *int
		Action           *string
		SourceCIDR       *string
		DestinationCIDR  *string
		Protocol         *int
		SourcePorts      *PortRangeParams
		DestinationPorts *PortRangeParams
		Description      *string
		RemoveFields     []string // destination-port-range, source-port-range, protocol, description
	}
	// CreateSessionParams are those of CreateTrafficMirrorSession.
	CreateSessionParams struct {
		NetworkInterfaceID string
		TargetID           string
		FilterID           string
		Number             *int
		PacketLength       *int // nil: all, or MaxPacketLength for a load balancer
		VNI                *int // nil: random
		Description        string
		Tags               []Tag
		ClientToken        string
	}
	// ModifySessionParams are those of ModifyTrafficMirrorSession.
	ModifySessionParams struct {
		SessionID    string
		TargetID     *string
		FilterID     *string
		Number       *int
		PacketLength *int
		VNI          *int
		Description  *string
		RemoveFields []string // packet-length, description, virtual-network-id
	}
)

// SessionStatus tells whether a session mirrors; AWS shows it nowhere.
type SessionStatus struct {
	Active bool
	// Why the session does not mirror: "target-deleted" (a shared target, by its owner),
	// "target-resource-deleted", "source-detached", "source-unsupported".
	Why string
}
