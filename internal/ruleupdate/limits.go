package ruleupdate

import "time"

// Bounds of this room. A rule feed is a stranger: nothing it says about its own size
// is believed.
const (
	// MaxDownload bounds what one source may send or a file may hold, in bytes. ET Open
	// is about 5 MB packed and 45 MB plain.
	MaxDownload = 256 << 20
	// MaxUnpacked bounds an archive with everything in it, unpacked, in bytes.
	MaxUnpacked = 512 << 20
	// MaxFiles bounds the members of an archive or a directory, those that are not
	// wanted included. ET Open has about 60.
	MaxFiles = 4096
	// MaxRatio bounds how much larger than its packed form an archive may be once it is
	// larger than ratioFrom. Rules shrink to a tenth; a bomb of zeros to a thousandth.
	MaxRatio  = 100
	ratioFrom = 8 << 20
	// MaxNameBytes bounds the name of a member.
	MaxNameBytes = 512
	// MaxSources bounds the sources of one update.
	MaxSources = 64
	// MaxRedirects bounds the redirects of one fetch.
	MaxRedirects = 5
	// FetchTimeout bounds one fetch from the first byte sent to the last one read.
	FetchTimeout = 5 * time.Minute
	// HeaderTimeout bounds the wait for the first byte of an answer.
	HeaderTimeout = 30 * time.Second
	// maxInfoBytes bounds the small JSON files of the state folder. The list of refused
	// rules is the long part of them.
	maxInfoBytes = 16 << 20
	// DefaultKeep is how many versions stay on disk, the current one included.
	DefaultKeep = 5
	// DefaultMaxLoss is the share of rules that an update may lose before it is refused.
	// Feeds retire a few in a thousand in a day.
	DefaultMaxLoss = 0.2
)
