package eve_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"mirador/internal/eve"
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// checkLines checks that b is nothing but lines of valid JSON in valid UTF-8.
func checkLines(t *testing.T, b []byte) {
	t.Helper()
	if len(b) > 0 && b[len(b)-1] != '\n' {
		t.Fatalf("the last line has no end: %q", b)
	}
	for _, l := range strings.SplitAfter(string(b), "\n") {
		if l != "" && (!json.Valid([]byte(l)) || !utf8.ValidString(l)) {
			t.Fatalf("not JSON in UTF-8: %q", l)
		}
	}
}

// FuzzRecords writes every type of record with texts, numbers and bytes from
// outside wherever such can reach it.
func FuzzRecords(f *testing.F) {
	f.Add("GET / HTTP/1.1", []byte("payload"), uint64(1), int64(t0), uint8(6), uint8(4))
	f.Add("\xff\xfe\x00\u2028\"\\", []byte{0xff, 0, '\n', '"'}, uint64(math.MaxUint64), int64(math.MinInt64), uint8(255), uint8(6))
	f.Add(`{"a":1}`, []byte(`{"year": "2005"`), uint64(1<<63), int64(math.MaxInt64), uint8(61), uint8(0))
	f.Add("traffic/id/\xed\xa0\x80", []byte("[1,\n2]"), uint64(0), int64(-1), uint8(1), uint8(77))
	table := testTable(f)
	w, plain := eve.NewWriter(allOn(), table), eve.NewWriter(eve.DefaultOptions(), table)
	fast := &eve.Fast{}
	f.Fuzz(func(t *testing.T, s string, b []byte, n uint64, when int64, p, v uint8) {
		c, tx := conn(table, "http", s)
		h := full()
		h.Time, h.FlowID, h.PcapCnt, h.TxID = when, n, n, n
		h.InIface, h.PcapFile, h.CommunityID, h.NVLAN = s, s, s, v
		h.Tuple.Proto, h.Tuple.Version, h.Source = p, v, packet.Source(p)
		h.Tunnel.Tuple.Version, h.Tunnel.Depth = v, int(int8(p))
		h.App = eve.App{Proto: s, Orig: string(b)}
		h.Direction = eve.Direction(p)
		h.HasICMP, h.HasICMPReply, h.HasSPI = p&1 != 0, p&2 != 0, p&4 != 0
		h.Vars = &eve.Vars{Flowbits: []string{s, "traffic/label/" + s}, Flowints: []eve.Int{{Name: s}},
			Flowvars: []eve.Var{{Name: s, Value: b}}, Pktvars: []eve.Var{{Name: string(b), Value: []byte(s)}},
			Entropy: []eve.Number{{Name: s, Value: math.Float64frombits(n)}}}
		h.Mirror = &eve.Mirror{VNI: uint32(n), Source: &mirror.Source{SessionID: s, Tags: []mirror.Tag{{Key: s, Value: string(b)}}},
			Direction: mirror.Direction(p)}
		r := &eve.RuleInfo{Msg: s, Category: string(b), Target: eve.Target(p), Raw: s, References: []string{s},
			Metadata: []eve.Pair{{Key: s, Value: string(b)}, {Key: string(b), Value: s}}}
		file := eve.File{Name: b, Magic: s, State: proto.FileState(p), MD5: b, Size: n, HasRange: true, SIDs: []uint32{uint32(n)}}
		a := &eve.Alert{Rule: r, Context: []eve.Context{{Key: s, JSON: b}, {Key: s + "2", JSON: []byte(s)}}, XFF: s, Conn: c, Tx: tx,
			Files: []eve.File{file}, Payload: b, Stream: p&1 == 0, Packet: b, Link: packet.Link(n), Verdict: s,
			Frame: &eve.Frame{Type: s, Length: when, Payload: b}, Flow: fullFlow()}
		fl := fullFlow()
		fl.Start, fl.End, fl.State, fl.Reason, fl.Action = when, int64(n), eve.FlowState(p), eve.FlowReason(v), s
		fl.Exceptions, fl.TCP.State, fl.TCP.Flags, fl.PktsTC = []eve.Exception{{Target: s, Policy: s}}, eve.TCPState(p), v, n

		for _, w := range []*eve.Writer{w, plain} {
			var out []byte
			out = w.Alert(out, h, a)
			out = w.Tx(out, h, c, tx)
			out = w.FileInfo(out, h, c, tx, &file)
			out = w.Flow(out, h, fl)
			out = w.Netflow(out, h, fl)
			for typ := eve.AnomalyDecode; typ <= eve.AnomalyUnknown; typ++ {
				out = w.Anomaly(out, h, &eve.Anomaly{Type: typ, Event: s, App: s, Layer: s, Code: int(when), Packet: b})
			}
			out = w.Packet(out, h, b, packet.Link(n))
			out = w.Frame(out, h, a.Frame)
			out = w.Meta(out, h)
			out = w.StreamTCP(out, h, &eve.StreamPacket{Len: int(when), Events: []string{s}, HasSession: true, State: eve.TCPState(v)})
			out = w.ARP(out, h, &packet.ARP{Opcode: uint16(v)})
			checkLines(t, out)
		}
		if l := fast.Append(nil, h, a); strings.Count(string(l), "\n") != 1 || l[len(l)-1] != '\n' {
			t.Fatalf("fast.log: not one line: %q", l)
		}
	})
}

// FuzzStatsPlan nests arbitrary counter names.
func FuzzStatsPlan(f *testing.F) {
	f.Add("decoder.pkts,decoder.event.ipv4.x,flow.total,detect.engines,detect.alert", uint64(5))
	f.Add("a.b.c,a.d,e,f.g.h.i,f.g.j", uint64(0))
	f.Fuzz(func(t *testing.T, list string, bits uint64) {
		names := strings.Split(list, ",")
		plan, err := eve.NewStatsPlan(names)
		if err != nil {
			return
		}
		values := make([]uint64, len(names))
		for i := range values {
			values[i] = bits >> (i % 64) & 1
		}
		for _, o := range []eve.StatsOptions{{}, {SkipZero: true}, {Deltas: true, SkipZero: true}} {
			opt := eve.DefaultOptions()
			opt.Stats = o
			out := eve.NewWriter(opt, nil).Stats(nil, &eve.Stats{Plan: plan, Values: values, Engines: make([]eve.Engine, 2)})
			checkLines(t, out)
			if o.SkipZero || o.Deltas {
				continue
			}
			got := line(t, out)["stats"].(map[string]any)
			for _, n := range names {
				if utf8.ValidString(n) && !has(got, n) && !strings.ContainsAny(n, "[]_") {
					t.Fatalf("counter %q is lost: %s", n, out)
				}
			}
		}
	})
}
