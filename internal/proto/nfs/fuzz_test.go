package nfs_test

import (
	"encoding/json"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/nfs"
	"mirador/internal/proto/prototest"
)

// FuzzStream: no input breaks the parser, the records are JSON, the bounds hold, and
// the pieces in which the bytes come do not matter.
func FuzzStream(f *testing.F) {
	for _, c := range [][2]string{
		{mark(lookup(1, "f")) + mark(read(2, fh1, 0)), mark(lookupReply(1, fh1)) + mark(readReply(2, "data", 1))},
		{mark(lookup(1, "f")) + mark(write(2, fh1, 0, strings.Repeat("x", 600), 2)) + mark(commit(3)), mark(lookupReply(1, fh1))},
		{mark(compound(1, putfh(fh1), write4(0, 0, strings.Repeat("x", 600)), getattr4())), mark(compoundReply(1, 0, u32(22, 0), u32(38, 0, 4, 0)+"verifier"))},
		{mark(compound(1, putfh(fh1), read4(0))), mark(compoundReply(1, 0, u32(22, 0), u32(25, 0, 1)+opaque(strings.Repeat("x", 600))))},
		{mark(rpcCall(1, 100003, 2, 11, root+opaque("a")+root+opaque("b"))), mark(reply(1, u32(13)))},
		{mark(call(1, 17, opaque(root)+u64(0)+"verifier"+u32(1, 2))), mark(reply(1, u32(0)+attrs()+"verifier"+u32(1)+u64(5)+opaque("i")+u64(1)+attrs()+u32(1)+opaque(fh2)+u32(0, 1)))},
		{u32(20) + lookup(1, "f")[:20] + u32(1<<31|uint32(len(lookup(1, "f"))-20)) + lookup(1, "f")[20:], ""},
	} {
		f.Add([]byte(c[0]), []byte(c[1]), uint8(7), false)
		f.Add([]byte(c[0][4:]), []byte(c[1]), uint8(0), true)
	}
	table := prototest.Table(f, prototest.Settings{"max-tx": "64"}, nfs.Protocol())
	f.Fuzz(func(t *testing.T, a, b []byte, size uint8, udp bool) {
		feed := func(size int) string {
			r := prototest.NewRunner(table, hint(udp))
			r.Feed(prototest.Chunk{Dir: proto.ToServer, Data: a}, size)
			r.Feed(prototest.Chunk{Dir: proto.ToClient, Data: b}, size)
			if len(r.Conn.Txs) > proto.MaxTxs {
				t.Fatalf("%d transactions", len(r.Conn.Txs))
			}
			r.Finish()
			for _, rec := range r.Records {
				if rec.JSON != "" && !json.Valid([]byte(`{"nfs":`+rec.JSON+`}`)) {
					t.Fatalf("not JSON: %s", rec.JSON)
				}
			}
			return dump(t, r)
		}
		whole := feed(0)
		if udp || size == 0 {
			return
		}
		if cut := feed(int(size)); cut != whole {
			t.Fatalf("pieces of %d:\n%s\nwhole:\n%s", size, cut, whole)
		}
	})
}

// FuzzGaps: nor does it break when bytes are lost.
func FuzzGaps(f *testing.F) {
	f.Add([]byte(mark(write(2, fh1, 0, strings.Repeat("x", 600), 0))), uint16(100), uint16(300), true)
	f.Add([]byte(mark(lookup(1, "f"))+mark(lookup(2, "g"))), uint16(50), uint16(30), true)
	f.Add([]byte(mark(lookupReply(1, fh1))), uint16(50), uint16(30), false)
	table := prototest.Table(f, nil, nfs.Protocol())
	f.Fuzz(func(t *testing.T, a []byte, at, n uint16, up bool) {
		r := prototest.NewRunner(table, hint(false))
		r.Feed(c2s(lookup(1, "f")), 0)
		dir := proto.ToServer
		if !up {
			dir = proto.ToClient
		}
		i := min(int(at), len(a))
		r.Feed(prototest.Chunk{Dir: dir, Data: a[:i]}, 0)
		r.Feed(prototest.Chunk{Dir: dir, Gap: int(n) + 1}, 0)
		r.Feed(prototest.Chunk{Dir: dir, Data: a[i:]}, 0)
		r.Feed(c2s(lookup(9, "g")), 0)
		r.Finish()
		dump(t, r)
	})
}
