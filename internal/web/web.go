// Package web is what the sensor shows over HTTP: the status page for load balancers,
// on a listener of its own, and the management listener with metrics, statistics and
// reload. It knows the sensor by the few methods of Sensor only, and serves nothing
// that needs a password: the management listener belongs on a loopback address.
//
// Every listener has its own limits (limits.go), so that a client that is slow, or
// many clients, cannot keep the next one out.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"mirador/internal/mirror"
)

// Sensor is what this package needs of the sensor. All methods are safe for
// concurrent use and answer without waiting for a worker.
type Sensor interface {
	// Status is what load balancers are told.
	Status() Status
	// Stats is the state of everything.
	Stats() *Stats
	// Reload reads configuration and rules again. It returns when the new ones are
	// in use or were refused; ErrBusy when one is in work already.
	Reload(ctx context.Context) (*Reload, error)
}

// ErrBusy says that a reload is in work.
var ErrBusy = errors.New("a reload is in work")

// Status is the answer to: may packets be sent here?
type Status struct {
	OK     bool   `json:"-"`
	State  string `json:"status"` // ok, starting, stalled, draining, interface_gone
	Detail string `json:"-"`      // for the management listener only
	// Balanced tells that received = processed + drops.
	Balanced bool          `json:"ledger_balanced"`
	Version  string        `json:"version"`
	Uptime   time.Duration `json:"-"`
}

// Stats is the answer of /api/v1/stats.
type Stats struct {
	Version string       `json:"version"`
	Started time.Time    `json:"started"`
	Uptime  float64      `json:"uptime_seconds"`
	Status  StatusDetail `json:"status"`
	Ledger  Ledger       `json:"ledger"`
	Workers []Worker     `json:"workers"`
	Inputs  []Input      `json:"inputs"`
	Outputs []Output     `json:"outputs"`
	// Counters are the sums over the workers, under the names of EVE's stats records.
	Counters Counters `json:"counters"`
	Rules    Rules    `json:"rules"`
	Memory   Memory   `json:"memory"`
	// Sources lists at most maxSourceRows sources; SourceCount is how many there are.
	Sources     []Source `json:"sources"`
	SourceCount int      `json:"source_count"`
	// Turn grows when the counters of all workers have been taken anew: what was received
	// before an answer is in those whose turn is two higher.
	Turn uint64 `json:"turn"`
}

// StatusDetail is Status with its reason.
type StatusDetail struct {
	OK     bool   `json:"ok"`
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"`
}

// Ledger is the account of all frames: Received = Processed + sum of Drops.
type Ledger struct {
	Received       uint64 `json:"received"`
	ReceivedBytes  uint64 `json:"received_bytes"`
	Processed      uint64 `json:"processed"`
	ProcessedBytes uint64 `json:"processed_bytes"`
	Drops          []Drop `json:"drops"`
	Dropped        uint64 `json:"dropped"`
	Kernel         uint64 `json:"kernel_drops"`
	Truncated      uint64 `json:"truncated"`
	Unknown        uint64 `json:"unknown_source"`
	Tunnelled      uint64 `json:"tunnelled"`
	Imbalance      int64  `json:"imbalance"`
}

// Drop is one named reason.
type Drop struct {
	Reason string `json:"reason"`
	Frames uint64 `json:"frames"`
}

// Counter is one named number.
type Counter struct {
	Name  string
	Value uint64
}

// Counters is a list of counters, an object in JSON.
type Counters []Counter

// MarshalJSON writes the counters in their order.
func (c Counters) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, x := range c {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(x.Name)
		if err != nil {
			return nil, err
		}
		b = append(append(b, name...), ':')
		v, err := json.Marshal(x.Value)
		if err != nil {
			return nil, err
		}
		b = append(b, v...)
	}
	return append(b, '}'), nil
}

// Worker is one worker's part.
type Worker struct {
	ID       int       `json:"worker"`
	Time     time.Time `json:"time"` // of the counters
	Ledger   Ledger    `json:"ledger"`
	Counters Counters  `json:"-"`
}

// Input is one way frames come in.
type Input struct {
	Name      string `json:"name"`
	Steered   bool   `json:"steered_by_kernel"`
	Why       string `json:"not_steered_because,omitempty"`
	Drops     uint64 `json:"kernel_drops"`
	QueueFull uint64 `json:"queue_full"`
	Failures  uint64 `json:"failures"`
	Gone      bool   `json:"interface_gone"`
	Replugs   uint64 `json:"interface_came_back"`
}

// Output is one event file.
type Output struct {
	Name         string `json:"name"`
	Lines        uint64 `json:"lines"`
	Bytes        uint64 `json:"bytes"`
	DroppedLines uint64 `json:"dropped_lines"`
	DroppedBytes uint64 `json:"dropped_bytes"`
	Failures     uint64 `json:"failures"`
	Rotations    uint64 `json:"rotations"`
	Waiting      int    `json:"waiting_bytes"`
	Error        string `json:"error,omitempty"`
}

// Rules is the state of the rules and of reloading.
type Rules struct {
	Loaded   int       `json:"loaded"`
	Refused  int       `json:"refused"`
	Skipped  int       `json:"skipped"`
	Disabled int       `json:"disabled"`
	LoadedAt time.Time `json:"loaded_at"`
	// Reloads counts the reloads that took effect, Failed those that did not.
	Reloads uint64 `json:"reloads"`
	Failed  uint64 `json:"failed_reloads"`
	// StaleSince is set when the last reload was refused: what is in use is older
	// than the files.
	StaleSince *time.Time `json:"stale_since,omitempty"`
	StaleWhy   string     `json:"stale_because,omitempty"`
	// Restart names settings whose change takes effect at the next start.
	Restart []string `json:"restart_needed_for,omitempty"`
}

// Memory is the use of memory in bytes.
type Memory struct {
	Heap  uint64 `json:"heap"`
	Total uint64 `json:"total"` // of the Go runtime, mapped
	Limit int64  `json:"limit,omitempty"`
}

// Source is the account of one (outer address, VNI, endpoint).
type Source struct {
	Outer      string    `json:"outer"`
	VNI        uint32    `json:"vni"`
	EndpointID string    `json:"endpoint_id,omitempty"` // of a Gateway Load Balancer, as EVE shows it
	Known      bool      `json:"known"`
	SessionID  string    `json:"session_id,omitempty"`
	ENI        string    `json:"eni,omitempty"`
	InstanceID string    `json:"instance_id,omitempty"`
	Name       string    `json:"name,omitempty"`
	Packets    uint64    `json:"packets"`
	Bytes      uint64    `json:"bytes"`
	Truncated  uint64    `json:"truncated"`
	Duplicates uint64    `json:"duplicates"`
	Alerts     uint64    `json:"alerts"`
	First      time.Time `json:"first_seen"`
	Last       time.Time `json:"last_seen"`
	Probe      *Probe    `json:"probe,omitempty"`
}

// Probe is the last probe packet of a source (mirador aws probe), and how many there were.
type Probe struct {
	Token string    `json:"token"`
	Count uint64    `json:"count"`
	Last  time.Time `json:"last_seen"`
}

// NewSource fills in a row. known is nil for a source that the sources file does not
// name; others marks the row of all sources beyond the table.
func NewSource(outer string, vni uint32, known *mirror.Source, others bool) Source {
	if others {
		return Source{Outer: "others"}
	}
	s := Source{Outer: outer, VNI: vni}
	if known != nil {
		s.Known = true
		s.SessionID, s.ENI, s.InstanceID, s.Name = known.SessionID, known.ENI, known.InstanceID, known.Name
	}
	return s
}

// Reload is what a reload did.
type Reload struct {
	Rules    int      `json:"rules"`
	Refused  int      `json:"refused"`
	Seconds  float64  `json:"seconds"`
	Restart  []string `json:"restart_needed_for,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// maxSourceRows bounds the list of sources in one answer.
const maxSourceRows = 20000

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, r *http.Request, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "cannot encode the answer", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		w.Write(append(b, '\n'))
	}
}

// problem is the body of an error.
type problem struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

// discard reads no more than a little of a request body nobody wants.
func discard(r *http.Request) { io.CopyN(io.Discard, r.Body, maxBody) }
