package rule

import (
	"fmt"
	"strings"
)

// EventKind says what a line of threshold.config does.
type EventKind uint8

// The kinds of lines.
const (
	EventThreshold  EventKind = iota // threshold or event_filter
	EventRateFilter                  // rate_filter
	EventSuppress                    // suppress
)

// LimitType is how alerts are counted.
type LimitType uint8

// The types of the threshold keyword and of threshold.config.
const (
	LimitNone      LimitType = iota
	LimitLimit               // the first Count in Seconds alert
	LimitThreshold           // every Count-th in Seconds alerts
	LimitBoth                // one alert in Seconds, after Count
	LimitBackoff             // 1st, then after Multiplier times more (rules only)
)

// Track is what a threshold counts by.
type Track uint8

// The values of track. TrackEither is for suppress only.
const (
	TrackNone Track = iota
	TrackSrc
	TrackDst
	TrackBoth
	TrackRule
	TrackFlow
	TrackEither
)

// EventRule is one line of threshold.config.
type EventRule struct {
	Kind     EventKind
	GID, SID uint32 // 0 stands for all; SID 0 only with suppress and with all fields below
	Type     LimitType
	Track    Track
	Count    uint32
	Seconds  uint32
	Timeout  uint32 // rate_filter: seconds that NewAction stays
	// NewAction of a rate_filter; ActionNone stands for log and sdrop, which
	// Suricata accepts and does not implement.
	NewAction Action
	IP        string // suppress: an address expression for Resolver.Addr, "" for all
	Line      int
}

// ParseTrack reads by_src, by_dst, by_both, by_rule, by_flow or by_either.
func ParseTrack(s string) (Track, bool) {
	switch s {
	case "by_src":
		return TrackSrc, true
	case "by_dst":
		return TrackDst, true
	case "by_both":
		return TrackBoth, true
	case "by_rule":
		return TrackRule, true
	case "by_flow":
		return TrackFlow, true
	case "by_either":
		return TrackEither, true
	}
	return TrackNone, false
}

// ParseLimitType reads limit, threshold, both or backoff.
func ParseLimitType(s string) (LimitType, bool) {
	switch s {
	case "limit":
		return LimitLimit, true
	case "threshold":
		return LimitThreshold, true
	case "both":
		return LimitBoth, true
	case "backoff":
		return LimitBackoff, true
	}
	return LimitNone, false
}

// ParseThresholds reads threshold.config: threshold, event_filter, rate_filter and
// suppress lines, with backslash at the end for continuation. Fields may come in any
// order. Suricata 8 configuration/global-thresholds.
func ParseThresholds(name string, data []byte) ([]EventRule, []Problem) {
	var out []EventRule
	var problems []Problem
	s := strings.TrimPrefix(string(data), "\ufeff")
	for line := 1; s != ""; line++ {
		var raw string
		raw, s = cutLine(s)
		if t := trimSpace(raw); t == "" || t[0] == '#' {
			continue
		}
		text, rest, _, n := joinLines(raw, s, line)
		s = rest
		e, err := parseEventRule(trimSpace(text))
		if err != nil {
			problems = append(problems, lineProblem(name, line, err.Error()))
		} else {
			e.Line = line
			out = append(out, e)
		}
		line += n
	}
	return out, problems
}

func parseEventRule(text string) (EventRule, error) {
	var e EventRule
	word, rest := cutWord(text)
	switch word {
	case "threshold", "event_filter":
		e.Kind = EventThreshold
	case "rate_filter":
		e.Kind = EventRateFilter
	case "suppress":
		e.Kind = EventSuppress
	default:
		return e, fmt.Errorf("unknown directive %s", quoteShort(word))
	}
	seen := map[string]bool{}
	for _, field := range splitOutsideBrackets(rest) {
		key, value := cutWord(trimSpace(field))
		if seen[key] {
			return e, fmt.Errorf("%s is given twice", quoteShort(key))
		}
		seen[key] = true
		if err := e.field(key, value); err != nil {
			return e, err
		}
	}
	return e, e.complete(seen)
}

// splitOutsideBrackets splits at commas that are not inside of [..].
func splitOutsideBrackets(s string) []string {
	var out []string
	depth, start := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ',':
			if depth <= 0 {
				out = append(out, s[start:i])
				start = i + 1
			}
		}
	}
	return append(out, s[start:])
}

func (e *EventRule) field(key, value string) error {
	var ok bool
	switch key {
	case "gen_id":
		e.GID, ok = parseUint32(value)
	case "sig_id":
		e.SID, ok = parseUint32(value)
	case "count":
		e.Count, ok = parseUint32(value)
	case "seconds":
		e.Seconds, ok = parseUint32(value)
	case "timeout":
		e.Timeout, ok = parseUint32(value)
	case "type":
		e.Type, ok = ParseLimitType(value)
		ok = ok && e.Type != LimitBackoff
	case "track":
		e.Track, ok = ParseTrack(value)
	case "ip":
		_, err := ParseExpr(value)
		e.IP, ok = value, err == nil
	case "new_action":
		switch value {
		case "alert", "drop", "pass", "reject":
			e.NewAction, ok = parseAction(value), true
		case "log", "sdrop":
			ok = true
		}
	default:
		return fmt.Errorf("unknown field %s", quoteShort(key))
	}
	if !ok {
		return fmt.Errorf("%s: value %s is not valid", key, quoteShort(value))
	}
	return nil
}

// complete checks that the fields fit the kind of line.
func (e *EventRule) complete(seen map[string]bool) error {
	need := [...][]string{
		EventThreshold:  {"gen_id", "sig_id", "type", "track", "count", "seconds"},
		EventRateFilter: {"gen_id", "sig_id", "track", "count", "seconds", "new_action", "timeout"},
		EventSuppress:   {"gen_id", "sig_id"},
	}[e.Kind]
	for _, key := range need {
		if !seen[key] {
			return fmt.Errorf("%s is missing", key)
		}
	}
	if len(seen) > len(need) && e.Kind != EventSuppress {
		return fmt.Errorf("a field does not belong here")
	}
	if e.GID == 0 && e.SID != 0 {
		return fmt.Errorf("gen_id 0 needs sig_id 0")
	}
	switch {
	case e.Kind == EventSuppress:
		if seen["track"] != seen["ip"] {
			return fmt.Errorf("track and ip go together")
		}
		if seen["track"] && e.Track != TrackSrc && e.Track != TrackDst && e.Track != TrackEither {
			return fmt.Errorf("suppress tracks by_src, by_dst or by_either")
		}
		if seen["type"] || seen["count"] || seen["seconds"] || seen["timeout"] || seen["new_action"] {
			return fmt.Errorf("a field does not belong here")
		}
	case e.Track == TrackEither:
		return fmt.Errorf("by_either is for suppress only")
	case e.Count == 0 || e.Seconds == 0:
		return fmt.Errorf("count and seconds must not be 0")
	}
	return nil
}
