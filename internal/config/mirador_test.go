package config_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mirador/internal/config"
	"mirador/internal/flow"
)

func parseFile(t *testing.T, text string, env ...string) *config.File {
	t.Helper()
	f, err := config.Parse([]byte(text), "m.yaml", env)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFile(t *testing.T) {
	f := parseFile(t, `
sensor:
  name: s1
  vxlan: [":4789", "[::]:4790"]
  workers: 4
  receive-buffer: 64 MiB
  drain: 1m30s
allow:
  sources: [10.0.0.0/8, 192.0.2.1]
  vnis: ["7", "100-199"]
dedup: {enabled: no}
rules: {files: /etc/mirador/rules/*.rules}
vars: {address-groups: {HOME_NET: [10.0.0.0/8, 172.16.0.0/12]}, port-groups: {HTTP_PORTS: 8080}}
eve: {rotate-interval: 7d, dns-version: 2, payload: true}
health: {listen: ""}
suricata:
  stream: {midstream: yes}
  outputs:
set: [stream.async-oneside=true]
`)
	want := config.Default()
	want.Sensor.Name, want.Sensor.VXLAN, want.Sensor.Workers = "s1", []string{":4789", "[::]:4790"}, 4
	want.Sensor.ReceiveBuffer, want.Sensor.Drain = 64<<20, config.Duration(90*time.Second)
	if !reflect.DeepEqual(f.Sensor, want.Sensor) {
		t.Errorf("sensor: %+v\nwant %+v", f.Sensor, want.Sensor)
	}
	if f.Dedup.Enabled || !slices.Equal(f.Rules.Files, []string{"/etc/mirador/rules/*.rules"}) || f.Health.Listen != "" ||
		f.EVE.RotateInterval != config.Duration(7*24*time.Hour) || f.EVE.DNSVersion != 2 || f.Vars.Addresses["HOME_NET"] != "[10.0.0.0/8,172.16.0.0/12]" {
		t.Errorf("%+v", f)
	}
	if p, err := f.Allow.Prefixes(); err != nil || len(p) != 2 || p[1] != netip.MustParsePrefix("192.0.2.1/32") {
		t.Errorf("Prefixes = %v, %v", p, err)
	}
	if r, err := f.Allow.VNIRanges(); err != nil || !slices.Equal(r, []config.VNIRange{{First: 7, Last: 7}, {First: 100, Last: 199}}) {
		t.Errorf("VNIRanges = %v, %v", r, err)
	}
	if a, err := config.AddrPorts(f.Sensor.VXLAN); err != nil || a[0].String() != "0.0.0.0:4789" || a[1].String() != "[::]:4790" {
		t.Errorf("AddrPorts = %v, %v", a, err)
	}
	if o, ok := f.Origin("sensor.workers"); !ok || o.String() != "m.yaml:5:12" {
		t.Errorf("Origin = %v, %v", o, ok)
	}
	if _, ok := f.Origin("sensor.state"); ok || f.IsSet("memcaps.flow") {
		t.Error("a default has an origin")
	}
}

func TestFileErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "sensor:\n  wokers: 2\n", `m.yaml:2:3: unknown key "sensor.wokers", perhaps "workers" is meant`},
		{"swapped letters", "ev:\n  path: x\nruels: {}\n", `m.yaml:3:1: unknown key "ruels", perhaps "rules" is meant`},
		{"nothing near", "zzzzzz: 1\n", "m.yaml:1:1: unknown key \"zzzzzz\"\n"},
		{"type", "sensor: {workers: many}\n", `m.yaml:1:19: sensor.workers: "many" is no whole number`},
		{"range", "sensor:\n  workers: 1000\n", "m.yaml:2:12: sensor.workers: 1000 is not in 0 to 256"},
		{"bool", "dedup: {enabled: maybe}\n", `dedup.enabled: "maybe" is neither true nor false`},
		{"size", "memcaps: {flow: 1xb}\n", "memcaps.flow: size"},
		{"small", "memcaps: {flow: 1kb}\n", "m.yaml:1:17: memcaps.flow: 1KiB is below 1MiB"},
		{"duration", "dedup: {window: 5}\n", `dedup.window: "5" is no length of time`},
		{"long window", "dedup: {window: 1h}\n", "m.yaml:1:17: dedup.window: 1h0m0s is not in"},
		{"mapping", "sensor: 5\n", "m.yaml:1:9: sensor: want a mapping, not a single value"},
		{"scalar", "sensor: {name: [a]}\n", "sensor.name: want a text, not a sequence"},
		{"list of lists", "set: [[a]]\n", "set.0: want a text, not a sequence"},
		{"listener", "sensor: {vxlan: [\"4789\"]}\n", `m.yaml:1:18: sensor.vxlan.0: "4789" is not address:port`},
		{"name as address", "health: {listen: \"example.org:80\"}\n", "health.listen: \"example.org\" is no IP address"},
		{"network", "allow:\n  sources:\n    - 10.0.0.0/8\n    - 10.0.0/8\n", `m.yaml:4:7: allow.sources.1: "10.0.0/8" is no network`},
		{"vni", "allow: {vnis: [16777216]}\n", "allow.vnis.0"},
		{"set", "set: [abc]\n", `set.0: set "abc": want name=value`},
		{"dns", "eve: {dns-version: 1}\n", "1 is not in 2 to 3"},
		{"twice", "sources: a\nsources: b\n", "m.yaml:2:1: "},
		{"syntax", "sensor: [\n", "m.yaml:"},
		{"anchor", "sources: *x\n", "no anchor named"},
	} {
		_, err := config.Parse([]byte(c.text), "m.yaml", nil)
		if err == nil || !strings.Contains(err.Error()+"\n", c.want) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
	_, err := config.Parse([]byte("a: 1\nb: 2\nsensor: {workers: x}\n"), "m.yaml", nil)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all problems at once: %v", err)
	}
	if _, err := config.Parse([]byte("sensor:\n#\n"), "m.yaml", nil); err != nil {
		t.Errorf("a key without value: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	env := []string{"HOME=/root", "MIRADOR_SENSOR_WORKERS=3", "MIRADOR_ALLOW_SOURCES=10.0.0.0/8, 192.0.2.0/24", "MIRADOR_HEALTH_LISTEN=",
		"MIRADOR_EVE_DNS_VERSION=2", "MIRADOR_REQUIRE_ROOT=1", "MIRADOR_DEDUP_WINDOW=20ms"}
	f := parseFile(t, "sensor: {workers: 2}\n", env...)
	if f.Sensor.Workers != 3 || len(f.Allow.Sources) != 2 || f.Health.Listen != "" || f.EVE.DNSVersion != 2 ||
		f.Dedup.Window != config.Duration(20*time.Millisecond) {
		t.Errorf("%+v", f)
	}
	if o, _ := f.Origin("sensor.workers"); o.String() != "$MIRADOR_SENSOR_WORKERS" {
		t.Errorf("Origin = %v", o)
	}
	if !slices.Equal(f.UnknownEnv, []string{"MIRADOR_REQUIRE_ROOT"}) {
		t.Errorf("UnknownEnv = %q", f.UnknownEnv)
	}
	for _, bad := range []string{"MIRADOR_SENSOR_WORKERS=x", "MIRADOR_ALLOW_SOURCES=x"} {
		name, _, _ := strings.Cut(bad, "=")
		if _, err := config.Parse(nil, "m.yaml", []string{bad}); err == nil || !strings.Contains(err.Error(), "$"+name) {
			t.Errorf("%s: error %v", bad, err)
		}
	}
}

// TestFlatOf shows how mirador.yaml and Suricata settings come together.
func TestFlatOf(t *testing.T) {
	p := filepath.Join(t.TempDir(), "suricata.yaml")
	const suricata = `
vars: {address-groups: {HOME_NET: "[192.0.2.0/24]"}}
flow: {memcap: 16mb, hash-size: 1024}
stream: {midstream: no, memcap: 2mb}
outputs:
  - fast: {enabled: yes}
  - eve-log: {enabled: yes, filename: theirs.json, types: [{alert: {payload: yes}}, {http: {extended: no}}]}
  - file-store: {enabled: yes, version: 2, dir: there}
`
	if err := os.WriteFile(p, []byte(suricata), 0o600); err != nil {
		t.Fatal(err)
	}
	f := parseFile(t, "suricata-config: "+p+`
sensor: {name: s1}
vars: {address-groups: {HOME_NET: "[10.0.0.0/8]", MINE: any}}
suricata: {stream: {midstream: yes}, app-layer: {protocols: {tls: {ja3-fingerprints: yes}}}}
memcaps: {stream: 4mb}
eve: {path: ours.json, netflow: yes, dns-version: 2}
set: [flow.hash-size=2048]
`)
	flat, err := f.Flat()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"vars.address-groups.HOME_NET": "[10.0.0.0/8]", "vars.address-groups.MINE": "any", "flow.memcap": "16mb",
		"flow.hash-size": "2048", "stream.midstream": "yes", "stream.memcap": "4194304", "sensor-name": "s1",
		"app-layer.protocols.tls.ja3-fingerprints": "yes",
	} {
		if got, _ := flat.Get(path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	o, err := flat.Outputs()
	if err != nil || len(o.EVE) != 1 || len(o.Fast) != 0 {
		t.Fatalf("outputs: %+v, %v", o, err)
	}
	e := o.EVE[0]
	if e.Filename != "ours.json" || !e.Alert.Payload || !e.NetflowOn || !e.Logs("http") || e.Host != "s1" || !e.CommunityID || !e.Mirror {
		t.Errorf("eve: %+v", e)
	}
	if v, _ := flat.Root().Int("eve.dns.version"); v != 2 {
		t.Errorf("dns version %d", v)
	}
	if ext, ok := flat.Root().Bool("eve.http.extended"); ext || !ok {
		t.Error("the options of http are lost")
	}
	if fs, err := flat.FileStore(); err != nil || !fs.Enabled || fs.Dir != "there" {
		t.Errorf("file-store: %+v, %v", fs, err)
	}
	// Without anything, it is the stock configuration with one output.
	flat, err = config.Default().Flat()
	if err != nil {
		t.Fatal(err)
	}
	if fl, err := flat.Flow(); err != nil || !reflect.DeepEqual(fl, flow.DefaultOptions()) {
		t.Errorf("Flow = %+v, %v", fl, err)
	}
	if o, err := flat.Outputs(); err != nil || len(o.EVE) != 1 || !o.EVE[0].Logs("tls") || !o.EVE[0].StatsOn || o.EVE[0].Alert.Payload {
		t.Errorf("outputs: %+v, %v", o, err)
	}
	none := config.Default()
	none.EVE.Path = ""
	if flat, err := none.Flat(); err != nil {
		t.Fatal(err)
	} else if o, err := flat.Outputs(); err != nil || len(o.EVE) != 0 {
		t.Errorf("outputs: %+v, %v", o, err)
	}
}

// TestRoundTrip writes a configuration and reads it back.
func TestRoundTrip(t *testing.T) {
	f := parseFile(t, `
sensor: {name: "a: b # c", vxlan: ["[::1]:1"], drain: 1h}
vars: {port-groups: {"X Y": "[1,2]"}}
suricata: {a: {b: [1, {c: d}, "x: y"]}, e: , f: []}
set: ["x=\"q\""]
memcaps: {defrag: 33mb}
`)
	text := f.String()
	g, err := config.Parse([]byte(text), "again.yaml", nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if again := g.String(); again != text {
		t.Errorf("%s\nbecame\n%s", text, again)
	}
	if f.Sensor.Name != g.Sensor.Name || f.Sensor.Drain != g.Sensor.Drain || !reflect.DeepEqual(f.Set, g.Set) ||
		!reflect.DeepEqual(f.Vars.Ports, g.Vars.Ports) || f.Memcaps != g.Memcaps {
		t.Errorf("%+v\nbecame %+v", f, g)
	}
	var e, want config.File
	e, want = *parseFile(t, config.Example()), *parseFile(t, "")
	if e.String() != want.String() {
		t.Errorf("the example changes something:\n%s", e.String())
	}
	// With the comment signs off it is a file with all defaults.
	var lines []string
	for _, l := range strings.Split(config.Example(), "\n") {
		if s := strings.TrimLeft(l, " "); strings.HasPrefix(s, "#") && !strings.HasPrefix(s, "# ") {
			l = strings.Replace(l, "#", "", 1)
		}
		lines = append(lines, l)
	}
	if all := parseFile(t, strings.Join(lines, "\n")); all.String() != want.String() {
		t.Errorf("the defaults of the example differ:\n%s", all)
	}
}

func TestKeysAndSchema(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range config.Keys() {
		if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") || k.Type == "" || seen[k.Path] || k.Env != "" && seen[k.Env] {
			t.Errorf("key %+v", k)
		}
		seen[k.Path], seen[k.Env] = true, true
	}
	if !seen["sensor.vxlan"] || !seen["memcaps.stream-reassembly"] || !seen["MIRADOR_MEMCAPS_STREAM_REASSEMBLY"] {
		t.Error("keys are missing")
	}
	raw, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	sensor := s["properties"].(map[string]any)["sensor"].(map[string]any)
	workers := sensor["properties"].(map[string]any)["workers"].(map[string]any)
	if s["additionalProperties"] != false || sensor["additionalProperties"] != false || workers["maximum"] != float64(256) || workers["description"] == "" {
		t.Errorf("schema: %v", workers)
	}
	if err := config.Default().Validate(); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
}
