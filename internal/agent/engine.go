package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// Engine mirrors the packets of one interface: a Mirror or a Kernel.
type Engine interface {
	// Run mirrors until ctx is done or the Engine is closed. It must be called once, in the
	// network namespace of the interface.
	Run(ctx context.Context) error
	// Swap makes p the plan; no packet is lost. With an error the old plan stays. An
	// *ErrUnsuited says that another engine is needed.
	Swap(p *Plan) error
	Counters() Counters
	LastError() error
	// Engine returns the name of the engine, and why it is AF_PACKET when another was wished.
	Engine() (name, why string)
	Close() error
}

// The names of the engines.
const (
	EngineAuto     = "auto" // eBPF where it can do all that is asked for, else AF_PACKET
	EngineEBPF     = "ebpf"
	EngineAFPacket = "af-packet"
)

// Open opens an interface with the engine of this name. An interface has one engine at a
// time: frames of a flow that went two ways could overtake each other. With auto, and a
// plan that becomes one for AF_PACKET, that engine takes over, and counts from 0.
func Open(engine string, o Options, p *Plan) (Engine, error) {
	switch engine {
	case EngineAFPacket:
		return New(o, p)
	case EngineEBPF:
		return NewKernel(o, p)
	case EngineAuto, "":
		return newAuto(o, p)
	}
	return nil, fmt.Errorf("agent: there is no engine %q, but %s, %s and %s", engine, EngineAuto, EngineEBPF, EngineAFPacket)
}

// auto is the better engine for a plan.
type auto struct {
	opts Options

	// mu guards what follows.
	mu     sync.Mutex
	engine Engine
	why    string // of AF_PACKET
	closed bool
}

func newAuto(o Options, p *Plan) (Engine, error) {
	a := &auto{opts: o}
	a.opts.Loaded = nil // the Kernel's, if there is one
	k, err := NewKernel(o, p)
	if err == nil {
		a.engine = k
		return a, nil
	}
	m, err2 := New(o, p)
	if err2 != nil {
		return nil, err2
	}
	a.engine, a.why = m, Reason(err)
	return a, nil
}

func (a *auto) now() Engine {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.engine
}

// Run runs the engine, and the next one after it.
func (a *auto) Run(ctx context.Context) error {
	for {
		e := a.now()
		err := e.Run(ctx)
		if err != nil || ctx.Err() != nil || a.now() == e {
			return err
		}
	}
}

// Swap makes p the plan. The engine changes when it cannot do that: what comes until then
// is mirrored by the old one, and only by that.
func (a *auto) Swap(p *Plan) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.engine.Swap(p)
	var u *ErrUnsuited
	if !errors.As(err, &u) || a.closed {
		return err
	}
	m, err := New(a.opts, p)
	if err != nil {
		return err
	}
	old := a.engine
	a.engine, a.why = m, u.Why
	old.Close()
	m.from = time.Now().UnixNano()
	return nil
}

func (a *auto) Counters() Counters { return a.now().Counters() }
func (a *auto) LastError() error   { return a.now().LastError() }
func (a *auto) Engine() (_, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name, _ := a.engine.Engine()
	return name, a.why
}

// Close ends mirroring.
func (a *auto) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	return a.engine.Close()
}

// Reason tells in words why the kernel does not mirror.
func Reason(err error) string {
	var u *ErrUnsuited
	switch {
	case errors.As(err, &u):
		return u.Why
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("not permitted: eBPF needs CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and /dev/net/tun: %v", err)
	}
	return err.Error()
}

// Engine returns "af-packet".
func (m *Mirror) Engine() (name, why string) { return EngineAFPacket, "" }

// ErrUnsuited is why a Plan is not for the kernel; the AF_PACKET engine takes it.
type ErrUnsuited struct{ Why string }

func (e *ErrUnsuited) Error() string { return "agent: not for the kernel: " + e.Why }

func unsuited(format string, args ...any) error {
	return &ErrUnsuited{fmt.Sprintf(format, args...)}
}
