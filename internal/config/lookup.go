package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

// Node returns the node at path, such as "outputs.1.eve-log", or nil.
func (f *Flat) Node(path string) *Node {
	n := &f.root
	for path != "" && n != nil {
		var part string
		part, path, _ = strings.Cut(path, ".")
		n = n.Child(part)
	}
	return n
}

// Get returns the value at path; false when the key is absent or has no value of
// its own.
func (f *Flat) Get(path string) (string, bool) { return f.Node(path).text() }

func (n *Node) text() (string, bool) {
	if n == nil || n.null || n.Value == "" && len(n.Kids) > 0 {
		return "", false
	}
	return n.Value, true
}

// parseBool reads a boolean as Suricata does.
func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "1", "yes", "true", "on":
		return true, true
	case "0", "no", "false", "off":
		return false, true
	}
	return false, false
}

// ParseSize reads a size as Suricata does: a number with an optional unit kb, mb,
// gb, KiB, MiB, GiB (all powers of 1024) and optional blanks.
func ParseSize(s string) (int64, error) {
	t := strings.TrimSpace(s)
	i := 0
	for i < len(t) && (t[i] >= '0' && t[i] <= '9' || t[i] == '.') {
		i++
	}
	num, err := strconv.ParseFloat(t[:i], 64)
	if err != nil {
		return 0, fmt.Errorf("size %q: want a number with an optional unit such as kb or MiB", s)
	}
	unit := 1.0
	switch strings.ToLower(strings.TrimSpace(t[i:])) {
	case "", "b":
	case "kb", "kib":
		unit = 1 << 10
	case "mb", "mib":
		unit = 1 << 20
	case "gb", "gib":
		unit = 1 << 30
	default:
		return 0, fmt.Errorf("size %q: unknown unit %q", s, strings.TrimSpace(t[i:]))
	}
	if num *= unit; num > math.MaxInt64/2 {
		return 0, fmt.Errorf("size %q: too large", s)
	}
	return int64(num), nil
}

// view is a part of a Flat as protocols see it.
type view struct {
	f     *Flat
	root  bool
	proto bool // n is app-layer.protocols.NAME
	n     *Node
}

// Protocol returns the settings of app-layer.protocols.NAME. Keys are looked up
// below it. Global looks from the root of the file; names that begin with "eve."
// are options of the first enabled eve-log output that has the type
// ("eve.http.extended"); EVEType has those of each output.
func (f *Flat) Protocol(name string) proto.Settings {
	return view{f: f, proto: true, n: f.Node("app-layer.protocols." + name)}
}

// Root returns all settings; it is what Global returns.
func (f *Flat) Root() proto.Settings { return view{f: f, root: true, n: &f.root} }

func (v view) node(key string) *Node {
	if v.root {
		if rest, ok := cutEve(key); ok {
			return v.f.eveType(rest)
		}
	}
	if v.proto && key == "enabled" && v.n.Child(key) == nil {
		// Suricata has the key per transport too (dns.tcp.enabled). A protocol is
		// off when it is off over both.
		tcp, udp := v.n.Child("tcp"), v.n.Child("udp")
		if !tcp.bool(key, true) && !udp.bool(key, true) {
			return tcp.Child(key)
		}
	}
	n := v.n
	for key != "" && n != nil {
		var part string
		part, key, _ = strings.Cut(key, ".")
		n = n.Child(part)
	}
	return n
}

// cutEve recognises the names of options of eve-log types.
func cutEve(key string) (string, bool) {
	for _, p := range [...]string{"eve.", "eve-log.types.", "outputs.eve-log.types."} {
		if rest, ok := strings.CutPrefix(key, p); ok {
			return rest, true
		}
	}
	return "", false
}

// eveType returns an option of a type of the first enabled eve-log output that
// has this type, such as "http.extended".
func (f *Flat) eveType(key string) *Node {
	typ, rest, _ := strings.Cut(key, ".")
	for _, out := range f.outputs("eve-log") {
		n := eveTypeNode(out, typ)
		for rest != "" && n != nil {
			var part string
			part, rest, _ = strings.Cut(rest, ".")
			n = n.Child(part)
		}
		if n != nil {
			return n
		}
		_, rest, _ = strings.Cut(key, ".")
	}
	return nil
}

func (v view) String(key string) (string, bool) { return v.node(key).text() }

func (v view) Bool(key string) (bool, bool) {
	s, ok := v.node(key).text()
	if !ok {
		return false, false
	}
	return parseBool(s)
}

func (v view) Int(key string) (int64, bool) {
	s, ok := v.node(key).text()
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 0, 64)
	return n, err == nil
}

func (v view) Size(key string) (int64, bool) {
	s, ok := v.node(key).text()
	if !ok {
		return 0, false
	}
	n, err := ParseSize(s)
	return n, err == nil
}

// Strings returns the elements of a sequence, or of a single value with commas.
func (v view) Strings(key string) ([]string, bool) { return v.node(key).list() }

func (n *Node) list() ([]string, bool) {
	if n == nil {
		return nil, false
	}
	if n.Seq {
		out := make([]string, 0, len(n.Kids))
		for _, k := range n.Kids {
			out = append(out, k.Value)
		}
		return out, true
	}
	s, ok := n.text()
	if !ok {
		return nil, false
	}
	s = strings.TrimSpace(s)
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	var out []string
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out, true
}

func (v view) Global() proto.Settings { return v.f.Root() }
