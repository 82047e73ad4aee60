package web

import (
	"net"
	"net/http"
	"time"
)

// StatusPath is where load balancers ask.
const StatusPath = "/api/2.0/status"

// ServeStatus serves the status page alone on l.
func ServeStatus(l net.Listener, status func() Status) *Server {
	return serve(l, statusConns, &http.Server{
		Handler:           StatusHandler(status),
		ReadTimeout:       statusTimeout,
		ReadHeaderTimeout: statusTimeout,
		WriteTimeout:      statusTimeout,
		IdleTimeout:       statusTimeout,
		MaxHeaderBytes:    maxHeader,
	})
}

// StatusHandler answers GET and HEAD of StatusPath: 200 when packets may be sent here,
// else 503. Everything else does not exist.
func StatusHandler(status func() Status) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// One request a connection: checkers come every few seconds, and a connection
		// that stays costs more than a new one.
		w.Header().Set("Connection", "close")
		switch {
		case r.URL.Path != StatusPath:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		default:
			answerStatus(w, r, status())
		}
	})
}

func answerStatus(w http.ResponseWriter, r *http.Request, s Status) {
	code := http.StatusOK
	if !s.OK {
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
	}
	writeJSON(w, r, code, struct {
		Status
		Uptime int64 `json:"uptime"` // seconds
	}{s, int64(s.Uptime / time.Second)})
}
