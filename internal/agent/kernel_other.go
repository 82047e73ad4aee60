//go:build !linux

package agent

// Kernel mirrors within the kernel, on Linux.
type Kernel struct{ *Mirror }

// NewKernel fails.
func NewKernel(Options, *Plan) (*Kernel, error) { return nil, unsuited("eBPF is of Linux") }

// Loaded is what a Kernel needs privileges for, on Linux.
type Loaded struct{}

// Load fails.
func Load(Options) (*Loaded, error) { return nil, unsuited("eBPF is of Linux") }

// Close frees nothing.
func (*Loaded) Close() {}

// Hand hands on nothing.
func (*Loaded) Hand() (string, error) { return "", nil }

// Take fails.
func Take(string) (*Loaded, error) { return nil, unsuited("eBPF is of Linux") }
