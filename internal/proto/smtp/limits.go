package smtp

import "mirador/internal/proto"

const (
	// MaxLine is the longest command, reply or header line, with its end, in bytes; of
	// a longer one the first MaxLine bytes are read and the rest is passed over
	// (Suricata's value; RFC 5321 section 4.5.3.1 asks for 512 and 1000).
	MaxLine = 4096
	// maxQueue bounds the commands that wait for their replies; the oldest is forgotten
	// and counted beyond it. Clients that pipeline send some hundred recipients.
	maxQueue = 4096
	// maxRcpt bounds the recipients kept per mail; RFC 5321 section 4.5.3.1.8 asks for
	// 100, large lists send 1000.
	maxRcpt = 2048
	// maxRcptBytes bounds their bytes: 2048 of usual length. Addresses have at most 254
	// (RFC 5321 section 4.5.3.1.3), but lines 4096.
	maxRcptBytes = 96 << 10
	// DefaultMaxTx is how many mails of a session may wait for their reply; the oldest
	// is then completed (Suricata: max-tx).
	DefaultMaxTx = 256
	// maxSchemes bounds mime.extract-urls-schemes: each costs a search of every line
	// with a URL.
	maxSchemes = 16

	// The inspected-tracker's defaults: file.data of attachments is looked at when
	// defaultMinInspect bytes are there or it is complete, with defaultWindow bytes of
	// what was seen before.
	defaultMinInspect   = 32768
	defaultInspectLimit = 100000
	defaultWindow       = 4096
	maxInspect          = 1 << 30
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitCommands proto.LimitID = iota
	limitRecipients
	limitMail
)

func limitNames() []string {
	return []string{"commands", "recipients", "mail"}
}
