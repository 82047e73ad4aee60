package setup

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Schema returns the JSON Schema (draft 2020-12) of mirror.yaml.
func Schema() ([]byte, error) {
	s := schemaOf(reflect.TypeFor[Spec](), "")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "mirror.yaml"
	s["required"] = []string{"name", "sensors"}
	return json.MarshalIndent(s, "", "  ")
}

func schemaOf(t reflect.Type, tag reflect.StructTag) map[string]any {
	s := map[string]any{}
	if d := tag.Get("doc"); d != "" {
		s["description"] = d
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[Strings]() {
		s["type"] = []string{"array", "string"}
		s["items"] = map[string]any{"type": "string"}
		return s
	}
	switch t.Kind() {
	case reflect.Bool:
		s["type"] = "boolean"
	case reflect.Int:
		s["type"] = "integer"
		for _, k := range []struct{ tag, key string }{{"min", "minimum"}, {"max", "maximum"}} {
			if n, err := strconv.Atoi(tag.Get(k.tag)); err == nil {
				s[k.key] = n
			}
		}
	case reflect.String:
		s["type"] = "string"
		if x := tag.Get("type"); x != "" {
			s["type"] = strings.Split(x, ",")
		}
		if e := tag.Get("enum"); e != "" {
			s["enum"] = strings.Split(e, ",")
		}
	case reflect.Map:
		s["type"] = "object"
		s["additionalProperties"] = map[string]any{"type": []string{"string", "number", "boolean"}}
	case reflect.Slice:
		s["type"] = "array"
		s["items"] = schemaOf(t.Elem(), "")
	case reflect.Struct:
		props := map[string]any{}
		for _, f := range specFields(t) {
			props[f.name] = schemaOf(f.Type, f.Tag)
		}
		s["type"], s["properties"], s["additionalProperties"] = "object", props, false
	}
	return s
}

type specField struct {
	reflect.StructField
	name string
}

// specFields returns the fields of a struct of the spec that have a key.
func specFields(t reflect.Type) []specField {
	var out []specField
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" {
			out = append(out, specField{f, name})
		}
	}
	return out
}

// specKeys returns all names of keys of a spec, sorted.
func specKeys() []string {
	var out []string
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return
		}
		for _, f := range specFields(t) {
			out = append(out, f.name)
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[Spec]())
	slices.Sort(out)
	return slices.Compact(out)
}

// A SpecKey is one key of mirror.yaml, for the reference page.
type SpecKey struct {
	Path, Type, Doc string
}

// SpecKeys returns all keys of mirror.yaml, in order.
func SpecKeys() []SpecKey {
	var out []SpecKey
	var walk func(t reflect.Type, path string)
	walk = func(t reflect.Type, path string) {
		for _, f := range specFields(t) {
			k := SpecKey{Path: path + f.name, Doc: f.Tag.Get("doc")}
			ft, sub := f.Type, ""
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			switch {
			case ft == reflect.TypeFor[Strings]():
				k.Type = "text or list"
			case ft.Kind() == reflect.Bool:
				k.Type = "boolean"
			case ft.Kind() == reflect.Int:
				k.Type = "number"
			case ft.Kind() == reflect.Map:
				k.Type = "mapping"
			case ft.Kind() == reflect.Slice:
				k.Type, ft, sub = "list", ft.Elem(), "[]."
			case ft.Kind() == reflect.Struct:
				k.Type, sub = "mapping", "."
			default:
				k.Type = "text"
				if e := f.Tag.Get("enum"); e != "" {
					k.Type = strings.ReplaceAll(e, ",", ", ")
				}
			}
			out = append(out, k)
			if sub != "" {
				walk(ft, k.Path+sub)
			}
		}
	}
	walk(reflect.TypeFor[Spec](), "")
	return out
}
