package bittorrentdht_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/bittorrentdht"
	"mirador/internal/proto/prototest"
)

const id = "20:abcdefghij0123456789"

// The expectations are what Suricata 8.0.7 does with the same bytes.
func TestMessages(t *testing.T) {
	const idHex = `"id":"6162636465666768696a30313233343536373839"`
	for _, c := range []struct{ in, want string }{
		{"d1:ad2:id" + id + "e1:q4:ping1:t2:aa1:y1:qe", `{"transaction_id":"6161","request_type":"ping","request":{` + idHex + `}}`},
		{"d1:ad2:id" + id + "12:implied_porti1e4:porti6881e5:token2:xye1:q13:announce_peer1:t2:aa1:v2:UT1:y1:qe",
			`{"transaction_id":"6161","client_version":"5554","request_type":"announce_peer","request":{` + idHex + `,"token":"7879","implied_port":1,"port":6881}}`},
		{"d1:rd2:id" + id + "5:token2:xy6:valuesl6:axje.uee1:t2:aa1:y1:re",
			`{"transaction_id":"6161","response":{` + idHex + `,"values":[{"ip":"97.120.106.101","port":11893}],"token":"7879"}}`},
		{"d1:eli203e3:Bade1:t2:aa1:y1:ee", `{"transaction_id":"6161","error":{"num":203,"msg":"Bad"}}`},
		{"d1:ad2:id" + id + "e1:q4:ping1:y1:qe", `{"transaction_id":"","request_type":"ping","request":{` + idHex + `}} malformed_packet`},
		{"d1:ad2:id" + id, `{"transaction_id":"","request":{` + idHex + `}} malformed_packet`},
		{"d1:ad2:id20:" + strings.Repeat("l", 100), `{"transaction_id":"","request":{"id":"` + strings.Repeat("6c", 20) + `"}} malformed_packet`},
		{"d1:ad1:x" + strings.Repeat("l", 100), ""},
	} {
		r := prototest.NewRunner(prototest.Table(t, nil, bittorrentdht.Protocol()), proto.Hint{SrcPort: 6881, DstPort: 6881, UDP: true})
		r.Feed(prototest.Chunk{Data: []byte(c.in)}, 0)
		r.Finish()
		got := ""
		for _, x := range r.Records {
			got += x.JSON
			for _, e := range x.Events {
				got += " " + e
			}
		}
		if got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte("d1:rd2:id" + id + "5:nodes26:" + strings.Repeat("n", 26) + "6:valuesl6:axje.uee1:t2:aa1:y1:re"))
	f.Add([]byte("d1:eli203e3:Bade1:t2:aa1:y1:ee"))
	tab := prototest.Table(f, nil, bittorrentdht.Protocol())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := prototest.NewRunner(tab, proto.Hint{SrcPort: 6881, DstPort: 6881, UDP: true})
		r.Feed(prototest.Chunk{Data: b}, 0)
		r.Finish()
		for i := range r.Records {
			r.Records[i].Map(t)
		}
	})
}
