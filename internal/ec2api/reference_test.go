package ec2api

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/reference/ec2api.md anew")

// TestReference keeps docs/reference/ec2api.md in step with the table of actions.
func TestReference(t *testing.T) {
	const path = "../../docs/reference/ec2api.md"
	want := reference(t)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the table of actions makes (%v): go test ./internal/ec2api -run TestReference -update", path, err)
	}
}

func reference(t *testing.T) []byte {
	w, err := parseWire(wireText)
	if err != nil {
		t.Fatal(err)
	}
	table, err := actionTable(w)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("# Actions of the endpoint\n\n")
	b.WriteString("Made by `go test ./internal/ec2api -run TestReference -update`. What `mirador vpc` answers; docs/howto/vpc.md shows how to use it.\n")
	b.WriteString("Parameters that have to be there are **bold**; a name with `.N` is a list. EC2 refuses parameters that an action does not have (`UnknownParameter`).\n")
	b.WriteString("Parameters of a request are all checked for their names and types; what has no meaning here (placement groups, licences, capacity reservations) is taken and has no effect.\n")
	for _, s := range []struct{ name, title, text string }{
		{serviceEC2, "EC2 (2016-11-15)", "Any action can answer with " + codes(commonErrors) + ". Filters `tag:KEY` and `tag-key` are taken by every describe that has filters; values may have `*` and `?`."},
		{serviceELB, "Elastic Load Balancing v2 (2015-12-01)", "Network and Gateway Load Balancers. Any action can answer with `ValidationError`, `InvalidClientTokenId`, `SignatureDoesNotMatch`, `Throttling`."},
		{serviceSTS, "STS (2011-06-15)", "Everybody with a key may be any role of the endpoint's account."},
		{serviceCloudWatch, "CloudWatch (2010-08-01)", "In CBOR (Smithy RPC v2), JSON and the Query protocol. Values come from the data plane."},
		{serviceAutoScaling, "Auto Scaling (2011-01-01)", "Groups of launch templates, or of what an instance is made of. A group has the size it wants at once, and replaces instances that are terminated."},
		{serviceRAM, "Resource Access Manager (2018-01-04)", "Traffic mirror targets are shared between the accounts of the endpoint (`--account-key KEY=ACCOUNT`): the consumer sees the target and makes sessions to it, the owner sees those sessions, and without the share they are inactive."},
		{serviceSQS, "SQS (2012-11-05)", "In JSON and, for clients from before 2023, the Query protocol. Standard queues; messages are in memory and do not outlive the endpoint. Policies are kept and not enforced: EventBridge may send to every queue."},
		{serviceEvents, "EventBridge (2015-10-07)", "In JSON. Rules of the default bus with queues as targets. The endpoint itself lets happen: `EC2 Instance State-change Notification` when instances are run, started, stopped and terminated, and `AWS API Call via CloudTrail` for each EC2 call that changes something and succeeds. Patterns: exact values, `prefix`, `suffix`, `equals-ignore-case`, `wildcard`, `cidr`, `exists`, `numeric`, `anything-but`, `$or`."},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| action | parameters | filters | errors |\n|---|---|---|---|\n", s.title, s.text)
		for _, a := range allActions() {
			if a.service != s.name {
				continue
			}
			a := table[a.service][a.name]
			var params []string
			for _, n := range a.wire.in.names {
				m := a.wire.in.members[n]
				text := n
				if m.shape.kind == kindList {
					text += ".N"
					if m.shape.item != "" {
						text = n + "." + m.shape.item + ".N"
					}
				}
				if m.required {
					text = "**" + text + "**"
				}
				params = append(params, text)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", a.name, strings.Join(params, " "), strings.Join(a.wire.filters, " "), codes(a.errors))
		}
	}
	return b.Bytes()
}

func codes(list []string) string {
	list = slices.Clone(list)
	slices.Sort(list)
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = "`" + c + "`"
	}
	return strings.Join(out, " ")
}

// TestEveryFilterIsKnown asks the describes of EC2's documentation for the filters that
// this endpoint must not ignore: those of mirroring, and of the network around it.
func TestEveryFilterIsKnown(t *testing.T) {
	w, err := parseWire(wireText)
	if err != nil {
		t.Fatal(err)
	}
	v, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := &call{v: v, s: v.s}
	asks := map[string]func(string) bool{
		"DescribeSecurityGroups": func(n string) bool { _, ok := groupAttributes(&SecurityGroup{Rules: []GroupRule{{}}}, n); return ok },
		"DescribeNetworkInterfaces": func(n string) bool {
			_, ok := c.eniAttribute(&NetworkInterface{Attachment: &Attachment{}}, n)
			return ok
		},
		"DescribeNetworkAcls": func(n string) bool {
			_, ok := aclAttribute(&NetworkACL{Entries: []ACLEntry{{}}, Associations: []Association{{}}}, n)
			return ok
		},
		"DescribeRouteTables": func(n string) bool {
			_, ok := c.tableAttribute(&RouteTable{Routes: []Route{{}}, Associations: []Association{{}}}, n)
			return ok
		},
	}
	for action, ask := range asks {
		for _, f := range w[serviceEC2][action].filters {
			if _, tag := filterTags(nil, f); tag || f == "tag" {
				continue
			}
			if !ask(f) {
				t.Errorf("%s: filter %s is documented and not known", action, f)
			}
		}
	}
}
