// Package ldap parses LDAP over TCP and UDP (CLDAP) for detection and logging.
//
// A transaction is a request with its responses, found by the message's number; a
// response without request is a transaction of its own. Where StartTLS succeeds the
// flow goes on as TLS. SASL layers are not looked into, search filters are checked
// and not kept. Wire form: RFC 4511, result codes also RFC 3909, 4370, 4528, 4533
// and draft-ietf-ldapext-ldap-c-api.
package ldap

import "mirador/internal/proto/wire"

import "mirador/internal/proto"

// Indexes into the event names.
const (
	EventTooManyTransactions proto.EventID = iota
	EventInvalidData
	EventRequestNotFound
	EventTooManyResponses
)

// Ports of LDAP and of the Active Directory global catalog.
const (
	port   = 389
	portGC = 3268
)

// Protocol returns the row of LDAP.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:        "ldap",
		Transport:   proto.TCP | proto.UDP,
		Ports:       []uint16{port, portGC},
		ProbePorts:  []uint16{port, portGC},
		Probe:       probe,
		Configure:   configure,
		Done:        [2]uint8{1, 1},
		Fields:      fields(),
		Events:      []string{"too_many_transactions", "invalid_data", "request_not_found", "too_many_responses"},
		Limits:      limitNames(),
		LowerEvents: true,
		Frames:      []string{"pdu"},
		Log:         log,
	}
}

// config is what the settings say.
type config struct {
	maxTxs, maxResponses int
}

func configure(s proto.Settings) (proto.Factory, error) {
	cfg := config{maxTxs: proto.MaxTxs - 1, maxResponses: defaultResponses}
	if n, ok := s.Int("max-tx"); ok && n > 0 {
		cfg.maxTxs = int(min(n, proto.MaxTxs-1))
	}
	if n, ok := s.Int("max-responses"); ok && n > 0 {
		cfg.maxResponses = int(min(n, MaxResponses))
	}
	return func(c *proto.Conn) proto.Parser { return &parser{c: c, cfg: cfg} }, nil
}

// probe recognises the start of a message: a sequence, the message's number and an
// operation.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	op, m := first(b)
	if m != proto.Yes {
		if m == proto.More && h.UDP {
			return proto.No
		}
		return m
	}
	server := (h.SrcPort == port || h.SrcPort == portGC) && h.DstPort != port && h.DstPort != portGC
	switch {
	case isRequest(op) == (dir == proto.ToServer):
		return proto.Yes
	case dir == proto.ToServer && server:
		return proto.Reversed
	case h.Midstream || dir == proto.ToClient:
		return proto.No
	}
	return proto.Yes // an answer out of order
}

// first returns the operation of the message that begins b.
func first(b []byte) (op uint8, m proto.Match) {
	if len(b) == 0 {
		return 0, proto.More
	}
	tag, hdr, total, ok := wire.BERHead(b)
	if b[0] != tagSequence || !ok {
		return 0, proto.No
	}
	if total == 0 {
		return 0, proto.More
	}
	if tag != tagSequence || total > MaxSkip || total < hdr+5 {
		return 0, proto.No
	}
	b = b[hdr:]
	if len(b) >= 1 && b[0] != tagInteger || len(b) >= 2 && (b[1] == 0 || b[1] > 5) {
		return 0, proto.No
	}
	if len(b) < 2 || len(b) < 3+int(b[1]) {
		return 0, proto.More
	}
	if b[2] >= 0x80 {
		return 0, proto.No // numbers are not negative
	}
	if op, ok = operation(b[2+int(b[1])]); !ok {
		return 0, proto.No
	}
	return op, proto.Yes
}
