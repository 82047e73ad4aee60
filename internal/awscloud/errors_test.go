package awscloud_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mirador/internal/awscloud"
	"mirador/internal/setup"
)

// answering is a line on which every call gets the same answer.
type answering struct {
	status int
	body   string
	err    error
	n      int
}

func (a *answering) RoundTrip(q *http.Request) (*http.Response, error) {
	a.n++
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: q}, nil
}

func client(t *testing.T, line http.RoundTripper) *awscloud.Client {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	for _, k := range []string{"AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(k, "")
	}
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	c, err := awscloud.New(t.Context(), awscloud.Options{Region: "eu-west-1", EndpointURL: "http://endpoint.invalid", Attempts: 3,
		Backoff: func(int, error) (time.Duration, error) { return 0, nil }, HTTP: &http.Client{Transport: line}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Codes get their meaning: those of the documentation and those that AWS really sends.
func TestErrorKinds(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		kind   setup.ErrorKind
		tries  int
		hint   string
	}{
		{400, "InvalidTrafficMirrorSessionId.NotFound", setup.KindNotFound, 1, ""},
		{400, "InvalidTrafficMirrorFilterNotFound", setup.KindNotFound, 1, ""},
		{400, "InvalidTrafficMirrorTargetNoFound", setup.KindNotFound, 1, ""},
		{400, "InvalidTrafficMirrorTarget", setup.KindNotFound, 1, ""},
		{400, "LoadBalancerNotFound", setup.KindNotFound, 1, ""},
		{400, "InvalidPermission.NotFound", setup.KindNotFound, 1, ""},
		{400, "TrafficMirrorTargetInUse", setup.KindInUse, 1, ""},
		{400, "TrafficMirrorTargetInUseException", setup.KindInUse, 1, ""},
		{400, "DependencyViolation", setup.KindInUse, 1, ""},
		{400, "InvalidNetworkInterface.InUse", setup.KindInUse, 1, ""},
		{400, "InvalidGroup.Duplicate", setup.KindExists, 1, ""},
		{400, "DuplicateLoadBalancerName", setup.KindExists, 1, ""},
		{400, "TrafficMirrorFilterRuleAlreadyExists", setup.KindExists, 1, ""},
		{400, "TrafficMirrorSourcesPerTargetLimitExceeded", setup.KindLimit, 1, "set target.kind to nlb"},
		{400, "AttachmentLimitExceeded", setup.KindLimit, 1, "larger type"},
		{403, "UnauthorizedOperation", setup.KindDenied, 1, "ec2:DeleteTrafficMirrorSession"},
		{401, "AuthFailure", setup.KindExpired, 1, "renew the credentials"},
		{400, "RequestExpired", setup.KindExpired, 1, "clock"},
		{503, "RequestLimitExceeded", setup.KindThrottled, 3, "rate"},
		{503, "Unavailable", setup.KindUnavailable, 3, "run again"},
		{500, "InternalError", setup.KindUnavailable, 3, "run again"},
		{502, "Whatever", setup.KindUnavailable, 3, "run again"},
		{400, "NetworkInterfaceNotSupported", setup.KindUnsupported, 1, "software mirror"},
		{400, "InvalidParameterValue", setup.KindInvalid, 1, ""},
		{400, "SomethingNew", setup.KindOther, 1, ""},
	} {
		line := &answering{status: c.status, body: fmt.Sprintf("<Response><Errors><Error><Code>%s</Code><Message>words</Message></Error></Errors><RequestID>r-1</RequestID></Response>", c.code)}
		_, err := client(t, line).Do(t.Context(), setup.DeleteSession{Session: "tms-1"})
		var e *setup.CloudError
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", c.code, err)
		}
		if e.Kind != c.kind || e.Code != c.code || e.Message != "words" || e.Request != "r-1" || line.n != c.tries || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: kind %d after %d tries, %+v", c.code, e.Kind, line.n, e)
		}
	}
}

func TestLineErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		line *answering
		kind setup.ErrorKind
	}{
		{"no connection", &answering{err: errors.New("connection refused")}, setup.KindUnavailable},
		{"cut answer", &answering{status: 200, body: "<DescribeVpcsResponse><vpcSet><item>"}, setup.KindOther},
		{"no XML", &answering{status: 500, body: "Internal Server Error"}, setup.KindUnavailable},
	} {
		_, err := client(t, c.line).VPCs(t.Context(), setup.Query{})
		var e *setup.CloudError
		if !errors.As(err, &e) || e.Kind != c.kind {
			t.Errorf("%s: %+v", c.name, err)
		}
	}
}

// An endpoint that gives a token for ever is given up.
func TestEndlessPages(t *testing.T) {
	line := &answering{status: 200, body: `<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><vpcSet/><nextToken>x</nextToken></DescribeVpcsResponse>`}
	_, err := client(t, line).VPCs(t.Context(), setup.Query{})
	if setup.KindOf(err) != setup.KindUnavailable || line.n != 1000 {
		t.Errorf("%d calls, %v", line.n, err)
	}
}

// Without credentials, or without a region, the caller is told what to do.
func TestNoCredentials(t *testing.T) {
	line := &answering{status: 200}
	c := client(t, line)
	_ = c
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	c, err := awscloud.New(t.Context(), awscloud.Options{Region: "eu-west-1", EndpointURL: "http://endpoint.invalid", HTTP: &http.Client{Transport: line}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Identity(t.Context())
	var e *setup.CloudError
	if !errors.As(err, &e) || e.Kind != setup.KindExpired || !strings.Contains(e.Hint, "AWS_ACCESS_KEY_ID") || line.n != 0 {
		t.Errorf("error %+v", err)
	}
	_, err = awscloud.New(t.Context(), awscloud.Options{})
	if !errors.As(err, &e) || !strings.Contains(e.Hint, "--region") {
		t.Errorf("no region: %+v", err)
	}
}
