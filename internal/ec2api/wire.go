package ec2api

import (
	_ "embed"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// wireText holds the shapes of all requests; the command gen makes it.
//
//go:embed wire.txt
var wireText string

// kind is the type of a request value.
type kind uint8

const (
	kindString kind = iota
	kindInt
	kindBool
	kindTime
	kindFloat
	kindBlob
	kindEnum
	kindList
	kindMap
	kindStruct
)

// shape is the type of a value in a request: what it may be and what is in it.
type shape struct {
	kind    kind
	enum    []string
	min     *int64
	max     *int64
	item    string // what stands between the name of a list and the index ("member"), empty for EC2
	elem    *shape
	members map[string]*member
	names   []string // members in order, for messages that do not change from run to run
}

type member struct {
	required bool
	shape    *shape
}

// action is the shape of one action's request.
type wireAction struct {
	service string
	name    string
	in      *shape
	filters []string // documented names of filters
}

// wire is the shapes of all actions by service and name.
type wire map[string]map[string]*wireAction

// parseWire reads the text that gen made.
func parseWire(text string) (wire, error) {
	w := wire{}
	named := map[string]map[string]*shape{}
	plain := map[string]*shape{
		"s": {kind: kindString}, "i": {kind: kindInt}, "b": {kind: kindBool},
		"t": {kind: kindTime}, "f": {kind: kindFloat}, "B": {kind: kindBlob},
	}
	service := ""
	get := func(name string) *shape {
		if s := plain[name]; s != nil {
			return s
		}
		s := named[service][name]
		if s == nil {
			s = &shape{}
			named[service][name] = s
		}
		return s
	}
	members := func(s *shape, fields []string) error {
		s.kind, s.members = kindStruct, map[string]*member{}
		for _, f := range fields {
			name, typ, ok := strings.Cut(f, "=")
			if !ok {
				return fmt.Errorf("member %q has no type", f)
			}
			name, required := strings.CutSuffix(name, "!")
			s.members[name] = &member{required: required, shape: get(typ)}
			s.names = append(s.names, name)
		}
		return nil
	}
	var last *wireAction
	for n, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		if f[0] != "filters" && len(f) < 2 {
			return nil, fmt.Errorf("wire.txt line %d: too short", n+1)
		}
		var err error
		switch f[0] {
		case "action":
			service = f[1]
			if w[service] == nil {
				w[service], named[service] = map[string]*wireAction{}, map[string]*shape{}
			}
			last = &wireAction{service: service, name: f[2], in: &shape{}}
			w[service][f[2]] = last
			err = members(last.in, f[3:])
		case "filters":
			last.filters = f[1:]
		case "struct":
			err = members(get(f[1]), f[2:])
		case "enum":
			s := get(f[1])
			s.kind, s.enum = kindEnum, f[2:]
		case "int":
			s := get(f[1])
			s.kind = kindInt
			s.min, s.max = bound(f[2]), bound(f[3])
		case "list":
			s := get(f[1])
			s.kind, s.elem = kindList, get(f[2])
			if len(f) > 3 {
				s.item = f[3]
			}
		case "map":
			s := get(f[1])
			s.kind, s.elem = kindMap, get(f[2])
		default:
			err = fmt.Errorf("unknown word %q", f[0])
		}
		if err != nil {
			return nil, fmt.Errorf("wire.txt line %d: %w", n+1, err)
		}
	}
	return w, nil
}

func bound(s string) *int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil
	}
	return &v
}

// node is a value of a request: text, the members of a structure or the items of a
// list. A nil node is a value that was not sent.
type node struct {
	shape *shape
	text  string
	kids  map[string]*node
	items map[int]*node
}

// ignored tells the parameters that belong to the protocol and not to an action.
func ignored(name string) bool {
	switch name {
	case "Action", "Version", "AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp", "Expires", "SecurityToken":
		return true
	}
	return strings.HasPrefix(name, "X-Amz-")
}

// parseForm splits the body of a Query request. Unlike url.ParseQuery it bounds the
// number of parameters and refuses a name that comes twice.
func parseForm(body string) (map[string]string, *Error) {
	form := map[string]string{}
	for body != "" {
		var pair string
		pair, body, _ = strings.Cut(body, "&")
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(k)
		text, err2 := url.QueryUnescape(v)
		if err1 != nil || err2 != nil {
			return nil, errorf("MalformedQueryString", "The query string contains a syntax error")
		}
		if _, twice := form[name]; twice {
			return nil, errorf("InvalidParameterCombination", "The parameter %q is given twice", clip(name))
		}
		if len(form) >= maxParams {
			return nil, errorf("InvalidParameterValue", "The request has more than %d parameters", maxParams)
		}
		form[name] = text
	}
	return form, nil
}

// clip shortens text from outside for a message.
func clip(s string) string {
	if len(s) > 256 {
		s = s[:256]
	}
	return strings.ToValidUTF8(s, "?")
}

// decodeQuery builds the tree of an action's request from a form. strict is how EC2
// does it: a parameter that the action does not have is an error.
func decodeQuery(in *shape, form map[string]string, strict bool) (*node, *Error) {
	root := &node{shape: in}
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if ignored(name) {
			continue
		}
		text := form[name]
		if !validText(text) {
			return nil, errorf("InvalidParameterValue", "Invalid characters in the value of parameter %s", clip(name))
		}
		if !root.set(name, text) && strict {
			return nil, errorf("UnknownParameter", "The parameter %s is not recognized", clip(name))
		}
	}
	return root, nil
}

// validText tells whether s can stand in an XML document.
func validText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

// set puts text at the place that name tells ("Filter.1.Value.2"), or returns false when
// the shape has no such place.
func (n *node) set(name, text string) bool {
	at, rest := n, name
	for depth := 0; rest != ""; depth++ {
		if depth > maxDepth {
			return false
		}
		var part string
		part, rest, _ = strings.Cut(rest, ".")
		switch at.shape.kind {
		case kindStruct:
			m := at.shape.members[part]
			if m == nil {
				return false
			}
			if at.kids == nil {
				at.kids = map[string]*node{}
			}
			if at.kids[part] == nil {
				at.kids[part] = &node{shape: m.shape}
			}
			at = at.kids[part]
		case kindList:
			if at.shape.item != "" && part == at.shape.item {
				part, rest, _ = strings.Cut(rest, ".")
			}
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i > maxIndex || strconv.Itoa(i) != part {
				return false
			}
			if at.items == nil {
				at.items = map[int]*node{}
			}
			if at.items[i] == nil {
				at.items[i] = &node{shape: at.shape.elem}
			}
			at = at.items[i]
		case kindMap:
			return true // maps are of no action that looks at them
		default:
			return false
		}
	}
	switch at.shape.kind {
	case kindStruct, kindMap:
		return text == ""
	case kindList:
		return text == "" // an empty list
	}
	at.text = text
	return true
}

// check tells the first thing that is wrong with n: missing, not a number, outside its
// bounds, not of its enumeration. at is the path to n for messages.
func (n *node) check(at string) *Error {
	switch n.shape.kind {
	case kindStruct:
		for _, name := range n.shape.names {
			m, kid := n.shape.members[name], n.kids[name]
			path := name
			if at != "" {
				path = at + "." + name
			}
			if kid == nil {
				if m.required {
					return errorf("MissingParameter", "The request must contain the parameter %s", path)
				}
				continue
			}
			if m.required && kid.empty() {
				return errorf("MissingParameter", "The request must contain the parameter %s", path)
			}
			if err := kid.check(path); err != nil {
				return err
			}
		}
	case kindMap:
		for _, k := range sortedKeys(n.kids) {
			if err := n.kids[k].check(at + "." + clip(k)); err != nil {
				return err
			}
		}
	case kindList:
		for _, i := range n.order() {
			if err := n.items[i].check(at + "." + strconv.Itoa(i)); err != nil {
				return err
			}
		}
	default:
		return n.checkText(at)
	}
	return nil
}

func (n *node) empty() bool { return n.text == "" && len(n.kids) == 0 && len(n.items) == 0 }

func (n *node) checkText(at string) *Error {
	switch n.shape.kind {
	case kindInt:
		v, err := strconv.ParseInt(n.text, 10, 64)
		if err != nil {
			return errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Parameter must be an integer.", clip(n.text), at)
		}
		if n.shape.min != nil && v < *n.shape.min {
			return errorf("InvalidParameterValue", "Value ( %d ) for parameter %s is invalid. Expecting a value greater than or equal to %d.", v, lowerFirst(at), *n.shape.min)
		}
		if n.shape.max != nil && v > *n.shape.max {
			return errorf("InvalidParameterValue", "Value ( %d ) for parameter %s is invalid. Expecting a value less than or equal to %d.", v, lowerFirst(at), *n.shape.max)
		}
		if v > 1<<31-1 || v < -1<<31 {
			return errorf("InvalidParameterValue", "Value (%s) for parameter %s is out of range.", clip(n.text), at)
		}
	case kindBool:
		switch strings.ToLower(n.text) {
		case "true", "false":
		default:
			return errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Expecting true or false.", clip(n.text), at)
		}
	case kindEnum:
		if !slices.Contains(n.shape.enum, n.text) {
			return errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Valid values: %s", clip(n.text), at, strings.Join(n.shape.enum, ", "))
		}
	case kindTime:
		if _, err := parseTime(n.text); err != nil {
			return errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Expecting a timestamp.", clip(n.text), at)
		}
	case kindFloat:
		if _, err := strconv.ParseFloat(n.text, 64); err != nil {
			return errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Expecting a number.", clip(n.text), at)
		}
	}
	return nil
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(0, int64(f*1e9)).UTC(), nil
}

func (n *node) order() []int {
	if n == nil {
		return nil
	}
	keys := make([]int, 0, len(n.items))
	for i := range n.items {
		keys = append(keys, i)
	}
	slices.Sort(keys)
	return keys
}

// get returns the value at a dotted path of member names, or nil.
func (n *node) get(path string) *node {
	for path != "" && n != nil {
		var part string
		part, path, _ = strings.Cut(path, ".")
		n = n.kids[part]
	}
	return n
}

// has tells whether a value was sent at path, be it empty.
func (n *node) has(path string) bool { return n.get(path) != nil }

// str returns the text at path.
func (n *node) str(path string) string {
	if v := n.get(path); v != nil {
		return v.text
	}
	return ""
}

// or returns the text at path, or def when there is none.
func (n *node) or(path, def string) string {
	if s := n.str(path); s != "" {
		return s
	}
	return def
}

// num returns the number at path, or def when none was sent. check has seen that it is
// a number.
func (n *node) num(path string, def int) int {
	v := n.get(path)
	if v == nil || v.text == "" {
		return def
	}
	i, err := strconv.Atoi(v.text)
	if err != nil {
		return def
	}
	return i
}

// numPtr returns the number at path, or nil.
func (n *node) numPtr(path string) *int {
	if v := n.get(path); v == nil || v.text == "" {
		return nil
	}
	i := n.num(path, 0)
	return &i
}

// yes tells whether the boolean at path is true.
func (n *node) yes(path string) bool { return strings.EqualFold(n.str(path), "true") }

// yesOr returns the boolean at path, or def when none was sent.
func (n *node) yesOr(path string, def bool) bool {
	if n.str(path) == "" {
		return def
	}
	return n.yes(path)
}

// list returns the items at path in the order of their indices.
func (n *node) list(path string) []*node {
	v := n.get(path)
	if v == nil {
		return nil
	}
	out := make([]*node, 0, len(v.items))
	for _, i := range v.order() {
		out = append(out, v.items[i])
	}
	return out
}

// pairs returns what a map has at path.
func (n *node) pairs(path string) map[string]*node {
	if v := n.get(path); v != nil && v.shape.kind == kindMap {
		return v.kids
	}
	return nil
}

// strs returns the texts of the list at path.
func (n *node) strs(path string) []string {
	var out []string
	for _, v := range n.list(path) {
		out = append(out, v.text)
	}
	return out
}
