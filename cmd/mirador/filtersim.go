package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/capture"
	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// filterSim is "filter simulate".
type filterSim struct {
	filterFlags
	pcaps []string
	decap bool
}

func filterSimulateCommand() *cobra.Command {
	f := &filterSim{}
	c := &cobra.Command{
		Use:   "simulate -f FILE [flags] PCAP...",
		Short: "run captures through the sessions of a source and show what each rule takes",
		Long: `Simulate reads captures made at the source (or anywhere: packets of others are counted and
left out) and tells for each rule how many packets and bytes it would take, which rules
are never hit, and how much mirrored traffic that makes. Which packets are the source's
own it tells by its MAC and addresses: from the file, or by --mac and --address.`,
		Example: `  mirador filter simulate -f filters.yaml --source web-1 day.pcap
  mirador filter simulate -f filters.yaml --address 10.0.1.15 --vpc-cidr 10.0.0.0/16 day.pcap -o json`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	f.filterFlags.add(c)
	fs := c.Flags()
	fs.StringArrayVar(&f.pcaps, "pcap", nil, "a capture `file`, pcap or pcapng, - for standard input; the same as an argument")
	fs.BoolVar(&f.decap, "decap", false, "the capture is of mirrored traffic: look at what is inside VXLAN")
	return c
}

// share is what one rule or reason takes.
type share struct {
	Session  int    `json:"session,omitempty"`
	Rule     string `json:"rule,omitempty"`
	RuleID   string `json:"rule_id,omitempty"`
	What     string `json:"what"`
	Mirrored bool   `json:"mirrored"`
	Packets  uint64 `json:"packets"`
	Bytes    uint64 `json:"bytes"`
}

// simReport is the JSON form of filter simulate. Fields are only ever added.
type simReport struct {
	Source    string  `json:"source,omitempty"`
	Packets   uint64  `json:"packets"` // of the source
	Bytes     uint64  `json:"bytes"`
	Others    uint64  `json:"other_packets"` // neither sent nor received by the source
	Seconds   float64 `json:"seconds"`
	Rules     []share `json:"rules"`
	Reasons   []share `json:"reasons"` // not mirrored, and not by a rule
	NeverHit  []share `json:"never_hit"`
	Mirrored  uint64  `json:"mirrored_packets"`
	Inner     uint64  `json:"mirrored_bytes"` // of frames, as cut
	Wire      uint64  `json:"wire_bytes"`     // with the outer headers
	Cut       uint64  `json:"cut_packets"`
	AverageBs float64 `json:"average_bits_per_second"`
	PeakBs    float64 `json:"peak_bits_per_second"` // of a second of the capture's clock
}

// outerFrame is what a mirrored frame has more on the wire: Ethernet, IPv4, UDP, VXLAN.
const outerFrame = 14 + mirror.OuterIPv4

// simulation runs frames through one program.
type simulation struct {
	g       *mirror.Program
	dec     *packet.Decoder
	decap   bool
	ps      []packet.Parsed
	report  simReport
	rules   [][]share // by session and rule
	dns     []share   // by session
	reasons [mirror.NumReasons]share
	first   int64
	last    int64
	second  int64
	inOne   uint64 // wire bytes of the current second
	most    uint64
}

func newSimulation(g *mirror.Program, source string, decap bool) *simulation {
	s := &simulation{g: g, dec: packet.NewDecoder(packet.Options{}), decap: decap}
	s.report.Source = source
	for i := range g.Sessions() {
		ps := &g.Sessions()[i]
		list := make([]share, len(ps.Filter.Rules))
		for n := range list {
			r := &ps.Filter.Rules[n]
			list[n] = share{Session: ps.Session.Number, Rule: mirror.RuleName(r), RuleID: r.ID, What: mirror.RuleText(r), Mirrored: r.Action == mirror.Accept && !ps.Inactive}
		}
		s.rules = append(s.rules, list)
		s.dns = append(s.dns, share{Session: ps.Session.Number, What: "network service amazon-dns", Mirrored: true})
	}
	return s
}

// frame counts one frame.
func (s *simulation) frame(f *capture.Frame) {
	s.ps = s.dec.Decode(s.ps[:0], f.Link, f.Data, f.WireLen, f.Time)
	p := &s.ps[0]
	if s.decap {
		p = nil
		for i := range s.ps {
			if s.ps[i].Source == packet.FromTunnelVXLAN {
				p = &s.ps[i]
				break
			}
		}
		if p == nil {
			s.report.Others++
			return
		}
	}
	d := s.g.Direction(p)
	if d == mirror.DirectionUnknown {
		s.report.Others++
		return
	}
	if s.report.Packets == 0 {
		s.first, s.second = f.Time, f.Time/int64(time.Second)
	}
	s.last = max(s.last, f.Time)
	n := uint64(len(p.Data))
	if !s.decap {
		n = uint64(f.WireLen)
	}
	s.report.Packets++
	s.report.Bytes += n
	x := s.g.Decide(p, d)
	add := func(to *share) { to.Packets++; to.Bytes += n }
	switch {
	case x.Reason == mirror.ReasonAmazonDNS:
		add(&s.dns[x.Session])
	case x.Session >= 0:
		s.g.Hits(p, d, func(session, rule int) { add(&s.rules[session][rule]) })
	default:
		add(&s.reasons[x.Reason])
	}
	if !x.Mirror {
		return
	}
	// A capture may have cut the frame; the mirror would not have.
	length := uint64(x.Length)
	if !x.CutByLength && !x.CutByMTU {
		length = n
	} else {
		s.report.Cut++
	}
	s.report.Mirrored++
	s.report.Inner += length
	s.report.Wire += length + outerFrame
	if at := f.Time / int64(time.Second); at != s.second {
		s.most, s.inOne, s.second = max(s.most, s.inOne), 0, at
	}
	s.inOne += length + outerFrame
}

// finish completes the report.
func (s *simulation) finish() *simReport {
	r := &s.report
	r.Rules, r.Reasons, r.NeverHit = []share{}, []share{}, []share{}
	for i := range s.rules {
		if s.dns[i].Packets > 0 {
			r.Rules = append(r.Rules, s.dns[i])
		}
		for _, x := range s.rules[i] {
			if x.Packets == 0 {
				r.NeverHit = append(r.NeverHit, x)
			} else {
				r.Rules = append(r.Rules, x)
			}
		}
	}
	for i, x := range s.reasons {
		if x.Packets > 0 {
			x.What = mirror.Reason(i).String()
			r.Reasons = append(r.Reasons, x)
		}
	}
	if r.Packets > 0 {
		r.Seconds = float64(s.last-s.first) / float64(time.Second)
	}
	if r.Seconds > 0 {
		r.AverageBs = float64(r.Wire) * 8 / r.Seconds
	}
	r.PeakBs = float64(max(s.most, s.inOne)) * 8
	return r
}

func (f *filterSim) run(c *cobra.Command, args []string) error {
	files := append(f.pcaps, args...)
	if len(files) == 0 {
		return fail(exitUsage, "mirador filter simulate -f FILE PCAP", "no capture given")
	}
	s, err := f.spec(c)
	if err != nil {
		return err
	}
	sims, err := f.simulations(s)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := readFrames(c.Context(), c.InOrStdin(), name, sims); err != nil {
			return err
		}
	}
	var out []*simReport
	for _, x := range sims {
		out = append(out, x.finish())
	}
	if f.format == "json" {
		return writeJSON(c.OutOrStdout(), map[string]any{"sources": out})
	}
	for _, r := range out {
		if err := r.print(c.OutOrStdout()); err != nil {
			return err
		}
	}
	return nil
}

// simulations makes one simulation for the source, or for all of the file.
func (f *filterSim) simulations(s *mirror.Spec) ([]*simulation, error) {
	names := []string{f.source}
	if f.source == "" {
		if all := s.SourceNames(); len(all) > 1 {
			names = all
		}
	}
	var out []*simulation
	for _, name := range names {
		one := f.filterFlags
		one.source = name
		g, i, err := one.program(s)
		if err != nil {
			return nil, err
		}
		if len(i.Addrs) == 0 && i.MAC == [6]byte{} {
			if len(names) > 1 {
				continue // of those that nothing is known of
			}
			return nil, fail(exitUsage, "--address 10.0.1.15, or --mac", "no address of the source is known, so nobody can tell what it sends and receives")
		}
		if name == "" {
			name = i.ID
		}
		out = append(out, newSimulation(g, name, f.decap))
	}
	if len(out) == 0 {
		return nil, fail(exitUsage, "--source NAME --address 10.0.1.15", "no address of any source is known")
	}
	return out, nil
}

func readFrames(ctx context.Context, stdin io.Reader, name string, sims []*simulation) error {
	var r *capture.File
	var err error
	if name == "-" {
		r, err = capture.NewFile(stdin)
	} else {
		r, err = capture.Open(name)
	}
	if err != nil {
		return fmt.Errorf("read capture: %w", err)
	}
	defer r.Close()
	var b capture.Batch
	for ctx.Err() == nil {
		err := r.Read(&b, 0)
		for i := range b.Frames {
			for _, s := range sims {
				s.frame(&b.Frames[i])
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read capture %s: %w", name, err)
		}
	}
	return &failure{code: exitInterrupted, err: ctx.Err()}
}

func percent(part, all uint64) string {
	if all == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(all))
}

func bitrate(b float64) string {
	switch {
	case b >= 1e9:
		return fmt.Sprintf("%.2f Gbit/s", b/1e9)
	case b >= 1e6:
		return fmt.Sprintf("%.2f Mbit/s", b/1e6)
	}
	return fmt.Sprintf("%.1f kbit/s", b/1e3)
}

func (r *simReport) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	name := r.Source
	if name == "" {
		name = "the source"
	}
	fmt.Fprintf(tw, "%s: %d packets, %s in %.1f s; %d packets of others left out\n", clean(name), r.Packets, size(r.Bytes), r.Seconds, r.Others)
	if len(r.Rules)+len(r.Reasons) > 0 {
		fmt.Fprintln(tw, "SESSION\tTAKEN BY\tPACKETS\tSHARE\tBYTES\tSHARE")
	}
	row := func(session, what string, x *share) {
		fmt.Fprintf(tw, "%s\t%s\t%d\t%s\t%s\t%s\n", session, clean(what), x.Packets, percent(x.Packets, r.Packets), size(x.Bytes), percent(x.Bytes, r.Bytes))
	}
	for i := range r.Rules {
		row(fmt.Sprint(r.Rules[i].Session), r.Rules[i].What, &r.Rules[i])
	}
	for i := range r.Reasons {
		row("-", "not mirrored: "+r.Reasons[i].What, &r.Reasons[i])
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "mirrored: %d packets (%s), %s (%s), %s with outer headers; %s on average, %s in the busiest second\n", r.Mirrored, percent(r.Mirrored, r.Packets),
		size(r.Inner), percent(r.Inner, r.Bytes), size(r.Wire), bitrate(r.AverageBs), bitrate(r.PeakBs))
	if r.Cut > 0 {
		fmt.Fprintf(w, "cut: %d packets, by packet length or target MTU\n", r.Cut)
	}
	for i := range r.NeverHit {
		fmt.Fprintf(w, "never hit: session %d, %s\n", r.NeverHit[i].Session, clean(r.NeverHit[i].What))
	}
	return nil
}
