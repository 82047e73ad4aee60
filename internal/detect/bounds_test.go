package detect_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/detect"
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// Each bound on state is hit, counted, and leaves the rest working.

// manyRules makes n rules of a format with the rule's number in it.
func manyRules(n int, format string) (out []string) {
	for i := 1; i <= n; i++ {
		out = append(out, strings.ReplaceAll(format, "N", fmt.Sprint(i)))
	}
	return out
}

func TestFlowStateBounds(t *testing.T) {
	for _, c := range []struct {
		what, format string
		n            int
		full         uint64
	}{
		{"flowbits", `alert tcp any any -> any any (content:"x"; flowbits:set,bN; noalert; sid:N;)`, 260, 4},
		{"flowints", `alert tcp any any -> any any (content:"x"; flowint:iN,=,1; noalert; sid:N;)`, 66, 2},
		{"captures", `alert tcp any any -> any any (pcre:"/(x)/, flow:vN"; noalert; sid:N;)`, 66, 2},
		{"limits by flow", `alert tcp any any -> any any (content:"x"; threshold:type limit, track by_flow, count 1, seconds 60; sid:N;)`, 66, 2},
	} {
		s := newSession(t, engine(t, detect.Options{MaxAlerts: 100}, manyRules(c.n, c.format)...), nil, "")
		s.packet(proto.ToServer, tcpPacket("x"))
		if got := s.w.Counters.FlowBitsFull; got != c.full {
			t.Errorf("%s: %d not kept, want %d", c.what, got, c.full)
		}
	}
}

func TestSharedBounds(t *testing.T) {
	from := func(i int) *packet.Parsed {
		p := udpPacket("x")
		p.Src = addr(10, byte(i>>16), byte(i>>8), byte(i))
		return p
	}
	for _, c := range []struct {
		what, body string
		n          int
		full       func(detect.TableFull) uint64
	}{
		{"thresholds", `threshold:type limit, track by_src, count 1, seconds 60;`, 2000, func(f detect.TableFull) uint64 { return f.Thresholds }},
		{"xbits", `xbits:set,a,track ip_src,expire 60;`, 2000, func(f detect.TableFull) uint64 { return f.Bits }},
		{"hostbits", `hostbits:set,a,src;`, 2000, func(f detect.TableFull) uint64 { return f.Bits }},
		{"tags", `tag:host,60,seconds,src;`, 80000, func(f detect.TableFull) uint64 { return f.Tags }},
	} {
		sh := detect.NewShared(detect.SharedOptions{Thresholds: 640, Bits: 640})
		e := engine(t, detect.Options{Shared: sh}, `alert udp any any -> any any (content:"x"; `+c.body+` sid:1;)`)
		w := detect.NewWorker(e, sh)
		alerts := 0
		for i := range c.n {
			alerts += len(w.Inspect(&detect.Packet{P: from(i)}))
		}
		if alerts != c.n {
			t.Errorf("%s: %d alerts for %d packets", c.what, alerts, c.n)
		}
		if c.full(sh.Full()) == 0 {
			t.Errorf("%s: nothing counted as not kept: %+v", c.what, sh.Full())
		}
	}
}

func TestDatasetBound(t *testing.T) {
	tab := fakeTable(t)
	sh := detect.NewShared(detect.SharedOptions{})
	e := engine(t, detect.Options{Table: tab, Shared: sh},
		`alert dns any any -> any any (dns.query; dataset:set,small,type string,memcap 64kb,hashsize 64; sid:1;)`)
	s := newSession(t, e, tab, "dns")
	for i := range 4000 {
		s.app.Txs = s.app.Txs[:0]
		s.tx(map[string]string{"dns.query": fmt.Sprintf("name%d.example", i)}).Progress = [2]uint8{1, 1}
		s.look(proto.ToServer)
	}
	if sh.Full().Datasets == 0 {
		t.Error("a dataset of 64 KiB took 4000 names")
	}
}

// Rules remembered per transaction.
func TestRuleStateBound(t *testing.T) {
	tab := fakeTable(t)
	e := engine(t, detect.Options{Table: tab, MaxAlerts: 4000}, manyRules(1030, `alert http any any -> any any (http.uri; content:"/"; sid:N;)`)...)
	s := newSession(t, e, tab, "http")
	s.tx(map[string]string{"http.uri": "/"}).Progress[0] = atDone
	s.look(proto.ToServer)
	if n := s.w.Counters.StatesFull; n != 6 {
		t.Errorf("%d states not kept, want 6", n)
	}
}

// Matches of one packet beyond the queue, and steps of one inspection.
func TestInspectionBounds(t *testing.T) {
	s := newSession(t, engine(t, detect.Options{MaxAlerts: 10000}, manyRules(4100, `alert tcp any any -> any any (content:"x"; sid:N;)`)...), nil, "")
	s.packet(proto.ToServer, tcpPacket("x"))
	if n := s.w.Counters.AlertOverflow; n != 4 {
		t.Errorf("%d matches beyond the queue, want 4", n)
	}
	s = newSession(t, engine(t, detect.Options{}, `alert tcp any any -> any any (content:"a"; content:"a"; distance:0; content:"a"; distance:0; content:"b"; distance:0; sid:1;)`), nil, "")
	s.packet(proto.ToServer, tcpPacket(strings.Repeat("a", 1000)))
	if s.w.Counters.RecursionLimit == 0 {
		t.Error("no inspection was cut short")
	}
	s = newSession(t, engine(t, detect.Options{PcreLimit: 50}, `alert tcp any any -> any any (pcre:"/^(?:(a)|(b))*?\1?d?c$/"; sid:1;)`), nil, "")
	s.packet(proto.ToServer, tcpPacket(strings.Repeat("ab", 600)+"c"))
	if s.w.Counters.RegexLimit == 0 {
		t.Error("no pcre was cut short")
	}
}

// Tags of one flow and of one host.
func TestTagBounds(t *testing.T) {
	for _, tag := range []string{"session,N0,packets", "host,N0,packets,src"} {
		sh := detect.NewShared(detect.SharedOptions{})
		e := engine(t, detect.Options{Shared: sh, MaxAlerts: 100}, manyRules(10, `alert tcp any any -> any any (content:"x"; tag:`+tag+`; sid:N;)`)...)
		s := newSession(t, e, nil, "")
		s.w = detect.NewWorker(e, sh)
		s.packet(proto.ToServer, tcpPacket("x"))
		if n := sh.Full().Tags; n != 2 {
			t.Errorf("tag:%s: %d of 10 tags not kept, want 2", tag, n)
		}
	}
}

// Captures of one packet, and members of alert.context.
func TestCaptureBounds(t *testing.T) {
	for scope, full := range map[string]uint64{"pkt": 6, "alert": 0} {
		e := engine(t, detect.Options{MaxAlerts: 100}, manyRules(70, `alert tcp any any -> any any (pcre:"/(x)/, `+scope+`:vN"; sid:N;)`)...)
		s := newSession(t, e, nil, "")
		s.packet(proto.ToServer, tcpPacket("x"))
		if n := s.w.Counters.CapturesFull; n != full {
			t.Errorf("%s: %d of 70 captures not kept, want %d", scope, n, full)
		}
	}
	// Of one rule.
	body := ""
	for i := range 70 {
		body += fmt.Sprintf(`pcre:"/(x)/, alert:v%d"; `, i)
	}
	s := newSession(t, engine(t, detect.Options{}, `alert tcp any any -> any any (`+body+`sid:1;)`), nil, "")
	s.packet(proto.ToServer, tcpPacket("x"))
	if n := s.w.Counters.CapturesFull; n != 6 {
		t.Errorf("one rule: %d of 70 captures not kept, want 6", n)
	}
	// A value is cut.
	s = newSession(t, engine(t, detect.Options{}, `alert tcp any any -> any any (pcre:"/(x+)/, flow:v"; sid:1;)`), nil, "")
	s.packet(proto.ToServer, tcpPacket(strings.Repeat("x", 10000)))
	if v := s.flow.Vars(); len(v) != 1 || len(v[0].Value) != 8<<10 {
		t.Errorf("%d captures", len(v))
	}
}

// Values of one buffer.
func TestValueBounds(t *testing.T) {
	tab := fakeTable(t)
	const most = 1024
	for _, c := range []struct {
		rule string
		n    int // values, the last of which is looked for
		want string
		met  bool
	}{
		{`http.request_header; content:"last";`, most - 1, "1", false},
		{`http.request_header; content:"last";`, most, "1", true},
		{`http.request_header; content:"last";`, most + 1, "", true},
		{`dns.rrtype:7;`, most, "1", false},
		{`dns.rrtype:7,-1;`, most - 1, "1", false},
		{`dns.rrtype:7;`, most + 1, "", true},
		{`dns.rrtype:7,-1;`, most + 1, "", true},
	} {
		app := "http"
		if strings.HasPrefix(c.rule, "dns") {
			app = "dns"
		}
		s := newSession(t, engine(t, detect.Options{Table: tab}, `alert `+app+` any any -> any any (`+c.rule+` sid:1;)`), tab, app)
		tx := s.tx(nil)
		for range c.n - 1 {
			tx.buf["http.request_header"] = append(tx.buf["http.request_header"], []byte("other"))
			tx.num["dns.rrtype"] = append(tx.num["dns.rrtype"], 6)
		}
		tx.buf["http.request_header"] = append(tx.buf["http.request_header"], []byte("last"))
		tx.num["dns.rrtype"] = append(tx.num["dns.rrtype"], 7)
		tx.Progress = [2]uint8{atDone, atDone}
		if got := s.look(proto.ToServer); got != c.want || (s.w.Counters.ValuesLimit > 0) != c.met {
			t.Errorf("%s of %d values: %q, want %q; the bound was met %d times", c.rule, c.n, got, c.want, s.w.Counters.ValuesLimit)
		}
	}
}

// What transforms put out.
func TestTransformBounds(t *testing.T) {
	tab := fakeTable(t)
	const most = 1 << 20
	base64 := func(n int) string { return strings.Repeat("QUFB", n/3) }
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(make([]byte, 2*most))
	z.Close()
	for _, c := range []struct {
		what, body, value string
		met               uint64
	}{
		{"base64 at the bound", fmt.Sprintf(`from_base64; bsize:%d;`, most-4), base64(most - 4), 0},
		{"base64 beyond", fmt.Sprintf(`from_base64; bsize:%d;`, most-1), base64(2 * most), 1},
		{"gunzip", fmt.Sprintf(`gunzip:max-size %d; bsize:%d;`, most, most), zipped.String(), 1},
		{"gunzip as it is set", `gunzip; bsize:1024;`, zipped.String(), 1},
	} {
		s := newSession(t, engine(t, detect.Options{Table: tab}, `alert http any any -> any any (http.uri; `+c.body+` sid:1;)`), tab, "http")
		tx := s.tx(nil)
		tx.buf["http.uri"] = [][]byte{[]byte(c.value)}
		tx.Progress[0] = atDone
		if got := s.look(proto.ToServer); got != "1" || s.w.Counters.TransformLimit != c.met {
			t.Errorf("%s: %q; %d cut short, want %d", c.what, got, s.w.Counters.TransformLimit, c.met)
		}
	}
	if got := refused(t, fmt.Sprintf(`alert http any any -> any any (http.uri; gunzip:max-size %d; content:"a"; sid:1;)`, most+1)); got == "" {
		t.Error("a max-size beyond the bound is taken")
	}
}

// Hits of frames in one flow: the oldest is forgotten, so that its rule may match again.
func TestFrameHitBound(t *testing.T) {
	tab := fakeTable(t)
	s := newSession(t, engine(t, detect.Options{Table: tab}, `alert http any any -> any any (frame:http1.request; content:"G"; sid:1;)`), tab, "http")
	look := func(i int) string {
		s.app.Frames = s.app.Frames[:0]
		s.app.Frames = append(s.app.Frames, proto.Frame{Type: "request", Dir: proto.ToServer, Offset: 0, Len: 1, ID: uint32(2 + i)})
		p := s.fill(proto.ToServer, tcpPacket(""))
		p.StreamAdded, p.Stream = true, []detect.StreamPart{{Data: []byte("G")}}
		return sids(s.w.Inspect(p))
	}
	for i := range 256 {
		if got := look(i); got != "1" {
			t.Fatalf("frame %d: %q", i, got)
		}
	}
	if got := look(0); got != "" || s.w.Counters.FlowBitsFull != 0 {
		t.Errorf("within the bound: %q, %d forgotten", got, s.w.Counters.FlowBitsFull)
	}
	if look(256); s.w.Counters.FlowBitsFull != 1 {
		t.Errorf("%d forgotten, want 1", s.w.Counters.FlowBitsFull)
	}
	if got := look(0); got != "1" {
		t.Errorf("what was forgotten: %q", got)
	}
}
