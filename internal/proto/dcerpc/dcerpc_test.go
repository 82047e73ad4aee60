package dcerpc_test

import (
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/dcerpc"
	"mirador/internal/proto/prototest"
)

func TestRecords(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []prototest.Chunk
		want []string
	}{
		{"bind and call", []prototest.Chunk{
			c2s(bind(1, ctx(0, 0x22, 3), ctx(1, 0x33, 1))), s2c(bindAck(1, 0, 2)),
			c2s(request(whole, 2, 0, 5, "args")), s2c(response(whole, 2, 0, "result")),
		}, []string{
			`{"request":"BIND","interfaces":[{"uuid":"22222222-2222-2222-2222-222222222222","version":"3.0","ack_result":0},{"uuid":"33333333-3333-3333-3333-333333333333","version":"1.0","ack_result":2}],"response":"BINDACK","call_id":1,"rpc_version":"5.0"} "" ""`,
			`{"request":"REQUEST","req":{"opnum":5,"frag_cnt":1,"stub_data_size":4},"interfaces":[{"uuid":"22222222-2222-2222-2222-222222222222","version":"3.0","ack_result":0}],"response":"RESPONSE","res":{"frag_cnt":1,"stub_data_size":14},"call_id":2,"rpc_version":"5.0"} "args" "\x06\x00\x00\x00\x00\x00\x00\x00result"`,
		}},
		{"fragments", []prototest.Chunk{
			c2s(request(first, 2, 0, 5, "ab") + request(0, 2, 0, 5, "cd") + request(last, 2, 0, 5, "ef")), s2c(response(first, 2, 0, "x")), s2c(response(last, 2, 0, "y")),
		}, []string{
			`{"request":"REQUEST","req":{"opnum":5,"frag_cnt":3,"stub_data_size":6},"response":"RESPONSE","res":{"frag_cnt":2,"stub_data_size":18},"call_id":2,"rpc_version":"5.0"} "abcdef" "\x01\x00\x00\x00\x00\x00\x00\x00x\x01\x00\x00\x00\x00\x00\x00\x00y"`,
		}},
		{"two calls at once", []prototest.Chunk{
			c2s(request(first, 1, 0, 1, "a") + request(first, 2, 0, 2, "b") + request(last, 1, 0, 1, "A") + request(last, 2, 0, 2, "B")), s2c(response(whole, 2, 0, "2") + response(whole, 1, 0, "1")),
		}, []string{
			`{"request":"REQUEST","req":{"opnum":1,"frag_cnt":2,"stub_data_size":2},"response":"RESPONSE","res":{"frag_cnt":1,"stub_data_size":9},"call_id":1,"rpc_version":"5.0"} "aA" "\x01\x00\x00\x00\x00\x00\x00\x001"`,
			`{"request":"REQUEST","req":{"opnum":2,"frag_cnt":2,"stub_data_size":2},"response":"RESPONSE","res":{"frag_cnt":1,"stub_data_size":9},"call_id":2,"rpc_version":"5.0"} "bB" "\x01\x00\x00\x00\x00\x00\x00\x002"`,
		}},
		{"a request lost", []prototest.Chunk{c2s(bind(1, ctx(0, 0x22, 3))), lost(up, 50), s2c(response(whole, 9, 0, "x"))}, []string{
			`{"request":"BIND","interfaces":[{"uuid":"22222222-2222-2222-2222-222222222222","version":"3.0"}],"response":"UNREPLIED","call_id":1,"rpc_version":"5.0"} "" ""`,
			`{"request":"REQUEST_LOST","response":"RESPONSE","res":{"frag_cnt":1,"stub_data_size":9},"call_id":9,"rpc_version":"5.0"} "" "\x01\x00\x00\x00\x00\x00\x00\x00x"`,
		}},
		{"found again behind a gap", []prototest.Chunk{c2s(request(first, 1, 0, 1, "a")), lost(up, 33), c2s("the end\x05\x00\x05" + request(whole, 3, 0, 7, "z"))}, []string{
			`{"request":"REQUEST_LOST","response":"UNREPLIED","call_id":1,"rpc_version":"5.0"} "a" ""`,
			`{"request":"REQUEST","req":{"opnum":7,"frag_cnt":1,"stub_data_size":1},"response":"UNREPLIED","call_id":3,"rpc_version":"5.0"} "z" ""`,
		}},
		{"never answered", []prototest.Chunk{c2s(request(whole, 1, 0, 1, "a"))}, []string{
			`{"request":"REQUEST","req":{"opnum":1,"frag_cnt":1,"stub_data_size":1},"response":"UNREPLIED","call_id":1,"rpc_version":"5.0"} "a" ""`,
		}},
		{"an end inside a fragment", []prototest.Chunk{c2s(request(whole, 1, 0, 1, "a") + request(whole, 2, 0, 1, "abc")[:20])}, []string{
			`{"request":"REQUEST","req":{"opnum":1,"frag_cnt":1,"stub_data_size":1},"response":"UNREPLIED","call_id":1,"rpc_version":"5.0"} "a" ""`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.Join(c.want, "\n") + "\n"
			for _, size := range []int{0, 1, 17} {
				got := records(run(t, size, c.in...))
				if got != want {
					t.Errorf("pieces of %d: got\n%swant\n%s", size, got, want)
				}
			}
		})
	}
}

func TestDatagrams(t *testing.T) {
	r := runWith(t, 0, true, nil,
		c2s(dg(0, 4, 0x44, 1, 9, "ab")), c2s(dg(0, 6, 0x44, 1, 9, "cd")), s2c(dg(2, 0, 0x44, 1, 0, "xy")), c2s(dg(1, 0, 0x44, 1, 0, "ping")), c2s(dg(0, 0, 0x55, 1, 2, "z")))
	want := `{"request":"REQUEST","req":{"opnum":9,"frag_cnt":2,"stub_data_size":4},"response":"RESPONSE","res":{"frag_cnt":1,"stub_data_size":2},"activityuuid":"44444444-4444-4444-4444-444444444444","seqnum":1,"rpc_version":"4.0"} "abcd" "xy"` + "\n" +
		`{"request":"REQUEST","req":{"opnum":2,"frag_cnt":1,"stub_data_size":1},"response":"UNREPLIED","activityuuid":"55555555-5555-5555-5555-555555555555","seqnum":1,"rpc_version":"4.0"} "z" ""` + "\n"
	if got := records(r); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestKeywords(t *testing.T) {
	r := run(t, 0, c2s(bind(1, ctx(0, 0x22, 3), ctx(1, 0x33, 1))), s2c(bindAck(1, 0, 2)),
		c2s(request(whole, 2, 0, 5, "args")), s2c(response(whole, 2, 0, "result")), c2s(request(whole, 3, 1, 6, "args")), s2c(response(whole, 3, 1, "x")))
	p := dcerpc.Protocol()
	for _, c := range []struct {
		keyword, arg string
		match        [3]bool // of the bind and the two calls
	}{
		{"dcerpc.iface", "22222222-2222-2222-2222-222222222222", [3]bool{false, true, false}},
		{"dcerpc.iface", "22222222-2222-2222-2222-222222222222,>2", [3]bool{false, true, false}},
		{"dcerpc.iface", "22222222-2222-2222-2222-222222222222,!3", [3]bool{}},
		{"dcerpc.iface", "22222222-2222-2222-2222-222222222222,<=3,any_frag", [3]bool{false, true, false}},
		{"dcerpc.iface", "33333333-3333-3333-3333-333333333333", [3]bool{}}, // refused
		{"dcerpc.opnum", "5", [3]bool{false, true, false}},
		{"dcerpc.opnum", "1-4,6-9", [3]bool{false, false, true}},
	} {
		m, err := prototest.Field(p, c.keyword).Compile(c.arg)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.match {
			if got := m(r.Conn, r.Records[i].Tx, up); got != want {
				t.Errorf("%s:%s of transaction %d is %v", c.keyword, c.arg, i, got)
			}
		}
	}
	for _, bad := range [][2]string{
		{"dcerpc.iface", "2222"}, {"dcerpc.iface", "22222222-2222-2222-2222-222222222222,x"}, {"dcerpc.iface", "22222222-2222-2222-2222-222222222222,1,2"},
		{"dcerpc.opnum", "5-1"}, {"dcerpc.opnum", "100000"}, {"dcerpc.opnum", ""},
	} {
		if _, err := prototest.Field(p, bad[0]).Compile(bad[1]); err == nil {
			t.Errorf("%s takes %q", bad[0], bad[1])
		}
	}
	stub := prototest.Field(p, "dcerpc.stub_data")
	if b, ok := stub.Get(r.Conn, r.Records[1].Tx, up, 0); !ok || string(b) != "args" {
		t.Errorf("stub data %q, %v", b, ok)
	}
	if _, ok := stub.Get(r.Conn, r.Records[0].Tx, up, 0); ok {
		t.Error("a bind has stub data")
	}
	if !stub.Little(r.Records[1].Tx, up) {
		t.Error("the stub data is not little-endian")
	}
}

func TestProbe(t *testing.T) {
	p := dcerpc.Protocol()
	for _, c := range []struct {
		name string
		dir  proto.Dir
		in   string
		hint proto.Hint
		want proto.Match
	}{
		{"bind", up, bind(1, ctx(0, 1, 1)), proto.Hint{}, proto.Yes},
		{"half a header", up, bind(1, ctx(0, 1, 1))[:9], proto.Hint{}, proto.More},
		{"response from the client, midstream", up, response(whole, 1, 0, "x"), proto.Hint{Midstream: true}, proto.Reversed},
		{"a type that is none", up, pdu(77, whole, 1, ""), proto.Hint{}, proto.No},
		{"longer than said", up, "\x05\x00\x00\x03\x10\x00\x00\x00\x05\x00\x00\x00\x01\x00\x00\x00", proto.Hint{}, proto.No},
		{"text", up, "\x05text", proto.Hint{}, proto.No},
		{"datagram", up, dg(0, 0, 1, 1, 1, "x"), proto.Hint{UDP: true}, proto.Yes},
		{"datagram cut short", up, dg(0, 0, 1, 1, 1, "xyz")[:81], proto.Hint{UDP: true}, proto.No},
	} {
		if got := p.Probe(c.dir, []byte(c.in), c.hint); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// One side alone does not wait for the other.
func TestOneWay(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, nil, dcerpc.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 135, Midstream: true})
	r.Conn.OneSided = true
	for i := range 10 {
		r.Feed(c2s(request(whole, i, 0, 1, "x")), 0)
		if n := len(r.Conn.Txs); n != 0 {
			t.Fatalf("%d calls wait", n)
		}
	}
	if len(r.Records) != 10 {
		t.Errorf("%d records", len(r.Records))
	}
}

// Captures give the same however they are cut.
func TestCaptures(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(prototest.Shared(t, "data", "suricata-verify", "tests", "dcerpc"), "*", "*.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	tab := prototest.Table(t, nil, dcerpc.Protocol())
	for _, file := range files {
		for _, f := range prototest.Flows(t, file) {
			want := records(prototest.RunFlow(tab, f, 0))
			n += strings.Count(want, "\n")
			for _, size := range []int{1, 100} {
				if got := records(prototest.RunFlow(tab, f, size)); got != want {
					t.Errorf("%s in pieces of %d:\n%s\nwhole:\n%s", file, size, got, want)
				}
			}
		}
	}
	if n == 0 {
		t.Error("no records in the captures")
	}
}
