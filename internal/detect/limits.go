package detect

// Bounds of this room. Rules come from feeds and packets from attackers, so that
// neither may make the engine slow without bound or grow without bound.
const (
	// DefaultMaxAlerts is how many alerts one packet may raise (Suricata:
	// packet-alert-max, 15). What is beyond is counted in Counters.AlertOverflow.
	DefaultMaxAlerts = 15
	// maxQueue bounds the matches of one packet before thresholds are applied.
	maxQueue = 4096
	// DefaultRecursion bounds the steps of one content inspection (Suricata:
	// detect.inspection-recursion-limit, 3000).
	DefaultRecursion = 3000
	// MaxContentLen is the longest pattern of one content (Suricata: 255 bytes in
	// the pattern matcher, 65535 in the rule).
	MaxContentLen = 65535
	// MaxDistance is the largest absolute value of distance and within
	// (Suricata: 1 MiB).
	MaxDistance = 1 << 20
	// maxByteVars bounds the byte_extract and byte_math results of one rule.
	maxByteVars = 64
	// maxTransforms bounds the transforms on one buffer (Suricata: 16).
	maxTransforms = 16
	// maxTransformOut bounds what a growing transform (base64, inflate) may put
	// out (Suricata: gunzip max-size up to 1 MiB, 1 KiB by default).
	maxTransformOut = 1 << 20
	// maxInstances bounds how many values of a multi-value buffer are looked at
	// per transaction and inspection.
	maxInstances = 1024
	// maxRuleStates bounds the rules remembered per transaction and direction:
	// those that are part way through and those that have alerted.
	maxRuleStates = 1024
	// maxFlowBits, maxFlowInts and maxFlowVars bound the state of one flow.
	maxFlowBits = 256
	maxFlowInts = 64
	maxFlowVars = 64
	// maxVarLen is the longest captured variable kept (Suricata: 65535).
	maxVarLen = 8 << 10
	// maxStoreSIDs bounds the rules noted at a file that they store.
	maxStoreSIDs = 16
	// maxPktVars bounds the captures kept for one packet.
	maxPktVars = 64
	// DefaultThresholds bounds the threshold entries over all shards (Suricata:
	// detect.thresholds.memcap 16 MiB, about 200,000 entries).
	DefaultThresholds = 200000
	// DefaultBits bounds the xbits and hostbits entries over all shards.
	DefaultBits = 200000
	// DefaultDatasetEntries bounds one dataset that rules may add to (Suricata:
	// datasets.defaults.memcap 100 MiB).
	DefaultDatasetEntries = 1 << 20
	// DefaultDatasetBytes bounds the memory of one dataset (100 MiB).
	DefaultDatasetBytes = 100 << 20
	// maxDatasetFile bounds a file that is loaded into a dataset or a
	// reputation list.
	maxDatasetFile = 1 << 30
	// MaxTraceFlows bounds the flows that a Trace follows; packets of further ones are
	// counted in Trace.Dropped.
	MaxTraceFlows = 100000
	// maxTags bounds the tagged hosts over all shards.
	maxTags = 65536
	// maxFlowTags bounds the tags on one flow (Suricata: 8).
	maxFlowTags = 8
	// base64Max bounds one base64_decode (Suricata: 65535).
	base64Max = 65535
	// shards is the number of locks each shared table is split over.
	shards = 64
)
