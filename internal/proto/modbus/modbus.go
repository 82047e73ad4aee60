// Package modbus follows Modbus/TCP (Modbus Application Protocol 1.1b3, Messaging on
// TCP/IP 1.0b): requests with their responses. It shows them in alerts
// and writes no records of its own.
package modbus

import (
	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// Indexes into the event names.
const (
	EventInvalidProtocolID proto.EventID = iota
	EventUnsolicitedResponse
	EventInvalidLength
	EventInvalidUnitIdentifier
	EventInvalidFunctionCode
	EventInvalidValue
	EventInvalidExceptionCode
	EventValueMismatch
	EventFlooded
)

func events() []string {
	return []string{
		"invalid_protocol_id", "unsolicited_response", "invalid_length", "invalid_unit_identifier", "invalid_function_code",
		"invalid_value", "invalid_exception_code", "value_mismatch", "flooded",
	}
}

const (
	port = 502
	// defaultFlood is how many requests may be without an answer before it counts as
	// a flood (setting request-flood).
	defaultFlood = 500
)

// Protocol returns the row of Modbus. It is off unless the configuration says so.
func Protocol() *proto.Protocol {
	p := &proto.Protocol{
		Name:       "modbus",
		Transport:  proto.TCP,
		Probe:      probe([]uint16{port}),
		Disabled:   true,
		RawByChunk: true,
		Done:       [2]uint8{1, 1},
		Fields:     fields(),
		Events:     events(),
		Log:        func(*proto.Conn, proto.Tx, *jsonw.Writer) bool { return false },
		LogAlert:   logAlert,
		StreamDepth: func(s proto.Settings) (int64, bool) {
			if n, ok := s.Size("stream-depth"); ok {
				return n, true
			}
			return 0, true
		},
	}
	p.Configure = func(s proto.Settings) (proto.Factory, error) {
		ports, err := proto.Ports(s, "detection-ports.dp")
		if err != nil {
			return nil, err
		}
		if len(ports) == 0 {
			ports = []uint16{port}
		}
		p.ProbePorts, p.Ports, p.Probe = ports, ports, probe(ports)
		flood := int64(defaultFlood)
		if n, ok := s.Int("request-flood"); ok && n > 0 {
			flood = n
		}
		return func(c *proto.Conn) proto.Parser { return &parser{c: c, flood: flood} }, nil
	}
	return p
}

// The header. Messaging on TCP/IP section 3.1.3.
const (
	headerLen = 7 // with the unit identifier, which the length counts
	counted   = 6
	maxLength = 254
	minLength = 2
)

// probe recognises a header to a server's port.
func probe(ports []uint16) func(proto.Dir, []byte, proto.Hint) proto.Match {
	return func(_ proto.Dir, b []byte, h proto.Hint) proto.Match {
		hit := false
		for _, n := range ports {
			hit = hit || n == h.DstPort
		}
		if !hit || len(b) > 2 && b[2] != 0 || len(b) > 3 && b[3] != 0 || len(b) > 4 && b[4] != 0 {
			return proto.No
		}
		if len(b) <= headerLen {
			return proto.More
		}
		if b[5] < minLength {
			return proto.No
		}
		if f := b[7] &^ exceptionBit; f == 0 || f > 0x18 && f != fnEncapsulated {
			return proto.No
		}
		return proto.Yes
	}
}
