// Package vpc is a pretend VPC with a data plane, on one Linux machine: instances are
// network namespaces, their interfaces veth pairs, and the network between them is a
// program (Fabric) that forwards as a VPC does: routes, network ACLs, stateful security
// groups, source/destination checks, the Amazon resolver, Network and Gateway Load
// Balancers with health checks, and traffic mirroring.
//
// It follows the snapshots of an ec2api.Server and answers it with target health and
// CloudWatch counters. What is mirrored, and how, is decided by mirror.Program. Why
// the network is a program and not the kernel's own forwarding: docs/design/0005. All
// tables are bounded (limits.go), and every frame that is not delivered is counted
// with a reason (reason.go).
package vpc

import (
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"time"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
)

// Endpoint is what a Network follows, and tells what it finds out: an *ec2api.Server.
type Endpoint interface {
	// Snapshot returns what exists now; Changed has a token after each change.
	Snapshot() *ec2api.Snapshot
	Changed() <-chan struct{}
	// SetHealth and SetMetrics name who knows how targets are, and who counts.
	SetHealth(ec2api.Health)
	SetMetrics(ec2api.Metrics)
	Region() string
}

// Options say how a Network is.
type Options struct {
	// Server is the endpoint whose objects are made real.
	Server Endpoint
	// Name tells runs on one machine apart: namespaces are called mirador-NAME-...; the
	// default is "vpc".
	Name string
	// Endpoint is the URL of the endpoint, for those who look at the run's file.
	Endpoint string
	// API, when not nil, answers within each instance at the address of Endpoint, if that is
	// one of the loopback interface.
	API http.Handler
	// Devices are existing devices of the calling namespace that stand for interfaces,
	// by interface id. Nothing is set up on them.
	Devices map[string]string
	// Names are more names that the Amazon resolver knows.
	Names map[string][]netip.Addr
	// Switches choose where AWS's documentation leaves open what happens.
	Switches mirror.Switches
	// WideHash takes the outer source ports of mirrored packets from 49152-65535 instead
	// of AWS' 128 ports.
	WideHash bool
	// MirrorBitsPerSecond is what one interface mirrors at most, in each second; 0 is no
	// limit. Production traffic has none.
	MirrorBitsPerSecond int64
	// HealthInterval and HealthTimeout take the place of those of all target groups, whose
	// shortest interval is 5 seconds.
	HealthInterval, HealthTimeout time.Duration
	// Log takes what happens; nil means nowhere.
	Log *slog.Logger
}

// DefaultName is the name of a run that has none.
const DefaultName = "vpc"

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,15}$`)

// ValidName tells whether a run can have this name.
func ValidName(name string) bool { return nameForm.MatchString(name) }
