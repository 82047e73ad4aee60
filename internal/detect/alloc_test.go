package detect_test

import (
	"testing"

	"mirador/internal/detect"
	"mirador/internal/proto"
)

// Nothing is allocated for a packet on which no rule alerts, whatever it carries.
func TestNoAllocOnMiss(t *testing.T) {
	tab := fakeTable(t)
	e := engine(t, detect.Options{Table: tab},
		`alert tcp any any -> any any (content:"needle"; sid:1;)`,
		`alert tcp any any -> any 8080 (content:"other"; depth:20; sid:2;)`,
		`alert http any any -> any any (http.uri; content:"/evil"; http.user_agent; content:"bot"; sid:3;)`,
		`alert http any any -> any any (http.host; dotprefix; content:".evil.com"; endswith; sid:4;)`,
		`alert http any any -> any any (http.uri; content:"/products"; pcre:"/evil/"; sid:5;)`,
		`alert http any any -> any any (http.user_agent; content:"mozilla"; nocase; http.host; content:"nowhere"; sid:6;)`,
		`alert dns any any -> any any (dns.query; content:"evil"; nocase; sid:7;)`,
		`alert tcp any any -> any any (flags:SF; sid:8;)`,
		`alert ip 1.2.3.4 any -> any any (sid:9;)`,
		`alert http any any -> any any (file.data; content:"malware"; sid:10;)`,
		`alert tcp any any -> any any (content:"row"; byte_test:4,>,100000,0,relative,string,dec; sid:11;)`,
		`alert http any any -> any any (http.uri; to_sha256; content:"|00 00 00 00 00|"; startswith; sid:12;)`,
		`alert tcp any any -> any any (content:"row"; flowbits:isset,nope; threshold:type limit,track by_src,count 1,seconds 5; sid:13;)`)
	http := newSession(t, e, tab, "http")
	tx := http.tx(request())
	tx.Progress[0] = atDone
	file := http.app.NewFile(tx, proto.ToServer, []byte("a.txt"))
	file.Append([]byte(page))
	file.Close(proto.FileClosed)
	dns := newSession(t, e, tab, "dns")
	dns.w = http.w
	query := dns.tx(map[string]string{"dns.query": "www.shop.example"})
	ack := http.fill(proto.ToServer, tcpPacket(""))
	data := http.fill(proto.ToServer, tcpPacket(page[:1000]))
	raw := http.fill(proto.ToServer, tcpPacket(""))
	raw.StreamAdded, raw.HasRaw, raw.Raw = true, true, []byte(page)
	alone := &detect.Packet{P: udpPacket(page[:300])}
	for _, c := range []struct {
		name string
		run  func() []detect.Alert
	}{
		{"ack", func() []detect.Alert { return http.w.Inspect(ack) }},
		{"payload", func() []detect.Alert { return http.w.Inspect(data) }},
		{"stream", func() []detect.Alert { return http.w.Inspect(raw) }},
		{"no flow", func() []detect.Alert { return http.w.Inspect(alone) }},
		{"http", func() []detect.Alert {
			tx.Touch(0)
			tx.Inspected[0], tx.DetectSeen, file.Inspected = false, [2]uint8{}, 0
			return http.w.Inspect(ack)
		}},
		{"dns", func() []detect.Alert {
			query.Touch(0)
			query.Inspected[0], query.DetectSeen = false, [2]uint8{}
			return dns.w.Inspect(dns.fill(proto.ToServer, ack.P))
		}},
	} {
		var alerts []detect.Alert
		n := testing.AllocsPerRun(100, func() { alerts = c.run() })
		if want := map[string]float64{"dns": 1}[c.name]; n > want || len(alerts) > 0 { // dns: fill allocates the Packet
			t.Errorf("%s: %v allocations, alerts %q", c.name, n, sids(alerts))
		}
	}
}
