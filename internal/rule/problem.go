package rule

import (
	"fmt"
	"strings"
)

// Kind groups problems by what an operator has to look at.
type Kind uint8

// The kinds of problems.
const (
	KindSyntax      Kind = iota // the rule cannot be taken apart
	KindAction                  // unknown action
	KindUnsupported             // understood, but not offered (firewall rules)
	KindProtocol                // protocol or hook
	KindAddress                 // address expression or variable
	KindPort                    // port expression or variable
	KindOption                  // an option's value
	KindMeta                    // sid, rev, msg and the like
	KindDuplicate               // same gid and sid as another rule
	KindLimit                   // a bound of this room
	KindFile                    // reading the file, or a line of a .config file
	KindLint                    // works, but is slow or odd
)

// String returns the kind in one word, as shown by the CLI and the API.
func (k Kind) String() string {
	names := [...]string{"syntax", "action", "unsupported", "protocol", "address", "port", "option", "meta", "duplicate", "limit", "file", "lint"}
	if int(k) < len(names) {
		return names[k]
	}
	return "other"
}

// Problem is something wrong at one place of a file. It is a plain value: it goes
// into reports, the API and the console as it is.
type Problem struct {
	File    string
	Line    int // from 1
	Column  int // from 1, in bytes; 0 when the whole line is meant
	SID     uint32
	Kind    Kind
	Warning bool   // the rule was taken nevertheless
	What    string // what is wrong, without place
	Hint    string // what to do about it, may be empty
}

// String returns "file:line:column: sid N: what".
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:", p.File, p.Line)
	if p.Column > 0 {
		fmt.Fprintf(&b, "%d:", p.Column)
	}
	if p.SID != 0 {
		fmt.Fprintf(&b, " sid %d:", p.SID)
	}
	b.WriteString(" ")
	b.WriteString(p.What)
	return b.String()
}

// Error makes a Problem usable as an error.
func (p Problem) Error() string { return p.String() }

// fault is a problem inside one text: an offset and what is wrong. The parser
// turns it into a Problem when it knows file and line.
type fault struct {
	off  int
	kind Kind
	what string
	hint string
}

// Error makes a fault usable as an error.
func (f *fault) Error() string { return f.what }

func faultf(off int, kind Kind, format string, args ...any) *fault {
	return &fault{off: off, kind: kind, what: fmt.Sprintf(format, args...)}
}
