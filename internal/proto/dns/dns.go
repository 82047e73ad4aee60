// Package dns parses DNS over UDP and TCP, multicast DNS and LLMNR for
// detection and logging.
//
// Every message is a transaction of its own that belongs to one direction
// (Suricata 8's model): no request is paired with its response. Names are kept
// with dots and without their final one; what a message expands to is bounded
// (limits.go). It answers no queries and validates no signatures.
//
// Wire form: RFC 1035, 2782 (SRV), 4255 (SSHFP), 4795 (LLMNR), 6762 (mDNS),
// 6891 (EDNS).
package dns

import (
	"mirador/internal/proto"
)

// Well-known ports.
const (
	portDNS     = 53
	portNBNS    = 137 // NetBIOS names: the same header, other names
	portNBDGM   = 138
	portMDNS    = 5353
	portLLMNR   = 5355
	opcodeCount = 7 // 0..6 are assigned; larger ones are not DNS as we know it
)

// Indexes into the event names.
const (
	EventMalformedData proto.EventID = iota
	EventNotRequest
	EventNotResponse
	EventZFlagSet
	EventInvalidOpcode
	EventNameTooLong
	EventInfiniteLoop
	EventTooManyLabels
	EventInvalidAdditionals
	EventInvalidAuthorities
)

func events() []string {
	return []string{
		"malformed_data",
		"not_request",
		"not_response",
		"z_flag_set",
		"invalid_opcode",
		"name_too_long",
		"infinite_loop",
		"too_many_labels",
		"invalid_additionals",
		"invalid_authorities",
	}
}

// Protocol returns the row of DNS. Its Log writes EVE dns records of version 3;
// Logger makes others.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:           "dns",
		Transport:      proto.TCP | proto.UDP,
		Ports:          []uint16{portDNS},
		Probe:          probe,
		Configure:      configure(unicast),
		Done:           [2]uint8{1, 1},
		Fields:         fields(),
		LowerEvents:    true,
		Events:         events(),
		Limits:         limitNames(),
		Frames:         []string{"pdu"},
		Log:            Logger(LogOptions{}),
		LogAlert:       alertLogger(),
		Unidirectional: true,
		Beginnings:     true,
	}
}

// MDNS returns the row of multicast DNS.
func MDNS() *proto.Protocol {
	return &proto.Protocol{
		Name:           "mdns",
		Transport:      proto.UDP,
		Ports:          []uint16{portMDNS},
		ProbePorts:     []uint16{portMDNS},
		Probe:          probeLocal,
		Configure:      configure(multicast),
		Done:           [2]uint8{1, 1},
		Fields:         localFields("mdns"),
		LowerEvents:    true,
		Events:         events(),
		Limits:         limitNames(),
		Frames:         []string{"pdu"},
		Log:            mdnsLogger(),
		Unidirectional: true,
	}
}

// LLMNR returns the row of link-local multicast name resolution. It is off unless
// app-layer.protocols.llmnr.enabled says yes: Suricata 8.0 does not know it.
func LLMNR() *proto.Protocol {
	return &proto.Protocol{
		Name:           "llmnr",
		Transport:      proto.UDP,
		Ports:          []uint16{portLLMNR},
		ProbePorts:     []uint16{portLLMNR},
		Disabled:       true,
		Probe:          probeLocal,
		Configure:      configure(multicast),
		Done:           [2]uint8{1, 1},
		Fields:         localFields("llmnr"),
		LowerEvents:    true,
		Events:         events(),
		Limits:         limitNames(),
		Frames:         []string{"pdu"},
		Log:            llmnrLogger(),
		Unidirectional: true,
	}
}

// variant tells how strictly direction and the QR bit go together.
type variant uint8

const (
	unicast   variant = iota // requests to server, responses to client
	multicast                // either may come from either side
)

func configure(v variant) func(proto.Settings) (proto.Factory, error) {
	return func(proto.Settings) (proto.Factory, error) {
		return func(c *proto.Conn) proto.Parser { return &parser{c: c, variant: v} }, nil
	}
}
