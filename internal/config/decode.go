package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Origin says where a value came from: a place in the file, or a variable of the
// environment.
type Origin struct {
	File         string
	Line, Column int
	Env          string
}

// String returns "file:line:column" or "$NAME".
func (o Origin) String() string {
	if o.Env != "" {
		return "$" + o.Env
	}
	return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
}

// Origin returns where the value at path was set; false means that it is the
// default.
func (f *File) Origin(path string) (Origin, bool) {
	o, ok := f.origin[path]
	return o, ok
}

// IsSet tells that the value at path is not the default.
func (f *File) IsSet(path string) bool {
	_, ok := f.origin[path]
	return ok
}

// Load reads mirador.yaml at path and the environment (os.Environ or the like).
func Load(path string, environ []string) (*File, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", path, st.Size(), maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(data, path, environ)
}

// Parse reads a mirador.yaml from data and lets variables of environ
// (NAME=value, names from EnvName) go before it. All problems are reported
// together, a line each: file:line:column: key: text.
func Parse(data []byte, name string, environ []string) (*File, error) {
	f := Default()
	f.origin = map[string]Origin{}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", name, len(data), maxFile)
	}
	file, err := parseStrict(data)
	if err != nil {
		return nil, yamlError(name, err)
	}
	d := &decoder{name: name, f: f, anchors: map[string]ast.Node{}}
	for _, doc := range file.Docs {
		switch body := doc.Body.(type) {
		case nil, *ast.NullNode, *ast.DirectiveNode, *ast.CommentGroupNode:
		default:
			d.value(body, reflect.ValueOf(f).Elem(), "", reflect.StructTag(""), 0)
		}
	}
	d.environment(environ)
	if len(d.errs) == 0 {
		for _, p := range f.check() {
			d.errs = append(d.errs, f.problem(name, p))
		}
	}
	if err := joinErrors(d.errs); err != nil {
		return nil, err
	}
	return f, nil
}

// parseStrict is parser.ParseBytes for a package that panics on some malformed
// files.
func parseStrict(data []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("malformed YAML")
		}
	}()
	return parser.ParseBytes(data, 0)
}

// problems makes one error of what check found.
func (f *File) problems(list []Problem) error {
	var errs []error
	for _, p := range list {
		errs = append(errs, f.problem("", p))
	}
	return joinErrors(errs)
}

// problem gives p the place of its key.
func (f *File) problem(name string, p Problem) error {
	if o, ok := f.origin[p.Path]; ok {
		return fmt.Errorf("%s: %s: %s", o, p.Path, p.Text)
	}
	if name != "" {
		return fmt.Errorf("%s: %s: %s", name, p.Path, p.Text)
	}
	return fmt.Errorf("%s: %s", p.Path, p.Text)
}

// maxErrors bounds the problems that are reported together.
const maxErrors = 50

func joinErrors(errs []error) error {
	if len(errs) > maxErrors {
		errs = append(errs[:maxErrors:maxErrors], fmt.Errorf("and %d more problems", len(errs)-maxErrors))
	}
	return errors.Join(errs...)
}

type decoder struct {
	name    string
	f       *File
	errs    []error
	anchors map[string]ast.Node
	nodes   int
}

func position(n ast.Node) (p token.Position) {
	if n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		p = *n.GetToken().Position
	}
	return p
}

func (d *decoder) bad(n ast.Node, path, format string, args ...any) {
	p := position(n)
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = path + ": " + text
	}
	d.errs = append(d.errs, fmt.Errorf("%s:%d:%d: %s", d.name, p.Line, p.Column, text))
}

func (d *decoder) note(n ast.Node, path string) {
	p := position(n)
	d.f.origin[path] = Origin{File: d.name, Line: p.Line, Column: p.Column}
}

// enter counts a node and its depth; false means that there are too many, which
// is reported once.
func (d *decoder) enter(n ast.Node, path string, depth int) bool {
	if d.nodes++; d.nodes > maxNodes || depth > maxDepth {
		if d.nodes <= maxNodes+1 {
			d.bad(n, path, "too many keys, or nested too deep")
			d.nodes = maxNodes + 1
		}
		return false
	}
	return true
}

// resolve follows anchors, aliases and tags of n.
func (d *decoder) resolve(n ast.Node, path string) (ast.Node, bool) {
	for range maxDepth {
		switch v := n.(type) {
		case *ast.AnchorNode:
			d.anchors[scalar(v.Name)] = v.Value
			n = v.Value
		case *ast.AliasNode:
			target, ok := d.anchors[scalar(v.Value)]
			if !ok {
				d.bad(n, path, "no anchor named %q", scalar(v.Value))
				return nil, false
			}
			n = target
		case *ast.TagNode:
			n = v.Value
		default:
			return n, true
		}
	}
	d.bad(n, path, "anchors go round in a circle")
	return nil, false
}

// value decodes n into v, the value at path.
func (d *decoder) value(n ast.Node, v reflect.Value, path string, tag reflect.StructTag, depth int) {
	if !d.enter(n, path, depth) {
		return
	}
	at := n
	n, ok := d.resolve(n, path)
	if !ok {
		return
	}
	if _, null := n.(*ast.NullNode); n == nil || null {
		return // a key without value keeps its default
	}
	switch v.Interface().(type) {
	case Suricata:
		d.free(n, at, v.Addr().Interface().(*Suricata), path)
		return
	case []string:
		d.strings(n, v, path, depth)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		m, ok := n.(ast.MapNode)
		if !ok {
			d.bad(at, path, "want a mapping, not %s", kindOf(n))
			return
		}
		d.object(m, v, path, depth)
	case reflect.Map:
		m, ok := n.(ast.MapNode)
		if !ok {
			d.bad(at, path, "want a mapping, not %s", kindOf(n))
			return
		}
		d.dict(m, at, v, path, depth)
	default:
		switch n.(type) {
		case *ast.SequenceNode, ast.MapNode:
			d.bad(at, path, "want %s, not %s", typeName(v.Type()), kindOf(n))
			return
		}
		if err := setScalar(v, scalar(n), tag); err != nil {
			d.bad(at, path, "%v", err)
			return
		}
		d.note(at, path)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// object decodes a mapping into a struct; keys that it does not have are errors
// that name the nearest one.
func (d *decoder) object(m ast.MapNode, v reflect.Value, path string, depth int) {
	seen := map[string]bool{}
	for it := m.MapRange(); it.Next(); {
		key := scalar(it.Key())
		i, ok := fieldByKey(v.Type(), key)
		switch {
		case !ok:
			d.bad(it.Key(), "", "unknown key %q%s", join(path, key), suggestion(v.Type(), key))
			continue
		case seen[key]:
			d.bad(it.Key(), "", "key %q is there twice", join(path, key))
			continue
		}
		seen[key] = true
		d.value(it.Value(), v.Field(i), join(path, key), v.Type().Field(i).Tag, depth+1)
	}
}

// dict decodes a mapping with keys of the user's choice.
func (d *decoder) dict(m ast.MapNode, at ast.Node, v reflect.Value, path string, depth int) {
	out := map[string]string{}
	for it := m.MapRange(); it.Next(); {
		key := scalar(it.Key())
		if !d.enter(it.Key(), path, depth) {
			return
		}
		n, ok := d.resolve(it.Value(), path)
		if !ok {
			return
		}
		switch s := n.(type) {
		case *ast.SequenceNode:
			var parts []string
			for _, item := range s.Values {
				parts = append(parts, scalar(item))
			}
			out[key] = "[" + strings.Join(parts, ",") + "]"
		case ast.MapNode:
			d.bad(it.Value(), join(path, key), "want a text, not a mapping")
		default:
			out[key] = scalar(n)
		}
	}
	v.Set(reflect.ValueOf(out))
	d.note(at, path)
}

// strings decodes a sequence of scalars, or one scalar.
func (d *decoder) strings(n ast.Node, v reflect.Value, path string, depth int) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		if _, isMap := n.(ast.MapNode); isMap {
			d.bad(n, path, "want a sequence, not a mapping")
			return
		}
		v.Set(reflect.ValueOf([]string{scalar(n)}))
		d.note(n, path)
		d.note(n, path+".0")
		return
	}
	out := make([]string, 0, len(seq.Values))
	for i, item := range seq.Values {
		p := path + "." + strconv.Itoa(i)
		if !d.enter(item, path, depth) {
			return
		}
		x, ok := d.resolve(item, p)
		if !ok {
			return
		}
		switch x.(type) {
		case *ast.SequenceNode, ast.MapNode:
			d.bad(item, p, "want a text, not %s", kindOf(x))
			return
		}
		out = append(out, scalar(x))
		d.note(item, p)
	}
	v.Set(reflect.ValueOf(out))
	d.note(n, path)
}

// free reads the keys below suricata as Flat does.
func (d *decoder) free(n, at ast.Node, s *Suricata, path string) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.bad(at, path, "want a mapping, not %s", kindOf(n))
		return
	}
	l := &loader{f: &Flat{}, name: d.name, anchors: d.anchors}
	if err := l.mapping(m, at, &s.Node, 0); err != nil {
		d.errs = append(d.errs, err)
		return
	}
	d.note(at, path)
}

// setScalar reads text into v. tag may bound a number.
func setScalar(v reflect.Value, text string, tag reflect.StructTag) error {
	switch v.Interface().(type) {
	case Size:
		n, err := ParseSize(text)
		if err != nil {
			return err
		}
		v.SetInt(n)
		return nil
	case Duration:
		t, err := parseDuration(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(t))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, ok := parseBool(text)
		if !ok {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		lo, hi := bounds(tag)
		if n < lo || n > hi {
			return fmt.Errorf("%d is not in %d to %d", n, lo, hi)
		}
		v.SetInt(n)
	default:
		return fmt.Errorf("cannot be set as text")
	}
	return nil
}

// bounds returns the least and the most that tag allows.
func bounds(tag reflect.StructTag) (lo, hi int64) {
	hi = 1 << 31
	if s := tag.Get("min"); s != "" {
		lo, _ = strconv.ParseInt(s, 10, 64)
	}
	if s := tag.Get("max"); s != "" {
		hi, _ = strconv.ParseInt(s, 10, 64)
	}
	return lo, hi
}

// parseDuration reads "500ms", "1h30m", and "7d" for days.
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is no length of time (such as 500ms, 10s, 1h30m, 7d)", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	if s == "0" {
		return 0, nil
	}
	t, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no length of time (such as 500ms, 10s, 1h30m, 7d)", s)
	}
	return t, nil
}

func fieldByKey(t reflect.Type, key string) (int, bool) {
	for i := range t.NumField() {
		if k := t.Field(i).Tag.Get("key"); k == key && k != "-" && k != "" {
			return i, true
		}
	}
	return 0, false
}

// suggestion names the key of t that is nearest to key, if one is near.
func suggestion(t reflect.Type, key string) string {
	best, name := 3, ""
	for i := range t.NumField() {
		k := t.Field(i).Tag.Get("key")
		if k == "" || k == "-" {
			continue
		}
		if n := distance(key, k); n < best || n == best && n < len(k)/2 && name == "" {
			best, name = n, k
		}
	}
	if name == "" {
		return ""
	}
	return fmt.Sprintf(", perhaps %q is meant", name)
}

// distance is the number of letters to insert, remove, change or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	const most = 64
	if len(a) > most || len(b) > most {
		return most
	}
	var rows [3][most + 1]int
	for j := range b {
		rows[0][j+1] = j + 1
	}
	for i := range len(a) {
		prev2, prev, cur := &rows[(i+2)%3], &rows[i%3], &rows[(i+1)%3]
		cur[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			n := min(prev[j+1]+1, cur[j]+1, prev[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				n = min(n, prev2[j-1]+1)
			}
			cur[j+1] = n
		}
	}
	return rows[len(a)%3][len(b)]
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Size]():
		return "a size"
	case reflect.TypeFor[Duration]():
		return "a length of time"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a number"
	case reflect.String:
		return "a text"
	case reflect.Slice:
		return "a sequence"
	}
	return "a mapping"
}

// EnvName returns the variable of the environment that sets the key at path:
// MIRADOR_SENSOR_WORKERS for sensor.workers.
func EnvName(path string) string {
	return "MIRADOR_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(path))
}

// environment sets the keys that variables of environ name. Elements of a
// sequence are separated by commas.
func (d *decoder) environment(environ []string) {
	keys := map[string]Key{}
	for _, k := range Keys() {
		keys[EnvName(k.Path)] = k
	}
	for _, e := range environ {
		name, value, ok := strings.Cut(e, "=")
		if !ok || !strings.HasPrefix(name, "MIRADOR_") {
			continue
		}
		k, ok := keys[name]
		if !ok {
			d.f.UnknownEnv = append(d.f.UnknownEnv, name)
			continue
		}
		v := valueAt(reflect.ValueOf(d.f).Elem(), k.Path)
		if _, list := v.Interface().([]string); list {
			var parts []string
			for _, p := range strings.Split(value, ",") {
				if p = strings.TrimSpace(p); p != "" {
					parts = append(parts, p)
				}
			}
			v.Set(reflect.ValueOf(parts))
			for i := range parts {
				d.f.origin[k.Path+"."+strconv.Itoa(i)] = Origin{Env: name}
			}
		} else if err := setScalar(v, value, k.tag); err != nil {
			d.errs = append(d.errs, fmt.Errorf("$%s: %s: %w", name, k.Path, err))
			continue
		}
		d.f.origin[k.Path] = Origin{Env: name}
	}
	sort.Strings(d.f.UnknownEnv)
}

// valueAt returns the field at path below v.
func valueAt(v reflect.Value, path string) reflect.Value {
	for _, part := range strings.Split(path, ".") {
		i, _ := fieldByKey(v.Type(), part)
		v = v.Field(i)
	}
	return v
}
