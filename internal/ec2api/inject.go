package ec2api

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Rate is a token bucket over all calls: what a client meets that calls too often.
type Rate struct {
	PerSecond float64 // 0: no limit
	Burst     int     // 0: as many as one second gives, at least 1
}

// ParseRate reads "20/s" or "20/s:40" (the second number is the burst).
func ParseRate(s string) (Rate, error) {
	var r Rate
	if s == "" {
		return r, nil
	}
	head, burst, hasBurst := strings.Cut(s, ":")
	n, ok := strings.CutSuffix(head, "/s")
	v, err := strconv.ParseFloat(n, 64)
	if !ok || err != nil || v <= 0 || v > 1e9 {
		return r, fmt.Errorf("rate %q: want a form like 20/s or 20/s:40", s)
	}
	r.PerSecond = v
	if hasBurst {
		if r.Burst, err = strconv.Atoi(burst); err != nil || r.Burst < 1 {
			return r, fmt.Errorf("rate %q: burst %q is no positive number", s, burst)
		}
	}
	return r, nil
}

// bucket is the state of a Rate.
type bucket struct {
	mu     sync.Mutex // mu guards what follows
	rate   Rate
	tokens float64
	last   time.Time
}

// take tells whether one more call is allowed now.
func (b *bucket) take(now time.Time) bool {
	if b.rate.PerSecond <= 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := float64(b.rate.Burst)
	if b.rate.Burst == 0 {
		limit = max(1, b.rate.PerSecond)
	}
	if b.last.IsZero() {
		b.tokens = limit
	} else {
		b.tokens = min(limit, b.tokens+now.Sub(b.last).Seconds()*b.rate.PerSecond)
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// Fault is what an injection does to a call.
type Fault string

// Faults beside error codes. Any other text is the code of an error that is answered
// without anything being done; "500" and "503" are short for InternalError and
// Unavailable.
const (
	// FaultLose does what the call asks for and closes the connection without an answer.
	FaultLose Fault = "lose"
	// FaultReset closes the connection without doing anything.
	FaultReset Fault = "reset"
)

// Injection makes calls of one action fail.
type Injection struct {
	Service string // ec2, elbv2, sts, cloudwatch; empty: any
	Action  string // empty: any
	Fault   Fault
	// From and To are the first and last call that it hits, counted from 1 for each
	// Injection over the calls that it names; To 0 is no end.
	From, To int
}

var injectionForm = regexp.MustCompile(`^(?:([a-z0-9*]+):)?([A-Za-z0-9*]+)=([A-Za-z0-9.]+)(?:@(\d+)(?:(-)(\d*))?)?$`)

// ParseInjections reads a list like
// "ec2:CreateTrafficMirrorSession=500@3,CreateTags=lose@1-2,*=RequestLimitExceeded@5-".
// "@3" is the third call only, "@3-" that and all later ones, no "@" all calls.
func ParseInjections(s string) ([]Injection, error) {
	var out []Injection
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		m := injectionForm.FindStringSubmatch(part)
		if m == nil {
			return nil, fmt.Errorf("injection %q: want a form like ec2:CreateTags=500@3", part)
		}
		in := Injection{Service: strings.Trim(m[1], "*"), Action: strings.Trim(m[2], "*"), Fault: Fault(m[3]), From: 1}
		if m[4] != "" {
			in.From, _ = strconv.Atoi(m[4])
			in.To = in.From
		}
		if m[5] != "" {
			in.To, _ = strconv.Atoi(m[6])
		}
		if in.From < 1 || in.To != 0 && in.To < in.From {
			return nil, fmt.Errorf("injection %q: the calls it hits are %d to %d", part, in.From, in.To)
		}
		out = append(out, in)
	}
	return out, nil
}

// injector counts calls and says which are to fail.
type injector struct {
	mu    sync.Mutex // mu guards what follows
	list  []Injection
	calls []int // of each Injection
}

func (j *injector) set(list []Injection) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list, j.calls = append([]Injection(nil), list...), make([]int, len(list))
}

// next counts a call and returns what is to happen to it.
func (j *injector) next(service, action string) Fault {
	j.mu.Lock()
	defer j.mu.Unlock()
	var f Fault
	for i, in := range j.list {
		if in.Service != "" && in.Service != service || in.Action != "" && in.Action != action {
			continue
		}
		j.calls[i]++
		if n := j.calls[i]; f == "" && n >= in.From && (in.To == 0 || n <= in.To) {
			f = in.Fault
		}
	}
	return f
}

// err gives the answer that f stands for.
func (f Fault) err() *Error {
	switch f {
	case "500":
		return &Error{Code: "InternalError", Message: "An internal error has occurred", Status: 500}
	case "503":
		return &Error{Code: "Unavailable", Message: "The server is overloaded and can't handle the request", Status: 503}
	case "RequestLimitExceeded":
		return errorf("RequestLimitExceeded", "Request limit exceeded.")
	case "Throttling":
		return &Error{Code: "Throttling", Message: "Rate exceeded", Status: 400}
	}
	return errorf(string(f), "An error that was asked for by an injection")
}
