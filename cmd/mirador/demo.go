package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/config"
	"mirador/internal/demo"
	"mirador/internal/eve"
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/sensor"
)

type demoFlags struct {
	period  time.Duration
	seed    uint64
	format  string
	workers int
	verbose bool
}

func demoCommand() *cobra.Command {
	f := &demoFlags{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "watch a pretend VPC under attack",
		Long: `Demo starts the sensor on the loopback interface and sends it what the mirror sessions of
a small pretend VPC would: web, DNS, TLS, SSH and file transfers, and attacks on them.
It prints the alerts as they come, and at the end what became of every frame. It needs
no root, no network and no files, and leaves nothing behind.`,
		Example: `  mirador demo
  mirador demo --for 10s
  mirador demo --for 5s -o jsonl | jq 'select(.event_type == "alert")'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr()) },
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.DurationVar(&f.period, "for", 0, "end after this `time` (default: at Ctrl-C)")
	fl.Uint64Var(&f.seed, "seed", 1, "choose other ports, sizes and pauses")
	fl.StringVarP(&f.format, "output", "o", "table", "table, or jsonl for EVE events on standard output")
	fl.IntVar(&f.workers, "workers", 2, "workers of the sensor")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "show the sensor's log")
	return c
}

// demoConfig is the configuration of the demo's sensor: everything on the loopback
// interface, nothing on the disk.
func (f *demoFlags) demoConfig() (*config.File, error) {
	path := ""
	if f.format == "jsonl" {
		path = "-"
	}
	text := fmt.Sprintf(`sensor: {name: demo, workers: %d, drain: 300ms, state: ""}
health: {listen: "127.0.0.1:0"}
management: {listen: "127.0.0.1:0"}
eve: {path: %q, stats: false}
vars: {address-groups: {HOME_NET: "[10.20.0.0/16]", EXTERNAL_NET: "!$HOME_NET"}}
`, f.workers, path)
	return config.Parse([]byte(text), "demo", nil)
}

// shortest is how long the attacks take at least: below, the sender would only test
// the socket buffers.
const shortest = 1500 * time.Millisecond

func (f *demoFlags) run(ctx context.Context, stdout, stderr io.Writer) error {
	if f.format != "table" && f.format != "jsonl" {
		return fail(exitUsage, "use -o table or jsonl", "output %q is not understood", f.format)
	}
	if f.workers < 1 || f.workers > 64 {
		return fail(exitUsage, "use 1 to 64", "--workers %d", f.workers)
	}
	if f.period != 0 && f.period < 2*time.Second {
		return fail(exitUsage, "use 2s or more", "--for %v is too short for all attacks", f.period)
	}
	level := "warn"
	if f.verbose {
		level = "info"
	}
	log, err := newLog(stderr, "text", level)
	if err != nil {
		return err
	}
	screen := stdout
	if f.format == "jsonl" {
		screen = stderr
	}
	p := &alertPrinter{w: screen}
	var addr netip.AddrPort
	n, err := newNode(nodeOptions{
		material: material{config: f.demoConfig, rules: demo.Rules, sources: demo.Sources},
		log:      log,
		stdout:   stdout,
		onAlert:  p.alert,
		inputs: func(workers int, seed uint32) ([]sensor.Input, error) {
			in, err := sensor.OpenInputs(sensor.InputOptions{VXLAN: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Workers: workers, Seed: seed})
			if err == nil {
				addr = in[0].Addr
			}
			return in, err
		},
	})
	if err != nil {
		return err
	}
	defer n.close()
	if err := n.start(); err != nil {
		return err
	}
	p.names = namesOf(n.cur.Load().gen.Sources)
	f.banner(screen, n, addr)
	return f.play(ctx, screen, n, addr, p)
}

// banner says what was started and where to look.
func (f *demoFlags) banner(w io.Writer, n *node, addr netip.AddrPort) {
	l := n.cur.Load()
	fmt.Fprintf(w, "pretend VPC  5 instances, %d mirror sessions, VNI %d\n", l.known, demo.VNI)
	fmt.Fprintf(w, "sensor       udp %v VXLAN, %d workers, %s in %s\n", addr, n.live.Load().Workers(), plural(l.engine.report.Loaded, "rule"), l.took.Round(time.Millisecond))
	fmt.Fprintf(w, "status       http://%v/api/2.0/status\n", n.status.Addr())
	fmt.Fprintf(w, "metrics      http://%v/metrics and /api/v1/stats\n", n.manage.Addr())
	fmt.Fprintf(w, "look inside  mirador status --addr %v\n", n.manage.Addr())
	if f.period == 0 {
		fmt.Fprintln(w, "Ctrl-C stops it.")
	}
	fmt.Fprintln(w)
}

// play sends rounds until the end, then shows the account.
func (f *demoFlags) play(ctx context.Context, w io.Writer, n *node, addr netip.AddrPort, p *alertPrinter) error {
	runCtx, stop := context.WithCancel(context.Background())
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- n.run(runCtx) }()
	src, err := demo.NewSource(addr)
	if err != nil {
		return err
	}
	defer src.Close()
	began := time.Now()
	err = f.rounds(ctx, src)
	stop()
	err = errors.Join(err, <-ran)
	if err != nil {
		return err
	}
	return f.closing(w, n, src.Sent(), time.Since(began), p)
}

// rounds plays stories, one after the other, for f.period or until ctx is done. The
// first is always played whole, however slow the machine is.
func (f *demoFlags) rounds(ctx context.Context, src *demo.Source) error {
	first := ctx
	if f.period > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.period)
		defer cancel()
	}
	for round := 0; ctx.Err() == nil; round++ {
		story, err := demo.NewStory(f.seed, round)
		if err != nil {
			return err
		}
		span, until := story.Span, ctx
		if f.period > 0 && round == 0 {
			span, until = min(span, max(shortest, f.period*3/4)), first // all attacks fit
		}
		if err := src.Play(until, story, span); err != nil {
			return err
		}
	}
	return nil
}

// closing prints what became of every frame, and fails when something is missing.
func (f *demoFlags) closing(w io.Writer, n *node, sent uint64, took time.Duration, p *alertPrinter) error {
	s := n.live.Load().Snapshot()
	l := &s.Ledger
	fmt.Fprintf(w, "\n%s frames sent in %s, %s in %d signatures\n", count(sent), took.Round(100*time.Millisecond), plural(p.total, "alert"), len(p.seen))
	printLedger(w, l)
	for i := range s.Sources {
		r := &s.Sources[i]
		if r.Known != nil {
			fmt.Fprintf(w, "        %-18s %-8s frames %d, second copies %d, alerts %d\n", r.Known.SessionID, r.Known.Name, r.Packets, r.Duplicates, r.Alerts)
		}
	}
	switch {
	case l.Imbalance() != 0:
		return fmt.Errorf("the ledger does not balance: %d frames are unaccounted for", l.Imbalance())
	case l.Received+l.Kernel != sent:
		return fmt.Errorf("%d frames were sent, %d received and %d lost in the kernel", sent, l.Received, l.Kernel)
	}
	fmt.Fprintln(w, "        balanced: every frame sent is accounted for")
	return nil
}

// alertPrinter prints alerts as they come. Workers share it.
type alertPrinter struct {
	mu    sync.Mutex // guards what follows
	w     io.Writer
	names map[packet.Addr]string
	total int
	seen  map[uint32]int
}

// namesOf maps the addresses of the sources file to names of instances.
func namesOf(t *mirror.SourceTable) map[packet.Addr]string {
	names := map[packet.Addr]string{}
	for _, s := range t.Sources() {
		for _, a := range s.Addrs {
			names[a] = s.Name
		}
	}
	return names
}

func (p *alertPrinter) alert(h *eve.Header, a *eve.Alert) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total++
	if p.seen == nil {
		p.seen = map[uint32]int{}
	}
	p.seen[a.Rule.SID]++
	session := "no session"
	if h.Mirror != nil && h.Mirror.Source != nil {
		session = "session " + h.Mirror.Source.SessionID
	}
	fmt.Fprintf(p.w, "%s  %-4s  %-58s  %s → %s  %s\n", time.Unix(0, h.Time).Format("15:04:05.000"), severityName(a.Rule.Priority), a.Rule.Msg,
		p.end(h.Tuple.Src, h.Tuple.SrcPort), p.end(h.Tuple.Dst, h.Tuple.DstPort), session)
}

func (p *alertPrinter) end(a packet.Addr, port uint16) string {
	name, ok := p.names[a]
	if !ok {
		return endpoint(a, port)
	}
	if port == 0 {
		return name
	}
	return fmt.Sprintf("%s:%d", name, port)
}

// severityName names a rule's priority.
func severityName(priority int) string {
	names := [...]string{"", "HIGH", "MED", "LOW"}
	if priority > 0 && priority < len(names) {
		return names[priority]
	}
	return "INFO"
}

// isStdout tells the path that stands for standard output.
func isStdout(path string) bool { return strings.TrimSpace(path) == "-" }
