package dcerpc_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/dcerpc"
	"mirador/internal/proto/prototest"
)

const (
	up    = proto.ToServer
	down  = proto.ToClient
	first = dcerpc.FlagFirst
	last  = dcerpc.FlagLast
	whole = first | last
)

func c2s(s string) prototest.Chunk { return prototest.To(up, s) }
func s2c(s string) prototest.Chunk { return prototest.To(down, s) }
func lost(d proto.Dir, n int) prototest.Chunk {
	return prototest.Chunk{Dir: d, Gap: n}
}

func u16(v int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(v))) }
func u32(v int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(v))) }

// pdu is a fragment of version 5 in little-endian.
func pdu(typ, flags uint8, call int, body string) string {
	return "\x05\x00" + string([]byte{typ, flags}) + "\x10\x00\x00\x00" + u16(16+len(body)) + "\x00\x00" + u32(call) + body
}

// uuid is the id whose text form is made of the digits of b.
func uuid(b byte) string { return strings.Repeat(string([]byte{b}), 16) }

func ctx(id int, b byte, major int) string {
	return u16(id) + "\x01\x00" + uuid(b) + u16(major) + u16(0) + uuid(0xee) + u32(2)
}

func bindOf(typ uint8, call int, ctxs ...string) string {
	return pdu(typ, whole, call, u16(4280)+u16(4280)+u32(0)+string([]byte{byte(len(ctxs)), 0, 0, 0})+strings.Join(ctxs, ""))
}

func bind(call int, ctxs ...string) string { return bindOf(dcerpc.TypeBind, call, ctxs...) }

// bindAck answers with the results given.
func bindAck(call int, results ...int) string {
	b := u16(4280) + u16(4280) + u32(7) + u16(4) + "135\x00" + "\x00\x00" + string([]byte{byte(len(results)), 0, 0, 0})
	for _, r := range results {
		b += u16(r) + u16(0) + uuid(0xee) + u32(2)
	}
	return pdu(dcerpc.TypeBindAck, whole, call, b)
}

func request(flags uint8, call, ctx, op int, stub string) string {
	return pdu(dcerpc.TypeRequest, flags, call, u32(len(stub))+u16(ctx)+u16(op)+stub)
}

func response(flags uint8, call, ctx int, stub string) string {
	return pdu(dcerpc.TypeResponse, flags, call, u32(len(stub))+u16(ctx)+u16(0)+stub)
}

// dg is a packet of version 4.
func dg(typ, flags uint8, act byte, seq, op int, stub string) string {
	return "\x04" + string([]byte{typ, flags, 0}) + "\x10\x00\x00\x00" + uuid(0) + uuid(0x11) + uuid(act) + u32(0) + u32(1) + u32(seq) + u16(op) + u16(0xffff) +
		u16(0xffff) + u16(len(stub)) + u16(0) + "\x00\x00" + stub
}

func runWith(tb testing.TB, size int, udp bool, s prototest.Settings, chunks ...prototest.Chunk) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, s, dcerpc.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 135, UDP: udp})
	for _, c := range chunks {
		r.Feed(c, size)
	}
	r.Finish()
	return r
}

func run(tb testing.TB, size int, chunks ...prototest.Chunk) *prototest.Runner {
	return runWith(tb, size, false, nil, chunks...)
}

func records(r *prototest.Runner) string {
	// They are written when complete; here they stand in the order they began.
	slices.SortFunc(r.Records, func(a, b prototest.Record) int { return cmp.Compare(a.Tx.Base().ID, b.Tx.Base().ID) })
	var b strings.Builder
	for i := range r.Records {
		t := r.Records[i].Tx.(*dcerpc.Tx)
		fmt.Fprintf(&b, "%s %q %q\n", r.Records[i].JSON, t.Stub[0], t.Stub[1])
	}
	return b.String()
}
