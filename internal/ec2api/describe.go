package ec2api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mirador/internal/mirror"
)

// attributes gives the values that an object has for the name of a filter; ok is false
// when the name means nothing for such objects.
type attributes[T any] func(o *T, name string) (values []string, ok bool)

// ids says how a describe names objects.
type ids struct {
	param    string // VpcId
	prefix   string // vpc-
	notFound string // InvalidVpcID.NotFound
	malform  string // InvalidVpcID.Malformed; empty: not found
	what     string // vpc
}

// pick returns the objects of a table that a describe asks for: those of its list of ids
// that its filters let through, oldest first.
func pick[T any, P interface {
	*T
	resource() *Resource
}](c *call, t *table[T, P], by ids, attr attributes[T]) ([]*T, *Error) {
	list := t.all()
	if want := c.in.strs(by.param); len(want) > 0 {
		got := map[string]*T{}
		for _, id := range want {
			o, err := find(t, id, by)
			if err != nil {
				return nil, err
			}
			got[id] = o
		}
		list = slices.SortedFunc(maps.Values(got), func(a, b *T) int {
			return int(int64(P(a).resource().Seq) - int64(P(b).resource().Seq))
		})
	}
	return filter(c, list, func(o *T, name string) ([]string, bool) {
		if values, ok := P(o).resource().filterTags(name); ok {
			return values, true
		}
		return attr(o, name)
	})
}

// find returns the object with this id, or what EC2 says of ids that are wrong.
func find[T any, P interface {
	*T
	resource() *Resource
}](t *table[T, P], id string, by ids) (*T, *Error) {
	if o := t.get(id); o != nil {
		return o, nil
	}
	if by.malform != "" && !validID(by.prefix, id) {
		return nil, malformed(by.malform, id)
	}
	return nil, notFound(by.notFound, by.what, id)
}

// filterTags answers the filters that are about tags.
func (r *Resource) filterTags(name string) ([]string, bool) { return filterTags(r.Tags, name) }

func filterTags(tags []mirror.Tag, name string) ([]string, bool) {
	switch {
	case name == "tag-key":
		out := make([]string, len(tags))
		for i, t := range tags {
			out[i] = t.Key
		}
		return out, true
	case name == "tag-value":
		out := make([]string, len(tags))
		for i, t := range tags {
			out[i] = t.Value
		}
		return out, true
	case strings.HasPrefix(name, "tag:"):
		for _, t := range tags {
			if t.Key == name[len("tag:"):] {
				return []string{t.Value}, true
			}
		}
		return nil, true
	}
	return nil, false
}

// matcher is one filter of a describe.
type matcher struct {
	name     string
	exact    map[string]bool
	patterns []string // those with wildcards
}

func (m *matcher) match(values []string) bool {
	for _, v := range values {
		if m.exact[v] {
			return true
		}
		for _, p := range m.patterns {
			if wildcard(p, v) {
				return true
			}
		}
	}
	return false
}

// wildcard matches s with a pattern in which * is any text, ? any one byte, and a
// backslash takes the meaning from what follows. It runs in O(len(p) * len(s)).
func wildcard(p, s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
			continue
		case i < len(p) && p[i] == '\\' && i+1 < len(p) && p[i+1] == s[j]:
			i, j = i+2, j+1
			continue
		case i < len(p) && p[i] != '\\' && (p[i] == '?' || p[i] == s[j]):
			i, j = i+1, j+1
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = star+1, mark
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// kebab gives the name of a filter its present form: EC2 still takes "isDefault" for
// "is-default".
func kebab(name string) string {
	if strings.HasPrefix(name, "tag:") {
		return name
	}
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('-')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// matchers reads the filters of a describe.
func (c *call) matchers() ([]matcher, *Error) {
	var out []matcher
	total := 0
	for _, f := range c.in.list("Filter") {
		name := f.str("Name")
		if name == "" {
			return nil, errorf("InvalidParameterValue", "The filter 'null' is invalid")
		}
		name = kebab(name)
		if c.act.name == "DescribeSubnets" && name == "cidr" {
			name = "cidr-block"
		}
		if len(c.act.wire.filters) > 0 && !slices.Contains(c.act.wire.filters, name) && !strings.HasPrefix(name, "tag:") && name != "tag-key" {
			return nil, errorf("InvalidParameterValue", "The filter '%s' is invalid", clip(name))
		}
		m := matcher{name: name, exact: map[string]bool{}}
		for _, v := range f.strs("Value") {
			if total++; total > maxFilterValues {
				return nil, errorf("FilterLimitExceeded", "The maximum number of filter values specified on a single call is %d", maxFilterValues)
			}
			if strings.ContainsAny(v, `*?\`) {
				m.patterns = append(m.patterns, v)
			} else {
				m.exact[v] = true
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// filter returns those of list that all filters of the call let through.
func filter[T any](c *call, list []*T, attr attributes[T]) ([]*T, *Error) {
	ms, err := c.matchers()
	if err != nil || len(ms) == 0 {
		return list, err
	}
	var out []*T
objects:
	for _, o := range list {
		for i := range ms {
			values, _ := attr(o, ms[i].name)
			if !ms[i].match(values) {
				continue objects
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// page returns the part of list that MaxResults and NextToken ask for, and the token for
// what comes after it. seq orders list, strictly rising.
func page[T any](c *call, list []T, seq func(T) uint64) ([]T, string, *Error) {
	if tok := c.in.str("NextToken"); tok != "" {
		after, ok := c.openToken(tok)
		if !ok {
			return nil, "", errorf("InvalidPaginationToken", "The specified pagination token is not valid or is expired")
		}
		i, _ := slices.BinarySearchFunc(list, after, func(o T, after uint64) int {
			if seq(o) <= after {
				return -1
			}
			return 1
		})
		list = list[i:]
	}
	most := c.in.num("MaxResults", 0)
	if c.in.has("MaxResults") && most < 1 {
		return nil, "", errorf("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than 0.", most)
	}
	if most == 0 || len(list) <= most {
		return list, "", nil
	}
	return list[:most], c.sealToken(seq(list[most-1])), nil
}

// sealToken makes a token that only the same action with the same filters takes.
func (c *call) sealToken(seq uint64) string {
	b := binary.BigEndian.AppendUint64(nil, seq)
	b = append(b, c.tokenSum(seq)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (c *call) openToken(tok string) (uint64, bool) {
	b, err := base64.RawURLEncoding.DecodeString(tok)
	if err != nil || len(b) != 24 {
		return 0, false
	}
	seq := binary.BigEndian.Uint64(b)
	return seq, hmac.Equal(b[8:], c.tokenSum(seq))
}

func (c *call) tokenSum(seq uint64) []byte {
	h := hmac.New(sha256.New, c.v.s.meta.PageKey)
	h.Write(binary.BigEndian.AppendUint64(nil, seq))
	h.Write([]byte(c.act.name))
	h.Write([]byte(c.in.digest("MaxResults", "NextToken", "DryRun", "maxResults", "nextToken", "MaxRecords", "Limit", "Marker", "PageSize")))
	return h.Sum(nil)[:16]
}

// digest is a text that is the same for the same parameters, without those named.
func (n *node) digest(without ...string) string {
	h := sha256.New()
	put := func(s string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	var walk func(n *node, without []string)
	walk = func(n *node, without []string) {
		put(n.text)
		for _, k := range slices.Sorted(maps.Keys(n.kids)) {
			if !slices.Contains(without, k) {
				put(k)
				walk(n.kids[k], nil)
			}
		}
		for _, i := range n.order() {
			put(strconv.Itoa(i))
			walk(n.items[i], nil)
		}
		put("")
	}
	walk(n, without)
	return hex.EncodeToString(h.Sum(nil))
}

// one, yesno and num make the values of filters.
func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func yesno(b bool) []string { return []string{strconv.FormatBool(b)} }
func number(n int) []string { return []string{strconv.Itoa(n)} }

// describe is a describe of one table from request to answer.
func describe[T any, P interface {
	*T
	resource() *Resource
}](c *call, t *table[T, P], by ids, attr attributes[T], set string, write func(*T)) *Error {
	list, err := pick(c, t, by, attr)
	if err != nil {
		return err
	}
	list, next, err := page(c, list, func(o *T) uint64 { return P(o).resource().Seq })
	if err != nil {
		return err
	}
	eachXML(c.x, set, list, write)
	c.x.opt("nextToken", next)
	return nil
}
