package detect

import (
	"strconv"

	"mirador/internal/rule"
)

// How often a rule may alert, and tags. Suricata 8 rules/thresholding, rules/tag.
func thresholdKeywords() []keyword {
	return []keyword{
		{name: "threshold", arg: argNeed, setup: setThreshold, doc: "how often the rule alerts"},
		{name: "detection_filter", arg: argNeed, setup: setDetectionFilter, doc: "alert only after a number of matches"},
		{name: "tag", arg: argNeed, setup: setTag, doc: "log the following packets of the flow or host"},
	}
}

// limitFields reads "type limit, track by_src, count 1, seconds 60" in any order.
func limitFields(o *rule.Option, withType bool) (*limit, error) {
	l := &limit{}
	var hasType, hasTrack, hasCount, hasSeconds bool
	for _, it := range rule.SplitList(o.Value) {
		word, arg := words(it.Text)
		switch word {
		case "type":
			t, ok := rule.ParseLimitType(arg)
			if !ok || !withType || hasType {
				return nil, refuse(it.Off, "", "type %s is not possible here", quote(arg))
			}
			l.kind, hasType = t, true
		case "track":
			t, ok := rule.ParseTrack(arg)
			if !ok || t == rule.TrackEither || hasTrack {
				return nil, refuse(it.Off, "use by_src, by_dst, by_both, by_rule or by_flow", "unknown track %s", quote(arg))
			}
			l.track, hasTrack = t, true
		case "count":
			n, err := strconv.ParseUint(arg, 10, 32)
			if err != nil || n == 0 || hasCount {
				return nil, refuse(it.Off, "", "count %s is not a number above 0", quote(arg))
			}
			l.count, hasCount = uint32(n), true
		case "seconds":
			n, err := strconv.ParseUint(arg, 10, 32)
			if err != nil || n == 0 || hasSeconds {
				return nil, refuse(it.Off, "", "seconds %s is not a number above 0", quote(arg))
			}
			l.seconds, hasSeconds = int64(n), true
		case "multiplier":
			n, err := strconv.ParseUint(arg, 10, 32)
			if err != nil || n == 0 {
				return nil, refuse(it.Off, "", "multiplier %s is not a number above 0", quote(arg))
			}
			l.multiplier = uint32(n)
		case "unique_on":
			switch arg {
			case "src_port":
				l.unique = uniqueSrcPort
			case "dst_port":
				l.unique = uniqueDstPort
			default:
				return nil, refuse(it.Off, "use src_port or dst_port", "unknown value %s", quote(arg))
			}
		default:
			return nil, refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
	}
	switch {
	case withType && !hasType:
		return nil, refuse(0, "", "type is missing")
	case !hasTrack:
		return nil, refuse(0, "", "track is missing")
	case !hasCount:
		return nil, refuse(0, "", "count is missing")
	case l.kind == rule.LimitBackoff && (l.track != rule.TrackFlow || l.multiplier == 0):
		return nil, refuse(0, "", "backoff needs track by_flow and a multiplier")
	case l.kind != rule.LimitBackoff && !hasSeconds:
		return nil, refuse(0, "", "seconds is missing")
	case withType && l.unique != uniqueNone:
		return nil, refuse(0, "", "unique_on is for detection_filter")
	}
	return l, nil
}

// setThreshold: a second threshold is refused, as by Suricata, unless a sticky buffer is
// open: there Suricata does not notice it, and rules in use rely on that. Each
// threshold then counts what those before it let through.
func setThreshold(b *builder, o *rule.Option) error {
	if b.s.limit != nil && (b.s.limit.filter || b.cur == 0 || len(b.s.moreLimits) == maxMoreLimits) {
		return refuse(0, "", "rule has a threshold or detection_filter already")
	}
	l, err := limitFields(o, true)
	if err != nil {
		return err
	}
	if b.s.limit == nil {
		b.s.limit = l
		return nil
	}
	// The counters of threshold.config have small numbers.
	l.id = ^uint32(len(b.s.moreLimits))
	b.s.moreLimits = append(b.s.moreLimits, l)
	return nil
}

// maxMoreLimits bounds the thresholds of one rule beyond the first.
const maxMoreLimits = 4

func setDetectionFilter(b *builder, o *rule.Option) error {
	if b.s.limit != nil {
		return refuse(0, "", "rule has a threshold or detection_filter already")
	}
	l, err := limitFields(o, false)
	if err != nil {
		return err
	}
	l.filter = true
	b.s.limit = l
	return nil
}

// tagSpec is a tag keyword.
type tagSpec struct {
	host   bool // else the flow
	dst    bool // host: the destination
	count  uint32
	metric tagMetric
}

type tagMetric uint8

const (
	tagPackets tagMetric = iota
	tagSeconds
	tagBytes
)

// Defaults of tag:session; with nothing behind it. Suricata 8 rules/tag.
const defaultTagSeconds = 300

func setTag(b *builder, o *rule.Option) error {
	t := &tagSpec{metric: tagSeconds, count: defaultTagSeconds}
	items := rule.SplitList(o.Value)
	if len(items) > 4 {
		return refuse(0, "", "too many parts")
	}
	for i, it := range items {
		switch i {
		case 0:
			switch it.Text {
			case "session":
			case "host":
				t.host = true
			default:
				return refuse(it.Off, "use session or host", "unknown type %s", quote(it.Text))
			}
		case 1:
			n, err := strconv.ParseUint(it.Text, 10, 32)
			if err != nil {
				return refuse(it.Off, "", "%s is not a number", quote(it.Text))
			}
			t.count = uint32(n)
		case 2:
			switch it.Text {
			case "packets":
				t.metric = tagPackets
			case "seconds":
				t.metric = tagSeconds
			case "bytes":
				t.metric = tagBytes
			default:
				return refuse(it.Off, "use packets, seconds or bytes", "unknown metric %s", quote(it.Text))
			}
		case 3:
			switch it.Text {
			case "src":
			case "dst":
				t.dst = true
			default:
				return refuse(it.Off, "use src or dst", "unknown side %s", quote(it.Text))
			}
			if !t.host {
				return refuse(it.Off, "", "a side goes with host only")
			}
		}
	}
	if len(items) == 2 {
		return refuse(0, "", "packets, seconds or bytes is missing")
	}
	b.s.tags = append(b.s.tags, t)
	return nil
}
