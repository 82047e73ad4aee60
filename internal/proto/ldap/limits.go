package ldap

import "mirador/internal/proto"

const (
	// MaxMessage is the longest message that is looked into; longer ones are stepped
	// over and counted as responses nobody sees. Entries with photographs or long
	// member lists stay below it; servers limit what they take to some megabytes.
	MaxMessage = 512 << 10
	// MaxSkip is the longest message believed at all.
	MaxSkip = 64 << 20
	// MaxFlowBytes bounds the copies of messages kept in one flow's transactions.
	// Behind it a message is kept without its content.
	MaxFlowBytes = 4 << 20
	// MaxAttrs bounds the attribute types of one message that keywords see.
	MaxAttrs = 1024
	// MaxLogged bounds the values of one message that are written to EVE.
	MaxLogged = 4096
	// MaxResponses bounds the responses kept in one transaction whatever
	// max-responses says.
	MaxResponses = 4096

	defaultResponses = 1024 // Suricata's default of max-responses
	recount          = 256  // messages between two counts of what is kept
	maxDepth         = 32   // nested search filters, which are checked but not kept
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitMessage proto.LimitID = iota
	limitContent
	limitAttributes
	limitLogged
)

func limitNames() []string {
	return []string{"message", "content", "attributes", "logged_values"}
}
