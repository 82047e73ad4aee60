// Package krb5 parses Kerberos 5 between clients and key distribution centers, over
// TCP and UDP, for detection and logging. It also reads the ticket out of an AP-REQ
// for protocols that carry one.
//
// Every message is a transaction of its own that belongs to one direction; over TCP
// records of it show the direction of the packet that completed it (as in Suricata),
// so that the row is not Unidirectional. Nothing
// is decrypted. Wire form: RFC 4120; encryption types: RFC 3961, 3962, 4757, 6803,
// 8009 and the IANA registry.
package krb5

import "mirador/internal/proto"

// Indexes into the event names.
const (
	EventMalformedData proto.EventID = iota
	EventWeakEncryption
)

// Message types. RFC 4120 section 7.5.7.
const (
	ASReq  = 10
	ASRep  = 11
	TGSReq = 12
	TGSRep = 13
	APReq  = 14
	APRep  = 15
	Error  = 30
)

const port = 88

// Protocol returns the row of Kerberos 5.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:        "krb5",
		Transport:   proto.TCP | proto.UDP,
		Ports:       []uint16{port},
		ProbePorts:  []uint16{port},
		Probe:       probe,
		Configure:   configure,
		Done:        [2]uint8{1, 1},
		Fields:      fields(),
		Events:      []string{"malformed_data", "weak_encryption"},
		Limits:      limitNames(),
		LowerEvents: true,
		Frames:      []string{},
		Log:         log,
	}
}

func configure(proto.Settings) (proto.Factory, error) {
	return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
}
