// Package ike reads the Internet Key Exchange, version 1 (RFC 2408, 2409) and 2
// (RFC 7296), over UDP: headers, the payloads that are not encrypted, and the
// algorithms that were proposed and chosen. Every message is a transaction of its own.
package ike

import "mirador/internal/proto"

// Indexes into the event names.
const (
	EventMalformedData proto.EventID = iota
	EventNoEncryption
	EventWeakCryptoEnc
	EventWeakCryptoPRF
	EventWeakCryptoDH
	EventWeakCryptoAuth
	EventWeakCryptoNoDH
	EventWeakCryptoNoAuth
	EventInvalidProposal
	EventUnknownProposal
	EventPayloadExtraData
	EventMultipleServerProposal
)

func events() []string {
	return []string{
		"malformed_data", "no_encryption", "weak_crypto_enc", "weak_crypto_prf", "weak_crypto_dh", "weak_crypto_auth",
		"weak_crypto_no_dh", "weak_crypto_no_auth", "invalid_proposal", "unknown_proposal", "payload_extra_data",
		"multiple_server_proposal",
	}
}

const port = 500

// Protocol returns the row of IKE.
func Protocol() *proto.Protocol {
	names := newTables()
	return &proto.Protocol{
		Name:           "ike",
		Transport:      proto.UDP,
		Ports:          []uint16{port},
		ProbePorts:     []uint16{port},
		Probe:          probe,
		Done:           [2]uint8{1, 1},
		Fields:         fields(),
		Events:         events(),
		Limits:         limitNames(),
		LowerEvents:    true,
		Unidirectional: true,
		Log:            names.log,
		LogAlert:       names.logAlert,
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
		},
	}
}

// Exchange types of IKEv2. RFC 7296 section 3.1.
const (
	firstExchange2 = 34
	lastExchange2  = 37
)

// probe takes a message to port 500 with a version that is known; of version 2 the
// exchange type and the length must be right, too.
func probe(_ proto.Dir, b []byte, h proto.Hint) proto.Match {
	if h.DstPort != port || len(b) < headerLen {
		return proto.No
	}
	switch b[offVersion] >> 4 {
	case 1:
		return proto.Yes
	case 2:
		ex := b[offExchange]
		if b[offVersion]&15 == 0 && ex >= firstExchange2 && ex <= lastExchange2 && length(b) == uint64(len(b)) {
			return proto.Yes
		}
	}
	return proto.No
}
