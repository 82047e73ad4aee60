package tls

import "mirador/internal/proto"

const (
	// maxRecord is the largest record followed (Suricata takes the same; TLS 1.2
	// allows 2^14 + 2048).
	maxRecord = 1<<14 + 1024
	// MaxHandshake is the largest handshake message put together from records.
	// Certificate chains in captures stay under 10 KB; the protocol allows 16 MB.
	MaxHandshake = 128 << 10
	// MaxRecords bounds the records read in one call without the event
	// too_many_records_in_packet.
	MaxRecords = 1024
	// MaxChain bounds the certificates kept of one chain.
	MaxChain = 32
	// MaxNames bounds the subject alternative names kept. Certificates of
	// content networks have several hundred.
	MaxNames = 2000
	// MaxDN bounds a subject or issuer written as text, in bytes.
	MaxDN = 16 << 10
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitHandshake proto.LimitID = iota
	limitChain
	limitAltNames
	limitHello
)

func limitNames() []string {
	return []string{"handshake", "chain", "names", "hello_lists"}
}
