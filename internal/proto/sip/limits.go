package sip

import "mirador/internal/proto"

const (
	// maxMethod is the longest method probing takes; those registered with IANA
	// have up to 9 letters.
	maxMethod = 32
	// maxLine is how much of a first line is waited for when probing.
	maxLine = 2048
	// MaxHead is the largest first line with headers over TCP. RFC 3261 sets no
	// bound; servers take between 8 and 64 KiB.
	MaxHead = 64 << 10
	// MaxBody is the largest body kept for SDP; a longer one is skipped. A
	// session description has some hundred bytes.
	MaxBody = 64 << 10
	// MaxHeaders bounds the headers kept of a message, MaxSDP the lines of a
	// session description: each costs more memory than on the wire.
	MaxHeaders = 512
	MaxSDP     = 1024
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitBody proto.LimitID = iota
	limitHeaders
	limitSDP
)

func limitNames() []string {
	return []string{"body", "headers", "sdp_lines"}
}
