package awscloud_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"mirador/internal/awscloud"
	"mirador/internal/setup"
)

// metadata is an instance metadata service, version 2.
type metadata struct {
	answers map[string]string
	tokens  int                                           // how many were given
	before  func(http.ResponseWriter, *http.Request) bool // true: it has answered
}

func (m *metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.before != nil && m.before(w, r) {
		return
	}
	if r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" {
		ttl := r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds")
		if ttl == "" {
			w.WriteHeader(400)
			return
		}
		m.tokens++
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", ttl)
		fmt.Fprint(w, "TOKEN")
		return
	}
	if r.Header.Get("X-Aws-Ec2-Metadata-Token") != "TOKEN" {
		w.WriteHeader(401)
		return
	}
	a, ok := m.answers[r.URL.Path]
	if !ok {
		w.WriteHeader(404)
		return
	}
	fmt.Fprint(w, a)
}

func newMetadata() *metadata {
	const macs = "/latest/meta-data/network/interfaces/macs/"
	return &metadata{answers: map[string]string{
		"/latest/dynamic/instance-identity/document": `{"instanceId":"i-0123456789abcdef0","region":"eu-west-1","availabilityZone":"eu-west-1b","instanceType":"m5.xlarge","accountId":"123456789012"}`,
		macs:                                    "06:00:00:00:00:01/\n06:00:00:00:00:02/",
		macs + "06:00:00:00:00:01/interface-id": "eni-1", macs + "06:00:00:00:00:01/subnet-id": "subnet-1", macs + "06:00:00:00:00:01/device-number": "0",
		macs + "06:00:00:00:00:02/interface-id": "eni-2", macs + "06:00:00:00:00:02/subnet-id": "subnet-2", macs + "06:00:00:00:00:02/device-number": "1",
	}}
}

// self asks m, and returns the error in the terms of setup.
func self(t *testing.T, ctx context.Context, m http.Handler) (*awscloud.Self, *setup.CloudError) {
	t.Helper()
	srv := httptest.NewServer(m)
	t.Cleanup(srv.Close)
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", srv.URL)
	s, err := awscloud.WhoAmI(ctx)
	var ce *setup.CloudError
	if err != nil && !errors.As(err, &ce) {
		t.Fatalf("%T %v", err, err)
	}
	return s, ce
}

// A program on an instance finds instance, region and interfaces, with a token.
func TestWhoAmI(t *testing.T) {
	m := newMetadata()
	s, ce := self(t, t.Context(), m)
	if ce != nil {
		t.Fatal(ce)
	}
	want := &awscloud.Self{Instance: "i-0123456789abcdef0", Region: "eu-west-1", Zone: "eu-west-1b", Type: "m5.xlarge", Account: "123456789012",
		Interfaces: []awscloud.SelfInterface{{"06:00:00:00:00:01", "eni-1", "subnet-1", "0"}, {"06:00:00:00:00:02", "eni-2", "subnet-2", "1"}}}
	if !reflect.DeepEqual(s, want) || m.tokens == 0 {
		t.Errorf("%+v with %d tokens", s, m.tokens)
	}
}

func TestWhoAmIRefused(t *testing.T) {
	fail := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(code); return true }
	}
	for _, c := range []struct {
		name   string
		change func(*metadata)
		want   string
		kind   setup.ErrorKind
	}{
		{"switched off", func(m *metadata) { m.before = fail(403) }, "refuses (403)", setup.KindDenied},
		{"no version 2", func(m *metadata) {
			m.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPut {
					w.WriteHeader(404)
					return true
				}
				r.Header.Set("X-Aws-Ec2-Metadata-Token", "TOKEN") // version 1 asks for none
				return false
			}
		}, "", setup.KindUnavailable},
		{"broken", func(m *metadata) { m.before = fail(500) }, "answers 500", setup.KindUnavailable},
		{"something else", func(m *metadata) { m.answers["/latest/dynamic/instance-identity/document"] = "<html>" }, "", setup.KindUnavailable},
		{"empty document", func(m *metadata) { m.answers["/latest/dynamic/instance-identity/document"] = "{}" }, "names no instance", setup.KindUnavailable},
		{"long", func(m *metadata) {
			m.answers["/latest/meta-data/network/interfaces/macs/"] = strings.Repeat("x", 100<<10)
		}, "more than", setup.KindUnavailable},
		{"many", func(m *metadata) {
			for i := range 100 {
				mac := fmt.Sprintf("06:00:00:00:01:%02x", i)
				m.answers["/latest/meta-data/network/interfaces/macs/"] += "\n" + mac + "/"
				for _, k := range []string{"interface-id", "subnet-id", "device-number"} {
					m.answers["/latest/meta-data/network/interfaces/macs/"+mac+"/"+k] = "x"
				}
			}
		}, "more than 64", setup.KindUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMetadata()
			c.change(m)
			s, ce := self(t, t.Context(), m)
			if ce == nil || !strings.Contains(ce.Message, c.want) || ce.Kind != c.kind || ce.Hint == "" {
				t.Errorf("%+v, %+v", s, ce)
			}
		})
	}
}

// Where nobody answers, as in a container behind a hop limit of 1, the wait has an end.
func TestWhoAmISilent(t *testing.T) {
	m := newMetadata()
	asked := make(chan struct{}, 100)
	m.before = func(w http.ResponseWriter, r *http.Request) bool {
		asked <- struct{}{}
		<-r.Context().Done()
		return true
	}
	// The deadline of the caller, so that the test does not wait for the one of its own.
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-asked; cancel(nil) }()
	if s, ce := self(t, ctx, m); ce == nil {
		t.Errorf("%+v", s)
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	if _, ce := self(t, t.Context(), newMetadata()); ce == nil || !strings.Contains(ce.Message, "DISABLED") {
		t.Errorf("%+v", ce)
	}
}
