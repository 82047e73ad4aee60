package pop3

import "mirador/internal/proto"

const (
	// MaxRequest and MaxResponse are the lengths, with line end, beyond which a command
	// or the first line of a response is reported: RFC 2449 section 4 says 255 and 512,
	// Suricata 256 and 512.
	MaxRequest  = 256
	MaxResponse = 512
	// MaxLine is how much of a line is read; the rest is passed over. Lines of mails
	// have up to 1000 bytes (RFC 5322), those of careless senders more.
	MaxLine = 4096
	// DefaultMaxTx is how many commands of a session may wait for their response
	// (Suricata: max-tx). Beyond it all of them are completed.
	DefaultMaxTx = 256
	// maxData and maxDataBytes bound the lines kept of a response: LIST has one for each
	// mail, TOP those that the client asked for. More is passed over and counted.
	maxData      = 4096
	maxDataBytes = 64 << 10
	// maxArgs bounds the arguments kept of a command; no command has more than two.
	maxArgs = 64
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitArguments proto.LimitID = iota
	limitLines
)

func limitNames() []string {
	return []string{"arguments", "response_lines"}
}
