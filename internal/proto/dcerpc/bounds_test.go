package dcerpc_test

import (
	"bytes"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/dcerpc"
	"mirador/internal/proto/prototest"
)

// Stub data is kept up to max-stub-size for each direction of a call; the rest is
// counted.
func TestStubLimit(t *testing.T) {
	r := runWith(t, 0, false, prototest.Settings{"max-stub-size": "10"}, c2s(request(first, 1, 0, 1, "12345678")+request(last, 1, 0, 1, "90abcdef")))
	tx := r.Records[0].Tx.(*dcerpc.Tx)
	if string(tx.Stub[0]) != "1234567890" || tx.StubCut[0] != 6 || tx.Frags[0] != 2 {
		t.Errorf("%q is kept, %d cut, %d fragments", tx.Stub[0], tx.StubCut[0], tx.Frags[0])
	}
	if n := r.Hits(t, "dcerpc", "stub"); n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// All calls of a flow together hold MaxFlowStub; when some end, others may have more.
func TestFlowStub(t *testing.T) {
	const piece = 60_000
	r := prototest.NewRunner(prototest.Table(t, nil, dcerpc.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 135})
	held := func() (n int) {
		for _, tx := range r.Conn.Txs {
			n += len(tx.(*dcerpc.Tx).Stub[0])
		}
		return n
	}
	for i := range 300 {
		r.Feed(c2s(request(first, i, 0, 1, strings.Repeat("x", piece))), 0)
		if n := held(); n > dcerpc.MaxFlowStub {
			t.Fatalf("%d bytes are held", n)
		}
	}
	if n := held(); n < dcerpc.MaxFlowStub-piece {
		t.Errorf("only %d bytes are held", n)
	}
	for i := range 100 { // these end
		r.Feed(c2s(request(last, i, 0, 1, "y")), 0)
		r.Feed(s2c(response(whole, i, 0, "z")), 0)
	}
	r.Feed(c2s(request(first, 1000, 0, 1, strings.Repeat("x", piece))), 0)
	if tx := r.Conn.Txs[len(r.Conn.Txs)-1].(*dcerpc.Tx); len(tx.Stub[0]) != piece {
		t.Errorf("a call behind the end of others has %d bytes", len(tx.Stub[0]))
	}
}

// Calls that wait beyond max-tx end the oldest.
func TestTooMany(t *testing.T) {
	for _, udp := range []bool{false, true} {
		r := prototest.NewRunner(prototest.Table(t, prototest.Settings{"max-tx": "5"}, dcerpc.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 135, UDP: udp})
		for i := range 50 {
			in := request(whole, i, 0, 1, "x")
			if udp {
				in = dg(0, 4, 1, i, 1, "x")
			}
			r.Feed(c2s(in), 0)
			if n := len(r.Conn.Txs); n > 5 {
				t.Fatalf("%d calls wait", n)
			}
		}
		if n := len(r.Records); n != 45 {
			t.Errorf("%d calls were ended, want 45", n)
		}
		if n := r.Conn.TxOverflow; n != 45 {
			t.Errorf("%d calls were counted as ended, want 45", n)
		}
	}
}

// Contexts are bounded for a bind and for a flow.
func TestContexts(t *testing.T) {
	var list []string
	for i := range 255 {
		list = append(list, ctx(i, byte(i), 1))
	}
	r := run(t, 0, c2s(bind(1, list...)), c2s(bindOf(dcerpc.TypeAlterContext, 2, ctx(999, 0x77, 1))), c2s(request(whole, 3, 999, 1, "x")), c2s(request(whole, 4, 254, 1, "x")))
	tx := r.Records[0].Tx.(*dcerpc.Tx)
	if len(tx.Ifaces) != dcerpc.MaxContexts {
		t.Errorf("%d contexts of one bind", len(tx.Ifaces))
	}
	if n := len(r.Records[2].Tx.(*dcerpc.Tx).Ifaces); n != 0 {
		t.Error("a context beyond the bound is known")
	}
	if n := len(r.Records[3].Tx.(*dcerpc.Tx).Ifaces); n != 1 {
		t.Error("a context within the bound is not known")
	}
	if n := r.Hits(t, "dcerpc", "contexts"); n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// Ten ways to be unkind. None may stop the parser from seeing the call behind it,
// but for what can be nothing else than another protocol.
func TestHostile(t *testing.T) {
	good := request(whole, 77, 0, 7, "good")
	for name, in := range map[string]string{
		"a bind that says more than it has":        pdu(dcerpc.TypeBind, whole, 1, u16(1)+u16(1)+u32(0)+"\xff\x00\x00\x00"+ctx(0, 1, 1)),
		"a context with 255 transfer syntaxes":     pdu(dcerpc.TypeBind, whole, 1, u16(1)+u16(1)+u32(0)+"\x02\x00\x00\x00"+u16(0)+"\xff\x00"+strings.Repeat("x", 60)),
		"an empty bind":                            pdu(dcerpc.TypeBind, whole, 1, ""),
		"a bind ack from the client":               bindAck(1, 0),
		"a request of eight bytes":                 pdu(dcerpc.TypeRequest, whole, 1, "12345678"),
		"a request of seven bytes":                 pdu(dcerpc.TypeRequest, whole, 1, "1234567"),
		"fragments without a first":                request(0, 1, 0, 1, "a") + request(0, 1, 0, 1, "b"),
		"two firsts":                               request(first, 1, 0, 1, "a") + request(first, 1, 0, 1, "b"),
		"a last after the last":                    request(whole, 1, 0, 1, "a") + request(last, 1, 0, 1, "b"),
		"an unknown type":                          pdu(200, whole, 1, "x"),
		"shutdown, cancel, orphaned":               pdu(17, whole, 1, "") + pdu(18, whole, 1, "") + pdu(19, whole, 1, ""),
		"big-endian":                               "\x05\x00\x00\x03\x00\x00\x00\x00\x00\x19\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x02x",
		"a longer authentication than the message": "\x05\x00\x00\x03\x10\x00\x00\x00\x19\x00\xff\xff\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x02\x00x",
	} {
		for _, size := range []int{0, 1} {
			r := run(t, size, c2s(request(whole, 66, 0, 6, "first")+in+good))
			if got := records(r); !strings.Contains(got, `"opnum":7`) {
				t.Errorf("%s, pieces of %d: the call behind it is not seen\n%s", name, size, got)
			}
		}
	}
	// A bad datagram says nothing of those behind it.
	r := runWith(t, 0, true, nil, c2s(dg(0, 0, 1, 1, 6, "x")), c2s("junk"), c2s(dg(0, 0, 2, 1, 7, "x")))
	if got := records(r); !strings.Contains(got, `"opnum":7`) {
		t.Errorf("junk: the call behind it is not seen\n%s", got)
	}
}

func FuzzStream(f *testing.F) {
	f.Add(bind(1, ctx(0, 0x22, 3))+request(whole, 2, 0, 5, "args"), bindAck(1, 0)+response(whole, 2, 0, "r"), uint8(1), uint8(0))
	f.Add(request(first, 2, 0, 5, "ab")+request(last, 2, 0, 5, "cd"), response(first, 2, 0, "x")+response(last, 2, 0, "y"), uint8(9), uint8(20))
	f.Add(bindOf(dcerpc.TypeAlterContext, 3, ctx(1, 2, 3)), bindOf(dcerpc.TypeAlterResp, 3, ctx(1, 2, 3)), uint8(3), uint8(1))
	f.Fuzz(func(t *testing.T, a, b string, size, gap uint8) {
		if len(a)+len(b) > 1<<14 {
			t.Skip()
		}
		s := prototest.Settings{"max-tx": "8", "max-stub-size": "100"}
		in := []prototest.Chunk{c2s(request(whole, 66, 0, 6, "first")), c2s(a), s2c(b)}
		if gap > 0 {
			in = append(in, lost(down, int(gap)), s2c(b), lost(up, int(gap)), c2s(a))
		}
		one := func(size int) string {
			r := prototest.NewRunner(prototest.Table(t, s, dcerpc.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 135})
			for _, c := range in {
				keep := bytes.Clone(c.Data)
				r.Feed(c, size)
				if !bytes.Equal(keep, c.Data) {
					t.Fatal("the input was changed")
				}
				if n := len(r.Conn.Txs); n > 8 {
					t.Fatalf("%d calls wait", n)
				}
				for _, tx := range r.Conn.Txs {
					if x := tx.(*dcerpc.Tx); len(x.Stub[0]) > 100 || len(x.Stub[1]) > 100 || len(x.Ifaces) > dcerpc.MaxContexts {
						t.Fatalf("a call holds %d and %d bytes, %d contexts", len(x.Stub[0]), len(x.Stub[1]), len(x.Ifaces))
					}
				}
			}
			r.Finish()
			for i := range r.Records {
				r.Records[i].Map(t)
			}
			return records(r)
		}
		if whole, cut := one(0), one(int(size)+1); whole != cut && gap == 0 {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}

func FuzzDatagrams(f *testing.F) {
	f.Add(dg(0, 4, 1, 1, 1, "ab"), dg(2, 0, 1, 1, 1, "x"))
	f.Add(dg(0, 0, 1, 2, 3, ""), "\x04\x02")
	f.Fuzz(func(t *testing.T, a, b string) {
		r := runWith(t, 0, true, prototest.Settings{"max-tx": "4"}, c2s(dg(0, 4, 1, 9, 1, "x")), c2s(a), s2c(b), c2s(b), s2c(a))
		for i := range r.Records {
			r.Records[i].Map(t)
		}
	})
}

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 135}
	begin := c2s(request(whole, 1<<20, 0, 1, "x"))
	after := func(f func(n int) []prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, begin)
	}
	var many []string
	for i := range 100 {
		many = append(many, ctx(i, byte(i), 1))
	}
	loads := []prototest.Load{
		{Name: "calls that nobody answers", Flow: after(prototest.Cat(up, func(i int) string { return request(whole, i, 0, 1, "x") }))},
		{Name: "calls without end", Flow: after(prototest.Cat(up, func(i int) string { return request(first, i, 0, 1, "x") }))},
		{Name: "fragments of one call", Flow: after(prototest.Rep(up, request(0, 1, 0, 1, "x")))},
		{Name: "answers to nothing", Flow: after(prototest.Cat(down, func(i int) string { return response(whole, i, 0, "x") }))},
		{Name: "exchanges", N: 500, Flow: after(prototest.Turns(func(i int) (string, string) { return request(whole, i, 0, 1, "x"), response(whole, i, 0, "x") }))},
		{Name: "binds", N: 50, Held: 8 << 20, Flow: after(prototest.Rep(up, bind(1, many...)))},
		{Name: "a fragment, byte by byte", Piece: 1, Flow: after(func(n int) []prototest.Chunk {
			return []prototest.Chunk{c2s(request(whole, 1, 0, 1, strings.Repeat("x", 10*n)))}
		})},
		{Name: "half headers behind a gap", N: 3000, Piece: 100, Flow: prototest.After(prototest.Rep(up, "\x05\x00"), begin, lost(up, 10))},
		{Name: "fives behind a gap", N: 3000, Piece: 100, Flow: prototest.After(prototest.Rep(up, "\x05"), begin, lost(up, 10))},
		{Name: "empty fragments", Flow: after(prototest.Rep(up, pdu(17, whole, 1, "")))},
		{Name: "datagrams", N: 2000, Hint: proto.Hint{SrcPort: 4000, DstPort: 135, UDP: true}, Flow: prototest.Each(up, func(i int) string { return dg(0, 4, 1, i, 1, "x") })},
	}
	for i := range loads {
		if loads[i].N == 0 {
			loads[i].N = 1500
		}
		if !loads[i].Hint.UDP {
			loads[i].Hint = hint
		}
	}
	prototest.Cost(t, prototest.Table(t, nil, dcerpc.Protocol()), loads...)
}
