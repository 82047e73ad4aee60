package http2

import "mirador/internal/proto"

const (
	// defaultStreams is the number of live transactions of a flow [max-streams];
	// proto.MaxTxs holds besides.
	defaultStreams = 4096
	// defaultTable is the largest dynamic table of a direction [max-table-size].
	defaultTable = 64 << 10
	// MaxReassembly is the largest header block put together of a HEADERS frame and
	// its continuations [max-reassembly-size].
	MaxReassembly = 100 << 10
	// maxReassembly bounds that setting.
	maxReassembly = 16 << 20
	// defaultFrames is the number of frames of one transaction [max-frames].
	defaultFrames = 65536
	// longFrame is the largest frame that every peer takes (RFC 9113 section 4.2);
	// of longer ones, only DATA and headers are looked into to their end.
	longFrame = 16384
	// tooLong is the frame length above which an event is noted (as Suricata does).
	tooLong = 65535
	// MaxHeaders and MaxHeaderBytes bound the fields kept of one message. A block of
	// indexed fields can be a thousand times smaller than what it says.
	MaxHeaders     = 1024
	MaxHeaderBytes = 512 << 10
	// MaxFlowHeaderBytes bounds the fields kept of all open streams of a flow; the
	// buffers that rules ask for are made of them, each up to twice as large. A
	// thousand requests with a few KB of cookies stay below it.
	MaxFlowHeaderBytes = 4 << 20
	// maxValues bounds the priorities, errors, window sizes, settings and table
	// sizes kept of one transaction and direction.
	maxValues = 64
	// maxDNS is the longest DNS message taken from a body (65535 is the longest
	// there is).
	maxDNS = 65535
	// minInspect is how much of a body must be there before it is inspected, unless
	// it is shorter.
	minInspect = 32 << 10
	// Parts of files that are fetched in ranges: bytes, and how long they wait.
	rangeMemcap = 100 << 20
	rangeTTL    = 60e9
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitValues proto.LimitID = iota
	limitRanges
)

func limitNames() []string {
	return []string{"values", "ranges"}
}
