package detect_test

import (
	"testing"

	"mirador/internal/detect"
	"mirador/internal/proto"
)

// A worker with a trace alerts as one without: what the trace asks about has no effect.
func TestTraceChangesNothing(t *testing.T) {
	tab := fakeTable(t)
	rules := []string{
		`alert tcp any any -> any any (content:"x"; flowbits:set,b; sid:1;)`,
		`alert tcp any any -> any any (content:"y"; flowbits:isset,b; sid:2;)`,
		`alert http any any -> any any (http.uri; content:"/a"; http.host; content:"h"; sid:3;)`,
		`alert http any any -> any any (http.uri; content:"/a"; content:"q"; distance:1; flowbits:isset,b; sid:4;)`,
		`alert tcp any any -> any any (dsize:>3; sid:5;)`,
		`alert ip any any -> 8.8.4.4 any (sid:6;)`,
	}
	play := func(sid uint32) (out []string, tr *detect.Trace) {
		s := newSession(t, engine(t, detect.Options{Table: tab, TraceSID: sid}, rules...), tab, "http")
		if sid != 0 {
			tr = detect.NewTrace(sid)
			s.w.SetTrace(tr)
		}
		tx := s.tx(map[string]string{"http.uri": "/a", "http.host": "h"})
		for _, text := range []string{"y", "x", "xy", "", "long text"} {
			out = append(out, s.packet(proto.ToServer, tcpPacket(text)))
			tx.Advance(proto.ToServer, min(tx.Progress[0]+1, atDone))
			out = append(out, s.look(proto.ToServer))
		}
		return out, tr
	}
	want, _ := play(0)
	for sid := uint32(1); sid <= 6; sid++ {
		got, tr := play(sid)
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("sid %d, step %d: alerts %q with the trace, %q without", sid, i, got[i], want[i])
			}
		}
		if len(tr.Flows()) != 1 || tr.Flows()[0].Looks == 0 {
			t.Errorf("sid %d: nothing noted", sid)
		}
	}
}

// The step that fails and what is nearest to it.
func TestTraceNearest(t *testing.T) {
	tab := fakeTable(t)
	for _, c := range []struct {
		rule, uri  string
		held       int
		seen, near string
	}{
		{`alert http any any -> any any (http.uri; content:"/gate2.php"; sid:9;)`, "/gate.php", 2, `"/gate.php"`,
			`nearest to "/gate2.php" is "/gate.php" at offset 0 (5 of 10 bytes)`},
		{`alert http any any -> any any (http.uri; content:"gate"; startswith; sid:9;)`, "/gate.php", 2, `"/gate.php"`,
			`"gate" is at offset 1, asked for between 0 and 4`},
		{`alert http any any -> any any (http.uri; content:"gate"; endswith; sid:9;)`, "/gate.php", 2, `"/gate.php"`,
			`"gate" is at offset 1, not at the end (9 bytes)`},
		{`alert http any any -> any any (http.uri; content:!"gate"; sid:9;)`, "/gate.php", 2, `"/gate.php"`, `"gate" is there, at offset 1`},
		{`alert http any any -> any any (http.uri; content:"g"; byte_test:1,>,200,0,relative; sid:9;)`, "/gate.php", 2, `"/gate.php"`,
			`byte_test: the number at offset 2 is 97`},
		{`alert http any any -> any any (http.uri; bsize:3; sid:9;)`, "/gate.php", 2, `"/gate.php"`, `size is 9`},
		{`alert http any any -> any any (http.uri; content:"zz"; sid:9;)`, "/gate.php", 2, `"/gate.php"`, `nothing like "zz" in 9 bytes`},
		{`alert http any any -> any any (http.cookie; content:"zz"; sid:9;)`, "/gate.php", 2, "buffer is not there", ""},
		{`alert http any any -> any any (flowbits:isset,zz; http.uri; content:"gate"; sid:9;)`, "/gate.php", 2, "no flowbit is set", ""},
		{`alert tls any any -> any any (content:"zz"; sid:9;)`, "/gate.php", 1, "http", ""},
	} {
		e := engine(t, detect.Options{Table: tab, TraceSID: 9}, c.rule)
		s := newSession(t, e, tab, "http")
		tr := detect.NewTrace(9)
		s.w.SetTrace(tr)
		s.tx(map[string]string{"http.uri": c.uri}).Progress = [2]uint8{atDone, atDone}
		s.look(proto.ToServer)
		f := tr.Flows()[0]
		steps := f.Best.Steps
		if len(steps) <= c.held || steps[c.held].Result == detect.StepOK {
			t.Errorf("%s: steps %+v", c.rule, steps)
			continue
		}
		if x := steps[c.held]; x.Seen != c.seen || x.Near != c.near {
			t.Errorf("%s: seen %q, near %q", c.rule, x.Seen, x.Near)
		}
	}
}

// A trace follows no more flows than its bound.
func TestTraceBound(t *testing.T) {
	e := engine(t, detect.Options{TraceSID: 9}, `alert ip any any -> any any (ttl:5; sid:9;)`)
	w := detect.NewWorker(e, nil)
	tr := detect.NewTrace(9)
	w.SetTrace(tr)
	for i := range detect.MaxTraceFlows + 5 {
		p := udpPacket("")
		p.SrcPort, p.DstPort = uint16(i), uint16(i>>16)
		w.Inspect(&detect.Packet{P: p})
	}
	if n := len(tr.Flows()); n != detect.MaxTraceFlows || tr.Dropped != 5 {
		t.Errorf("%d flows, %d dropped", n, tr.Dropped)
	}
}
