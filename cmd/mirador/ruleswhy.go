package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mirador/internal/capture"
	"mirador/internal/detect"
	"mirador/internal/packet"
	"mirador/internal/sensor"
)

// rulesWhyCommand replays a capture and tells how far it comes in fulfilling a rule.
func rulesWhyCommand() *cobra.Command {
	f := &rulesWhyFlags{flows: 10}
	c := &cobra.Command{
		Use:   "why SID --pcap FILE --rules FILE",
		Short: "tell why a rule matched in a capture, or where and why it did not",
		Long: `Why runs the capture through the engine with all rules, follows one of them, and shows
for each flow that fulfils the rule's header the evaluation that came nearest: each
condition in the order in which the engine looks at it, what was seen, and for contents
the bytes that are most like them. The other flows are counted by what they lack.

The exit code is 0 when the rule alerted and 2 when it did not.`,
		Example: `  mirador rules why 2024897 --pcap incident.pcap --rules et.rules
  mirador rules why 1000001 --pcap test.pcap --rules local.rules -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args[0]) },
	}
	engineFlags(c, &f.engineParams)
	fl := c.Flags()
	fl.StringArrayVar(&f.pcaps, "pcap", nil, "capture `file` or directory; repeatable")
	fl.StringVarP(&f.format, "output", "o", "text", "text or json")
	fl.IntVar(&f.flows, "flows", f.flows, "how many flows to show, nearest first; 0 is all")
	fl.StringVarP(&f.checksum, "checksum", "k", "auto", "none: wrong checksums do not matter; all, auto: TCP segments with wrong ones are left out")
	fl.BoolVar(&f.noMirror, "no-mirror", false, "treat VXLAN and GENEVE as traffic, not as mirror sessions")
	return c
}

type rulesWhyFlags struct {
	engineParams
	pcaps    []string
	format   string
	flows    int
	checksum string
	noMirror bool
}

// whyReport is the JSON form of rules why. Fields are only ever added.
type whyReport struct {
	SID         uint64         `json:"sid"`
	Msg         string         `json:"msg"`
	Rule        string         `json:"rule"`
	Type        string         `json:"type"`
	Protocols   []string       `json:"protocols,omitempty"`
	FastBuffer  string         `json:"fast_pattern_buffer,omitempty"`
	FastPattern string         `json:"fast_pattern,omitempty"`
	Packets     uint64         `json:"packets"`
	FlowsSeen   int            `json:"flows_seen"`
	FlowsLeft   uint64         `json:"flows_not_followed"`
	Matches     uint64         `json:"matches"`
	Alerts      uint64         `json:"alerts"`
	Limited     uint64         `json:"kept_back_by_threshold"`
	OtherFlows  map[string]int `json:"flows_without_header_match"`
	Flows       []whyFlow      `json:"flows"`
}

type whyFlow struct {
	Flow          int       `json:"flow"`
	Tuple         string    `json:"tuple"`
	App           string    `json:"app_proto,omitempty"`
	Packets       uint64    `json:"packets"`
	First         uint64    `json:"first_packet"`
	Last          uint64    `json:"last_packet"`
	HeaderFault   string    `json:"header_fault,omitempty"`
	Looks         uint64    `json:"evaluations"`
	PrefilterHits uint64    `json:"prefilter_hits"`
	Matches       uint64    `json:"matches"`
	MatchedIn     []uint64  `json:"matched_in_packets,omitempty"`
	Alerts        uint64    `json:"alerts"`
	Limited       uint64    `json:"kept_back_by_threshold"`
	Nearest       *whyMatch `json:"nearest,omitempty"`
}

type whyMatch struct {
	Packet    uint64    `json:"packet"`
	Tx        *uint64   `json:"tx_id,omitempty"`
	Direction string    `json:"direction"`
	Steps     []whyStep `json:"conditions"`
}

type whyStep struct {
	What    string `json:"condition"`
	Result  string `json:"result"`
	Seen    string `json:"seen,omitempty"`
	Nearest string `json:"nearest,omitempty"`
}

func (f *rulesWhyFlags) run(c *cobra.Command, arg string) error {
	sid, err := strconv.ParseUint(arg, 10, 32)
	switch {
	case err != nil || sid == 0:
		return fail(exitUsage, "mirador rules why SID --pcap FILE --rules FILE", "%q is not a signature id", arg)
	case len(f.pcaps) == 0:
		return fail(exitUsage, "add --pcap FILE", "no capture given")
	case f.format != "text" && f.format != "json":
		return fail(exitUsage, "use -o text or -o json", "-o %q is not understood", f.format)
	}
	files, err := captures(f.pcaps)
	if err != nil {
		return err
	}
	f.traceSID = uint32(sid)
	e, err := buildEngine(&f.engineParams)
	if err != nil {
		return err
	}
	r, err := findRule(e, sid, f.rules)
	if err != nil {
		return err
	}
	t := detect.NewTrace(uint32(sid))
	w, err := f.replay(e, t, files)
	if err != nil {
		return err
	}
	rep := f.report(e, r, t, w)
	if f.format == "json" {
		enc := json.NewEncoder(c.OutOrStdout())
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		err = enc.Encode(rep)
	} else {
		err = rep.print(c.OutOrStdout())
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if rep.Alerts == 0 {
		return &failure{code: exitFindings, err: fmt.Errorf("rule %d did not alert", sid)}
	}
	return nil
}

// findRule returns the compiled rule sid, or says why there is none.
func findRule(e *engine, sid uint64, files []string) (*detect.Rule, error) {
	for _, r := range e.detect.Rules() {
		if uint64(r.SID) == sid {
			return r, nil
		}
	}
	for _, x := range e.problems {
		if uint64(x.SID) == sid {
			return nil, fail(exitFindings, x.Hint, "the rule was refused: %s", x.String())
		}
	}
	return nil, fail(exitFailed, "is it disabled?", "no rule with sid %d in %s", sid, strings.Join(files, " "))
}

// replay runs the captures with the trace.
func (f *rulesWhyFlags) replay(e *engine, t *detect.Trace, files []string) (*sensor.Worker, error) {
	o, err := e.sensorOptions()
	if err != nil {
		return nil, err
	}
	if f.checksum == "none" || f.checksum == "auto" && e.flat.Checksums() == "no" {
		o.IgnoreChecksums, o.Stream.ChecksumValidation = true, false
	}
	o.Mirror, o.Decoder.StopTruncated, o.Trace = !f.noMirror, true, t
	w, err := sensor.NewWorker(o)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		r, err := capture.Open(name)
		if err != nil {
			return nil, err
		}
		err = sensor.Replay(w, r, name, nil)
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return w, w.Finish()
}

func (f *rulesWhyFlags) report(e *engine, r *detect.Rule, t *detect.Trace, w *sensor.Worker) *whyReport {
	x := e.detect.Explain(r)
	rep := &whyReport{SID: uint64(r.SID), Msg: r.Msg, Rule: r.Text, Type: r.Type, Protocols: e.detect.Protocols(r),
		FastBuffer: x.FastBuffer, FastPattern: x.FastPattern, Packets: w.Ledger.Processed, FlowsLeft: t.Dropped,
		OtherFlows: map[string]int{}, Flows: []whyFlow{}}
	for _, ft := range t.Flows() {
		rep.FlowsSeen++
		rep.Matches += ft.Matches
		rep.Alerts += ft.Alerts
		rep.Limited += ft.Limited
		if k := ft.HeaderFaultClass; k == "protocol" || k == "port" || k == "address" || k == "packet" {
			rep.OtherFlows[ft.HeaderFault]++
			continue
		}
		if f.flows > 0 && len(rep.Flows) >= f.flows {
			continue
		}
		rep.Flows = append(rep.Flows, flowReport(ft, rep.Protocols))
	}
	return rep
}

func flowReport(ft *detect.FlowTrace, protocols []string) whyFlow {
	f := whyFlow{Flow: ft.Number, Tuple: tupleText(ft.Tuple), App: ft.App, Packets: ft.Packets, First: ft.First, Last: ft.Last,
		HeaderFault: ft.HeaderFault, Looks: ft.Looks, PrefilterHits: ft.PrefilterHits,
		Matches: ft.Matches, MatchedIn: ft.MatchedIn, Alerts: ft.Alerts, Limited: ft.Limited}
	b := &ft.Best
	if b.Steps == nil {
		// The engine never came to the rule's conditions in this flow.
		m := &whyMatch{Packet: ft.Last, Steps: []whyStep{{What: "header", Result: "ok"}}}
		switch {
		case ft.HeaderFault != "":
			m.Steps = []whyStep{{What: "header", Result: "no", Seen: ft.HeaderFault}}
		case len(protocols) > 0 && !slices.Contains(protocols, ft.App):
			m.Steps = append(m.Steps, whyStep{What: "protocol " + strings.Join(protocols, ", "), Result: "no", Seen: orUnknown(ft.App)})
		default:
			m.Steps = append(m.Steps, whyStep{What: "conditions", Result: "not reached", Seen: "nothing in this flow that the rule looks at"})
		}
		f.Nearest = m
		return f
	}
	m := &whyMatch{Packet: b.Packet, Direction: [...]string{"to_server", "to_client"}[b.Dir&1]}
	if b.HasTx {
		m.Tx = &b.Tx
	}
	for _, s := range b.Steps {
		seen := s.Seen
		if strings.HasPrefix(s.What, "protocol ") {
			seen = orUnknown(seen)
		}
		m.Steps = append(m.Steps, whyStep{s.What, s.Result.String(), seen, s.Near})
	}
	f.Nearest = m
	return f
}

func orUnknown(app string) string {
	if app == "" {
		return "not known"
	}
	return app
}

func tupleText(t packet.Tuple) string {
	name := map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}[t.Proto]
	if name == "" {
		name = "ip " + strconv.Itoa(int(t.Proto))
	}
	if t.SrcPort == 0 && t.DstPort == 0 {
		return fmt.Sprintf("%s %s -> %s", name, addrText(t.Src), addrText(t.Dst))
	}
	return fmt.Sprintf("%s %s:%d -> %s:%d", name, addrText(t.Src), t.SrcPort, addrText(t.Dst), t.DstPort)
}

func addrText(a packet.Addr) string {
	ip := netip.AddrFrom16(a).Unmap()
	if ip.Is6() {
		return "[" + ip.String() + "]"
	}
	return ip.String()
}

// print writes the report for people.
func (r *whyReport) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "rule %d  %s\n", r.SID, clean(r.Msg))
	if r.FastBuffer != "" {
		fmt.Fprintf(&b, "prefilter looks for \"%s\" in %s\n", clean(r.FastPattern), r.FastBuffer)
	}
	fmt.Fprintf(&b, "%d packets, %d flows: %d matches, %d alerts", r.Packets, r.FlowsSeen, r.Matches, r.Alerts)
	if r.Limited > 0 {
		fmt.Fprintf(&b, ", %d kept back by a threshold", r.Limited)
	}
	b.WriteByte('\n')
	for i := range r.Flows {
		r.Flows[i].print(&b)
	}
	shown, others := len(r.Flows), 0
	for _, n := range r.OtherFlows {
		others += n
	}
	if rest := r.FlowsSeen - shown - others; rest > 0 {
		fmt.Fprintf(&b, "and %d flows that fulfil the header (--flows 0 shows all)\n", rest)
	}
	names := make([]string, 0, len(r.OtherFlows))
	for k := range r.OtherFlows {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		fmt.Fprintf(&b, "%d flows do not fulfil the header: %s\n", r.OtherFlows[k], k)
	}
	if r.FlowsLeft > 0 {
		fmt.Fprintf(&b, "%d packets of further flows were not followed\n", r.FlowsLeft)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (f *whyFlow) print(b *strings.Builder) {
	fmt.Fprintf(b, "flow %d  %s  %s  packets %d to %d", f.Flow, f.Tuple, orUnknown(f.App), f.First, f.Last)
	switch {
	case f.Alerts > 0:
		fmt.Fprintf(b, "  ALERTED %d times, first in packet %d", f.Alerts, f.MatchedIn[0])
	case f.Limited > 0:
		fmt.Fprintf(b, "  matched, but a threshold kept the alert back")
	case f.Matches > 0:
		fmt.Fprintf(b, "  matched in packet %d, without an alert (noalert, or too many in one packet)", f.MatchedIn[0])
	}
	b.WriteByte('\n')
	m := f.Nearest
	if m == nil {
		return
	}
	where := fmt.Sprintf("packet %d", m.Packet)
	if m.Direction != "" {
		where += " " + m.Direction
	}
	if m.Tx != nil {
		where += fmt.Sprintf(", transaction %d", *m.Tx)
	}
	fmt.Fprintf(b, "  nearest in %s:\n", where)
	for _, s := range m.Steps {
		mark := map[string]string{"ok": "ok   ", "no": "NO   ", "waits": "WAITS", "not reached": "-    "}[s.Result]
		fmt.Fprintf(b, "    %s %s", mark, clean(s.What))
		if s.Seen != "" {
			fmt.Fprintf(b, "  [%s]", clean(s.Seen))
		}
		b.WriteByte('\n')
		if s.Nearest != "" {
			fmt.Fprintf(b, "          %s\n", clean(s.Nearest))
		}
	}
}
