//go:build !linux

package capture

import "errors"

// ErrUnsupported is returned where a reader exists on Linux only.
var ErrUnsupported = errors.New("not on this system")

type ringBlock struct{}

func (*ringBlock) release() {}

type udpBuffers struct{}
