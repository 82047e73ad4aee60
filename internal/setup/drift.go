package setup

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Drift is how the account differs from a description, and what of others bears on it.
type Drift struct {
	Stack    string        `json:"stack"`
	Identity Identity      `json:"identity"`
	Changes  []SavedChange `json:"changes"`
	Findings []Finding     `json:"findings"` // sessions and targets that are not of the stack
}

// Any tells that something has drifted: apply would change something, or a session or
// target of others needs a look.
func (d *Drift) Any() bool { return len(d.Changes) > 0 || Worst(d.Findings) != OK }

// NewDrift compares s with w. Ids of sessions, targets and accounts in allow are known and
// not told of. The error is that of NewPlan.
func NewDrift(s *Spec, w *Observed, allow []string) (*Drift, error) {
	p, err := NewPlan(s, w, nil)
	if err != nil {
		return nil, err
	}
	f := &rogues{s: s, w: w, allow: allow, sources: map[string]bool{}}
	for _, x := range p.Desired.picked(Selected, Full) {
		f.sources[x.Interface.ID] = true
	}
	f.sessions()
	f.targets()
	sortFindings(f.list)
	d := &Drift{Stack: s.Name, Identity: w.Identity, Changes: []SavedChange{}, Findings: []Finding{}}
	d.Changes = append(d.Changes, p.Save("", "").Changes...)
	d.Findings = append(d.Findings, f.list...)
	return d, nil
}

// rogues looks for sessions and targets that are not of the stack.
type rogues struct {
	s       *Spec
	w       *Observed
	allow   []string
	sources map[string]bool // interfaces that the stack mirrors
	list    []Finding
}

func (f *rogues) add(l Level, code, subject, text, remedy string) {
	f.list = append(f.list, Finding{Level: l, Code: code, Subject: subject, Text: text, Remedy: remedy, Doc: docOf(code)})
}

func (f *rogues) allowed(ids ...string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return id != "" && slices.Contains(f.allow, id) })
}

// foreign tells that owner is another account.
func (f *rogues) foreign(owner string) bool {
	return owner != "" && f.w.Identity.Account != "" && owner != f.w.Identity.Account
}

func (f *rogues) sessions() {
	targets := map[string]int{}
	for i := range f.w.Targets {
		targets[f.w.Targets[i].ID] = i
	}
	for i := range f.w.Sessions {
		x := &f.w.Sessions[i]
		t := tagsOf(x.Tags)
		if f.allowed(x.ID, x.TargetID, x.OwnerID) {
			continue
		}
		who := "mirrors " + f.nameOf(x.NetworkInterfaceID)
		lower := ""
		if f.sources[x.NetworkInterfaceID] {
			lower = "; a packet that it takes with a lower number than ours never gets to our sensors"
		}
		remedy := "find out who made it (CloudTrail, CreateTrafficMirrorSession); delete it, or name it with --allow " + x.ID
		at, known := targets[x.TargetID]
		switch {
		case f.foreign(x.OwnerID):
			f.add(Error, "foreign-session", x.ID, fmt.Sprintf("of account %s %s", x.OwnerID, who)+lower, remedy)
		case !known:
			f.add(Error, "foreign-target", x.ID, fmt.Sprintf("%s to %s, which is not in this account or is gone: the traffic goes to others, or nowhere", who, x.TargetID), remedy)
		case f.foreign(f.w.Targets[at].OwnerID) && !slices.Contains(f.s.Target.Shared, x.TargetID):
			f.add(Error, "foreign-target", x.ID, fmt.Sprintf("%s to %s of account %s", who, x.TargetID, f.w.Targets[at].OwnerID), remedy)
		case t[TagStack] == f.s.Name:
		case t[TagStack] != "" && t[TagManaged] == ManagedBy:
			f.add(OK, "other-stack", x.ID, who+" for stack "+t[TagStack], "")
		default:
			f.add(Warning, "unmanaged-session", x.ID, fmt.Sprintf("%s to %s as number %d and is of no stack", who, x.TargetID, x.Number)+lower, remedy)
		}
	}
}

func (f *rogues) targets() {
	for i := range f.w.Targets {
		x := &f.w.Targets[i]
		t := tagsOf(x.Tags)
		if f.allowed(x.ID, x.OwnerID) || slices.Contains(f.s.Target.Shared, x.ID) || t[TagStack] == f.s.Name && !f.foreign(x.OwnerID) {
			continue
		}
		to := or(or(x.NetworkInterfaceID, x.NetworkLoadBalancerARN), x.GatewayLoadBalancerEndpointID)
		n := sessionsUsing(f.w, x.ID)
		remedy := "find out who made it (CloudTrail, CreateTrafficMirrorTarget); delete it, or name it with --allow " + x.ID
		switch {
		case f.foreign(x.OwnerID):
			f.add(Error, "foreign-target", x.ID, fmt.Sprintf("of account %s, to %s, used by %d sessions here", x.OwnerID, to, n), remedy)
		case t[TagStack] != "" && t[TagManaged] == ManagedBy:
			f.add(OK, "other-stack", x.ID, "of stack "+t[TagStack], "")
		default:
			f.add(Warning, "unmanaged-target", x.ID, fmt.Sprintf("leads to %s, is of no stack, and %d sessions use it", to, n), remedy)
		}
	}
}

// nameOf names an interface for people.
func (f *rogues) nameOf(eni string) string {
	e := f.w.Interface(eni)
	if e == nil {
		return eni
	}
	x := Source{Interface: e, Instance: f.w.Instance(e.InstanceID)}
	if n := x.Name(); n != eni {
		return eni + " (" + oneLine(n) + ")"
	}
	return eni
}

// WriteText writes d for people.
func (d *Drift) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, c := range d.Changes {
		fmt.Fprintf(&b, "%-3s %s  %s: %s\n", c.Mark, c.Kind, strings.TrimSpace(c.ID+" "+c.Name), c.Why)
		for i, line := range c.Detail {
			if i == maxShown {
				fmt.Fprintf(&b, "      … and %d more\n", len(c.Detail)-maxShown)
				break
			}
			fmt.Fprintf(&b, "      %s\n", line)
		}
	}
	marks := map[Level]string{OK: "✓", Warning: "!", Error: "✗"}
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "%s   %s  %s: %s\n", marks[f.Level], f.Code, f.Subject, f.Text)
		if f.Remedy != "" {
			fmt.Fprintf(&b, "      try: %s\n", f.Remedy)
		}
	}
	if len(d.Changes) > 0 {
		fmt.Fprintln(&b, "      try: mirador aws apply, which makes it as the description says")
	}
	if !d.Any() {
		fmt.Fprintf(&b, "No drift: everything of stack %s is as described.\n", d.Stack)
	} else {
		n := 0
		for _, f := range d.Findings {
			n += b2i(f.Level != OK)
		}
		fmt.Fprintf(&b, "Drift: %d differences, %d sessions or targets of others.\n", len(d.Changes), n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
