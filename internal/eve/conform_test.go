package eve_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"mirador/internal/eve"
	"mirador/internal/packet"
)

// TestConsumers checks what programs that read EVE rely on beyond valid JSON.
func TestConsumers(t *testing.T) {
	for name, rec := range records(t) {
		if !strings.HasPrefix(string(rec), `{"timestamp":"`) {
			t.Errorf("%s: the line does not begin with the timestamp: %.60s", name, rec)
			continue
		}
		// Arkime's suricata plugin reads the offset at bytes 26 to 30 of the time
		// and does not look at lines below 50 bytes.
		stamp := string(rec[len(`{"timestamp":"`):])
		if len(stamp) < 32 || stamp[26:32] != `+0000"` || stamp[10] != 'T' || stamp[19] != '.' {
			t.Errorf("%s: timestamp %.40s", name, stamp)
		}
		if len(rec) < 50 {
			t.Errorf("%s: only %d bytes", name, len(rec))
		}
		m := line(t, rec)
		checkLevels(t, name, m)
		if _, ok := m["event_type"].(string); !ok {
			t.Errorf("%s: event_type %v", name, m["event_type"])
		}
		// Filebeat, Splunk and others index these as numbers.
		for _, k := range []string{"flow_id", "src_port", "dest_port", "pcap_cnt", "tx_id", "ip_v"} {
			if v, ok := m[k]; ok {
				if _, num := v.(json.Number); !num {
					t.Errorf("%s: %s is %T", name, k, v)
				}
			}
		}
		if id, ok := m["flow_id"].(json.Number); ok {
			// JavaScript's numbers are exact up to 2^53.
			if n, err := strconv.ParseUint(id.String(), 10, 64); err != nil || n >= 1<<53 {
				t.Errorf("%s: flow_id %s", name, id)
			}
		}
	}
}

// checkLevels checks that no object has more keys than Arkime accepts.
func checkLevels(t *testing.T, name string, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 100 {
			t.Errorf("%s: an object has %d keys", name, len(v))
		}
		for _, x := range v {
			checkLevels(t, name, x)
		}
	case []any:
		for _, x := range v {
			checkLevels(t, name, x)
		}
	}
}

// records returns a full record of every type.
func records(t testing.TB) map[string][]byte {
	t.Helper()
	table := testTable(t)
	c, tx := conn(table, "http", "GET")
	w := eve.NewWriter(allOn(), table)
	h := full()
	h.HasICMP, h.HasICMPReply, h.HasSPI = true, true, true
	plan, err := eve.NewStatsPlan([]string{"decoder.pkts", "detect.engines", "memcap.pressure"})
	if err != nil {
		t.Fatal(err)
	}
	file := fullFile()
	flow := *h
	flow.EtherSrcs, flow.EtherDsts = [][6]byte{{1}}, [][6]byte{{2}}
	nf := w.Netflow(nil, &flow, fullFlow())
	a := fullAlert(c, tx)
	for i := range 200 {
		a.Rule.Metadata = append(a.Rule.Metadata, eve.Pair{Key: "key" + strconv.Itoa(i), Value: "v"})
	}
	return map[string][]byte{
		"alert":      w.Alert(nil, h, a),
		"http":       w.Tx(nil, h, c, tx),
		"flow":       w.Flow(nil, &flow, fullFlow()),
		"netflow":    nf[:strings.IndexByte(string(nf), '\n')+1],
		"fileinfo":   w.FileInfo(nil, h, c, tx, &file),
		"anomaly":    w.Anomaly(nil, h, &eve.Anomaly{Type: eve.AnomalyApp, Event: "X", Layer: eve.LayerParser, App: "http"}),
		"decode":     w.Anomaly(nil, h, &eve.Anomaly{Type: eve.AnomalyDecode, Event: "X", Packet: []byte("p"), Link: 1}),
		"stats":      w.Stats(nil, &eve.Stats{Time: t0, Plan: plan, Values: []uint64{1, 2, 3}, Engines: make([]eve.Engine, 1)}),
		"packet":     w.Packet(nil, h, []byte("p"), packet.LinkEthernet),
		"frame":      w.Frame(nil, h, a.Frame),
		"arp":        w.ARP(nil, h, &packet.ARP{Opcode: 1}),
		"metadata":   w.Meta(nil, h),
		"stream_tcp": w.StreamTCP(nil, h, &eve.StreamPacket{HasSession: true, Events: []string{"e"}}),
	}
}

// TestSuiteKeys takes every key that the checks of the peer's test suite look at
// in records which this room shapes, and looks for it in a full record.
func TestSuiteKeys(t *testing.T) {
	dir := sharedDir(t, "data/suricata-verify/tests")
	have := map[string]map[string]any{}
	for name, rec := range records(t) {
		have[name] = line(t, rec)
	}
	// Keys below these belong to protocols, rules' data or the list of counters.
	foreign := func(event, key string) bool {
		top, _, _ := strings.Cut(key, ".")
		top, _, _ = strings.Cut(top, "[")
		switch top {
		case "alert", "flow", "netflow", "fileinfo", "anomaly", "packet_info", "frame", "stream_tcp", "files", "tcp",
			"tunnel", "ether", "arp", "traffic", "event_type", "src_ip", "dest_ip", "src_port", "dest_port", "proto",
			"ip_v", "pkt_src", "pcap_cnt", "app_proto", "app_proto_tc", "app_proto_orig", "tx_id", "tx_guessed",
			"community_id", "vlan", "icmp_type", "icmp_code", "response_icmp_type", "response_icmp_code", "spi",
			"payload", "payload_printable", "stream", "packet", "direction":
		default:
			return true
		}
		return strings.HasPrefix(key, "alert.context") || strings.HasPrefix(key, "alert.metadata") ||
			strings.HasPrefix(key, "alert.engine")
	}
	seen := map[string]bool{}
	for _, p := range testYAMLs(t, dir) {
		for event, keys := range matchKeys(t, p) {
			rec, ok := have[event]
			if !ok {
				continue
			}
			for _, k := range keys {
				if id := event + " " + k; !foreign(event, k) && !seen[id] {
					seen[id] = true
					if !has(rec, k) && !(event == "anomaly" && has(have["decode"], k)) && event != k {
						t.Errorf("%s: a %s record has no key %s", filepath.Base(filepath.Dir(p)), event, k)
					}
				}
			}
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d keys were looked at", len(seen))
	}
}

// has looks a key of the suite's match language up.
func has(rec map[string]any, key string) bool {
	var v any = rec
	for _, step := range strings.Split(key, ".") {
		if strings.HasPrefix(step, "__") {
			return true
		}
		name, index, indexed := strings.Cut(step, "[")
		m, ok := v.(map[string]any)
		if !ok {
			return false
		}
		if v, ok = m[name]; !ok {
			return false
		}
		if indexed {
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			a, ok := v.([]any)
			if err != nil || !ok || len(a) == 0 {
				return false
			}
			v = a[min(i, len(a)-1)]
		}
	}
	return true
}

func testYAMLs(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && filepath.Base(p) == "test.yaml" {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// matchKeys returns the keys that the checks of one test match, by event type.
// Checks for absence, and those for other versions, do not count.
func matchKeys(t *testing.T, path string) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Checks []struct {
			Filter struct {
				Count    int
				Requires map[string]any
				Match    map[string]any
			}
		}
	}
	if err := yaml.Unmarshal(data, &spec); err != nil {
		return nil // a form that the suite's own reader takes and ours does not need
	}
	out := map[string][]string{}
	for _, c := range spec.Checks {
		event, _ := c.Filter.Match["event_type"].(string)
		if c.Filter.Count == 0 || event == "" || c.Filter.Requires["lt-version"] != nil {
			continue
		}
		for k, v := range c.Filter.Match {
			switch {
			case k == "not-has-key":
			case k == "has-key":
				if s, ok := v.(string); ok {
					out[event] = append(out[event], s)
				}
			case v != nil:
				out[event] = append(out[event], k)
			}
		}
	}
	return out
}

// sharedDir returns a directory of the test data beside the module, or skips.
func sharedDir(t testing.TB, sub string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the package")
		}
		dir = filepath.Dir(dir)
	}
	p := filepath.Join(filepath.Dir(dir), "shared", sub)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("needs the test data in ../shared/%s", sub)
	}
	return p
}
