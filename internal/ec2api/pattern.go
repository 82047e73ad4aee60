package ec2api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// pattern is a compiled event pattern. AWS: EventBridge, "Event pattern syntax". It
// matches an event when each of its fields does; a field lists tests of which one has to
// hold, or is a pattern itself.
type pattern struct {
	fields map[string]*pattern
	tests  []valueTest  // of a leaf
	or     [][]*pattern // of "$or": one of each list has to match
}

// valueTest is one test of a leaf. there is false for a field that the event does not have.
type valueTest func(v any, there bool) bool

// parsePattern compiles an event pattern.
func parsePattern(text string) (*pattern, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("the pattern is longer than %d bytes", maxPattern)
	}
	v, err := decodeAny([]byte(text))
	if err != nil {
		return nil, errors.New("the pattern is not valid JSON")
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("the pattern is not a JSON object")
	}
	p := patternReader{budget: maxPatternTests}
	return p.object(m, 0)
}

// decodeAny decodes one JSON value with numbers as they are written.
func decodeAny(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

type patternReader struct{ budget int }

func (r *patternReader) object(m map[string]any, depth int) (*pattern, error) {
	if len(m) == 0 {
		return nil, errors.New("empty objects are not allowed")
	}
	if depth > maxDepth {
		return nil, errors.New("the pattern is too deep")
	}
	p := &pattern{fields: map[string]*pattern{}}
	for _, k := range sortedKeys(m) {
		switch v := m[k].(type) {
		case map[string]any:
			sub, err := r.object(v, depth+1)
			if err != nil {
				return nil, err
			}
			p.fields[k] = sub
		case []any:
			if k == "$or" {
				list, err := r.either(v, depth)
				if err != nil {
					return nil, err
				}
				p.or = append(p.or, list)
				continue
			}
			leaf, err := r.leaf(k, v)
			if err != nil {
				return nil, err
			}
			p.fields[k] = leaf
		default:
			return nil, fmt.Errorf("%q must be an object or an array", clip(k))
		}
	}
	return p, nil
}

func (r *patternReader) either(list []any, depth int) ([]*pattern, error) {
	var out []*pattern
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			return nil, errors.New("$or must be a list of objects")
		}
		p, err := r.object(m, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if len(out) < 2 {
		return nil, errors.New("$or must have at least two entries")
	}
	return out, nil
}

func (r *patternReader) leaf(name string, list []any) (*pattern, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("empty arrays are not allowed (%q)", clip(name))
	}
	p := &pattern{}
	for _, v := range list {
		if r.budget--; r.budget < 0 {
			return nil, fmt.Errorf("the pattern has more than %d tests", maxPatternTests)
		}
		t, err := r.test(v)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", clip(name), err)
		}
		p.tests = append(p.tests, t)
	}
	return p, nil
}

func (r *patternReader) test(v any) (valueTest, error) {
	m, ok := v.(map[string]any)
	if !ok {
		if _, list := v.([]any); list {
			return nil, errors.New("match value must be String, number, true, false, or null")
		}
		return func(x any, there bool) bool { return there && sameValue(v, x) }, nil
	}
	if len(m) != 1 {
		return nil, errors.New("only one key allowed in match expression")
	}
	for op, arg := range m {
		switch op {
		case "exists":
			want, ok := arg.(bool)
			if !ok {
				return nil, errors.New("exists match pattern must be either true or false")
			}
			return func(_ any, there bool) bool { return there == want }, nil
		case "numeric":
			return numericTest(arg)
		case "anything-but":
			return r.anythingBut(arg)
		}
		f, err := textTest(op, arg)
		if err != nil {
			return nil, err
		}
		return func(x any, there bool) bool {
			s, ok := x.(string)
			return there && ok && f(s)
		}, nil
	}
	return nil, nil
}

// textTest makes a test that only texts can pass.
func textTest(op string, arg any) (func(string) bool, error) {
	if m, ok := arg.(map[string]any); ok && (op == "prefix" || op == "suffix") && len(m) == 1 {
		if s, ok := m["equals-ignore-case"].(string); ok {
			s = strings.ToLower(s)
			if op == "prefix" {
				return func(x string) bool { return strings.HasPrefix(strings.ToLower(x), s) }, nil
			}
			return func(x string) bool { return strings.HasSuffix(strings.ToLower(x), s) }, nil
		}
	}
	s, ok := arg.(string)
	if !ok {
		return nil, fmt.Errorf("%s match pattern must be a string", clip(op))
	}
	switch op {
	case "prefix":
		return func(x string) bool { return strings.HasPrefix(x, s) }, nil
	case "suffix":
		return func(x string) bool { return strings.HasSuffix(x, s) }, nil
	case "equals-ignore-case":
		return func(x string) bool { return strings.EqualFold(x, s) }, nil
	case "wildcard":
		if strings.Contains(s, "**") {
			return nil, errors.New("consecutive wildcard characters are not allowed")
		}
		// A question mark is itself here, unlike in filters.
		s = strings.ReplaceAll(s, "?", `\?`)
		return func(x string) bool { return wildcard(s, x) }, nil
	case "cidr":
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, errors.New("malformed CIDR")
		}
		return func(x string) bool {
			a, err := netip.ParseAddr(x)
			return err == nil && p.Contains(a)
		}, nil
	}
	return nil, fmt.Errorf("unrecognized match type %s", clip(op))
}

func (r *patternReader) anythingBut(arg any) (valueTest, error) {
	if m, ok := arg.(map[string]any); ok {
		if len(m) != 1 {
			return nil, errors.New("only one key allowed in match expression")
		}
		for op, arg := range m {
			list, ok := arg.([]any)
			if !ok {
				list = []any{arg}
			}
			var all []func(string) bool
			for _, a := range list {
				if r.budget--; r.budget < 0 {
					return nil, fmt.Errorf("the pattern has more than %d tests", maxPatternTests)
				}
				f, err := textTest(op, a)
				if err != nil {
					return nil, err
				}
				all = append(all, f)
			}
			return func(x any, there bool) bool {
				s, text := x.(string)
				return there && !(text && slices.ContainsFunc(all, func(f func(string) bool) bool { return f(s) }))
			}, nil
		}
	}
	list, ok := arg.([]any)
	if !ok {
		list = []any{arg}
	}
	for _, a := range list {
		if r.budget--; r.budget < 0 {
			return nil, fmt.Errorf("the pattern has more than %d tests", maxPatternTests)
		}
		switch a.(type) {
		case string, json.Number, bool, nil:
		default:
			return nil, errors.New("value of anything-but must be an array or single string/number value")
		}
	}
	if len(list) == 0 {
		return nil, errors.New("empty arrays are not allowed")
	}
	return func(x any, there bool) bool {
		return there && !slices.ContainsFunc(list, func(a any) bool { return sameValue(a, x) })
	}, nil
}

// numericTest reads ["=", 5] or [">", 0, "<=", 5].
func numericTest(arg any) (valueTest, error) {
	bad := errors.New("value of numeric must be an array of comparisons such as [\">\", 0, \"<=\", 5]")
	list, ok := arg.([]any)
	if !ok || len(list) != 2 && len(list) != 4 {
		return nil, bad
	}
	type bound struct {
		op string
		v  float64
	}
	var bounds []bound
	for i := 0; i < len(list); i += 2 {
		op, _ := list[i].(string)
		n, ok := numeric(list[i+1])
		if !ok || !slices.Contains([]string{"=", "<", "<=", ">", ">="}, op) || op == "=" && len(list) > 2 {
			return nil, bad
		}
		bounds = append(bounds, bound{op, n})
	}
	return func(x any, there bool) bool {
		n, ok := numeric(x)
		if !there || !ok {
			return false
		}
		for _, b := range bounds {
			ok = ok && (b.op == "=" && n == b.v || b.op == "<" && n < b.v || b.op == "<=" && n <= b.v || b.op == ">" && n > b.v || b.op == ">=" && n >= b.v)
		}
		return ok
	}, nil
}

func numeric(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	return f, err == nil
}

func sameValue(a, b any) bool {
	if x, ok := numeric(a); ok {
		y, ok := numeric(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case string:
		s, ok := b.(string)
		return ok && s == a
	case bool:
		s, ok := b.(bool)
		return ok && s == a
	case nil:
		return b == nil
	}
	return false
}

// match tells whether an event, as decodeAny gives it, has what p asks for. Of an array
// in an event one element is enough.
func (p *pattern) match(event any) bool { return p.matchValue(event, true) }

func (p *pattern) matchValue(v any, there bool) bool {
	if list, ok := v.([]any); ok {
		if len(list) == 0 {
			return p.matchValue(nil, false)
		}
		return slices.ContainsFunc(list, func(e any) bool { return p.matchValue(e, true) })
	}
	if p.fields == nil {
		if _, object := v.(map[string]any); object {
			there = false // only leaves have values
		}
		return slices.ContainsFunc(p.tests, func(t valueTest) bool { return t(v, there) })
	}
	m, _ := v.(map[string]any)
	for k, sub := range p.fields {
		kid, has := m[k]
		if !sub.matchValue(kid, has) {
			return false
		}
	}
	for _, list := range p.or {
		if !slices.ContainsFunc(list, func(o *pattern) bool { return o.matchValue(v, there) }) {
			return false
		}
	}
	return true
}
