package http

import "mirador/internal/proto"

// Bounds on what one flow may hold. Names in brackets are Suricata's settings
// under app-layer.protocols.http.libhtp.default-config.
const (
	// defaultMetaField is the longest start line or header line in bytes; a
	// longer one ends the parsing of the flow [meta-field-limit].
	defaultMetaField = 18432
	// maxHeaders is the number of header lines kept of one message (libhtp:
	// 1024); those beyond are counted, not kept.
	maxHeaders = 1024
	// maxHeaderBytes bounds the header block kept of one message. maxHeaders
	// lines of the longest kind would be 18 MB; nothing lawful comes near.
	maxHeaderBytes = 512 << 10
	// maxFolded is the length up to which folded lines are joined (libhtp: 100
	// kB).
	maxFolded = 100 << 10
	// maxRepeats is how many repeated headers of one message are joined; each
	// costs a copy of what is there (libhtp: 64).
	maxRepeats = 64
	// usualHead and usualHeaders are room for the header block and the headers of
	// most messages; more is added when it is needed.
	usualHead    = 640
	usualHeaders = 14
	// maxIgnoredLines is the number of empty lines before a request or response
	// after which the peer no longer speaks HTTP.
	maxIgnoredLines = 1024
	// defaultBodyLimit is how much of a body is kept for inspection and files
	// [request-body-limit, response-body-limit] where the configuration does not say,
	// as in Suricata; the stock configuration says 100 KiB.
	defaultBodyLimit = 4 << 10
	// Inspection of bodies begins when so much is there, and goes on with so much
	// of what was seen before [*-body-minimal-inspect-size, *-body-inspect-window].
	defaultRequestMinimal  = 32 << 10
	defaultRequestWindow   = 4 << 10
	defaultResponseMinimal = 32 << 10
	defaultResponseWindow  = 4 << 10
	// maxFileName is the longest file name kept; a longer one raises
	// FILE_NAME_TOO_LONG.
	maxFileName = 4 << 10
	// maxContentLength is the largest Content-Length or chunk believed.
	maxContentLength = 1<<62 - 1
	// maxChunkLength is the largest chunk (libhtp: what fits 31 bits).
	maxChunkLength = 1<<31 - 1
	// chunkProbe is how many bytes of a chunk-length line must be there to say
	// that it is none, without waiting for its end.
	chunkProbe = 8
	// lineProbe is how much of an unfinished line decides that it begins no
	// message, when a message is expected.
	lineProbe = 64
	// maxWaiting is the number of requests of one flow that can wait for their
	// response [max-tx].
	maxWaiting = 512
	// defaultStoreDepth is how much of a file is stored when nothing is said
	// (stock stream.reassembly.depth).
	defaultStoreDepth = 1 << 20
	// What the parts of files that are fetched in ranges may hold in all flows
	// together, and for how many seconds they wait for each other
	// [http.byterange.memcap, http.byterange.timeout].
	defaultRangeMemcap  = 100 << 20
	defaultRangeTimeout = 60
	// maxServers is the number of networks of servers that may be set; each flow
	// looks through them once [libhtp.server-config].
	maxServers = 4096
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitWaiting proto.LimitID = iota
	limitRepeats
	limitRanges
)

func limitNames() []string {
	return []string{"waiting_requests", "repeated_headers", "ranges"}
}
