// Package pop3 follows POP3 sessions: commands matched with their responses.
//
// A transaction is a command with its response, or a response that nobody asked for,
// such as the greeting. Mails that RETR fetches are passed over; of other responses of
// many lines the lines are kept.
//
// Wire form: RFC 1939, 2449 (CAPA), 2595 (STLS), 5034 (AUTH).
package pop3

import "mirador/internal/proto"

// Progress of a direction.
const (
	Started uint8 = iota
	Complete
)

// Indexes into the event names.
const (
	EventTooMany proto.EventID = iota
	EventLongRequest
	EventArguments
	EventUnknownCommand
	EventLongResponse
)

func events() []string {
	return []string{
		"too_many_transactions",
		"request_too_long",
		"incorrect_argument_count",
		"unknown_command",
		"response_too_long",
	}
}

// port is the registered port.
const port = 110

// Protocol returns the row of POP3. It is looked for on its port only: its words are
// those of other protocols, too.
func Protocol() *proto.Protocol {
	p := &proto.Protocol{
		Name:        "pop3",
		Transport:   proto.TCP,
		Probe:       probe,
		Done:        [2]uint8{Complete, Complete},
		Events:      events(),
		Limits:      limitNames(),
		LowerEvents: true,
		Log:         log,
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
		p.Ports, p.ProbePorts = ports, ports
		maxTx := DefaultMaxTx
		if n, ok := s.Int("max-tx"); ok && n > 0 {
			maxTx = int(min(n, proto.MaxTxs))
		}
		all := commands()
		return func(c *proto.Conn) proto.Parser { return &parser{c: c, maxTx: maxTx, commands: all} }, nil
	}
	return p
}
