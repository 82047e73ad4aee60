package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Message is a message of a queue.
type Message struct {
	Body   string
	Handle string // what Delete knows it by
}

// Queue is where events wait: an SQS queue that an EventBridge rule sends to.
type Queue interface {
	// Receive returns messages, at most ten; it waits for the first up to wait.
	Receive(ctx context.Context, wait time.Duration) ([]Message, error)
	// Delete takes messages out of the queue.
	Delete(ctx context.Context, handles []string) error
}

// Event is a change of the state of an instance.
type Event struct {
	Instance, State string
	Account, Region string
}

// EventStats count messages of the queue.
type EventStats struct {
	Good    uint64 // changes of instances here
	Junk    uint64 // what is no such event
	Foreign uint64 // of another account or region
	Errors  uint64 // times that the queue did not answer
	Deaf    bool   // it does not answer now: rounds come by time only
}

const (
	// MaxEvent bounds the body of a message in bytes; such events have less than 1 kB.
	MaxEvent = 64 << 10
	// DefaultSettle is how long watch waits for more events after the first, so that a group
	// that starts a hundred instances leads to one round.
	DefaultSettle = 5 * time.Second
	// maxQueueWait is how long one question to SQS may wait. AWS: SQS long polling.
	maxQueueWait = 20 * time.Second
	// maxDrain bounds the questions to the queue before a round: a queue that fills faster
	// than it is read must not hold rounds up.
	maxDrain = 100
	// deletePatience is how long it may take to delete events.
	deletePatience = 10 * time.Second
	// maxPending bounds the events that wait for a round: all that one drain can read.
	maxPending = 10 * (maxDrain + 1)
)

// stateChange is the detail-type of the events.
const stateChange = "EC2 Instance State-change Notification"

// ErrJunk is a message that is no change of an instance.
var ErrJunk = errors.New("not an " + stateChange)

// instanceID is the form of ids of instances.
const instanceID = `^i-[0-9a-f]{8,17}$`

// ParseEvent reads the body of a message: the event as EventBridge sends it to a queue, or
// through SNS.
func ParseEvent(body string) (Event, error) {
	if len(body) > MaxEvent {
		return Event{}, fmt.Errorf("%w: %d bytes", ErrJunk, len(body))
	}
	var m struct {
		Type    string `json:"Type"`
		Message string `json:"Message"`
		Kind    string `json:"detail-type"`
		Source  string `json:"source"`
		Account string `json:"account"`
		Region  string `json:"region"`
		Detail  struct {
			Instance string `json:"instance-id"`
			State    string `json:"state"`
		} `json:"detail"`
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return Event{}, fmt.Errorf("%w: %v", ErrJunk, err)
	}
	if m.Type == "Notification" && m.Kind == "" {
		body := m.Message
		m.Type, m.Message = "", ""
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			return Event{}, fmt.Errorf("%w: %v", ErrJunk, err)
		}
	}
	if m.Kind != stateChange || m.Source != "aws.ec2" {
		return Event{}, ErrJunk
	}
	if ok, err := regexp.MatchString(instanceID, m.Detail.Instance); err != nil || !ok {
		return Event{}, fmt.Errorf("%w: instance", ErrJunk)
	}
	switch m.Detail.State {
	case StatePending, StateRunning, StateStopping, StateStopped, StateShutting, StateTerminated:
	default:
		return Event{}, fmt.Errorf("%w: state", ErrJunk)
	}
	return Event{Instance: m.Detail.Instance, State: m.Detail.State, Account: m.Account, Region: m.Region}, nil
}

// wait waits until the next round is due, and returns why it is: by time, or because of an
// event. Events do not break the budget of calls or the pause after failures.
func (w *Watcher) wait(ctx context.Context, d time.Duration) (cause string, err error) {
	if w.o.Queue == nil || w.failures > 0 {
		return "interval", w.o.Pause(ctx, d)
	}
	if debt := w.debt(); debt > 0 {
		if err := w.o.Pause(ctx, debt); err != nil {
			return "", err
		}
		d -= debt
	}
	until := w.o.Now().Add(d)
	for {
		left := until.Sub(w.o.Now())
		if left <= 0 {
			return "interval", nil
		}
		good, n, err := w.receive(ctx, min(left, maxQueueWait))
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err != nil:
			// Without events the rounds by time go on.
			return "interval", w.o.Pause(ctx, left)
		case good:
			return "event", w.settle(ctx)
		case n == 0 && left == until.Sub(w.o.Now()):
			// A queue that answers at once although it was asked to wait.
			if err := w.o.Pause(ctx, time.Second); err != nil {
				return "", err
			}
		}
	}
}

// settle takes the events out of the queue that come along with the first.
func (w *Watcher) settle(ctx context.Context) error {
	d := w.o.Settle
	if d == 0 {
		d = DefaultSettle
	}
	if err := w.o.Pause(ctx, d); err != nil {
		return err
	}
	for range maxDrain {
		if _, n, err := w.receive(ctx, 0); err != nil || n == 0 {
			return ctx.Err()
		}
	}
	return nil
}

// answered takes the events out of the queue that a round has answered. After one that failed
// they stay, and come again when SQS shows them again.
func (w *Watcher) answered(ctx context.Context, r *Round) {
	list := w.pending
	w.pending = nil
	if len(list) == 0 || r.Err != nil {
		return
	}
	// What is answered is deleted also when the program is ended meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deletePatience)
	defer cancel()
	if err := w.o.Queue.Delete(ctx, list); err != nil {
		// A message that stays leads to one more round, which finds nothing to do.
		w.mu.Lock()
		w.stats.Events.Errors++
		w.mu.Unlock()
	}
}

// listen notes whether the queue answers, and tells when that has changed.
func (w *Watcher) listen(err error) {
	if deaf := err != nil; deaf != w.deaf {
		w.deaf = deaf
		if w.o.QueueState != nil {
			w.o.QueueState(err)
		}
	}
}

// receive reads messages. Those that are no change here are deleted at once; the others when a
// round has answered them. good tells that there is one.
func (w *Watcher) receive(ctx context.Context, d time.Duration) (good bool, n int, err error) {
	list, err := w.o.Queue.Receive(ctx, d)
	var s EventStats
	var handles []string
	if ctx.Err() == nil {
		w.listen(err)
	}
	for _, m := range list {
		e, err := ParseEvent(m.Body)
		switch who := w.who; {
		case err != nil:
			s.Junk++
			handles = append(handles, m.Handle) // so that it does not come again
		case who.Account != "" && (e.Account != who.Account || e.Region != who.Region):
			s.Foreign++
			handles = append(handles, m.Handle)
		default:
			s.Good++
			good = true
			if len(w.pending) < maxPending {
				w.pending = append(w.pending, m.Handle)
			} // the others come again
		}
	}
	if len(handles) > 0 && err == nil {
		if derr := w.o.Queue.Delete(ctx, handles); derr != nil {
			s.Errors++
		}
	}
	if err != nil {
		s.Errors++
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &w.stats.Events
	t.Deaf = w.deaf
	t.Good, t.Junk, t.Foreign, t.Errors = t.Good+s.Good, t.Junk+s.Junk, t.Foreign+s.Foreign, t.Errors+s.Errors
	return good, len(list), err
}
