package dhcp_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/dhcp"
	"mirador/internal/proto/prototest"
)

// message has the fixed part of a message, the given type and options.
func message(op byte, options string) []byte {
	b := make([]byte, 240)
	copy(b, []byte{op, 1, 6, 0, 1, 2, 3, 4})
	copy(b[12:], []byte{10, 0, 0, 1, 10, 0, 0, 5, 10, 0, 0, 3, 10, 0, 0, 4, 0xaa, 0xbb, 1, 2, 3, 4})
	copy(b[236:], []byte{0x63, 0x82, 0x53, 0x63})
	return append(b, options...)
}

func run(tb testing.TB, s prototest.Settings, in []byte) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, s, dhcp.Protocol()), proto.Hint{SrcPort: 68, DstPort: 67, UDP: true})
	r.Feed(prototest.Chunk{Data: in}, 0)
	r.Finish()
	return r
}

const (
	full = "\x35\x01\x05\x33\x04\x00\x00\x00\x09\x3a\x04\x00\x00\x00\x04\x3b\x04\x00\x00\x00\x05\x01\x04\xff\xff\xff\x00" +
		"\x03\x04\x01\x01\x01\x01\x06\x08\x08\x08\x08\x08\x09\x09\x09\x09\x0c\x02AB\x3d\x07\x01\x01\x02\x03\x04\x05\x06" +
		"\x37\x03\x01\x02\x06\x3c\x03MSF\x32\x04\x0a\x00\x00\x09\xff"
	base = `"id":16909060,"client_mac":"aa:bb:01:02:03:04","assigned_ip":"10.0.0.5"`
)

// The expectations are what Suricata 8.0.7 does with the same bytes.
func TestRecords(t *testing.T) {
	for _, c := range []struct {
		name     string
		extended string
		in       []byte
		want     string
		events   string
	}{
		{"ack", "no", message(2, full), `{"type":"reply",` + base + `,"dhcp_type":"ack","renewal_time":4,"hostname":"AB","client_id":"01:02:03:04:05:06"}`, ""},
		{"not an ack", "no", message(1, "\x35\x01\x03\xff"), "", ""},
		{"extended", "yes", message(2, full), `{"type":"reply",` + base + `,"client_ip":"10.0.0.1","relay_ip":"10.0.0.4","next_server_ip":"10.0.0.3",` +
			`"dhcp_type":"ack","lease_time":9,"renewal_time":4,"rebinding_time":5,"subnet_mask":"255.255.255.0","routers":["1.1.1.1"],` +
			`"dns_servers":["8.8.8.8","9.9.9.9"],"hostname":"AB","client_id":"01:02:03:04:05:06","params":["subnet_mask","dns_server"],` +
			`"vendor_class_identifier":"MSF","requested_ip":"10.0.0.9"}`, ""},
		{"unknown", "yes", message(3, "\x35\x01\x63\xff"), `{"type":"<unknown>",` + base + `,"client_ip":"10.0.0.1","dhcp_type":"unknown"}`, ""},
		{"no end", "yes", message(1, "\x00\x35\x01\x01"), `{"type":"request",` + base + `,"client_ip":"10.0.0.1","dhcp_type":"discover"}`, "truncated_options"},
		{"option cut", "yes", message(1, "\x0c\x09ab"), `{"type":"request",` + base + `,"client_ip":"10.0.0.1"}`, "truncated_options"},
		{"bad lengths", "yes", message(1, "\x33\x03abc\x3d\x00\x32\x05abcde\x35\x00\xff"), `{"type":"request",` + base + `,"client_ip":"10.0.0.1","requested_ip":""}`, "malformed_options"},
		{"twice", "yes", message(1, "\x0c\x01a\x0c\x01b\xff"), `{"type":"request",` + base + `,"client_ip":"10.0.0.1","hostname":"b"}`, ""},
	} {
		r := run(t, prototest.Settings{"eve.dhcp.extended": c.extended}, c.in)
		if len(r.Records) != 1 || r.Records[0].JSON != c.want || strings.Join(r.Records[0].Events, " ") != c.events {
			t.Errorf("%s:\n got %v\nwant %s %s", c.name, r.Records, c.want, c.events)
		}
	}
	if r := run(t, nil, message(1, "")[:239]); len(r.Records) != 0 {
		t.Error("a message without cookie is taken")
	}
}

func TestKeywords(t *testing.T) {
	tx := run(t, nil, message(2, full)).Records[0].Tx
	for name, want := range map[string]uint64{"dhcp.leasetime": 9, "dhcp.renewal_time": 4, "dhcp.rebinding_time": 5} {
		f := prototest.Field(dhcp.Protocol(), name)
		if n, ok := f.Uint(nil, tx, proto.ToServer, 0); !ok || n != want {
			t.Errorf("%s: %d, want %d", name, n, want)
		}
		if _, ok := f.Uint(nil, tx, proto.ToClient, 0); ok {
			t.Errorf("%s: there is a value in the other direction", name)
		}
	}
}

func TestProbe(t *testing.T) {
	for h, want := range map[proto.Hint]proto.Match{
		{SrcPort: 68, DstPort: 67}: proto.Yes, {SrcPort: 9, DstPort: 68}: proto.Yes, {SrcPort: 67, DstPort: 1000}: proto.No,
	} {
		if got := dhcp.Protocol().Probe(proto.ToServer, message(1, "\xff"), h); got != want {
			t.Errorf("%v: %v, want %v", h, got, want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(message(2, full))
	tab := prototest.Table(f, prototest.Settings{"eve.dhcp.extended": "yes"}, dhcp.Protocol())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := prototest.NewRunner(tab, proto.Hint{SrcPort: 68, DstPort: 67, UDP: true})
		r.Feed(prototest.Chunk{Data: b}, 0)
		r.Finish()
		for i := range r.Records {
			r.Records[i].Map(t)
		}
	})
}
