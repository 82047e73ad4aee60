package pop3_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/pop3"
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

// session turns lines into pieces: those that begin with "C: " are the client's.
func session(lines ...string) []piece {
	var ps []piece
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(l, "C: "); ok {
			ps = append(ps, piece{up, rest + "\r\n"})
		} else {
			ps = append(ps, piece{down, l + "\r\n"})
		}
	}
	return ps
}

func run(tb testing.TB, size int, ps []piece, set ...string) *prototest.Runner {
	tb.Helper()
	s := prototest.Settings{}
	for i := 0; i+1 < len(set); i += 2 {
		s[set[i]] = set[i+1]
	}
	r := prototest.NewRunner(prototest.Table(tb, s, pop3.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 110})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, size)
	}
	r.Finish()
	return r
}

// brief writes the records of r, one per line: command, arguments, "=", status, header, data; events.
func brief(tb testing.TB, r *prototest.Runner) string {
	tb.Helper()
	var out strings.Builder
	for i := range r.Records {
		m := r.Records[i].Map(tb)
		if q, ok := m["request"].(map[string]any); ok {
			fmt.Fprint(&out, q["command"], q["args"])
		}
		if a, ok := m["response"].(map[string]any); ok {
			fmt.Fprint(&out, " = ", a["status"], " ", a["header"], " ", a["data"])
			if (a["status"] == "OK") != (a["success"] == true) {
				tb.Errorf("status %v, success %v", a["status"], a["success"])
			}
		}
		if len(r.Records[i].Events) > 0 {
			fmt.Fprint(&out, " !", strings.Join(r.Records[i].Events, ","))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func TestSessions(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []piece
		want []string
	}{
		{"login", session("+OK hi", "C: user bob", "+OK", "C: PASS a b", "-ERR no", "C: QUIT", "+OK bye"), []string{
			" = OK hi []", "user[bob] = OK  []", "PASS[a b] = ERR no [] !incorrect_argument_count", "QUIT[] = OK bye []"}},
		{"unknown command", session("+OK hi", "C: XYZ q", "-err what"), []string{" = OK hi []", "XYZ[q] = ERR what [] !unknown_command"}},
		{"lists", session("+OK hi", "C: LIST", "+OK 2 messages", "1 120", "..x", ".", "C: LIST 1", "+OK 1 120", "C: UIDL", "-ERR", "C: CAPA", "+OK", "TOP", "."), []string{
			" = OK hi []", "LIST[] = OK 2 messages [1 120 .x]", "LIST[1] = OK 1 120 []", "UIDL[] = ERR  []", "CAPA[] = OK  [TOP]"}},
		{"mails", session("+OK hi", "C: RETR 1", "+OK 30 octets", "Subject: x", "", "-ERR is text", ".", "C: RETR 2", "-ERR none", "C: TOP 1 0", "+OK", "Subject: y", "", ".", "C: NOOP", "+OK"), []string{
			" = OK hi []", "RETR[1]", "RETR[2] = ERR none []", "TOP[1 0] = OK  [Subject: y ]", "NOOP[] = OK  []"}},
		{"pipelining", session("+OK hi", "C: USER bob\r\nPASS x\r\nSTAT", "+OK\r\n+OK\r\n+OK 0 0"), []string{
			" = OK hi []", "USER[bob] = OK  []", "PASS[x] = OK  []", "STAT[] = OK 0 0 []"}},
		{"auth", session("+OK hi", "C: AUTH", "+OK", "PLAIN", ".", "C: AUTH LOGIN", "+ VXNlcm5hbWU6", "C: Ym9i", "+ UGFzc3dvcmQ6", "C: c2VjcmV0", "+OK in", "C: STAT", "+OK 0 0"), []string{
			" = OK hi []", "AUTH[] = OK  [PLAIN] !incorrect_argument_count", "AUTH[LOGIN] = OK VXNlcm5hbWU6 []", "<SASL DATA>[] = OK UGFzc3dvcmQ6 []", "<SASL DATA>[] = OK in []", "STAT[] = OK 0 0 []"}},
		{"long lines", session("+OK hi", "C: USER "+strings.Repeat("a", 249), "+OK "+strings.Repeat("b", 506), "C: USER "+strings.Repeat("a", 250), "+OK "+strings.Repeat("b", 506)), []string{
			" = OK hi []", "USER[" + strings.Repeat("a", 249) + "] = OK " + strings.Repeat("b", 506) + " []",
			"USER[" + strings.Repeat("a", 250) + "] = OK " + strings.Repeat("b", 506) + " [] !request_too_long"}},
		{"long response", session("+OK hi", "C: NOOP", "+OK "+strings.Repeat("b", 600)), []string{" = OK hi []", "NOOP[] = OK " + strings.Repeat("b", 600) + " [] !response_too_long"}},
		{"not asked for", session("+OK hi", "+OK again", "C: STAT", "junk", "+OK 0 0"), []string{" = OK hi []", " = OK again []", "STAT[] = OK 0 0 []"}},
		{"bare LF", []piece{{down, "+OK hi\n"}, {up, "USER bob\n"}, {down, "+OK\n"}}, []string{" = OK hi []", "USER[bob] = OK  []"}},
		{"digits", session("+OK hi", "C: UTF8", "+OK"), []string{" = OK hi []", "UTF8[] = OK  [] !unknown_command"}},
		{"no answer", session("+OK hi", "C: USER bob"), []string{" = OK hi []", "USER[bob]"}},
	} {
		want := strings.Join(c.want, "\n") + "\n"
		for _, size := range []int{0, 1, 3, 7} {
			if got := brief(t, run(t, size, c.in)); got != want {
				t.Errorf("%s, pieces of %d:\n%swant\n%s", c.name, size, got, want)
			}
		}
	}
}

// TestTLS checks that what follows STLS is not read.
func TestTLS(t *testing.T) {
	in := append(session("+OK hi", "C: STLS", "+OK go"), piece{up, "USER bob\r\n"}, piece{down, "+OK\r\n"})
	for _, size := range []int{0, 1} {
		r := run(t, size, in)
		got := brief(t, r)
		if want := " = OK hi []\nSTLS[] = OK go []\n"; !strings.HasPrefix(got, want) || r.Conn.Table.Name(r.Conn.Orig) != "pop3" {
			t.Errorf("pieces of %d: orig %q, %s", size, r.Conn.Table.Name(r.Conn.Orig), got)
		}
	}
	if got := brief(t, run(t, 0, session("+OK hi", "C: STLS", "-ERR no", "C: STAT", "+OK 0 0"))); !strings.Contains(got, "STAT[] = OK 0 0 []") {
		t.Errorf("refused: %s", got)
	}
}

// TestGaps checks that responses are not given to the wrong command behind a hole.
func TestGaps(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, nil, pop3.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 110})
	feed := func(ps ...piece) {
		for _, p := range ps {
			r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, 0)
		}
	}
	feed(session("+OK hi", "C: USER bob", "+OK", "C: PASS x")...)
	r.Feed(prototest.Chunk{Dir: down, Gap: 20}, 0)
	feed(session("C: STAT", "+OK 0 0")...)
	r.Feed(prototest.Chunk{Dir: up, Gap: 20}, 0)
	feed(session("C: of a line", "C: NOOP", "+OK")...)
	r.Finish()
	want := " = OK hi []\nUSER[bob] = OK  []\nPASS[x]\nSTAT[] = OK 0 0 []\nNOOP[] = OK  []\n"
	if got := brief(t, r); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestProbe(t *testing.T) {
	p := pop3.Protocol()
	for _, c := range []struct {
		dir  proto.Dir
		in   string
		want proto.Match
	}{
		{down, "+", proto.More}, {down, "+O", proto.More}, {down, "+OK", proto.More}, {down, "+OK ", proto.Yes}, {down, "+OK\r\n", proto.Yes},
		{down, "-ERR busy", proto.Yes}, {down, "+OKAY ", proto.No}, {down, "220 ftp", proto.No}, {down, "+\n", proto.No}, {down, "\x16\x03", proto.No},
		{up, "USER bob\r\n", proto.Yes}, {up, "USER bob", proto.More}, {up, "UTF8\r\n", proto.Yes}, {up, "8UTF\r\n", proto.No}, {up, "\r\n", proto.No},
		{up, "\x16\x03\x01", proto.No}, {up, "GET / HTTP/1.1", proto.More}, {up, strings.Repeat("A", 17), proto.No},
	} {
		if got := p.Probe(c.dir, []byte(c.in), proto.Hint{}); got != c.want {
			t.Errorf("%v %q: %v, want %v", c.dir, c.in, got, c.want)
		}
	}
	// Its words say too little to look for it on other ports.
	r := prototest.NewRunner(prototest.Table(t, nil, pop3.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 1100})
	r.Feed(prototest.Chunk{Dir: down, Data: []byte("+OK hi there, all of you\r\n")}, 0)
	if r.Finish(); r.Conn.App == r.Conn.Table.ByName("pop3") {
		t.Error("recognised on another port")
	}
}

// TestTooMany checks that commands that nobody answers are completed at the limit.
func TestTooMany(t *testing.T) {
	in := session("+OK hi")
	for range 10 {
		in = append(in, session("C: NOOP")...)
	}
	r := run(t, 0, in, "max-tx", "4")
	if got := strings.Count(brief(t, r), "too_many_transactions"); got != 10 || r.Conn.TxOverflow != 2 {
		t.Errorf("%d commands were completed at the limit in %d goes, want 10 in 2", got, r.Conn.TxOverflow)
	}
}

// TestBounds checks that long lists, long lines and many arguments cost bounded memory.
func TestBounds(t *testing.T) {
	var hits uint64
	list := func(n int, line string) []any {
		in := session("+OK hi", "C: LIST", "+OK")
		for range n {
			in = append(in, piece{down, line + "\r\n"})
		}
		r := run(t, 0, append(in, session(".", "C: NOOP", "+OK")...))
		hits = r.Hits(t, "pop3", "response_lines")
		if last := r.Records[len(r.Records)-1].Map(t); fmt.Sprint(last["request"]) != "map[args:[] command:NOOP]" || last["response"] == nil {
			t.Errorf("behind a list of %d: %v", n, last)
		}
		return r.Records[1].Map(t)["response"].(map[string]any)["data"].([]any)
	}
	if got := len(list(5000, "1 1")); got != 4096 || hits != 5000-4096 {
		t.Errorf("%d lines were kept, want 4096; %d counted", got, hits)
	}
	if got := len(list(100, strings.Repeat("x", 1000))); got != 65 || hits != 35 {
		t.Errorf("%d lines of 1000 bytes were kept, want 65; %d counted", got, hits)
	}
	if got := list(1, strings.Repeat("x", 100_000))[0].(string); len(got) != pop3.MaxLine {
		t.Errorf("%d bytes of a line were kept, want %d", len(got), pop3.MaxLine)
	}
	r := run(t, 0, session("+OK hi", "C: USER"+strings.Repeat(" a", 1000), "+OK"))
	if got := len(r.Records[1].Map(t)["request"].(map[string]any)["args"].([]any)); got != 64 || r.Hits(t, "pop3", "arguments") != 1000-64 {
		t.Errorf("%d arguments were kept, want 64; %d counted", got, r.Hits(t, "pop3", "arguments"))
	}
}

// TestSettings checks that a bad list of ports is refused and a good one heeded.
func TestSettings(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, prototest.Settings{"detection-ports.dp": "1100"}, pop3.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 1100})
	r.Feed(prototest.Chunk{Dir: down, Data: []byte("+OK hi\r\n")}, 0)
	if r.Finish(); r.Conn.App != r.Conn.Table.ByName("pop3") {
		t.Error("not recognised on the port of the settings")
	}
	p := pop3.Protocol()
	if depth, ok := p.StreamDepth(prototest.Settings{}); depth != 0 || !ok {
		t.Errorf("stream depth %d, %v", depth, ok)
	}
	if depth, ok := p.StreamDepth(prototest.Settings{"stream-depth": "5"}); depth != 5 || !ok {
		t.Errorf("stream depth %d, %v, want 5", depth, ok)
	}
}

// TestCaptures compares the records of public captures with those of Suricata, which
// stops following a session at the first mail.
func TestCaptures(t *testing.T) {
	tab := prototest.Table(t, nil, pop3.Protocol())
	for _, c := range []struct {
		name string
		want []string
	}{
		{"zeek+zeek/testing/btest/Traces/pop3/pop3.pcap", []string{"AUTH[] = ERR", "RETR[1]\n", "QUIT[] = OK POP server signing off []"}},
		{"zeek+zeek/testing/btest/Traces/tls/pop3-starttls.pcap", []string{"STLS[] = OK Begin TLS negotiation now []"}},
	} {
		var all strings.Builder
		for _, f := range prototest.Flows(t, prototest.Shared(t, "data", "captures", c.name)) {
			all.WriteString(brief(t, prototest.RunFlow(tab, f, 0)))
		}
		for _, w := range c.want {
			if !strings.Contains(all.String(), w) {
				t.Errorf("%s lacks %q:\n%s", c.name, w, all.String())
			}
		}
	}
}

// TestCost checks that lines that come byte by byte, commands that wait and lists cost no
// more than their length.
func TestCost(t *testing.T) {
	chunks := func(ps ...piece) []prototest.Chunk {
		out := []prototest.Chunk{{Dir: down, Data: []byte("+OK hi\r\n")}}
		for _, p := range ps {
			out = append(out, prototest.Chunk{Dir: p.dir, Data: []byte(p.data)})
		}
		return out
	}
	hint := proto.Hint{SrcPort: 4000, DstPort: 110}
	prototest.Cost(t, prototest.Table(t, nil, pop3.Protocol()),
		prototest.Load{Name: "commands", N: 1000, Hint: hint, Flow: func(n int) []prototest.Chunk {
			var ps []piece
			for range n {
				ps = append(ps, piece{up, "NOOP\r\n"}, piece{down, "+OK\r\n"})
			}
			return chunks(ps...)
		}},
		prototest.Load{Name: "commands that wait", N: 1000, Hint: hint, PerByte: 4000, Flow: func(n int) []prototest.Chunk {
			return chunks(piece{up, strings.Repeat("NOOP\r\n", n)}, piece{down, strings.Repeat("+OK\r\n", n)})
		}},
		prototest.Load{Name: "one byte at a time", N: 2000, Piece: 1, Hint: hint, Flow: func(n int) []prototest.Chunk {
			return chunks(piece{up, "RETR 1\r\n"}, piece{down, "+OK\r\n" + strings.Repeat("x", n) + "\r\n.\r\n"})
		}},
		prototest.Load{Name: "list", N: 1000, Hint: hint, Flow: func(n int) []prototest.Chunk {
			return chunks(piece{up, "LIST\r\n"}, piece{down, "+OK\r\n" + strings.Repeat("1 1\r\n", n) + ".\r\n"})
		}},
	)
}

// FuzzStream checks that any bytes of both sides give valid JSON, the same whether they
// come at once or in pieces.
func FuzzStream(f *testing.F) {
	f.Add("USER bob\r\nPASS x\r\n", "+OK\r\n-ERR no\r\n", uint8(3))
	f.Add("LIST\r\nAUTH PLAIN\r\nAGJvYg==\r\n", "+OK\r\n1 1\r\n.\r\n+ \r\n+OK\r\n", uint8(1))
	f.Add("RETR 1\r\nQUIT\r\n", "+OK\r\nA: b\r\n\r\n..\r\n.\r\n+OK\r\n", uint8(5))
	f.Add("STLS\r\n\x16\x03\x01", "+OK\r\n\x16\x03\x01", uint8(2))
	f.Fuzz(func(t *testing.T, client, server string, size uint8) {
		in := []piece{{down, "+OK hi\r\n"}, {up, "NOOP\r\n"}}
		qs, as := strings.SplitAfter(client, "\n"), strings.SplitAfter(server, "\n")
		for i := range max(len(qs), len(as)) {
			if i < len(qs) {
				in = append(in, piece{up, qs[i]})
			}
			if i < len(as) {
				in = append(in, piece{down, as[i]})
			}
		}
		one := func(size int) []string {
			r := run(t, size, in, "max-tx", "8")
			var out []string
			for i := range r.Records {
				r.Records[i].Map(t)
				out = append(out, r.Records[i].JSON+strings.Join(r.Records[i].Events, " "))
			}
			return out
		}
		if whole, cut := one(0), one(int(size)+1); !slices.Equal(whole, cut) {
			t.Fatalf("pieces of %d give\n%q\nthe whole gives\n%q", int(size)+1, cut, whole)
		}
	})
}
