package mirror

import (
	"net/netip"

	"mirador/internal/packet"
)

// CompileOptions are what a Program needs beyond sessions and filters.
type CompileOptions struct {
	Switches Switches
	Port     PortMode // how SourcePort chooses
	// Tunnels are the addresses that mirrored packets are sent to: UDP to port 4789 or
	// 6081 of them is the mirror's own traffic and never mirrored.
	Tunnels []netip.Addr
	// TargetMTU is the MTU that an encapsulated packet has to fit, by target id; a
	// target without one is not limited.
	TargetMTU map[string]int
	// Inactive are the ids of sessions that mirror nothing because their target is gone
	// (Book.Status). Such a session still takes its packets, see
	// Switches.InactiveSessionsSkipped.
	Inactive []string
}

// Program is what the sessions of one source interface do, in the order in which it is
// done: what is never mirrored, traffic of the Amazon resolver, then sessions by number,
// and in each the rules of the packet's direction by number. The first rule that matches
// decides. A Program is immutable and safe for concurrent use.
type Program struct {
	sessions []ProgramSession
}

// ProgramSession is a session as a Program has it.
type ProgramSession struct {
	Session  Session
	Filter   Filter
	Inactive bool
	MTU      int // of the target; 0: not limited
}

// Reason tells why a packet is mirrored or not.
type Reason uint8

// The reasons of a Decision. Up to ReasonOwnTunnel the packet is of a kind that is never
// mirrored.
const (
	ReasonNone           Reason = iota
	ReasonAccept                // mirrored: an accept rule matched
	ReasonAmazonDNS             // mirrored: traffic of the Amazon resolver, and a session has amazon-dns
	ReasonNotIP                 // neither IPv4 nor IPv6, or not readable as such
	ReasonARP                   // ARP
	ReasonDHCP                  // DHCP
	ReasonMetadata              // instance metadata service
	ReasonNTP                   // Amazon Time Sync Service
	ReasonActivation            // Windows activation
	ReasonNeighbor              // neighbour discovery, by switch
	ReasonOwnTunnel             // the mirror's own VXLAN or GENEVE
	ReasonNoDirection           // neither received nor sent, as far as can be told
	ReasonNoSessions            // the interface has no sessions
	ReasonResolver              // traffic of the Amazon resolver, and no session has amazon-dns
	ReasonReject                // a reject rule matched, and no later session took the packet
	ReasonNoRule                // no rule matched
	ReasonInactiveTarget        // a session took the packet, whose target is gone
	numReasons
)

// Decision is what to do with one packet. It is plain data without pointers.
type Decision struct {
	Mirror       bool
	Reason       Reason
	FromResolver bool // an answer of the Amazon resolver: see SourcePort
	Session      int  // index in Program.Sessions, -1: none
	Rule         int  // index in Filter.Rules of that session, -1: none
	// Length is how many bytes of the frame are mirrored, from its Ethernet header on:
	// the frame, the session's packet length or what fits the target's MTU.
	Length int
	// CutByMTU and CutByLength tell which of the two made Length less than the frame.
	CutByMTU, CutByLength bool
}

// Compile makes the program of iface from those of sessions that have it as their source,
// and filters, which must hold the filter of each. It keeps none of its arguments.
func Compile(iface Interface, sessions []Session, filters []Filter, o CompileOptions) (*Program, error) {
	return &Program{}, nil
}

// Sessions returns the sessions of g in their order. The slice is not to be changed.
func (g *Program) Sessions() []ProgramSession { return g.sessions }

// RuleOf returns the rule that decided, nil when none did.
func (g *Program) RuleOf(d Decision) *FilterRule { return nil }

// Direction tells which way the frame p went as the interface sees it, by its MAC and
// else its addresses.
func (g *Program) Direction(p *packet.Parsed) Direction { return DirectionUnknown }

// Decide tells what to do with the frame p (the outermost packet of it) that went in
// direction d. It allocates nothing.
func (g *Program) Decide(p *packet.Parsed, d Direction) Decision { return Decision{} }

// PortMode is how the outer UDP source port is chosen.
type PortMode uint8

// The port modes.
const (
	// PortAWS is what AWS was seen to do: 65408 and 7 bits of a hash of the inner tuple
	// that is the same in both directions; answers of the Amazon resolver all have 65408.
	PortAWS PortMode = iota
	// PortWide takes 14 bits, 49152-65535, and treats answers of the resolver as all
	// else, so that receivers can spread load by the outer header and see both
	// directions of each flow in the same place.
	PortWide
)

// SourcePort returns the outer UDP source port for the mirrored frame p.
func (g *Program) SourcePort(p *packet.Parsed, d Decision) uint16 { return 0 }

// Explanation is the way of one packet through a Program, every step of it.
type Explanation struct {
	Decision Decision
	Steps    []Step
	Text     string // the outcome in one sentence
}

// Step is one thing that was looked at.
type Step struct {
	Session int    // index in Program.Sessions, -1 for what comes before sessions
	Rule    int    // index in Filter.Rules, -1: not a rule
	Match   bool   //
	Text    string // what was looked at, as "egress 200 accept tcp 10.0.0.0/8 -> any"
	Why     string // why it matched or not, as "protocol" or "destination port"
}

// Explain decides as Decide does, and writes every step down.
func (g *Program) Explain(p *packet.Parsed, d Direction) Explanation { return Explanation{} }
