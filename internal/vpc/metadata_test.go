package vpc

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mirador/internal/ec2api"
)

// The metadata service wants a token of its own that has not ended, and tells of the
// instance what the endpoint has.
func TestMetadata(t *testing.T) {
	now := time.Unix(1e9, 0)
	snap := &ec2api.Snapshot{Region: "eu-west-1", AccountID: "123456789012",
		Instances: map[string]*ec2api.Instance{"i-1": {Type: "m5.xlarge", Zone: "eu-west-1a", UserData: "IyE="}},
		Interfaces: map[string]*ec2api.NetworkInterface{
			"eni-1": {Subnet: "subnet-1", MAC: [6]byte{6, 0, 0, 0, 0, 1}, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.5")}, Attachment: &ec2api.Attachment{InstanceID: "i-1"}},
			"eni-2": {Subnet: "subnet-2", MAC: [6]byte{6, 0, 0, 0, 0, 2}, Attachment: &ec2api.Attachment{InstanceID: "i-1", DeviceIndex: 1}},
			"eni-3": {MAC: [6]byte{6, 0, 0, 0, 0, 3}},
		}}
	snap.Instances["i-1"].ID = "i-1"
	for id, e := range snap.Interfaces {
		e.ID = id
	}
	m := &metadata{instance: "i-1", key: []byte("key"), now: func() time.Time { return now }, snapshot: func() *ec2api.Snapshot { return snap }}
	ask := func(method, path string, header ...string) (int, string) {
		t.Helper()
		r := httptest.NewRequest(method, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		code   int
		method string
		header []string
	}{
		{400, "PUT", nil}, {400, "PUT", []string{metadataTokenTTL, "0"}}, {400, "PUT", []string{metadataTokenTTL, "21601"}}, {400, "PUT", []string{metadataTokenTTL, "x"}},
		{405, "GET", []string{metadataTokenTTL, "60"}}, {403, "PUT", []string{metadataTokenTTL, "60", "X-Forwarded-For", "10.0.0.1"}}, {200, "PUT", []string{metadataTokenTTL, "60"}},
	} {
		if code, text := ask(c.method, "/latest/api/token", c.header...); code != c.code {
			t.Errorf("%s %v: %d %s, want %d", c.method, c.header, code, text, c.code)
		}
	}
	_, token := ask("PUT", "/latest/api/token", metadataTokenTTL, "60")
	other := &metadata{instance: "i-2", key: m.key, now: m.now, snapshot: m.snapshot}
	const id = "/latest/meta-data/instance-id"
	for _, bad := range []string{"", "x", token[:len(token)-2] + "AA", strings.Repeat("A", len(token)), other.token(now.Add(time.Minute))} {
		if code, _ := ask("GET", id, metadataToken, bad); code != http.StatusUnauthorized {
			t.Errorf("token %q: %d", bad, code)
		}
	}
	for path, want := range map[string]string{
		id: "i-1", "/latest/meta-data/network/interfaces/macs/": "06:00:00:00:00:01/\n06:00:00:00:00:02/", "/latest/meta-data/network/interfaces/macs/06:00:00:00:00:02/interface-id": "eni-2",
		"/latest/meta-data/mac": "06:00:00:00:00:01", "/latest/meta-data/local-ipv4": "10.0.0.5", "/latest/user-data": "#!", "/latest/meta-data/placement": "availability-zone\nregion",
		"/latest/": "dynamic/\nmeta-data/\nuser-data",
	} {
		if code, text := ask("GET", path, metadataToken, token); code != 200 || text != want {
			t.Errorf("%s: %d %q, want %q", path, code, text, want)
		}
	}
	if code, _ := ask("GET", "/latest/meta-data/iam/", metadataToken, token); code != 404 {
		t.Errorf("a role: %d", code)
	}
	now = now.Add(time.Minute)
	if code, _ := ask("GET", id, metadataToken, token); code != 401 {
		t.Errorf("a token that has ended: %d", code)
	}
	_, token = ask("PUT", "/latest/api/token", metadataTokenTTL, "60")
	delete(snap.Instances, "i-1")
	if code, _ := ask("GET", id, metadataToken, token); code != 404 {
		t.Errorf("an instance that is gone: %d", code)
	}
}
