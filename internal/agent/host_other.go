//go:build !linux

package agent

import (
	"net/netip"

	"mirador/internal/capture"
)

// HostOptions say how a Host sends.
type HostOptions struct {
	Mark   uint32
	IPOnly bool
}

// Host sends through the network of the host, on Linux.
type Host struct{ Discard }

// NewHost fails.
func NewHost(HostOptions) (*Host, error) { return nil, capture.ErrUnsupported }

// Close frees nothing.
func (*Host) Close() error { return nil }

// IPPackets returns 0.
func (*Host) IPPackets() uint64 { return 0 }

// PathMTU returns 0.
func PathMTU(netip.Addr) int { return 0 }
