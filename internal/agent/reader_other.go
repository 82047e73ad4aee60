//go:build !linux

package agent

import "mirador/internal/capture"

func openReader(Options) (capture.Reader, error) { return nil, capture.ErrUnsupported }
