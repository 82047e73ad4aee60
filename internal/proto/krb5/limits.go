package krb5

import "mirador/internal/proto"

const (
	// MaxMessage is the longest message followed over TCP; longer ones are stepped
	// over. Tickets with large authorization data stay below 64 KiB.
	MaxMessage = 256 << 10
	// MaxComponents bounds the parts kept of a principal's name; real ones have up
	// to 5.
	MaxComponents = 32
	// MaxString bounds a realm or a part of a name, in bytes.
	MaxString = 1024
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitMessage proto.LimitID = iota
	limitName
)

func limitNames() []string {
	return []string{"message", "name"}
}
