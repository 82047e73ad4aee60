package nfs_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/nfs"
	"mirador/internal/proto/prototest"
)

// Elements of XDR and RPC for tests.
func u32(v ...uint32) string {
	var b []byte
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return string(b)
}

func u64(v uint64) string { return u32(uint32(v>>32), uint32(v)) }

func opaque(s string) string { return u32(uint32(len(s))) + s + strings.Repeat("\x00", -len(s)&3) }

func mark(s string) string { return u32(1<<31|uint32(len(s))) + s }

// unix is credentials of AUTH_UNIX.
func unix() string { return u32(1) + opaque(u32(7)+opaque("host")+u32(501, 20, 0)) }

func rpcCall(xid, program, version, proc uint32, args string) string {
	return u32(xid, 0, 2, program, version, proc) + unix() + u32(0, 0) + args
}

func call(xid, proc uint32, args string) string { return rpcCall(xid, 100003, 3, proc, args) }

func reply(xid uint32, result string) string { return u32(xid, 1, 0, 0, 0, 0) + result }

const (
	root = "RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR"
	fh1  = "11111111111111111111111111111111"
	fh2  = "2222222222222222"
)

func attrs() string { return u32(1) + strings.Repeat("\x00", 84) }

func lookup(xid uint32, name string) string { return call(xid, 3, opaque(root)+opaque(name)) }
func lookupReply(xid uint32, fh string) string {
	return reply(xid, u32(0)+opaque(fh)+attrs()+u32(0))
}
func read(xid uint32, fh string, off uint64) string {
	return call(xid, 6, opaque(fh)+u64(off)+u32(65536))
}
func readReply(xid uint32, data string, eof uint32) string {
	return reply(xid, u32(0)+attrs()+u32(uint32(len(data)), eof)+opaque(data))
}
func write(xid uint32, fh string, off uint64, data string, stable uint32) string {
	return call(xid, 7, opaque(fh)+u64(off)+u32(uint32(len(data)), stable)+opaque(data))
}
func writeReply(xid uint32) string  { return reply(xid, u32(0, 0, 0, 4, 0)+"verifier") }
func commit(xid uint32) string      { return call(xid, 21, opaque(fh1)+u64(0)+u32(0)) }
func commitReply(xid uint32) string { return reply(xid, u32(0, 0, 0)+"verifier") }

// Operations of NFS 4.
func compound(xid uint32, ops ...string) string {
	return rpcCall(xid, 100003, 4, 1, opaque("tag")+u32(1, uint32(len(ops)))+strings.Join(ops, ""))
}
func compoundReply(xid, status uint32, results ...string) string {
	return reply(xid, u32(status)+opaque("tag")+u32(uint32(len(results)))+strings.Join(results, ""))
}
func putfh(fh string) string { return u32(22) + opaque(fh) }
func write4(off uint64, stable uint32, data string) string {
	return u32(38) + strings.Repeat("s", 16) + u64(off) + u32(stable) + opaque(data)
}
func read4(off uint64) string { return u32(25) + strings.Repeat("s", 16) + u64(off) + u32(4096) }
func getattr4() string        { return u32(9, 1, 0x18) }

func c2s(s string) prototest.Chunk {
	return prototest.Chunk{Dir: proto.ToServer, Data: []byte(mark(s))}
}
func s2c(s string) prototest.Chunk {
	return prototest.Chunk{Dir: proto.ToClient, Data: []byte(mark(s))}
}

func hint(udp bool) proto.Hint { return proto.Hint{SrcPort: 900, DstPort: 2049, UDP: udp} }

func runWith(tb testing.TB, size int, udp bool, s prototest.Settings, chunks ...prototest.Chunk) *prototest.Runner {
	r := prototest.NewRunner(prototest.Table(tb, s, nfs.Protocol()), hint(udp))
	for _, c := range chunks {
		if udp {
			c.Data = c.Data[4:]
		}
		r.Feed(c, size)
	}
	r.Finish()
	return r
}

func run(tb testing.TB, size int, chunks ...prototest.Chunk) *prototest.Runner {
	return runWith(tb, size, false, nil, chunks...)
}

// object returns the record as a whole: the log function closes "nfs" and opens
// "rpc" next to it.
func object(tb testing.TB, r *prototest.Record) map[string]any {
	tb.Helper()
	if r.JSON == "" {
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(`{"nfs":`+r.JSON+`}`), &m); err != nil {
		tb.Fatalf("record is not JSON: %v\n%s", err, r.JSON)
	}
	return m
}

// dump shows the records, one in a line: procedure, file name, status, what was read
// or written, files and events.
func dump(tb testing.TB, r *prototest.Runner) string {
	tb.Helper()
	var b strings.Builder
	for i := range r.Records {
		rec := &r.Records[i]
		if m := object(tb, rec); m != nil {
			n := m["nfs"].(map[string]any)
			rpc := m["rpc"].(map[string]any)
			fmt.Fprintf(&b, "%v v%v %v %q %v xid=%v %v", n["id"], n["version"], n["procedure"], n["filename"], n["status"], rpc["xid"], rpc["auth_type"])
			for _, k := range []string{"read", "write"} {
				if p, ok := n[k].(map[string]any); ok {
					fmt.Fprintf(&b, " %s:last=%v,%v,chunks=%v", k, p["last"], p["last_xid"], p["chunks"])
				}
			}
			if p, ok := n["rename"].(map[string]any); ok {
				fmt.Fprintf(&b, " %v->%v", p["from"], p["to"])
			}
		} else {
			b.WriteString("-")
		}
		for _, f := range rec.Tx.Base().Files {
			fmt.Fprintf(&b, " file=%q,%d,%v,gaps=%v,%q", f.Name, f.Size, f.State, f.Gaps, short(f.Data))
		}
		if len(rec.Events) > 0 {
			fmt.Fprintf(&b, " %v", rec.Events)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func short(b []byte) []byte {
	if len(b) > 40 {
		return fmt.Appendf(nil, "%s..%d", b[:20], len(b))
	}
	return b
}
