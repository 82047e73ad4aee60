package rule

import (
	"fmt"
	"strings"
)

// Version is a Suricata version: major, minor, patch.
type Version [3]uint16

// ParseVersion reads "8", "8.0", "8.0.1" or "8.0.1-rc1" (the suffix is dropped).
func ParseVersion(s string) (Version, bool) {
	var v Version
	s, _, _ = strings.Cut(s, "-")
	for i, part := range strings.SplitN(s, ".", 4) {
		n, ok := parseUint32(part)
		if !ok || i > 2 || n > 0xffff {
			return Version{}, false
		}
		v[i] = uint16(n)
	}
	return v, true
}

// Compare returns -1, 0 or 1.
func (v Version) Compare(w Version) int {
	for i := range v {
		if v[i] != w[i] {
			if v[i] < w[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// String returns "8.0.1".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// VersionBound is one comparison of a requires option.
type VersionBound struct {
	Op      string // "<", "<=", ">" or ">="
	Version Version
}

func (b VersionBound) holds(v Version) bool {
	c := v.Compare(b.Version)
	switch b.Op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// Requires is what a rule needs from the engine. A rule whose needs are not met is
// skipped before anything else of it is looked at, and is not an error.
// Source: Suricata 8 rules/meta, keyword requires.
type Requires struct {
	Versions [][]VersionBound // alternatives of bounds that hold together; empty = any
	Features []string
	Keywords []string
	Unknown  []string // requirements this room does not know; never met
}

// Platform is what an engine offers; nil functions offer nothing.
type Platform struct {
	Version Version
	Feature func(name string) bool
	Keyword func(name string) bool
}

// Met tells whether p has everything q asks for, and if not, what is missing.
// A nil q asks for nothing.
func (q *Requires) Met(p Platform) (ok bool, missing string) {
	if q == nil {
		return true, ""
	}
	if len(q.Unknown) > 0 {
		return false, "unknown requirement " + quoteShort(q.Unknown[0])
	}
	for _, f := range q.Features {
		if p.Feature == nil || !p.Feature(f) {
			return false, "feature " + f
		}
	}
	for _, k := range q.Keywords {
		if p.Keyword == nil || !p.Keyword(k) {
			return false, "keyword " + k
		}
	}
	if len(q.Versions) == 0 {
		return true, ""
	}
	for _, alt := range q.Versions {
		all := true
		for _, b := range alt {
			all = all && b.holds(p.Version)
		}
		if all {
			return true, ""
		}
	}
	return false, "another version than " + p.Version.String()
}

// parseRequires reads the value of one requires option into q.
func parseRequires(q *Requires, value string) error {
	for _, item := range SplitList(value) {
		name, rest, _ := strings.Cut(item.Text, " ")
		rest = trimSpace(rest)
		switch lower(name) {
		case "version":
			if len(q.Versions) > 0 {
				return fmt.Errorf("version is given twice")
			}
			alts, err := parseVersions(rest)
			if err != nil {
				return err
			}
			q.Versions = alts
		case "feature":
			q.Features = append(q.Features, rest)
		case "keyword":
			q.Keywords = append(q.Keywords, rest)
		case "":
			return fmt.Errorf("empty requirement")
		default:
			q.Unknown = append(q.Unknown, item.Text)
		}
	}
	return nil
}

// parseVersions reads ">= 7.0.3 < 8 | >= 8.0.1".
func parseVersions(s string) ([][]VersionBound, error) {
	var alts [][]VersionBound
	for _, alt := range strings.Split(s, "|") {
		var bounds []VersionBound
		for rest := trimSpace(alt); rest != ""; {
			op := rest[:1]
			if op != "<" && op != ">" {
				return nil, fmt.Errorf("version needs <, <=, > or >= before %s", quoteShort(rest))
			}
			if strings.HasPrefix(rest[1:], "=") {
				op = rest[:2]
			}
			rest = trimSpace(rest[len(op):])
			end := 0
			for end < len(rest) && !isSpace(rest[end]) && rest[end] != '<' && rest[end] != '>' {
				end++
			}
			v, ok := ParseVersion(rest[:end])
			if !ok {
				return nil, fmt.Errorf("%s is not a version", quoteShort(rest[:end]))
			}
			bounds = append(bounds, VersionBound{op, v})
			rest = trimSpace(rest[end:])
		}
		if len(bounds) == 0 {
			return nil, fmt.Errorf("version without a bound")
		}
		alts = append(alts, bounds)
	}
	return alts, nil
}
