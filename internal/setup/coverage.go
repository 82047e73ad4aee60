package setup

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"mirador/internal/mirror"
)

// CoverState is how an interface is covered.
type CoverState string

// The states of coverage. The first two are mirrored.
const (
	CoverAWS         CoverState = "aws"         // a traffic mirror session mirrors it
	CoverSoftware    CoverState = "software"    // the software mirror does
	CoverMissing     CoverState = "missing"     // the description wants it, and nothing mirrors it
	CoverUnsupported CoverState = "unsupported" // AWS cannot, and nothing else does
	CoverStopped     CoverState = "stopped"     // its instance does not run
	CoverExcluded    CoverState = "excluded"    // the description says no
	CoverUnselected  CoverState = "unselected"  // the description does not speak of it
	CoverSensor      CoverState = "sensor"      // receives mirrored traffic; never mirrored
)

func coverStates() []CoverState {
	return []CoverState{CoverAWS, CoverSoftware, CoverMissing, CoverUnsupported, CoverStopped, CoverExcluded, CoverUnselected, CoverSensor}
}

// Cover is one interface of a Coverage.
type Cover struct {
	Interface string         `json:"interface"`
	Instance  string         `json:"instance,omitempty"`
	Name      string         `json:"name"`
	Type      string         `json:"type,omitempty"` // of the instance
	VPC       string         `json:"vpc,omitempty"`
	Subnet    string         `json:"subnet,omitempty"`
	AZ        string         `json:"az,omitempty"`
	State     CoverState     `json:"state"`
	Why       string         `json:"why,omitempty"`
	Remedy    string         `json:"remedy,omitempty"`
	Sessions  []CoverSession `json:"sessions,omitempty"`
}

// CoverSession is a traffic mirror session of an interface.
type CoverSession struct {
	ID     string `json:"id"`
	Number int    `json:"number"`
	Target string `json:"target"`
	Stack  string `json:"stack,omitempty"` // empty: not of a stack
	Owner  string `json:"owner,omitempty"`
}

// Coverage tells for every interface of the account and region what mirrors it, or why
// nothing does.
type Coverage struct {
	Identity   Identity           `json:"identity"`
	Count      map[CoverState]int `json:"count"`
	Interfaces []Cover            `json:"interfaces"`
	// Percent is the share of mirrored interfaces among all that are not the sensors';
	// PercentWanted leaves out those that the description excludes or does not name, too.
	Percent       float64 `json:"percent"`
	PercentWanted float64 `json:"percent_wanted"`
	// Cost is that of the sessions that are there, MissingCost what those cost that are
	// missing.
	Cost        Cost `json:"cost"`
	MissingCost Cost `json:"missing_cost"`
}

// SoftwareSources are the interfaces that the software mirror covers, with who says so.
type SoftwareSources struct {
	byENI  map[string]string
	byAddr map[netip.Addr]string
}

// AddTable takes the entries of a sensor's sources file. Those with a session of AWS are
// of AWS.
func (s *SoftwareSources) AddTable(t *mirror.SourceTable, from string) {
	for _, x := range t.Sources() {
		if strings.HasPrefix(x.SessionID, "tms-") || x.ENI == "" {
			continue
		}
		s.add(x.ENI, or(x.SessionID, "an entry")+" of "+from)
	}
}

func (s *SoftwareSources) add(eni, why string) {
	if s.byENI == nil {
		s.byENI = map[string]string{}
	}
	s.byENI[eni] = why
}

// AddStats takes the sources that a sensor has seen packets of: what comes from an
// interface without a session is of a software mirror.
func (s *SoftwareSources) AddStats(t *SensorStats, from string) {
	if s.byAddr == nil {
		s.byAddr = map[netip.Addr]string{}
	}
	for i := range t.Sources {
		x := &t.Sources[i]
		if a := x.addr(); a.IsValid() && x.Packets > 0 {
			s.byAddr[a] = fmt.Sprintf("%s got %d packets with VNI %d from it", from, x.Packets, x.VNI)
		}
	}
}

// of tells who says that a software mirror covers e. An address that several interfaces
// have says nothing about any of them.
func (s *SoftwareSources) of(e *Interface, shared map[netip.Addr]int) string {
	if s == nil {
		return ""
	}
	if why := s.byENI[e.ID]; why != "" {
		return why
	}
	for _, a := range e.Private {
		if why := s.byAddr[a]; why != "" && shared[a] == 1 {
			return why
		}
	}
	return ""
}

// AnySpec is a description that means every interface: for looking at an account
// without one.
func AnySpec() *Spec { return &Spec{Sources: SourcesSpec{Include: []Selector{{}}}} }

// NewCoverage tells how the interfaces in w are covered. s says which are wanted, r what
// sessions cost; r and soft may be nil.
func NewCoverage(s *Spec, w *Observed, soft *SoftwareSources, r *Rates) *Coverage {
	c := &Coverage{Identity: w.Identity, Count: map[CoverState]int{}}
	sessions := map[string][]CoverSession{}
	for i := range w.Sessions {
		x := &w.Sessions[i]
		sessions[x.NetworkInterfaceID] = append(sessions[x.NetworkInterfaceID], CoverSession{ID: x.ID, Number: x.Number, Target: x.TargetID, Stack: tagsOf(x.Tags)[TagStack], Owner: x.OwnerID})
	}
	shared := map[netip.Addr]int{}
	for i := range w.Interfaces {
		for _, a := range w.Interfaces[i].Private {
			shared[a]++
		}
	}
	list := s.Judge(w)
	for i := range list {
		x := &list[i]
		e := x.Interface
		v := Cover{Interface: e.ID, Instance: e.InstanceID, Name: x.Name(), VPC: e.VPC, Subnet: e.Subnet, AZ: e.AZ, Sessions: sessions[e.ID]}
		if x.Instance != nil {
			v.Type = x.Instance.Type
		}
		slices.SortStableFunc(v.Sessions, func(a, b CoverSession) int { return cmp.Compare(a.Number, b.Number) })
		v.judge(s, w, x, soft.of(e, shared))
		c.Count[v.State]++
		c.Interfaces = append(c.Interfaces, v)
	}
	mirrored := c.Count[CoverAWS] + c.Count[CoverSoftware]
	all := len(c.Interfaces) - c.Count[CoverSensor]
	c.Percent = percent(mirrored, all)
	c.PercentWanted = percent(mirrored, all-c.Count[CoverExcluded]-c.Count[CoverUnselected])
	if r != nil {
		c.Cost, c.MissingCost = Cost{Currency: r.Currency}, Cost{Currency: r.Currency}
		c.Cost.add("traffic mirror sessions", float64(len(w.Sessions)), "session hour", r.Session, r.Hours)
		c.MissingCost.add("traffic mirror sessions", float64(c.Count[CoverMissing]), "session hour", r.Session, r.Hours)
		c.Cost.Note = "sessions alone; load balancers, endpoints and transfer are in mirador aws plan"
	}
	return c
}

// percent returns the share of n in all; of nothing all is covered.
func percent(n, all int) float64 {
	if all <= 0 {
		return 100
	}
	return 100 * float64(n) / float64(all)
}

// judge sets state, reason and remedy.
func (v *Cover) judge(s *Spec, w *Observed, x *Source, software string) {
	standing, why := x.Standing, x.Why
	if standing == Unselected {
		// What AWS cannot mirror anyway is better told than that nobody asked.
		if st, no := support(w, x); st != Selected {
			standing, why = st, no
		}
	}
	switch {
	case len(v.Sessions) > 0:
		v.State, v.Why = CoverAWS, v.sessionWhy(s, w, x)
	case standing == OfSensor:
		v.State, v.Why = CoverSensor, why
	case software != "":
		v.State, v.Why = CoverSoftware, software
	case standing == Selected:
		v.State, v.Why, v.Remedy = CoverMissing, "has no session", "mirador aws apply makes one"
		if x.Warn != "" {
			v.Why += "; " + x.Warn
		}
	case standing == Unsupported:
		v.State, v.Why, v.Remedy = CoverUnsupported, why, "the software mirror can: mirador aws plan --as user-data"
		if n := w.Subnet(x.Interface.Subnet); x.Instance == nil || n != nil && n.OnlyIPv6 {
			v.Remedy = "mirror the instances that speak through it"
		}
	case standing == Waiting:
		v.State, v.Why = CoverStopped, why
	case standing == Excluded:
		v.State, v.Why = CoverExcluded, why
	default:
		v.State, v.Why = CoverUnselected, why
	}
}

// sessionWhy says which sessions mirror an interface, and what is to know about that.
func (v *Cover) sessionWhy(s *Spec, w *Observed, x *Source) string {
	var parts []string
	for _, y := range v.Sessions {
		t := fmt.Sprintf("%s to %s", y.ID, y.Target)
		switch {
		case y.Owner != "" && w.Identity.Account != "" && y.Owner != w.Identity.Account:
			t += " (of account " + y.Owner + ")"
		case y.Stack == "":
			t += " (of nobody that tags it)"
		case y.Stack != s.Name:
			t += " (of stack " + y.Stack + ")"
		}
		parts = append(parts, t)
	}
	if x.Standing == Excluded {
		parts = append(parts, "although the description excludes it: "+x.Why)
	}
	if x.Instance != nil && (x.Instance.State == StateStopped || x.Instance.State == StateStopping) {
		parts = append(parts, "its instance is "+x.Instance.State+", and the session costs as much as others")
	}
	return strings.Join(parts, "; ")
}

// WriteText writes the table for people; all shows unselected interfaces and sensors too.
func (c *Coverage) WriteText(w io.Writer, all bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STATE\tINTERFACE\tINSTANCE\tNAME\tTYPE\tWHY")
	for _, st := range coverStates() {
		if !all && (st == CoverUnselected || st == CoverSensor) {
			continue
		}
		for i := range c.Interfaces {
			if v := &c.Interfaces[i]; v.State == st {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", v.State, v.Interface, or(v.Instance, "-"), oneLine(v.Name), or(v.Type, "-"), oneLine(v.Why))
			}
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var parts []string
	for _, st := range coverStates() {
		if n := c.Count[st]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, st))
		}
	}
	fmt.Fprintf(w, "Interfaces: %s.\n", or(strings.Join(parts, ", "), "none"))
	if c.Count[CoverUnsupported] > 0 {
		fmt.Fprintln(w, "      AWS cannot mirror all; the software mirror can mirror instances: mirador aws plan --as user-data")
	}
	_, err := fmt.Fprintf(w, "Mirrored: %.1f %% of all interfaces but the sensors', %.1f %% of those that are wanted.\n", c.Percent, c.PercentWanted)
	if c.Cost.Currency != "" {
		fmt.Fprintf(w, "Cost: ≈ %.2f %s a month (%s)", c.Cost.Month, c.Cost.Currency, c.Cost.Note)
		if c.MissingCost.Month > 0 {
			fmt.Fprintf(w, "; %.2f more for what is missing", c.MissingCost.Month)
		}
		_, err = fmt.Fprintln(w)
	}
	return err
}
