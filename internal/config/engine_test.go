package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mirador/internal/config"
	"mirador/internal/flow"
	"mirador/internal/rule"
	"mirador/internal/stream"
)

// TestStock checks that the built-in stock configuration means what the rooms
// call Suricata's stock values.
func TestStock(t *testing.T) {
	f := config.Stock()
	fl, err := f.Flow()
	if err != nil || !reflect.DeepEqual(fl, flow.DefaultOptions()) {
		t.Errorf("Flow = %+v, %v\nwant %+v", fl, err, flow.DefaultOptions())
	}
	st, err := f.Stream(false)
	if err != nil || len(st.HostOS) != 1 || st.HostOS[0].Policy != stream.PolicyWindows || st.HostOS[0].Bits != 96 {
		t.Errorf("HostOS = %+v, %v", st.HostOS, err)
	}
	st.HostOS = nil
	if !reflect.DeepEqual(st, stream.DefaultOptions()) {
		t.Errorf("Stream = %+v\nwant %+v", st, stream.DefaultOptions())
	}
	df, err := f.Defrag()
	if err != nil || len(df.HostOS) != 1 {
		t.Errorf("Defrag = %+v, %v", df, err)
	}
	df.HostOS = nil
	if !reflect.DeepEqual(df, stream.DefaultDefragOptions()) {
		t.Errorf("Defrag = %+v\nwant %+v", df, stream.DefaultDefragOptions())
	}
	d, err := f.Decoder()
	if err != nil || !slices.Equal(d.VXLANPorts, []uint16{4789}) || !slices.Equal(d.GENEVEPorts, []uint16{6081}) ||
		!slices.Equal(d.TeredoPorts, []uint16{3544}) {
		t.Errorf("Decoder = %+v, %v", d, err)
	}
	v, want := f.Vars(), rule.DefaultVars()
	if !maps.Equal(v.Addresses, want.Addresses) || !slices.Equal(slices.Sorted(maps.Keys(v.Ports)), slices.Sorted(maps.Keys(want.Ports))) {
		t.Errorf("Vars = %v\nwant %v", v, want)
	}
	det, err := f.Detect()
	if err != nil || det.Recursion != 3000 || det.PcreLimit != 3500 || det.MaxAlerts != 15 || det.PrefilterAuto {
		t.Errorf("Detect = %+v, %v", det, err)
	}
	o, err := f.Outputs()
	if err != nil || len(o.EVE) != 1 || len(o.Fast) != 1 || len(o.Ignored) != 0 {
		t.Fatalf("Outputs = %+v, %v", o, err)
	}
	e := o.EVE[0]
	if !e.AlertOn || !e.Alert.TaggedPackets || !e.Alert.AppLayer || e.Alert.Payload || !e.AnomalyOn || !e.Anomaly.AppLayer ||
		e.Anomaly.Decode || !e.FilesOn || !e.FlowOn || e.NetflowOn || !e.StatsOn || e.FrameOn || e.ARPOn || e.StreamOn || e.Prefix != "" {
		t.Errorf("eve-log: %+v", e)
	}
	for p, on := range map[string]bool{"http": true, "dns": true, "dhcp": true, "pgsql": false, "dnp3": false, "modbus": false, "ike": true} {
		if e.Logs(p) != on {
			t.Errorf("type %s: on = %v", p, !on)
		}
	}
	if fs, err := f.FileStore(); err != nil || fs.Enabled {
		t.Errorf("FileStore = %+v, %v", fs, err)
	}
	if on, _ := f.Protocol("pgsql").Bool("enabled"); on {
		t.Error("pgsql is on")
	}
	if s, _ := f.Protocol("imap").String("enabled"); s != "detection-only" {
		t.Errorf("imap is %q", s)
	}
	if ext, ok := f.Root().Bool("eve.http.extended"); !ext || !ok {
		t.Error("eve.http.extended is not found")
	}
}

// TestBuiltIn shows what an empty suricata.yaml means.
func TestBuiltIn(t *testing.T) {
	f := parse(t, "a: 1\n")
	fl, err := f.Flow()
	if err != nil || fl.Timeouts[flow.ClassTCP].Established != 300*time.Second || fl.Timeouts[flow.ClassTCP].Closed != 10*time.Second {
		t.Errorf("Flow = %+v, %v", fl.Timeouts, err)
	}
	st, err := f.Stream(true)
	if err != nil || !st.Inline || !st.ChecksumValidation || st.HostOS != nil {
		t.Errorf("Stream = %+v, %v", st, err)
	}
	if o, err := f.Outputs(); err != nil || len(o.EVE)+len(o.Fast) != 0 {
		t.Errorf("Outputs = %+v, %v", o, err)
	}
	if v := f.Vars(); len(v.Addresses)+len(v.Ports) != 0 {
		t.Errorf("Vars = %v", v)
	}
	if d, err := f.Decoder(); err != nil || d.VXLANPorts != nil {
		t.Errorf("Decoder = %+v, %v", d, err)
	}
}

func TestEngineSettings(t *testing.T) {
	f := parse(t, `
vars:
  address-groups: {A: [10.0.0.0/8, "!10.1.0.0/16"], B: $A}
  port-groups: {V: "[8472, 4789]", W: $V}
decoder:
  vxlan: {enabled: yes, ports: $W, reserved-bits-check: strict}
  geneve: {enabled: no}
  teredo: {ports: any}
  recursion-level: {use-for-tracking: no}
stream:
  memcap: 1mb
  inline: "yes"
  midstream: on
  reassembly: {depth: 0, raw: no, urgent: {policy: gap}}
host-os-policy:
  linux: [10.0.0.0/8, "2001:db8::/32", 192.0.2.1]
flow-timeouts: {tcp: {closed: 5}}
defrag:
  memcap: 2mb
  timeout: 30
  host-config:
    - dmz: {timeout: 10, address: [192.0.2.0/24, "::1"]}
outputs:
  - file-store: {enabled: yes, version: 2, force-filestore: yes, stream-depth: 0, force-hash: [md5], dir: files}
  - lua: {enabled: yes}
datasets:
  defaults: {memcap: 1mb}
  bad: {type: md5, load: x.lst, hashsize: 16}
rule-files: [a.rules, b.rules]
`, "stream.async-oneside=true")
	d, err := f.Decoder()
	if err != nil || !slices.Equal(d.VXLANPorts, []uint16{8472, 4789}) || d.GENEVEPorts == nil || len(d.GENEVEPorts) != 0 ||
		d.TeredoPorts != nil || !d.VXLANStrict {
		t.Errorf("Decoder = %+v, %v", d, err)
	}
	st, err := f.Stream(false)
	if err != nil || st.Memcap != 1<<20 || !st.Inline || !st.Midstream || !st.AsyncOneside || st.Depth != 0 || !st.RawOff ||
		st.Urgent != stream.UrgentGap || len(st.HostOS) != 3 || st.HostOS[0].Bits != 104 || st.HostOS[1].Bits != 32 || st.HostOS[2].Bits != 128 {
		t.Errorf("Stream = %+v, %v", st, err)
	}
	fl, err := f.Flow()
	if err != nil || !fl.Midstream || !fl.IgnoreRecursion || fl.Timeouts[flow.ClassTCP].Closed != 5*time.Second {
		t.Errorf("Flow = %+v, %v", fl, err)
	}
	df, err := f.Defrag()
	if err != nil || df.Memcap != 2<<20 || df.Timeout != 30e9 || len(df.HostTimeouts) != 2 || df.HostTimeouts[0].Bits != 120 ||
		df.HostTimeouts[0].Timeout != 10e9 || df.HostTimeouts[1].Bits != 128 {
		t.Errorf("Defrag = %+v, %v", df, err)
	}
	if v := f.Vars(); v.Addresses["A"] != "[10.0.0.0/8,!10.1.0.0/16]" || v.Addresses["B"] != "$A" {
		t.Errorf("Vars = %v", v)
	}
	fs, err := f.FileStore()
	if err != nil || fs != (config.FileStore{Enabled: true, Dir: "files", StoreAll: true, MD5: true}) {
		t.Errorf("FileStore = %+v, %v", fs, err)
	}
	det, err := f.Detect()
	if err != nil || len(det.Datasets) != 1 || det.Datasets[0] != (config.Dataset{Name: "bad", Type: "md5", Load: "x.lst", HashSize: 16}) ||
		!slices.Equal(det.RuleFiles, []string{"a.rules", "b.rules"}) {
		t.Errorf("Detect = %+v, %v", det, err)
	}
	if o, err := f.Outputs(); err != nil || !slices.Equal(o.Ignored, []string{"lua"}) {
		t.Errorf("Outputs = %+v, %v", o, err)
	}
}

func TestProtocolEnabled(t *testing.T) {
	for text, want := range map[string]string{
		"{tcp: {enabled: no}, udp: {enabled: no}}":               "no",
		"{tcp: {enabled: no}, udp: {enabled: yes}}":              "",
		"{tcp: {enabled: no}}":                                   "",
		"{enabled: yes, tcp: {enabled: no}, udp: {enabled: no}}": "yes",
		"{enabled: detection-only}":                              "detection-only",
		"{}":                                                     "",
	} {
		f := parse(t, "app-layer: {protocols: {dns: "+text+"}}\n")
		if got, _ := f.Protocol("dns").String("enabled"); got != want {
			t.Errorf("%s: enabled = %q, want %q", text, got, want)
		}
	}
}

func TestEngineBad(t *testing.T) {
	for text, want := range map[string]string{
		"stream: {memcap: 1xb}":                                                               "stream.memcap: size",
		"stream: {midstream: maybe}":                                                          `stream.midstream: "maybe"`,
		"stream: {reassembly: {urgent: {policy: x}}}":                                         "stream.reassembly.urgent.policy",
		"host-os-policy: {dos: [0.0.0.0/0]}":                                                  "host-os-policy.dos",
		"host-os-policy: {linux: [300.0.0.0/8]}":                                              "host-os-policy.linux",
		"flow-timeouts: {tcp: {new: x}}":                                                      "flow-timeouts.tcp.new",
		"flow-timeouts: {tcp: {new: 99999999999}}":                                            "flow-timeouts.tcp.new",
		"flow: {emergency-recovery: 200}":                                                     "emergency-recovery",
		"decoder: {vxlan: {ports: $X}}":                                                       `no port group named "X"`,
		"decoder: {vxlan: {ports: 70000}}":                                                    "is no port",
		"decoder: {vxlan: {ports: $A}}\nvars: {port-groups: {A: $A}}":                         "circle",
		"outputs: [{file-store: {enabled: yes, version: 1}}]":                                 "version 1",
		"outputs: [{eve-log: {enabled: yes, community-id-seed: 70000}}]":                      "community-id-seed",
		"outputs: [{eve-log: {enabled: yes, types: [{files: {force-hash: [crc]}}]}}]":         "files: force-hash",
		"outputs: [{eve-log: {enabled: yes, types: [{alert: {payload-buffer-size: lots}}]}}]": "alert: payload-buffer-size",
		"outputs: [{eve-log: {enabled: yes, rotate-interval: often}}]":                        "rotate-interval",
		"outputs: [{eve-log: {enabled: yes, filemode: '9'}}]":                                 "filemode",
	} {
		f := parse(t, text+"\n")
		_, e1 := f.Stream(false)
		_, e2 := f.Flow()
		_, e3 := f.Decoder()
		_, e4 := f.FileStore()
		_, e5 := f.Outputs()
		found := false
		for _, err := range []error{e1, e2, e3, e4, e5} {
			found = found || err != nil && strings.Contains(err.Error(), want)
		}
		if !found {
			t.Errorf("%s: %v %v %v %v %v, want %q", text, e1, e2, e3, e4, e5, want)
		}
	}
}

func TestOutputs(t *testing.T) {
	f := parse(t, `
sensor-name: s1
outputs:
  - fast: {enabled: yes, filename: f.log, ipv6-compress: yes}
  - eve-log:
      enabled: yes
      filename: a.json
      community-id: yes
      community-id-seed: 1234
      metadata: no
      ethernet: yes
      suricata-version: yes
      prefix: "@cee: "
      rotate-interval: 1d
      filemode: 640
      xff: {enabled: yes, mode: overwrite, deployment: forward, header: X-Real-IP}
      types:
        - alert:
            payload: yes
            payload-buffer-size: 8kb
            metadata: {app-layer: no, rule: {raw: yes, reference: yes}}
        - anomaly: {types: {decode: yes, applayer: no}, packethdr: yes}
        - flow: {exception-policy: true}
        - stats: {null-values: no, deltas: yes}
        - stream: {event-set: yes}
        - netflow
        - metadata
        - drop: {alerts: yes}
        - ikev2
        - http: {enabled: no}
        - dns: {version: 2}
        - stats:
          totals: yes
  - eve-log: {enabled: no, types: [alert]}
  - eve-log:
      enabled: yes
      types: [{alert: {metadata: no}}, {dns: {version: 3}}, {frame: {payload-buffer-size: 1gb}}]
`)
	o, err := f.Outputs()
	if err != nil || len(o.EVE) != 2 || len(o.Fast) != 1 || o.Fast[0] != (config.FastOutput{Filename: "f.log", Append: true, IPv6Compress: true}) {
		t.Fatalf("%+v, %v", o, err)
	}
	a, b := o.EVE[0], o.EVE[1]
	if a.Filename != "a.json" || a.Host != "s1" || !a.CommunityID || a.CommunitySeed != 1234 || a.Metadata || !a.Ethernet || a.SuricataVersion == "" ||
		a.Prefix != "@cee: " || a.RotateSec != 86400 || a.FileMode != 0o640 || !a.Alert.XFF.Enabled || !a.Alert.XFF.Overwrite || !a.Alert.XFF.Forward {
		t.Errorf("first output: %+v", a)
	}
	if !a.Alert.Payload || a.Alert.PayloadBuffer != 8192 || a.Alert.AppLayer || !a.Alert.Flow || !a.Alert.RuleRaw || !a.Alert.References || !a.Alert.RuleMetadata {
		t.Errorf("alert: %+v", a.Alert)
	}
	if !a.Anomaly.Decode || a.Anomaly.AppLayer || !a.Anomaly.PacketHdr || !a.Flow.ExceptionPolicy || !a.NetflowOn || !a.MetadataOn || !a.DropOn ||
		!a.StreamOn || !a.Stream.EventSet || a.Stream.All {
		t.Errorf("types: %+v", a)
	}
	// The last "stats" has its options beside it, which Suricata does not look at.
	if a.Stats.SkipZero || !a.Stats.Totals {
		t.Errorf("stats: %+v", a.Stats)
	}
	if !a.Logs("ike") || !a.Logs("dns") || a.Logs("http") {
		t.Errorf("protocols: %v", a.Protocols)
	}
	if b.Filename != "eve.json" || b.Alert.Flow || b.Alert.AppLayer || b.Alert.RuleMetadata || !b.Metadata || b.Frame.PayloadBuffer != 1<<20 {
		t.Errorf("second output: %+v", b)
	}
	root := f.Root()
	if v, _ := root.Int("eve.dns.version"); v != 2 {
		t.Errorf("eve.dns.version = %d, want that of the first output", v)
	}
	if v, ok := root.String("eve.frame.payload-buffer-size"); v != "1gb" || !ok {
		t.Errorf("eve.frame.payload-buffer-size = %q", v)
	}
	for i, want := range []int64{2, 3} {
		if v, ok := f.EVEType(i, "dns").Int("version"); v != want || !ok {
			t.Errorf("output %d: dns.version = %d, want %d", i, v, want)
		}
	}
	if _, ok := f.EVEType(2, "dns").Int("version"); ok {
		t.Error("an output that is not there has options")
	}
	if _, ok := root.String("eve.tls.custom"); ok {
		t.Error("eve.tls.custom is there")
	}
}

// TestSuiteSettings reads all settings of every suricata.yaml of the suite.
func TestSuiteSettings(t *testing.T) {
	dir := shared(t, "data/suricata-verify/tests")
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || filepath.Base(p) != "suricata.yaml" {
			return err
		}
		f, err := config.LoadFlat(p)
		if err != nil {
			return err
		}
		_, e1 := f.Stream(false)
		_, e2 := f.Flow()
		_, e3 := f.Decoder()
		_, e4 := f.FileStore()
		_, e5 := f.Detect()
		_, e6 := f.Stats()
		_, e7 := f.Defrag()
		for _, err := range []error{e1, e2, e3, e4, e5, e6, e7} {
			if err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
