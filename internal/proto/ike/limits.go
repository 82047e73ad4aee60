package ike

import "mirador/internal/proto"

const (
	// MaxTransforms bounds the transforms kept of a message; an initiator offers some
	// dozens.
	MaxTransforms = 256
	// MaxAttributes bounds the attributes kept of an IKEv1 transform; 16 are defined.
	MaxAttributes = 32
	// MaxPayloads bounds the payloads of a message that are read.
	MaxPayloads = 256
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitPayloads proto.LimitID = iota
	limitTransforms
	limitAttributes
)

func limitNames() []string {
	return []string{"payloads", "transforms", "attributes"}
}
