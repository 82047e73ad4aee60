package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	// Engine returns the name of the engine.
	Engine() string
	Close() error
}

// The names of the engines.
const (
	EngineAuto     = "auto" // eBPF where it can do all that is asked for, else AF_PACKET
	EngineEBPF     = "ebpf"
	EngineAFPacket = "af-packet"
)

// Open opens an interface with the engine of this name. An interface has one engine at a
// time: frames of a flow that went two ways would overtake each other. When auto means
// AF_PACKET, why tells the reason.
func Open(engine string, o Options, p *Plan) (e Engine, why string, err error) {
	if engine != EngineAFPacket {
		k, err := NewKernel(o, p)
		if err == nil {
			return k, "", nil
		}
		if engine != EngineAuto {
			return nil, "", err
		}
		why = reason(err)
	}
	m, err := New(o, p)
	if err != nil {
		return nil, "", err
	}
	return m, why, nil
}

// reason tells in words why the kernel does not mirror.
func reason(err error) string {
	var u *ErrUnsuited
	switch {
	case errors.As(err, &u):
		return u.Why
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("not permitted: eBPF needs CAP_BPF, CAP_NET_ADMIN and /dev/net/tun: %v", err)
	}
	return err.Error()
}

// Engine returns "af-packet".
func (m *Mirror) Engine() string { return EngineAFPacket }

// ErrUnsuited is why a Plan is not for the kernel; the AF_PACKET engine takes it.
type ErrUnsuited struct{ Why string }

func (e *ErrUnsuited) Error() string { return "agent: not for the kernel: " + e.Why }

func unsuited(format string, args ...any) error {
	return &ErrUnsuited{fmt.Sprintf(format, args...)}
}
