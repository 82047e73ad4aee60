package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"mirador/internal/config"
	"mirador/internal/rule"
	"mirador/internal/sensor"
	"mirador/internal/web"
)

// loaded is one reading of configuration, rules and sources.
type loaded struct {
	file    *config.File
	engine  *engine
	gen     sensor.Generation
	refused int
	at      time.Time
	took    time.Duration
	known   int      // sources in the sources file
	restart []string // settings whose change waits for a restart
}

// liveKeys are the settings that a reload takes over. All others need a restart,
// and are named when they differ.
var liveKeys = []string{"allow.", "rules.", "vars.", "sources"}

// build reads everything anew. With prev, protocols and state across flows are those
// of prev, as live flows go on with them.
func (n *node) build(prev *loaded) (*loaded, error) {
	began := time.Now()
	m := &n.o.material
	file, err := m.config()
	if err != nil {
		return nil, err
	}
	l := &loaded{file: file}
	flat, err := suricataSettings(file)
	if err != nil {
		return nil, err
	}
	if prev == nil {
		if l.engine, err = newEngine(flat); err != nil {
			return nil, err
		}
	} else {
		if err := roomFor(prev.engine.report.Memory); err != nil {
			return nil, err
		}
		e := *prev.engine
		e.flat, e.detect, e.report, e.problems = flat, nil, nil, nil
		l.engine = &e
		l.restart = restartKeys(prev.file, file)
	}
	if err := n.compile(l); err != nil {
		return nil, err
	}
	if l.gen.Sources, err = m.readSources(file); err != nil {
		return nil, err
	}
	if l.gen.Sources != nil {
		l.known = l.gen.Sources.Len()
	}
	if l.gen.AllowSource, l.gen.AllowVNI, err = allow(file); err != nil {
		return nil, err
	}
	l.gen.Engine = l.engine.detect
	l.at, l.took = time.Now(), time.Since(began)
	return l, nil
}

// roomFor refuses a reload that would not fit the memory limit (GOMEMLIMIT): old and
// new rules are there at once.
func roomFor(rules int) error {
	m := memory()
	if m.Limit > 0 && int64(m.Heap)+int64(rules) > m.Limit {
		return fmt.Errorf("no room for new rules beside the old ones: %s in use, some %s needed, the limit is %s",
			size(m.Heap), size(uint64(rules)), size(uint64(m.Limit)))
	}
	return nil
}

// suricataSettings are the settings that file amounts to, with the files of its
// section rules under Suricata's names.
func suricataSettings(file *config.File) (*config.Flat, error) {
	flat, err := file.Flat()
	if err != nil {
		return nil, err
	}
	for _, kv := range [][2]string{{"classification-file", file.Rules.Classifications},
		{"reference-config-file", file.Rules.References}, {"threshold-file", file.Rules.Thresholds}} {
		if kv[1] == "" {
			continue
		}
		if err := flat.Set(kv[0] + "=" + kv[1]); err != nil {
			return nil, err
		}
	}
	return flat, nil
}

// compile reads the rules of l and compiles them.
func (n *node) compile(l *loaded) error {
	p := &engineParams{rules: l.file.Rules.Files}
	if l.file.Sensor.State != "" {
		p.dataDir = dataDir(l.file)
	}
	var rules []*rule.Rule
	var problems []rule.Problem
	var err error
	if n.o.material.rules != nil {
		name, text := n.o.material.rules()
		rules, problems = rule.Parse(name, text)
	} else if rules, problems, err = readRules(p.rules); err != nil {
		return err
	}
	if rules, problems, err = filterRules(&l.file.Rules, rules, problems); err != nil {
		return err
	}
	if err := l.engine.compileRules(p, rules, problems); err != nil {
		return err
	}
	for _, p := range l.engine.problems {
		if !p.Warning {
			l.refused++
		}
	}
	if l.engine.report.Loaded == 0 && l.refused > 0 {
		return fmt.Errorf("all %s were refused; the first: %s", plural(l.refused, "rule"), l.engine.problems[0].String())
	}
	return nil
}

// filterRules applies rules.enable, disable and modify.
func filterRules(c *config.Rules, rules []*rule.Rule, problems []rule.Problem) ([]*rule.Rule, []rule.Problem, error) {
	if len(c.Disable)+len(c.Enable)+len(c.Modify) == 0 {
		return rules, problems, nil
	}
	var f rule.Filters
	var bad []rule.Problem
	lines := func(l []string) []byte { return []byte(strings.Join(l, "\n")) }
	collect := func(p []rule.Problem) { bad = append(bad, p...) }
	var p []rule.Problem
	f.Disable, p = rule.ParseMatchers("rules.disable", lines(c.Disable))
	collect(p)
	f.Enable, p = rule.ParseMatchers("rules.enable", lines(c.Enable))
	collect(p)
	f.Modify, p = rule.ParseModifiers("rules.modify", lines(c.Modify))
	collect(p)
	if len(bad) > 0 {
		return nil, nil, errors.New(bad[0].String())
	}
	var set rule.Set
	set.Add(rules, problems)
	set.Apply(f)
	return set.Rules(), set.Problems(), nil
}

// restartKeys names the settings that differ and are not taken over by a reload.
func restartKeys(old, new *config.File) []string {
	var out []string
	for _, k := range config.Diff(old, new) {
		if !isLive(k) {
			out = append(out, k)
		}
	}
	return out
}

// isLive tells whether a reload takes over the setting at path.
func isLive(path string) bool {
	return slices.ContainsFunc(liveKeys, func(p string) bool {
		return path == p || strings.HasSuffix(p, ".") && strings.HasPrefix(path, p)
	})
}

// report logs what was loaded.
func (l *loaded) report(log *slog.Logger) {
	r := l.engine.report
	log.Info("rules loaded", "loaded", r.Loaded, "refused", l.refused, "skipped", r.Skipped, "sources", l.known, "seconds", l.took.Seconds())
	const few = 10
	shown := 0
	for _, p := range l.engine.problems {
		if p.Warning {
			continue
		}
		if shown++; shown <= few {
			log.Warn("rule refused", "problem", p.String())
		}
	}
	if shown > few {
		log.Warn("more rules refused", "count", shown-few, "hint", "mirador rules check FILE shows all")
	}
	if r.Loaded == 0 {
		log.Warn("no rules: there will be events and no alerts", "hint", "set rules.files, or give --rules")
	}
	if len(l.restart) > 0 {
		log.Warn("changed settings that need a restart", "settings", strings.Join(l.restart, " "))
	}
}

// reloader sees that one reload is in work at a time and remembers how they went.
type reloader struct {
	work sync.Mutex // held while one is in work

	mu       sync.Mutex // guards what follows
	at       time.Time  // of what is in use
	done     uint64
	failed   uint64
	stale    time.Time // zero unless the last reload failed
	why      string
	restart  []string
	again    bool // asked for by a signal while one was in work
	signals  bool // a goroutine serves signals
	lastTook time.Duration
}

func (r *reloader) loaded(l *loaded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.stale, r.why, r.restart, r.lastTook = l.at, time.Time{}, "", l.restart, l.took
}

// Reload builds everything anew beside what is in use and exchanges it, or leaves all
// as it is and remembers why.
func (n *node) Reload(context.Context) (*web.Reload, error) {
	r := &n.reload
	if !r.work.TryLock() {
		return nil, web.ErrBusy
	}
	defer r.work.Unlock()
	return n.exchange()
}

// exchange is Reload with reloader.work held.
func (n *node) exchange() (*web.Reload, error) {
	r := &n.reload
	live, cur := n.live.Load(), n.cur.Load()
	if live == nil {
		return nil, errors.New("the sensor is still starting")
	}
	l, err := n.build(cur)
	if err != nil {
		r.mu.Lock()
		r.failed++
		if r.stale.IsZero() {
			r.stale = time.Now()
		}
		r.why = err.Error()
		r.mu.Unlock()
		n.log.Error("reload refused, the old rules and settings stay", "error", err)
		return nil, err
	}
	// What needs a restart is told until there was one: the comparison is always
	// with what is really in use.
	in := *l.file
	in.Sensor, in.Dedup, in.EVE, in.Health, in.Management, in.Memcaps = cur.file.Sensor, cur.file.Dedup, cur.file.EVE, cur.file.Health, cur.file.Management, cur.file.Memcaps
	in.Suricata, in.SuricataAt, in.Set = cur.file.Suricata, cur.file.SuricataAt, cur.file.Set
	l.file = &in
	live.Swap(l.gen)
	n.cur.Store(l)
	r.loaded(l)
	r.mu.Lock()
	r.done++
	r.mu.Unlock()
	l.report(n.log)
	return &web.Reload{Rules: l.engine.report.Loaded, Refused: l.refused, Seconds: l.took.Seconds(), Restart: l.restart}, nil
}

// signalled starts a reload in the background. One that is asked for while another is
// in work follows it, once.
func (n *node) signalled(ctx context.Context) {
	for _, s := range n.sinks() {
		s.Reopen()
	}
	r := &n.reload
	r.mu.Lock()
	defer r.mu.Unlock()
	r.again = true
	if r.signals {
		return
	}
	r.signals = true
	go func() {
		for {
			r.mu.Lock()
			if !r.again || ctx.Err() != nil {
				r.signals = false
				r.mu.Unlock()
				return
			}
			r.again = false
			r.mu.Unlock()
			notify("RELOADING=1\n" + monotonicUsec())
			// One by the API may be in work; it may have read the files before they
			// changed, so this one takes its turn.
			r.work.Lock()
			n.exchange() // remembers and logs how it went
			r.work.Unlock()
			notify("READY=1")
		}
	}()
}

// rulesState is the state of the rules for status and metrics.
func (n *node) rulesState() web.Rules {
	l := n.cur.Load()
	r := &n.reload
	r.mu.Lock()
	defer r.mu.Unlock()
	out := web.Rules{Reloads: r.done, Failed: r.failed, StaleWhy: r.why, Restart: r.restart, LoadedAt: r.at}
	if l != nil {
		rep := l.engine.report
		out.Loaded, out.Refused, out.Skipped, out.Disabled = rep.Loaded, l.refused, rep.Skipped, rep.Disabled
	}
	if !r.stale.IsZero() {
		t := r.stale
		out.StaleSince = &t
	}
	return out
}
