package vpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mirador/internal/ec2api"
)

// checker looks at the targets of load balancers as their target groups say: from the
// node of the target's zone, or any node with cross-zone load balancing.
type checker struct {
	o   Options
	log *slog.Logger

	mu      sync.Mutex // mu guards probes and unused
	probes  map[string]*probe
	unused  map[string]ec2api.TargetHealth
	groups  map[string]*groupHealth // by ARN
	running sync.WaitGroup
}

// groupHealth says when all targets of a group are used because none passes.
type groupHealth struct {
	targets []*targetLive
	open    *atomic.Bool
}

// probe looks at one target.
type probe struct {
	spec   probeSpec
	live   *targetLive
	stop   context.CancelFunc
	health ec2api.TargetHealth // guarded by checker.mu
	good   int                 // checks passed in a row
	bad    int                 // checks failed in a row
	known  bool                // no longer initial
}

// probeSpec is what to look at, from where, and how.
type probeSpec struct {
	check ec2api.HealthCheck
	addr  netip.AddrPort
	node  string // interface of the node it is looked at from
}

func newChecker(o Options, log *slog.Logger) *checker {
	return &checker{o: o, log: log, probes: map[string]*probe{}, unused: map[string]ec2api.TargetHealth{}, groups: map[string]*groupHealth{}}
}

func initial() ec2api.TargetHealth {
	return ec2api.TargetHealth{State: "initial", Reason: "Elb.InitialHealthChecking", Description: "Initial health checks in progress"}
}

// TargetHealth tells how a target is; false when it is not known here.
func (c *checker) TargetHealth(group string, t ec2api.TargetID) (ec2api.TargetHealth, bool) {
	key := targetKey(group, t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.probes[key]; p != nil {
		return p.health, true
	}
	h, ok := c.unused[key]
	return h, ok
}

// follow begins and ends probes as a plan wants. space finds the namespace of a node.
func (c *checker) follow(snap *ec2api.Snapshot, p *plan, space func(eni string) *namespace) {
	want := map[string]probeSpec{}
	lives := map[string]*targetLive{}
	unused := map[string]ec2api.TargetHealth{}
	groups := map[string]*groupHealth{}
	for _, n := range p.nodes {
		for i := range n.lb.listeners {
			for _, fw := range n.lb.listeners[i].forward {
				c.wanted(snap, p, n.lb, fw.group, want, lives, unused)
				gh := &groupHealth{open: fw.group.open}
				for _, t := range fw.group.targets {
					gh.targets = append(gh.targets, t.live)
				}
				groups[fw.group.arn] = gh
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unused, c.groups = unused, groups
	for key, x := range c.probes {
		if s, ok := want[key]; !ok || s != x.spec || lives[key] != x.live {
			x.stop()
			delete(c.probes, key)
			if !ok {
				x.live.healthy.Store(false)
			}
		}
	}
	for key, s := range want {
		if c.probes[key] != nil {
			continue
		}
		ns := space(s.node)
		if ns == nil {
			unused[key] = initial() // the node is being made: the next snapshot has it
			continue
		}
		ctx, stop := context.WithCancel(context.Background())
		x := &probe{spec: s, live: lives[key], stop: stop, health: initial()}
		c.probes[key] = x
		c.running.Add(1)
		go c.run(ctx, x, ns)
	}
	for _, g := range groups {
		g.update()
	}
}

// wanted says which targets of a group are looked at, and why others are not.
func (c *checker) wanted(snap *ec2api.Snapshot, p *plan, lb *balancer, g *targetGroup, want map[string]probeSpec, lives map[string]*targetLive, unused map[string]ec2api.TargetHealth) {
	tg := snap.TargetGroups[g.arn]
	for _, t := range g.targets {
		key := t.live.key
		node := ""
		for _, n := range lb.nodes {
			if n.zone == t.zone || node == "" && (lb.crossZone || t.zone == "all") {
				node = n.eni
			}
		}
		switch e := p.enis[t.eni]; {
		case node == "":
			unused[key] = ec2api.TargetHealth{State: "unused", Reason: "Target.NotInUse", Description: "Target is in an Availability Zone that is not enabled for the load balancer"}
			continue
		case e != nil && tg.TargetType == "instance" && !e.hasPort:
			unused[key] = ec2api.TargetHealth{State: "unused", Reason: "Target.InvalidState", Description: "Target is in the stopped state"}
			continue
		}
		port := int(t.port)
		if n, err := strconv.Atoi(tg.Check.Port); err == nil {
			port = n
		}
		s := probeSpec{check: tg.Check, addr: netip.AddrPortFrom(t.addr, uint16(port)), node: node}
		if c.o.HealthInterval > 0 {
			s.check.Interval = c.o.HealthInterval
		}
		if c.o.HealthTimeout > 0 {
			s.check.Timeout = c.o.HealthTimeout
		}
		want[key], lives[key] = s, t.live
	}
}

// update opens the group to all targets when none passes its checks.
func (g *groupHealth) update() {
	any := false
	for _, t := range g.targets {
		any = any || t.healthy.Load()
	}
	g.open.Store(!any)
}

// run looks at a target again and again, until ctx ends.
func (c *checker) run(ctx context.Context, p *probe, ns *namespace) {
	defer c.running.Done()
	interval := max(p.spec.check.Interval, time.Millisecond)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		reason, text := p.spec.look(ctx, ns)
		if ctx.Err() != nil {
			return
		}
		c.note(p, reason, text)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// note counts the outcome of a check. A new target needs one check that passes; later
// the thresholds count.
func (c *checker) note(p *probe, reason, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := p.health.State
	if reason == "" {
		p.good, p.bad = p.good+1, 0
		if !p.known || p.good >= p.spec.check.Healthy {
			p.known = true
			p.health = ec2api.TargetHealth{State: "healthy"}
		}
	} else {
		p.good, p.bad = 0, p.bad+1
		if p.bad >= p.spec.check.Unhealthy {
			p.known = true
			p.health = ec2api.TargetHealth{State: "unhealthy", Reason: reason, Description: text}
		}
	}
	if p.health.State == was {
		return
	}
	p.live.healthy.Store(p.health.State == "healthy")
	for _, g := range c.groups {
		g.update()
	}
	c.log.Info("target health", "target", p.spec.addr.Addr().String(), "state", p.health.State, "reason", p.health.Reason)
}

// look makes one check; reason is empty when it passes.
func (s *probeSpec) look(ctx context.Context, ns *namespace) (reason, text string) {
	if !s.check.Enabled {
		return "", ""
	}
	ctx, cancel := context.WithTimeout(ctx, s.check.Timeout)
	defer cancel()
	dial := func(ctx context.Context, network, _ string) (conn net.Conn, err error) {
		err = ns.in(func() error {
			var d net.Dialer
			conn, err = d.DialContext(ctx, "tcp", s.addr.String())
			return err
		})
		return conn, err
	}
	switch s.check.Protocol {
	case "HTTP", "HTTPS":
		return s.http(ctx, dial)
	}
	conn, err := dial(ctx, "tcp", "")
	if err != nil {
		return failed(err)
	}
	conn.Close()
	return "", ""
}

// failed gives the reason code for an error.
func failed(err error) (reason, text string) {
	var n net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout() {
		return "Target.Timeout", "Request timed out"
	}
	return "Target.FailedHealthChecks", "Health checks failed"
}

// maxBody bounds what is read of a health check's answer, in bytes.
const maxBody = 64 << 10

func (s *probeSpec) http(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error)) (reason, text string) {
	t := &http.Transport{
		DialContext: dial, DisableKeepAlives: true, MaxResponseHeaderBytes: maxBody,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // as AWS does: targets have certificates of their own
	}
	defer t.CloseIdleConnections()
	path := s.check.Path
	if path == "" {
		path = "/"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ToLower(s.check.Protocol)+"://"+s.addr.String()+path, nil)
	if err != nil {
		return "Target.FailedHealthChecks", "Health checks failed"
	}
	req.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	res, err := t.RoundTrip(req)
	if err != nil {
		return failed(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxBody)); err != nil {
		return failed(err)
	}
	if !matches(s.check.Matcher, res.StatusCode) {
		return "Target.ResponseCodeMismatch", fmt.Sprintf("Health checks failed with these codes: [%d]", res.StatusCode)
	}
	return "", ""
}

// matches tells whether a status is one of a matcher's, "200", "200-399" or "200,302".
func matches(matcher string, status int) bool {
	if matcher == "" {
		return 200 <= status && status <= 399
	}
	for _, part := range strings.Split(matcher, ",") {
		from, to, ok := strings.Cut(strings.TrimSpace(part), "-")
		if !ok {
			to = from
		}
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA == nil && errB == nil && a <= status && status <= b {
			return true
		}
	}
	return false
}

// close ends all probes.
func (c *checker) close() {
	c.mu.Lock()
	for _, p := range c.probes {
		p.stop()
	}
	c.mu.Unlock()
	c.running.Wait()
}
