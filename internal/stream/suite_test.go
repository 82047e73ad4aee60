package stream_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"mirador/internal/packet"
	"mirador/internal/stream"
)

// suiteTest is the part of a suite test that these rooms can judge.
type suiteTest struct {
	Pcap   string           `yaml:"pcap"`
	Args   []string         `yaml:"args"`
	Checks []map[string]any `yaml:"checks"`
}

// settings applies the stream, flow and vlan settings of args and suricata.yaml.
func (st *suiteTest) settings(t *testing.T, dir string) replayOptions {
	o := defaultReplay()
	set := func(key, val string) {
		on := val == "true" || val == "yes"
		switch key {
		case "stream.midstream":
			o.stream.Midstream = on
		case "stream.async-oneside":
			o.stream.AsyncOneside = on
		case "stream.checksum-validation":
			o.stream.ChecksumValidation = on
		case "stream.reassembly.depth":
			mul := int64(1)
			switch {
			case strings.HasSuffix(val, "mb"):
				mul, val = 1<<20, strings.TrimSuffix(val, "mb")
			case strings.HasSuffix(val, "kb"):
				mul, val = 1<<10, strings.TrimSuffix(val, "kb")
			}
			n, err := strconv.ParseInt(val, 10, 64)
			if err == nil {
				o.stream.Depth = n * mul
			}
		case "vlan.use-for-tracking":
			o.flow.IgnoreVLAN = !on
		case "decoder.recursion-level.use-for-tracking":
			o.flow.IgnoreRecursion = !on
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "suricata.yaml")); err == nil {
		var y map[string]any
		if err := yaml.Unmarshal([]byte(strings.TrimPrefix(string(b), "%YAML 1.1\n")), &y); err == nil {
			var walk func(prefix string, v any)
			walk = func(prefix string, v any) {
				if m, ok := v.(map[string]any); ok {
					for k, x := range m {
						walk(strings.TrimPrefix(prefix+"."+k, "."), x)
					}
					return
				}
				set(prefix, fmt.Sprint(v))
			}
			walk("", y)
		}
	}
	words := strings.Fields(strings.Join(st.Args, " "))
	for i, a := range words {
		if a == "-k" && i+1 < len(words) && words[i+1] == "none" {
			o.stream.ChecksumValidation = false
		}
		if a == "--set" && i+1 < len(words) {
			k, v, _ := strings.Cut(words[i+1], "=")
			set(k, v)
		}
	}
	o.flow.Midstream = o.stream.Midstream
	return o
}

// fields are the EVE fields of a flow record that these rooms determine.
func fields(f *rec) map[string]string {
	t := f.Tuple
	addr := func(a packet.Addr) string { return netip.AddrFrom16(a).Unmap().String() }
	b := func(x uint8, bit uint8) string { return strconv.FormatBool(x&bit != 0) }
	m := map[string]string{
		"event_type": "flow", "src_ip": addr(t.Src), "dest_ip": addr(t.Dst),
		"proto":              map[uint8]string{6: "TCP", 17: "UDP", 1: "ICMP", 58: "IPv6-ICMP", 132: "SCTP", 50: "ESP"}[t.Proto],
		"flow.pkts_toserver": fmt.Sprint(f.Packets[0]), "flow.pkts_toclient": fmt.Sprint(f.Packets[1]),
		"flow.bytes_toserver": fmt.Sprint(f.Bytes[0]), "flow.bytes_toclient": fmt.Sprint(f.Bytes[1]),
		"flow.state": f.State.String(), "flow.reason": f.reason.String(),
		"flow.age": fmt.Sprint(f.Last/1e9 - f.Start/1e9),
	}
	switch t.Proto {
	case packet.ProtoTCP:
		all := f.V.seen[0] | f.V.seen[1]
		m["tcp.state"] = f.V.st.String()
		m["tcp.tcp_flags"] = fmt.Sprintf("%02x", all)
		m["tcp.tcp_flags_ts"] = fmt.Sprintf("%02x", f.V.seen[0])
		m["tcp.tcp_flags_tc"] = fmt.Sprintf("%02x", f.V.seen[1])
		m["tcp.syn"], m["tcp.fin"], m["tcp.rst"] = b(all, packet.SYN), b(all, packet.FIN), b(all, packet.RST)
		m["tcp.psh"], m["tcp.ack"] = b(all, packet.PSH), b(all, packet.ACK)
		m["tcp.ts_max_regions"] = fmt.Sprint(f.V.reg[0])
		m["tcp.tc_max_regions"] = fmt.Sprint(f.V.reg[1])
		fallthrough
	case packet.ProtoUDP:
		m["src_port"], m["dest_port"] = fmt.Sprint(t.SrcPort), fmt.Sprint(t.DstPort)
	case packet.ProtoESP:
		m["spi"] = fmt.Sprint(f.SPI())
	}
	return m
}

// suiteTests calls f for all tests of the suite that have a capture.
func suiteTests(t *testing.T, f func(name, dir string, st *suiteTest)) {
	root := filepath.Join(shared(t), "suricata-verify", "tests")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "test.yaml" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var st suiteTest
		if err := yaml.Unmarshal(b, &st); err != nil {
			return nil
		}
		dir := filepath.Dir(path)
		if st.Pcap == "" {
			l, _ := filepath.Glob(filepath.Join(dir, "*.pcap*"))
			if len(l) != 1 {
				return nil
			}
			st.Pcap = l[0]
		} else {
			st.Pcap = filepath.Join(dir, st.Pcap)
		}
		if _, err := os.Stat(st.Pcap); err != nil {
			return nil
		}
		name, _ := filepath.Rel(root, dir)
		f(name, dir, &st)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// turned are the tests whose flow record depends on the application layer finding
// that the first sender is the server, or whose capture the test's reader of pcap
// files does not take (nfs3-01: version 2.1).
var turned = []string{"dnp3/dnp3-toclient-start", "dns-reversed-udp-1", "tcp-stream-after-swap", "nfs3-01"}

// TestSuiteFlows compares the flow records that the suite expects, as far as these
// rooms determine their fields: those that depend on the application layer are
// left out, and then there must be at least as many records as expected.
func TestSuiteFlows(t *testing.T) {
	good, bad := 0, 0
	suiteTests(t, func(name, dir string, st *suiteTest) {
		var wants []map[string]any
		var counts []int
		for _, c := range st.Checks {
			f, _ := c["filter"].(map[string]any)
			m, _ := f["match"].(map[string]any)
			if m["event_type"] != "flow" {
				continue
			}
			if r, ok := f["requires"].(map[string]any); ok && r["lt-version"] != nil {
				continue
			}
			n, err := strconv.Atoi(fmt.Sprint(f["count"]))
			if err != nil {
				continue
			}
			wants = append(wants, m)
			counts = append(counts, n)
		}
		if len(wants) == 0 || strings.Contains(strings.Join(st.Args, " "), "simulate-ips") {
			return
		}
		r := replay(t, st.Pcap, st.settings(t, dir))
		for i, want := range wants {
			n, unknown := 0, ""
			for j := range r.flows {
				have := fields(&r.flows[j])
				ok := true
				for k, v := range want {
					h, known := have[k]
					w := fmt.Sprint(v)
					if a, err := netip.ParseAddr(w); err == nil {
						w = a.String()
					}
					if !known {
						unknown = k
					} else if h != w {
						ok = false
					}
				}
				if ok {
					n++
				}
			}
			if n == counts[i] || unknown != "" && n > counts[i] {
				good++
				continue
			}
			bad++
			if slices.Contains(turned, name) {
				continue
			}
			t.Errorf("%s: %d flows match %v, want %d (not known here: %s)", name, n, want, counts[i], unknown)
			for j := range r.flows {
				if j < 6 {
					t.Logf("    have %v", show(fields(&r.flows[j])))
				}
			}
		}
	})
	t.Logf("%d filters agree, %d do not", good, bad)
	if good < 100 {
		t.Errorf("only %d filters agree: does the test still find them?", good)
	}
}

// TestSuiteEvents compares the stream events that rules of the suite alert on.
// Only rules are taken whose sole condition is the event.
func TestSuiteEvents(t *testing.T) {
	re := regexp.MustCompile(`(?m)^(?:alert|drop) \S+ any any -> any any \((.*)\)`)
	opt := regexp.MustCompile(`([a-z._-]+):?([^;]*);`)
	good, bad := 0, 0
	byName := map[string]stream.Event{}
	for e := range stream.NumEvents {
		byName[e.String()] = e
	}
	suiteTests(t, func(name, dir string, st *suiteTest) {
		sids := map[string]stream.Event{}
		l, _ := filepath.Glob(filepath.Join(dir, "*.rules"))
		for _, path := range l {
			b, _ := os.ReadFile(path)
			for _, m := range re.FindAllStringSubmatch(string(b), -1) {
				var ev stream.Event
				sid, found, other := "", false, false
				for _, o := range opt.FindAllStringSubmatch(m[1], -1) {
					switch o[1] {
					case "stream-event":
						if ev, found = byName[strings.TrimSpace(o[2])]; !found {
							t.Errorf("%s: no event %q", path, o[2])
						}
					case "sid":
						sid = o[2]
					case "msg", "classtype", "rev", "prefilter", "requires":
					default:
						other = true
					}
				}
				if found && !other {
					sids[sid] = ev
				}
			}
		}
		if len(sids) == 0 {
			return
		}
		var r *run
		for _, c := range st.Checks {
			f, _ := c["filter"].(map[string]any)
			m, _ := f["match"].(map[string]any)
			ev, ok := sids[fmt.Sprint(m["alert.signature_id"])]
			if !ok {
				continue
			}
			if r == nil {
				r = replay(t, st.Pcap, st.settings(t, dir))
			}
			n := 0
			seen := map[int]bool{}
			for _, h := range r.hits {
				if h.ev == ev && !seen[h.pkt] && (m["pcap_cnt"] == nil || fmt.Sprint(m["pcap_cnt"]) == fmt.Sprint(h.pkt)) {
					n++
					seen[h.pkt] = true
				}
			}
			if fmt.Sprint(n) == fmt.Sprint(f["count"]) {
				good++
				continue
			}
			bad++
			t.Errorf("%s: %v on %d packets (pcap_cnt %v), want %v", name, ev, n, m["pcap_cnt"], f["count"])
			for i, h := range r.hits {
				if i < 20 {
					t.Logf("   %d %v", h.pkt, h.ev)
				}
			}
		}
	})
	t.Logf("%d filters agree, %d do not", good, bad)
}

func show(m map[string]string) string {
	var l []string
	for k, v := range m {
		l = append(l, k+"="+v)
	}
	sort.Strings(l)
	return strings.Join(l, " ")
}

// TestSuiteBodies: after a RST and with holes, the application layer sees exactly
// the bytes that the suite expects in the file: SHA-256 of what follows the header.
func TestSuiteBodies(t *testing.T) {
	root := filepath.Join(shared(t), "suricata-verify", "tests")
	want := regexp.MustCompile(`fileinfo\.sha256: ([0-9a-f]{64})`)
	for _, n := range []string{"09", "10", "11"} {
		dir := filepath.Join(root, "tcp-rst-unacked-stream-"+n)
		b, err := os.ReadFile(filepath.Join(dir, "test.yaml"))
		if err != nil {
			t.Skip(err)
		}
		l, _ := filepath.Glob(filepath.Join(dir, "*.pcap"))
		o := defaultReplay()
		o.stream.ChecksumValidation = false
		r := replay(t, l[0], o)
		for _, m := range want.FindAllStringSubmatch(string(b), -1) {
			found := false
			for i := range r.flows {
				a := r.flows[i].V.app[1]
				found = found || a != nil && hasBody(a.data, m[1])
			}
			if !found {
				t.Errorf("tcp-rst-unacked-stream-%s: no body has SHA-256 %s", n, m[1])
			}
		}
	}
}

// hasBody looks for an HTTP body with the sum: of the length its header says, or up
// to the end.
func hasBody(b []byte, sum string) bool {
	length := regexp.MustCompile(`Content-Length: (\d+)`)
	for {
		i := bytes.Index(b, []byte("\r\n\r\n"))
		if i < 0 {
			return false
		}
		head, body := b[:i], b[i+4:]
		n := len(body)
		if m := length.FindSubmatch(head); m != nil {
			if k, err := strconv.Atoi(string(m[1])); err == nil {
				n = min(n, k)
			}
		}
		if fmt.Sprintf("%x", sha256.Sum256(body[:n])) == sum {
			return true
		}
		b = body[n:]
	}
}
