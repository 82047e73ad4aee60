package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mirador/internal/netlab"
)

var errRefused = syscall.ECONNREFUSED

// labPatience is how long a condition may take on a machine that does other things too.
const labPatience = 3 * time.Minute

// lab is a running pretend VPC.
type lab struct {
	t    *testing.T
	name string
	url  string
	cmd  *exec.Cmd
	log  bytes.Buffer

	tried bool
	cli   *cli // nil: it is started for each command
}

// startVPC runs mirador vpc with a topology until the test ends.
func startVPC(t *testing.T, topology string, args ...string) *lab {
	t.Helper()
	netlab.Require(t)
	file := filepath.Join(t.TempDir(), "lab.yaml")
	if err := os.WriteFile(file, []byte(topology), 0o644); err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, name: fmt.Sprintf("e%d", time.Now().UnixNano()%1e9)}
	l.cmd = exec.Command(bin, append([]string{"vpc", "--listen", "127.0.0.1:0", "--topology", file, "--name", l.name, "--no-default-vpc"}, args...)...)
	l.cmd.Stderr = &l.log
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "export AWS_ENDPOINT_URL="); ok {
			l.url = url
			break
		}
	}
	if l.url == "" {
		l.cmd.Wait()
		t.Fatalf("mirador vpc did not start: %s", l.log.String())
	}
	go io.Copy(io.Discard, out)
	return l
}

// stop ends the run and checks that nothing is left.
func (l *lab) stop() {
	l.cmd.Process.Signal(syscall.SIGTERM)
	if err := l.cmd.Wait(); err != nil {
		l.t.Errorf("mirador vpc ended with %v", err)
	}
	if l.t.Failed() {
		l.t.Logf("log of mirador vpc:\n%s", l.log.String())
	}
	left, _ := filepath.Glob("/run/netns/mirador-" + l.name + "-*")
	files, _ := filepath.Glob("/run/mirador/vpc-" + l.name + "*")
	if len(left)+len(files) > 0 {
		l.t.Errorf("left behind: %v %v", left, files)
	}
}

// exec makes a command that runs in an instance.
func (l *lab) exec(instance string, command ...string) *exec.Cmd {
	c := exec.Command(bin, append([]string{"vpc", "exec", "--name", l.name, instance, "--"}, command...)...)
	c.Stderr = os.Stderr
	return c
}

// task makes a command that does a task (task_test.go) in an instance.
func (l *lab) task(instance, task string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	c := l.exec(instance, append([]string{self}, args...)...)
	c.Env = append(os.Environ(), taskEnv+"="+task)
	return c
}

// start starts a command that runs until the test ends.
func (l *lab) start(c *exec.Cmd) *exec.Cmd {
	l.t.Helper()
	if err := c.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	return c
}

// do runs a command and returns what it prints.
func (l *lab) do(c *exec.Cmd) string {
	l.t.Helper()
	out, err := c.Output()
	if err != nil {
		l.t.Fatalf("%s: %v", strings.Join(c.Args, " "), err)
	}
	return string(out)
}

// until polls a condition.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.NewTimer(labPatience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-deadline.C:
			t.Fatalf("not in %v: %s", labPatience, what)
		case <-tick.C:
		}
	}
}

// driver keeps the AWS CLI running: its own code, called for one command after the
// other, because starting it takes longer than most commands.
const driver = `
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver
cli = create_clidriver()
print("ready", flush=True)
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main(json.loads(line))
        except SystemExit as e:
            code = e.code
    print(json.dumps([code or 0, out.getvalue(), err.getvalue()]), flush=True)
`

// cli is a running AWS CLI.
type cli struct {
	in  io.Writer
	out *bufio.Reader
}

// openCLI starts the AWS CLI, if python3 has it as a module (as with the Debian package).
func (l *lab) openCLI() *cli {
	c := exec.Command("python3", "-c", driver)
	c.Env = awsEnv()
	in, err := c.StdinPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		return nil
	}
	l.t.Cleanup(func() {
		in.Close()
		c.Wait()
	})
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); err != nil || line != "ready\n" {
		return nil
	}
	return &cli{in, r}
}

func awsEnv() []string {
	return append(os.Environ(), "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
}

// aws calls the AWS CLI and returns the text it prints, and the error code when it fails.
func (l *lab) aws(args ...string) (out, code string) {
	l.t.Helper()
	if !slices.Contains(args, "--output") {
		args = append(args, "--output", "text")
	}
	args = append(args, "--endpoint-url", l.url)
	if !l.tried {
		l.tried, l.cli = true, l.openCLI()
	}
	var stderr string
	failed := false
	if l.cli != nil {
		b, err := json.Marshal(args)
		if err != nil {
			l.t.Fatal(err)
		}
		if _, err := l.cli.in.Write(append(b, '\n')); err != nil {
			l.t.Fatal(err)
		}
		line, err := l.cli.out.ReadBytes('\n')
		if err != nil {
			l.t.Fatalf("aws %v: %v", args, err)
		}
		var status int
		if err := json.Unmarshal(line, &[]any{&status, &out, &stderr}); err != nil {
			l.t.Fatalf("aws %v: %v: %s", args, err, line)
		}
		failed = status != 0
	} else {
		path, err := exec.LookPath("aws")
		if err != nil {
			l.t.Skip("SKIPPED: the AWS CLI is not here")
		}
		c := exec.Command(path, args...)
		c.Env = awsEnv()
		var text bytes.Buffer
		c.Stderr = &text
		b, err := c.Output()
		out, stderr, failed = string(b), text.String(), err != nil
	}
	if !failed {
		return strings.TrimSpace(out), ""
	}
	_, rest, ok := strings.Cut(stderr, "An error occurred (")
	code, _, _ = strings.Cut(rest, ")")
	if !ok {
		l.t.Fatalf("aws %v: %s", args, stderr)
	}
	return "", code
}

// must is aws that succeeds.
func (l *lab) must(args ...string) string {
	l.t.Helper()
	out, code := l.aws(args...)
	if code != "" {
		l.t.Fatalf("aws %v: %s", args, code)
	}
	return out
}

// stats asks the run for its counters.
func (l *lab) stats() (s struct {
	Sessions []struct {
		ID, Path string
		Packets  uint64
		CutByMTU uint64
		Dropped  map[string]uint64
	}
	LoadBalancers []struct {
		Moved   uint64 `json:"flowsMoved"`
		Targets []struct {
			Address string
			Healthy bool
			Packets uint64
		}
	}
}) {
	l.t.Helper()
	out, err := exec.Command(bin, "vpc", "stats", "--name", l.name, "-o", "json").Output()
	if err != nil {
		l.t.Fatalf("mirador vpc stats: %v", err)
	}
	if err := json.Unmarshal(out, &s); err != nil {
		l.t.Fatal(err)
	}
	return s
}

const talkers = `
vpcs:
  - name: main
    cidr: 10.0.0.0/16
    subnets:
      - {name: app, cidr: 10.0.1.0/24, zone: a}
      - {name: watch, cidr: 10.0.2.0/24, zone: b}
    security-groups:
      - name: web
        id: sg-00000000000000001
        ingress: [{protocol: tcp, ports: 80, peers: [10.0.0.0/16]}]
      - name: sensor
        id: sg-00000000000000002
        ingress: [{protocol: udp, ports: 4789, peers: [10.0.0.0/16]}]
    instances:
      - {name: web, subnet: app, groups: [web], address: 10.0.1.10, interface-id: eni-00000000000000001}
      - {name: client, subnet: app, groups: [web], address: 10.0.1.11}
      - name: sensor
        type: m5.xlarge
        subnet: watch
        interfaces: [{id: eni-00000000000000002, subnet: watch, groups: [sensor], address: 10.0.2.20}]
names: {evil.example: 203.0.113.66}
`

// eveOf returns the events of a sensor so far that f likes.
func eveOf(t *testing.T, path string, f func(event) bool) (n int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		var e event
		if json.Unmarshal(line, &e) == nil && f(e) {
			n++
		}
	}
	return n
}

func sid(id string) func(event) bool {
	return func(e event) bool { return e.str("alert", "signature_id") == id }
}

// Two instances talk; a session made by the AWS CLI mirrors them; the sensor in an
// instance finds the attack. A rule that rejects, a network service and a security group
// change what it sees.
func TestVPC(t *testing.T) {
	l := startVPC(t, talkers)
	dir := t.TempDir()
	eve, rules := filepath.Join(dir, "eve.json"), filepath.Join(dir, "t.rules")
	text := ""
	for i, word := range []string{"first", "second", "third", "fourth", "fifth"} {
		text += fmt.Sprintf("alert http any any -> any any (msg:%q; http.uri; content:%q; sid:%d;)\n", word, "/attack-"+word, i+1)
	}
	text += "alert dns any any -> any any (msg:\"dns\"; dns.query; content:\"evil.example\"; sid:9;)\n"
	if err := os.WriteFile(rules, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	l.start(l.exec("sensor", bin, "sensor", "--vxlan", "10.0.2.20:4789", "--geneve", "", "--rules", rules, "--eve", eve, "--state", dir,
		"--health", "10.0.2.20:80", "--management", "127.0.0.1:8420", "--pid-file", "", "--log-level", "error"))
	l.start(l.task("web", "serve", "10.0.1.10:80"))

	// attack makes requests until the sensor has seen one.
	attack := func(word, id string) {
		t.Helper()
		until(t, "an alert for "+word, func() bool {
			l.task("client", "get", "http://10.0.1.10/attack-"+word).Run()
			return eveOf(t, eve, sid(id)) > 0
		})
	}
	quiet := func(word string) {
		t.Helper()
		for range 3 {
			if out := l.do(l.task("client", "get", "http://10.0.1.10/attack-"+word)); out != "hello\n" {
				t.Fatalf("the server said %q", out)
			}
		}
	}

	target := l.must("ec2", "create-traffic-mirror-target", "--network-interface-id", "eni-00000000000000002", "--query", "TrafficMirrorTarget.TrafficMirrorTargetId")
	filter := l.must("ec2", "create-traffic-mirror-filter", "--query", "TrafficMirrorFilter.TrafficMirrorFilterId")
	rule := func(direction string) string {
		return l.must("ec2", "create-traffic-mirror-filter-rule", "--traffic-mirror-filter-id", filter, "--traffic-direction", direction, "--rule-number", "100", "--rule-action", "accept",
			"--source-cidr-block", "0.0.0.0/0", "--destination-cidr-block", "0.0.0.0/0", "--query", "TrafficMirrorFilterRule.TrafficMirrorFilterRuleId")
	}
	in, out := rule("ingress"), rule("egress")
	session := func(number string) (string, string) {
		return l.aws("ec2", "create-traffic-mirror-session", "--network-interface-id", "eni-00000000000000001", "--traffic-mirror-target-id", target,
			"--traffic-mirror-filter-id", filter, "--session-number", number, "--query", "TrafficMirrorSession.TrafficMirrorSessionId")
	}
	first, code := session("1")
	if code != "" {
		t.Fatalf("session: %s", code)
	}
	attack("first", "1")

	// A rule that rejects what comes in: requests are not mirrored.
	l.must("ec2", "modify-traffic-mirror-filter-rule", "--traffic-mirror-filter-rule-id", in, "--rule-action", "reject")
	l.must("ec2", "modify-traffic-mirror-filter-rule", "--traffic-mirror-filter-rule-id", out, "--rule-action", "reject")
	until(t, "a request that is not mirrored", func() bool {
		before := l.stats().Sessions[0].Packets
		quiet("first")
		return l.stats().Sessions[0].Packets == before
	})
	quiet("second")
	lookup := func() {
		t.Helper()
		if got := l.do(l.task("web", "lookup", "10.0.0.2:53", "evil.example")); !strings.Contains(got, "203.0.113.66") {
			t.Fatalf("the resolver says %q", got)
		}
	}
	l.must("ec2", "modify-traffic-mirror-filter-rule", "--traffic-mirror-filter-rule-id", in, "--rule-action", "accept")
	l.must("ec2", "modify-traffic-mirror-filter-rule", "--traffic-mirror-filter-rule-id", out, "--rule-action", "accept")
	lookup() // not mirrored: amazon-dns is off
	attack("third", "3")
	if n := eveOf(t, eve, sid("2")); n != 0 {
		t.Errorf("%d alerts while the filter rejected", n)
	}
	if n := eveOf(t, eve, sid("9")); n != 0 {
		t.Errorf("%d DNS alerts without amazon-dns", n)
	}
	l.must("ec2", "modify-traffic-mirror-filter-network-services", "--traffic-mirror-filter-id", filter, "--add-network-services", "amazon-dns")
	until(t, "a DNS alert", func() bool { lookup(); return eveOf(t, eve, sid("9")) > 0 })

	// The target's security group closes: nothing arrives, and it is counted why.
	l.must("ec2", "revoke-security-group-ingress", "--group-id", "sg-00000000000000002", "--protocol", "udp", "--port", "4789", "--cidr", "10.0.0.0/16")
	until(t, "the closed group", func() bool { return l.stats().Sessions[0].Path == "ingress-security-group" })
	quiet("fourth")
	if s := l.stats().Sessions[0]; s.Dropped["ingress-security-group"] == 0 {
		t.Errorf("nothing counted: %+v", s)
	}
	l.must("ec2", "authorize-security-group-ingress", "--group-id", "sg-00000000000000002", "--protocol", "udp", "--port", "4789", "--cidr", "10.0.0.0/16")
	attack("fifth", "5")
	if n := eveOf(t, eve, sid("4")); n != 0 {
		t.Errorf("%d alerts while the group was closed", n)
	}

	// Three sessions of a source, not four.
	for _, number := range []string{"2", "3"} {
		if _, code := session(number); code != "" {
			t.Errorf("session %s: %s", number, code)
		}
	}
	if _, code := session("4"); code != "TrafficMirrorSessionsPerInterfaceLimitExceeded" {
		t.Errorf("the fourth session: %q", code)
	}
	l.must("ec2", "delete-traffic-mirror-session", "--traffic-mirror-session-id", first)
}

// The eleventh source of an interface target is refused, in the endpoint and so in the
// network.
func TestVPCSources(t *testing.T) {
	var b strings.Builder
	b.WriteString("vpcs:\n  - name: v\n    cidr: 10.0.0.0/16\n    subnets: [{name: s, cidr: 10.0.1.0/24}]\n    instances:\n      - {name: sensor, type: m5.xlarge, interface-id: eni-000000000000000ff}\n")
	for i := range 11 {
		fmt.Fprintf(&b, "      - {name: w%d, interface-id: eni-%017x}\n", i, i)
	}
	b.WriteString("mirroring:\n  targets: [{id: tmt-00000000000000001, interface: sensor}]\n  filters: [{id: tmf-00000000000000001}]\n  sessions:\n")
	for i := range 10 {
		fmt.Fprintf(&b, "    - {source: w%d, target: tmt-00000000000000001, filter: tmf-00000000000000001, number: 1}\n", i)
	}
	l := startVPC(t, b.String())
	_, code := l.aws("ec2", "create-traffic-mirror-session", "--network-interface-id", fmt.Sprintf("eni-%017x", 10), "--traffic-mirror-target-id", "tmt-00000000000000001",
		"--traffic-mirror-filter-id", "tmf-00000000000000001", "--session-number", "1")
	if code != "TrafficMirrorSourcesPerTargetLimitExceeded" {
		t.Errorf("the eleventh source: %q", code)
	}
	if n := len(l.stats().Sessions); n != 10 {
		t.Errorf("%d sessions in the network, want 10", n)
	}
}

// An interface that is made and attached by API calls appears in its instance.
func TestVPCHotPlug(t *testing.T) {
	l := startVPC(t, talkers)
	subnet := l.must("ec2", "describe-subnets", "--filters", "Name=cidr-block,Values=10.0.2.0/24", "--query", "Subnets[0].SubnetId")
	instance := l.must("ec2", "run-instances", "--image-id", "ami-0123456789abcdef0", "--instance-type", "m5.large", "--subnet-id", subnet, "--private-ip-address", "10.0.2.50", "--query", "Instances[0].InstanceId")
	eni := l.must("ec2", "create-network-interface", "--subnet-id", subnet, "--private-ip-address", "10.0.2.51", "--query", "NetworkInterface.NetworkInterfaceId")
	l.must("ec2", "attach-network-interface", "--network-interface-id", eni, "--instance-id", instance, "--device-index", "1")
	list := func() string {
		out, err := exec.Command(bin, "vpc", "ls", "-o", "json").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	until(t, "eth1 of the new instance", func() bool { return strings.Contains(list(), "eth1 "+eni+" 10.0.2.51") })
	until(t, "the address within the instance", func() bool {
		out, err := l.exec(instance, "cat", "/proc/net/fib_trie").Output()
		return err == nil && strings.Contains(string(out), "10.0.2.51") && strings.Contains(string(out), "10.0.2.50")
	})
	l.must("ec2", "terminate-instances", "--instance-ids", instance)
	until(t, "the end of the instance", func() bool { return !strings.Contains(list(), instance) })
}

// A load balancer with two sensors keeps flows together, moves those of a sensor that
// turns unhealthy, and loses nothing that the sensors can receive.
func TestVPCBalancer(t *testing.T) {
	l := startVPC(t, `
vpcs:
  - name: main
    cidr: 10.0.0.0/16
    subnets: [{name: app, cidr: 10.0.1.0/24, zone: a}, {name: app2, cidr: 10.0.2.0/24, zone: b}]
    security-groups:
      - name: sensor
        ingress: [{protocol: udp, ports: 4789, peers: [10.0.0.0/16]}, {protocol: tcp, ports: 80, peers: [10.0.0.0/16]}]
    instances:
      - {name: web, subnet: app, address: 10.0.1.10}
      - {name: client, subnet: app, address: 10.0.1.11}
      - {name: s1, type: m5.xlarge, subnet: app, groups: [sensor], address: 10.0.1.21}
      - {name: s2, type: m5.xlarge, subnet: app, groups: [sensor], address: 10.0.1.22}
load-balancers:
  - {name: sensors, subnets: [app, app2], listeners: [{protocol: UDP, port: 4789, targets: sensors}]}
target-groups:
  - name: sensors
    protocol: UDP
    port: 4789
    health: {protocol: HTTP, port: 80, path: /api/2.0/status, interval: 10s, healthy: 2, unhealthy: 2}
    targets: [s1, s2]
mirroring:
  targets: [{name: sensors, load-balancer: sensors}]
  filters: [{name: out, rules: [{number: 1, direction: egress, action: accept, protocol: udp, destination-ports: 9000}]}]
  sessions: [{source: client, target: sensors, filter: out, number: 1}]
`, "--health-interval", "200ms")
	dir := t.TempDir()
	sick := filepath.Join(dir, "sick")
	for _, s := range []string{"s1", "s2"} {
		bad := filepath.Join(dir, "never")
		if s == "s1" {
			bad = sick
		}
		l.start(l.task(s, "collect", "10.0.1.2"+s[1:], filepath.Join(dir, s), bad))
	}
	healthy := func(want ...bool) func() bool {
		return func() bool {
			ts := l.stats().LoadBalancers[0].Targets
			return ts[0].Healthy == want[0] && ts[1].Healthy == want[1]
		}
	}
	until(t, "two healthy sensors", healthy(true, true))

	const n = 40
	send := l.task("client", "flows", "10.0.1.11", "10.0.1.10", fmt.Sprint(n))
	stdin, err := send.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var sent bytes.Buffer
	send.Stdout = &sent
	l.start(send)
	// got reads what a sensor has of each flow: the numbers of its datagrams.
	got := func(s string) map[int][]int {
		b, err := os.ReadFile(filepath.Join(dir, s))
		if err != nil {
			t.Fatal(err)
		}
		out := map[int][]int{}
		for line := range strings.Lines(string(b)) {
			var flow, number int
			if k, _ := fmt.Sscanf(line, "%d %d\n", &flow, &number); k == 2 && strings.HasSuffix(line, "\n") {
				out[flow] = append(out[flow], number)
			}
		}
		return out
	}
	until(t, "fifty datagrams of every flow", func() bool {
		a, b := got("s1"), got("s2")
		for f := range n {
			if len(a[f])+len(b[f]) < 50 {
				return false
			}
		}
		return true
	})
	a, b := got("s1"), got("s2")
	if len(a) == 0 || len(b) == 0 {
		t.Errorf("%d flows at one sensor, %d at the other", len(a), len(b))
	}
	for f := range n {
		if len(a[f]) > 0 && len(b[f]) > 0 {
			t.Errorf("flow %d is at both sensors", f)
		}
	}

	// One turns unhealthy (and goes on receiving, so that nothing is lost): its flows move.
	if err := os.WriteFile(sick, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	until(t, "an unhealthy sensor", healthy(false, true))
	last := map[int]int{}
	for f, ns := range got("s1") {
		last[f] = len(ns)
	}
	until(t, "fifty more of every flow at the other sensor", func() bool {
		b := got("s2")
		for f := range n {
			if len(b[f]) < 50 {
				return false
			}
		}
		return true
	})
	settled := got("s1")
	until(t, "twenty more of every flow", func() bool {
		more := got("s2")
		for f := range n {
			if len(more[f]) < len(b[f])+70 {
				return false
			}
		}
		return true
	})
	for f, ns := range got("s1") {
		if len(ns) != len(settled[f]) {
			t.Errorf("flow %d still comes to the unhealthy sensor", f)
		}
	}
	if out := l.must("elbv2", "describe-target-health", "--target-group-arn", l.must("elbv2", "describe-target-groups", "--query", "TargetGroups[0].TargetGroupArn"),
		"--query", "TargetHealthDescriptions[].[Target.Id,TargetHealth.State,TargetHealth.Reason]"); !strings.Contains(out, "10.0.1.21\tunhealthy\tTarget.ResponseCodeMismatch") || !strings.Contains(out, "10.0.1.22\thealthy") {
		t.Errorf("target health: %q", out)
	}

	stdin.Close()
	if err := send.Wait(); err != nil {
		t.Fatal(err)
	}
	var total int
	fmt.Sscan(sent.String(), &total)
	until(t, "the last datagram", func() bool {
		a, b := got("s1"), got("s2")
		for f := range n {
			if len(a[f])+len(b[f]) < total {
				return false
			}
		}
		return true
	})
	a, b = got("s1"), got("s2")
	for f := range n {
		seen := map[int]int{}
		for _, k := range append(a[f], b[f]...) {
			seen[k]++
		}
		if len(seen) != total || len(a[f])+len(b[f]) != total {
			t.Errorf("flow %d: %d datagrams arrived, %d different ones, of %d", f, len(a[f])+len(b[f]), len(seen), total)
		}
	}
}
