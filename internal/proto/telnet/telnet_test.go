package telnet_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/telnet"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

type piece struct {
	dir  proto.Dir
	data string
	gap  int
}

// follow feeds a session and returns the frames as the last piece left them: direction,
// type, offset and length.
func follow(tb testing.TB, size int, ps ...piece) []string {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, nil, telnet.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 23})
	var out []string
	// The frames stay with the flow until they are closed: the runner drops them.
	frames := map[string]string{}
	var order []string
	note := func() {
		for _, f := range r.Conn.Frames {
			k := fmt.Sprint(f.Dir, f.ID, f.Type)
			if _, ok := frames[k]; !ok {
				order = append(order, k)
			}
			frames[k] = fmt.Sprintf("%s %s %d+%d", [...]string{"C", "S"}[f.Dir], f.Type, f.Offset, f.Len)
		}
	}
	var buf [2]string
	var off [2]uint64
	for _, p := range ps {
		if p.gap > 0 {
			off[p.dir] += uint64(len(buf[p.dir]) + p.gap)
			buf[p.dir] = ""
			r.Conn.Gap(p.dir, p.gap)
			note()
			continue
		}
		for data := p.data; len(data) > 0; {
			n := len(data)
			if size > 0 {
				n = min(n, size)
			}
			buf[p.dir] += data[:n]
			data = data[n:]
			used, _ := r.Conn.Feed(p.dir, []byte(buf[p.dir]), off[p.dir], false)
			buf[p.dir], off[p.dir] = buf[p.dir][used:], off[p.dir]+uint64(used)
			note()
			r.Conn.DropFrames(p.dir, off[p.dir], false)
		}
	}
	for _, k := range order {
		out = append(out, frames[k])
	}
	return out
}

// TestFrames checks that a session falls into commands and pieces of text, however it
// is cut.
func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []piece
		want string
	}{
		{"options", []piece{{dir: up, data: "\xff\xfb\x18\xff\xfd\x03"}, {dir: down, data: "\xff\xfa\x18\x01\xff\xf0\xff\xf1"}}, "C stream 0+-1|C pdu 0+3|C ctl 0+3|C pdu 3+3|C ctl 3+3|" +
			"S stream 0+-1|S pdu 0+4|S ctl 0+4|S pdu 4+2|S ctl 4+2|S pdu 6+2|S ctl 6+2"},
		{"login", []piece{{dir: down, data: "login: "}, {dir: up, data: "bob\r\n"}, {dir: down, data: "Password: "}, {dir: up, data: "x\r\n"}, {dir: down, data: "hi\r\n$ "}},
			"S stream 0+-1|S pdu 0+7|S data 0+7|C stream 0+-1|C pdu 0+5|C data 0+5|S pdu 7+10|S data 7+10|C pdu 5+3|C data 5+3|S pdu 17+4|S data 17+4|S pdu 21+-1|S data 21+-1"},
		{"no end", []piece{{dir: up, data: "\xff\xfb\x18abc"}}, "C stream 0+-1|C pdu 0+3|C ctl 0+3|C pdu 3+-1|C data 3+-1"},
	} {
		for _, size := range []int{0, 1, 2, 5} {
			got := follow(t, size, c.in...)
			// Frames of both sides of a piece come in the same order; those of small
			// pieces may be opened before they are closed.
			if strings.Join(got, "|") != c.want {
				t.Errorf("%s, pieces of %d:\n%s\nwant\n%s", c.name, size, strings.Join(got, "|"), c.want)
			}
		}
	}
}

// TestGap checks that what follows a hole begins anew, and that a frame whose end was
// lost is dropped.
func TestGap(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, nil, telnet.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 23})
	r.Conn.Feed(up, []byte("\xff\xfb\x18abc"), 0, false)
	r.Conn.Gap(up, 10)
	for _, f := range r.Conn.Frames {
		if f.Len < 0 && f.Type != "stream" {
			t.Errorf("frame %+v is open", f)
		}
	}
	r.Conn.Feed(up, []byte("def\r\n"), 16, false)
	if f := r.Conn.Frames[len(r.Conn.Frames)-1]; f.Type != "data" || f.Offset != 16 || f.Len != 5 {
		t.Errorf("behind the hole: %+v", f)
	}
}

// TestBounds checks that text without a line end ends at the bound.
func TestBounds(t *testing.T) {
	got := follow(t, 1000, piece{dir: up, data: strings.Repeat("x", 40_000)})
	want := "C stream 0+-1|C pdu 0+16384|C data 0+16384|C pdu 16384+16384|C data 16384+16384|C pdu 32768+-1|C data 32768+-1"
	if size := strings.Join(got, "|"); size != want {
		t.Errorf("%s, want %s", size, want)
	}
}

func TestProbe(t *testing.T) {
	p := telnet.Protocol()
	for in, want := range map[string]proto.Match{
		"\xff": proto.More, "\xff\xfd": proto.Yes, "login: ": proto.Yes, "logi": proto.More, "a\r\n": proto.Yes, "": proto.More,
	} {
		if got := p.Probe(down, []byte(in), proto.Hint{}); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
	if !slices.Equal(p.ProbePorts, []uint16{23}) {
		t.Errorf("looked for on ports %v", p.ProbePorts)
	}
}

// TestCost checks that bytes that come one by one cost no more than their number.
func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 23}
	load := func(name string, piece int, text string) prototest.Load {
		return prototest.Load{Name: name, N: 1000, Piece: piece, Hint: hint, NoTx: true, Flow: func(n int) []prototest.Chunk {
			return []prototest.Chunk{{Dir: up, Data: []byte("\xff\xfb\x18" + strings.Repeat(text, n))}}
		}}
	}
	prototest.Cost(t, prototest.Table(t, nil, telnet.Protocol()),
		load("commands", 0, "\xff\xfb\x01"),
		load("lines", 1, "line of text\r\n"),
		load("no line end", 1, "xxxxxxxx"),
		load("no end of a subnegotiation", 1, "\xff\xfa\x18"),
	)
}

// FuzzStream checks that frames of any bytes are the same whether these come at once or
// in pieces, and that one begins where the one before ended.
func FuzzStream(f *testing.F) {
	f.Add("\xff\xfb\x18\xff\xfa\x18\x00xterm\xff\xf0bob\r\n", "\xff\xfd\x18login: \xff\xf1", uint8(2))
	f.Add("\xff\xff\xff\xfa\xff\xff\xff\xf0", "Password: \r\n", uint8(1))
	f.Fuzz(func(t *testing.T, client, server string, size uint8) {
		if len(client)+len(server) > 1<<12 {
			t.Skip()
		}
		ps := []piece{{dir: down, data: "\xff\xfd\x18"}, {dir: up, data: "\xff\xfb\x18"}, {dir: up, data: client}, {dir: down, data: server}}
		whole, cut := follow(t, 0, ps...), follow(t, int(size)+1, ps...)
		if len(whole) > proto.MaxFrames/2 {
			t.Skip() // frames beyond the bound are not noted
		}
		if !slices.Equal(whole, cut) {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}
