package nfs_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/nfs"
	"mirador/internal/proto/prototest"
)

// Each bound that is not an event is met by one more than it allows, and counted.
func TestLimits(t *testing.T) {
	const pad = "12345678901234567890123456789012"
	handle := func(i int) string { return pad[:28] + u32(uint32(i)) }
	each := func(n int, f func(i int) prototest.Chunk) (list []prototest.Chunk) {
		for i := range n {
			list = append(list, f(i))
		}
		return list
	}
	names := func(n int) (list []prototest.Chunk) {
		for i := range n {
			list = append(list, c2s(lookup(uint32(i), "f")), s2c(lookupReply(uint32(i), handle(i))))
		}
		return list
	}
	// entries is the reply to a READDIRPLUS.
	entries := func(n int) []prototest.Chunk {
		var b strings.Builder
		for i := range n {
			b.WriteString(u32(1) + u64(uint64(i)) + opaque("f") + u64(uint64(i)) + u32(0) + u32(0))
		}
		return []prototest.Chunk{c2s(call(7, 17, opaque(root)+u64(0)+"verifier"+u32(1000, 1<<20))), s2c(reply(7, u32(0)+attrs()+"verifier"+b.String()+u32(0, 1)))}
	}
	fragments := func(n int) []prototest.Chunk {
		one := func(s string, last uint32) prototest.Chunk {
			return prototest.To(proto.ToServer, u32(last<<31|uint32(len(s)))+s)
		}
		head := call(9, 3, opaque(root)+opaque("name"))
		return []prototest.Chunk{c2s(lookup(1, "f")), one(head, 0), one(strings.Repeat("x", n-len(head)), 1)}
	}
	long := func(n int) []prototest.Chunk { // a SETATTR
		return []prototest.Chunk{c2s(lookup(1, "f")), c2s(call(9, 2, opaque(root)+strings.Repeat("x", n)))}
	}
	repeat := func(n int, s string) (list []string) {
		for range n {
			list = append(list, s)
		}
		return list
	}
	for _, c := range []struct {
		name, limit string
		met         uint64
		in          []prototest.Chunk
	}{
		{"files", "files", 0, each(nfs.MaxOpenFiles, func(i int) prototest.Chunk { return c2s(write(uint32(i), handle(i), 0, "data", 0)) })},
		{"a file more", "files", 1, each(nfs.MaxOpenFiles+1, func(i int) prototest.Chunk { return c2s(write(uint32(i), handle(i), 0, "data", 0)) })},
		{"calls", "calls", 0, each(nfs.MaxPending-1, func(i int) prototest.Chunk { return c2s(read(uint32(i), fh1, 0)) })},
		{"a call more", "calls", 1, each(nfs.MaxPending, func(i int) prototest.Chunk { return c2s(read(uint32(i), fh1, 0)) })},
		{"names", "names", 0, names(nfs.MaxNames)},
		{"a name more", "names", 1, names(nfs.MaxNames + 1)},
		{"operations", "operations", 0, []prototest.Chunk{c2s(compound(1, repeat(nfs.MaxOps, putfh(fh1))...))}},
		{"an operation more", "operations", 1, []prototest.Chunk{c2s(compound(1, repeat(nfs.MaxOps+1, putfh(fh1))...))}},
		{"reads", "reads", 0, []prototest.Chunk{c2s(compound(1, append([]string{putfh(fh1)}, repeat(nfs.MaxReads, read4(0))...)...))}},
		{"a read more", "reads", 1, []prototest.Chunk{c2s(compound(1, append([]string{putfh(fh1)}, repeat(nfs.MaxReads+1, read4(0))...)...))}},
		{"entries", "entries", 0, entries(nfs.MaxEntries - 1)},
		{"an entry more", "entries", 1, entries(nfs.MaxEntries + 1)},
		{"fragments", "record", 0, fragments(nfs.MaxRecord)},
		{"longer fragments", "record", 1, fragments(nfs.MaxRecord + 1)},
		{"a long call", "record", 0, long(nfs.MaxRecord - 200)},
		{"a longer call", "record", 1, long(nfs.MaxRecord + 1)},
	} {
		size := 0
		if strings.Contains(c.name, "call") && c.limit == "record" {
			size = 1400
		}
		r := runWith(t, size, false, nil, append(c.in, c2s(lookup(99999, "behind")))...)
		if n := r.Hits(t, "nfs", c.limit); n != c.met {
			t.Errorf("%s: counted %d times, want %d", c.name, n, c.met)
		}
		if got := dump(t, r); !strings.Contains(got, "behind") {
			t.Errorf("%s: what follows is not seen", c.name)
		}
	}
	// What waits in queues of all files together, whatever the settings say.
	r := prototest.NewRunner(prototest.Table(t, prototest.Settings{"max-write-queue-size": "0", "max-write-queue-cnt": "0"}, nfs.Protocol()), hint(false))
	part := strings.Repeat("x", 900_000)
	for i := range uint32(40) {
		r.Feed(c2s(write(i, handle(int(i%3)), uint64(1+i)<<30, part, 0)), 0)
	}
	refused := 0
	for _, tx := range r.Conn.Txs {
		refused += len(tx.Base().Events)
	}
	if refused == 0 {
		t.Error("40 parts of 900,000 bytes wait")
	}
}
