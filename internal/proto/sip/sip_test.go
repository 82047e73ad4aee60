package sip_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/sip"
)

const (
	up   = proto.ToServer
	down = proto.ToClient

	sdp = "v=0\r\no=jdoe 1 2 IN IP4 10.47.16.5\r\ns=Name\r\ni=Info\r\nu=http://u/\r\ne=e@x\r\np=+1\r\nc=IN IP4 224.2.17.12/127\r\nb=CT:128\r\n" +
		"t=1 2\r\nr=7d 1h 0 25h\r\nz=1 -1h\r\nk=prompt\r\na=recvonly\r\na=tool:x\r\nm=audio 49170 RTP/AVP 0\r\ni=Title\r\nc=IN IP4 1.2.3.4\r\nb=AS:1\r\nk=clear:a\r\na=x\r\nm=video 1/2 RTP/AVP 9\r\n"
)

func invite(body string) string {
	return fmt.Sprintf("INVITE sip:bob@b SIP/2.0\r\nv: one\r\nVia: two\r\nFrom: <sip:a>\r\nt: bob\r\nUser-Agent: ua\r\nSubject: folded\r\n line\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

const answer = "SIP/2.0 200 OK then\r\nVia: one\r\n\r\n"

type piece struct {
	dir  proto.Dir
	data string
}

func run(tb testing.TB, udp bool, size int, ps ...piece) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, nil, sip.Protocol()), proto.Hint{SrcPort: 5060, DstPort: 5060, UDP: udp})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, size)
	}
	r.Finish()
	return r
}

func records(tb testing.TB, r *prototest.Runner) (out string) {
	for i := range r.Records {
		r.Records[i].Map(tb)
		out += fmt.Sprint(r.Records[i].Dir, r.Records[i].JSON, strings.Join(r.Records[i].Events, ","), "\n")
	}
	return out
}

const sdpJSON = `"sdp":{"origin":"jdoe 1 2 IN IP4 10.47.16.5","session_name":"Name","session_info":"Info","uri":"http:\/\/u\/","email":"e@x","phone_number":"+1","connection_data":"IN IP4 224.2.17.12\/127","bandwidths":["CT:128"],` +
	`"time_descriptions":[{"time":"1 2","repeat_time":"7d 1h 0 25h"}],"timezone":"1 -1h","encryption_key":"prompt","attributes":["recvonly","tool:x"],` +
	`"media_descriptions":[{"media":"audio 49170 RTP\/AVP 0","media_info":"Title","bandwidths":["AS:1"],"connection_data":"IN IP4 1.2.3.4","encryption_key":"clear:a","attributes":["x"]},{"media":"video 1\/2 RTP\/AVP 9"}]}`

// The expectations are what Suricata 8.0.7 does with the same datagrams.
func TestMessages(t *testing.T) {
	for _, c := range []struct {
		name string
		dir  proto.Dir
		in   string
		want string
	}{
		{"request", up, invite(sdp), `{"method":"INVITE","uri":"sip:bob@b","version":"SIP/2.0",` + sdpJSON + `,"request_line":"INVITE sip:bob@b SIP/2.0"}`},
		{"response", down, answer, `{"version":"SIP/2.0","code":"200","reason":"OK then","response_line":"SIP/2.0 200 OK then"}`},
		{"SDP without time", up, invite("v=0\r\no=jdoe 1 2 IN IP4 10.47.16.5\r\ns=S\r\n"), `{"method":"INVITE","uri":"sip:bob@b","version":"SIP/2.0","request_line":"INVITE sip:bob@b SIP/2.0"}`},
		{"SDP out of order", up, invite("v=0\r\no=jdoe 1 2 IN IP4 10.47.16.5\r\ns=S\r\nt=0 0\r\na=x\r\nk=prompt\r\n"),
			`{"method":"INVITE","uri":"sip:bob@b","version":"SIP/2.0","sdp":{"origin":"jdoe 1 2 IN IP4 10.47.16.5","session_name":"S","time_descriptions":[{"time":"0 0"}],"attributes":["x"]},"request_line":"INVITE sip:bob@b SIP/2.0"}`},
		{"no empty line", up, "BYE sip:b SIP/2.0\r\nVia: x\r\n", ""},
		{"line feeds only", up, "BYE sip:b SIP/2.0\nVia: x\n\n", ""},
		{"line without colon", up, "BYE sip:b SIP/2.0\r\nVia\r\n\r\n", ""},
	} {
		for _, udp := range []bool{true, false} {
			got := records(t, run(t, udp, 0, piece{c.dir, c.in}))
			got = strings.ReplaceAll(strings.TrimRight(got, "\n"), `\/`, "/")
			want := strings.ReplaceAll(c.want, `\/`, "/")
			if want != "" {
				want = fmt.Sprint(c.dir) + want
			}
			if got != want {
				t.Errorf("%s, UDP %v:\n got %s\nwant %s", c.name, udp, got, want)
			}
		}
	}
}

func TestTCP(t *testing.T) {
	in := "\r\n\r\n" + invite(sdp) + "REGISTER sip:x SIP/2.0\r\nContent-Length: 3\r\n\r\nabcBYE sip:y SIP/2.0\r\nVia: x\r\n\r\nfoo bar\r\n\r\nBYE sip:z SIP/2.0\r\n\r\n"
	for _, size := range []int{0, 1, 3, 100} {
		got := records(t, run(t, false, size, piece{up, in}, piece{down, answer}))
		if strings.Count(got, `"method"`) != 3 || !strings.Contains(got, `"BYE"`) || !strings.Contains(got, "invalid_data") || !strings.Contains(got, "Title") {
			t.Errorf("pieces of %d:\n%s", size, got)
		}
	}
	long := "REGISTER sip:x SIP/2.0\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000) + "BYE sip:y SIP/2.0\r\n\r\n"
	if got := records(t, run(t, false, 1000, piece{up, long})); !strings.Contains(got, `"BYE"`) {
		t.Errorf("nothing behind a long body: %s", got)
	}
}

func TestFields(t *testing.T) {
	p := sip.Protocol()
	r := prototest.NewRunner(prototest.Table(t, nil, p), proto.Hint{DstPort: 5060, UDP: true})
	var tx proto.Tx
	r.OnTx = func(_ *proto.Conn, x proto.Tx, _ proto.Dir) { tx = x }
	r.Feed(prototest.Chunk{Dir: up, Data: []byte(invite(sdp))}, 0)
	for _, c := range []struct {
		name string
		i    int
		want string
	}{
		{"sip.method", 0, "INVITE"}, {"sip.uri", 0, "sip:bob@b"}, {"sip.protocol", 0, "SIP/2.0"}, {"sip.request_line", 0, "INVITE sip:bob@b SIP/2.0"},
		{"sip.via", 0, "one"}, {"sip.via", 1, "two"}, {"sip.via", 2, ""}, {"sip.to", 0, "bob"}, {"sip.from", 0, "<sip:a>"}, {"sip.user_agent", 0, "ua"},
		{"sip.content_type", 0, "application/sdp"}, {"sip.content_length", 0, fmt.Sprint(len(sdp))}, {"sip.stat_code", 0, ""},
		{"sdp.origin", 0, "jdoe 1 2 IN IP4 10.47.16.5"}, {"sdp.session_name", 0, "Name"}, {"sdp.session_info", 0, "Info"}, {"sdp.uri", 0, "http://u/"},
		{"sdp.email", 0, "e@x"}, {"sdp.phone_number", 0, "+1"}, {"sdp.connection_data", 0, "IN IP4 224.2.17.12/127"}, {"sdp.bandwidth", 0, "CT:128"},
		{"sdp.time", 0, "1 2"}, {"sdp.repeat_time", 0, "7d 1h 0 25h"}, {"sdp.timezone", 0, "1 -1h"}, {"sdp.encryption_key", 0, "prompt"},
		{"sdp.attribute", 1, "tool:x"}, {"sdp.media.media", 1, "video 1/2 RTP/AVP 9"}, {"sdp.media.media_info", 0, "Title"},
		{"sdp.media.connection_data", 0, "IN IP4 1.2.3.4"}, {"sdp.media.encryption_key", 0, "clear:a"}, {"sdp.media.encryption_key", 1, ""},
	} {
		if b, _ := prototest.Field(p, c.name).Get(nil, tx, up, c.i); string(b) != c.want {
			t.Errorf("%s %d: %q, want %q", c.name, c.i, b, c.want)
		}
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		dir  proto.Dir
		in   string
		udp  bool
		want proto.Match
	}{
		{up, "INVITE sip:x SIP/2.0\r\n", true, proto.Yes}, {up, "INV", false, proto.More}, {up, "INV", true, proto.No}, {up, "OPTIONS / HTTP/1.1\r\n", false, proto.No},
		{up, "OPTIONS rtsp://x RTSP/1.0\r\n", false, proto.No}, {up, "FOOBAR sip:x SIP/2.0\r\n", true, proto.No}, {down, "SIP/2.0 200 OK\r\n", false, proto.Yes}, {up, "SIP/2.0 200 OK\r\n", false, proto.No},
	} {
		if got := sip.Protocol().Probe(c.dir, []byte(c.in), proto.Hint{UDP: c.udp}); got != c.want {
			t.Errorf("%q: %v, want %v", c.in, got, c.want)
		}
	}
}

// FuzzStream checks that any bytes of both sides give valid JSON, and the same
// whether they come at once or in pieces.
func FuzzStream(f *testing.F) {
	f.Add([]byte(invite(sdp)+"BYE sip:y SIP/2.0\r\nVia: x\r\n\r\n"), []byte(answer+answer), uint8(3))
	f.Add([]byte("OPTIONS sip:y SIP/2.0\r\nl: 5\r\n\r\nhello\r\n"), []byte("SIP/2.0 404 Not found\r\nc : application/sdp\r\n\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, a, b []byte, size uint8) {
		if len(a)+len(b) > 1<<14 {
			t.Skip()
		}
		records(t, run(t, true, 0, piece{up, string(a)}, piece{down, string(b)}))
		one := func(size int) string {
			return records(t, run(t, false, size, piece{up, "BYE sip:y SIP/2.0\r\n\r\n"}, piece{down, answer}, piece{up, string(a)}, piece{down, string(b)}))
		}
		if whole, cut := one(0), one(int(size)+1); whole != cut {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}
