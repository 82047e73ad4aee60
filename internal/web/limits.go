package web

import "time"

// Bounds of the status listener: a request of a health checker has one line and some
// 200 bytes of headers, and the answer 100 bytes.
const (
	statusConns   = 64
	statusTimeout = 2 * time.Second
	// maxHeader is what the standard library is asked for; it takes 4 KiB more.
	maxHeader = 2 << 10
)

// Bounds of the management listener.
const (
	manageConns = 128
	readTimeout = 5 * time.Second
	// writeTimeout leaves a reload of many rules the time it takes.
	writeTimeout = 10 * time.Minute
	idleTimeout  = 30 * time.Second
	// maxBody is all that is read of a body: no request needs one.
	maxBody = 1 << 10
)
