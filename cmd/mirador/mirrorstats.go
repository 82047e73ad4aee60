package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"mirador/internal/agent"
	"mirador/internal/mirror"
)

// mirrorStats is what GET /api/v1/mirror answers.
type mirrorStats struct {
	Version    string             `json:"version"`
	Uptime     float64            `json:"uptime"` // seconds
	Refreshed  time.Time          `json:"refreshed"`
	Stale      string             `json:"stale,omitempty"` // why the plans are not newer
	Notes      []string           `json:"notes,omitempty"` // targets that are away
	Interfaces []mirrorIfaceStats `json:"interfaces"`
}

type mirrorIfaceStats struct {
	Interface   string            `json:"interface"`
	Engine      string            `json:"engine"`
	NotEBPF     string            `json:"not_ebpf,omitempty"` // why the engine is not ebpf
	NotMirrored map[string]uint64 `json:"not_mirrored"`
	LastError   string            `json:"last_error,omitempty"`
	Imbalance   int64             `json:"imbalance"`
	agent.Counters
}

func (n *mirrorNode) stats() mirrorStats {
	st := n.state.Load()
	s := mirrorStats{Version: version(), Uptime: time.Since(n.start).Seconds(), Refreshed: st.since, Notes: st.notes}
	if st.err != nil {
		s.Stale = st.err.Error()
	}
	for _, a := range n.agents {
		c := a.mirror.Counters()
		i := mirrorIfaceStats{Interface: a.name, Counters: c, NotMirrored: map[string]uint64{}, Imbalance: c.Imbalance()}
		i.Engine, i.NotEBPF = a.mirror.Engine()
		for r, v := range c.NotMirrored {
			if v > 0 {
				i.NotMirrored[mirror.Reason(r).String()] = v
			}
		}
		if err := a.mirror.LastError(); err != nil {
			i.LastError = err.Error()
		}
		s.Interfaces = append(s.Interfaces, i)
	}
	return s
}

// serve opens the listener of counters and metrics.
func (n *mirrorNode) serve() (stop func(), err error) {
	addr := n.f.listen
	if addr == "" {
		return func() {}, nil
	}
	l, err := listenAny(addr)
	if err != nil {
		if addr == defaultMirrorListen { // not asked for
			n.log.Warn("no counters and metrics", "address", addr, "error", err, "hint", "choose another address with --listen")
			return func() {}, nil
		}
		return nil, fail(permissionOr(err, exitFailed), "choose another address with --listen, or none", "open the listener of counters: %w", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		n.log.Warn("counters and metrics are open to others", "address", addr)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &mirrorCollector{n})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /api/v1/mirror", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(n.stats())
	})
	const patience = 10 * time.Second
	srv := &http.Server{Handler: localNames(mux), ReadTimeout: patience, ReadHeaderTimeout: patience, WriteTimeout: patience, IdleTimeout: patience, MaxHeaderBytes: 16 << 10}
	done := make(chan struct{})
	go func() { srv.Serve(l); close(done) }()
	return func() { srv.Close(); <-done }, nil
}

// localNames refuses requests by a host name that a stranger's DNS may point here.
func localNames(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" && host != "" {
			http.Error(w, "use the address or localhost", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// mirrorCollector makes the metrics of a scrape.
type mirrorCollector struct{ n *mirrorNode }

// Describe says nothing: sessions come and go.
func (*mirrorCollector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics.
func (c *mirrorCollector) Collect(out chan<- prometheus.Metric) {
	descs := map[string]*prometheus.Desc{}
	send := func(kind prometheus.ValueType, name, help string, v float64, labels, values []string) {
		if descs[name] == nil {
			descs[name] = prometheus.NewDesc(name, help, labels, nil)
		}
		if m, err := prometheus.NewConstMetric(descs[name], kind, v, values...); err == nil {
			out <- m
		}
	}
	st := c.n.stats()
	stale := 0.0
	if st.Stale != "" {
		stale = 1
	}
	send(prometheus.GaugeValue, "mirador_mirror_stale", "1 when the last look at files or AWS failed and the old plan is in use.", stale, nil, nil)
	for i := range st.Interfaces {
		s := &st.Interfaces[i]
		count := func(name, help string, v uint64, pairs ...string) {
			labels, values := []string{"interface"}, []string{s.Interface}
			for i := 0; i+1 < len(pairs); i += 2 {
				labels, values = append(labels, pairs[i]), append(values, pairs[i+1])
			}
			send(prometheus.CounterValue, name, help, float64(v), labels, values)
		}
		send(prometheus.GaugeValue, "mirador_mirror_engine", "1 for the engine in use.", 1, []string{"interface", "engine"}, []string{s.Interface, s.Engine})
		count("mirador_mirror_frames_total", "Frames seen on the interface.", s.Frames)
		count("mirador_mirror_bytes_total", "Bytes of the frames seen.", s.Bytes)
		for _, d := range []struct {
			direction                   string
			packets, bytes, skip, skip2 uint64
		}{
			{"in", s.NetworkPacketsMirrorIn, s.NetworkMirrorIn, s.NetworkPacketsSkipMirrorIn, s.NetworkSkipMirrorIn},
			{"out", s.NetworkPacketsMirrorOut, s.NetworkMirrorOut, s.NetworkPacketsSkipMirrorOut, s.NetworkSkipMirrorOut},
		} {
			count("mirador_mirror_mirrored_packets_total", "CloudWatch NetworkPacketsMirrorIn and Out.", d.packets, "direction", d.direction)
			count("mirador_mirror_mirrored_bytes_total", "CloudWatch NetworkMirrorIn and Out.", d.bytes, "direction", d.direction)
			count("mirador_mirror_skipped_packets_total", "CloudWatch NetworkPacketsSkipMirrorIn and Out: production traffic came first.", d.skip, "direction", d.direction)
			count("mirador_mirror_skipped_bytes_total", "CloudWatch NetworkSkipMirrorIn and Out.", d.skip2, "direction", d.direction)
		}
		for r := range s.Counters.NotMirrored {
			if v := s.Counters.NotMirrored[r]; v > 0 {
				count("mirador_mirror_not_mirrored_total", "Frames that no session took, by reason.", v, "reason", mirror.Reason(r).String())
			}
		}
		count("mirador_mirror_errors_total", "Frames that a session took in vain.", s.ErrorsSend, "cause", "send")
		count("mirador_mirror_errors_total", "Frames that a session took in vain.", s.ErrorsNoTarget, "cause", "no-target")
		count("mirador_mirror_errors_total", "Frames that a session took in vain.", s.ErrorsSegments, "cause", "segments")
		count("mirador_mirror_kernel_drops_total", "Frames that the kernel had no room for.", s.KernelDrops)
		count("mirador_mirror_replugs_total", "Times the interface went away and came back.", s.Replugs)
		count("mirador_mirror_swaps_total", "Plans taken over.", s.Swaps)
		send(prometheus.GaugeValue, "mirador_mirror_ledger_imbalance", "Frames that are nowhere; anything but 0 is a bug.", float64(s.Imbalance), []string{"interface"}, []string{s.Interface})
		for j := range s.Sessions {
			x := &s.Sessions[j]
			if !x.Current {
				continue
			}
			count("mirador_mirror_session_packets_total", "Frames mirrored by the session.", x.PacketsIn+x.PacketsOut, "session", x.Session)
			count("mirador_mirror_session_bytes_total", "Bytes of these frames.", x.BytesIn+x.BytesOut, "session", x.Session)
			count("mirador_mirror_session_sent_bytes_total", "Bytes sent to the target.", x.SentBytes, "session", x.Session)
			count("mirador_mirror_session_cut_total", "Frames cut by packet length or MTU.", x.CutByLength+x.CutByMTU, "session", x.Session)
			count("mirador_mirror_session_skipped_total", "Frames held back.", x.SkippedPackets, "session", x.Session)
			count("mirador_mirror_session_errors_total", "Frames taken in vain.", x.Errors, "session", x.Session)
		}
	}
}

func mirrorStatusCommand() *cobra.Command {
	var addr, format string
	c := &cobra.Command{
		Use:   "status",
		Short: "show how a running software mirror is doing",
		Long: `Status asks the listener of "mirador mirror run". The exit code is 0 when all is well, 2
when a target is away or AWS could not be asked, and 1 when nobody answers.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return mirrorStatus(c.Context(), c.OutOrStdout(), addr, format)
		},
	}
	c.Flags().StringVar(&addr, "addr", defaultMirrorListen, "`address` of its listener")
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return c
}

func mirrorStatus(ctx context.Context, w io.Writer, addr, format string) error {
	if format != "table" && format != "json" {
		return fail(exitUsage, "use -o table or json", "output %q is not understood", format)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var raw json.RawMessage
	if err := (&client{addr: addr}).call(ctx, http.MethodGet, "/api/v1/mirror", &raw); err != nil {
		if errors.Is(err, errNotRunning) {
			return fail(exitFailed, "is mirador mirror run running? --addr is what it has as --listen", "no software mirror answers at %s", addr)
		}
		return err
	}
	var s mirrorStats
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("read the mirror's answer: %w", err)
	}
	if format == "json" {
		fmt.Fprintf(w, "%s\n", raw)
	} else {
		printMirrorStatus(w, &s)
	}
	if s.Stale != "" || len(s.Notes) > 0 {
		return &failure{code: exitFindings, err: fmt.Errorf("not all is well: see above")}
	}
	return nil
}

func printMirrorStatus(w io.Writer, s *mirrorStats) {
	fmt.Fprintf(w, "version %s, up %s\n", s.Version, time.Duration(s.Uptime*float64(time.Second)).Truncate(time.Second))
	if s.Stale != "" {
		fmt.Fprintf(w, "stale since %s because %s\n", s.Refreshed.Local().Format(time.DateTime), s.Stale)
	}
	for _, n := range s.Notes {
		fmt.Fprintln(w, n)
	}
	for i := range s.Interfaces {
		x := &s.Interfaces[i]
		var passed uint64
		for _, v := range x.NotMirrored {
			passed += v
		}
		fmt.Fprintf(w, "%s: frames %d = mirrored %d + passed %d + skipped %d + errors %d", x.Interface, x.Frames, x.Mirrored(), passed, x.Skipped(), x.Errors())
		if x.Imbalance != 0 {
			fmt.Fprintf(w, " + UNACCOUNTED %d", x.Imbalance)
		}
		fmt.Fprintf(w, "; lost in the kernel %d\n", x.KernelDrops)
		if x.NotEBPF != "" {
			fmt.Fprintf(w, "  engine %s: %s\n", x.Engine, x.NotEBPF)
		} else {
			fmt.Fprintf(w, "  engine %s\n", x.Engine)
		}
		if x.LastError != "" {
			fmt.Fprintf(w, "  last error: %s\n", x.LastError)
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  SESSION\tVNI\tIN\tOUT\tBYTES\tSENT\tCUT\tSKIPPED\tERRORS")
		for j := range x.Sessions {
			c := &x.Sessions[j]
			if c.Current {
				fmt.Fprintf(t, "  %s\t%d\t%d\t%d\t%s\t%s\t%d\t%d\t%d\n", c.Session, c.VNI, c.PacketsIn, c.PacketsOut, size(c.BytesIn+c.BytesOut), size(c.SentBytes),
					c.CutByLength+c.CutByMTU, c.SkippedPackets, c.Errors)
			}
		}
		t.Flush()
	}
}
