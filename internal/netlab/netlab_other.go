//go:build !linux

package netlab

import "errors"

func probe() error { return errors.New("not on this system") }
