package smb_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/smb"
)

// Requests that wait beyond max-tx give the flow up, with an event.
func TestTooMany(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, prototest.Settings{"max-tx": "5"}, smb.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 445})
	for i := range 20 {
		r.Feed(c2s(create2(i, "f")), 0)
		if n := len(r.Conn.Txs); n > 5 {
			t.Fatalf("%d transactions wait", n)
		}
	}
	r.Finish()
	if got := records(r); !strings.Contains(got, "too_many_transactions") || r.Conn.Broken == 0 {
		t.Errorf("broken %d\n%s", r.Conn.Broken, got)
	}
}

// Each limit of reads and writes has its event.
func TestLimitEvents(t *testing.T) {
	big := strings.Repeat("x", 100)
	for _, c := range []struct {
		name, event string
		s           prototest.Settings
		in          []prototest.Chunk
	}{
		{"negotiated read size", "negotiate_max_read_size_too_large", prototest.Settings{"max-read-size": "1000"}, []prototest.Chunk{c2s(negotiate2()), s2c(negotiated2(2000, 10))}},
		{"negotiated write size", "negotiate_max_write_size_too_large", prototest.Settings{"max-write-size": "1000"}, []prototest.Chunk{c2s(negotiate2()), s2c(negotiated2(10, 2000))}},
		{"read request", "read_request_too_large", prototest.Settings{"max-read-size": "50"}, disk(c2s(create2(3, "g")), c2s(read2(4, 7, 0, 100)))},
		{"read response", "read_response_too_large", prototest.Settings{"max-read-size": "50"}, disk(c2s(read2(3, 7, 0, 10)), c2s(create2(4, "g")), s2c(got2(3, big)))},
		{"write request", "write_request_too_large", prototest.Settings{"max-write-size": "50"}, disk(c2s(create2(3, "g")), c2s(write2(4, 7, 0, big)))},
		{"write queue size", "write_queue_size_exceeded", prototest.Settings{"max-write-queue-size": "150"}, disk(c2s(write2(3, 7, 1000, big)), c2s(write2(4, 7, 2000, big)))},
		{"write queue count", "write_queue_cnt_exceeded", prototest.Settings{"max-write-queue-cnt": "2"}, disk(c2s(write2(3, 7, 1000, "x")), c2s(write2(4, 7, 2000, "x")), c2s(write2(5, 7, 3000, "x")))},
		{"read queue size", "read_queue_size_exceeded", prototest.Settings{"max-read-queue-size": "150"}, disk(c2s(read2(3, 7, 1000, 100)), s2c(got2(3, big)), c2s(read2(4, 7, 2000, 100)), s2c(got2(4, big)))},
		{"read queue count", "read_queue_cnt_exceeded", prototest.Settings{"max-read-queue-cnt": "1"}, disk(c2s(read2(3, 7, 1000, 100)), s2c(got2(3, "x")), c2s(read2(4, 7, 2000, 100)), s2c(got2(4, "x")))},
		{"record", "record_overflow", nil, disk(c2s(create2(3, "g")), c2s("\x00\x20\x00\x00"+smb2(0x0e, 0, 4, 5, 0, "")+zero(100)))},
		{"dialects", "negotiate_malformed_dialects", nil, []prototest.Chunk{c2s(ask2(0, 0, u16(36)+u16(5)+u16(1)+u16(0)+u32(0)+guid(1)+u64(0)+u16(0x202)))}},
	} {
		for _, size := range []int{0, 40} {
			if got := records(runWith(t, size, c.s, c.in...)); !strings.Contains(got, c.event) {
				t.Errorf("%s, pieces of %d: no %s in\n%s", c.name, size, c.event, got)
			}
		}
	}
	for key, v := range map[string]string{"max-tx": "0", "max-read-size": "-1", "max-guid-cache-size": "0"} {
		if _, err := proto.NewTable([]*proto.Protocol{smb.Protocol()}, func(string) proto.Settings { return prototest.Settings{key: v} }); err == nil {
			t.Errorf("%s: %s is taken", key, v)
		}
	}
}

// What waits in queues of all files together is bounded, whatever the settings say.
func TestFlowQueue(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, prototest.Settings{"max-write-queue-size": "0", "max-write-queue-cnt": "0"}, smb.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 445})
	part := strings.Repeat("x", 900_000)
	refused := 0
	for i := range 40 {
		r.Feed(c2s(write2(i, 100+i%3, uint64(1+i)<<30, part)), 0)
	}
	for _, tx := range r.Conn.Txs {
		refused += len(tx.Base().Events)
	}
	if refused == 0 {
		t.Errorf("40 parts of %d bytes wait, MaxFlowQueue is %d", len(part), smb.MaxFlowQueue)
	}
}

// Files followed at once are bounded: the oldest is given up.
func TestOpenFiles(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, nil, smb.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 445})
	for i := range 3 * smb.MaxOpenFiles {
		r.Feed(c2s(write2(i, 100+i, 0, "data")), 0)
		if n := len(r.Conn.Txs); n > smb.MaxOpenFiles {
			t.Fatalf("%d files are open", n)
		}
	}
	cut := 0
	for _, rec := range r.Records {
		for _, f := range rec.Tx.Base().Files {
			if f.State == proto.FileTruncated {
				cut++
			}
		}
	}
	if cut != 2*smb.MaxOpenFiles {
		t.Errorf("%d files were given up, want %d", cut, 2*smb.MaxOpenFiles)
	}
}

// Names of files, shares and requests are remembered up to a number; then the oldest
// go.
func TestCaches(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, nil, smb.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 445})
	for _, c := range disk() {
		r.Feed(c, 0)
	}
	for i := range 2 * smb.MaxGUIDs {
		r.Feed(c2s(create2(10+i, fmt.Sprint("f", i))), 0)
		r.Feed(s2c(created2(10+i, 1000+i)), 0)
	}
	r.Feed(c2s(write2(9000, 1000, 0, "x")+write2(9001, 1000+2*smb.MaxGUIDs-1, 0, "x")), 0)
	r.Finish()
	got := records(r)
	if !strings.Contains(got, `file "" "x"`) || !strings.Contains(got, fmt.Sprintf(`file "f%d" "x"`, 2*smb.MaxGUIDs-1)) {
		t.Error("the first of many names is still known, or the last is not")
	}
	// Requests without answers: reads begin no transaction, but wait.
	r = prototest.NewRunner(prototest.Table(t, nil, smb.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 445})
	for _, c := range disk() {
		r.Feed(c, 0)
	}
	for i := range 3 * smb.MaxPending {
		r.Feed(c2s(read2(10+i, 7, 0, 10)), 0)
	}
	r.Feed(s2c(got2(10, "old")+got2(10+3*smb.MaxPending-1, "new")), 0)
	r.Finish()
	if got := records(r); strings.Contains(got, `"old"`) || !strings.Contains(got, `"new"`) {
		t.Errorf("the first of many requests still waits, or the last does not\n%s", got[len(got)-300:])
	}
}

// Stub data of calls over pipes is bounded for a direction and for a flow.
func TestStub(t *testing.T) {
	r := runWith(t, 0, prototest.Settings{"dcerpc.max-stub-size": "10"}, pipe(c2s(write2(3, 7, 0, rpcRequest(1, 2, 15, "12345678")+"")), c2s(write2(4, 7, 0, rpcRequest(2, 2, 15, "90abcdef"))))...)
	if got := records(r); !strings.Contains(got, `"req":{"frag_cnt":2,"stub_data_size":10}`) {
		t.Error(got)
	}
	q := prototest.NewRunner(prototest.Table(t, nil, smb.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 445})
	for _, c := range pipe() {
		q.Feed(c, 0)
	}
	stub := prototest.Field(smb.Protocol(), "dcerpc.stub_data")
	for i := range 400 {
		q.Feed(c2s(write2(10+i, 7, 0, rpcRequest(1, 10+i, 1, strings.Repeat("x", 60_000)))), 0)
	}
	held := 0
	for _, tx := range q.Conn.Txs {
		b, _ := stub.Get(q.Conn, tx, up, 0)
		held += len(b)
	}
	if held > smb.MaxFlowStub || held < smb.MaxFlowStub-60_000 {
		t.Errorf("%d bytes of stub data are held, MaxFlowStub is %d", held, smb.MaxFlowStub)
	}
}

// Ten ways to be unkind. The request behind each is seen all the same.
func TestHostile(t *testing.T) {
	compound := func(next int) string {
		m := []byte(smb2(0x0d, 0, 50, 5, 0, u16(4)+u16(0)))
		copy(m[20:], u32(next))
		return string(m)
	}
	names := strings.Builder{}
	for range 70 {
		m := []byte(smb2(5, 0, 51, 5, 0, u16(57)+zero(34)+u32(1)+u32(0)+u16(64+56)+u16(0x6000)+zero(8)))
		copy(m[20:], u32(len(m)))
		names.Write(m)
	}
	for name, in := range map[string]string{
		"a compound that goes nowhere":      nb(compound(1 << 30)),
		"a compound that turns back":        nb(compound(8)),
		"a compound of seventy":             nb(names.String() + zero(0x6000)),
		"an offset behind the end":          ask2(5, 52, u16(57)+zero(34)+u32(1)+u32(0)+u16(0xffff)+u16(0xffff)+zero(8)),
		"an odd name":                       ask2(3, 53, u16(9)+u16(0)+u16(72)+u16(3)+"a\x00b"),
		"a write of four gigabytes":         ask2(9, 54, u16(49)+u16(0x70)+u32(-1)+u64(0)+guid(99)+zero(16)),
		"a write at the end of the world":   write2(55, 99, 1<<64-3, "abcdef"),
		"a read of nothing":                 ask2(8, 56, ""),
		"an AndX chain that turns back":     smb1(0x24, 0, 57, 0, "\x24\x00\x20\x00"+zero(12), ""),
		"an SMB1 message of a header":       nb("\xffSMB\x73" + zero(27)),
		"an NTLMSSP of wild offsets":        ask2(1, 58, u16(25)+zero(10)+u16(64+24)+u16(88)+zero(8)+"NTLMSSP\x00\x03\x00\x00\x00"+strings.Repeat("\xff\xff\xff\xff\xff\xff\xff\x7f", 6)+zero(28)),
		"a token of nested elements":        ask2(1, 59, u16(25)+zero(10)+u16(64+24)+u16(200)+zero(8)+strings.Repeat("\x60\x82\x00\x80", 50)),
		"an empty message":                  nb(""),
		"a message of three bytes":          nb("\xfeSM"),
		"a keep alive":                      "\x85\x00\x00\x00",
		"an encrypted message":              nb("\xfdSMB" + zero(60)),
		"a compressed message":              nb("\xfcSMB" + zero(60)),
		"a response from the client":        tell2(3, 60, zero(16)),
		"a fragment that is none":           write2(61, 7, 0, "\x05\x00\x00\x03\x10\x00\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00x"),
		"a bind that says more than it has": write2(62, 7, 0, rpc(11, 3, 1, u16(1)+u16(1)+u32(0)+"\xff\x00\x00\x00")),
		"a type of message that is none":    "\x77\x00\x00\x10" + zero(16),
	} {
		for _, size := range []int{0, 1, 61} {
			r := run(t, size, pipe(c2s(in+create2(77, "behind it")))...)
			if got := records(r); !strings.Contains(got, `"filename":"behind it"`) {
				t.Errorf("%s, pieces of %d: what is behind it is not seen\n%s", name, size, got)
			}
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add(write2(3, 7, 4, "efgh")+write2(4, 7, 0, "abcd")+close2(6, 7), wrote2(3)+wrote2(4), uint8(1), uint8(0))
	f.Add(read2(3, 7, 0, 9), got2(3, "hello")+fail2(8, 5, 0xc0000011), uint8(20), uint8(9))
	f.Add(write2(3, 7, 0, rpcBind(1))+ioctl2(5, 0x11c017, 7, rpcRequest(3, 2, 15, "args")), ioctled2(5, rpcResponse(3, 2, "res")), uint8(3), uint8(1))
	f.Add(smb1(0x72, 0, 1, 0, "", "\x02NT LM 0.12\x00")+smb1(0x75, 0, 3, 0, "\xff\x00\x00\x00\x00\x00\x01\x00", "\x00\\\\s\\d\x00A:\x00"), smb1(0x72, 0x80, 1, 0, zero(34), strings.Repeat("g", 16)), uint8(7), uint8(0))
	f.Add(smb1(0x2f, 0, 5, 0, "\xff\x00\x00\x00\x09\x00"+zero(14)+"\x04\x00\x40\x00", zero(5)+"data"), smb1(0x2e, 0x80, 6, 0, zero(24), "x"), uint8(2), uint8(4))
	f.Fuzz(func(t *testing.T, a, b string, size, gap uint8) {
		if len(a)+len(b) > 1<<14 {
			t.Skip()
		}
		s := prototest.Settings{"max-tx": "40", "dcerpc.max-stub-size": "100", "max-write-queue-size": "1000"}
		in := pipe(c2s(a), s2c(b), c2s(a), s2c(b))
		if gap > 0 {
			in = append(in, lost(down, int(gap)), s2c(b), lost(up, int(gap)), c2s(a))
		}
		one := func(size int) string {
			r := prototest.NewRunner(prototest.Table(t, s, smb.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 445})
			for _, c := range in {
				keep := bytes.Clone(c.Data)
				r.Feed(c, size)
				if !bytes.Equal(keep, c.Data) {
					t.Fatal("the input was changed")
				}
				if n := len(r.Conn.Txs); n > 40 {
					t.Fatalf("%d transactions wait", n)
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

func TestCost(t *testing.T) {
	on := func(f func(n int) []prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, pipe()...)
	}
	resp := rpcResponse(3, 2, strings.Repeat("r", 60_000))
	loads := []prototest.Load{
		{Name: "requests that nobody answers", N: 3000, Flow: on(prototest.Cat(up, func(i int) string { return create2(10+i, "f") }))},
		{Name: "reads that nobody answers", N: 3000, Flow: on(prototest.Cat(up, func(i int) string { return read2(10+i, 7, 0, 10) }))},
		{Name: "exchanges", N: 300, Flow: on(prototest.Turns(func(i int) (string, string) { return create2(10+i, "f"), created2(10+i, 100+i) }))},
		{Name: "answers to nothing", Flow: on(prototest.Cat(down, func(i int) string { return created2(10+i, 100+i) }))},
		{Name: "files without end", N: 2000, Flow: prototest.After(prototest.Cat(up, func(i int) string { return write2(10+i, 100+i, 0, "x") }), disk()...)},
		{Name: "writes turned around", Flow: prototest.After(prototest.Cat(up, func(i int) string { return write2(10+i, 99, 1<<40-uint64(i)*8, "12345678") }), disk()...)},
		{Name: "calls that nobody answers", N: 3000, Flow: on(prototest.Cat(up, func(i int) string { return write2(10+i, 7, 0, rpcRequest(3, i, 1, "x")) }))},
		{Name: "calls without end", N: 3000, Flow: on(prototest.Cat(up, func(i int) string { return write2(10+i, 7, 0, rpcRequest(1, i, 1, "x")) }))},
		{Name: "fragments of one call", Flow: on(prototest.Cat(up, func(i int) string { return write2(10+i, 7, 0, rpcRequest(0, 1, 1, "x")) }))},
		{Name: "a response in parts", Flow: on(prototest.Turns(func(i int) (string, string) {
			part := resp[i*8%50_000:][:8]
			return read2(10+i, 7, 0, 8), nb(smb2(8, 1, 10+i, 5, 0x80000005, u16(17)+"\x50\x00"+u32(len(part))+u32(0)+u32(0)+part))
		}))},
		{Name: "a message, byte by byte", Piece: 1, Flow: on(func(n int) []prototest.Chunk { return []prototest.Chunk{c2s(ask2(0x0e, 9, strings.Repeat("x", 10*n)))} })},
		{Name: "junk", Piece: 100, Flow: on(prototest.Rep(up, "SMBSMB\x00\x00"))},
		{Name: "keep alives", Flow: on(prototest.Rep(up, "\x85\x00\x00\x00"))},
		{Name: "AndX chains", N: 50, Flow: on(prototest.Rep(up, smb1(0x24, 0, 57, 0, "\x24\x00\x31\x00"+zero(12), strings.Repeat("\x02\x24\x00\x60\x00\x00\x00", 20))))},
		{Name: "dialects", N: 50, Flow: on(prototest.Rep(up, smb1(0x72, 0, 1, 0, "", strings.Repeat("\x02x\x00", 2000))))},
	}
	for i := range loads {
		if loads[i].N == 0 {
			loads[i].N = 600
		}
		loads[i].Hint = proto.Hint{SrcPort: 4000, DstPort: 445}
	}
	prototest.Cost(t, prototest.Table(t, nil, smb.Protocol()), loads...)
}
