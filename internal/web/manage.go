package web

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options configure the management listener.
type Options struct {
	// SuricataNames adds the metrics that suricata_exporter has, under its names.
	SuricataNames bool
}

// ServeManagement serves metrics, statistics and reload on l.
func ServeManagement(l net.Listener, s Sensor, o Options) *Server {
	return serve(l, manageConns, &http.Server{
		Handler:           ManagementHandler(s, o),
		ReadTimeout:       readTimeout,
		ReadHeaderTimeout: readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
	})
}

// ManagementHandler is the management API.
func ManagementHandler(s Sensor, o Options) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&collector{s: s, suricata: o.SuricataNames})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, index)
	})
	mux.HandleFunc("GET "+StatusPath, func(w http.ResponseWriter, r *http.Request) { answerStatus(w, r, s.Status()) })
	mux.HandleFunc("GET /api/v1/stats", func(w http.ResponseWriter, r *http.Request) {
		st := s.Stats()
		if len(st.Sources) > maxSourceRows {
			st.Sources = st.Sources[:maxSourceRows]
		}
		writeJSON(w, r, http.StatusOK, st)
	})
	mux.HandleFunc("POST /api/v1/reload", func(w http.ResponseWriter, r *http.Request) { answerReload(w, r, s) })
	// A page of some other site must not be able to order a reload, nor, by a name
	// that it points here, to read anything.
	return localOnly(http.NewCrossOriginProtection().Handler(mux))
}

// index says to whoever opens the address what there is.
const index = `Mirador's management listener.

GET  /metrics            for Prometheus
GET  /api/v1/stats       everything, in JSON; mirador status shows it
GET  /api/2.0/status     may packets be sent here
POST /api/v1/reload      new rules, sources and settings; mirador reload does it
`

func answerReload(w http.ResponseWriter, r *http.Request, s Sensor) {
	discard(r)
	done, err := s.Reload(r.Context())
	switch {
	case errors.Is(err, ErrBusy):
		writeJSON(w, r, http.StatusConflict, problem{Error: err.Error()})
	case err != nil:
		writeJSON(w, r, http.StatusUnprocessableEntity, problem{Error: err.Error(), Hint: "the old rules and settings stay in use"})
	default:
		writeJSON(w, r, http.StatusOK, done)
	}
}

// localOnly refuses requests that name this host by anything but an address or
// localhost: a name in Host may be one that a stranger's DNS points here.
func localOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if len(host) > 2 && host[0] == '[' {
			host = host[1 : len(host)-1]
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" && host != "" {
			writeJSON(w, r, http.StatusForbidden, problem{Error: "unknown host name in the request", Hint: "use the address or localhost"})
			return
		}
		h.ServeHTTP(w, r)
	})
}
