package stream_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/packet"
	"mirador/internal/stream"
)

// script runs lines like
//
//	C SA 100 200 "data" win=500 ts=7 ws=2 => established accepted added ev1 ev2
//
// where C is the client and V the server (as far as the flow knows), the flags are
// letters, the numbers are sequence and acknowledgement, and what stands behind =>
// is the state afterwards and then, in any order, all that is to be seen: the
// verdict unless it is "accepted", the flags of the result, and the events.
func script(t *testing.T, o stream.Options, text string) {
	t.Helper()
	e := newEngine(t, o)
	var s stream.Session
	turned := uint8(0)
	time := int64(1e18)
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		do, want, _ := strings.Cut(line, "=>")
		p, dir := parsePacket(t, do)
		time += 1e6
		p.Time += time
		r := e.Packet(&s, p, dir^turned)
		if r.Flags&stream.Turn != 0 {
			turned ^= 1
		}
		have := []string{s.State.String()}
		if r.Verdict != stream.Accepted {
			have = append(have, verdicts[r.Verdict])
		}
		for i, n := range flagNames {
			if r.Flags&(1<<i) != 0 && n != "" {
				have = append(have, n)
			}
		}
		for _, v := range e.Events() {
			have = append(have, v.String())
		}
		if w := strings.Fields(want); !sameWords(have, w) {
			t.Errorf("%s\n have %s", line, strings.Join(have, " "))
		}
	}
}

var verdicts = []string{"accepted", "ignored", "retransmission", "invalid", "nomemory"}
var flagNames = []string{"added", "", "opened", "ended", "turn", "fresh", "midstream", "depth", "keepalive", "gap"}

func sameWords(a, b []string) bool {
	if len(a) != len(b) || len(a) == 0 || a[0] != b[0] {
		return false
	}
	n := map[string]int{}
	for _, x := range a {
		n[x]++
	}
	for _, x := range b {
		n[x]--
		if n[x] < 0 {
			return false
		}
	}
	return true
}

func parsePacket(t *testing.T, line string) (*packet.Parsed, uint8) {
	t.Helper()
	w := strings.Fields(line)
	if len(w) < 4 {
		t.Fatalf("bad line %q", line)
	}
	dir := uint8(0)
	if w[0] == "V" {
		dir = 1
	}
	var fl uint8
	for _, c := range w[1] {
		i := strings.IndexRune("FSRPAUEC", c)
		if i < 0 && c != '-' {
			t.Fatalf("bad flags in %q", line)
		}
		if i >= 0 {
			fl |= 1 << i
		}
	}
	num := func(x string) (n int64) {
		if _, err := fmt.Sscan(x, &n); err != nil {
			t.Fatalf("bad number %q in %q", x, line)
		}
		return n
	}
	p := seg(uint32(num(w[2])), uint32(num(w[3])), fl, nil)
	for _, x := range w[4:] {
		k, v, _ := strings.Cut(x, "=")
		switch k {
		case "win":
			p.Window = uint16(num(v))
		case "ts":
			p.HasTS, p.TSVal = true, uint32(num(v))
		case "ws":
			p.HasWScale, p.WScale = true, uint8(num(v))
		case "urg":
			p.Urgent = uint16(num(v))
		case "len":
			p.Data = []byte(strings.Repeat("x", int(num(v))))
			p.PayloadEnd = len(p.Data)
		case "after": // days
			p.Time = num(v) * 86400 * 1e9
		default:
			p.Data = []byte(strings.Trim(x, `"`))
			p.PayloadEnd = len(p.Data)
		}
	}
	return p, dir
}

const shake = `
	C S 100 0 => syn_sent fresh
	V SA 500 101 => syn_recv
	C A 101 501 => established opened
`

func TestHandshake(t *testing.T) {
	tests := []struct{ name, text string }{
		{"plain", shake},
		{"ack with data", `
			C S 100 0 => syn_sent fresh
			V SA 500 101 => syn_recv
			C PA 101 501 "data" => established opened added`},
		{"syn again", `
			C S 100 0 => syn_sent fresh
			C S 100 0 => syn_sent
			V SA 500 101 => syn_recv
			C S 100 0 => syn_recv
			V SA 500 101 => syn_recv`},
		{"other syn, the second is answered", `
			C S 100 0 => syn_sent fresh
			C S 300 0 => syn_sent
			V SA 500 301 => syn_recv
			C A 301 501 => established opened`},
		{"syn flood", `
			C S 100 0 => syn_sent fresh
			C S 101 0 => syn_sent
			C S 102 0 => syn_sent
			C S 103 0 => syn_sent
			C S 104 0 => syn_sent
			C S 105 0 => syn_sent
			C S 106 0 => syn_sent
			C S 107 0 => syn_sent
			C S 108 0 => syn_sent
			C S 109 0 => syn_sent
			C S 110 0 => syn_sent
			C S 111 0 => syn_sent 3whs_syn_flood`},
		{"syn flood forgets the oldest", `
			C S 100 0 => syn_sent fresh
			C S 100 0 => syn_sent
			C S 101 0 => syn_sent
			C S 102 0 => syn_sent
			C S 103 0 => syn_sent
			C S 104 0 => syn_sent
			C S 105 0 => syn_sent
			C S 106 0 => syn_sent
			C S 107 0 => syn_sent
			C S 108 0 => syn_sent
			C S 109 0 => syn_sent
			C S 110 0 => syn_sent 3whs_syn_flood
			C S 111 0 => syn_sent 3whs_syn_flood
			V SA 500 101 => syn_sent invalid 3whs_synack_with_wrong_ack
			V SA 500 112 => syn_recv
			C A 112 501 => established opened`},
		{"payload of before the SYN", `
			C S 100 0 => syn_sent fresh
			C A 90 0 "abcd" => syn_sent retransmission added pkt_spurious_retransmission`},
		{"synack flood", `
			C S 100 0 => syn_sent fresh
			V SA 500 101 => syn_recv
			V SA 501 101 => syn_recv
			V SA 502 101 => syn_recv
			V SA 503 101 => syn_recv
			V SA 504 101 => syn_recv
			V SA 505 101 => syn_recv
			V SA 506 101 => syn_recv invalid 3whs_synack_flood
			C A 101 504 => established opened`},
		{"synack wrong", `
			C S 100 0 => syn_sent fresh
			C SA 100 7 => syn_sent invalid 3whs_synack_in_wrong_direction
			V SA 500 110 => syn_sent invalid 3whs_synack_with_wrong_ack
			V SA 500 101 => syn_recv
			V SA 500 110 => syn_recv invalid 3whs_synack_resend_with_different_ack
			C SA 100 501 => syn_recv invalid 3whs_synack_toserver_on_syn_recv
			C S 107 0 => syn_recv invalid 3whs_syn_resend_diff_seq_on_syn_recv
			V S 700 0 => syn_recv invalid 3whs_syn_toclient_on_syn_recv
			C A 101 700 => syn_recv invalid 3whs_right_seq_wrong_ack_evasion
			C A 99999 600 => syn_recv invalid 3whs_wrong_seq_wrong_ack
			C A 101 501 => established opened`},
		{"last packet missed", `
			C S 100 0 => syn_sent fresh
			V SA 500 101 => syn_recv
			V PA 501 101 "banner" => established opened added`},
		{"last packet and data missed", `
			C S 100 0 => syn_sent fresh
			V SA 500 101 => syn_recv
			V A 501 120 "reply" => established opened added`},
		{"refused", `
			C S 100 0 => syn_sent fresh
			V RA 0 101 => closed ended`},
		{"refused for another syn", `
			C S 100 0 => syn_sent fresh
			V RA 0 77 => syn_sent rst_invalid_ack
			V SA 500 101 => syn_recv`},
		{"simultaneous open", `
			C S 100 0 => syn_sent fresh
			V S 500 0 => syn_sent
			C SA 100 501 => syn_recv
			V SA 500 101 => syn_recv
			V A 501 101 "hi" => established opened added
			C A 101 503 => established`},
		{"split handshake", `
			C S 100 0 => syn_sent fresh
			V S 500 0 => syn_sent
			C SA 100 777 => syn_sent invalid 4whs_synack_with_wrong_ack
			C SA 120 501 => syn_sent invalid 4whs_synack_with_wrong_syn
			C SA 100 501 => syn_recv
			V A 600 101 => syn_recv invalid 4whs_wrong_seq
			V A 501 999999999 => syn_recv invalid pkt_invalid_ack 4whs_invalid_ack
			V A 501 101 => established opened`},
		{"fin and syn", `
			C SF 100 0 => none invalid fin_syn fin_but_no_session`},
		{"no session", `
			C RA 100 1 => none invalid rst_but_no_session
			C FA 100 1 => none invalid fin_but_no_session
			C A 100 1 "data" => none ignored
			V SA 100 1 => none ignored`},
		{"broken ack", `
			C S 100 7 => syn_sent fresh pkt_broken_ack`},
		{"answers with timestamps nobody offered", `
			C S 100 0 => syn_sent fresh
			V RA 0 101 ts=100 => syn_sent invalid pkt_invalid_timestamp
			V FA 0 101 ts=100 => syn_sent invalid pkt_invalid_timestamp
			V SA 500 101 => syn_recv`},
		{"data in the syn, taken", `
			C S 100 0 "query" => syn_sent fresh
			V SA 500 106 => syn_recv
			C A 106 501 => established opened`},
		{"data in the syn, not taken", `
			C S 100 0 "query" => syn_sent fresh
			V SA 500 101 => syn_recv
			C A 101 501 "query" => established opened added`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { script(t, stream.DefaultOptions(), tt.text) })
	}
}

func TestEstablished(t *testing.T) {
	tests := []struct{ name, text string }{
		{"syn again", shake + `
			C S 100 0 => established invalid est_syn_resend
			C S 101 0 => established invalid est_syn_resend_diff_seq
			V S 500 0 => established invalid est_syn_toclient
			C SA 100 501 => established invalid est_synack_toserver
			V SA 500 101 => established
			V SA 500 102 => established invalid est_synack_resend_with_different_ack
			V SA 501 101 => established invalid est_synack_resend_with_diff_seq
			C PA 101 501 "data" => established added
			V PA 501 105 "data" => established added
			C A 105 505 => established
			V SA 500 105 => established invalid est_synack_resend`},
		{"acknowledgements", shake + `
			C A 101 999999 => established invalid pkt_invalid_ack est_invalid_ack
			C PA 101 501 "data" => established added
			V A 501 105 => established
			V A 501 103 => established ignored`},
		{"out of window", shake + `
			C A 101 501 "one" => established added
			C A 70000 501 "far" => established invalid est_packet_out_of_window`},
		{"retransmissions", shake + `
			C A 101 501 "abcd" => established added
			C A 101 501 "abcd" => established added
			V A 501 105 => established
			C A 105 501 "efgh" => established added
			V A 501 109 => established
			C A 101 501 "abcd" => established retransmission added pkt_spurious_retransmission
			C A 107 501 "ghij" => established added`},
		{"other bytes", shake + `
			C A 101 501 "abcd" => established added
			C A 101 501 "abXd" => established added reassembly_overlap_different_data`},
		{"keep-alive", shake + `
			C A 101 501 "abcd" => established added
			V A 501 105 => established
			C A 104 501 => established ignored keepalive
			V A 501 105 => established ignored keepalive
			C A 104 501 "d" => established ignored keepalive
			V A 501 105 => established ignored keepalive
			C A 105 501 "e" => established added`},
		{"zero window probe", shake + `
			C A 101 501 "abcd" => established added
			V A 501 105 win=0 => established
			C A 105 501 "e" => established added
			V A 501 105 win=0 => established
			V A 501 105 win=1000 => established
			C A 105 501 "efgh" => established added`},
		{"bad window update", shake + `
			C A 101 501 "abcd" => established added
			V A 501 105 win=9000 => established
			V A 600 200 win=10 => established ignored pkt_bad_window_update`},
		{"gap", shake + `
			C A 101 501 "abcd" => established added
			C A 109 501 "ijkl" => established added
			V A 501 113 => established reassembly_seq_gap`},
		{"acknowledged before it was seen", shake + `
			V A 501 105 => established
			C A 101 501 "abcd" => established added pkt_spurious_retransmission
			V A 501 105 => established`},
		{"reset behind a hole", shake + `
			C A 101 501 "abcd" => established added
			C A 111 501 "efgh" => established added
			V A 501 115 => established reassembly_seq_gap
			C RA 900 501 => closed ended`},
		{"reset", shake + `
			C R 101 0 => closed ended
			V A 501 101 "more" => closed`},
		{"reset out of sequence", shake + `
			V R 700 0 => established
			V R 501 0 => closed ended`},
		{"reset with a wrong acknowledgement", shake + `
			V RA 501 999999 => established pkt_invalid_ack rst_invalid_ack`},
		{"reset by somebody else", shake + `
			C RA 101 501 => closed ended
			C A 101 501 "alive" => established suspected_rst_inject added
			V A 501 106 => established`},
		{"reset with data", shake + `
			C RA 101 501 "denied" => closed ended added`},
		{"fin", shake + `
			V FA 501 999999 => established invalid pkt_invalid_ack fin_invalid_ack
			V FA 90000 101 => established invalid fin_out_of_window
			V FA 501 101 => fin_wait1`},
		{"segment before the first", shake + `
			V A 501 101 => established
			C A 90 501 "ten-bytes-" => established retransmission added pkt_spurious_retransmission`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { script(t, stream.DefaultOptions(), tt.text) })
	}
}

func TestClosing(t *testing.T) {
	tests := []struct{ name, text string }{
		{"the server closes first", shake + `
			V FA 501 101 => fin_wait1
			C A 101 502 => fin_wait2
			C PA 101 502 "rest" => fin_wait2 added
			V A 502 105 => fin_wait2
			C FA 105 502 => time_wait
			V A 502 106 => closed ended`},
		{"the client closes first", shake + `
			C FA 101 501 => close_wait
			V A 501 102 => close_wait
			V PA 501 102 "rest" => close_wait added
			C A 102 505 => close_wait
			V FA 505 102 => last_ack
			C A 102 506 => closed ended`},
		{"both at once", shake + `
			V FA 501 101 => fin_wait1
			C FA 101 501 => closing
			C A 102 502 => time_wait
			V A 502 102 => closed ended`},
		{"fin with the acknowledgement of the other fin", shake + `
			V FA 501 101 => fin_wait1
			C FA 101 502 => time_wait
			V A 502 102 => closed ended`},
		{"fin again", shake + `
			C FA 101 501 => close_wait
			C FA 101 501 => close_wait
			V FA 501 102 => last_ack
			V FA 501 102 => last_ack
			C A 102 502 => closed ended`},
		{"syn", shake + `
			C FA 101 501 => close_wait
			C S 900 0 => close_wait invalid shutdown_syn_resend`},
		{"close_wait", shake + `
			C FA 101 501 => close_wait
			V A 90000 102 "x" => close_wait invalid closewait_ack_out_of_window
			V FA 90000 102 => close_wait invalid closewait_fin_out_of_window
			V A 501 999999 => close_wait invalid pkt_invalid_ack closewait_invalid_ack
			V PA 501 102 "abcd" => close_wait added
			C A 102 505 => close_wait
			V PA 501 102 "abcd" => close_wait retransmission added pkt_spurious_retransmission`},
		{"fin_wait1", shake + `
			V FA 501 101 => fin_wait1
			C A 90000 502 "x" => fin_wait1 invalid fin1_ack_wrong_seq
			C FA 90000 502 => fin_wait1 invalid fin1_fin_wrong_seq
			C A 101 999999 => fin_wait1 invalid pkt_invalid_ack fin1_invalid_ack`},
		{"fin_wait2", shake + `
			V FA 501 101 => fin_wait1
			C A 101 502 => fin_wait2
			C A 90000 502 "x" => fin_wait2 invalid fin2_ack_wrong_seq
			C FA 90000 502 => fin_wait2 invalid fin2_fin_wrong_seq
			C A 101 999999 => fin_wait2 invalid pkt_invalid_ack fin2_invalid_ack`},
		{"closing", shake + `
			V FA 501 101 => fin_wait1
			C FA 101 501 => closing
			C A 150 502 => closing invalid closing_ack_wrong_seq
			C A 102 999999 => closing invalid pkt_invalid_ack closing_invalid_ack`},
		{"last_ack", shake + `
			C FA 101 501 => close_wait
			V FA 501 102 => last_ack
			C A 150 502 => last_ack invalid lastack_ack_wrong_seq
			C A 102 999999 => last_ack invalid pkt_invalid_ack lastack_invalid_ack
			C R 102 0 => closed ended`},
		{"time_wait", shake + `
			V FA 501 101 => fin_wait1
			C FA 101 502 => time_wait
			C FA 101 502 => time_wait
			V A 550 102 => time_wait invalid timewait_ack_wrong_seq
			V A 502 999999 => time_wait invalid pkt_invalid_ack timewait_invalid_ack`},
		{"fin during the handshake", `
			C S 100 0 => syn_sent fresh
			V SA 500 101 => syn_recv
			C FA 101 501 => close_wait opened`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { script(t, stream.DefaultOptions(), tt.text) })
	}
}

func TestTimestamps(t *testing.T) {
	tests := []struct {
		name   string
		policy stream.Policy
		text   string
	}{
		{"wrapped sequence numbers", stream.PolicyBSD, `
			C S 100 0 ts=1000 => syn_sent fresh
			V SA 500 101 ts=5000 => syn_recv
			C A 101 501 ts=1001 => established opened
			C A 101 501 ts=999 "old" => established invalid pkt_invalid_timestamp
			C A 101 501 ts=1001 "new" => established added`},
		{"linux takes one less", stream.PolicyLinux, `
			C S 100 0 ts=1000 => syn_sent fresh
			V SA 500 101 ts=5000 => syn_recv
			C A 101 501 ts=1001 => established opened
			C A 101 501 ts=1000 "old" => established added`},
		{"not offered by both", stream.PolicyBSD, `
			C S 100 0 => syn_sent fresh
			V SA 500 101 ts=5000 => syn_recv
			C A 101 501 ts=1001 => established opened
			C A 101 501 ts=999 "old" => established added`},
		{"zero later", stream.PolicyBSD, `
			C S 100 0 ts=1000 => syn_sent fresh
			V SA 500 101 ts=5000 => syn_recv
			C A 101 501 ts=1001 => established opened
			C A 101 501 ts=0 "old" => established invalid pkt_invalid_timestamp`},
		{"after 24 days the timestamp is void", stream.PolicyBSD, `
			C S 100 0 ts=1000 => syn_sent fresh
			V SA 500 101 ts=5000 => syn_recv
			C A 101 501 ts=1001 => established opened
			C A 101 501 ts=7 "late" after=25 => established added`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := stream.DefaultOptions()
			o.OSDefault = tt.policy
			script(t, o, tt.text)
		})
	}
}

func TestMidstream(t *testing.T) {
	tests := []struct {
		name       string
		mid, async bool
		text       string
	}{
		{"data first", true, false, `
			C PA 100 500 "data" => established opened fresh midstream added
			V A 500 104 => established
			V PA 500 104 "answer" => established added
			C A 104 506 => established`},
		{"synack first", true, false, `
			C SA 500 101 => syn_recv turn fresh midstream
			V A 101 501 => established opened
			V PA 101 501 "hi" => established added
			C A 501 103 => established`},
		{"only the server after its synack", true, false, `
			C SA 500 101 => syn_recv turn fresh midstream
			C PA 501 140 "answer" => established opened added
			C FA 507 140 => fin_wait1`},
		{"fin with data", true, false, `
			C FPA 100 500 "bye" => fin_wait1 opened fresh midstream added`},
		{"only the client", false, true, `
			C S 100 0 => syn_sent fresh
			C A 110 501 => syn_sent invalid 3whs_async_wrong_seq
			C A 101 501 => established opened
			C PA 101 501 "request" => established added
			C PA 108 700 "more" => established added
			C FA 112 900 => close_wait`},
		{"the client goes on, but async is not expected", false, false, `
			C S 100 0 => syn_sent fresh
			C A 101 501 => syn_sent
			C PA 101 501 "request" => syn_sent`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := stream.DefaultOptions()
			o.Midstream, o.AsyncOneside = tt.mid, tt.async
			script(t, o, tt.text)
		})
	}
}

func TestEventNames(t *testing.T) {
	seen := map[string]stream.Event{}
	for e := range stream.NumEvents {
		name := e.String()
		if other, ok := seen[name]; ok || name == "" {
			t.Errorf("event %d is called %q, as is %d", e, name, other)
		}
		seen[name] = e
	}
}

// TestSynData: data of a SYN is shown when the answer takes it, or at the end when
// it came with a fast open cookie.
func TestSynData(t *testing.T) {
	for _, taken := range []bool{true, false} {
		e := newEngine(t, stream.DefaultOptions())
		var s stream.Session
		e.Packet(&s, seg(100, 0, packet.SYN, []byte("query")), 0)
		want := ""
		if taken {
			e.Packet(&s, seg(500, 106, packet.SYN|packet.ACK, nil), 1)
			want = "query"
		}
		if got := string(drainApp(&s, 0, nil)); got != want {
			t.Errorf("taken %v: App = %q, want %q", taken, got, want)
		}
		e.Finish(&s)
		if got := string(drainApp(&s, 0, nil)); got != "" {
			t.Errorf("taken %v: at the end App = %q", taken, got)
		}
		if w, ok := s.Raw(0); ok && !taken {
			t.Errorf("Raw = %q", w.Data)
		}
	}
}
