package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mirador/internal/agent"
	"mirador/internal/awscloud"
)

// mirrorNode is the software mirror as a process: one agent for each interface.
type mirrorNode struct {
	f      *mirrorFlags
	log    *slog.Logger
	cloud  mirrorCloud // nil when nothing is asked of AWS
	sender *agent.Host
	start  time.Time
	agents []*mirrorAgent
	state  atomic.Pointer[mirrorState]
	// want is what the agents do; only refresh changes it.
	want *mirrorWant
}

type mirrorAgent struct {
	name   string
	mirror agent.Engine
	notes  []string
	engine string // that was logged
}

// mirrorState is what refresh has found, for status.
type mirrorState struct {
	since time.Time // of the plans in use
	tried time.Time
	err   error // why the plans in use are not newer
	notes []string
}

func (f *mirrorFlags) run(ctx context.Context, stderr interface{ Write([]byte) (int, error) }) error {
	if err := f.check(); err != nil {
		return err
	}
	log, err := newLog(stderr, f.logFormat, f.logLevel)
	if err != nil {
		return err
	}
	loaded, err := f.loadFirst()
	defer func() {
		for _, l := range loaded {
			l.Close()
		}
	}()
	if err != nil {
		return err
	}
	// This starts the program again as another user, and does not return then.
	if err := dropPrivileges(f.user); err != nil {
		return fail(exitPermission, "choose another one with --user, or --user root to stay root", "become user %s: %w", f.user, err)
	}
	n := &mirrorNode{f: f, log: log, start: time.Now()}
	if len(f.session) > 0 || strings.HasPrefix(f.filter, "tmf-") {
		if n.cloud, err = awscloud.New(ctx, awscloud.Options{Region: f.region, Profile: f.profile, EndpointURL: f.endpoint}); err != nil {
			return fmt.Errorf("set up the AWS client: %w", err)
		}
	}
	return n.run(ctx)
}

// Variables of the environment by which the process that runs as root hands programs in
// the kernel on to the one without privileges that it becomes: what agent.Loaded.Hand
// says, or why there is nothing, for each interface.
const (
	loadedEnv    = "MIRADOR_LOADED_"
	notLoadedEnv = "MIRADOR_NOT_LOADED_"
)

// loadFirst loads what only root may, before it is no longer. The caller closes it, if it
// goes on as root.
func (f *mirrorFlags) loadFirst() (loaded []*agent.Loaded, err error) {
	if f.engine == agent.EngineAFPacket || !dropsPrivileges(f.user) {
		return nil, nil
	}
	limit, err := f.limits()
	if err != nil || f.encap == encapGENEVE { // not for the kernel, as will be seen
		return nil, err
	}
	for _, name := range f.interfaces {
		l, err := agent.Load(agent.Options{Iface: name, OtherEnd: f.otherEnd, Limit: limit})
		var text string
		if err == nil {
			loaded = append(loaded, l)
			text, err = l.Hand()
		}
		switch {
		case err == nil:
			err = os.Setenv(loadedEnv+name, text)
		case f.engine == agent.EngineAuto:
			err = os.Setenv(notLoadedEnv+name, agent.Reason(err))
		}
		if err != nil {
			return loaded, fail(permissionOr(err, exitFailed), "leave the choice to --engine auto", "load programs into the kernel: %w", err)
		}
	}
	return loaded, nil
}

// takeLoaded takes what loadFirst has loaded.
func takeLoaded(o *agent.Options) (err error) {
	o.NotLoaded = os.Getenv(notLoadedEnv + o.Iface)
	text := os.Getenv(loadedEnv + o.Iface)
	os.Unsetenv(notLoadedEnv + o.Iface)
	os.Unsetenv(loadedEnv + o.Iface)
	if text != "" {
		if o.Loaded, err = agent.Take(text); err != nil {
			return fmt.Errorf("take programs for %s: %w", o.Iface, err)
		}
	}
	return nil
}

// open finds out what to mirror and opens everything.
func (n *mirrorNode) open(ctx context.Context) error {
	want, err := n.f.want(ctx, n.cloud)
	if err != nil {
		return err
	}
	hint := "run it as root, or give it CAP_NET_RAW (setcap cap_net_raw+ep, or AmbientCapabilities=CAP_NET_RAW)"
	if n.f.engine == agent.EngineEBPF {
		hint = "run it as root, or give it CAP_NET_RAW, CAP_BPF and CAP_NET_ADMIN; or leave the choice to --engine auto"
	}
	if n.sender, err = agent.NewHost(agent.HostOptions{}); err != nil {
		return fail(permissionOr(err, exitFailed), hint, "open sockets to send with: %w", err)
	}
	limit, err := n.f.limits()
	if err != nil {
		return err
	}
	for _, name := range n.f.interfaces {
		p, notes, err := n.f.plan(want, name, n.sender)
		if err != nil {
			return err
		}
		o := agent.Options{Iface: name, OtherEnd: n.f.otherEnd, RingBytes: n.f.ring << 20, Limit: limit}
		if err := takeLoaded(&o); err != nil {
			return err
		}
		m, err := agent.Open(n.f.engine, o, p)
		if err != nil {
			return fail(permissionOr(err, exitFailed), hint, "mirror %s: %w", name, err)
		}
		a := &mirrorAgent{name: name, mirror: m, notes: notes}
		n.agents = append(n.agents, a)
		n.log.Info("mirroring", "interface", name, "sessions", len(p.Routes), "filters", len(want.Filters), n.engine(a))
	}
	n.want = want
	n.found(nil)
	return nil
}

// engine tells by which engine an interface is mirrored, and why it is not eBPF.
func (n *mirrorNode) engine(a *mirrorAgent) slog.Attr {
	name, why := a.mirror.Engine()
	a.engine = name
	if why == "" {
		return slog.String("engine", name)
	}
	return slog.Group("", slog.String("engine", name), slog.String("not_ebpf", why))
}

// found notes the outcome of a refresh.
func (n *mirrorNode) found(err error) {
	now := time.Now()
	s := &mirrorState{since: now, tried: now, err: err}
	if old := n.state.Load(); err != nil && old != nil {
		s.since = old.since
	}
	for _, a := range n.agents {
		for _, note := range a.notes {
			if !slices.Contains(s.notes, note) { // several interfaces have the same targets
				s.notes = append(s.notes, note)
			}
		}
	}
	old := n.state.Swap(s)
	for _, note := range s.notes {
		if old == nil || !slices.Contains(old.notes, note) {
			n.log.Warn("not everything arrives", "why", note)
		}
	}
}

func (n *mirrorNode) close() {
	for _, a := range n.agents {
		a.mirror.Close()
	}
	if n.sender != nil {
		n.sender.Close()
	}
}

func (n *mirrorNode) run(ctx context.Context) error {
	defer n.close()
	if err := n.open(ctx); err != nil {
		return err
	}
	stop, err := n.serve()
	if err != nil {
		return err
	}
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)
	var wg sync.WaitGroup
	ended := make(chan error, len(n.agents))
	for _, a := range n.agents {
		wg.Go(func() {
			if err := a.mirror.Run(ctx); err != nil {
				ended <- fmt.Errorf("mirror %s: %w", a.name, err)
			}
		})
	}
	notify("READY=1\nSTATUS=mirroring")
	err = n.follow(ctx, signals, ended)
	notify("STOPPING=1")
	cancel()
	wg.Wait()
	n.report("stopped")
	return err
}

// follow refreshes the plans until the end.
func (n *mirrorNode) follow(ctx context.Context, signals <-chan os.Signal, ended <-chan error) error {
	refresh := time.NewTicker(n.f.refresh)
	defer refresh.Stop()
	var stats <-chan time.Time
	if n.f.every > 0 {
		t := time.NewTicker(n.f.every)
		defer t.Stop()
		stats = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case <-stats:
			n.report("counters")
		case <-refresh.C:
			n.refresh(ctx)
		case s := <-signals:
			if s == syscall.SIGUSR1 {
				n.report("counters")
				continue
			}
			n.refresh(ctx)
		}
	}
}

// refreshTime bounds the calls of one refresh.
const refreshTime = time.Minute

// refresh looks again at what to mirror, and swaps the plans when it has changed. With an
// error the old ones stay.
func (n *mirrorNode) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	err := n.refreshErr(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		n.log.Warn("what to mirror cannot be found out, going on as before", "error", err)
	}
	n.found(err)
}

func (n *mirrorNode) refreshErr(ctx context.Context) error {
	want, err := n.f.want(ctx, n.cloud)
	if err != nil {
		return err
	}
	changed := !want.same(n.want)
	var errs []error
	for _, a := range n.agents {
		// Addresses and MTUs of the host may have changed too; a plan that is the same costs
		// nothing.
		p, notes, err := n.f.plan(want, a.name, n.sender)
		if err == nil {
			err = a.mirror.Swap(p)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		a.notes = notes
		if name, _ := a.mirror.Engine(); name != a.engine {
			n.log.Warn("another engine mirrors from now on, and counts from 0", "interface", a.name, n.engine(a))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if changed {
		n.log.Info("mirroring something else from now on", "sessions", len(want.Sessions), "filters", len(want.Filters))
	}
	n.want = want
	return nil
}

// report logs the counters.
func (n *mirrorNode) report(what string) {
	for _, a := range n.agents {
		c := a.mirror.Counters()
		args := []any{"interface", a.name, "frames", c.Frames, "mirrored", c.Mirrored(), "passed", c.Passed(), "skipped", c.Skipped(),
			"errors", c.Errors(), "kernel_drops", c.KernelDrops, "imbalance", c.Imbalance()}
		if err := a.mirror.LastError(); err != nil {
			args = append(args, "last_error", err)
		}
		n.log.Info(what, args...)
	}
}
