package quic

import "mirador/internal/proto"

const (
	// MaxCID is the longest connection id (RFC 9000 section 17.2).
	MaxCID = 20
	// MaxOpens bounds the Initial packets decrypted in one flow. A ClientHello
	// takes one to four packets, retransmissions and a Retry included ten.
	MaxOpens = 48
	// MaxCrypto bounds the CRYPTO bytes kept in one direction, in bytes, and
	// where they may lie (Suricata: 65535).
	MaxCrypto = 65535
	// MaxFragments bounds the CRYPTO frames kept in one direction. Chrome sends
	// a hello in up to some twenty pieces.
	MaxFragments = 128
	// MaxPackets bounds the QUIC packets looked at in one datagram; three have a
	// meaning.
	MaxPackets = 8
	// MaxTags bounds the tags read of a CHLO.
	MaxTags = 128
	// minInitial is the least size of a datagram with a client's Initial packet
	// (RFC 9000 section 14.1).
	minInitial = 1200
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitPackets proto.LimitID = iota
	limitInitials
	limitTags
	limitHello
)

func limitNames() []string {
	return []string{"packets", "initials", "tags", "hello_lists"}
}
