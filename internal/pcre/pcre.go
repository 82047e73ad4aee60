// Package pcre is a byte-oriented regular expression engine with PCRE2 semantics.
//
// It is for the `pcre` keyword, the pcrexform transform and the like of detect:
// patterns come from rule files, subjects are hostile traffic. It knows nothing of
// rules: buffer letters, `R` and capture variables are the caller's. There is no UTF
// mode: a pattern and a subject are bytes, letters are ASCII, as Suricata compiles them.
//
// A Regexp is immutable and may be shared by any number of goroutines. What a match
// needs of memory is in a Machine, one for each worker, which is reused: once it is
// warm a match allocates nothing.
//
// Three ways of matching are behind one call (Kind says which can be used):
//
//   - "literal": the pattern is a plain byte string; a search answers;
//   - "dfa": the pattern is regular. It is tried by backtracking first, and when that
//     gets dear a DFA made on the fly decides whether there is a match at all. After
//     that the backtracker remembers the places where it has failed, so that the whole
//     stays linear and no limit is hit, unless a counted group is too big to be
//     written out (expandInsts) and the position of the match is wanted;
//   - "backtrack": the pattern needs back references, look-around, recursion or the
//     like. The steps are counted against the match limit. A DFA of a laxer pattern
//     may still prove that there is no match.
//
// Before any of them a search for a literal that every match must contain, the least
// length and the set of first bytes reject most subjects.
//
// Bounds are in limits.go. Syntax and meaning follow pcre2pattern(3) of PCRE2 10.42;
// what is not supported is an *Error with its position: UTF mode, (*THEN), script runs,
// non-atomic look-around, and verbs together with recursion. Look-behind of bounded
// variable length is accepted as PCRE2 10.43 does.
package pcre

import "unsafe"

// Flags are the compile options that belong to the pattern; the letters are those
// that stand after the closing slash in a rule.
type Flags uint32

const (
	Caseless      Flags = 1 << iota // i
	Multiline                       // m: ^ and $ also at lines inside
	DotAll                          // s: dot matches newlines
	Extended                        // x: white space and # comments are ignored
	Anchored                        // A: match only where the search starts
	DollarEndOnly                   // E: $ only at the very end
	Ungreedy                        // G: quantifiers are lazy unless ? follows
	// NoAutoCapture makes plain ( ) groups non-capturing; named groups still capture.
	// Suricata sets it for rules without capture variables, and compiles again
	// without it when the error is ErrNoGroup. AutoNoCapture does both at once.
	NoAutoCapture
	// AutoNoCapture is NoAutoCapture with the second try built in.
	AutoNoCapture

	dupNames     // (?J)
	extendedMore // (?xx)
)

// FlagOf returns the flag for a letter of a rule's pcre option, or 0 when the letter
// does not belong to the pattern (R, U, P and the other buffer letters).
func FlagOf(letter byte) Flags {
	switch letter {
	case 'i':
		return Caseless
	case 'm':
		return Multiline
	case 's':
		return DotAll
	case 'x':
		return Extended
	case 'A':
		return Anchored
	case 'E':
		return DollarEndOnly
	case 'G':
		return Ungreedy
	}
	return 0
}

// Name is a named group.
type Name struct {
	Name  string
	Group int
}

// Regexp is a compiled pattern. It is immutable and safe for concurrent use.
type Regexp struct {
	src   string
	flags Flags
	kind  kind
	prog  []inst
	sets  []byteSet
	lits  []byte
	lists [][]int // groups of back references and conditions
	names []Name
	opts  patternOpts

	groups int // number of capturing groups
	nregs  int // registers of the backtracker
	memos  int // number of places at which a failure can be remembered; 0 = not possible
	minLen int // the least number of bytes of a match

	need      literal   // a literal every match contains
	also      []literal // others, asked for when matching gets dear
	first     uint16    // set of bytes a match can begin with; 0 = any
	then      [2]uint16 // sets of the bytes after it; 0 = any
	oneFirst  bool      // that set is only firstByte
	firstByte byte
	anchor    anchor
	skips     bool   // no match needs to be tried after a byte of skip
	skip      uint16 // set
	limit     int32  // (*LIMIT_MATCH=n), 0 = none

	canDFA bool // a DFA of the pattern, or of a laxer one, can be made
	exact  bool // the DFA means exactly the pattern
	plain  bool // the pattern is its required literal and nothing else
}

// anchor says where a match can start.
type anchor uint8

const (
	anchorNone  anchor = iota
	anchorText         // only at offset 0
	anchorStart        // only where the search starts
	anchorLine         // only at offset 0 and after a newline
)

type kind uint8

const (
	kindBacktrack kind = iota
	kindDFA
	kindLiteral
)

// Compile parses pattern (what stands between the slashes) and prepares it. The error
// is an *Error. Cost: linear in the pattern's length and its expanded repeats, which
// limits.go bounds; some 20 us for a usual rule.
func Compile(pattern string, flags Flags) (*Regexp, error) {
	re, err := compile(pattern, flags)
	if err != nil {
		return nil, err
	}
	return re, nil
}

// String returns the pattern as it was given.
func (re *Regexp) String() string { return re.src }

// Flags returns the flags as they were given.
func (re *Regexp) Flags() Flags { return re.flags }

// NumGroups returns the number of capturing groups.
func (re *Regexp) NumGroups() int { return re.groups }

// Names returns the named groups by number. The slice belongs to re.
func (re *Regexp) Names() []Name { return re.names }

// GroupByName returns the number of the first group of that name, or -1.
func (re *Regexp) GroupByName(name string) int {
	for i := range re.names {
		if re.names[i].Name == name {
			return re.names[i].Group
		}
	}
	return -1
}

// MinLen returns a lower bound of the length of a match in bytes.
func (re *Regexp) MinLen() int { return re.minLen }

// Kind returns how the pattern can be matched: "literal", "dfa" or "backtrack".
func (re *Regexp) Kind() string {
	switch re.kind {
	case kindLiteral:
		return "literal"
	case kindDFA:
		return "dfa"
	}
	return "backtrack"
}

// Required returns a literal that every match contains, and whether its letters are
// meant in either case (it is then in lower case); it is empty when none is known.
func (re *Regexp) Required() (lit []byte, caseless bool) { return re.need.text, re.need.fold }

// Size returns about how many bytes of memory re holds.
func (re *Regexp) Size() int {
	n := int(unsafe.Sizeof(*re)) + len(re.src) + len(re.need.text) + len(re.lits)
	n += cap(re.prog)*int(unsafe.Sizeof(inst{})) + cap(re.sets)*int(unsafe.Sizeof(byteSet{}))
	for i := range re.also {
		n += int(unsafe.Sizeof(literal{})) + len(re.also[i].text)
	}
	for _, l := range re.lists {
		n += 24 + 8*cap(l)
	}
	for i := range re.names {
		n += int(unsafe.Sizeof(Name{})) + len(re.names[i].Name)
	}
	return n
}
