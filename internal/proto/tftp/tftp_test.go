package tftp_test

import (
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/tftp"
)

// The expectations are what Suricata 8.0.7 does with the same bytes.
func TestRequests(t *testing.T) {
	for _, c := range []struct {
		dir      proto.Dir
		in, want string
	}{
		{proto.ToServer, "\x00\x01f.txt\x00OCTET\x00", `{"packet":"read","file":"f.txt","mode":"octet"}`},
		{proto.ToServer, "\x00\x02f\x00netascii\x00tsize\x000\x00", `{"packet":"write","file":"f","mode":"netascii"}`},
		{proto.ToServer, "\x00\x03f\x00mail\x00", `{"packet":"error","file":"f","mode":"mail"}`},
		{proto.ToServer, "\x00\x01\x00octet\x00", `{"packet":"read","file":"","mode":"octet"}`},
		{proto.ToServer, "\x00\x06f\x00octet\x00", ""}, {proto.ToServer, "\x00\x01f\x00octetx\x00", ""},
		{proto.ToServer, "\x00\x01f\x00octet", ""}, {proto.ToServer, "\x00\x01file", ""}, {proto.ToServer, "\x00\x01\xff\x00octet\x00", ""},
		{proto.ToClient, "\x00\x03f\x00octet\x00", ""}, {proto.ToServer, "\x00\x01", ""},
	} {
		r := prototest.NewRunner(prototest.Table(t, nil, tftp.Protocol()), proto.Hint{SrcPort: 1000, DstPort: 69, UDP: true})
		r.Feed(prototest.Chunk{Dir: c.dir, Data: []byte(c.in)}, 0)
		r.Finish()
		got := ""
		for _, x := range r.Records {
			got += x.JSON
		}
		if got != c.want {
			t.Errorf("%q: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		in   string
		port uint16
		want proto.Match
	}{{"\x00\x01f\x00octet\x00", 69, proto.Yes}, {"\x00\x01f\x00octet\x00", 70, proto.No}, {"\x01\x01f\x00octet\x00", 69, proto.No}, {"\x00\x01", 69, proto.No}} {
		if got := tftp.Protocol().Probe(proto.ToServer, []byte(c.in), proto.Hint{DstPort: c.port}); got != c.want {
			t.Errorf("%q to %d: %v, want %v", c.in, c.port, got, c.want)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("\x00\x01f.txt\x00octet\x00"))
	tab := prototest.Table(f, nil, tftp.Protocol())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := prototest.NewRunner(tab, proto.Hint{SrcPort: 1000, DstPort: 69, UDP: true})
		r.Feed(prototest.Chunk{Data: b}, 0)
		r.Finish()
		for i := range r.Records {
			r.Records[i].Map(t)
		}
	})
}
