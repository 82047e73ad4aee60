package dns

import "mirador/internal/proto"

const (
	// MaxName is the longest dotted name kept, in bytes; longer ones are cut and
	// marked. RFC 1035 allows 255, Suricata keeps 1025.
	MaxName = 1025
	// MaxSteps bounds the labels and compression pointers followed in one name
	// (RFC 1035 allows 127 labels, Suricata follows 255 steps). A name that ends
	// here behind a pointer is cut; one without any pointer is refused.
	MaxSteps = 255
	// MaxMessageLabels bounds the labels read in one message, so that a datagram
	// full of pointers to one long name costs no more than a plain one. A full
	// 64 KiB zone transfer message has fewer than 16384 labels of its own.
	MaxMessageLabels = 32 << 10
	// MaxMessageNames bounds the bytes that all names of one message expand to.
	MaxMessageNames = 256 << 10
	// MaxRecords bounds the questions and records kept of one message; the rest
	// is checked and counted in Tx.Cut. Real responses have under 100.
	MaxRecords = 2048
	// MaxTexts bounds the strings of one TXT record that are logged.
	MaxTexts = 256
	// MaxOptions bounds the EDNS options of one record that are logged.
	MaxOptions = 64
	// MaxGroups bounds the record types under "grouped"; more cannot have data.
	MaxGroups = 11

	headerLen = 12
	maxTCP    = 65535 + 2
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitRecords proto.LimitID = iota
)

func limitNames() []string {
	return []string{"records"}
}
