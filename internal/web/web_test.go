package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mirador/internal/mirror"
	"mirador/internal/web"
)

// fake is a sensor that says what it is told to.
type fake struct {
	status  web.Status
	stats   web.Stats
	reload  *web.Reload
	err     error
	reloads atomic.Int32
}

func (f *fake) Status() web.Status { return f.status }
func (f *fake) Stats() *web.Stats  { s := f.stats; return &s }
func (f *fake) Reload(context.Context) (*web.Reload, error) {
	f.reloads.Add(1)
	return f.reload, f.err
}

func ask(t *testing.T, h http.Handler, method, target string, change func(*http.Request)) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:8420"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStatusPage(t *testing.T) {
	ok := web.Status{OK: true, State: "ok", Balanced: true, Version: "1.2.3", Uptime: 90 * time.Second}
	bad := func(state, detail string) web.Status {
		return web.Status{State: state, Detail: detail, Balanced: true, Version: "1.2.3"}
	}
	for _, c := range []struct {
		name   string
		method string
		path   string
		status web.Status
		code   int
		want   string
	}{
		{"ok", "GET", web.StatusPath, ok, 200, `{"status":"ok","ledger_balanced":true,"version":"1.2.3","uptime":90}` + "\n"},
		{"head", "HEAD", web.StatusPath, ok, 200, ""},
		{"starting", "GET", web.StatusPath, bad("starting", ""), 503, `{"status":"starting","ledger_balanced":true,"version":"1.2.3","uptime":0}` + "\n"},
		{"stalled", "GET", web.StatusPath, bad("stalled", "vxlan 10.0.0.5:4789 is silent"), 503, `{"status":"stalled","ledger_balanced":true,"version":"1.2.3","uptime":0}` + "\n"},
		{"draining, head", "HEAD", web.StatusPath, bad("draining", ""), 503, ""},
		{"post", "POST", web.StatusPath, ok, 405, "method not allowed\n"},
		{"other path", "GET", "/", ok, 404, "404 page not found\n"},
		{"metrics are elsewhere", "GET", "/metrics", ok, 404, "404 page not found\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ask(t, web.StatusHandler(func() web.Status { return c.status }), c.method, c.path, nil)
			if got := body(t, r); r.StatusCode != c.code || got != c.want {
				t.Errorf("%d %q, want %d %q", r.StatusCode, got, c.code, c.want)
			}
		})
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Clients that open connections and say nothing, or half a request, or too much, keep
// no health check out.
func TestStatusUnderSlowloris(t *testing.T) {
	s := web.ServeStatus(listen(t), func() web.Status { return web.Status{OK: true, State: "ok"} })
	defer s.Close()
	for i := range 300 {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 0 {
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nX-Slow: ", web.StatusPath)
		}
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for range 5 {
		r, err := client.Get("http://" + s.Addr().String() + web.StatusPath)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != 200 {
			t.Errorf("status %d", r.StatusCode)
		}
	}
	// A silent connection is closed, by the next ones or by its timeout.
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("a silent connection was left open: %v", err)
	}
}

// Headers without end are refused.
func TestStatusLargeHeader(t *testing.T) {
	s := web.ServeStatus(listen(t), func() web.Status { return web.Status{OK: true, State: "ok"} })
	defer s.Close()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nX-Large: %s\r\n\r\n", web.StatusPath, strings.Repeat("a", 1<<20))
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.Contains(line, " 431 ") {
		t.Errorf("answer %q", line)
	}
}

func full() *fake {
	since := time.Unix(1700000000, 0).UTC()
	ledger := web.Ledger{Received: 10, ReceivedBytes: 1000, Processed: 8, Drops: []web.Drop{{Reason: "duplicate", Frames: 2}, {Reason: "panic"}}, Dropped: 2}
	counters := web.Counters{{Name: "decoder.pkts", Value: 8}, {Name: "decoder.vxlan", Value: 8}, {Name: "decoder.event.ipv4.pkt_too_small", Value: 1},
		{Name: "app_layer.flow.http", Value: 3}, {Name: "app_layer.error.http.parser", Value: 1}, {Name: "app_layer.limit.http.headers", Value: 7}, {Name: "flow.memuse", Value: 4096}, {Name: "tcp.reassembly_gap", Value: 5},
		{Name: "detect.alert", Value: 6}, {Name: "capture.kernel_packets", Value: 10}, {Name: "mirror.received", Value: 10}}
	f := &fake{status: web.Status{OK: true, State: "ok"}, reload: &web.Reload{Rules: 7}}
	f.stats = web.Stats{Version: "1.2.3", Started: since, Uptime: 5, Status: web.StatusDetail{OK: true, State: "ok"}, Ledger: ledger, Counters: counters,
		Workers: []web.Worker{{ID: 0, Ledger: ledger, Counters: counters}, {ID: 1, Ledger: web.Ledger{}, Counters: counters}},
		Inputs:  []web.Input{{Name: "vxlan 127.0.0.1:4789", Steered: true}},
		Outputs: []web.Output{{Name: "eve.json", Lines: 3}},
		Rules:   web.Rules{Loaded: 7, StaleSince: &since, StaleWhy: "line 3"}}
	known := &mirror.Source{SessionID: "tms-1", ENI: "eni-1", InstanceID: "i-1", Name: "bad\xffname"}
	for _, s := range []web.Source{
		web.NewSource("10.0.0.1", 100, known, false),
		web.NewSource("10.0.0.2", 200, nil, false),
		web.NewSource("10.0.0.3", 300, nil, false),
		web.NewSource("", 0, nil, true),
	} {
		s.Packets = 4
		f.stats.Sources = append(f.stats.Sources, s)
	}
	return f
}

func TestStats(t *testing.T) {
	r := ask(t, web.ManagementHandler(full(), web.Options{}), "GET", "/api/v1/stats", nil)
	var got map[string]any
	if err := json.Unmarshal([]byte(body(t, r)), &got); err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != 200 || got["ledger"].(map[string]any)["received"].(float64) != 10 || got["counters"].(map[string]any)["decoder.pkts"].(float64) != 8 {
		t.Errorf("%d %v", r.StatusCode, got)
	}
	src := got["sources"].([]any)
	if len(src) != 4 || src[0].(map[string]any)["session_id"] != "tms-1" || src[1].(map[string]any)["known"] != false || src[3].(map[string]any)["outer"] != "others" {
		t.Errorf("sources %v", src)
	}
	if rules := got["rules"].(map[string]any); rules["stale_because"] != "line 3" || rules["stale_since"] == nil {
		t.Errorf("rules %v", rules)
	}
}

// Every metric has the names and labels that are documented, no label says what a
// stranger chose, and no name comes twice with different labels.
// The listener says what it has, at / and nowhere else.
func TestIndex(t *testing.T) {
	h := web.ManagementHandler(full(), web.Options{})
	text := body(t, ask(t, h, "GET", "/", nil))
	for _, path := range []string{"/metrics", "/api/v1/stats", "/api/2.0/status"} {
		if !strings.Contains(text, path) {
			t.Errorf("the index does not name %s", path)
		}
		if r := ask(t, h, "GET", path, nil); r.StatusCode != http.StatusOK {
			t.Errorf("%s, which the index names, answers %s", path, r.Status)
		}
	}
	if r := ask(t, h, "GET", "/nothing", nil); r.StatusCode != http.StatusNotFound {
		t.Errorf("/nothing answers %s", r.Status)
	}
}

func TestMetrics(t *testing.T) {
	for _, suricata := range []bool{false, true} {
		text := body(t, ask(t, web.ManagementHandler(full(), web.Options{SuricataNames: suricata}), "GET", "/metrics", nil))
		for _, want := range []string{
			`mirador_received_frames_total{worker="0"} 10`,
			`mirador_dropped_frames_total{reason="duplicate",worker="0"} 2`,
			`mirador_ledger_imbalance 0`,
			`mirador_decoder_pkts_total{worker="1"} 8`,
			`mirador_decoder_events_total{event="ipv4.pkt_too_small",worker="0"} 1`,
			`mirador_app_layer_flows_total{app="http",worker="0"} 3`,
			`mirador_app_layer_errors_total{error="http.parser",worker="0"} 1`,
			`mirador_app_layer_limits_total{limit="http.headers",worker="0"} 7`,
			`mirador_flow_memuse{worker="0"} 4096`,
			`mirador_source_frames_total{eni="eni-1",instance="i-1",session="tms-1"} 4`,
			`mirador_source_frames_total{eni="",instance="",session=""} 12`,
			`mirador_output_lines_total{output="eve.json"} 3`,
			`mirador_config_stale 1`,
			`mirador_up 1`,
		} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("no %s", want)
			}
		}
		for _, name := range []string{
			`suricata_capture_kernel_packets_total{thread="W#1"} 10`,
			`suricata_decoder_vxlan_packets_total{thread="W#1"} 8`,
			`suricata_decoder_packets_total{thread="W#2"} 8`,
			`suricata_tcp_reassembly_gap_total{thread="W#1"} 5`,
			`suricata_detect_alerts_total{thread="W#1"} 6`,
			`suricata_detect_engine_rules_loaded{id="0"} 7`,
			`suricata_flow_memuse_bytes 4096`,
			`suricata_app_layer_flows_total{app="http",thread="W#1"} 3`,
		} {
			if strings.Contains(text, name+"\n") != suricata {
				t.Errorf("%s: there %v, want %v", name, !suricata, suricata)
			}
		}
		if regexp.MustCompile(`(?m)^mirador_.*10\.0\.0\.`).MatchString(text) {
			t.Error("a metric has an outer address")
		}
	}
}

func TestReload(t *testing.T) {
	f := full()
	h := web.ManagementHandler(f, web.Options{})
	for _, c := range []struct {
		name   string
		err    error
		method string
		change func(*http.Request)
		code   int
		runs   int32
		want   string
	}{
		{"good", nil, "POST", nil, 200, 1, `"rules":7`},
		{"busy", web.ErrBusy, "POST", nil, 409, 1, "in work"},
		{"refused", errors.New("x.rules:3:1: no"), "POST", nil, 422, 1, "x.rules:3:1: no"},
		{"get", nil, "GET", nil, 405, 0, ""},
		{"another site's page", nil, "POST", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403, 0, ""},
		{"another site's page, newer browser", nil, "POST", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403, 0, ""},
		{"a name that points here", nil, "POST", func(r *http.Request) { r.Host = "rebind.evil.example" }, 403, 0, "unknown host name"},
		{"localhost", nil, "POST", func(r *http.Request) { r.Host = "localhost:8420" }, 200, 1, ""},
		{"IPv6", nil, "POST", func(r *http.Request) { r.Host = "[::1]:8420" }, 200, 1, ""},
		{"IPv6 without port", nil, "POST", func(r *http.Request) { r.Host = "[::1]" }, 200, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.err = c.err
			before := f.reloads.Load()
			r := ask(t, h, c.method, "/api/v1/reload", c.change)
			text := body(t, r)
			if ran := f.reloads.Load() - before; r.StatusCode != c.code || ran != c.runs || !strings.Contains(text, c.want) {
				t.Errorf("%d %q, %d reloads; want %d %q, %d", r.StatusCode, text, ran, c.code, c.want, c.runs)
			}
		})
	}
}

// The management listener ends with Close.
func TestManagementListener(t *testing.T) {
	s := web.ServeManagement(listen(t), full(), web.Options{})
	r, err := http.Get("http://" + s.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Errorf("status %d", r.StatusCode)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("still listening after Close")
	}
}
