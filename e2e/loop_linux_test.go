package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// loopTopology has no mirroring and no traffic interface: apply makes them.
const loopTopology = `
vpcs:
  - name: main
    cidr: 10.0.0.0/16
    subnets:
      - {name: app, cidr: 10.0.1.0/24, zone: a}
      - {name: watch, cidr: 10.0.2.0/24, zone: a}
    security-groups:
      - name: web
        ingress: [{protocol: tcp, ports: 80, peers: [10.0.0.0/16]}]
    instances:
      - {name: web, id: i-00000000000000001, subnet: app, groups: [web], address: 10.0.1.10, interface-id: eni-00000000000000001, tags: {Mirror: "true"}}
      - {name: client, subnet: app, groups: [web], address: 10.0.1.11}
      - {name: sensor, id: i-00000000000000002, type: m5.xlarge, subnet: watch, address: 10.0.2.20}
`

const loopSpec = `
name: loop
sensors:
  - instance: i-00000000000000002
target: {kind: eni}
sources:
  include:
    - tags: {Mirror: "true"}
`

// setUp runs commands of mirador aws against a pretend VPC.
type setUp struct {
	*lab
	dir string
}

// run runs mirador aws and returns what it prints and its exit code.
func (s setUp) run(args ...string) (out string, code int) {
	s.t.Helper()
	c := exec.Command(bin, append([]string{"aws", "--endpoint-url", s.url, "-f", filepath.Join(s.dir, "mirror.yaml")}, args...)...)
	c.Env = append(awsEnv(), "XDG_STATE_HOME="+s.dir)
	c.Stderr = os.Stderr
	b, err := c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(b), exit.ExitCode()
	}
	if err != nil {
		s.t.Fatalf("mirador aws %v: %v", args, err)
	}
	return string(b), 0
}

func (s setUp) apply() {
	s.t.Helper()
	if out, code := s.run("apply", "--yes"); code != 0 {
		s.t.Fatalf("apply: exit code %d: %s", code, out)
	}
}

// verdict is one session in the answer of mirador aws verify.
type verdict struct{ Session, Interface, State, Hop, Text string }

// verify asks the sensor for its statistics, and then whether packets arrive.
func (s setUp) verify() (list []verdict, code int) {
	s.t.Helper()
	// The sensor's counters are a moment behind its events.
	var stats string
	until(s.t, "a source that the sensor counts", func() bool {
		stats = s.do(s.exec("sensor", bin, "status", "--addr", "127.0.0.1:8420", "-o", "json"))
		var v struct{ Sources []any }
		return json.Unmarshal([]byte(stats), &v) == nil && len(v.Sources) > 0
	})
	file := filepath.Join(s.dir, "stats.json")
	if err := os.WriteFile(file, []byte(stats), 0o644); err != nil {
		s.t.Fatal(err)
	}
	out, code := s.run("verify", "--sensor", file, "-o", "json")
	var v struct{ Sessions []verdict }
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		s.t.Fatalf("verify: exit code %d: %v: %s", code, err, out)
	}
	return v.Sessions, code
}

// whole checks that verify holds the one session for good.
func (s setUp) whole() {
	s.t.Helper()
	list, code := s.verify()
	if code != 0 || len(list) != 1 || list[0].State != "ok" || list[0].Interface != "eni-00000000000000001" {
		s.t.Fatalf("verify: exit code %d, %+v", code, list)
	}
}

// probed sends a probe from the source and one from the sensor straight to its traffic
// interface, and returns how far they came.
func (s setUp) probed() map[string]string {
	s.t.Helper()
	token := strings.TrimSpace(s.do(s.exec("web", bin, "aws", "probe", "--to", "10.0.1.11")))
	c := s.exec("sensor", bin, "aws", "--endpoint-url", s.url, "-f", filepath.Join(s.dir, "mirror.yaml"), "verify", "--sensor", "http://127.0.0.1:8420", "--probe", "--probe-token", token, "-o", "json")
	c.Env = awsEnv()
	out, err := c.Output()
	var v struct {
		Probes []struct {
			Token, State, To string
			Stages, Sessions []string
		}
	}
	if json.Unmarshal(out, &v) != nil || len(v.Probes) == 0 {
		s.t.Fatalf("verify --probe: %v: %s", err, out)
	}
	how := map[string]string{}
	for _, p := range v.Probes {
		from := "straight"
		if p.Token == token {
			from = "mirrored"
		}
		how[from] = fmt.Sprintf("%s %v %d", p.State, p.Stages, len(p.Sessions))
	}
	return how
}

// lostAt checks that verify names the hop where the one session is lost.
func (s setUp) lostAt(hop string) {
	s.t.Helper()
	list, code := s.verify()
	if code != 2 || len(list) != 1 || list[0].State != "lost" || list[0].Hop != hop {
		s.t.Fatalf("verify: exit code %d, %+v, want lost at %s", code, list, hop)
	}
}

// The whole way: apply mirrors an instance to a sensor, the sensor finds an attack, verify
// says that packets arrive; what is then broken on the way verify names, and apply mends.
func TestLoop(t *testing.T) {
	l := startVPC(t, loopTopology)
	s := setUp{l, t.TempDir()}
	eve, rules := filepath.Join(s.dir, "eve.json"), filepath.Join(s.dir, "t.rules")
	text := `alert http any any -> any any (msg:"attack"; http.uri; content:"/attack-"; sid:1;)` + "\n"
	for name, b := range map[string]string{rules: text, filepath.Join(s.dir, "mirror.yaml"): loopSpec} {
		if err := os.WriteFile(name, []byte(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.apply()

	// The traffic interface appears in the sensor's instance, and the sensor listens there.
	words := strings.Fields(l.must("ec2", "describe-network-interfaces", "--filters", "Name=tag:mirador:stack,Values=loop",
		"--query", "NetworkInterfaces[].[NetworkInterfaceId,PrivateIpAddress,Attachment.InstanceId]"))
	if len(words) != 3 || words[2] != "i-00000000000000002" {
		t.Fatalf("traffic interfaces: %q", words)
	}
	eni, address := words[0], words[1]
	until(t, "eth1 of the sensor", func() bool {
		out, err := l.exec("sensor", "cat", "/proc/net/fib_trie").Output()
		return err == nil && strings.Contains(string(out), "|-- "+address+"\n")
	})
	l.start(l.exec("sensor", bin, "sensor", "--vxlan", address+":4789", "--geneve", "", "--rules", rules, "--eve", eve, "--state", s.dir,
		"--health", "127.0.0.1:80", "--management", "127.0.0.1:8420", "--pid-file", "", "--log-level", "error"))
	l.start(l.task("web", "serve", "10.0.1.10:80"))

	// attack makes requests until the sensor tells of one.
	attack := func(word string) {
		t.Helper()
		until(t, "an alert with VNI 1169 for "+word, func() bool {
			l.task("client", "get", "http://10.0.1.10/attack-"+word).Run()
			return eveOf(t, eve, func(e event) bool {
				return e.str("event_type") == "alert" && e.str("alert", "signature_id") == "1" && e.str("http", "url") == "/attack-"+word &&
					e.str("mirror", "vni") == "1169" && e.str("mirror", "source_ip") == "10.0.1.10"
			}) > 0
		})
	}
	attack("first")
	s.whole()
	whole := map[string]string{"mirrored": "ok [sent arrived decapsulated attributed engine] 1", "straight": "ok [sent arrived decapsulated engine] 0"}
	if got := s.probed(); !maps.Equal(got, whole) {
		t.Errorf("probes %v, want %v", got, whole)
	}

	for _, x := range []struct {
		hop  string
		make func()
	}{
		{"group", func() {
			group := l.must("ec2", "describe-network-interfaces", "--network-interface-ids", eni, "--query", "NetworkInterfaces[0].Groups[0].GroupId")
			l.must("ec2", "revoke-security-group-ingress", "--group-id", group, "--protocol", "udp", "--port", "4789", "--cidr", "10.0.1.0/24")
			until(t, "the closed group", func() bool { return l.stats().Sessions[0].Path == "ingress-security-group" })
		}},
		{"session", func() {
			id := l.must("ec2", "describe-traffic-mirror-sessions", "--query", "TrafficMirrorSessions[0].TrafficMirrorSessionId")
			l.must("ec2", "delete-traffic-mirror-session", "--traffic-mirror-session-id", id)
			until(t, "the end of the session", func() bool { return len(l.stats().Sessions) == 0 })
		}},
		{"rule", func() {
			ids := l.must("ec2", "describe-traffic-mirror-filters", "--query", "TrafficMirrorFilters[].[IngressFilterRules,EgressFilterRules][][].TrafficMirrorFilterRuleId")
			if ids == "" {
				t.Fatal("the filter has no rules")
			}
			for _, id := range strings.Fields(ids) {
				l.must("ec2", "modify-traffic-mirror-filter-rule", "--traffic-mirror-filter-rule-id", id, "--rule-action", "reject")
			}
			until(t, "a request that is not mirrored", func() bool {
				before := l.stats().Sessions[0].Packets
				l.do(l.task("client", "get", "http://10.0.1.10/nothing"))
				return l.stats().Sessions[0].Packets == before
			})
		}},
	} {
		x.make()
		missed := fmt.Sprintf("/attack-without-%s", x.hop)
		if out := l.do(l.task("client", "get", "http://10.0.1.10"+missed)); out != "hello\n" {
			t.Fatalf("the server said %q", out)
		}
		s.lostAt(x.hop)
		// What does not pass the network is straight from here; what a source sends is lost.
		if got := s.probed(); got["mirrored"] != "lost [sent] 0" {
			t.Errorf("probes without %s: %v", x.hop, got)
		}
		s.apply()
		attack("after-" + x.hop)
		if n := eveOf(t, eve, func(e event) bool { return e.str("http", "url") == missed }); n != 0 {
			t.Errorf("%d events of %s, which was not to arrive", n, missed)
		}
		s.whole()
	}
}

// On the sensor, enable needs no names: the metadata service tells them, and the endpoint
// answers inside an instance, too.
func TestEnableOnSensor(t *testing.T) {
	l := startVPC(t, loopTopology)
	c := l.exec("sensor", bin, "aws", "--endpoint-url", l.url, "enable", "--select", "tag:Mirror=true", "--yes", "--quiet", "--journal", "none")
	c.Env = append(awsEnv(), "AWS_EC2_METADATA_DISABLED=", "AWS_REGION=", "AWS_DEFAULT_REGION=")
	l.do(c)
	if got := l.must("ec2", "describe-network-interfaces", "--filters", "Name=tag:mirador:stack,Values=mirador", "--query", "NetworkInterfaces[].Attachment.[InstanceId,DeviceIndex]"); got != "i-00000000000000002\t1" {
		t.Errorf("traffic interface at %q", got)
	}
	if got := l.must("ec2", "describe-traffic-mirror-sessions", "--query", "TrafficMirrorSessions[].NetworkInterfaceId"); got != "eni-00000000000000001" {
		t.Errorf("sessions of %q", got)
	}
}
