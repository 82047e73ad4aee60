package ssh_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/ssh"
)

const (
	up   = proto.ToServer
	down = proto.ToClient

	clientBanner = "SSH-2.0-client_1 comment\r\n"
	serverBanner = "SSH-2.0-server_1\r\n"
)

type piece struct {
	dir  proto.Dir
	data string
}

// record is a binary packet with four bytes of padding.
func record(payload string) string {
	n := 1 + len(payload) + 4
	return string(binary.BigEndian.AppendUint32(nil, uint32(n))) + "\x04" + payload + "\x00\x00\x00\x00"
}

// kexInit offers lists, of which eight count.
func kexInit(lists ...string) string {
	m := "\x14" + strings.Repeat("c", 16)
	for _, l := range append(lists, "", "") {
		m += string(binary.BigEndian.AppendUint32(nil, uint32(len(l)))) + l
	}
	return record(m + "\x00\x00\x00\x00\x00")
}

var kex = kexInit("k1,k2", "hk", "ec1", "es1", "mc1", "ms1", "none", "none,zlib")

const newKeys = "\x00\x00\x00\x0c\x0a\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func run(tb testing.TB, s prototest.Settings, size int, ps ...piece) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, s, ssh.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 22})
	r.KeepFrames = true
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, size)
	}
	r.Finish()
	return r
}

// The expectations are what Suricata 8.0.7 does with the same bytes.
func TestSessions(t *testing.T) {
	long := "SSH-2.0-" + strings.Repeat("a_", 300) + "\r\n"
	cases := []struct {
		name   string
		in     []piece
		want   string // client and server, "proto software hassh"
		events string
	}{
		{"full", []piece{{down, serverBanner}, {up, clientBanner}, {up, kex}, {down, kex}, {up, newKeys}, {down, newKeys}, {up, "\x00\x00\x00\x00garbage"}},
			"[2.0 client_1 cc2f5b99336e83a666485e8959aea262] [2.0 server_1 87afc4140176612761f4a20346b2051f]", ""},
		{"server only", []piece{{down, serverBanner}}, "[] [2.0 server_1]", ""},
		{"line feed only", []piece{{down, "SSH-2.0-srv_a\n"}, {up, "SSH-2.0-cli_a\n"}, {up, kex}},
			"[2.0 cli_a cc2f5b99336e83a666485e8959aea262] [2.0 srv_a]", ""},
		{"carriage return inside", []piece{{down, "SSH-2.0-srv_a\rfoo\n"}, {up, clientBanner}}, "[2.0 client_1] [2.0 srv_a]", ""},
		{"version 1.99", []piece{{down, "SSH-1.99-x\r\n"}, {up, clientBanner}}, "[2.0 client_1] [1.99 x]", ""},
		{"no software", []piece{{down, "SSH-2.0\r\n"}, {up, clientBanner}}, "[] []", "invalid_banner"},
		{"not ended", []piece{{up, clientBanner[:20]}}, "[] []", ""},
		{"long banner", []piece{{down, long}, {up, clientBanner}},
			"[2.0 client_1] [2.0 " + strings.Repeat("a_", 128) + "[truncated 344 additional bytes]]", "long_banner"},
		{"256 bytes", []piece{{down, "SSH-2.0-" + strings.Repeat("a_", 123) + "\r\n"}, {up, clientBanner}},
			"[2.0 client_1] [2.0 " + strings.Repeat("a_", 123) + "]", ""},
		{"record length 0", []piece{{down, serverBanner}, {up, clientBanner}, {up, "\x00\x00\x00\x00\x00\x14"}, {up, kex}},
			"[2.0 client_1] [2.0 server_1]", "invalid_record"},
		{"key exchange too long", []piece{{down, serverBanner}, {up, clientBanner}, {up, "\x00\x01\x00\x00\x00\x14"}},
			"[2.0 client_1] [2.0 server_1]", "long_kex_record"},
		{"key exchange cut", []piece{{down, serverBanner}, {up, clientBanner}, {up, record("\x14" + strings.Repeat("c", 16) + "\x00\x00\x01\x00abc")}},
			"[2.0 client_1] [2.0 server_1]", ""},
		{"other message first", []piece{{down, serverBanner}, {up, clientBanner}, {up, record("\xc8abc")}, {up, kex}},
			"[2.0 client_1 cc2f5b99336e83a666485e8959aea262] [2.0 server_1]", ""},
	}
	for _, c := range cases {
		for _, size := range []int{0, 1, 5} {
			r := run(t, prototest.Settings{"hassh": "yes"}, size, c.in...)
			if len(r.Records) != 1 {
				t.Fatalf("%s: %d records", c.name, len(r.Records))
			}
			m := r.Records[0].Map(t)
			got := ""
			for _, k := range []string{"client", "server"} {
				s, _ := m[k].(map[string]any)
				var part []string
				for _, f := range []string{"proto_version", "software_version"} {
					if v, ok := s[f]; ok {
						part = append(part, fmt.Sprint(v))
					}
				}
				if h, ok := s["hassh"].(map[string]any); ok {
					part = append(part, fmt.Sprint(h["hash"]))
				}
				got += fmt.Sprint(part, " ")
			}
			if strings.TrimSpace(got) != c.want || strings.Join(r.Records[0].Events, " ") != c.events {
				t.Errorf("%s, pieces of %d:\n got %s %q\nwant %s %q", c.name, size, got, r.Records[0].Events, c.want, c.events)
			}
		}
	}
}

// TestLogTime checks that a session waits for its key exchange only when
// fingerprints are wanted.
func TestLogTime(t *testing.T) {
	for _, c := range []struct {
		hassh, want string
	}{{"no", "false"}, {"yes", "true"}, {"auto", "false"}} {
		r := run(t, prototest.Settings{"hassh": c.hassh}, 0, piece{down, serverBanner}, piece{up, clientBanner}, piece{up, kex})
		client, _ := r.Records[0].Map(t)["client"].(map[string]any)
		if _, ok := client["hassh"]; fmt.Sprint(ok) != c.want {
			t.Errorf("hassh: %s: fingerprint logged %v", c.hassh, ok)
		}
	}
}

func TestBuffers(t *testing.T) {
	p := ssh.Protocol()
	r := prototest.NewRunner(prototest.Table(t, nil, p), proto.Hint{DstPort: 22})
	var tx proto.Tx
	r.OnTx = func(_ *proto.Conn, x proto.Tx, _ proto.Dir) { tx = x }
	for _, in := range []piece{{down, serverBanner}, {up, clientBanner}, {up, kex}, {down, kex}} {
		r.Feed(prototest.Chunk{Dir: in.dir, Data: []byte(in.data)}, 0)
	}
	for _, c := range []struct {
		name string
		dir  proto.Dir
		want string
	}{
		{"ssh.proto", up, "2.0"}, {"ssh_software", up, "client_1"}, {"ssh.software", down, "server_1"},
		{"ssh.hassh", up, "cc2f5b99336e83a666485e8959aea262"}, {"ssh.hassh.string", up, "k1,k2;ec1;mc1;none"},
		{"ssh.hassh.server", down, "87afc4140176612761f4a20346b2051f"}, {"ssh.hassh.server.string", down, "k1,k2;es1;ms1;none,zlib"},
	} {
		if b, _ := prototest.Field(p, c.name).Get(nil, tx, c.dir, 0); string(b) != c.want {
			t.Errorf("%s %d: %q, want %q", c.name, c.dir, b, c.want)
		}
	}
	if v := prototest.Field(p, "ssh.hassh").Validate; v([]byte("abc"), false) == nil || v([]byte("cc2f5b99336e83a666485e8959aea262"), false) != nil {
		t.Error("ssh.hassh takes a part of a hash or refuses a whole one")
	}
}

func TestFrames(t *testing.T) {
	r := run(t, nil, 0, piece{down, serverBanner}, piece{up, clientBanner}, piece{up, kex + newKeys})
	var got []string
	for _, f := range r.Frames {
		got = append(got, fmt.Sprint(f.Type, " ", f.Offset, " ", f.Len))
	}
	at, n := len(clientBanner), len(kex)
	want := []string{"stream 0 -1", "stream 0 -1",
		fmt.Sprint("record.hdr ", at, " 6"), fmt.Sprint("record.data ", at+6, " ", n-6), fmt.Sprint("record.pdu ", at, " ", n),
		fmt.Sprint("record.hdr ", at+n, " 6"), fmt.Sprint("record.data ", at+n+6, " 10"), fmt.Sprint("record.pdu ", at+n, " 16"),
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("frames\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestGap checks that bytes lost inside a record that is skipped do no harm.
func TestGap(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, prototest.Settings{"hassh": "yes"}, ssh.Protocol()), proto.Hint{DstPort: 22})
	other := record("\xc8" + strings.Repeat("x", 1000))
	r.Feed(prototest.Chunk{Dir: up, Data: []byte(clientBanner + other[:100])}, 0)
	r.Feed(prototest.Chunk{Dir: up, Gap: 800}, 0)
	r.Feed(prototest.Chunk{Dir: up, Data: []byte(other[900:] + kex)}, 0)
	r.Finish()
	if c, _ := r.Records[0].Map(t)["client"].(map[string]any); c["hassh"] == nil {
		t.Errorf("no fingerprint behind the gap: %s", r.Records[0].JSON)
	}
}

func TestProbe(t *testing.T) {
	for in, want := range map[string]proto.Match{
		"S": proto.More, "SSH": proto.More, "SSH-": proto.Yes, "SSH-2.0-x\r\n": proto.Yes, "SSH_2.0": proto.No, "SMB": proto.No,
	} {
		if got := ssh.Protocol().Probe(up, []byte(in), proto.Hint{}); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

// FuzzStream checks that any bytes of both sides give valid JSON, and the same
// whether they come at once or in pieces.
func FuzzStream(f *testing.F) {
	f.Add([]byte(clientBanner+kex+newKeys), []byte(serverBanner+kex+newKeys), uint8(3))
	f.Add([]byte("SSH-2.0-"+strings.Repeat("x", 2100)+"\r\n"+kex), []byte("SSH-1.99-y\n\x00\x00\x00\x00\x00\x14"), uint8(50))
	tab := prototest.Table(f, prototest.Settings{"hassh": "yes"}, ssh.Protocol())
	f.Fuzz(func(t *testing.T, a, b []byte, size uint8) {
		if len(a) > 1<<14 || len(b) > 1<<14 || !strings.HasPrefix(string(a), "SSH-") || !strings.HasPrefix(string(b), "SSH-") {
			t.Skip()
		}
		run := func(size int) string {
			r := prototest.NewRunner(tab, proto.Hint{SrcPort: 4000, DstPort: 22})
			r.Feed(prototest.Chunk{Dir: up, Data: a}, size)
			r.Feed(prototest.Chunk{Dir: down, Data: b}, size)
			r.Finish()
			out := ""
			for i := range r.Records {
				r.Records[i].Map(t)
				out += r.Records[i].JSON + strings.Join(r.Records[i].Events, " ")
			}
			return out
		}
		if whole, cut := run(0), run(int(size)+1); whole != cut {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}
