// Package detect is the detection engine: rules compiled to an immutable Engine,
// and Workers that look at packets, streams and transactions with it.
//
// It speaks the rule language of Suricata 8 in IDS mode. It decodes no packets,
// reassembles nothing and parses no protocol: packet, stream and proto do, and hand
// over headers, windows and transactions. The sensor calls Inspect once for each
// packet, after the application layer was fed; the alerts are valid until the next
// call.
//
// A keyword is one row of a table (keyword.go); each family has a file kw_*.go. How
// a rule is compiled is in compile.go and builder.go, when it is looked at in
// inspect.go and tx.go, what a buffer is in buffer.go and chain.go. State across
// flows (thresholds, xbits, hostbits, datasets, reputation) is one Shared for all
// workers, behind sharded locks; it is touched only by rules that have such a
// keyword. Bounds are in limits.go.
//
// Source: Suricata 8 user guide, chapters Rules and Performance.
package detect

import (
	"mirador/internal/packet"
	"mirador/internal/proto"
	"mirador/internal/rule"
)

// Options is what Compile needs besides the rules. The zero value of a field is the
// default written at it.
type Options struct {
	// Table is the list of protocols; nil is an empty one.
	Table *proto.Table
	// Vars are the variables of rule headers; the zero value is rule.DefaultVars.
	Vars rule.Vars
	// StreamEvents are the names of stream events (keyword stream-event) by the
	// numbers in Packet.StreamEvents, without the prefix "stream.".
	StreamEvents []string
	// DecodeEvent finds a decoder event by name; nil is packet's own list.
	DecodeEvent func(name string) (packet.Event, bool)

	Classes    *rule.Classifications // nil: none
	References *rule.References      // nil: none
	// ActionOrder is action-order: which actions come first; empty: pass, drop,
	// reject, alert.
	ActionOrder []rule.Action
	// Thresholds is threshold.config.
	Thresholds []rule.EventRule
	// Reputation holds the categories and lists for iprep; nil: none.
	Reputation *Reputation
	// Countries is the database of geoip; nil: none.
	Countries *CountryDB
	// Features tells what requires:feature may ask for; nil offers nothing.
	Features func(name string) bool
	// Version is the Suricata version claimed (requires); zero is 8.0.7.
	Version rule.Version

	// RuleDir is where relative file names of filemd5 and the like are looked for
	// when they are not beside the rule file.
	RuleDir string
	// DataDir is where state and save files of datasets lie; "" refuses them.
	DataDir string
	// AllowAbsolute permits absolute names and ".." in dataset state and save
	// (datasets.rules.allow-absolute-filenames).
	AllowAbsolute bool
	// NoDatasetWrite refuses state and save (datasets.rules.allow-write: false).
	NoDatasetWrite bool
	// Datasets are sets defined in the configuration.
	Datasets []DatasetConfig

	// Shared keeps names, datasets and thresholds over an engine swap; nil makes
	// a new one.
	Shared *Shared

	// Strict names the keywords whose lesser faults cost the rule: of classtype,
	// reference and app-layer-event; "all" is all three
	// (--strict-rule-keywords).
	Strict []string

	MaxAlerts int // per packet; 0: DefaultMaxAlerts
	Recursion int // steps of one inspection; 0: DefaultRecursion
	// PcreLimit bounds one pcre evaluation (pcre.match-limit); 0: default of pcre.
	PcreLimit int
	// FileMinInspect and FileWindow: file.data is looked at when that many bytes
	// are there or the file is closed, and again that many bytes before what was
	// seen; 0: 32 KiB and 4 KiB.
	FileMinInspect, FileWindow int

	// TraceSID is the rule that a Trace is to follow; 0: none.
	TraceSID uint32

	// Profile, when set, reads a clock in nanoseconds: each rule then counts
	// checks, matches and time.
	Profile func() int64
}

// Report says what became of a set of rules.
type Report struct {
	Loaded   int // rules that can alert or set state
	Skipped  int // requires not met
	Outdated int // an event this version does not have; left out with a warning
	Disabled int // behind '#'
	Problems []rule.Problem
	// Refused counts the problems that cost a rule.
	Refused int

	ByKind   map[string]int // rules by type, in the words of engine analysis
	Patterns int            // different fast patterns
	Groups   []GroupReport
	Memory   int // bytes of compiled rules and matchers, estimated
}

// GroupReport is one pattern matcher.
type GroupReport struct {
	Buffer   string
	Dir      string
	Patterns int
	Rules    int
	Memory   int
}

// Engine is a compiled set of rules. It is immutable and may be used by any number
// of workers.
type Engine struct {
	sigs    []*sig
	rules   []*Rule
	bufs    []*bufDef
	table   *proto.Table
	shared  *Shared
	opt     Options
	groups  groups
	limits  *limitTable
	vars    int // most byte variables of one rule
	maxTx   int // most tests of one rule and direction
	needs   needs
	frames  map[string]uint64 // types of frames that rules name, with their protocols
	profile []profileSlot
}

// needs says which stations have to do work for these rules.
type needs struct {
	md5, sha1, sha256, magic, store bool
	// raw: windows of the stream, by direction. Without rules for them there are none,
	// as for Suricata: a packet without a payload then has no bytes.
	raw [2]bool
}

// Needs tells what files must carry for the rules: hashes, magic, storing.
func (e *Engine) Needs() (md5, sha1, sha256, magic, store bool) {
	n := e.needs
	return n.md5, n.sha1, n.sha256, n.magic, n.store
}

// WantsFrame tells whether some rule looks at frames of type typ of protocol app.
func (e *Engine) WantsFrame(app proto.ID, typ string) bool { return e.frames[typ]&appBit(app) != 0 }

// UsesFrames tells whether some rule looks at protocol frames.
func (e *Engine) UsesFrames() bool { return e.groups.frameUse }

// Rules returns the compiled rules in the order of evaluation. The slice belongs to
// e.
func (e *Engine) Rules() []*Rule { return e.rules }

// Shared returns the state the engine was compiled with.
func (e *Engine) Shared() *Shared { return e.shared }
