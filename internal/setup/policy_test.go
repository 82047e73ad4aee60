package setup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

func policy(t *testing.T, command string, o setup.PolicyOptions) *setup.Policy {
	t.Helper()
	p, err := setup.NewPolicy(command, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every type in calls.go that is a Call is known to the policies: its action is in that of
// apply.
func TestPolicyKnowsEveryCall(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "calls.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	p := policy(t, "apply", setup.PolicyOptions{Stack: "prod"})
	for _, c := range setup.CallsOf("apply") {
		known[reflect.TypeOf(c).Name()] = true
		if a := c.Action().String(); !p.Allows(a) {
			t.Errorf("apply may not %s (%T)", a, c)
		}
	}
	n := 0
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv == nil || fn.Name.Name != "Action" {
			continue
		}
		name := fn.Recv.List[0].Type.(*ast.Ident).Name
		if n++; name != "Wait" && !known[name] {
			t.Errorf("%s is a call that no policy knows", name)
		}
	}
	if n < 40 {
		t.Errorf("only %d calls found in calls.go", n)
	}
}

// Every read of the port is in the policy of each command.
func TestPolicyKnowsEveryRead(t *testing.T) {
	table := setup.ReadTable()
	port := reflect.TypeFor[setup.Cloud]()
	for i := range port.NumMethod() {
		name := port.Method(i).Name
		if name == "Do" || name == "DryRun" {
			continue
		}
		if len(table[name]) == 0 {
			t.Errorf("no action is told for %s", name)
		}
		for _, a := range table[name] {
			for _, c := range setup.PolicyCommands() {
				if !policy(t, c, setup.PolicyOptions{Stack: "prod"}).Allows(a.String()) {
					t.Errorf("%s may not %s", c, a)
				}
			}
		}
	}
}

// Only what looks has the resource "*", and what is changed carries our tag where AWS knows
// tags there.
func TestPolicyIsNarrow(t *testing.T) {
	bare := []string{":vpc/", ":subnet/", ":instance/", ":network-interface/"}
	for _, cmd := range setup.PolicyCommands() {
		for _, o := range []setup.PolicyOptions{{Stack: "prod"}, {Stack: "prod", Region: "eu-west-1", Account: "123456789012", Partition: "aws-cn"}} {
			p := policy(t, cmd, o)
			sids := map[string]bool{}
			for _, s := range p.Statement {
				if sids[s.Sid] {
					t.Errorf("%s: two statements %s", cmd, s.Sid)
				}
				sids[s.Sid] = true
				for _, r := range s.Resource {
					if r == "*" {
						for _, a := range s.Action {
							_, name, _ := strings.Cut(a, ":")
							if !strings.HasPrefix(name, "Describe") && !strings.HasPrefix(name, "Get") && !strings.HasPrefix(name, "List") {
								t.Errorf("%s: %s on *", cmd, a)
							}
						}
						continue
					}
					if !strings.HasPrefix(r, "arn:"+or(o.Partition, "aws")+":") || o.Account != "" && !strings.Contains(r, ":"+o.Account+":") {
						t.Errorf("%s: resource %s", cmd, r)
					}
					if len(s.Condition) == 0 && !strings.Contains(r, ":sqs:") && !slices.ContainsFunc(bare, func(k string) bool { return strings.Contains(r, k) }) {
						t.Errorf("%s: %v on %s without a condition", cmd, s.Action, r)
					}
				}
				for _, a := range s.Action {
					if strings.Contains(a, "*") {
						t.Errorf("%s: action %s", cmd, a)
					}
				}
			}
		}
	}
	if p := policy(t, "plan", setup.PolicyOptions{Stack: "prod"}); len(p.Statement) != 1 {
		t.Errorf("plan has %d statements; it only looks", len(p.Statement))
	}
	for _, a := range []string{"ec2:CreateTrafficMirrorTarget", "ec2:DeleteNetworkInterface", "ec2:CreateSecurityGroup"} {
		if policy(t, "watch", setup.PolicyOptions{Stack: "prod"}).Allows(a) {
			t.Errorf("watch may %s", a)
		}
	}
	if policy(t, "destroy", setup.PolicyOptions{Stack: "prod"}).Allows("ec2:CreateTrafficMirrorSession") {
		t.Error("destroy may make sessions")
	}
	if _, err := setup.NewPolicy("dance", setup.PolicyOptions{Stack: "prod"}); err == nil {
		t.Error("a policy for no command")
	}
	if _, err := setup.NewPolicy("plan", setup.PolicyOptions{}); err == nil {
		t.Error("a policy for no stack")
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// listener notes the actions of requests.
type listener struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (l *listener) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	service := "ec2"
	if strings.Contains(string(b), "Version=2015-12-01") {
		service = "elasticloadbalancing"
	}
	name := actionOf(string(b))
	if name == "GetCallerIdentity" {
		service = "sts"
	}
	l.mu.Lock()
	l.seen[service+":"+name] = true
	l.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// What commands really ask of an endpoint is in their policies, which know the description
// and so leave out the other kinds of targets.
func TestPolicyCoversRuns(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			w := newWorld(t, 3, ec2api.Options{})
			s := w.spec(kind.more)
			runs := []struct {
				command string
				do      func(context.Context, setup.Cloud) error
			}{
				{"preflight", func(ctx context.Context, c setup.Cloud) error { _, err := setup.Preflight(ctx, c, s); return err }},
				{"apply", func(ctx context.Context, c setup.Cloud) error { return w.applyOnce(ctx, c, s, "", 1) }},
				{"destroy", func(ctx context.Context, c setup.Cloud) error { return w.destroyOnce(ctx, c, s) }},
			}
			for _, r := range runs {
				l := &listener{seen: map[string]bool{}}
				w.ok(r.do(t.Context(), w.cloud(l)))
				p := policy(t, r.command, setup.PolicyOptions{Spec: s, Region: "us-east-1", Account: "123456789012"})
				for a := range l.seen {
					if !p.Allows(a) {
						t.Errorf("%s asked for %s, which its policy has not", r.command, a)
					}
				}
				if len(l.seen) < 10 {
					t.Errorf("%s: only %v", r.command, l.seen)
				}
				b, err := json.Marshal(p)
				w.ok(err)
				parts, err := p.Parts()
				w.ok(err)
				t.Logf("%s: %d characters, %d parts", r.command, len(b), len(parts))
				n := 0
				for _, x := range parts {
					n += len(x.Statement)
					if size, err := x.Size(); err != nil || size > setup.PolicyLimit {
						t.Errorf("%s: a part has %d characters (%v), IAM takes %d", r.command, size, err, setup.PolicyLimit)
					}
				}
				if n != len(p.Statement) || len(parts) > 2 {
					t.Errorf("%s: %d parts with %d statements of %d", r.command, len(parts), n, len(p.Statement))
				}
				for _, id := range w.sensors {
					if r.command == "apply" && !strings.Contains(string(b), "instance/"+id) {
						t.Errorf("sensor %s is not named", id)
					}
				}
			}
		})
	}
}

func TestMergePolicies(t *testing.T) {
	o := setup.PolicyOptions{Stack: "prod"}
	m := setup.MergePolicies(policy(t, "plan", o), policy(t, "watch", o), policy(t, "destroy", o))
	for _, a := range []string{"ec2:CreateTrafficMirrorSession", "ec2:DeleteSecurityGroup", "sqs:ReceiveMessage", "ec2:DescribeVpcs"} {
		if !m.Allows(a) {
			t.Errorf("may not %s: %s", a, fmt.Sprint(m))
		}
	}
	looks := 0
	for _, s := range m.Statement {
		looks += b2i(slices.Equal(s.Resource, []string{"*"}))
	}
	if looks != 1 {
		t.Errorf("%d statements on *", looks)
	}
}
