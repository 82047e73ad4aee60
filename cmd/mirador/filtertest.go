package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mirador/internal/mirror"
)

// filterTest is "filter test".
type filterTest struct {
	filterFlags
	arrow     bool
	direction string
	fragment  bool
	length    int
	expect    string
}

const packetUsage = "write a packet as: tcp 10.0.1.15:51514 '->' 203.0.113.9:443"

func filterTestCommand() *cobra.Command {
	f := &filterTest{}
	c := &cobra.Command{
		Use:   "test -f FILE [flags] PROTOCOL SOURCE '->' DESTINATION",
		Short: "tell whether a packet is mirrored, by which rule of which session, and why",
		Long: `Test takes a packet through the sessions of a source and shows each rule that is asked, up
to the one that decides. With --expect the exit code is 2 when it turns out otherwise.`,
		Example: `  mirador filter test -f filters.yaml --dir egress tcp 10.0.1.15:51514 '->' 203.0.113.9:443
  mirador filter test -f filters.yaml --source web-1 icmp 10.0.1.15 '->' 10.0.2.7
  aws ec2 describe-traffic-mirror-filters | mirador filter test -f - --dir ingress --expect mirrored udp 10.0.0.1:5 10.0.0.2:53`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	f.filterFlags.add(c)
	fs := c.Flags()
	f.addArrow(c)
	fs.StringVar(&f.direction, "dir", "", "ingress: the source receives it, egress: it sends it; default: as the addresses of the source tell")
	fs.BoolVar(&f.fragment, "fragment", false, "a later fragment, which has no ports")
	fs.IntVar(&f.length, "length", 0, "`bytes` of the frame; default: no more than its headers")
	fs.StringVar(&f.expect, "expect", "", "mirrored or not: fail when it is otherwise")
	return c
}

// addArrow takes the arrow of a packet, "->", which looks like a flag, as one that does
// nothing.
func (f *filterTest) addArrow(c *cobra.Command) {
	c.Flags().BoolVarP(&f.arrow, "arrow", ">", false, "the arrow between source and destination")
	if err := c.Flags().MarkHidden("arrow"); err != nil {
		panic(err) // there is such a flag
	}
}

// testReport is the JSON form of filter test. Fields are only ever added.
type testReport struct {
	Packet     string     `json:"packet"`
	Source     string     `json:"source,omitempty"`
	Direction  string     `json:"direction"`
	Mirrored   bool       `json:"mirrored"`
	Reason     string     `json:"reason"`
	Text       string     `json:"text"`
	Session    int        `json:"session,omitempty"`
	SessionID  string     `json:"session_id,omitempty"`
	Filter     string     `json:"filter,omitempty"`
	Rule       string     `json:"rule,omitempty"`
	RuleID     string     `json:"rule_id,omitempty"`
	VNI        *uint32    `json:"vni,omitempty"`
	Length     int        `json:"length,omitempty"`
	SourcePort uint16     `json:"source_port,omitempty"`
	Steps      []testStep `json:"steps"`
}

type testStep struct {
	Session int    `json:"session,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Text    string `json:"text"`
	Match   bool   `json:"match"`
	Why     string `json:"why,omitempty"`
}

func (f *filterTest) run(c *cobra.Command, args []string) error {
	p, err := parsePacket(args)
	if err != nil {
		return fail(exitUsage, packetUsage, "%w", err)
	}
	if f.length < 0 || f.length > 65535 {
		return fail(exitUsage, "--length 1514", "--length: %d bytes are no frame", f.length)
	}
	if f.expect != "" && f.expect != "mirrored" && f.expect != "not" {
		return fail(exitUsage, "--expect mirrored, or --expect not", "--expect %q is not understood", f.expect)
	}
	p.fragment, p.length = f.fragment, f.length
	s, err := f.spec(c)
	if err != nil {
		return err
	}
	g, i, err := f.program(s)
	if err != nil {
		return err
	}
	parsed := p.parsed()
	d, err := f.way(g, &p)
	if err != nil {
		return err
	}
	e := g.Explain(parsed, d)
	r := testReport{Packet: p.String(), Source: i.ID, Direction: d.String(), Mirrored: e.Decision.Mirror, Reason: e.Decision.Reason.String(), Text: e.Text, Length: e.Decision.Length}
	if x := g.SessionOf(e.Decision); x != nil {
		r.Session, r.SessionID, r.Filter = x.Session.Number, x.Session.ID, filterName(s, x.Filter.ID)
		if r.Mirrored {
			r.VNI, r.SourcePort = &x.Session.VNI, g.SourcePort(parsed, e.Decision)
		}
	}
	if x := g.RuleOf(e.Decision); x != nil {
		r.Rule, r.RuleID = mirror.RuleName(x), x.ID
	}
	for _, x := range e.Steps {
		y := testStep{Text: x.Text, Match: x.Match, Why: x.Why}
		if x.Session >= 0 {
			y.Session = g.Sessions()[x.Session].Session.Number
			if x.Rule >= 0 {
				y.Rule = mirror.RuleName(&g.Sessions()[x.Session].Filter.Rules[x.Rule])
			}
		}
		r.Steps = append(r.Steps, y)
	}
	if f.format == "json" {
		err = writeJSON(c.OutOrStdout(), &r)
	} else {
		err = printSteps(c.OutOrStdout(), s, g, &e)
	}
	if err != nil {
		return err
	}
	if f.expect != "" && (f.expect == "mirrored") != r.Mirrored {
		return findings("expected %s: %s", f.expect, e.Text)
	}
	return nil
}

// way finds the direction of p.
func (f *filterTest) way(g *mirror.Program, p *packetWords) (mirror.Direction, error) {
	switch f.direction {
	case "ingress":
		return mirror.Ingress, nil
	case "egress":
		return mirror.Egress, nil
	case "":
		if p.arp {
			return mirror.Ingress, nil // never mirrored either way
		}
		if d := g.Direction(p.parsed()); d != mirror.DirectionUnknown {
			return d, nil
		}
		return 0, fail(exitUsage, "--dir ingress or --dir egress, or --address with one of the packet's", "neither address of the packet is known to be the source's")
	}
	return 0, fail(exitUsage, "--dir ingress or --dir egress", "--dir %q is not understood", f.direction)
}

// printSteps shows the rules that were asked, by session.
func printSteps(w io.Writer, s *mirror.Spec, g *mirror.Program, e *mirror.Explanation) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	last := -1
	for _, x := range e.Steps {
		if x.Session < 0 {
			if x.Match {
				fmt.Fprintf(tw, "%s\t%s\n", x.Text, x.Why)
			}
			continue
		}
		if x.Session != last {
			last = x.Session
			ps := &g.Sessions()[x.Session]
			fmt.Fprintf(tw, "session %d (%s)  filter %s\n", ps.Session.Number, clean(ps.Session.ID), clean(filterName(s, ps.Filter.ID)))
		}
		verdict := "no (" + x.Why + ")"
		if x.Match {
			verdict = "MATCH"
		}
		fmt.Fprintf(tw, "  %s\t%s\n", x.Text, verdict)
	}
	fmt.Fprintf(tw, "=> %s\n", e.Text)
	return tw.Flush()
}

// filterExplainCommand is "filter explain": the program in words, or with a packet what
// test does.
func filterExplainCommand() *cobra.Command {
	f := &filterTest{}
	c := &cobra.Command{
		Use:   "explain -f FILE [flags] [PROTOCOL SOURCE '->' DESTINATION]",
		Short: "tell in words, in the order in which it is asked, what is mirrored",
		Long: `Explain writes down what a source's sessions do, in the order in which AWS asks: what is
never mirrored, DNS with the Amazon resolver, then the rules of each session. With a packet
it does what "filter test" does.`,
		Example: "  mirador filter explain -f filters.yaml --source web-1",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return f.run(c, args)
			}
			s, err := f.spec(c)
			if err != nil {
				return err
			}
			g, i, err := f.program(s)
			if err != nil {
				return err
			}
			r := explainReport{Source: i.ID, Sessions: []explainSession{}, Switches: s.Switches.On()}
			for n := range g.Sessions() {
				r.Sessions = append(r.Sessions, explainOne(s, &g.Sessions()[n]))
			}
			if f.format == "json" {
				return writeJSON(c.OutOrStdout(), &r)
			}
			return r.print(c.OutOrStdout())
		},
	}
	f.filterFlags.add(c)
	fs := c.Flags()
	f.addArrow(c)
	fs.StringVar(&f.direction, "dir", "", "of the packet: ingress or egress")
	fs.BoolVar(&f.fragment, "fragment", false, "the packet is a later fragment")
	fs.IntVar(&f.length, "length", 0, "`bytes` of the packet's frame")
	return c
}

// explainReport is the JSON form of filter explain. Fields are only ever added.
type explainReport struct {
	Source   string           `json:"source,omitempty"`
	Sessions []explainSession `json:"sessions"`
	Switches []string         `json:"switches,omitempty"`
}

type explainSession struct {
	Number       int      `json:"number"`
	ID           string   `json:"id"`
	Filter       string   `json:"filter"`
	Target       string   `json:"target,omitempty"`
	VNI          uint32   `json:"vni"`
	PacketLength int      `json:"packet_length"`
	MTU          int      `json:"target_mtu,omitempty"`
	AmazonDNS    bool     `json:"amazon_dns"`
	Ingress      []string `json:"ingress"`
	Egress       []string `json:"egress"`
}

func explainOne(s *mirror.Spec, ps *mirror.ProgramSession) explainSession {
	out := explainSession{Number: ps.Session.Number, ID: ps.Session.ID, Filter: filterName(s, ps.Filter.ID), Target: ps.Session.TargetID, VNI: ps.Session.VNI,
		PacketLength: ps.Session.PacketLength, MTU: ps.MTU, AmazonDNS: slices.Contains(ps.Filter.NetworkServices, mirror.AmazonDNS),
		Ingress: []string{}, Egress: []string{}}
	for i := range ps.Filter.Rules {
		r := &ps.Filter.Rules[i]
		if r.Direction == mirror.Ingress {
			out.Ingress = append(out.Ingress, ruleWords(r))
		} else {
			out.Egress = append(out.Egress, ruleWords(r))
		}
	}
	return out
}

// ruleWords says a rule as a sentence of its list.
func ruleWords(r *mirror.FilterRule) string {
	verb := "mirror"
	if r.Action == mirror.Reject {
		verb = "do not mirror"
	}
	what := mirror.ProtocolName(r.Protocol)
	if r.Protocol == mirror.AnyProtocol {
		what = "everything"
	}
	from, to := "", ""
	if r.SourceCIDR.Bits() > 0 || r.SourcePorts != nil {
		from = " from " + cidrWords(r.SourceCIDR.String(), r.SourceCIDR.Bits()) + portWords(r.SourcePorts)
	}
	if r.DestinationCIDR.Bits() > 0 || r.DestinationPorts != nil {
		to = " to " + cidrWords(r.DestinationCIDR.String(), r.DestinationCIDR.Bits()) + portWords(r.DestinationPorts)
	}
	v := "IPv4"
	if !r.SourceCIDR.Addr().Is4() {
		v = "IPv6"
	}
	return fmt.Sprintf("%d: %s %s%s%s (%s)", r.Number, verb, what, from, to, v)
}

func cidrWords(s string, bits int) string {
	if bits == 0 {
		return "anywhere"
	}
	return s
}

func portWords(p *mirror.PortRange) string {
	switch {
	case p == nil:
		return ""
	case p.From == p.To:
		return fmt.Sprintf(" port %d", p.From)
	}
	return fmt.Sprintf(" ports %d-%d", p.From, p.To)
}

func (r *explainReport) print(w io.Writer) error {
	var errs []error
	say := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		errs = append(errs, err)
	}
	say("never mirrored: ARP, DHCP, instance metadata, Amazon Time Sync, Windows activation, and the mirror's own packets")
	dns := slices.IndexFunc(r.Sessions, func(s explainSession) bool { return s.AmazonDNS })
	if dns >= 0 {
		say("DNS with the Amazon resolver: all of it, by session %d (amazon-dns)", r.Sessions[dns].Number)
	} else {
		say("DNS with the Amazon resolver: not mirrored, whatever the rules say (no session has amazon-dns)")
	}
	for i := range r.Sessions {
		s := &r.Sessions[i]
		say("session %d (%s)  filter %s%s", s.Number, clean(s.ID), clean(s.Filter), s.details())
		for _, d := range []struct {
			name  string
			rules []string
		}{{"received (ingress)", s.Ingress}, {"sent (egress)", s.Egress}} {
			if len(d.rules) == 0 {
				say("  %s: nothing, there are no rules", d.name)
				continue
			}
			say("  %s: the first that matches decides; else not mirrored", d.name)
			for _, x := range d.rules {
				say("    %s", x)
			}
		}
	}
	if len(r.Switches) > 0 {
		say("switches on: %v", r.Switches)
	}
	return errors.Join(errs...)
}

func (s *explainSession) details() string {
	out := fmt.Sprintf("  VNI %d", s.VNI)
	if s.PacketLength > 0 {
		out += fmt.Sprintf(", the first %d bytes of each frame", s.PacketLength)
	}
	if s.MTU > 0 {
		out += fmt.Sprintf(", target MTU %d", s.MTU)
	}
	return out
}
