package mqtt

import "mirador/internal/proto"

const (
	// defaultMessage is the length of a message above which it is skipped
	// (Suricata: max-msg-length 1 MiB).
	defaultMessage = 1 << 20
	// largestMessage is the largest max-msg-length taken; a message is held whole.
	largestMessage = 16 << 20
	// defaultMessages and largestMessages bound the messages of a transaction
	// (Suricata: max-messages 1024).
	defaultMessages = 1024
	largestMessages = 4096
	// defaultTopics is how many topics of a SUBSCRIBE rules look at (Suricata:
	// subscribe-topic-match-limit 100).
	defaultTopics = 100
	// MaxTopics bounds the topics and codes kept of one message, since a topic costs
	// more memory than its three bytes on the wire.
	MaxTopics = 8192
	// MaxProperties bounds the properties kept of one message; a message may have
	// any number of user properties (Suricata keeps 256).
	MaxProperties = 256
	// defaultString is how much of a string EVE shows (Suricata: string-log-limit
	// 1 KiB).
	defaultString = 1024
	// maxConnackProbe is how much of a server's first bytes may look like a CONNACK
	// before they must be recognised otherwise; a CONNACK with properties fits.
	maxConnackProbe = 512
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitTopics proto.LimitID = iota
)

func limitNames() []string {
	return []string{"topics"}
}
