package setup

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"mirador/internal/mirror"
)

// object is a JSON object; its keys come out sorted, so that equal plans give equal text.
type object = map[string]any

// exporter turns what a description means into a template of another tool. Exports have
// the resources whole, whether they are there already or not, and without the tags of
// the stack: the other tool owns them, and destroy and watch leave them alone.
type exporter struct {
	d     *Desired
	w     *Observed
	names map[string]string // by key
	taken map[string]bool
	out   map[string]object // resources: by logical name, or by type
}

func newExporter(p *Plan) (*exporter, error) {
	if p.Desired == nil || p.world == nil {
		return nil, fmt.Errorf("a plan that takes away has nothing to export")
	}
	return &exporter{d: p.Desired, w: p.world, names: map[string]string{}, taken: map[string]bool{}, out: map[string]object{}}, nil
}

// tags returns the tags of a resource without those of the stack.
func exportTags(t Tags) Tags {
	out := Tags{}
	for k, v := range t {
		if k != TagStack && k != TagKey && k != TagManaged {
			out[k] = v
		}
	}
	return out
}

// existing returns the id of a target that the stack only uses, or "".
func (x *exporter) existing(k string) string {
	for i := range x.d.Targets {
		if x.d.Targets[i].Key == k {
			return x.d.Targets[i].Existing
		}
	}
	return ""
}

// index returns the device index of a seat: that of the interface that is there, or the
// first that is free.
func (x *exporter) indexes() map[string]int {
	out := map[string]int{}
	used := map[string]map[int]bool{}
	for i := range x.d.Seats {
		s := &x.d.Seats[i]
		if s.Key == "" || s.Instance == nil {
			continue
		}
		u := used[s.Instance.ID]
		if u == nil {
			u = map[int]bool{0: true}
			used[s.Instance.ID] = u
			for _, e := range x.w.InterfacesOf(s.Instance.ID) {
				u[e.DeviceIndex] = true
			}
		}
		if e := pickInterface(x.w, x.d.Spec.Name, s); e != nil && e.InstanceID != "" {
			out[s.Key] = e.DeviceIndex
			continue
		}
		n := 1
		for u[n] {
			n++
		}
		u[n] = true
		out[s.Key] = n
	}
	return out
}

// words splits a key into what names are made of.
func words(k string) []string {
	return strings.FieldsFunc(k, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// camel makes a logical name of CloudFormation: letters and digits.
func camel(k string) string {
	var b strings.Builder
	for _, w := range words(k) {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}

// snake makes a name of Terraform.
func snake(k string) string { return strings.ToLower(strings.Join(words(k), "_")) }

// name returns the name of the resource with a key, made by form; each key has its own.
func (x *exporter) name(k string, form func(string) string) string {
	if n, ok := x.names[k]; ok {
		return n
	}
	base := form(k)
	n := base
	for i := 2; x.taken[n]; i++ {
		n = base + "x" + itoa(i)
	}
	x.taken[n], x.names[k] = true, n
	return n
}

// ingressAll returns the permissions of a group with their direction.
func (x *exporter) ruleKey(r *mirror.FilterRule) string {
	return key(keyRule, r.Direction.String(), itoa(r.Number))
}

// WriteYAML writes plain values as YAML. Every text is in quotes: CloudFormation reads
// YAML 1.1, where yes, no and on are no texts.
func writeYAML(w io.Writer, v any) error {
	var b strings.Builder
	if err := yamlNode(&b, v, ""); err != nil {
		return err
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

func yamlNode(b *strings.Builder, v any, indent string) error {
	switch x := v.(type) {
	case map[string]any:
		if len(x) == 0 {
			b.WriteString(" {}\n")
			return nil
		}
		b.WriteString("\n")
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			b.WriteString(indent + k + ":")
			if err := yamlNode(b, x[k], indent+"  "); err != nil {
				return err
			}
		}
		return nil
	case []any:
		if len(x) == 0 {
			b.WriteString(" []\n")
			return nil
		}
		b.WriteString("\n")
		for _, e := range x {
			var item strings.Builder
			if err := yamlNode(&item, e, indent+"  "); err != nil {
				return err
			}
			// The first line of the item stands behind the dash.
			text := strings.TrimPrefix(item.String(), "\n")
			b.WriteString(indent + "- " + strings.TrimLeft(text, " "))
		}
		return nil
	}
	b.WriteString(" ")
	e := json.NewEncoder(b) // which ends the line
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// plain makes v of maps, slices and scalars only.
func plain(v any) (any, error) {
	j, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out any
	err = json.Unmarshal(j, &out)
	return out, err
}

func writeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
