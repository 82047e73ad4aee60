// Package ec2api is an HTTP endpoint that AWS clients take for EC2, Elastic Load
// Balancing v2, STS, (for mirroring's counters) CloudWatch and (for its events) SQS and
// EventBridge: the control plane of a pretend VPC.
//
// It speaks the EC2 and Query protocols, checks signatures, keeps VPCs, subnets,
// groups, interfaces, instances and load balancers, and leaves all that mirroring is to
// mirror.Book. It moves no packet: package vpc follows Snapshot and Changed and reports
// back through Health and Metrics. One lock guards the state; every mutating call is
// written to the state file before its answer goes out (store.go). What a client can
// make it hold is bounded in limits.go. The shapes of requests are in wire.txt.
package ec2api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"sync"
	"time"

	"mirador/internal/mirror"
)

// TargetHealth is what a health check found out.
type TargetHealth struct {
	State       string // initial, healthy, unhealthy, unused, draining, unavailable
	Reason      string // Target.ResponseCodeMismatch and so on; empty when healthy
	Description string
}

// Health tells how a registered target is. ok is false when nothing is known of it yet.
// It is asked while the endpoint's lock is held: it must not call the endpoint, nor wait
// for somebody who does.
type Health interface {
	TargetHealth(targetGroupARN string, t TargetID) (h TargetHealth, ok bool)
}

// MetricQuery asks for one metric.
type MetricQuery struct {
	Namespace  string            // AWS/EC2, AWS/NetworkELB, ...
	Name       string            // NetworkMirrorOut, ...
	Dimensions map[string]string // InstanceId, ...
	Start, End time.Time
	Period     time.Duration
	Statistic  string // Sum, Average, Minimum, Maximum, SampleCount
}

// Datapoint is the value of a statistic for the period that starts at Time.
type Datapoint struct {
	Time  time.Time
	Value float64
}

// MetricName names a metric that exists.
type MetricName struct {
	Namespace  string
	Name       string
	Dimensions map[string]string
}

// Metrics answers CloudWatch's questions, oldest value first. As with Health, the endpoint's
// lock is held.
type Metrics interface {
	Metric(q MetricQuery) []Datapoint
	MetricNames() []MetricName
}

// Options say how a Server is. The zero value is an endpoint in memory that takes
// requests from anybody.
type Options struct {
	Region    string // default us-east-1
	AccountID string // twelve digits; default 123456789012
	// Keys are the access keys that requests have to be signed with, and their secrets.
	// Without keys, and with AnyAuth, every request is taken.
	Keys    map[string]string
	AnyAuth bool
	// Accounts are the accounts of access keys that are not AccountID's. Each has its own
	// resources; the data plane sees those of all.
	Accounts map[string]string
	// StateDir is the folder of the state file; empty keeps everything in memory.
	StateDir string
	// NoDefaultVPC starts a new state without the default VPC that an AWS account has.
	NoDefaultVPC bool
	Quotas       mirror.Quotas
	Switches     mirror.Switches
	Rate         Rate
	Inject       []Injection
	// Lag is how far describes are behind: what was changed less than Lag ago is not
	// seen by them, as happens on AWS.
	Lag     time.Duration
	Health  Health  // nil: a model (docs/howto/vpc.md)
	Metrics Metrics // nil: no data
	// Now is the clock; nil means time.Now. Random is where ids come from; nil means
	// crypto/rand.
	Now    func() time.Time
	Random io.Reader
	Log    *slog.Logger // nil: no log
}

var accountForm = regexp.MustCompile(`^\d{12}$`)
var regionForm = regexp.MustCompile(`^[a-z]{2,3}(-[a-z]+)+-\d$`)

// Validate tells what is wrong with o.
func (o Options) Validate() error {
	if o.Region != "" && !regionForm.MatchString(o.Region) {
		return fmt.Errorf("region %q is none", o.Region)
	}
	if o.AccountID != "" && !accountForm.MatchString(o.AccountID) {
		return fmt.Errorf("account id %q is not twelve digits", o.AccountID)
	}
	for k, v := range o.Keys {
		if k == "" || v == "" {
			return errors.New("an access key or its secret is empty")
		}
	}
	for k, id := range o.Accounts {
		if !accountForm.MatchString(id) {
			return fmt.Errorf("account id %q of key %s is not twelve digits", id, k)
		}
		if o.Keys[k] == "" && len(o.Keys) > 0 && !o.AnyAuth {
			return fmt.Errorf("the key %s of account %s has no secret", k, id)
		}
	}
	return nil
}

// Server is the endpoint. It is an http.Handler.
type Server struct {
	o        Options
	wire     wire
	actions  map[string]map[string]*action // by service and name
	log      *slog.Logger
	store    *store // nil: in memory
	bucket   bucket
	inject   injector
	changed  chan struct{}
	most     int // resources of a kind
	broker   broker
	patterns patternCache

	mu       sync.RWMutex // mu guards what follows
	s        *state       // of the first account
	accounts []*account
	snap     *Snapshot // of s.gen, or older
}

type pastState struct {
	at time.Time // when it was replaced by the next one
	s  *state
}

// New returns an endpoint with the state of o.StateDir, or a new one. Its errors wrap
// ErrState when the state file cannot be used.
func New(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.AccountID == "" {
		o.AccountID = "123456789012"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if len(o.Keys) == 0 {
		o.AnyAuth = true
	}
	w, err := parseWire(wireText)
	if err != nil {
		return nil, err
	}
	v := &Server{o: o, wire: w, log: o.Log, changed: make(chan struct{}, 1), most: maxResources}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	v.bucket.rate = o.Rate
	v.inject.set(o.Inject)
	if v.actions, err = actionTable(w); err != nil {
		return nil, err
	}
	if err := v.open(); err != nil {
		return nil, err
	}
	return v, nil
}

// open reads the state or begins one.
func (v *Server) open() error {
	var err error
	if v.o.StateDir != "" {
		if v.store, err = openStore(v.o.StateDir); err != nil {
			return err
		}
		list, err := v.store.load(v.o.Random, v.bookOptions(""))
		if err != nil {
			v.store.close()
			return err
		}
		for _, s := range list {
			v.accounts = append(v.accounts, &account{s: s})
		}
	}
	had := len(v.accounts)
	if had > 0 {
		v.s = v.accounts[0].s
		v.o.Region, v.o.AccountID = v.s.meta.Region, v.s.meta.AccountID
	} else {
		if v.s, err = v.beginState(v.o.AccountID); err != nil {
			return err
		}
		v.accounts = []*account{{s: v.s}}
	}
	if err := v.addAccounts(); err != nil {
		return err
	}
	if had == len(v.accounts) {
		return nil
	}
	if had > 0 {
		v.s.gen++             // for the new accounts
		v.store.broken = true // the journal knows only those of the state file
	}
	return v.sync(v.s.gen)
}

// bookOptions are those of the book of an account.
func (v *Server) bookOptions(id string) mirror.BookOptions {
	return mirror.BookOptions{
		AccountID: id, Quotas: v.o.Quotas, Switches: v.o.Switches,
		Random: func(b []byte) {
			if _, err := io.ReadFull(v.o.Random, b); err != nil {
				panic("random source: " + err.Error())
			}
		},
	}
}

// sync waits until a generation is on disk.
func (v *Server) sync(gen uint64) error {
	if v.store == nil {
		return nil
	}
	return v.store.sync(gen, func(whole bool, after uint64) ([]byte, uint64, error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if !whole {
			b, err := v.record(after)
			return b, v.s.gen, err
		}
		b, err := v.s.encode(v.others()...)
		return b, v.s.gen, err
	})
}

// Close writes the state file, if there is a journal, and gives the folder free. Calls
// must have ended.
func (v *Server) Close() error {
	if v.store == nil {
		return nil
	}
	err := v.store.fold(func() ([]byte, uint64, error) {
		b, err := v.s.encode(v.others()...)
		return b, v.s.gen, err
	})
	return errors.Join(err, v.store.close())
}

// Region and AccountID tell whose endpoint it is: of the state file when there was one.
func (v *Server) Region() string    { return v.o.Region }
func (v *Server) AccountID() string { return v.o.AccountID }

// Snapshot returns what the endpoint knows now.
func (v *Server) Snapshot() *Snapshot {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.snap == nil || v.snap.Generation != v.s.gen {
		v.snap = v.merged(v.snap)
	}
	return v.snap
}

// Changed has a token after each change since the last one was taken from it.
func (v *Server) Changed() <-chan struct{} { return v.changed }

// SetHealth gives the endpoint somebody who knows how targets are.
func (v *Server) SetHealth(h Health) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.o.Health = h
}

// SetMetrics gives the endpoint somebody who counts.
func (v *Server) SetMetrics(m Metrics) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.o.Metrics = m
}

// Inject replaces the injections and starts counting anew.
func (v *Server) Inject(list []Injection) { v.inject.set(list) }

// Serve answers on l until ctx ends, then waits for calls under way.
func (v *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler: v, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ReadHeaderTimeout: readTimeout, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(v.log.Handler(), slog.LevelWarn),
	}
	done := make(chan error, 1)
	go func() { done <- h.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	v.broker.stop()
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	err := h.Shutdown(wait)
	<-done
	return err
}

// Loopback tells whether addr can only be reached from this machine.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
