//go:build !linux

package demo

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Source works on Linux only.
type Source struct{}

// NewSource works on Linux only: elsewhere the loopback interface has one address.
func NewSource(netip.AddrPort) (*Source, error) {
	return nil, errors.New("the demo needs Linux")
}

// Sent returns 0.
func (*Source) Sent() uint64 { return 0 }

// Close does nothing.
func (*Source) Close() error { return nil }

// Send is never called.
func (*Source) Send(*Datagram) error { return nil }

// Play is never called.
func (*Source) Play(context.Context, *Story, time.Duration) error { return nil }
