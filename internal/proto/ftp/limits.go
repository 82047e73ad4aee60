package ftp

import "mirador/internal/proto"

const (
	// DefaultMaxLine is the longest command or reply line with its end, in bytes; of a
	// longer one the first DefaultMaxLine bytes are read and the rest is passed over
	// (Suricata: max-line-length).
	DefaultMaxLine = 4096
	minLine        = 16
	maxLine        = 64 << 10
	// DefaultMaxTx is how many commands of a session may wait for their reply; beyond it
	// the oldest is completed and the new one is passed over (Suricata: max-tx).
	DefaultMaxTx = 1024
	// maxReplies and maxReplyBytes bound what is kept of the replies of one command: a
	// directory listing by STAT has a line per file. More is passed over and counted.
	maxReplies    = 1024
	maxReplyBytes = 64 << 10
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitReplies proto.LimitID = iota
)

func limitNames() []string {
	return []string{"replies"}
}
