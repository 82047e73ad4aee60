//go:build !linux

package vpc

import (
	"context"
	"errors"

	"mirador/internal/ec2api"
)

// ErrNameTaken is returned by Start when another process has a run of the same name.
var ErrNameTaken = errors.New("another run has this name")

var errSystem = errors.New("a VPC with a data plane needs Linux")

// Network needs Linux.
type Network struct{}

// Start fails.
func Start(context.Context, Options) (*Network, error) { return nil, errSystem }

// Ready is never closed.
func (n *Network) Ready() <-chan struct{} { return nil }

// Close does nothing.
func (n *Network) Close() {}

// Stats are empty.
func (n *Network) Stats() Stats { return Stats{} }

// Metric knows nothing.
func (n *Network) Metric(ec2api.MetricQuery) []ec2api.Datapoint { return nil }

// MetricNames knows nothing.
func (n *Network) MetricNames() []ec2api.MetricName { return nil }

// Permitted says that it needs Linux.
func Permitted() error { return errSystem }

// Clean does nothing.
func Clean() ([]string, error) { return nil, nil }

// Runs finds none.
func Runs() ([]RunFile, error) { return nil, nil }

// ReadStats fails.
func ReadStats(context.Context, string) (*Stats, error) { return nil, errSystem }

// Enter fails.
func Enter(string, RunInstance, []string, []string) error { return errSystem }
