package http_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"mirador/internal/proto"
)

// seeds are flows of all kinds, as what the client and what the server sent; parts
// of a direction that the other one answered are separated by \xff.
var seeds = [][2]string{
	{get, ok0},
	{get + "\xff" + get, ok0 + "\xff" + ok0},
	{"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n\xffhello", "HTTP/1.1 100 Continue\r\n\r\n\xff" + ok0},
	{"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x\r\nabcd\r\n0\r\n\r\n"},
	{"POST /u HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 75\r\n\r\n--b\r\nContent-Disposition: form-data; filename=\"f\"\r\n\r\nxyz\r\n--b--\r\n.......", ok0},
	{"GET /old\r\n", "<html>"},
	{"GET /a b\tc HTTP/1.1 \r\nA : b\r\n c\r\nA: d\r\nnone\r\n\r\n", "HTTP/1.1 abc\r\nA: b\r\r\n\n c: d\r\n\r\nrest"},
	{"CONNECT h:1 HTTP/1.1\r\n\r\n\xffdata" + get, "HTTP/1.1 200 OK\r\n\r\n\xffdata"},
	{get, "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\nxx"},
	{"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + get, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n"},
	{get, "HTTP/1.1 206 P\r\nContent-Range: bytes 0-2/6\r\nContent-Length: 3\r\n\r\nabc"},
	{get, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzipped("some text")},
	{get, "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: 30\r\n\r\n" + deflated("some text")},
	{get, "junk\r\nmore\r\nHTTP/1.1 200 OK\r\n\r\n"},
	{"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"\r\n\r\n" + get + "junk behind\n" + get, ok0 + "junk\n" + ok0},
}

// conversation mixes what the two sides sent.
func conversation(client, server string) []part {
	var list []part
	qs, as := strings.Split(client, "\xff"), strings.Split(server, "\xff")
	for i := 0; i < max(len(qs), len(as)); i++ {
		if i < len(qs) && qs[i] != "" {
			list = append(list, q(qs[i]))
		}
		if i < len(as) && as[i] != "" {
			list = append(list, a(as[i]))
		}
	}
	return list
}

// check looks for what must hold whatever came.
func check(t *testing.T, s []seen) {
	t.Helper()
	for _, x := range s {
		if x.json != "" && !json.Valid([]byte(x.json)) {
			t.Fatalf("not JSON: %s", x.json)
		}
		for _, f := range x.files {
			// The sensor closes what a flow leaves behind that was given up.
			if strings.Contains(f, " open ") && !x.broken {
				t.Fatalf("file left open: %s", f)
			}
		}
	}
}

// loose tells whether there was something between messages. As with Suricata, it is
// taken for more of the message before when it comes in one piece with its end, and
// for a message of its own otherwise.
func loose(s []seen) bool {
	for _, x := range s {
		for _, e := range []string{"BODY_UNEXPECTED", "UNABLE_TO_MATCH", "UNKNOWN_METHOD", "LINE_INCOMPLETE"} {
			if strings.Contains(x.events, e) {
				return true
			}
		}
	}
	return false
}

// FuzzCuts checks that a flow means the same however its segments are cut.
func FuzzCuts(f *testing.F) {
	for i, s := range seeds {
		f.Add([]byte(s[0]), []byte(s[1]), uint64(i))
	}
	f.Fuzz(func(t *testing.T, client, server []byte, seed uint64) {
		if len(client)+len(server) > 1<<13 {
			t.Skip()
		}
		for _, s := range strings.Split(string(server), "\xff") {
			if s != "" && !strings.HasPrefix(s, "HTTP") {
				t.Skip() // loose from the start
			}
		}
		// The protocol is found in an ordinary exchange: how probing ends is not a
		// matter of this parser.
		flow := append(parts(q(get), a(ok0)), conversation(string(client), string(server))...)
		rnd := rand.New(rand.NewPCG(seed, 1))
		tab, row := table(t, whole(nil)) // parts of files are remembered
		one := follow(t, tab, row, flow, uncut)
		check(t, one)
		tab, row = table(t, whole(nil))
		two := follow(t, tab, row, flow, func(s string) (out []string) {
			for len(s) > 0 {
				n := 1 + rnd.IntN(len(s))
				if rnd.IntN(2) == 0 {
					n = min(n, 1+rnd.IntN(8))
				}
				out, s = append(out, s[:n]), s[n:]
			}
			return out
		})
		if loose(one) || loose(two) {
			t.Skip()
		}
		if !reflect.DeepEqual(one, two) {
			t.Fatalf("%s\nwhole: %s\ncut:   %s", fmt.Sprintf("%+v", flow), brief(one), brief(two))
		}
	})
}

func brief(s []seen) string {
	var b strings.Builder
	for _, x := range s {
		fmt.Fprintf(&b, "\n  %s %q %q %q", x.json, x.events, x.files, x.buf)
	}
	return b.String()
}

// FuzzLost checks that gaps anywhere do no harm.
func FuzzLost(f *testing.F) {
	for i, s := range seeds {
		f.Add([]byte(s[0]), []byte(s[1]), uint64(i))
	}
	tab, row := table(f, nil)
	f.Fuzz(func(t *testing.T, client, server []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var flow []part
		for _, p := range conversation(string(client), string(server)) {
			for len(p.data) > 0 {
				n := 1 + rnd.IntN(len(p.data))
				if rnd.IntN(3) == 0 {
					flow = append(flow, lost(p.dir, 1+rnd.IntN(2*n)))
				} else {
					flow = append(flow, part{p.dir, p.data[:n], 0})
				}
				p.data = p.data[n:]
			}
		}
		check(t, follow(t, tab, row, flow, uncut))
	})
}

// FuzzURI checks that a target of any bytes neither grows nor hides.
func FuzzURI(f *testing.F) {
	for _, s := range []string{"/a/../%2e%2e/b?c=%u0041#d", "http://u:p@[::1]:80/x", "//x\\y/%c0%af", "%", "/%u", "a:b"} {
		f.Add([]byte(s), uint8(0))
	}
	names := []string{"IDS", "Minimal", "Generic", "IIS_7_0", "Apache_2"}
	type both struct {
		tab *proto.Table
		row *proto.Protocol
	}
	var all []both
	for _, n := range names {
		tab, row := table(f, set("personality", n, "double-decode-path", "yes", "uri-include-all", "yes"))
		all = append(all, both{tab, row})
	}
	f.Fuzz(func(t *testing.T, target []byte, kind uint8) {
		x := all[int(kind)%len(all)]
		s := follow(t, x.tab, x.row, parts(q("GET "+string(target)+" HTTP/1.1\r\nHost: h\r\n\r\n"), a(ok0)), uncut)
		check(t, s)
		for _, one := range s {
			if len(one.buf["http.uri>"]) > len(one.buf["http.uri.raw>"])+8 {
				t.Fatalf("%q became %q", one.buf["http.uri.raw>"], one.buf["http.uri>"])
			}
		}
	})
}
