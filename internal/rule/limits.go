package rule

// Bounds of this room. Rules are operator input, but rule feeds come from the
// network, so that a bad feed must not take the sensor down.
const (
	// MaxFileBytes bounds one rule file. The largest public set is about 45 MB.
	MaxFileBytes = 512 << 20
	// MaxRuleBytes bounds one rule with its continuation lines joined. Suricata
	// stops at 8 KiB; the longest Emerging Threats rule has 3.3 KB.
	MaxRuleBytes = 64 << 10
	// SuricataRuleBytes is the length from which Suricata refuses a rule; lint
	// reports rules between the two bounds.
	SuricataRuleBytes = 8191
	// MaxOptions bounds the options of one rule; the largest public rule has about 100.
	MaxOptions = 1024
	// MaxDepth bounds the nesting of [..] and of variables in addresses and ports.
	// Suricata allows 64 levels of variables.
	MaxDepth = 64
	// MaxListItems bounds the members of one expanded address or port list
	// (threat lists such as the ET compromised hosts have a few hundred).
	MaxListItems = 1 << 16
	// MaxExpandSteps bounds the work of expanding one expression, so that variables
	// which double at every level end early.
	MaxExpandSteps = 1 << 18
	// MaxProblems bounds the problems kept for one file; later ones are counted only.
	MaxProblems = 10000
	// MaxMetadata bounds the metadata pairs and the references of one rule.
	MaxMetadata = 256
)
