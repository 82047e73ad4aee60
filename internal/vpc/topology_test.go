package vpc_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"mirador/internal/ec2api"
	"mirador/internal/vpc"
)

// example is the topology of docs/reference/topology.md.
func example(t testing.TB) []byte {
	t.Helper()
	doc, err := os.ReadFile("../../docs/reference/topology.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "```yaml\n")
	text, _, ok2 := strings.Cut(rest, "```\n")
	if !ok || !ok2 {
		t.Fatal("no example in the document")
	}
	return []byte(text)
}

// The documented example is read, its objects are taken by an endpoint, and the same ones
// again change nothing.
func TestTopologyExample(t *testing.T) {
	topo, err := vpc.ParseTopology(example(t), "example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b, err := topo.Build("eu-west-1", "210987654321")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ec2api.New(ec2api.Options{Region: "eu-west-1", AccountID: "210987654321", NoDefaultVPC: true})
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Add(b.Objects)
	if err != nil || n == 0 {
		t.Fatalf("Add = %d, %v", n, err)
	}
	if n, err := s.Add(b.Objects); err != nil || n != 0 {
		t.Errorf("Add again = %d, %v", n, err)
	}
	snap := s.Snapshot()
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"VPCs", len(snap.VPCs), 1}, {"subnets", len(snap.Subnets), 2}, {"instances", len(snap.Instances), 3},
		{"load balancers", len(snap.LoadBalancers), 1}, {"targets", len(snap.Mirroring.Targets), 2}, {"sessions", len(snap.Mirroring.Sessions), 1},
	} {
		if c.got != c.want {
			t.Errorf("%d %s, want %d", c.got, c.what, c.want)
		}
	}
	for _, e := range snap.Interfaces {
		if e.Zone == "" || len(e.Addrs) == 0 || e.MAC == ([6]byte{}) {
			t.Errorf("interface %+v is not complete", e)
		}
	}
	again, err := topo.Build("eu-west-1", "210987654321")
	if err != nil {
		t.Fatal(err)
	}
	for id, e := range b.Objects.Interfaces {
		if o := again.Objects.Interfaces[id]; o == nil || text(o) != text(e) {
			t.Errorf("interface %s is another one when built again", id)
		}
	}
}

// What is written by Marshal says the same.
func TestTopologyRoundTrip(t *testing.T) {
	topo, err := vpc.ParseTopology(example(t), "example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	a, err := topo.Build("us-east-1", "123456789012")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := topo.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := vpc.ParseTopology(raw, "again.yaml")
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	b, err := again.Build("us-east-1", "123456789012")
	if err != nil {
		t.Fatal(err)
	}
	for id, e := range a.Objects.Interfaces {
		if o := b.Objects.Interfaces[id]; o == nil || text(o) != text(e) {
			t.Errorf("interface %s: %s became %s", id, text(e), text(o))
		}
	}
	if len(a.Objects.SecurityGroups) != len(b.Objects.SecurityGroups) {
		t.Error("security groups differ")
	}
}

// Problems are told with their place.
func TestTopologyProblems(t *testing.T) {
	const head = "vpcs:\n  - name: v\n    cidr: 10.0.0.0/16\n    subnets:\n      - {name: s, cidr: 10.0.1.0/24}\n"
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "no vpcs"},
		{"not YAML", "vpcs: [", "t.yaml"},
		{"unknown key", "vpcs:\n  - name: v\n    cird: 10.0.0.0/16\n", `t.yaml:3:5: unknown field "cird"`},
		{"wrong type", "vpcs: 7\n", "t.yaml:1:7"},
		{"no block", "vpcs:\n  - name: v\n    cidr: 10.0.0.0\n", `t.yaml:3:11: vpcs[0].cidr: "10.0.0.0" is no IPv4 block`},
		{"host bits", "vpcs:\n  - name: v\n    cidr: 10.0.0.1/16\n", "10.0.0.0/16 is meant?"},
		{"outside", head + "      - {name: x, cidr: 10.1.1.0/24}\n", "t.yaml:6:25: vpcs[0].subnets[1].cidr: 10.1.1.0/24 is not within the VPC"},
		{"overlap", head + "      - {name: x, cidr: 10.0.1.128/25}\n", "overlaps"},
		{"same name", head + "      - {name: s, cidr: 10.0.2.0/24}\n", `another subnet is called "s"`},
		{"no name", head + "    instances:\n      - {type: m5.large}\n", "a name is needed"},
		{"unknown subnet", head + "    instances:\n      - {name: i, subnet: zzz}\n", `t.yaml:7:27: vpcs[0].instances[0].subnet: no subnet is called "zzz"`},
		{"unknown group", head + "    instances:\n      - {name: i, groups: [g]}\n", `no security group is called "g"`},
		{"address of AWS", head + "    instances:\n      - {name: i, address: 10.0.1.2}\n", "which AWS keeps"},
		{"address twice", head + "    instances:\n      - {name: i, address: 10.0.1.9}\n      - {name: k, address: 10.0.1.9}\n", "is there twice"},
		{"rule without peers", head + "    security-groups:\n      - name: g\n        ingress: [{protocol: tcp, ports: 80}]\n", "no peers"},
		{"ports without protocol", head + "    security-groups:\n      - name: g\n        ingress: [{ports: 80, peers: [10.0.0.0/8]}]\n", "ports without a protocol"},
		{"alias", "vpcs: &a\n  - name: v\nnames: *a\n", "no anchors and aliases"},
		{"target of nothing", head + "mirroring:\n  targets:\n    - {name: t}\n", "one of interface, load-balancer and endpoint is needed"},
		{"eleven rules", head + "mirroring:\n  filters:\n    - name: f\n      rules:\n" + rules(11), "11 rules, a filter has 10 at most"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := vpc.ParseTopology([]byte(tc.text), "t.yaml")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
		})
	}
	if _, err := vpc.ParseTopology(make([]byte, vpc.MaxTopology+1), "t.yaml"); err == nil {
		t.Error("a file that is too long was read")
	}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func rules(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "        - {number: %d, direction: ingress, action: accept}\n", i+1)
	}
	return b.String()
}

// No file makes the reader panic, and what it takes can be built for another account.
func FuzzTopology(f *testing.F) {
	f.Add(example(f))
	f.Add([]byte("vpcs:\n  - name: v\n    cidr: 10.0.0.0/16\n    subnets:\n      - {name: s, cidr: 10.0.1.0/24}\n    instances:\n      - {name: i}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		topo, err := vpc.ParseTopology(data, "t.yaml")
		if err != nil {
			return
		}
		if _, err := topo.Build("eu-west-1", "210987654321"); err != nil {
			t.Errorf("taken once, then refused: %v", err)
		}
	})
}
