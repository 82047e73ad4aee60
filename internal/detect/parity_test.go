package detect_test

import (
	"testing"

	"mirador/internal/detect"
	"mirador/internal/proto"
)

// Rules that Suricata 8.0.7 refuses: each is refused here, too.
func TestRefusedAsByThePeer(t *testing.T) {
	for _, r := range []string{
		// Numbers without comparisons.
		`alert tcp any any -> any any (tcp.seq:>5; sid:1;)`, `alert tcp any any -> any any (tcp.ack:1-5; sid:1;)`,
		`alert tcp any any -> any any (tcp.window:>5; sid:1;)`, `alert ip any any -> any any (tos:0x10; sid:1;)`,
		`alert ip any any -> any any (id:"5"; sid:1;)`, `alert ip any any -> any any (fragoffset:!5; sid:1;)`,
		`alert icmp any any -> any any (icmp_id:"5"; sid:1;)`, `alert tcp any any -> any any (flags:s; sid:1;)`,
		`alert tcp any any -> any any (flags:S,; sid:1;)`, `alert tcp any any -> any any (flags:=S; sid:1;)`,
		`alert ip any any -> any any (fragbits:m; sid:1;)`, `alert dns any any -> any any (dns.opcode:5,any; sid:1;)`,
		`alert dns any any -> any any (dns.rrtype:16,or_absent; sid:1;)`,
		// ip_proto.
		`alert tcp any any -> any any (ip_proto:6; sid:1;)`, `alert ip any any -> any any (ip_proto:6; ip_proto:!17; sid:1;)`,
		`alert ip any any -> any any (ip_proto:>5; ip_proto:>20; sid:1;)`,
		// flow and the like.
		`alert tcp any any -> any any (flow:established,established; sid:1;)`, `alert tcp any any -> any any (flow:established; flow:to_server; sid:1;)`,
		`alert tcp any any -> any any (flow:to_server,established,no_stream,only_frag; sid:1;)`,
		`alert tcp any any -> any any (flow.pkts:both,>1; sid:1;)`, `alert tcp any any -> any any (stream_size:client,>,0x5; sid:1;)`,
		`alert tcp any any -> any any (flowint:a,+,1; sid:1;)`, `alert tcp any any -> any any (hostbits:set,ab,both; sid:1;)`,
		`alert tcp any any -> any any (hostbits:set,ab,src,60; sid:1;)`, `alert http any any -> any any (xbits:isset,ab,track tx; sid:1;)`,
		`alert udp any any -> any any (tcp.session:setup; sid:1;)`, `alert tcp any any -> any any (tcp.session:setup, closing; sid:1;)`,
		`alert tcp any any -> any any (tcp.session:setup,setup; sid:1;)`, `alert tcp any any -> any any (tcp.session:closed; sid:1;)`,
		// Contents.
		`alert tcp any any -> any any (content:"abc"; rawbytes; rawbytes; sid:1;)`, `alert http any any -> any any (content:"abc"; rawbytes; http_uri; sid:1;)`,
		`alert tcp any any -> any any (content:"abc"; fast_pattern:only; depth:5; sid:1;)`, `alert tcp any any -> any any (content:!"abc"; fast_pattern; within:9; sid:1;)`,
		`alert tcp any any -> any any (content:"abc"; isdataat:5,rawbytes; sid:1;)`, `alert tcp any any -> any any (dsize:5; content:"abcdef"; sid:1;)`,
		`alert tcp any any -> any any (dsize:5; dsize:>3; sid:1;)`,
		`alert http any any -> any any (http.uri; content:"abc"; content:"def"; distance:3; bsize:8; sid:1;)`,
		`alert http any any -> any any (http.uri; content:!"abcdef"; bsize:5; sid:1;)`,
		`alert tcp any any -> any any (content:"a"; entropy:5; sid:1;)`, `alert tcp any any -> any any (tag; sid:1;)`,
		`alert tcp any any -> any any (flow:to_server; prefilter; sid:1;)`,
		// Packets and transactions.
		`alert http any any -> any any (ttl:5; http.uri; content:"a"; sid:1;)`, `alert tcp any any -> any any (dsize:>1; flow:only_stream; sid:1;)`,
		`alert tcp-pkt any any -> any any (http.uri; content:"a"; sid:1;)`, `alert http any any -> any any (flow.age:>3; file.data; content:"a"; sid:1;)`,
		`alert tcp any any -> any any (sameip; http.uri; content:"a"; sid:1;)`, `alert tcp any any -> any any (tcp.hdr; content:"a"; http.uri; content:"b"; sid:1;)`,
		`alert http any any -> any any (content:"a"; frame:http1.request; content:"b"; sid:1;)`,
		`alert udp any any -> any any (frame:http.stream; content:"a"; sid:1;)`,
		// Both directions.
		`alert http any any => any any (http.uri; content:"a"; sid:1;)`, `alert http any any => any any (flow:to_server; http.uri; content:"a"; http.stat_code; content:"2"; sid:1;)`,
		`alert http any any => any any (http.uri; content:"a"; http.stat_code; content:"2"; http.cookie; content:"c"; sid:1;)`,
		`alert http any any => any any (http.uri; content:"a"; http.stat_code; content:"2"; filestore; sid:1;)`,
		// Protocols.
		`alert dns any any -> any any (file.data; content:"a"; sid:1;)`, `alert ssh any any -> any any (filestore; sid:1;)`,
		`alert smtp any any -> any any (flow:to_client; file.data; content:"a"; sid:1;)`, `alert dcerpc any any -> any any (file.data; content:"a"; sid:1;)`,
		`alert gre any any -> any any (sid:1;)`, `alert igmp any any -> any any (sid:1;)`, `alert ssl any any -> any any (sid:1;)`,
		`alert http:request_line any any -> any any (sid:1;)`, `alert http1:request_line any any -> any any (http.host; content:"a"; sid:1;)`,
		`alert http any any -> any any (http.header.raw; content:"a"; sid:1;)`,
		`alert tcp any any -> any any (http.uri; content:"a"; app-layer-protocol:http; sid:1;)`,
		`alert tcp any any -> any any (app-layer-protocol:!unknown; sid:1;)`, `alert tcp any any -> any any (app-layer-protocol:http,exact; sid:1;)`,
		`alert tcp any any -> any any (app-layer-protocol:http; app-layer-protocol:tls; sid:1;)`,
		`alert tcp any any -> any any (app-layer-protocol:http, final; sid:1;)`, `alert tcp any any -> any any (app-layer-protocol:http,final,either; sid:1;)`,
		`alert tcp any any -> any any (engine-event:ipv4.pkt_too_small; sid:1;)`, `alert pkthdr any any -> any any (decode-event:stream.reassembly_seq_gap; sid:1;)`,
		// Meta keywords.
		`alert tcp any any -> any any (rev:0; sid:1;)`, `alert tcp any any -> any any (priority:"1"; sid:1;)`,
		`alert tcp any any -> any any (metadata:"a b"; sid:1;)`, `alert tcp any any -> any any (reference:1,x; sid:1;)`,
	} {
		if refused(t, r) == "" {
			t.Errorf("taken: %s", r)
		}
	}
}

// More than maxTxTests conditions on one side were once cut off.
func TestTooManyConditions(t *testing.T) {
	body := ""
	for range 33 {
		body += `http.request_header; content:"a"; `
	}
	if got := refused(t, `alert http any any -> any any (`+body+`sid:1;)`); got == "" {
		t.Error("a rule with 33 buffers is taken")
	}
}

func TestAppProtocolLists(t *testing.T) {
	tab := fakeTable(t)
	e := engine(t, detect.Options{Table: tab},
		`alert tcp any any -> any any (app-layer-protocol:tls|http; sid:1;)`,
		`alert tcp any any -> any any (app-layer-protocol:!tls|ssh; sid:2;)`,
		`alert tcp any any -> any any (app-layer-protocol:!tls|http; sid:3;)`,
		`alert tcp any any -> any any (app-layer-protocol:unknown|dns; sid:4;)`,
		`alert tcp any any -> any any (app-layer-protocol:http1|failed,either,exact; sid:5;)`)
	s := newSession(t, e, tab, "http")
	if got := s.packet(proto.ToServer, tcpPacket("")); got != "1 2 5" {
		t.Errorf("http: %q", got)
	}
}

func TestSessionPhases(t *testing.T) {
	for _, c := range []struct {
		body                 string
		established, closing bool
		want                 bool
	}{
		{"tcp.session:setup;", false, false, true}, {"tcp.session:setup;", true, false, false},
		{"tcp.session:setup,closing;", true, true, true}, {"tcp.session:setup,closing;", true, false, false},
		{"tcp.session:established;", true, false, true}, {"tcp.session:established;", true, true, true},
		{"tcp.session:established;", false, false, false}, {"tcp.session:closing;", true, false, false},
	} {
		if got := one(t, "tcp", c.body, tcpPacket(""), func(p *detect.Packet) {
			p.Flow, p.Established, p.Closing = new(detect.Flow), c.established, c.closing
		}); got != c.want {
			t.Errorf("%s, established %v, closing %v: %v", c.body, c.established, c.closing, got)
		}
	}
}

// Contents of a buffer in lower case are looked for in lower case.
func TestContentCase(t *testing.T) {
	tab := fakeTable(t)
	e := engine(t, detect.Options{Table: tab}, `alert tls any any -> any any (ja3.hash; content:"ABCDEF"; sid:1;)`)
	s := newSession(t, e, tab, "tls")
	s.tx(map[string]string{"ja3.hash": "abcdef"}).Progress[0] = 1
	if got := s.look(proto.ToServer); got != "1" {
		t.Errorf("alerts %q", got)
	}
}
