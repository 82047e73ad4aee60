package detect

import "mirador/internal/rule"

// Keywords that the rule parser reads (rule.IsGeneral) and those that only steer the
// engine.
func metaKeywords() []keyword {
	none := func(*builder, *rule.Option) error { return nil }
	return []keyword{
		{name: "msg", arg: argNeed, setup: none, doc: "text of the alert"},
		{name: "sid", arg: argNeed, setup: none, doc: "number of the rule"},
		{name: "gid", arg: argNeed, setup: none, doc: "group of the rule"},
		{name: "rev", arg: argNeed, setup: none, doc: "revision of the rule"},
		{name: "classtype", arg: argNeed, setup: none, doc: "class of the rule"},
		{name: "priority", arg: argNeed, setup: none, doc: "priority of the rule"},
		{name: "reference", arg: argNeed, setup: none, doc: "where to read more"},
		{name: "metadata", arg: argNeed, setup: none, doc: "keys and values"},
		{name: "target", arg: argNeed, setup: none, doc: "which side is the target"},
		{name: "requires", arg: argNeed, setup: none, doc: "what the engine must offer"},
		{name: "noalert", arg: argNone, setup: none, doc: "no alert, only the other effects"},
		{name: "alert", arg: argNone, setup: none, doc: "an alert although the action is pass"},
		{name: "prefilter", arg: argNone, setup: setPrefilter, doc: "prefilter by the keyword before it"},
		{name: "bypass", arg: argNone, setup: none, doc: "accepted, without effect: this sensor sees copies of packets"},
	}
}

func setPrefilter(b *builder, o *rule.Option) error {
	for i := range b.r.Options {
		before := &b.r.Options[i]
		if before.Off >= o.Off {
			break
		}
		if before.Name != "flow" && before.Name != "prefilter" && !rule.IsGeneral(before.Name) {
			b.s.flag |= sigPrefilter
			return nil
		}
	}
	return refuse(0, "put it behind the keyword meant", "there is no keyword before it")
}
