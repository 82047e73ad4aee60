package setup

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"mirador/internal/mirror"
)

// traffic asks what AWS sent.
func (v *verifier) traffic(ctx context.Context) error {
	if v.o.Metrics == nil {
		return nil
	}
	count := map[string]int{}
	for i := range v.out.Sessions {
		if r := &v.out.Sessions[i]; r.session != nil && r.Instance != "" {
			count[r.Instance]++
		}
	}
	ids := sortedIDs(count)
	if len(ids) == 0 {
		return nil
	}
	all, err := v.o.Metrics.MirrorTraffic(ctx, ids, v.o.Start, v.o.End)
	if err != nil {
		// The path is worth telling without it.
		v.out.Findings = append(v.out.Findings, Finding{Level: Warning, Code: "metrics", Subject: "CloudWatch", Text: err.Error(),
			Remedy: "allow cloudwatch:GetMetricData, or give --no-metrics"})
		return ctx.Err()
	}
	for i := range v.out.Sessions {
		r := &v.out.Sessions[i]
		if t, ok := all[r.Instance]; ok && r.session != nil {
			r.Sent, r.Shared = &t, count[r.Instance]
		}
	}
	return nil
}

// sensors adds up what the sensors saw of each session, and judges the sensors.
func (v *verifier) sensors() {
	type outer struct {
		addr netip.Addr
		vni  uint32
	}
	bySession, byOuter, byVNI := map[string]int{}, map[outer][]int{}, map[uint32][]int{}
	for i := range v.out.Sessions {
		r := &v.out.Sessions[i]
		if len(v.o.Sensors) == 0 || r.session == nil {
			continue
		}
		r.Seen = &Seen{}
		bySession[r.Session] = i
		if a := v.w.addrOf(r.Interface); a.IsValid() {
			k := outer{a, r.session.VNI}
			byOuter[k] = append(byOuter[k], i)
		}
		byVNI[r.session.VNI] = append(byVNI[r.session.VNI], i)
	}
	for n := range v.o.Sensors {
		s := &v.o.Sensors[n]
		before := map[outer]*SensorSource{}
		if s.Before != nil && s.Now.Uptime < s.Before.Uptime {
			v.out.Findings = append(v.out.Findings, Finding{Level: Warning, Code: "sensor", Subject: s.Name, Text: "was started anew since the first look: it is judged by what it counted since then"})
			s.Before = nil
		}
		if s.Before != nil {
			for i := range s.Before.Sources {
				x := &s.Before.Sources[i]
				before[outer{x.addr(), x.VNI}] = x
			}
		}
		unknown := uint64(0)
		for i := range s.Now.Sources {
			x := s.Now.Sources[i]
			if b := before[outer{x.addr(), x.VNI}]; b != nil {
				x.Packets, x.Bytes, x.Truncated = less(x.Packets, b.Packets), less(x.Bytes, b.Bytes), less(x.Truncated, b.Truncated)
			}
			at, ok := bySession[x.SessionID]
			if !ok {
				list := byOuter[outer{x.addr(), x.VNI}]
				if len(list) != 1 {
					list = byVNI[x.VNI] // the address may be that of a NAT or a load balancer
				}
				if len(list) != 1 || !x.addr().IsValid() {
					unknown += x.Packets
					continue
				}
				at = list[0]
			}
			y := v.out.Sessions[at].Seen
			y.Packets, y.Bytes, y.Truncated = y.Packets+x.Packets, y.Bytes+x.Bytes, y.Truncated+x.Truncated
			if x.Last.After(y.Last) {
				y.Last = x.Last
			}
		}
		v.sensor(s, unknown)
	}
}

func less(a, b uint64) uint64 {
	if a < b {
		return a
	}
	return a - b
}

// sensor judges one sensor: its kernel and its engine.
func (v *verifier) sensor(s *Sample, unknown uint64) {
	add := func(l Level, h Hop, text, remedy string) {
		v.out.Findings = append(v.out.Findings, Finding{Level: l, Code: string(h), Subject: s.Name, Text: text, Remedy: remedy})
	}
	now := s.Now.Ledger
	if s.Before != nil {
		b := s.Before.Ledger
		now.Received, now.Dropped, now.Kernel = less(now.Received, b.Received), less(now.Dropped, b.Dropped), less(now.Kernel, b.Kernel)
	}
	if now.Kernel > 0 {
		add(lossLevel(now.Kernel, now.Received, v.o.Tolerance), HopKernel, fmt.Sprintf("the kernel had no room for %d packets, and %d were received", now.Kernel, now.Received),
			"raise net.core.rmem_max and the receive buffer, add workers, or use a larger instance")
	}
	if now.Dropped > 0 {
		add(lossLevel(now.Dropped, now.Received, v.o.Tolerance), HopEngine, fmt.Sprintf("the engine dropped %d of %d packets", now.Dropped, now.Received), "mirador status tells why; add workers, or use a larger instance")
	}
	if !s.Now.Status.OK {
		add(Error, HopEngine, "is not ready: "+strings.TrimSuffix(s.Now.Status.State+": "+s.Now.Status.Detail, ": "), "mirador status")
	}
	if s.Now.SourceCount > len(s.Now.Sources) {
		add(Warning, HopSensor, fmt.Sprintf("tells of %d of its %d sources", len(s.Now.Sources), s.Now.SourceCount), "")
	}
	if unknown > 0 {
		add(OK, HopSensor, fmt.Sprintf("%d packets are of no session of the stack, or of several that cannot be told apart", unknown), "session.vni: unique tells sessions apart")
	}
}

// lossLevel is an error when more is lost than tolerance allows.
func lossLevel(lost, received uint64, tolerance float64) Level {
	if float64(lost) > tolerance*float64(lost+received) {
		return Error
	}
	return Warning
}

// conclude sets the state of a session. What AWS is known to stop wins over counters, which
// tell of the past.
func (v *verifier) conclude(r *Verdict) {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return b2i(b.Level == Error) - b2i(a.Level == Error) })
	set := func(s VerdictState, h Hop, text, remedy string) {
		r.State, r.Hop, r.Text, r.Remedy = s, h, text, remedy
	}
	if len(r.Findings) > 0 && r.Findings[0].Level == Error {
		f := &r.Findings[0]
		for i := range r.Findings {
			// A group that keeps health checks out is why targets are not healthy.
			if x := &r.Findings[i]; x.Level == Error && x.Code == string(HopGroup) && f.Code == string(HopHealth) {
				f = x
			}
		}
		set(StateLost, Hop(f.Code), f.Text, f.Remedy)
		return
	}
	if r.Seen == nil {
		set(StateClear, "", "nothing on the way stops packets; --sensor tells whether they arrive", "")
		return
	}
	lost := func(h Hop, text, remedy string) {
		set(StateLost, h, text, remedy)
		r.note(Error, h, text, remedy)
	}
	loss := v.loss(r)
	h, hint := v.sensorHop()
	switch {
	case r.Seen.Packets == 0 && r.Sent != nil && r.Sent.Mirror+r.Sent.MirrorPkts > 0 && r.Shared == 1:
		lost(h, fmt.Sprintf("AWS sent %s, and the sensor saw nothing", sentText(r.Sent)), hint)
	case r.Seen.Packets == 0:
		v.silent(r, set)
	case loss > v.o.Tolerance:
		lost(h, fmt.Sprintf("%.1f %% of what AWS sent did not arrive", 100*loss), hint)
	case r.Seen.Truncated > 0 && r.session.PacketLength == 0:
		text := fmt.Sprintf("%d of %d packets arrive cut", r.Seen.Truncated, r.Seen.Packets)
		remedy := v.mtuRemedy(r)
		set(StateTruncated, HopMTU, text, remedy)
		r.note(Error, HopMTU, text, remedy)
	default:
		set(StateOK, "", "", "")
	}
}

// silent tells why nothing came of a session whose way is free.
func (v *verifier) silent(r *Verdict, set func(VerdictState, Hop, string, string)) {
	t := r.Sent
	switch {
	case t == nil || !t.KnowsTotal && !t.KnowsMirror:
		set(StateSilent, "", "nothing arrived, and nobody knows whether there was anything to mirror", "make some traffic at "+r.Source+" and verify again")
		r.note(Warning, HopSource, r.Text, r.Remedy)
	case t.Mirror+t.MirrorPkts > 0:
		set(StateSilent, "", fmt.Sprintf("nothing arrived of this session; AWS tells only that the %d sessions of %s sent %s together", r.Shared, r.Instance, sentText(t)), "make some traffic at "+r.Interface+" and verify again")
		r.note(Warning, HopSource, r.Text, r.Remedy)
	case t.Skip+t.SkipPkts > 0:
		set(StateSilent, HopSource, "the instance is at its bandwidth: AWS skipped all that it would have mirrored", "use a larger instance, or mirror less (filter, packet_length)")
		r.note(Error, r.Hop, r.Text, r.Remedy)
	case t.KnowsTotal && t.In+t.Out == 0:
		set(StateSilent, HopSource, "the instance is idle: it neither sends nor receives", "")
	case t.KnowsTotal:
		set(StateSilent, HopRule, fmt.Sprintf("the instance has traffic (%.0f bytes in, %.0f out), and the filter takes none of it", t.In, t.Out), "mirador filter test tells what the filter does with a packet")
		r.note(Warning, r.Hop, r.Text, r.Remedy)
	default:
		set(StateSilent, HopSource, "AWS mirrored nothing", "make some traffic at "+r.Source+" and verify again")
	}
}

func sentText(t *Traffic) string {
	if t.KnowsPkts {
		return fmt.Sprintf("%.0f packets", t.MirrorPkts)
	}
	return fmt.Sprintf("%.0f bytes", t.Mirror)
}

// loss returns the share of what the sessions of an instance sent that no sensor saw, 0
// when that cannot be told: it takes two looks at every sensor around the time that AWS
// was asked about, and packets on both sides.
func (v *verifier) loss(r *Verdict) float64 {
	if r.Sent == nil || !r.Sent.KnowsPkts || r.Sent.MirrorPkts <= 0 {
		return 0
	}
	for i := range v.o.Sensors {
		if v.o.Sensors[i].Before == nil {
			return 0
		}
	}
	seen := uint64(0)
	for i := range v.out.Sessions {
		if x := &v.out.Sessions[i]; x.Instance == r.Instance && x.Seen != nil {
			seen += x.Seen.Packets
		}
	}
	loss := max(1-float64(seen)/r.Sent.MirrorPkts, 0)
	r.Loss = &loss
	return loss
}

// sensorHop returns the hop of the sensor where packets are lost, with what to do.
func (v *verifier) sensorHop() (Hop, string) {
	for _, h := range []Hop{HopEngine, HopKernel} {
		for i := range v.out.Findings {
			if f := &v.out.Findings[i]; f.Code == string(h) && f.Level == Error {
				return h, f.Remedy
			}
		}
	}
	return HopSensor, "does the sensor listen on UDP 4789 of the traffic interface (mirador status), does its firewall let it in, and is every sensor named by --sensor?"
}

// mtuRemedy tells how packets arrive whole.
func (v *verifier) mtuRemedy(r *Verdict) string {
	if t := v.target[r.session.TargetID]; t != nil && t.NetworkInterfaceID == "" {
		return fmt.Sprintf("packets over a load balancer are cut above %d bytes: set the MTU of the source to that or less", mirror.LargestWhole(mirror.MTULoadBalancer, false))
	}
	return fmt.Sprintf("set the MTU of the sensor's traffic interface to %d, and that of the source to %d or less", mirror.MTUJumbo, mirror.LargestWhole(mirror.MTUJumbo, false))
}

// WriteText writes the verification for people.
func (v *Verification) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SESSION\tSOURCE\tAWS SENT\tSEEN\tLOSS\tSTATE")
	count := map[VerdictState]int{}
	for i := range v.Sessions {
		r := &v.Sessions[i]
		count[r.State]++
		sent, seen, loss := "-", "-", "-"
		if r.Sent != nil && r.Sent.KnowsMirror {
			sent = sentText(r.Sent)
			if r.Shared > 1 {
				sent += fmt.Sprintf(" (%d sessions)", r.Shared)
			}
		}
		if r.Seen != nil {
			seen = fmt.Sprintf("%d packets", r.Seen.Packets)
		}
		if r.Loss != nil {
			loss = fmt.Sprintf("%.2f %%", 100**r.Loss)
		}
		state := string(r.State)
		if r.Hop != "" {
			state += " at " + string(r.Hop)
		}
		if r.Text != "" {
			state += ": " + r.Text
		}
		fmt.Fprintf(t, "%s\t%s %s\t%s\t%s\t%s\t%s\n", or(r.Session, "none"), r.Interface, oneLine(r.Source), sent, seen, loss, oneLine(state))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range v.Probes {
		if err := v.Probes[i].write(w); err != nil {
			return err
		}
	}
	marks := map[Level]string{OK: "✓", Warning: "!", Error: "✗"}
	told := map[string]int{}
	var order []Finding
	order = append(order, v.Findings...)
	for i := range v.Sessions {
		for _, f := range v.Sessions[i].Findings {
			// What is wrong with a thing that many sessions share is told once.
			k := string(f.Level) + f.Code + f.Text + f.Remedy
			if told[k]++; told[k] == 1 {
				order = append(order, f)
			}
		}
	}
	sortFindings(order)
	for _, f := range order {
		subject := f.Subject
		if n := told[string(f.Level)+f.Code+f.Text+f.Remedy]; n > 1 {
			subject = fmt.Sprintf("%d sessions", n)
		}
		fmt.Fprintf(w, "%s %-10s %s: %s\n", marks[f.Level], f.Code, subject, oneLine(f.Text))
		if f.Remedy != "" {
			fmt.Fprintf(w, "      try: %s\n", f.Remedy)
		}
	}
	var parts []string
	for _, s := range []VerdictState{StateOK, StateClear, StateSilent, StateTruncated, StateLost} {
		if count[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[s], s))
		}
	}
	_, err := fmt.Fprintf(w, "Sessions: %s.\n", or(strings.Join(parts, ", "), "none"))
	return err
}
