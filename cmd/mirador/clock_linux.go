package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// monotonicUsec is the line that systemd wants with RELOADING=1.
func monotonicUsec() string {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return ""
	}
	return fmt.Sprintf("MONOTONIC_USEC=%d", t.Nano()/1000)
}
