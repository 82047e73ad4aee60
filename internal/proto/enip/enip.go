// Package enip follows EtherNet/IP with CIP (Common Industrial Protocol, volumes 1 and
// 2) over TCP and UDP: encapsulation commands with their responses, and the CIP
// messages in them.
package enip

import "mirador/internal/proto"

// Indexes into the event names.
const (
	EventTooManyTransactions proto.EventID = iota
	EventInvalidPDU
)

const (
	port = 44818
	// MaxPDU bounds a message that is read; longer ones are stepped over. The length
	// is a 16-bit number, so that this is all there can be.
	MaxPDU = headerLen + 1<<16
	// MaxOpen is how many requests may wait for a response before it is an event.
	MaxOpen = 1024 / 2
	// MaxMultiple bounds the messages of a multiple service packet.
	MaxMultiple = 256
	// MaxSegments bounds the segments of a path; its length is an octet in words.
	MaxSegments = 128
)

// Protocol returns the row of EtherNet/IP. It is off unless the configuration says so.
func Protocol() *proto.Protocol {
	p := &proto.Protocol{
		Name:        "enip",
		Transport:   proto.TCP | proto.UDP,
		Probe:       probe,
		Disabled:    true,
		Done:        [2]uint8{1, 1},
		Fields:      fields(),
		Events:      []string{"too_many_transactions", "invalid_pdu"},
		LowerEvents: true,
		Log:         newTables().log,
	}
	p.Configure = func(s proto.Settings) (proto.Factory, error) {
		dp, err := proto.Ports(s, "detection-ports.dp")
		if err != nil {
			return nil, err
		}
		sp, err := proto.Ports(s, "detection-ports.sp")
		if err != nil {
			return nil, err
		}
		if dp = append(dp, sp...); len(dp) == 0 {
			dp = []uint16{port}
		}
		p.Ports, p.ProbePorts = dp, dp
		return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
	}
	return p
}

// probe takes a header with a known command and status to or from the port.
func probe(_ proto.Dir, b []byte, h proto.Hint) proto.Match {
	if len(b) < headerLen {
		if h.UDP {
			return proto.No
		}
		return proto.More
	}
	m := header(b)
	if _, ok := commands()[uint32(m.Command)]; !ok {
		return proto.No
	}
	if _, ok := statuses()[m.Status]; !ok || m.Options != 0 && m.Command != cmdRegister {
		return proto.No
	}
	if h.UDP && headerLen+int(m.Length) > len(b) {
		return proto.No
	}
	return proto.Yes
}
