package e2e

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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
	dir     string
	address map[string]string // of the sources, by their interfaces
	sensors []string          // instances
	before  map[string]string // statistics of sensors at the last look: files
	looks   int
}

// startLoop starts a pretend VPC, and applies a spec there. The keys of sources are
// interfaces, the values their addresses.
func startLoop(t *testing.T, topology, spec string, sources map[string]string, sensors []string, args ...string) *setUp {
	t.Helper()
	s := &setUp{lab: startVPC(t, topology, args...), dir: t.TempDir(), address: sources, sensors: sensors, before: map[string]string{}}
	text := `alert http any any -> any any (msg:"attack"; http.uri; content:"/attack-"; sid:1;)` + "\n"
	for name, b := range map[string]string{"t.rules": text, "mirror.yaml": spec} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// sense starts the sensor of an instance at its traffic interface, when that is there. It
// answers health checks at the address health, or at the interface's.
func (s *setUp) sense(instance, id, health string) (eni string, sensor *exec.Cmd) {
	s.t.Helper()
	words := strings.Fields(s.must("ec2", "describe-network-interfaces", "--filters", "Name=tag-key,Values=mirador:stack", "Name=attachment.instance-id,Values="+id,
		"--query", "NetworkInterfaces[].[NetworkInterfaceId,PrivateIpAddress]"))
	if len(words) != 2 {
		s.t.Fatalf("traffic interfaces of %s: %q", id, words)
	}
	eni, address := words[0], words[1]
	until(s.t, "eth1 of "+instance, func() bool {
		out, err := s.exec(instance, "cat", "/proc/net/fib_trie").Output()
		return err == nil && strings.Contains(string(out), "|-- "+address+"\n")
	})
	state := filepath.Join(s.dir, instance)
	if err := os.MkdirAll(state, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if health == "" {
		health = address
	}
	return eni, s.start(s.exec(instance, bin, "sensor", "--vxlan", address+":4789", "--geneve", "", "--rules", filepath.Join(s.dir, "t.rules"), "--eve", filepath.Join(state, "eve.json"), "--state", state,
		"--health", health+":80", "--management", "127.0.0.1:8420", "--pid-file", "", "--log-level", "error"))
}

// arrived counts the events of sensors that f likes.
func (s *setUp) arrived(f func(event) bool) (n int) {
	for _, x := range s.sensors {
		n += eveOf(s.t, filepath.Join(s.dir, x, "eve.json"), f)
	}
	return n
}

// attack makes requests from a client to a source until a sensor tells of one.
func (s *setUp) attack(client, address, word string) {
	s.t.Helper()
	until(s.t, "an alert with VNI 1169 for "+word, func() bool {
		s.task(client, "get", "http://"+address+"/attack-"+word).Run()
		return s.arrived(func(e event) bool {
			return e.str("event_type") == "alert" && e.str("alert", "signature_id") == "1" && e.str("http", "url") == "/attack-"+word &&
				e.str("mirror", "vni") == "1169" && e.str("mirror", "source_ip") == address
		}) > 0
	})
}

// missed makes a request that no sensor is to tell of; the function that it returns checks
// that none did.
func (s *setUp) missed(client, address, word string) func() {
	s.t.Helper()
	url := "/attack-" + word
	if out := s.do(s.task(client, "get", "http://"+address+url)); out != "hello\n" {
		s.t.Fatalf("the server said %q", out)
	}
	return func() {
		s.t.Helper()
		if n := s.arrived(func(e event) bool { return e.str("http", "url") == url }); n != 0 {
			s.t.Errorf("%d events of %s, which was not to arrive", n, url)
		}
	}
}

// run runs mirador aws and returns what it prints and its exit code.
func (s *setUp) run(args ...string) (out string, code int) {
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

func (s *setUp) apply() {
	s.t.Helper()
	if out, code := s.run("apply", "--yes"); code != 0 {
		s.t.Fatalf("apply: exit code %d: %s", code, out)
	}
}

// verdict is one session in the answer of mirador aws verify.
type verdict struct{ Session, Interface, State, Hop, Text, Remedy string }

// verify asks sensors for their statistics, and then whether packets arrived since the last
// look.
func (s *setUp) verify(sensors []string) (list []verdict, code int, now map[string]string) {
	s.t.Helper()
	s.looks++
	now = map[string]string{}
	args := []string{"verify", "-o", "json"}
	var befores []string
	for _, x := range sensors {
		// What is not yet counted is seen at the next look.
		stats := s.do(s.exec(x, bin, "status", "--addr", "127.0.0.1:8420", "-o", "json"))
		now[x] = filepath.Join(s.dir, fmt.Sprintf("%s-%d.json", x, s.looks))
		if err := os.WriteFile(now[x], []byte(stats), 0o644); err != nil {
			s.t.Fatal(err)
		}
		args = append(args, "--sensor", now[x])
		if f := s.before[x]; f != "" {
			befores = append(befores, "--before", f)
		}
	}
	if len(befores) > 0 {
		args = append(args, "--no-metrics") // CloudWatch counts by minutes, and the looks are nearer
	}
	out, code := s.run(append(args, befores...)...)
	var v struct{ Sessions []verdict }
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		s.t.Fatalf("verify: exit code %d: %v: %s", code, err, out)
	}
	return v.Sessions, code, now
}

// verified waits until verify says of each source what is wanted, "STATE HOP"; ok when
// nothing is. Counters of sensors are a moment behind their events. It returns the session of
// the last source that is not ok.
func (s *setUp) verified(want map[string]string, sensors ...string) (bad verdict) {
	s.t.Helper()
	if len(sensors) == 0 {
		sensors = s.sensors
	}
	exit := 0
	if len(want) > 0 {
		exit = 2
	}
	var last string
	defer func() {
		if s.t.Failed() {
			s.t.Logf("verify said %s", last)
		}
	}()
	until(s.t, fmt.Sprintf("verify of %d sessions, with %v", len(s.address), want), func() bool {
		list, code, now := s.verify(sensors)
		last = fmt.Sprintf("%d %+v", code, list)
		good := code == exit && len(list) == len(s.address)
		for _, x := range list {
			w := cmp.Or(want[x.Interface], "ok ")
			good = good && s.address[x.Interface] != "" && x.State+" "+x.Hop == w
			if w != "ok " {
				bad = x
			}
		}
		if good {
			maps.Copy(s.before, now)
		}
		return good
	})
	return bad
}

// probed sends a probe from the source and one from the sensor straight to its traffic
// interface, and returns how far they came.
func (s *setUp) probed() map[string]string {
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

// The whole way: apply mirrors an instance to a sensor, the sensor finds an attack, verify
// says that packets arrive; what is then broken on the way verify names, and apply mends.
func TestLoop(t *testing.T) {
	const web, address, source = "web", "10.0.1.10", "eni-00000000000000001"
	s := startLoop(t, loopTopology, loopSpec, map[string]string{source: address}, []string{"sensor"})
	s.apply()
	// The traffic interface appears in the sensor's instance, and the sensor listens there.
	eni, _ := s.sense("sensor", "i-00000000000000002", "127.0.0.1")
	s.start(s.task(web, "serve", address+":80"))
	s.attack("client", address, "first")
	s.verified(nil)
	whole := map[string]string{"mirrored": "ok [sent arrived decapsulated attributed engine] 1", "straight": "ok [sent arrived decapsulated engine] 0"}
	if got := s.probed(); !maps.Equal(got, whole) {
		t.Errorf("probes %v, want %v", got, whole)
	}

	for _, x := range []struct {
		hop  string
		make func()
	}{
		{"group", func() {
			group := s.must("ec2", "describe-network-interfaces", "--network-interface-ids", eni, "--query", "NetworkInterfaces[0].Groups[0].GroupId")
			s.must("ec2", "revoke-security-group-ingress", "--group-id", group, "--protocol", "udp", "--port", "4789", "--cidr", "10.0.1.0/24")
			until(t, "the closed group", func() bool { return s.stats().Sessions[0].Path == "ingress-security-group" })
		}},
		{"session", func() {
			id := s.must("ec2", "describe-traffic-mirror-sessions", "--query", "TrafficMirrorSessions[0].TrafficMirrorSessionId")
			s.must("ec2", "delete-traffic-mirror-session", "--traffic-mirror-session-id", id)
			until(t, "the end of the session", func() bool { return len(s.stats().Sessions) == 0 })
		}},
		{"rule", func() {
			ids := s.must("ec2", "describe-traffic-mirror-filters", "--query", "TrafficMirrorFilters[].[IngressFilterRules,EgressFilterRules][][].TrafficMirrorFilterRuleId")
			if ids == "" {
				t.Fatal("the filter has no rules")
			}
			for _, id := range strings.Fields(ids) {
				s.must("ec2", "modify-traffic-mirror-filter-rule", "--traffic-mirror-filter-rule-id", id, "--rule-action", "reject")
			}
			until(t, "a request that is not mirrored", func() bool {
				before := s.stats().Sessions[0].Packets
				s.do(s.task("client", "get", "http://"+address+"/nothing"))
				return s.stats().Sessions[0].Packets == before
			})
		}},
	} {
		x.make()
		missed := s.missed("client", address, "without-"+x.hop)
		s.verified(map[string]string{source: "lost " + x.hop})
		// What does not pass the network is straight from here; what a source sends is lost.
		if got := s.probed(); got["mirrored"] != "lost [sent] 0" {
			t.Errorf("probes without %s: %v", x.hop, got)
		}
		s.apply()
		s.attack("client", address, "after-"+x.hop)
		missed()
		s.verified(nil)
	}

	// Frames as large as a VPC takes leave no room for the headers of the mirror: they arrive
	// cut, and whole with the MTU that verify recommends.
	s.do(s.task("client", "get", "http://"+address+"/large"))
	bad := s.verified(map[string]string{source: "truncated mtu"})
	_, mtu, _ := strings.Cut(bad.Remedy, "that of the source to ")
	mtu, _, _ = strings.Cut(mtu, " ")
	if s.stats().Sessions[0].CutByMTU == 0 {
		t.Error("the network cut no packet")
	}
	s.do(s.task(web, "mtu", "eth0", mtu))
	cut := s.stats().Sessions[0].CutByMTU
	s.do(s.task("client", "get", "http://"+address+"/large"))
	s.attack("client", address, "after-mtu")
	s.verified(nil)
	if n := s.stats().Sessions[0].CutByMTU; n != cut {
		t.Errorf("%d packets cut with an MTU of %s", n-cut, mtu)
	}
}

// farTopology has a source in another VPC and zone, and no connection between the VPCs.
const farTopology = `
vpcs:
  - name: main
    id: vpc-00000000000000001
    cidr: 10.0.0.0/16
    subnets:
      - {name: app, cidr: 10.0.1.0/24, zone: a}
      - {name: watch-a, cidr: 10.0.2.0/24, zone: a}
      - {name: watch-b, cidr: 10.0.3.0/24, zone: b}
    security-groups:
      - name: web
        ingress: [{protocol: tcp, ports: 80, peers: [10.0.0.0/16]}]
    instances:
      - {name: web, id: i-00000000000000001, subnet: app, groups: [web], address: 10.0.1.10, interface-id: eni-00000000000000001, tags: {Mirror: "true"}}
      - {name: client, subnet: app, groups: [web], address: 10.0.1.11}
      - {name: sensor-a, id: i-00000000000000002, type: m5.xlarge, subnet: watch-a, address: 10.0.2.20}
      - {name: sensor-b, id: i-00000000000000003, type: m5.xlarge, subnet: watch-b, address: 10.0.3.20}
  - name: far
    id: vpc-00000000000000002
    cidr: 10.1.0.0/16
    subnets: [{name: far, cidr: 10.1.1.0/24, zone: b}]
    security-groups:
      - name: far-web
        ingress: [{protocol: tcp, ports: 80, peers: [10.1.0.0/16]}]
    instances:
      - {name: far, id: i-00000000000000004, subnet: far, groups: [far-web], address: 10.1.1.10, interface-id: eni-00000000000000004, tags: {Mirror: "true"}}
      - {name: far-client, subnet: far, address: 10.1.1.11}
`

const farSpec = `
name: far
sensors:
  - instance: i-00000000000000002
  - instance: i-00000000000000003
target: {kind: nlb}
sources:
  include:
    - tags: {Mirror: "true"}
`

// The whole way over a load balancer with a sensor in each of two zones, for a source
// beside it and one in a peered VPC: each hop that is broken loses one of them, or both, and
// verify says which.
func TestLoopBalancer(t *testing.T) {
	const near, far = "eni-00000000000000001", "eni-00000000000000004"
	s := startLoop(t, farTopology, farSpec, map[string]string{near: "10.0.1.10", far: "10.1.1.10"}, []string{"sensor-a", "sensor-b"}, "--health-interval", "200ms")
	client := map[string]string{near: "client", far: "far-client"}
	order := []string{near, far} // as in the statistics
	peering := s.must("ec2", "create-vpc-peering-connection", "--vpc-id", "vpc-00000000000000002", "--peer-vpc-id", "vpc-00000000000000001", "--query", "VpcPeeringConnection.VpcPeeringConnectionId")
	s.must("ec2", "accept-vpc-peering-connection", "--vpc-peering-connection-id", peering)
	table := s.must("ec2", "describe-route-tables", "--filters", "Name=vpc-id,Values=vpc-00000000000000002", "--query", "RouteTables[0].RouteTableId")
	route := func() {
		s.must("ec2", "create-route", "--route-table-id", table, "--destination-cidr-block", "10.0.0.0/16", "--vpc-peering-connection-id", peering)
	}
	route()
	s.apply()
	_, first := s.sense("sensor-a", "i-00000000000000002", "")
	s.sense("sensor-b", "i-00000000000000003", "")
	s.start(s.task("web", "serve", "10.0.1.10:80"))
	s.start(s.task("far", "serve", "10.1.1.10:80"))
	healthy := func(n int) {
		t.Helper()
		until(t, fmt.Sprintf("%d healthy sensors", n), func() bool {
			good := map[string]bool{}
			for _, b := range s.stats().LoadBalancers {
				for _, x := range b.Targets {
					if x.Healthy {
						good[x.Address] = true
					}
				}
			}
			return len(good) == n
		})
	}
	paths := func(want map[string]string) {
		t.Helper()
		until(t, fmt.Sprintf("the ways of sessions, with %v", want), func() bool {
			for i, x := range s.stats().Sessions {
				if x.Path != cmp.Or(want[order[i]], "ok") {
					return false
				}
			}
			return true
		})
	}
	whole := func(word string) {
		t.Helper()
		healthy(2)
		paths(nil)
		for _, x := range order {
			s.attack(client[x], s.address[x], word+"-"+x)
		}
		s.verified(nil)
	}
	whole("first")

	acl := s.must("ec2", "describe-network-acls", "--filters", "Name=vpc-id,Values=vpc-00000000000000001", "--query", "NetworkAcls[0].NetworkAclId")
	for _, c := range []struct {
		hop, reason string
		lost        []string
		alive       []string // sensors
		make, mend  func()
	}{
		{"listener", "no-listener", order, s.sensors, func() {
			arn := s.must("elbv2", "describe-load-balancers", "--query", "LoadBalancers[0].LoadBalancerArn")
			arn = s.must("elbv2", "describe-listeners", "--load-balancer-arn", arn, "--query", "Listeners[0].ListenerArn")
			s.must("elbv2", "delete-listener", "--listener-arn", arn)
		}, s.apply},
		{"health", "no-healthy-target", order[:1], s.sensors[1:], func() {
			first.Process.Kill()
			first.Wait()
			healthy(1)
		}, func() { s.sense("sensor-a", "i-00000000000000002", "") }},
		{"route", "no-route", order[1:], s.sensors, func() {
			s.must("ec2", "delete-route", "--route-table-id", table, "--destination-cidr-block", "10.0.0.0/16")
		}, route},
		{"acl", "ingress-nacl", order[:1], s.sensors, func() {
			s.must("ec2", "create-network-acl-entry", "--network-acl-id", acl, "--ingress", "--rule-number", "50", "--protocol", "udp", "--port-range", "From=4789,To=4789",
				"--rule-action", "deny", "--cidr-block", "10.0.1.0/24")
		}, func() {
			s.must("ec2", "delete-network-acl-entry", "--network-acl-id", acl, "--ingress", "--rule-number", "50")
		}},
	} {
		c.make()
		want, path := map[string]string{}, map[string]string{}
		for _, x := range c.lost {
			want[x], path[x] = "lost "+c.hop, c.reason
		}
		paths(path)
		var checks []func()
		for i, x := range order {
			if want[x] == "" {
				s.attack(client[x], s.address[x], "beside-"+c.hop)
				continue
			}
			checks = append(checks, s.missed(client[x], s.address[x], "without-"+c.hop+"-"+x))
			if s.stats().Sessions[i].Dropped[c.reason] == 0 {
				t.Errorf("%s: nothing counted for %s", c.hop, x)
			}
		}
		s.verified(want, c.alive...)
		c.mend()
		whole("after-" + c.hop)
		for _, check := range checks {
			check()
		}
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

// setMTU sets the MTU of the network device args[0].
func setMTU(args []string) error {
	n, err := strconv.ParseUint(args[1], 10, 16)
	if err != nil {
		return err
	}
	r, err := unix.NewIfreq(args[0])
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r.SetUint32(uint32(n))
	return unix.IoctlIfreq(fd, unix.SIOCSIFMTU, r)
}
