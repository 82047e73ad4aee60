package detect_test

import (
	"os"
	"strings"
	"testing"

	"mirador/internal/detect"
	"mirador/internal/packet"
	"mirador/internal/proto"
	"mirador/internal/rule"
)

// etEngine compiles the Emerging Threats rules once for all benchmarks.
func etEngine(tb testing.TB) (*detect.Engine, *proto.Table) {
	tb.Helper()
	data, err := os.ReadFile(shared(tb, "data", "etopen", "composite-2025-07.rules"))
	if err != nil {
		tb.Fatal(err)
	}
	rules, _ := rule.Parse("et.rules", data)
	tab := fakeTable(tb)
	e, _ := detect.Compile(rules, detect.Options{Table: tab})
	return e, tab
}

// page is text of the kind that fills web responses.
var page = strings.Repeat(`<div class="row"><a href="/products/list?id=1234&amp;page=2">More products</a> <img src="/static/img/logo.png" alt="logo"/></div>`+"\n", 40)

func benchPacket(b *testing.B, w *detect.Worker, p *detect.Packet) {
	b.ReportAllocs()
	b.SetBytes(int64(len(p.P.Data)))
	for b.Loop() {
		w.Inspect(p)
	}
}

func BenchmarkPacket(b *testing.B) {
	e, tab := etEngine(b)
	w := detect.NewWorker(e, nil)
	http := proto.NewConn(tab, proto.Hint{SrcPort: 40000, DstPort: 80})
	http.App = tab.ByName("http")
	http.Side = [2]proto.ID{http.App, http.App}
	flow := func() *detect.Flow {
		f := &detect.Flow{Start: 1, Last: 2}
		f.Pkts, f.Bytes = [2]uint64{5, 5}, [2]uint64{500, 500}
		return f
	}
	reply := tcpPacket("")
	reply.Src, reply.Dst, reply.SrcPort, reply.DstPort = reply.Dst, reply.Src, reply.DstPort, reply.SrcPort
	b.Run("et-open/tcp-ack", func(b *testing.B) {
		benchPacket(b, w, &detect.Packet{P: tcpPacket(""), Flow: flow(), App: http, Established: true})
	})
	b.Run("et-open/tcp-raw-1400", func(b *testing.B) {
		benchPacket(b, w, &detect.Packet{P: reply, Dir: proto.ToClient, Flow: flow(), App: http, Established: true,
			StreamAdded: true, HasRaw: true, Raw: []byte(page[:1400])})
	})
	b.Run("et-open/tcp-data-in-stream", func(b *testing.B) {
		p := tcpPacket(page[:1400])
		p.Src, p.Dst, p.SrcPort, p.DstPort = p.Dst, p.Src, p.DstPort, p.SrcPort
		benchPacket(b, w, &detect.Packet{P: p, Dir: proto.ToClient, Flow: flow(), App: http, Established: true, StreamAdded: true})
	})
	b.Run("et-open/udp-512", func(b *testing.B) {
		benchPacket(b, w, &detect.Packet{P: udpPacket(page[:512]), Flow: flow(), Established: true})
	})
	b.Run("et-open/new-flow", func(b *testing.B) {
		p := &detect.Packet{P: tcpPacket("")}
		p.P.Flags = packet.SYN
		b.ReportAllocs()
		for b.Loop() {
			p.Flow = &detect.Flow{}
			w.Inspect(p)
		}
	})
}

// request fills a transaction as a usual browser request does.
func request() map[string]string {
	return map[string]string{
		"http.uri": "/products/list?id=1234&page=2", "http.uri.raw": "/products/list?id=1234&page=2",
		"http.method": "GET", "http.host": "www.shop.example", "http.host.raw": "www.shop.example",
		"http.protocol": "HTTP/1.1", "http.request_line": "GET /products/list?id=1234&page=2 HTTP/1.1",
		"http.user_agent":   "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
		"http.header":       "Host: www.shop.example\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.9\r\nReferer: https://www.shop.example/\r\n",
		"http.header_names": "\r\nHost\r\nUser-Agent\r\nAccept\r\nAccept-Language\r\nReferer\r\n\r\n",
		"http.accept":       "text/html,application/xhtml+xml", "http.accept_lang": "en-US,en;q=0.9", "http.referer": "https://www.shop.example/",
	}
}

func BenchmarkTx(b *testing.B) {
	e, tab := etEngine(b)
	w := detect.NewWorker(e, nil)
	b.Run("et-open/http-request", func(b *testing.B) {
		s := newSession(b, e, tab, "http")
		tx := s.tx(request())
		tx.Progress[0] = atDone
		p := s.fill(proto.ToServer, tcpPacket(""))
		p.StreamAdded = true
		b.ReportAllocs()
		for b.Loop() {
			tx.Touch(0)
			tx.Inspected[0], tx.DetectSeen = false, [2]uint8{}
			w.Inspect(p)
		}
	})
	b.Run("et-open/http-response-body-4k", func(b *testing.B) {
		s := newSession(b, e, tab, "http")
		tx := s.tx(map[string]string{"http.stat_code": "200", "http.header": "Content-Type: text/html\r\n"})
		tx.Progress = [2]uint8{atDone, atBody}
		tx.stream["http.response_body"] = window{data: []byte(page[:4096])}
		f := s.app.NewFile(tx, proto.ToClient, []byte("/products/list"))
		f.Append([]byte(page[:4096]))
		f.Close(proto.FileClosed)
		p := s.fill(proto.ToClient, tcpPacket(""))
		p.StreamAdded = true
		b.ReportAllocs()
		b.SetBytes(4096)
		for b.Loop() {
			tx.Touch(1)
			tx.Inspected[1], f.Inspected = false, 0
			w.Inspect(p)
		}
	})
	b.Run("et-open/dns-query", func(b *testing.B) {
		s := newSession(b, e, tab, "dns")
		tx := s.tx(map[string]string{"dns.query": "www.shop.example"})
		tx.Progress = [2]uint8{1, 1}
		p := s.fill(proto.ToServer, udpPacket("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))
		b.ReportAllocs()
		for b.Loop() {
			tx.Touch(0)
			tx.Inspected[0], tx.DetectSeen = false, [2]uint8{}
			w.Inspect(p)
		}
	})
	b.Run("et-open/nothing-new", func(b *testing.B) {
		s := newSession(b, e, tab, "http")
		tx := s.tx(request())
		tx.Progress[0] = atDone
		s.app.AfterDetect(proto.ToServer)
		s.app.AfterDetect(proto.ToClient)
		p := s.fill(proto.ToServer, tcpPacket(""))
		b.ReportAllocs()
		for b.Loop() {
			w.Inspect(p)
		}
	})
}
