// Package rule reads and writes the Suricata rule language and the files beside it:
// rule files, classification.config, reference.config, threshold.config and the
// enable, disable, modify and drop lists of suricata-update.
//
// It knows the shape of a rule, its header and its general options (msg, sid,
// metadata and so on); what a keyword such as content or http.uri means for traffic
// is the business of detect. It opens no files and keeps no state: bytes in, values
// out. A bad rule is a Problem with file, line and column and never hides a good one.
// Bounds are in limits.go. Rules are immutable once parsed and may be shared.
//
// Source: Suricata 8 user guide, chapters "Rules" and "Rule management".
package rule

// Action is what a rule does when it matches.
type Action uint8

// The actions. Reject variants name the side that gets the reset.
const (
	ActionNone Action = iota
	ActionAlert
	ActionPass
	ActionDrop
	ActionReject
	ActionRejectSrc
	ActionRejectDst
	ActionRejectBoth
	ActionConfig
)

// actionNames is indexed by Action.
var actionNames = [...]string{"", "alert", "pass", "drop", "reject", "rejectsrc", "rejectdst", "rejectboth", "config"}

// String returns the action as written in rules.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return ""
}

// Drops tells whether the action is drop or one of the rejects.
func (a Action) Drops() bool { return a >= ActionDrop && a <= ActionRejectBoth }

// Direction is the arrow of a rule header.
type Direction uint8

// The arrows.
const (
	DirForward Direction = iota // ->
	DirBoth                     // <> either side may be the source
	DirTx                       // => both sides of one transaction
)

// String returns the arrow.
func (d Direction) String() string {
	switch d {
	case DirBoth:
		return "<>"
	case DirTx:
		return "=>"
	}
	return "->"
}

// Target is the value of the target keyword.
type Target uint8

// The targets.
const (
	TargetNone Target = iota
	TargetSrcIP
	TargetDestIP
)

// Term is a piece of a rule header with its place.
type Term struct {
	Text string
	Off  int32 // offset in Rule.Text
}

// Option is one keyword of a rule. Strings are parts of Rule.Text.
type Option struct {
	Name     string // in lower case; Suricata matches names without regard to case
	Value    string // as written, without white space around it; "" when there is none
	Off      int32  // offset of the name in Rule.Text
	HasValue bool   // there was a colon
}

// Reference is one reference option: a key of reference.config and the rest.
type Reference struct {
	Key   string
	Value string
}

// KV is one pair of the metadata keyword.
type KV struct {
	Key, Value string
}

// Rule is one rule as written. It is immutable; slices and strings may be shared
// with other rules of the same file.
type Rule struct {
	File     string
	Line     int  // line of the first byte, from 1
	Disabled bool // it stood behind a '#'

	// Text is the rule without comment sign, continuation lines joined.
	Text string

	Action  Action
	Proto   string // in lower case: "tcp", "tcp-pkt", "http", ...
	Hook    string // what follows "proto:", such as "flow_start", or ""
	Src     Term
	SrcPort Term
	Dir     Direction
	Dst     Term
	DstPort Term
	Options []Option

	SID, GID, Rev uint32 // GID is 1 unless the rule says otherwise
	Msg           string // escapes resolved
	Classtype     string
	Priority      uint32 // valid when HasPriority
	HasPriority   bool
	Target        Target
	NoAlert       bool // noalert, or flowbits:noalert
	ForceAlert    bool // the alert keyword (a pass or drop rule that alerts too)
	References    []Reference
	Metadata      []KV
	Requires      *Requires // nil when the rule has no requires option

	protoOff int32
	col      int32   // column of Text[0] in line Line
	joints   []joint // where continuation lines begin in Text
}

// joint is the place where a continuation line was joined.
type joint struct {
	off  int32 // offset in Rule.Text of its first byte
	line int32
}

// Position returns line and column (both from 1, column in bytes) of offset off
// in r.Text.
func (r *Rule) Position(off int) (line, column int) {
	line, column = r.Line, int(r.col)+off
	for _, j := range r.joints {
		if int(j.off) > off {
			break
		}
		line, column = int(j.line), off-int(j.off)+1
	}
	return line, column
}

// ValueOffset returns the offset in r.Text of the value of option o, or of its name
// when it has none.
func (r *Rule) ValueOffset(o *Option) int {
	i := int(o.Off) + len(o.Name)
	if !o.HasValue {
		return int(o.Off)
	}
	for i < len(r.Text) && r.Text[i] != ':' {
		i++
	}
	i++
	for i < len(r.Text) && isSpace(r.Text[i]) {
		i++
	}
	return i
}

// Problem returns a problem of kind k at offset off of r.Text.
func (r *Rule) Problem(off int, k Kind, what, hint string) Problem {
	line, col := r.Position(off)
	return Problem{File: r.File, Line: line, Column: col, SID: r.SID, Kind: k, What: what, Hint: hint}
}

// OptionProblem returns a problem at the value of o, at byte at of the value.
func (r *Rule) OptionProblem(o *Option, at int, what, hint string) Problem {
	return r.Problem(r.ValueOffset(o)+at, KindOption, o.Name+": "+what, hint)
}

// ID returns gid and sid in one number, the key under which a rule is unique.
func (r *Rule) ID() uint64 { return uint64(r.GID)<<32 | uint64(r.SID) }

// Find returns the first option called name (lower case), or nil.
func (r *Rule) Find(name string) *Option {
	for i := range r.Options {
		if r.Options[i].Name == name {
			return &r.Options[i]
		}
	}
	return nil
}

// Meta returns the value of the first metadata pair with this key.
func (r *Rule) Meta(key string) (string, bool) {
	for i := range r.Metadata {
		if r.Metadata[i].Key == key {
			return r.Metadata[i].Value, true
		}
	}
	return "", false
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// trim returns s without white space around it, and how many bytes were cut off
// at the front.
func trim(s string) (string, int) {
	i, j := 0, len(s)
	for i < j && isSpace(s[i]) {
		i++
	}
	for j > i && isSpace(s[j-1]) {
		j--
	}
	return s[i:j], i
}

func trimSpace(s string) string {
	s, _ = trim(s)
	return s
}

// lower returns s in ASCII lower case; without upper-case letters it is s itself.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
