package ec2api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"mirador/internal/ec2api"
)

// newServer starts an endpoint on a loopback port.
func newServer(t *testing.T, o ec2api.Options) (*ec2api.Server, string) {
	t.Helper()
	v, err := ec2api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(v)
	t.Cleanup(func() {
		h.Close()
		v.Close()
	})
	return v, h.URL
}

// post sends an unsigned EC2 call and returns the answer.
func post(t *testing.T, base, action string, params ...string) (int, string) {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2016-11-15"}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	r, err := http.Post(base+"/", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestDefaultVPC(t *testing.T) {
	_, base := newServer(t, ec2api.Options{})
	for _, c := range []struct{ action, want string }{
		{"DescribeVpcs", "<cidrBlock>172.31.0.0/16</cidrBlock>"},
		{"DescribeSubnets", "<cidrBlock>172.31.32.0/20</cidrBlock>"},
		{"DescribeSecurityGroups", "<groupName>default</groupName>"},
		{"DescribeRouteTables", "<destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><gatewayId>igw-"},
		{"DescribeNetworkAcls", "<default>true</default>"},
	} {
		if code, body := post(t, base, c.action); code != 200 || !strings.Contains(body, c.want) {
			t.Errorf("%s = %d %s, want %s in it", c.action, code, body, c.want)
		}
	}
}

// get fetches a presigned URL.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}
