package vpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"mirador/internal/ec2api"
)

// Metric answers a question of CloudWatch (ec2api.Metrics).
func (n *Network) Metric(q ec2api.MetricQuery) []ec2api.Datapoint {
	n.sample()
	return n.series.query(q)
}

// MetricNames lists the metrics that have values (ec2api.Metrics).
func (n *Network) MetricNames() []ec2api.MetricName {
	n.sample()
	return n.series.names()
}

func (n *Network) sample() {
	n.mu.Lock()
	p := n.plan
	n.mu.Unlock()
	n.series.sample(p, time.Now())
}

// Stats returns what has been counted.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.plan.stats()
	for i := range s.Interfaces {
		x := &s.Interfaces[i]
		if p := n.plugs[x.ID]; p != nil {
			x.Device, x.KernelDrops = p.spec.deviceName(), p.port.Dropped()
		}
	}
	return s
}

// socketPath is where a run answers those who ask for its Stats.
func socketPath(name string) string { return filepath.Join(runDir, "vpc-"+name+".sock") }

// serveStats answers GET /stats on a socket of this machine until the Network ends.
func (n *Network) serveStats() error {
	path := socketPath(n.o.Name)
	os.Remove(path) // of a run that crashed: the name is ours
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(n.Stats())
	})
	n.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 8 << 10}
	n.served = make(chan struct{})
	go func() {
		defer close(n.served)
		n.http.Serve(l)
	}()
	return nil
}

// ReadStats asks a run of this machine for its Stats.
func ReadStats(ctx context.Context, name string) (*Stats, error) {
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socketPath(name))
	}}
	defer t.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://vpc/stats", nil)
	if err != nil {
		return nil, err
	}
	res, err := t.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("run %q answers %s", name, res.Status)
	}
	s := &Stats{}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxRunFile)).Decode(s); err != nil {
		return nil, errors.Join(fmt.Errorf("read the answer of run %q", name), err)
	}
	return s, nil
}
