package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Key is one key of mirador.yaml that has a value of its own.
type Key struct {
	Path    string // dotted
	Type    string // "text", "number", ...
	Default string // as it would be written
	Doc     string
	Env     string // "" for keys that the environment cannot set
	tag     reflect.StructTag
}

// Keys returns all keys of mirador.yaml in the order of the reference page.
func Keys() []Key {
	var out []Key
	walk(reflect.ValueOf(Default()).Elem(), "", func(k Key) { out = append(out, k) })
	return out
}

// walk calls f for each key below v that has a value of its own.
func walk(v reflect.Value, path string, f func(Key)) {
	t := v.Type()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name := tag.Get("key")
		if name == "" || name == "-" {
			continue
		}
		p := join(path, name)
		fv := v.Field(i)
		if fv.Kind() == reflect.Struct && tag.Get("free") == "" {
			walk(fv, p, f)
			continue
		}
		k := Key{Path: p, Doc: tag.Get("doc"), Default: formatValue(fv), tag: tag}
		k.Type = keyType(fv.Type())
		if fv.Kind() != reflect.Map && fv.Kind() != reflect.Struct {
			k.Env = EnvName(p)
		}
		f(k)
	}
}

func keyType(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[Duration]():
		return "duration"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Int:
		return "number"
	case reflect.Slice:
		return "list of texts"
	case reflect.Map, reflect.Struct:
		return "mapping"
	}
	return "text"
}

// formatValue writes v as it would stand in the file.
func formatValue(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Size:
		return FormatSize(x)
	case Duration:
		return formatDuration(time.Duration(x))
	case bool:
		return strconv.FormatBool(x)
	case int:
		return strconv.Itoa(x)
	case string:
		return quoteYAML(x)
	case []string:
		q := make([]string, len(x))
		for i, s := range x {
			q[i] = quoteYAML(s)
		}
		return "[" + strings.Join(q, ", ") + "]"
	}
	return "{}"
}

// formatDuration drops the zero parts that time.Duration writes.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// quoteYAML writes s as a scalar of YAML: plain where that is safe, else as a
// JSON string, which YAML understands.
func quoteYAML(s string) string {
	plain := s != ""
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '/' || i > 0 && (c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_')) {
			plain = false
		}
	}
	switch strings.ToLower(s) {
	case "yes", "no", "true", "false", "on", "off", "null", "y", "n":
		plain = false
	}
	if plain {
		return s
	}
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}

// Example returns a mirador.yaml in which every key is explained and commented
// out with its default.
func Example() string {
	var b strings.Builder
	b.WriteString("# yaml-language-server: $schema=mirador.schema.json\n")
	example(&b, reflect.ValueOf(Default()).Elem(), "")
	return b.String()
}

func example(b *strings.Builder, v reflect.Value, indent string) {
	t := v.Type()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name := tag.Get("key")
		if name == "" || name == "-" {
			continue
		}
		if indent == "" {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "%s# %s\n", indent, tag.Get("doc"))
		fv := v.Field(i)
		if fv.Kind() == reflect.Struct && tag.Get("free") == "" {
			fmt.Fprintf(b, "%s%s:\n", indent, name)
			example(b, fv, indent+"  ")
			continue
		}
		fmt.Fprintf(b, "%s#%s: %s\n", indent, name, formatValue(fv))
	}
}

// String returns f as a mirador.yaml with every key.
func (f *File) String() string {
	var b strings.Builder
	write(&b, reflect.ValueOf(f).Elem(), "")
	return b.String()
}

func write(b *strings.Builder, v reflect.Value, indent string) {
	t := v.Type()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name := tag.Get("key")
		if name == "" || name == "-" {
			continue
		}
		fv := v.Field(i)
		switch {
		case tag.Get("free") != "":
			n := fv.Interface().(Suricata).Node
			if len(n.Kids) > 0 {
				fmt.Fprintf(b, "%s%s:\n", indent, name)
				writeNode(b, &n, indent+"  ")
			}
		case fv.Kind() == reflect.Struct:
			fmt.Fprintf(b, "%s%s:\n", indent, name)
			write(b, fv, indent+"  ")
		case fv.Kind() == reflect.Map:
			fmt.Fprintf(b, "%s%s:%s\n", indent, name, formatMap(fv.Interface().(map[string]string), indent+"  "))
		default:
			fmt.Fprintf(b, "%s%s: %s\n", indent, name, formatValue(fv))
		}
	}
}

func formatMap(m map[string]string, indent string) string {
	if len(m) == 0 {
		return " {}"
	}
	var b strings.Builder
	for _, k := range sortedKeys(m) {
		fmt.Fprintf(&b, "\n%s%s: %s", indent, quoteYAML(k), quoteYAML(m[k]))
	}
	return b.String()
}

// writeNode writes a free subtree.
func writeNode(b *strings.Builder, n *Node, indent string) {
	for _, k := range n.Kids {
		head := indent + quoteYAML(k.Name) + ":"
		if n.Seq {
			head = indent + "-"
		}
		switch {
		case k.Seq && len(k.Kids) == 0:
			b.WriteString(head + " []\n")
		case len(k.Kids) > 0:
			b.WriteString(head + "\n")
			writeNode(b, k, indent+"  ")
		case k.null:
			b.WriteString(head + "\n")
		default:
			b.WriteString(head + " " + quoteYAML(k.Value) + "\n")
		}
	}
}

// Schema returns the JSON Schema (draft 2020-12) of mirador.yaml.
func Schema() ([]byte, error) {
	s := schemaOf(reflect.ValueOf(Default()).Elem(), "")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "mirador.yaml"
	return json.MarshalIndent(s, "", "  ")
}

func schemaOf(v reflect.Value, tag reflect.StructTag) map[string]any {
	s := map[string]any{}
	if d := tag.Get("doc"); d != "" {
		s["description"] = d
	}
	switch x := v.Interface().(type) {
	case Size:
		s["type"] = []string{"string", "integer"}
		s["pattern"] = `^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgG][iI]?[bB])?\s*$`
		s["default"] = FormatSize(x)
		return s
	case Duration:
		s["type"] = []string{"string", "integer"}
		s["pattern"] = `^(0|[0-9]+d|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`
		s["default"] = formatDuration(time.Duration(x))
		return s
	case []string:
		s["type"] = []string{"array", "string"}
		s["items"] = map[string]any{"type": []string{"string", "number"}}
		if len(x) > 0 {
			s["default"] = x
		}
		return s
	}
	switch v.Kind() {
	case reflect.Bool:
		s["type"], s["default"] = "boolean", v.Bool()
	case reflect.Int:
		lo, hi := bounds(tag)
		s["type"], s["default"], s["minimum"], s["maximum"] = "integer", v.Int(), lo, hi
	case reflect.String:
		s["type"], s["default"] = "string", v.String()
	case reflect.Map:
		s["type"] = "object"
		s["additionalProperties"] = map[string]any{"type": []string{"string", "number", "array"}}
	case reflect.Struct:
		s["type"] = "object"
		if tag.Get("free") != "" {
			return s
		}
		props := map[string]any{}
		t := v.Type()
		for i := range t.NumField() {
			if name := t.Field(i).Tag.Get("key"); name != "" && name != "-" {
				props[name] = schemaOf(v.Field(i), t.Field(i).Tag)
			}
		}
		s["properties"], s["additionalProperties"] = props, false
	}
	return s
}
