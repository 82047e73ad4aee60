package pgsql

import "mirador/internal/proto"

const (
	// maxStartup is the largest start-up packet (PostgreSQL's own limit).
	maxStartup = 10000
	// MaxMessage is how much of one message is looked at; the rest is skipped. Data
	// rows are counted by their headers beyond it.
	MaxMessage = 64 << 10
	// defaultResponses bounds the responses of a transaction, data rows not counted
	// (Suricata: max-responses 64); leastResponses is the least the setting takes.
	defaultResponses = 64
	leastResponses   = 21
	// maxParams bounds the parameters kept of a start-up packet.
	maxParams = 64
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitParameters proto.LimitID = iota
	limitMessage
)

func limitNames() []string {
	return []string{"parameters", "message"}
}
