package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What the AWS CLI prints about an account makes a topology with which another endpoint
// prints the same.
func TestVPCImport(t *testing.T) {
	topology := talkers + `
load-balancers:
  - {name: sensors, subnets: [app, watch], cross-zone: true, listeners: [{protocol: UDP, port: 4789, targets: sensors}]}
target-groups:
  - {name: sensors, protocol: UDP, port: 4789, targets: [sensor/eth1], health: {protocol: HTTP, port: 80, path: /api/2.0/status}}
mirroring:
  targets: [{name: t1, interface: sensor/eth1}, {name: t2, load-balancer: sensors}]
  filters:
    - name: f
      network-services: [amazon-dns]
      rules:
        - {number: 1, direction: ingress, action: reject, protocol: tcp, source: 10.0.0.0/8, destination-ports: 80-90}
        - {number: 2, direction: both, action: accept}
  sessions: [{source: web, target: t1, filter: f, number: 3, vni: 77, packet-length: 200}]
`
	calls := [][]string{
		{"ec2", "describe-vpcs"}, {"ec2", "describe-subnets"}, {"ec2", "describe-security-groups"}, {"ec2", "describe-route-tables"}, {"ec2", "describe-network-acls"},
		{"ec2", "describe-instances"}, {"ec2", "describe-network-interfaces"}, {"ec2", "describe-traffic-mirror-targets"}, {"ec2", "describe-traffic-mirror-filters"},
		{"ec2", "describe-traffic-mirror-sessions"}, {"elbv2", "describe-load-balancers"}, {"elbv2", "describe-target-groups"},
	}
	files := func(l *lab, dir string, calls [][]string) {
		t.Helper()
		write := func(name string, args ...string) {
			t.Helper()
			out := l.must(append(args, "--output", "json")...)
			if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(out), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range calls {
			write(c[1], c...)
		}
		// The AWS CLI is slow to start: each call counts.
		arn := func(file, key string) string {
			b, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(b), `"`+key+`": "`)
			value, _, ok := strings.Cut(rest, `"`)
			if !ok {
				t.Fatalf("no %s in %s", key, file)
			}
			return value
		}
		if slices.ContainsFunc(calls, func(c []string) bool { return c[1] == "describe-load-balancers" }) {
			write("describe-listeners", "elbv2", "describe-listeners", "--load-balancer-arn", arn("describe-load-balancers.json", "LoadBalancerArn"))
			write("target-health-sensors", "elbv2", "describe-target-health", "--target-group-arn", arn("describe-target-groups.json", "TargetGroupArn"))
		}
	}
	first := t.TempDir()
	files(startVPC(t, topology, "--no-dataplane"), first, calls)
	if err := os.WriteFile(filepath.Join(first, "odd.json"), []byte(`{"NatGateways": [{"NatGatewayId": "nat-1"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(bin, "vpc", "import", first)
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	err := c.Run()
	if c.ProcessState.ExitCode() != 3 || !strings.Contains(stderr.String(), "NatGateways is not imported") {
		t.Fatalf("import: %v\n%s", err, stderr.String())
	}
	for _, line := range strings.Split(strings.TrimSpace(stderr.String()), "\n") {
		if strings.HasPrefix(line, "not imported: ") && !strings.Contains(line, "NatGateways") {
			t.Errorf("not imported of an account that can be: %s", line)
		}
	}
	second := t.TempDir()
	again := slices.DeleteFunc(calls, func(c []string) bool {
		return !slices.Contains([]string{"describe-security-groups", "describe-network-interfaces", "describe-traffic-mirror-filters", "describe-traffic-mirror-sessions", "describe-traffic-mirror-targets"}, c[1])
	})
	files(startVPC(t, out.String(), "--no-dataplane"), second, again)
	for _, c := range again {
		a, errA := os.ReadFile(filepath.Join(first, c[1]+".json"))
		b, errB := os.ReadFile(filepath.Join(second, c[1]+".json"))
		if errA != nil || errB != nil || len(a) < 50 {
			t.Fatal(errA, errB, len(a))
		}
		for _, line := range missing(string(a), string(b)) {
			t.Errorf("%s: %s", c[1], line)
		}
	}
}

// missing returns the lines that have an id, an address or a rule in them and are in one
// text more often than in the other.
func missing(a, b string) (out []string) {
	n := map[string]int{}
	for line := range strings.Lines(a) {
		n[strings.Trim(line, " ,\n")]++
	}
	for line := range strings.Lines(b) {
		n[strings.Trim(line, " ,\n")]--
	}
	for line, k := range n {
		// Ids of what the import does not read are made anew.
		if k != 0 && !strings.Contains(line, "AssociationId") && !strings.Contains(line, "sgr-") && !strings.Contains(line, "Time") && !strings.Contains(line, "AttachmentId") && !strings.Contains(line, "ReservationId") {
			out = append(out, line)
		}
	}
	return out
}
