//go:build !linux

package agent

// Kernel mirrors within the kernel, on Linux.
type Kernel struct{ *Mirror }

// NewKernel fails.
func NewKernel(Options, *Plan) (*Kernel, error) { return nil, unsuited("eBPF is of Linux") }
