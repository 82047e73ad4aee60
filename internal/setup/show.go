package setup

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
)

// A SavedPlan is a plan in a file: what was shown, and the spec that it was made of.
type SavedPlan struct {
	Format   int           `json:"format"` // 1; fields are only ever added
	Stack    string        `json:"stack"`
	Identity Identity      `json:"identity"`
	Destroy  bool          `json:"destroy,omitempty"`
	SpecName string        `json:"specName,omitempty"`
	Spec     string        `json:"spec,omitempty"` // text of mirror.yaml
	Summary  Summary       `json:"summary"`
	Changes  []SavedChange `json:"changes"`
	Sources  []SavedSource `json:"sources,omitempty"`
	Findings []Finding     `json:"findings,omitempty"`
	Cost     Cost          `json:"cost"`
	APICalls int           `json:"apiCalls,omitempty"` // that it took to make the plan
}

// Summary counts the changes of a plan.
type Summary struct {
	Add     int `json:"add"`
	Change  int `json:"change"`
	Destroy int `json:"destroy"`
}

// SavedChange is a change as a plan file has it.
type SavedChange struct {
	Mark   Mark        `json:"mark"`
	Kind   string      `json:"kind"`
	Key    string      `json:"key"`
	ID     string      `json:"id,omitempty"`
	Name   string      `json:"name,omitempty"`
	Why    string      `json:"why"`
	Detail []string    `json:"detail,omitempty"`
	Calls  []SavedCall `json:"calls"`
}

// SavedCall is a call as a plan file has it.
type SavedCall struct {
	Action     string `json:"action"`
	Parameters any    `json:"parameters"`
}

// SavedSource is how an interface stands.
type SavedSource struct {
	Interface string   `json:"interface"`
	Instance  string   `json:"instance,omitempty"`
	Name      string   `json:"name"`
	Type      string   `json:"type,omitempty"`
	AZ        string   `json:"az,omitempty"`
	VPC       string   `json:"vpc,omitempty"`
	Standing  Standing `json:"standing"`
	Why       string   `json:"why,omitempty"`
	Warn      string   `json:"warning,omitempty"`
}

// Save returns p as it is written to a file. specName and spec are those of the
// mirror.yaml.
func (p *Plan) Save(specName, spec string) *SavedPlan {
	s := &SavedPlan{Format: 1, Stack: p.Stack, Identity: p.Identity, Destroy: p.Desired == nil, SpecName: specName, Spec: spec, Findings: p.Findings, Cost: p.Cost}
	s.Summary.Add, s.Summary.Change, s.Summary.Destroy = p.Count()
	for _, c := range p.Changes {
		x := SavedChange{Mark: c.Mark, Kind: c.Kind, Key: c.Key, ID: c.ID, Name: c.Name, Why: c.Why, Detail: c.Detail}
		for _, st := range c.Steps {
			name := st.Call.Action().String()
			if _, ok := st.Call.(Wait); ok {
				name = "wait"
			}
			x.Calls = append(x.Calls, SavedCall{name, st.Call})
		}
		s.Changes = append(s.Changes, x)
	}
	if p.Desired != nil {
		for i := range p.Desired.Sources {
			x := &p.Desired.Sources[i]
			y := SavedSource{Interface: x.Interface.ID, Instance: x.InstanceID(), Name: x.Name(), AZ: x.Interface.AZ, VPC: x.Interface.VPC, Standing: x.Standing, Why: x.Why, Warn: x.Warn}
			if x.Instance != nil {
				y.Type = x.Instance.Type
			}
			s.Sources = append(s.Sources, y)
		}
	}
	return s
}

// maxSaved bounds what is read of a plan file.
const maxSaved = 256 << 20

// ReadSaved reads a plan file.
func ReadSaved(r io.Reader) (*SavedPlan, error) {
	var s SavedPlan
	if err := json.NewDecoder(io.LimitReader(r, maxSaved)).Decode(&s); err != nil {
		return nil, fmt.Errorf("is no plan: %w", err)
	}
	if s.Format != 1 || s.Stack == "" {
		return nil, fmt.Errorf("is no plan of a form that this version knows (format %d)", s.Format)
	}
	return &s, nil
}

// Beyond returns the changes of p that the saved plan does not have: what has happened
// since it was shown. What a broken run of the saved plan has left to do is not among
// them.
func (s *SavedPlan) Beyond(p *Plan) []*Change {
	have := map[string][]*SavedChange{}
	for i := range s.Changes {
		c := &s.Changes[i]
		have[c.Kind+" "+c.Key] = append(have[c.Kind+" "+c.Key], c)
	}
	var out []*Change
	for _, c := range p.Changes {
		ok := false
		for _, o := range have[c.Kind+" "+c.Key] {
			switch {
			case c.Mark == Delete && o.Mark == Delete:
				ok = ok || c.ID == o.ID
			case c.Mark == Delete: // made twice by a broken run
				ok = ok || o.Mark == Create || o.Mark == Replace
			case c.Mark == Update:
				ok = ok || o.Mark != Delete && (o.Mark != Update || o.ID == c.ID)
			default:
				ok = ok || o.Mark == c.Mark
			}
		}
		if !ok {
			out = append(out, c)
		}
	}
	return out
}

// maxShown is how many changes of a kind and mark a plan shows unless all are asked for.
const maxShown = 10

// WriteText writes the plan for people. all shows every change and every interface.
func (p *Plan) WriteText(w io.Writer, all bool) error {
	b := &strings.Builder{}
	shown := map[string]int{}
	for _, c := range p.Changes {
		k := string(c.Mark) + c.Kind
		shown[k]++
		if !all && shown[k] > maxShown {
			continue
		}
		fmt.Fprintf(b, "%-3s %-23s %s\n", c.Mark, c.Kind, strings.TrimSpace(or(c.ID, "")+" "+c.Name))
		fmt.Fprintf(b, "      %s\n", c.Why)
		for _, d := range c.Detail {
			fmt.Fprintf(b, "      %s\n", d)
		}
	}
	var more []string
	for _, k := range sortedCounts(shown) {
		if n := shown[k]; !all && n > maxShown {
			more = append(more, fmt.Sprintf("… and %d more like this: %s (--all shows them)", n-maxShown, splitMark(k)))
		}
	}
	for _, m := range more {
		fmt.Fprintln(b, m)
	}
	p.writeSources(b, all)
	for _, f := range p.Findings {
		fmt.Fprintf(b, "%s: %s: %s\n", f.Level, f.Subject, f.Text)
		if f.Remedy != "" {
			fmt.Fprintf(b, "      try: %s\n", f.Remedy)
		}
	}
	p.Cost.write(b)
	add, change, destroy := p.Count()
	switch {
	case len(p.Changes) == 0 && p.Desired == nil:
		fmt.Fprintf(b, "Nothing to destroy: nothing carries the tag of stack %s.\n", p.Stack)
	case len(p.Changes) == 0:
		fmt.Fprintf(b, "Nothing to change: stack %s is as described.\n", p.Stack)
	default:
		fmt.Fprintf(b, "Plan: %d to add, %d to change, %d to destroy.\n", add, change, destroy)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func sortedCounts(m map[string]int) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func splitMark(k string) string {
	for _, m := range []Mark{Replace, Create, Update, Delete} {
		if rest, ok := strings.CutPrefix(k, string(m)); ok {
			return string(m) + " " + rest
		}
	}
	return k
}

// writeSources writes what is mirrored, and what is not and why.
func (p *Plan) writeSources(b *strings.Builder, all bool) {
	if p.Desired == nil {
		return
	}
	count := map[Standing]int{}
	n := 0
	for i := range p.Desired.Sources {
		x := &p.Desired.Sources[i]
		count[x.Standing]++
		if x.Standing == Unselected && !all || x.Standing == Selected && x.Warn == "" {
			continue
		}
		if n++; n > maxShown*2 && !all {
			continue
		}
		word := string(x.Standing)
		if x.Standing == Selected {
			word = "warning"
		}
		fmt.Fprintf(b, "%-11s %s %s: %s\n", word, x.Interface.ID, x.Name(), or(x.Warn, x.Why))
	}
	if n > maxShown*2 && !all {
		fmt.Fprintf(b, "… and %d more interfaces (--all shows them)\n", n-maxShown*2)
	}
	var parts []string
	for _, s := range []Standing{Selected, Excluded, Unsupported, Waiting, Full, OfSensor, Unselected} {
		if count[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[s], s))
		}
	}
	fmt.Fprintf(b, "Interfaces: %s.\n", or(strings.Join(parts, ", "), "none"))
	if count[Unsupported] > 0 {
		fmt.Fprintf(b, "      AWS cannot mirror %d of them; the software mirror can: mirador aws plan --as user-data\n", count[Unsupported])
	}
}

func (c *Cost) write(b *strings.Builder) {
	if c.Currency == "" {
		return
	}
	for _, l := range c.Lines {
		fmt.Fprintf(b, "Cost: %g × %s at %g %s/%s = %.2f a month\n", l.Count, l.What, l.Rate, c.Currency, l.Unit, l.Month)
	}
	fmt.Fprintf(b, "Cost: ≈ %.2f %s a month", c.Month, c.Currency)
	if c.Note != "" {
		fmt.Fprintf(b, " (%s)", c.Note)
	}
	b.WriteString("\n")
}

// jsonText quotes a text so that JSON and YAML read it as the same text.
func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("setup: a text that is no JSON: " + err.Error()) // texts are
	}
	return string(b)
}
