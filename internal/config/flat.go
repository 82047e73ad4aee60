package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits of a suricata.yaml.
const (
	// maxFile is the size of one configuration file (the stock file has 90 KB).
	maxFile = 8 << 20
	// maxDepth is how deep mappings may nest (Suricata's loader stops at 128).
	maxDepth = 128
	// maxNodes bounds all keys together, so that aliases of aliases cannot fill
	// the memory.
	maxNodes = 1 << 20
	// maxIncludes bounds the files included, directly or not.
	maxIncludes = 128
)

// Node is one key of a suricata.yaml: a value, or children in order, or for an
// element of a sequence that is a mapping both: Value is then the first key.
type Node struct {
	Name  string
	Value string
	Kids  []*Node
	Seq   bool // Kids are the elements of a sequence
	set   bool // by Set: files do not override it
	null  bool // written without a value
}

// Child returns the child of n named name, nil when there is none or n is nil.
func (n *Node) Child(name string) *Node {
	if n == nil {
		return nil
	}
	for _, k := range n.Kids {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// Flat is a suricata.yaml. The zero value is an empty file.
type Flat struct {
	root  Node
	files []string
	nodes int
}

// LoadFlat reads the suricata.yaml at path and the files it includes. Errors
// begin with file and line.
func LoadFlat(path string) (*Flat, error) {
	f := &Flat{}
	if err := f.loadFile(path, &f.root, 0); err != nil {
		return nil, err
	}
	return f, nil
}

// ParseFlat reads a suricata.yaml from data. name stands for it in errors; the
// files it includes are looked for beside it.
func ParseFlat(data []byte, name string) (*Flat, error) {
	f := &Flat{files: []string{name}}
	if err := f.load(data, name, &f.root, 0); err != nil {
		return nil, err
	}
	return f, nil
}

// Files returns the files that were read, in order.
func (f *Flat) Files() []string { return f.files }

func (f *Flat) loadFile(path string, into *Node, depth int) error {
	if len(f.files) >= maxIncludes {
		return fmt.Errorf("%s: more than %d files are included", path, maxIncludes)
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.Size() > maxFile {
		return fmt.Errorf("%s: %d bytes, at most %d are read", path, st.Size(), maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	f.files = append(f.files, path)
	return f.load(data, path, into, depth)
}

func (f *Flat) load(data []byte, name string, into *Node, depth int) error {
	if len(data) > maxFile {
		return fmt.Errorf("%s: %d bytes, at most %d are read", name, len(data), maxFile)
	}
	file, err := parseYAML(data)
	if err != nil {
		return yamlError(name, err)
	}
	l := &loader{f: f, name: name, anchors: map[string]ast.Node{}}
	for _, doc := range file.Docs {
		switch body := doc.Body.(type) {
		case nil, *ast.NullNode, *ast.DirectiveNode, *ast.CommentGroupNode:
		default:
			m, ok := unwrap(body).(ast.MapNode)
			if !ok {
				return l.errorf(body, "the file must be a mapping, not %s", kindOf(body))
			}
			if err := l.mapping(m, body, into, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseYAML parses data. libyaml, which Suricata uses, takes tabs as blanks in
// more places than YAML allows, so a file that does not parse is tried again
// with blanks in their place.
func parseYAML(data []byte) (file *ast.File, err error) {
	// The YAML package panics on some malformed files; that is an error of the
	// file like any other.
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("malformed YAML")
		}
	}()
	file, err = parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil && bytes.IndexByte(data, '\t') >= 0 {
		f, e := parser.ParseBytes(bytes.ReplaceAll(data, []byte{'\t'}, []byte{' '}), 0, parser.AllowDuplicateMapKey())
		if e == nil {
			return f, nil
		}
	}
	return file, err
}

// loader turns the tree of one file into Nodes.
type loader struct {
	f       *Flat
	name    string
	anchors map[string]ast.Node
}

func (l *loader) errorf(n ast.Node, format string, args ...any) error {
	line := 0
	if n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		line = n.GetToken().Position.Line
	}
	return fmt.Errorf("%s:%d: "+format, append([]any{l.name, line}, args...)...)
}

func (l *loader) count(n ast.Node) error {
	if l.f.nodes++; l.f.nodes > maxNodes {
		return l.errorf(n, "more than %d keys", maxNodes)
	}
	return nil
}

// mapping puts the keys of m below into. A key that is there already is replaced
// whole, except where Set has put values below it.
func (l *loader) mapping(m ast.MapNode, at ast.Node, into *Node, depth int) error {
	if depth > maxDepth {
		return l.errorf(at, "nested deeper than %d", maxDepth)
	}
	for it := m.MapRange(); it.Next(); {
		key := scalar(it.Key())
		if key == "include" {
			if err := l.include(it.Value(), into, depth); err != nil {
				return err
			}
			continue
		}
		if into.Name != "address-groups" && into.Name != "port-groups" {
			// Suricata reads old_style names as old-style ones.
			key = strings.ReplaceAll(key, "_", "-")
		}
		if err := l.count(it.Key()); err != nil {
			return err
		}
		kid := into.Child(key)
		if kid == nil {
			kid = &Node{Name: key}
			into.Kids = append(into.Kids, kid)
		} else if kid.set {
			continue
		} else {
			kid.prune()
		}
		if err := l.value(it.Value(), kid, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// prune forgets what files have said of n and keeps what Set has.
// It tells whether anything was kept.
func (n *Node) prune() bool {
	keep := n.Kids[:0]
	for _, k := range n.Kids {
		if k.prune() || k.set {
			keep = append(keep, k)
		}
	}
	n.Kids = keep
	if !n.set {
		n.Value, n.Seq = "", false
	}
	return len(keep) > 0
}

func (l *loader) value(v ast.Node, n *Node, depth int) error {
	if depth > maxDepth {
		return l.errorf(v, "nested deeper than %d", maxDepth)
	}
	at := v
	switch v := v.(type) {
	case nil, *ast.NullNode:
		n.null = true
		return nil
	case *ast.AnchorNode:
		l.anchors[scalar(v.Name)] = v.Value
		return l.value(v.Value, n, depth)
	case *ast.AliasNode:
		target, ok := l.anchors[scalar(v.Value)]
		if !ok {
			return l.errorf(v, "no anchor named %q", scalar(v.Value))
		}
		return l.value(target, n, depth+1)
	case *ast.TagNode:
		if v.Start.Value == "!include" {
			return l.include(v.Value, n, depth)
		}
		return l.value(v.Value, n, depth)
	case ast.MapNode:
		return l.mapping(v, at, n, depth)
	case *ast.SequenceNode:
		n.Seq = true
		for i, item := range v.Values {
			if err := l.count(item); err != nil {
				return err
			}
			name := strconv.Itoa(i)
			kid := n.Child(name)
			if kid == nil {
				kid = &Node{Name: name}
				n.Kids = append(n.Kids, kid)
			}
			if kid.set {
				continue
			}
			if err := l.value(item, kid, depth+1); err != nil {
				return err
			}
			if m, ok := unwrap(item).(ast.MapNode); ok {
				// The element answers with its first key.
				if it := m.MapRange(); it.Next() {
					kid.Value = scalar(it.Key())
				}
			}
		}
		return nil
	default:
		n.Value = scalar(v)
		return nil
	}
}

// include reads the file or files that v names into n.
func (l *loader) include(v ast.Node, n *Node, depth int) error {
	if seq, ok := unwrap(v).(*ast.SequenceNode); ok {
		for _, item := range seq.Values {
			if err := l.include(item, n, depth); err != nil {
				return err
			}
		}
		return nil
	}
	path := scalar(v)
	if path == "" {
		return l.errorf(v, "include without a file name")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(l.name), path)
	}
	if depth > maxDepth {
		return l.errorf(v, "include %q: nested deeper than %d", path, maxDepth)
	}
	if err := l.f.loadFile(path, n, depth+1); err != nil {
		return l.errorf(v, "include: %w", err)
	}
	return nil
}

// unwrap takes anchors and tags off n.
func unwrap(n ast.Node) ast.Node {
	for {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.TagNode:
			n = v.Value
		default:
			return n
		}
	}
}

// scalar returns the text of a scalar as it was written, without quotes.
func scalar(n ast.Node) string {
	switch v := unwrap(n).(type) {
	case nil:
		return ""
	case *ast.StringNode:
		return v.Value
	case *ast.LiteralNode:
		return v.Value.Value
	case *ast.NullNode:
		return ""
	case *ast.MappingKeyNode:
		return scalar(v.Value)
	default:
		if t := v.GetToken(); t != nil {
			return t.Value
		}
		return ""
	}
}

func kindOf(n ast.Node) string {
	switch unwrap(n).(type) {
	case *ast.SequenceNode:
		return "a sequence"
	case ast.MapNode:
		return "a mapping"
	default:
		return "a single value"
	}
}

// Set applies "name=value" as suricata --set does: it goes before whatever a
// file says, and files loaded later do not override it.
func (f *Flat) Set(assignment string) error {
	name, value, ok := strings.Cut(assignment, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" {
		return fmt.Errorf("set %q: want name=value", assignment)
	}
	n := &f.root
	parts := strings.Split(name, ".")
	if len(parts) > maxDepth {
		return fmt.Errorf("set %q: nested deeper than %d", assignment, maxDepth)
	}
	for _, part := range parts {
		if part == "" {
			return fmt.Errorf("set %q: empty part in the name", assignment)
		}
		kid := n.Child(part)
		if kid == nil {
			if f.nodes++; f.nodes > maxNodes {
				return fmt.Errorf("set %q: more than %d keys", assignment, maxNodes)
			}
			kid = &Node{Name: part}
			n.Kids = append(n.Kids, kid)
		}
		n = kid
	}
	n.Value, n.Kids, n.Seq, n.set, n.null = strings.TrimLeft(value, " \t"), nil, false, true, false
	return nil
}
