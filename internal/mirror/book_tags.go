package mirror

import "slices"

// tagsOf returns the tags of the object with this id, nil when there is none.
func (b *Book) tagsOf(id string) *[]Tag {
	if t := b.targets[id]; t != nil {
		return &t.Tags
	}
	if f := b.filters[id]; f != nil {
		return &f.Tags
	}
	if s := b.sessions[id]; s != nil {
		return &s.Tags
	}
	if r := b.rule(id); r != nil {
		return &r.Tags
	}
	return nil
}

// touchOwner is touch for what may be a rule: its filter has it.
func (b *Book) touchOwner(id string) {
	if filter := b.rules[id]; filter != "" {
		id = filter
	}
	b.touch(id)
}

func notFound(id string) *Error {
	switch ResourceTypeOf(id) {
	case "traffic-mirror-target":
		return targetNotFound(id)
	case "traffic-mirror-filter":
		return filterNotFound(id)
	case "traffic-mirror-filter-rule":
		return ruleNotFound(id)
	case "traffic-mirror-session":
		return sessionNotFound(id)
	}
	return refuse("InvalidID", "The ID '%s' is not valid", id)
}

// CreateTags adds tags to the objects with these ids, or replaces their values. Nothing
// is changed when one of them is unknown or would get too many.
func (b *Book) CreateTags(ids []string, tags []Tag) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	for _, id := range ids {
		p := b.tagsOf(id)
		if p == nil {
			return notFound(id)
		}
		if len(withTags(*p, tags)) > MaxTags {
			return refuse(CodeTagLimit, "The maximum number of Tags for a resource is %d", MaxTags)
		}
	}
	for _, id := range ids {
		p := b.tagsOf(id)
		*p = withTags(*p, tags)
		b.touchOwner(id)
	}
	return nil
}

// withTags returns a copy of old with tags added or replaced.
func withTags(old, tags []Tag) []Tag {
	out := slices.Clone(old)
	for _, t := range tags {
		if i := slices.IndexFunc(out, func(o Tag) bool { return o.Key == t.Key }); i >= 0 {
			out[i] = t
			continue
		}
		out = append(out, t)
	}
	return out
}

// TagKey names a tag to be removed; with a value only when that is the tag's.
type TagKey struct {
	Key   string
	Value *string
}

// DeleteTags removes tags from the objects with these ids; no keys means all tags.
func (b *Book) DeleteTags(ids []string, keys []TagKey) error {
	for _, id := range ids {
		if b.tagsOf(id) == nil {
			return notFound(id)
		}
	}
	for _, id := range ids {
		b.touchOwner(id)
		p := b.tagsOf(id)
		*p = slices.DeleteFunc(slices.Clone(*p), func(t Tag) bool {
			return len(keys) == 0 || slices.ContainsFunc(keys, func(k TagKey) bool {
				return k.Key == t.Key && (k.Value == nil || *k.Value == t.Value)
			})
		})
	}
	return nil
}
