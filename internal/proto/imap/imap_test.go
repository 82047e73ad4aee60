package imap_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/imap"
	"mirador/internal/proto/prototest"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

func TestProbe(t *testing.T) {
	p := imap.Protocol()
	for _, c := range []struct {
		dir  proto.Dir
		in   string
		want proto.Match
	}{
		{down, "*", proto.More}, {down, "* OK", proto.More}, {down, "* OK [CAPABILITY IMAP4rev1] hi\r\n", proto.Yes}, {down, "* ok hi", proto.Yes}, {down, "* NO busy", proto.Yes},
		{down, "* OKAY", proto.No}, {down, "* PREAUTH hi", proto.No}, {down, "+OK hi", proto.No}, {down, "220 hi", proto.No}, {down, "** OK ", proto.No},
		{up, "a001 CAPABILITY\r\n", proto.Yes}, {up, "1 capability\r\n", proto.Yes}, {up, ". CAPABILITY x", proto.Yes}, {up, "a001", proto.More}, {up, "a001 CAPA", proto.More},
		{up, "a001 CAPABILITY", proto.More}, {up, "a001 CAPABILITYX", proto.No}, {up, "a001 LOGIN a b\r\n", proto.No}, {up, strings.Repeat("a", 17), proto.No},
		{up, " CAPABILITY\r\n", proto.No}, {up, "a\x00 CAPABILITY\r\n", proto.No}, {up, "GET / HTTP/1.1\r\n", proto.No}, {up, "\x16\x03\x01", proto.No},
	} {
		if got := p.Probe(c.dir, []byte(c.in), proto.Hint{}); got != c.want {
			t.Errorf("%v %q: %v, want %v", c.dir, c.in, got, c.want)
		}
	}
}

// TestFlows checks that a flow is known by what either side says, and that there is
// nothing to tell of a side that says something else: it is not parsed.
func TestFlows(t *testing.T) {
	type piece = prototest.Chunk
	for _, c := range []struct {
		name string
		in   []piece
		want string
	}{
		{"both", []piece{{Dir: down, Data: []byte("* OK ready\r\n")}, {Dir: up, Data: []byte("a CAPABILITY\r\n")}}, "imap"},
		{"server", []piece{{Dir: down, Data: []byte("* OK ready\r\n")}, {Dir: up, Data: []byte("a1 LOGIN somebody secret\r\n")}}, "imap"},
		{"client", []piece{{Dir: up, Data: []byte("a CAPABILITY\r\n")}, {Dir: down, Data: []byte("* CAPABILITY IMAP4rev1\r\n")}}, "imap"},
		{"neither", []piece{{Dir: down, Data: []byte("* PREAUTH ready to serve\r\n")}, {Dir: up, Data: []byte("a1 LOGIN somebody secret\r\n")}}, "failed"},
	} {
		for _, size := range []int{0, 1} {
			r := prototest.NewRunner(prototest.Table(t, nil, imap.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 143})
			for _, p := range c.in {
				r.Feed(p, size)
			}
			r.Finish()
			if got := r.Conn.Table.Name(r.Conn.App); got != c.want || len(r.Conn.Events) > 0 || len(r.Records) > 0 {
				t.Errorf("%s, pieces of %d: %q, events %v, %d records", c.name, size, got, r.Conn.Events, len(r.Records))
			}
		}
	}
}

// FuzzProbe checks that a probe does not change its mind: what it says of some bytes it
// says of more, too.
func FuzzProbe(f *testing.F) {
	f.Add("* OK hi\r\n", uint8(3), true)
	f.Add("a001 CAPABILITY\r\n", uint8(6), false)
	p := imap.Protocol()
	f.Fuzz(func(t *testing.T, s string, n uint8, server bool) {
		dir := up
		if server {
			dir = down
		}
		early, late := p.Probe(dir, []byte(s[:min(int(n), len(s))]), proto.Hint{}), p.Probe(dir, []byte(s), proto.Hint{})
		if early != proto.More && early != late {
			t.Errorf("%q: %v of %d bytes, %v of all", s, early, n, late)
		}
	})
}
