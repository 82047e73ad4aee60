package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The mirror cases that engines without sessions get wrong. The captures are
// public infections; the mirror is made by ../shared/tools/vxwrap.py.

// infections are captures in which the ET Open rules alert.
var infections = []string{
	"zeek+zeek/testing/btest/Traces/bittorrent/tracker.pcap",
	"zeek+zeek/testing/btest/Traces/irc-more-commands.pcap",
	"zeek+zeek/testing/btest/Traces/tcp/tcp-fast-open.pcap",
}

func wrap(t *testing.T, in string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: python3 is not here")
	}
	out := filepath.Join(t.TempDir(), "mirror.pcap")
	cmd := exec.Command("python3", append([]string{shared(t, "tools", "vxwrap.py"), in, out}, args...)...)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("vxwrap: %v\n%s", err, b)
	}
	return out
}

// alertKey is what must be equal in the alerts of a capture and its mirrored
// form: all but time stamps of a copy, packet numbers, flow ids and the outer
// addresses.
func alertKey(e event) string {
	return strings.Join([]string{e.str("alert", "signature_id"), e.str("src_ip"), e.str("src_port"), e.str("dest_ip"),
		e.str("dest_port"), e.str("proto"), e.str("app_proto"), e.str("tx_id"), e.str("direction"), e.str("timestamp")}, " ")
}

func alerts(list []event) map[string]int {
	m := map[string]int{}
	for _, e := range list {
		if e.str("event_type") == "alert" {
			m[alertKey(e)]++
		}
	}
	return m
}

func compare(t *testing.T, name string, got, want map[string]int) {
	t.Helper()
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			t.Errorf("%s: %d alerts %q, native has %d", name, got[k], k, want[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if want[k] == 0 {
			t.Errorf("%s: alert %q, native has none", name, k)
		}
	}
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

func TestMirrorCases(t *testing.T) {
	rules := shared(t, "data", "etopen", "composite-2025-07.rules")
	args := []string{"--rules", rules, "--set", "vars.address-groups.EXTERNAL_NET=any"}
	for _, name := range infections {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			in := shared(t, "data", "captures", name)
			native, _ := replay(t, in, args...)
			want := alerts(native)
			if len(want) == 0 {
				t.Fatalf("no alerts in %s: the test shows nothing", name)
			}
			vxlan, _ := replay(t, wrap(t, in), args...)
			compare(t, "VXLAN", alerts(vxlan), want)
			geneve, _ := replay(t, wrap(t, in, "--geneve"), args...)
			compare(t, "GENEVE", alerts(geneve), want)
			for what, list := range map[string][]event{"VXLAN": vxlan, "GENEVE": geneve} {
				for _, typ := range []string{"flow", "dns", "http", "fileinfo", "tls"} {
					if g, w := count(list, typ), count(native, typ); g != w {
						t.Errorf("%s: %d %s records, native has %d", what, g, typ, w)
					}
				}
				attributed(t, list, "1169", "10.1.1.10")
			}
			both(t, in, args, want, native)
			tenants(t, in, args, want)
			slices_(t, in, args, native)
		})
	}
}

// attributed checks that every record but stats names its session.
func attributed(t *testing.T, list []event, vni, outer string) {
	t.Helper()
	for _, e := range list {
		if typ := e.str("event_type"); typ != "stats" && (e.str("mirror", "vni") != vni || e.str("mirror", "source_ip") != outer) {
			t.Errorf("%s record without its session: %v", typ, e)
			return
		}
	}
}

// both: the two ends of each conversation are mirrored, under two VNIs and under
// one. The alerts are the native ones, and every copy is counted.
func both(t *testing.T, in string, args []string, want map[string]int, native []event) {
	t.Helper()
	for _, dup := range []string{"40", "40:1169", "0:1169", "900:77:10.9.9.9"} {
		list, log := replay(t, wrap(t, in, "--dup", dup), args...)
		compare(t, "both ends mirrored, --dup "+dup, alerts(list), want)
		if g, w := count(list, "flow"), count(native, "flow"); g != w {
			t.Errorf("--dup %s: %d flows, native has %d", dup, g, w)
		}
		var received, processed, dups int
		at := strings.Index(log, "ledger: ")
		if at < 0 {
			t.Fatalf("no ledger in %q", log)
		}
		if _, err := fmt.Sscanf(log[at:], "ledger: received %d = processed %d + duplicate %d", &received, &processed, &dups); err != nil {
			t.Errorf("--dup %s: %v in %q", dup, err, log[at:])
		}
		if received != processed+dups || dups < processed*9/10 {
			t.Errorf("--dup %s: received %d, processed %d, duplicates %d", dup, received, processed, dups)
		}
	}
}

// tenants: two sessions carry the same inner addresses (here even the same
// packets). Both raise all alerts, each under its own session.
func tenants(t *testing.T, in string, args []string, want map[string]int) {
	t.Helper()
	list, _ := replay(t, wrap(t, in, "--also", in+":4242:10.7.7.7"), args...)
	per := map[string]map[string]int{}
	for _, e := range list {
		if e.str("event_type") == "alert" {
			vni := e.str("mirror", "vni")
			if per[vni] == nil {
				per[vni] = map[string]int{}
			}
			per[vni][alertKey(e)]++
		}
	}
	if len(per) != 2 {
		t.Errorf("two sessions: alerts under %d VNIs", len(per))
	}
	for vni, got := range per {
		compare(t, "two sessions, VNI "+vni, got, want)
	}
	if g := sum(alerts(list)); g != 2*sum(want) {
		t.Errorf("two sessions: %d alerts, want 2 x %d", g, sum(want))
	}
}

// slices_: a session's packet length cuts frames. Flow and DNS records stay, and
// records say that something was cut.
func slices_(t *testing.T, in string, args []string, native []event) {
	t.Helper()
	for _, n := range []int{512, 256, 128} {
		list, log := replay(t, wrap(t, in, "--slice", fmt.Sprint(n)), args...)
		if g, w := count(list, "flow"), count(native, "flow"); g != w {
			t.Errorf("packet length %d: %d flows, native has %d", n, g, w)
		}
		if g, w := count(list, "dns"), count(native, "dns"); g != w {
			t.Errorf("packet length %d: %d dns records, native has %d", n, g, w)
		}
		cut := 0
		for _, e := range list {
			if e.str("mirror", "truncated") == "true" {
				cut++
			}
		}
		if strings.Contains(log, ", cut 0,") != (cut == 0) {
			t.Errorf("packet length %d: %d records say that the frame was cut, but the summary: %s", n, cut, log)
		}
	}
}

// TestAWSCapture replays the one public capture of real AWS mirroring.
func TestAWSCapture(t *testing.T) {
	in := shared(t, "data", "aws-capture", "vxlan.pcap")
	rules := filepath.Join(t.TempDir(), "ssh.rules")
	if err := os.WriteFile(rules, []byte(`alert ssh any any -> any any (msg:"inner SSH banner"; ssh.software; content:"OpenSSH"; sid:1;)`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	list, _ := replay(t, in, "--rules", rules)
	attributed(t, list, "5569041", "172.31.0.238")
	seen := map[string]int{}
	for _, e := range list {
		if e.str("event_type") == "flow" {
			seen[strings.Join([]string{e.str("proto"), e.str("src_ip"), e.str("src_port"), e.str("dest_ip"), e.str("dest_port")}, " ")]++
			if e.str("dest_port") == "4789" || e.str("src_port") == "4789" {
				t.Errorf("outer flow logged: %v", e)
			}
		}
	}
	for k, n := range seen {
		if n != 1 {
			t.Errorf("flow %s logged %d times", k, n)
		}
	}
	// 4 TCP flows of SSH, 8 of DNS, 1 of NTP.
	if len(seen) != 13 {
		t.Errorf("%d flows, want 13: %v", len(seen), seen)
	}
	if n := count(list, "alert"); n == 0 {
		t.Error("the rule on the inner SSH banner did not fire")
	}
}

// TestCutKeepsDNS: responses that a session's packet length cuts are logged as far as
// they go.
func TestCutKeepsDNS(t *testing.T) {
	for _, name := range []string{
		"zeek+zeek/testing/btest/Traces/modbus/modbusSmall.pcap",
		"the-tcpdump-group+tcpdump/tests/dns-badvers.pcap",
	} {
		in := shared(t, "data", "captures", name)
		native, _ := replay(t, in)
		if count(native, "dns") < 4 {
			t.Fatalf("%s: %d dns records: the test shows nothing", name, count(native, "dns"))
		}
		slices_(t, in, nil, native)
	}
}
