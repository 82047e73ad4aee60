package dns

const (
	// MaxName is the longest dotted name kept, in bytes; longer ones are cut and
	// marked. RFC 1035 allows 255, Suricata keeps 1025.
	MaxName = 1025
	// MaxLabels bounds the labels of one name (the protocol allows 127).
	MaxLabels = 255
	// MaxJumps bounds the compression pointers followed in one name. A name of
	// MaxLabels labels needs fewer; more means a loop.
	MaxJumps = 255
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
