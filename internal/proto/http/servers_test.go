package http_test

import (
	"net/netip"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/http"
	"mirador/internal/proto/prototest"
)

// list is settings with a list of servers.
type list struct {
	prototest.Settings
	servers []string
}

func (l list) Strings(key string) ([]string, bool) {
	if key == "libhtp.server-config" {
		return l.servers, true
	}
	return l.Settings.Strings(key)
}

func TestServers(t *testing.T) {
	row := http.Protocol()
	settings := list{prototest.Settings{
		"libhtp.default-config.personality":              "IDS",
		"libhtp.server-config.0.apache.address":          "10.0.0.0/8",
		"libhtp.server-config.0.apache.personality":      "Apache_2",
		"libhtp.server-config.1.one.address":             "10.1.2.3",
		"libhtp.server-config.1.one.personality":         "Minimal",
		"libhtp.server-config.2.six.address":             "2001:db8::/32",
		"libhtp.server-config.2.six.uri-include-all":     "yes",
		"libhtp.server-config.2.six.response-body-limit": "0",
	}, []string{"apache", "one", "six"}}
	tab, err := proto.NewTable([]*proto.Protocol{row}, func(string) proto.Settings { return settings })
	if err != nil {
		t.Fatal(err)
	}
	uri := prototest.Field(row, "http.uri")
	for _, c := range []struct{ server, want string }{
		{"192.0.2.1", "/a/b/c"},
		{"10.9.9.9", "/a\\b/c"},
		{"10.1.2.3", "/a\\b//c"},
		{"2001:db8::1", "http://h/a/b/c"},
		{"2001:db9::1", "/a/b/c"},
	} {
		conn := proto.NewConn(tab, proto.Hint{SrcPort: 4, DstPort: 80})
		conn.Addrs[proto.ToClient] = netip.MustParseAddr(c.server).As16()
		conn.Feed(proto.ToServer, []byte("GET http://h/a\\b//c HTTP/1.1\r\nHost: h\r\n\r\n"), 0, false)
		got, _ := uri.Get(conn, conn.Txs[0], proto.ToServer, 0)
		if string(got) != c.want {
			t.Errorf("server %s: %q, want %q", c.server, got, c.want)
		}
	}
	settings.Settings["libhtp.server-config.1.one.address"] = "nowhere"
	if _, err := proto.NewTable([]*proto.Protocol{row}, func(string) proto.Settings { return settings }); err == nil {
		t.Error("an address that is none is taken")
	}
}
