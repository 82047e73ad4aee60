package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"mirador/internal/awscloud"
	"mirador/internal/setup"
)

// watchFlags are those of aws watch.
type watchFlags struct {
	*awsFlags
	once, asJSON         bool
	queue, listen, rates string
	logFormat, logLevel  string
	o                    setup.WatchOptions
}

func awsWatch(f *awsFlags) *cobra.Command {
	w := &watchFlags{awsFlags: f}
	c := &cobra.Command{
		Use:   "watch",
		Short: "keep sessions in step with instances that come, go and stop",
		Long: `Watch makes and removes sessions as instances come, go, stop and change; it touches nothing
else. Each round looks at the account, from time to time or when a queue tells of a change
of an instance (an EventBridge rule for "EC2 Instance State-change Notification" with an
SQS queue as its target), stays within a budget of calls, and waits longer after failures.

It tells of sessions of stopped instances, which cost and see nothing, and raises an alarm
on sessions and targets that Mirador did not make, or that belong to other accounts.
A round that would take away most sessions is held back once.

With --once it makes one round and prints it; the exit code is 2 when there is an alarm or
something is left to do, 3 when changes could not be made.`,
		Example: `  mirador aws watch --once
  mirador aws watch --queue https://sqs.eu-west-1.amazonaws.com/123456789012/mirador-prod`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return w.run(c) },
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.BoolVar(&w.once, "once", false, "make one round, print it and end")
	fl.BoolVar(&w.asJSON, "json", false, "with --once: print it as JSON")
	fl.BoolVar(&w.o.DryRun, "dry-run", false, "tell what would be done, change nothing")
	fl.DurationVar(&w.o.Interval, "interval", setup.DefaultWatchInterval, "`pause` between rounds")
	fl.Float64Var(&w.o.Jitter, "jitter", 0.2, "by which `share` a pause may be shorter or longer")
	fl.IntVar(&w.o.CallsPerMinute, "calls-per-minute", 120, "how many API `calls` a minute it may make; 0: no bound")
	fl.StringVar(&w.queue, "queue", "", "`URL` of the SQS queue with events")
	fl.DurationVar(&w.o.Settle, "settle", setup.DefaultSettle, "how `long` to wait for more events after the first")
	fl.BoolVar(&w.o.ReleaseStopped, "release-stopped", false, "remove the sessions of stopped instances until they run again")
	fl.StringSliceVar(&w.o.Allow, "allow", nil, "`ids` of sessions, targets and accounts that are no reason for an alarm")
	fl.StringVar(&w.listen, "listen", "127.0.0.1:9479", "`address` of the metrics; none for no metrics")
	fl.StringVar(&w.rates, "rates", "", "`file` with prices")
	fl.StringVar(&w.logFormat, "log-format", "text", "`form` of the log: text or json")
	fl.StringVar(&w.logLevel, "log-level", "info", "`level` of the log: error, warn, info or debug")
	return c
}

func (f *watchFlags) run(c *cobra.Command) error {
	log, err := newLog(c.ErrOrStderr(), f.logFormat, f.logLevel)
	if err != nil {
		return err
	}
	if f.o.Interval < time.Second || f.o.CallsPerMinute < 0 || f.o.Settle < 0 {
		return fail(exitUsage, "mirador aws watch --help", "--interval must be at least 1s, --calls-per-minute and --settle not below 0")
	}
	s, _, err := f.spec(c)
	if err != nil {
		return err
	}
	client, err := f.connect(c.Context(), s)
	if err != nil {
		return err
	}
	if f.o.Rates, err = rates(f.rates, client.Region()); err != nil {
		return fail(exitUsage, "a rates file looks like docs/reference/aws.md shows", "%w", err)
	}
	if f.queue != "" && !f.once {
		q, err := client.Queue(f.queue)
		if err != nil {
			return fail(exitUsage, "", "%w", err)
		}
		f.o.Queue = q
	}
	f.o.Spec, f.o.Now, f.o.Random = s, time.Now, rand.Float64
	f.o.Lock = func(who setup.Identity) (func(), error) { return lockStack(s.Name, who) }
	f.o.QueueState = func(err error) {
		if err != nil {
			log.Error("the queue does not answer: rounds come by time only", "queue", f.queue, "error", err)
			return
		}
		log.Info("the queue answers again", "queue", f.queue)
	}
	f.o.Used = func() int { return ec2Calls(client) }
	if !f.once {
		f.o.Report = func(r *setup.Round) { logRound(log, r, f.o.DryRun) }
	}
	w, err := setup.NewWatcher(client, f.o)
	if err != nil {
		return fail(exitUsage, "mirador aws watch --help", "%w", err)
	}
	if f.once {
		r := w.Round(c.Context(), "once")
		f.told(c.ErrOrStderr(), client)
		return f.print(c.OutOrStdout(), r)
	}
	defer f.reloads(log, w)()
	stop, err := f.serve(log, w)
	if err != nil {
		return err
	}
	defer stop()
	log.Info("watching", "stack", s.Name, "region", client.Region(), "interval", f.o.Interval)
	notify("READY=1")
	defer notify("STOPPING=1")
	return w.Run(c.Context())
}

// lockStack keeps other runs of this user on a stack out. Where no state can be kept there is
// no lock.
func lockStack(stack string, who setup.Identity) (unlock func(), err error) {
	path, err := journalPath("", stack, who)
	if err != nil {
		return func() {}, nil
	}
	unlock, err = setup.LockStack(path + ".lock")
	if err != nil && !errors.Is(err, setup.ErrLocked) {
		return func() {}, nil
	}
	return unlock, err
}

// reloads takes the description anew at each SIGHUP, until the returned function is called. One
// that is wrong is told, and the old one stays.
func (f *watchFlags) reloads(log *slog.Logger, w *setup.Watcher) (stop func()) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hup {
			s, err := setup.ReadSpec(f.file)
			if err == nil {
				err = w.Reload(s)
			}
			if err != nil {
				log.Error("the old description stays", "file", f.file, "error", err)
				continue
			}
			log.Info("description taken anew", "file", f.file)
		}
	}()
	return func() {
		signal.Stop(hup)
		close(hup)
		<-done
	}
}

// ec2Calls counts the calls that the account's limits are about: not those of the queue,
// which only waits.
func ec2Calls(client *awscloud.Client) int {
	n, list := client.Calls()
	for _, x := range list {
		if strings.HasPrefix(x.Action, "sqs:") {
			n -= x.Count
		}
	}
	return n
}

func logRound(log *slog.Logger, r *setup.Round, dry bool) {
	for _, c := range r.Done {
		log.Info("session", "change", string(c.Mark), "key", c.Key, "id", c.ID, "name", c.Name, "why", c.Why, "dry_run", dry)
	}
	for _, f := range r.Failed {
		log.Error("session not changed", "change", string(f.Change.Mark), "key", f.Change.Key, "id", f.Change.ID, "error", f.Err)
	}
	for _, f := range r.New {
		log.Warn("alarm", "code", f.Code, "subject", f.Subject, "text", f.Text, "remedy", f.Remedy)
	}
	for _, f := range r.Gone {
		log.Info("alarm is over", "code", f.Code, "subject", f.Subject)
	}
	if r.Held {
		log.Warn("most sessions would go: held back until the next round sees the same", "removals", r.Deferred)
	}
	if r.Drift > 0 {
		log.Warn("something else than sessions differs", "changes", r.Drift, "hint", "mirador aws plan")
	}
	if errors.Is(r.Err, setup.ErrLocked) {
		log.Info("another run is at work on this stack: this round is left out", "next", r.Next)
		return
	}
	if r.Err != nil && len(r.Failed) == 0 {
		var ce *setup.CloudError
		hint := ""
		if errors.As(r.Err, &ce) {
			hint = ce.Hint
		}
		log.Error("round failed", "error", r.Err, "hint", hint, "next", r.Next)
		return
	}
	log.Debug("round", "cause", r.Cause, "sessions", r.Sessions, "want", r.Want, "done", len(r.Done), "deferred", r.Deferred, "hints", len(r.Hints), "calls", r.Calls, "next", r.Next)
}

// print prints one round and gives its exit code.
func (f *watchFlags) print(w io.Writer, r *setup.Round) error {
	if r.Err != nil && len(r.Failed) == 0 {
		return awsFailure(r.Err)
	}
	var err error
	if f.asJSON {
		done := []map[string]string{}
		for _, c := range r.Done {
			done = append(done, map[string]string{"change": string(c.Mark), "key": c.Key, "id": c.ID, "name": c.Name, "why": c.Why})
		}
		failed := []map[string]string{}
		for _, x := range r.Failed {
			failed = append(failed, map[string]string{"key": x.Change.Key, "error": x.Err.Error()})
		}
		err = writeJSON(w, map[string]any{"sessions": r.Sessions, "want": r.Want, "done": done, "failed": failed, "deferred": r.Deferred, "drift": r.Drift,
			"alarms": some(r.Alarms), "hints": some(r.Hints), "dry_run": f.o.DryRun})
	} else {
		for _, c := range r.Done {
			fmt.Fprintf(w, "%-3s session %s %s: %s\n", c.Mark, c.ID, c.Name, c.Why)
		}
		for _, x := range r.Failed {
			fmt.Fprintf(w, "✗   %v\n", x)
		}
		for _, x := range append(r.Alarms, r.Hints...) {
			fmt.Fprintf(w, "!   %s %s: %s\n      try: %s\n", x.Code, x.Subject, x.Text, x.Remedy)
		}
		verb := "changed"
		if f.o.DryRun {
			verb = "to change"
		}
		_, err = fmt.Fprintf(w, "%d sessions, %d wanted; %d %s, %d failed, %d deferred, %d alarms; drift beside sessions: %d\n",
			r.Sessions, r.Want, len(r.Done), verb, len(r.Failed), r.Deferred, len(r.Alarms), r.Drift)
	}
	switch {
	case err != nil:
		return err
	case len(r.Failed) > 0:
		return &failure{exitPartial, errQuiet, ""}
	case len(r.Alarms) > 0 || r.Deferred > 0 || r.Drift > 0:
		return &failure{exitFindings, errQuiet, ""}
	}
	return nil
}

func some(list []setup.Finding) []setup.Finding {
	if list == nil {
		return []setup.Finding{}
	}
	return list
}

// serve opens the listener of metrics.
func (f *watchFlags) serve(log *slog.Logger, w *setup.Watcher) (stop func(), err error) {
	if f.listen == "" || f.listen == "none" {
		return func() {}, nil
	}
	l, err := listenAny(f.listen)
	if err != nil {
		return nil, fail(permissionOr(err, exitFailed), "choose another address with --listen, or none", "open the listener of metrics: %w", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		log.Warn("metrics are open to others", "address", f.listen)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &watchCollector{w})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	const patience = 10 * time.Second
	srv := &http.Server{Handler: localNames(mux), ReadTimeout: patience, ReadHeaderTimeout: patience, WriteTimeout: patience, IdleTimeout: patience, MaxHeaderBytes: 16 << 10}
	done := make(chan struct{})
	go func() { srv.Serve(l); close(done) }()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		srv.Shutdown(ctx)
		<-done
	}, nil
}

// watchCollector makes the metrics of a scrape.
type watchCollector struct{ w *setup.Watcher }

// Describe says nothing: codes of alarms come and go.
func (*watchCollector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics.
func (c *watchCollector) Collect(out chan<- prometheus.Metric) {
	descs := map[string]*prometheus.Desc{}
	send := func(kind prometheus.ValueType, name, help string, v float64, pairs ...string) {
		var labels, values []string
		for i := 0; i+1 < len(pairs); i += 2 {
			labels, values = append(labels, pairs[i]), append(values, pairs[i+1])
		}
		name = "mirador_watch_" + name
		if descs[name] == nil {
			descs[name] = prometheus.NewDesc(name, help, labels, nil)
		}
		if m, err := prometheus.NewConstMetric(descs[name], kind, v, values...); err == nil {
			out <- m
		}
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	s := c.w.Stats()
	send(counter, "rounds_total", "Looks at the account, by result.", float64(s.Rounds-s.FailedRounds), "result", "ok")
	send(counter, "rounds_total", "", float64(s.FailedRounds), "result", "failed")
	send(counter, "changes_total", "Sessions made, changed and removed.", float64(s.Created), "change", "create")
	send(counter, "changes_total", "", float64(s.Modified), "change", "modify")
	send(counter, "changes_total", "", float64(s.Deleted), "change", "delete")
	send(counter, "failed_changes_total", "Changes of sessions that were refused.", float64(s.FailedChanges))
	send(counter, "events_total", "Messages of the queue, by what they were.", float64(s.Events.Good), "kind", "instance")
	send(counter, "events_total", "", float64(s.Events.Junk), "kind", "junk")
	send(counter, "events_total", "", float64(s.Events.Foreign), "kind", "foreign")
	up := 1.0
	if s.Events.Deaf {
		up = 0
	}
	send(gauge, "queue_up", "1 while the queue answers, or there is none.", up)
	send(counter, "queue_errors_total", "Times that the queue did not answer.", float64(s.Events.Errors))
	send(gauge, "sessions", "Sessions of the stack at the last round.", float64(s.Last.Sessions))
	send(gauge, "sessions_wanted", "Sessions that the description means.", float64(s.Last.Want))
	send(gauge, "sessions_idle", "Sessions whose instance is stopped: they cost and see nothing.", float64(len(s.Last.Hints)))
	send(gauge, "deferred", "Changes left to the next round.", float64(s.Last.Deferred))
	send(gauge, "drift", "Changes beside sessions that aws apply would make.", float64(s.Last.Drift))
	alarms := map[string]int{"rogue-session": 0, "rogue-target": 0, "foreign-session": 0, "foreign-target": 0, "moved-session": 0}
	for _, f := range s.Last.Alarms {
		alarms[f.Code]++
	}
	for code, n := range alarms {
		send(gauge, "alarms", "Sessions and targets that are not ours, by kind.", float64(n), "code", code)
	}
	send(gauge, "round_calls", "API calls of the last round.", float64(s.Last.Calls))
	send(gauge, "pause_seconds", "Pause after the last round.", s.Last.Next.Seconds())
	if !s.LastSuccess.IsZero() {
		send(gauge, "last_success_timestamp_seconds", "When a round last succeeded.", float64(s.LastSuccess.Unix()))
	}
}
