// Package quic follows the opening of QUIC connections: it takes the protection
// off Initial packets (whose keys anyone on the path can compute), puts their
// CRYPTO frames together and reads the hello messages in them; of Google's QUIC
// it reads the CHLO message.
//
// Every packet with a long header is a transaction of its own, until the
// server's hello has been seen; packets behind it are encrypted and not looked
// at.
//
// Wire form: RFC 9000, 9001, 9369 (version 2), drafts 23 to 34 of them;
// draft-tsvwg-quic-protocol-02 and the versions Q039 to Q046 of Google's QUIC.
package quic

import "mirador/internal/proto"

// Indexes into the event names.
const (
	EventFailedDecrypt proto.EventID = iota
	EventErrorOnData
	EventCryptoTooLong
)

func events() []string {
	return []string{"failed_decrypt", "error_on_data", "crypto_frag_too_long"}
}

// Protocol returns the row of QUIC.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:           "quic",
		Transport:      proto.UDP,
		Ports:          []uint16{443},
		Probe:          probe,
		Configure:      configure,
		Done:           [2]uint8{1, 1},
		Fields:         fields(),
		LowerEvents:    true,
		Events:         events(),
		Limits:         limitNames(),
		Log:            log,
		LogAlert:       logAlert,
		Unidirectional: true,
	}
}

func configure(proto.Settings) (proto.Factory, error) {
	return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
}
