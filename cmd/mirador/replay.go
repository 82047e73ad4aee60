package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/capture"
	"mirador/internal/detect"
	"mirador/internal/eve"
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/sensor"
)

type replayFlags struct {
	engineParams
	out         string
	format      string
	failOn      string
	checksum    string
	sources     string
	noDedup     bool
	noMirror    bool
	simulateIPS bool
	testOnly    bool
	strict      []string
	rulesErrors string
	quiet       bool
	quarantine  string
	each        bool
	cpuProfile  string
	repeat      int
	// Accepted for those who come from Suricata; they change nothing here.
	runmode  string
	noDetect bool
	noRandom bool
	fatal    bool
	verbose  int
}

func replayCommand() *cobra.Command {
	f := &replayFlags{}
	c := &cobra.Command{
		Use:   "replay FILE|DIR|-...",
		Short: "run captures through the sensor's engine",
		Long: `Replay reads pcap and pcapng files (mirrored in VXLAN or GENEVE, or plain), takes all
times from the packets, and writes what the sensor would have written. The same
input gives the same output.

A file that is cut or corrupt is processed as far as it can be read; then the
error is shown and the exit code is 1. The exit code is 2 when --fail-on is hit.`,
		Example: `  mirador replay incident.pcap --rules et.rules
  mirador replay incident.pcap --rules et.rules --out logs -o jsonl
  mirador replay day/ --rules et.rules --fail-on alert=1
  mirador replay test.pcap --suricata-config suricata.yaml --set stream.midstream=true -k none`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c.Context(), c, args) },
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringSliceVarP(&f.rules, "rules", "S", nil, "rule `file`, directory of *.rules or glob; repeatable")
	fl.StringVarP(&f.out, "out", "l", "", "`directory` for eve.json and the other outputs")
	fl.StringVarP(&f.format, "output", "o", "", "what to print: table (default), jsonl (EVE lines) or none")
	fl.StringVar(&f.failOn, "fail-on", "", "exit with 2 on an alert (`alert`), or one of severity N or worse (alert=N)")
	fl.StringVarP(&f.configFile, "suricata-config", "c", "", "a suricata.yaml to take variables, app-layer, stream and outputs from")
	fl.StringArrayVar(&f.sets, "set", nil, "set `key=value` under Suricata's names; repeatable")
	fl.StringVarP(&f.checksum, "checksum", "k", "auto", "none: wrong checksums do not matter; all, auto: TCP segments with wrong ones are left out")
	fl.StringVar(&f.sources, "sources", "", "sources `file` that names mirror sessions by outer address and VNI")
	fl.BoolVar(&f.noDedup, "no-dedup", false, "keep the second copy of packets mirrored at both ends")
	fl.BoolVar(&f.noMirror, "no-mirror", false, "treat VXLAN and GENEVE as traffic, not as mirror sessions")
	fl.StringVar(&f.rulesErrors, "rules-errors", "fail", "fail: exit with 1 when a rule was refused; warn: only say so")
	fl.BoolVar(&f.each, "each", false, "treat every file as a world of its own: fresh state, outputs in a folder per file below --out")
	fl.StringVar(&f.dataDir, "data-dir", "", "`directory` of datasets")
	fl.StringVar(&f.quarantine, "quarantine", "", "`directory` for packets that made the engine fail")
	fl.BoolVarP(&f.testOnly, "test", "T", false, "load configuration and rules, then stop")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print no summary")
	fl.BoolVar(&f.simulateIPS, "simulate-ips", false, "show drop and reject rules as blocked, as an inline engine would")
	fl.StringSliceVar(&f.strict, "strict-rule-keywords", nil, "accepted; rules are always read strictly")
	fl.BoolVar(&f.noDetect, "disable-detection", false, "load no rules")
	fl.StringVar(&f.runmode, "runmode", "", "accepted; replay always uses one worker")
	fl.BoolVar(&f.noRandom, "no-random", false, "accepted; nothing here is random")
	fl.BoolVar(&f.fatal, "init-errors-fatal", false, "same as --rules-errors=fail, and stop before the first packet")
	fl.CountVarP(&f.verbose, "verbose", "v", "say more (each problem of the rules)")
	fl.StringVar(&f.cpuProfile, "cpuprofile", "", "write a CPU profile of the packets (without loading) to `file`")
	fl.IntVar(&f.repeat, "repeat", 1, "replay the captures so often (benchmarks)")
	for _, n := range []string{"cpuprofile", "repeat", "runmode", "no-random", "strict-rule-keywords", "init-errors-fatal"} {
		_ = fl.MarkHidden(n)
	}
	return c
}

// tally gathers alerts for the table and for --fail-on.
type tally struct {
	rows  map[tallyKey]*tallyRow
	order []*tallyRow
	worst int
	total int
	over  int
}

// maxTallyRows bounds the table; later ones are counted together.
const maxTallyRows = 10000

type tallyKey struct {
	sid      uint32
	src, dst packet.Addr
	vni      uint32
}

type tallyRow struct {
	severity, count int
	sid             uint32
	msg             string
	src, dst        string
	session         string
	first           int64
}

func (t *tally) add(h *eve.Header, a *eve.Alert) {
	if a.Rule.Action == "pass" {
		return
	}
	t.total++
	if t.worst == 0 || a.Rule.Priority < t.worst {
		t.worst = a.Rule.Priority
	}
	k := tallyKey{sid: a.Rule.SID, src: h.Tuple.Src, dst: h.Tuple.Dst}
	if h.Mirror != nil {
		k.vni = h.Mirror.VNI
	}
	r := t.rows[k]
	if r == nil {
		if len(t.order) >= maxTallyRows {
			t.over++
			return
		}
		r = &tallyRow{severity: a.Rule.Priority, sid: a.Rule.SID, msg: a.Rule.Msg, first: h.Time,
			src: endpoint(h.Tuple.Src, h.Tuple.SrcPort), dst: endpoint(h.Tuple.Dst, h.Tuple.DstPort)}
		if m := h.Mirror; m != nil {
			r.session = "vni " + strconv.Itoa(int(m.VNI)) + " from " + mirror.AddrString(m.Outer)
			if m.Source != nil && m.Source.SessionID != "" {
				r.session = m.Source.SessionID
			}
		}
		t.rows[k] = r
		t.order = append(t.order, r)
	}
	r.count++
}

func endpoint(a packet.Addr, port uint16) string {
	s := mirror.AddrString(a)
	if port == 0 {
		return s
	}
	if strings.Contains(s, ":") {
		s = "[" + s + "]"
	}
	return s + ":" + strconv.Itoa(int(port))
}

func (t *tally) print(w io.Writer) {
	if len(t.order) == 0 {
		return
	}
	slices.SortStableFunc(t.order, func(a, b *tallyRow) int {
		if a.severity != b.severity {
			return a.severity - b.severity
		}
		return b.count - a.count
	})
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "SEV\tCOUNT\tSID\tSIGNATURE\tSRC -> DST\tFIRST\tSESSION")
	for _, r := range t.order {
		fmt.Fprintf(tw, "%d\t%d\t%d\t%s\t%s -> %s\t%s\t%s\n", r.severity, r.count, r.sid, clean(r.msg), r.src, r.dst,
			time.Unix(0, r.first).UTC().Format("2006-01-02 15:04:05"), r.session)
	}
	tw.Flush()
	if t.over > 0 {
		fmt.Fprintf(w, "and %d alerts in more than %d rows\n", t.over, maxTallyRows)
	}
}

// clean makes text from outside fit for a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '.'
		}
		return r
	}, s)
}

// parseFailOn returns the severity from which alerts fail: 0 for never.
func parseFailOn(s string) (int, error) {
	switch v, ok := strings.CutPrefix(s, "alert="); {
	case s == "":
		return 0, nil
	case s == "alert":
		return 255, nil
	case ok:
		for name, n := range map[string]int{"high": 1, "medium": 2, "low": 3} {
			if v == name {
				return n, nil
			}
		}
		if n, err := strconv.Atoi(v); err == nil && n >= 1 && n <= 255 {
			return n, nil
		}
	}
	return 0, fail(exitUsage, "use --fail-on alert, alert=1 ... alert=255, or alert=high|medium|low", "--fail-on %q is not understood", s)
}

func (f *replayFlags) run(ctx context.Context, c *cobra.Command, args []string) error {
	failAt, err := parseFailOn(f.failOn)
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"", "table", "jsonl", "none"}, f.format) {
		return fail(exitUsage, "use -o table, -o jsonl or -o none", "-o %q is not understood", f.format)
	}
	if !slices.Contains([]string{"fail", "warn"}, f.rulesErrors) {
		return fail(exitUsage, "use --rules-errors=fail or =warn", "--rules-errors %q is not understood", f.rulesErrors)
	}
	if len(args) == 0 && !f.testOnly {
		return fail(exitUsage, "mirador replay FILE", "no capture given")
	}
	if f.noDetect {
		f.rules = nil
	}
	began := time.Now()
	e, err := buildEngine(&f.engineParams)
	if err != nil {
		return err
	}
	loaded := time.Since(began)
	refused := f.showProblems(c.ErrOrStderr(), e)
	if refused > 0 && (f.fatal || f.testOnly) {
		return f.refusedError(refused)
	}
	if f.testOnly {
		fmt.Fprintf(c.OutOrStdout(), "configuration and %d rules are good\n", e.report.Loaded)
		return nil
	}
	files, err := captures(args)
	if err != nil {
		return err
	}
	p := f.newPlayer(c, e)
	p.loaded = loaded
	files = slices.Repeat(files, max(1, f.repeat))
	stop, err := f.profile()
	if err != nil {
		return err
	}
	err = p.playAll(ctx, args, files)
	stop()
	if err != nil {
		return err
	}
	if !f.quiet {
		p.summary(c.ErrOrStderr())
	}
	if f.format != "jsonl" && f.format != "none" {
		p.alerts.print(c.OutOrStdout())
	}
	switch {
	case p.broken != nil:
		return p.broken
	case refused > 0 && f.rulesErrors == "fail":
		return f.refusedError(refused)
	case failAt > 0 && p.alerts.worst > 0 && p.alerts.worst <= failAt:
		return &failure{code: exitFindings, err: fmt.Errorf("%d alerts, the worst of severity %d (--fail-on %s)", p.alerts.total, p.alerts.worst, f.failOn)}
	}
	return nil
}

// profile starts a CPU profile when one is asked for.
func (f *replayFlags) profile() (stop func(), err error) {
	if f.cpuProfile == "" {
		return func() {}, nil
	}
	out, err := os.Create(f.cpuProfile)
	if err != nil {
		return nil, fmt.Errorf("open profile: %w", err)
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return nil, fmt.Errorf("start profile: %w", err)
	}
	return func() { pprof.StopCPUProfile(); out.Close() }, nil
}

func (f *replayFlags) refusedError(n int) error {
	return fail(exitFailed, "mirador rules check FILE shows each with its place; --rules-errors=warn makes it a warning",
		"%d rules were refused", n)
}

// showProblems prints what is wrong with the rules and returns how many were
// refused.
func (f *replayFlags) showProblems(w io.Writer, e *engine) int {
	const few = 20
	shown, refused := 0, 0
	for _, p := range e.problems {
		if !p.Warning {
			refused++
		}
		if shown < few || f.verbose > 0 {
			fmt.Fprintln(w, p.String())
			shown++
		}
	}
	if n := len(e.problems) - shown; n > 0 && shown == few {
		fmt.Fprintf(w, "and %d more (-v shows all)\n", n)
	}
	return refused
}

// captures lists the files of args: files as given, directories by name.
func captures(args []string) ([]string, error) {
	var list []string
	for _, a := range args {
		if a == "-" {
			list = append(list, a)
			continue
		}
		st, err := os.Stat(a)
		if err != nil {
			return nil, fail(exitFailed, "", "open capture: %w", err)
		}
		if !st.IsDir() {
			list = append(list, a)
			continue
		}
		err = filepath.WalkDir(a, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && slices.Contains([]string{".pcap", ".pcapng", ".cap"}, filepath.Ext(path)) {
				list = append(list, path)
			}
			return err
		})
		if err != nil {
			return nil, fail(exitFailed, "", "read directory: %w", err)
		}
	}
	if len(list) == 0 {
		return nil, fail(exitFailed, "captures in a directory end in .pcap, .pcapng or .cap", "no capture found in %s", strings.Join(args, " "))
	}
	return list, nil
}

// player is one replay.
type player struct {
	f      *replayFlags
	e      *engine
	w      *sensor.Worker
	stdin  io.Reader
	stderr io.Writer
	stdout *bufio.Writer
	alerts tally
	close  func() error
	report *detect.Report
	broken error
	loaded time.Duration
	took   time.Duration
	span   time.Duration
	ledger sensor.Ledger
}

func (f *replayFlags) newPlayer(c *cobra.Command, e *engine) *player {
	return &player{f: f, e: e, stdin: c.InOrStdin(), stderr: c.ErrOrStderr(), stdout: bufio.NewWriterSize(c.OutOrStdout(), 64<<10),
		alerts: tally{rows: map[tallyKey]*tallyRow{}}, report: e.report}
}

// playAll replays files: all in one world, or with --each one by one.
func (p *player) playAll(ctx context.Context, args, files []string) error {
	if !p.f.each {
		if err := p.prepare(p.f.out); err != nil {
			return err
		}
		return p.play(ctx, files)
	}
	for i, name := range files {
		out := p.f.out
		if out != "" {
			out = filepath.Join(out, folderOf(args, name, i))
		}
		if i > 0 {
			p.e.shared.Reset()
		}
		if err := p.prepare(out); err != nil {
			return err
		}
		if err := p.play(ctx, []string{name}); err != nil {
			return err
		}
	}
	return nil
}

// folderOf names the output folder of file name: its path below the argument it
// was found in.
func folderOf(args []string, name string, i int) string {
	if name == "-" {
		return "stdin"
	}
	for _, a := range args {
		if rel, err := filepath.Rel(a, name); err == nil && rel != "." && filepath.IsLocal(rel) {
			return rel
		}
	}
	return filepath.Base(name)
}

// prepare makes a worker with its outputs in folder out ("" for none).
func (p *player) prepare(out string) error {
	f, e := p.f, p.e
	o, err := e.sensorOptions()
	if err != nil {
		return err
	}
	how := f.checksum
	if how == "auto" && e.flat.Checksums() == "no" {
		how = "none"
	}
	o.IgnoreChecksums = how == "none"
	if o.IgnoreChecksums {
		o.Stream.ChecksumValidation = false
	}
	o.Mirror = !f.noMirror
	o.Decoder.StopTruncated = true
	o.SimulateIPS = f.simulateIPS
	if f.noDedup {
		o.DedupWindow = 0
	}
	if f.sources != "" {
		if o.Sources, err = loadSources(f.sources); err != nil {
			return err
		}
	}
	if f.quarantine != "" {
		o.Quarantine = newQuarantine(f.quarantine, p.stderr).save
	}
	o.OnAlert = p.alerts.add
	p.close = func() error { return nil }
	if out != "" {
		if err := os.MkdirAll(out, 0o755); err != nil {
			return fmt.Errorf("make output directory: %w", err)
		}
		if p.close, err = e.addOutputs(o, out); err != nil {
			return err
		}
		if err := e.addFileStore(o, out); err != nil {
			return err
		}
	}
	if f.format == "jsonl" {
		opt := eve.DefaultOptions()
		if len(e.outputs.EVE) > 0 {
			opt = e.outputs.EVE[0]
		}
		o.Outputs = append(o.Outputs, sensor.Output{Options: opt, Sink: writerSink{p.stdout}})
	}
	p.w, err = sensor.NewWorker(o)
	return err
}

type writerSink struct{ w io.Writer }

func (s writerSink) Write(b []byte) error { _, err := s.w.Write(b); return err }

// play feeds the files one after the other to the worker.
func (p *player) play(ctx context.Context, files []string) error {
	began := time.Now()
	show := p.progress(began)
	for _, name := range files {
		err := p.file(ctx, name, show)
		if errors.Is(err, sensor.ErrStopped) {
			p.broken = &failure{code: exitInterrupted, err: errors.New("interrupted")}
			break
		}
		if err != nil && p.broken == nil {
			p.broken = fail(exitFailed, "what could be read was processed", "%s: %w", name, err)
		}
	}
	if err := p.w.Finish(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	for _, err := range p.e.shared.SaveDatasets() {
		fmt.Fprintf(p.stderr, "save dataset: %v\n", err)
	}
	p.took += time.Since(began)
	p.ledger.Add(&p.w.Ledger)
	p.span += p.w.Span()
	p.clearProgress()
	if err := p.stdout.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return p.close()
}

func (p *player) file(ctx context.Context, name string, show func()) error {
	var r *capture.File
	var err error
	if name == "-" {
		r, err = capture.NewFile(p.stdin)
	} else {
		r, err = capture.Open(name)
	}
	if err != nil {
		return err
	}
	defer r.Close()
	return sensor.Replay(p.w, r, name, func(_, _ uint64) bool {
		show()
		return ctx.Err() == nil
	})
}

// progress returns a function that shows how far the replay is, on a terminal
// and not too often.
func (p *player) progress(began time.Time) func() {
	if !isTerminal(p.stderr) || p.f.quiet {
		return func() {}
	}
	last := began
	return func() {
		if now := time.Now(); now.Sub(last) > 200*time.Millisecond {
			last = now
			l := &p.w.Ledger
			fmt.Fprintf(p.stderr, "\r%s packets  %s  %d alerts ", count(l.Received), size(l.ReceivedBytes), p.alerts.total)
		}
	}
}

func (p *player) clearProgress() {
	if isTerminal(p.stderr) && !p.f.quiet {
		fmt.Fprint(p.stderr, "\r\033[K")
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// summary prints the closing lines: speed, then the ledger.
func (p *player) summary(w io.Writer) {
	l := &p.ledger
	fmt.Fprintf(w, "%s packets, %s, %s of traffic in %s", count(l.Received), size(l.ReceivedBytes),
		p.span.Round(time.Millisecond), p.took.Round(time.Millisecond))
	if s := p.took.Seconds(); s > 0 {
		fmt.Fprintf(w, " (%s packets/s, %.2f Gbit/s)", count(uint64(float64(l.Received)/s)), float64(l.ReceivedBytes)*8/s/1e9)
	}
	fmt.Fprintf(w, ", %d rules in %s, %d alerts\n", p.report.Loaded, p.loaded.Round(time.Millisecond), p.alerts.total)
	printLedger(w, l)
}

// printLedger prints the account of all frames on one line, and what is worth
// knowing about them on another.
func printLedger(w io.Writer, l *sensor.Ledger) {
	fmt.Fprintf(w, "ledger: received %d = processed %d", l.Received, l.Processed)
	for i, n := range l.Drops {
		if n > 0 {
			fmt.Fprintf(w, " + %s %d", sensor.DropNames[i], n)
		}
	}
	if d := l.Imbalance(); d != 0 {
		fmt.Fprintf(w, " + UNACCOUNTED %d", d)
	}
	fmt.Fprintln(w)
	if l.Tunnelled+l.Truncated+l.Kernel > 0 {
		fmt.Fprintf(w, "        mirrored %d (unknown source %d), cut %d, lost in the kernel %d\n", l.Tunnelled, l.Unknown, l.Truncated, l.Kernel)
	}
}

func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
