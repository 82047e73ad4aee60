package detect

import (
	"mirador/internal/proto"
	"mirador/internal/rule"
)

// Rule is a compiled rule as alerts show it. It is immutable.
type Rule struct {
	*rule.Rule // sid, gid, rev, msg, metadata, references, target, text, file, line

	// Category is the description of the class (EVE alert.category).
	Category string
	// Severity is the priority: of the rule, else of its class, else 3.
	Severity uint32
	// Type is the kind the rule was sorted into, in the words of Suricata's
	// engine analysis ("pkt", "stream", "app_tx", ...).
	Type string
	// Refs are the references with the URL prefix of reference.config.
	Refs []string

	s *sig
}

// Alert is one match to be reported.
type Alert struct {
	Rule   *Rule
	Action rule.Action // of the rule, or as threshold.config's rate_filter changed it
	Tx     proto.Tx    // nil when the match was not in a transaction
	TxID   uint64
	// Stream tells that reassembled data matched (EVE "stream": 1).
	Stream bool
	// State tells that transaction state matched.
	State bool
	// Frame is the frame that matched; Frame.Type is "" when there is none.
	Frame proto.Frame
	// Context are the captures of "alert:" and what datasets in JSON format add
	// (EVE alert.context).
	Context []Context
}

// Context is one member of alert.context: either JSON text or a plain string.
type Context struct {
	Key  string
	JSON []byte // a JSON value, or nil
	Text []byte // used when JSON is nil
}

// Counters are the worker's own counts since it was made.
type Counters struct {
	Packets        uint64 // Inspect calls
	Alerts         uint64 // alerts handed out
	AlertOverflow  uint64 // matches beyond the limit per packet (detect.alert_queue_overflow)
	Suppressed     uint64 // matches held back by thresholds (detect.alerts_suppressed)
	Candidates     uint64 // rules looked at after the prefilter
	Matches        uint64 // rules that matched
	RecursionLimit uint64 // inspections cut short by the recursion limit
	RegexLimit     uint64 // pcre evaluations cut short by the step budget
	FlowBitsFull   uint64 // flowbits, flowints, captured variables, entropies, by_flow thresholds or hits of frames not kept because the flow has too many
	StatesFull     uint64 // rule states or xbits of a transaction not kept because there are too many
	CapturesFull   uint64 // captures and members of alert.context of one packet not kept because there are too many
	ValuesLimit    uint64 // buffers with more values than are looked at
	TransformLimit uint64 // buffers cut short by the limit of a growing transform
	Scanned        uint64 // bytes through the pattern matchers
}
