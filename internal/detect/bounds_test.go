package detect_test

import (
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
