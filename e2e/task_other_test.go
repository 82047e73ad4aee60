//go:build !linux

package e2e

import "errors"

var errRefused = errors.New("connection refused")

func setMTU([]string) error { return errors.ErrUnsupported }
