package mpm

// Bounds of this room. Patterns come from rules, data from the network.
const (
	// MaxPatterns bounds the patterns of one Matcher; the largest group of the
	// Emerging Threats rules has about 8,000.
	MaxPatterns = 1 << 20
	// MaxPatternLen bounds one pattern: Suricata's contents have 16 bits of length.
	MaxPatternLen = 1 << 16
	// MaxID bounds the ids of patterns, because Hits keeps a bit for each.
	MaxID = 1<<24 - 1
	// MaxData bounds what one Scan looks at: positions are kept in 32 bits.
	MaxData = 1 << 30
)
