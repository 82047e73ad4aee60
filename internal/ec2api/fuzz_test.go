package ec2api

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzEC2Query sends any body to an endpoint. Whatever comes, the answer is well-formed XML
// with a status that fits, the state that follows can be written and read, and a
// refused call changes nothing.
func FuzzEC2Query(f *testing.F) {
	for _, seed := range []string{
		"Action=DescribeVpcs&Version=2016-11-15",
		"Action=CreateTrafficMirrorFilter&Version=2016-11-15&Description=a%3Cb&ClientToken=x&TagSpecification.1.ResourceType=traffic-mirror-filter&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b",
		"Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-*&Filter.2.Name=tag%3AName&Filter.2.Value.1=%5C%2A&MaxResults=5",
		"Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&MinCount=1&MaxCount=2&InstanceType=m5.large&NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.SecurityGroupId.1=sg-1",
		"Action=CreateNetworkAclEntry&Version=2016-11-15&NetworkAclId=acl-1&RuleNumber=1&Protocol=-1&RuleAction=allow&Egress=true&CidrBlock=0.0.0.0%2F0",
		"Action=CreateTags&Version=2016-11-15&ResourceId.1=vpc-1&Tag.1.Key=a&Tag.1.Value=",
		"Action=CreateLoadBalancer&Version=2015-12-01&Name=x&Type=network&Subnets.member.1=subnet-1&Tags.member.1.Key=a",
		"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fx&RoleSessionName=me",
		"Action=GetMetricData&Version=2010-08-01&StartTime=2026-11-01T00%3A00%3A00Z&EndTime=1",
		"Action=DescribeTrafficMirrorSessions&Version=2016-11-15&TrafficMirrorSessionId.99999=%00&NextToken=AAAA",
		"%zz=&Action", "Action=DescribeInstances&Version=2016-11-15&InstanceId.1.2.3=x&DryRun=maybe",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		v, err := New(Options{Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
		if err != nil {
			t.Fatal(err)
		}
		gen := v.s.gen
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		v.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 599 || w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
			t.Fatalf("status %d for %q", w.Code, body)
		}
		d := xml.NewDecoder(bytes.NewReader(w.Body.Bytes()))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("answer is no XML: %v\n%s", err, w.Body)
			}
		}
		if w.Code >= 400 && v.s.gen != gen {
			t.Fatalf("a refused call (%d) changed the state", w.Code)
		}
		if v.s.gen != gen {
			b, err := v.s.encode()
			if err != nil {
				t.Fatal(err)
			}
			list, err := readState(b, v.o.Random)
			if err == nil {
				_, err = finish(list, v.bookOptions(""))
			}
			if err != nil {
				t.Fatalf("the state cannot be read again: %v", err)
			}
		}
	})
}

// FuzzCBOR reads any bytes as CBOR. What our writer wrote is read back as it was.
func FuzzCBOR(f *testing.F) {
	f.Add(encodeCBOR(object{{"StartTime", time.Unix(1_800_000_000, 0)}, {"MetricDataQueries", []any{object{{"Id", "m"}, {"ReturnData", true}}}}}))
	f.Add([]byte{0xbf, 0x61, 'a', 0x9f, 0x01, 0x20, 0xff, 0xff})
	f.Add([]byte{0xa1, 0x69, 'S', 't', 'a', 'r', 't', 'T', 'i', 'm', 'e', 0xc1, 0xf9, 0x3c, 0x00})
	f.Add(bytes.Repeat([]byte{0x81}, 100))
	w, err := parseWire(wireText)
	if err != nil {
		f.Fatal(err)
	}
	in := w[serviceCloudWatch]["GetMetricData"].in
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := decodeCBOR(in, b); err == nil {
			n.check("")
		}
		if n, err := decodeJSON(in, b); err == nil {
			n.check("")
		}
		d := &cborReader{b: b, budget: maxParams}
		if v, ok := d.value(0); ok {
			if _, err := json.Marshal(v); err != nil && !strings.Contains(err.Error(), "unsupported value") {
				t.Fatal(err)
			}
		}
	})
}

// TestQueryNames reads names of parameters in all their forms.
func TestQueryNames(t *testing.T) {
	w, err := parseWire(wireText)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ service, action, body, code string }{
		{serviceEC2, "DescribeVpcs", "VpcId.1=a&VpcId.2=b", ""},
		{serviceEC2, "DescribeVpcs", "VpcId=a", "UnknownParameter"},
		{serviceEC2, "DescribeVpcs", "VpcId.x=a", "UnknownParameter"},
		{serviceEC2, "DescribeVpcs", "VpcId.01=a", "UnknownParameter"},
		{serviceEC2, "DescribeVpcs", "VpcId.1.2=a", "UnknownParameter"},
		{serviceEC2, "DescribeVpcs", "VpcId.100001=a", "UnknownParameter"},
		{serviceEC2, "DescribeVpcs", "Filter.1.Name=a&Filter.1.Value.1=b", ""},
		{serviceEC2, "DescribeVpcs", "Filter.1.Colour=a", "UnknownParameter"},
		{serviceEC2, "DescribeVpcs", "MaxResults=x", "InvalidParameterValue"},
		{serviceEC2, "DescribeVpcs", "MaxResults=4", "InvalidParameterValue"},
		{serviceEC2, "DescribeVpcs", "MaxResults=1001", "InvalidParameterValue"},
		{serviceEC2, "DescribeVpcs", "DryRun=perhaps", "InvalidParameterValue"},
		{serviceEC2, "DescribeVpcs", "VpcId.1=%01", "InvalidParameterValue"},
		{serviceEC2, "CreateTrafficMirrorFilterRule", "RuleNumber=1", "MissingParameter"},
		{serviceEC2, "DeleteTrafficMirrorTarget", "TrafficMirrorTargetId=", "MissingParameter"},
		{serviceELB, "DescribeLoadBalancers", "LoadBalancerArns.member.1=a", ""},
		{serviceELB, "DescribeLoadBalancers", "Colour=a", ""},
		{serviceELB, "RegisterTargets", "TargetGroupArn=a&Targets.member.1.Port=80", "MissingParameter"},
	} {
		form, fault := parseForm(c.body)
		if fault != nil {
			t.Fatal(fault)
		}
		n, fault := decodeQuery(w[c.service][c.action].in, form, c.service == serviceEC2)
		if fault == nil {
			fault = n.check("")
		}
		got := ""
		if fault != nil {
			got = fault.Code
		}
		if got != c.code {
			t.Errorf("%s %s: %q, want %q", c.action, c.body, got, c.code)
		}
	}
}

func TestFormLimits(t *testing.T) {
	many := url.Values{}
	for i := range maxParams + 1 {
		many.Set("P"+strings.Repeat("x", i%7)+time.Duration(i).String(), "1")
	}
	if _, err := parseForm(many.Encode()); err == nil || err.Code != "InvalidParameterValue" {
		t.Errorf("%d parameters: %v", maxParams+1, err)
	}
	if _, err := parseForm("a=1&a=2"); err == nil || err.Code != "InvalidParameterCombination" {
		t.Errorf("a parameter twice: %v", err)
	}
	v, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	v.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("Action="+strings.Repeat("x", maxBody))))
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body = %d", w.Code)
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("Action=DescribeVpcs&Version=1"))
	r.Header.Set("Origin", "http://example.com")
	w = httptest.NewRecorder()
	if v.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("an unsigned call of a web page = %d", w.Code)
	}
}

func TestWildcard(t *testing.T) {
	for _, c := range []struct {
		p, s string
		want bool
	}{
		{"*", "", true}, {"*", "abc", true}, {"a*c", "abbc", true}, {"a*c", "abb", false}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{`a\*c`, "a*c", true}, {`a\*c`, "abc", false}, {`\?`, "?", true}, {`\?`, "x", false}, {"*b*", "abc", true}, {"*b*b*", "abc", false}, {"", "", true}, {"", "x", false},
		{strings.Repeat("*a", 50), strings.Repeat("a", 60) + "b", false},
	} {
		if got := wildcard(c.p, c.s); got != c.want {
			t.Errorf("wildcard(%q, %q) = %v", c.p, c.s, got)
		}
	}
}

// TestRollback fails an action after it has changed things: nothing of it stays.
func TestRollback(t *testing.T) {
	v, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	before, err := v.s.encode()
	if err != nil {
		t.Fatal(err)
	}
	seq := v.s.seq
	subnet := v.s.subnets.all()[0]
	c := &call{v: v, now: time.Now(), in: &node{}, x: &xmlWriter{item: "item"}, act: &action{write: true, run: func(c *call) *Error {
		e, err := c.s.newENI(c.now, subnet, KindInterface, "", nil)
		if err != nil {
			return err
		}
		c.s.putENI(e)
		n := *e
		n.Description = "again"
		c.s.putENI(&n)
		c.s.delENI(e.ID)
		e2, _ := c.s.newENI(c.now, subnet, KindInterface, "", nil)
		c.s.putENI(e2)
		c.s.keepToken("x", "t", "d", e.ID)
		c.s.subnets.del(subnet.ID)
		return errorf("Oops", "no")
	}}}
	if _, err := v.execute(c); err == nil || err.Code != "Oops" {
		t.Fatal(err)
	}
	v.s.seq = seq
	after, err := v.s.encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Errorf("after a failed action:\n%s\nbefore:\n%s", after, before)
	}
	for _, used := range v.s.addrs {
		if len(used) > 0 {
			t.Errorf("addresses stay taken: %v", used)
		}
	}
}
