package smb_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/smb"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

func c2s(s string) prototest.Chunk { return prototest.To(up, s) }
func s2c(s string) prototest.Chunk { return prototest.To(down, s) }
func lost(d proto.Dir, n int) prototest.Chunk {
	return prototest.Chunk{Dir: d, Gap: n}
}

func u16(v int) string    { return string(binary.LittleEndian.AppendUint16(nil, uint16(v))) }
func u32(v int) string    { return string(binary.LittleEndian.AppendUint32(nil, uint32(v))) }
func u64(v uint64) string { return string(binary.LittleEndian.AppendUint64(nil, v)) }
func zero(n int) string   { return strings.Repeat("\x00", n) }

// wide is s in UTF-16.
func wide(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString(s[i:i+1] + "\x00")
	}
	return b.String()
}

// nb is a session service message.
func nb(s string) string {
	return string([]byte{0, byte(len(s) >> 16), byte(len(s) >> 8), byte(len(s))}) + s
}

// smb2 is an SMB2 message: flags 1 is a response.
func smb2(cmd, flags, id, tree, status int, body string) string {
	return "\xfeSMB" + u16(64) + u16(0) + u32(status) + u16(cmd) + u16(1) + u32(flags) + u32(0) + u64(uint64(id)) + u32(1) + u32(tree) + u64(0x99) + zero(16) + body
}

func ask2(cmd, id int, body string) string  { return nb(smb2(cmd, 0, id, 5, 0, body)) }
func tell2(cmd, id int, body string) string { return nb(smb2(cmd, 1, id, 5, 0, body)) }
func fail2(cmd, id, status int) string      { return nb(smb2(cmd, 1, id, 5, status, u16(9)+zero(6))) }

func guid(n int) string { return u64(uint64(n)) + u64(0x77) }

func negotiate2() string {
	return ask2(0, 0, u16(36)+u16(2)+u16(1)+u16(0)+u32(0)+guid(1)+u64(0)+u16(0x202)+u16(0x311))
}
func negotiated2(maxRead, maxWrite int) string {
	return tell2(0, 0, u16(65)+u16(1)+u16(0x311)+u16(0)+guid(2)+u32(0)+u32(1<<20)+u32(maxRead)+u32(maxWrite)+zero(24))
}
func tree2(id int, name string) string {
	return ask2(3, id, u16(9)+u16(0)+u16(72)+u16(2*len(name))+wide(name))
}
func treed2(id, kind int) string { return tell2(3, id, u16(16)+string([]byte{byte(kind), 0})+zero(12)) }
func create2(id int, name string) string {
	return ask2(5, id, u16(57)+zero(34)+u32(1)+u32(0x1000)+u16(64+56)+u16(2*len(name))+zero(8)+wide(name))
}
func created2(id, file int) string {
	return tell2(5, id, u16(89)+zero(6)+zero(32)+zero(8)+u64(42)+zero(8)+guid(file)+zero(8))
}
func close2(id, file int) string { return ask2(6, id, u16(24)+zero(6)+guid(file)) }
func read2(id, file int, off uint64, n int) string {
	return ask2(8, id, u16(49)+u16(0)+u32(n)+u64(off)+guid(file)+zero(16))
}
func got2(id int, data string) string {
	return tell2(8, id, u16(17)+"\x50\x00"+u32(len(data))+u32(0)+u32(0)+data)
}
func write2(id, file int, off uint64, data string) string {
	return ask2(9, id, u16(49)+u16(0x70)+u32(len(data))+u64(off)+guid(file)+zero(16)+data)
}
func wrote2(id int) string { return tell2(9, id, u16(17)+zero(14)) }
func ioctl2(id, function, file int, data string) string {
	return ask2(11, id, u16(57)+u16(0)+u32(function)+guid(file)+u32(64+56)+u32(len(data))+zero(24)+data)
}
func ioctled2(id int, data string) string {
	return tell2(11, id, u16(49)+zero(30)+u32(64+48)+u32(len(data))+zero(8)+data)
}

// smb1 is an SMB1 message with one block.
func smb1(cmd, flags, mid, status int, words, bytes string) string {
	return nb("\xffSMB" + string([]byte{byte(cmd)}) + u32(status) + string([]byte{byte(flags)}) + u16(0x4000) + zero(12) + u16(7) + u16(3) + u16(8) + u16(mid) +
		string([]byte{byte(len(words) / 2)}) + words + u16(len(bytes)) + bytes)
}

const flagReply = 0x80

// DCE/RPC fragments.
func rpc(typ, flags byte, call int, body string) string {
	return "\x05\x00" + string([]byte{typ, flags}) + "\x10\x00\x00\x00" + u16(16+len(body)) + "\x00\x00" + u32(call) + body
}
func rpcRequest(flags byte, call, op int, stub string) string {
	return rpc(0, flags, call, u32(len(stub))+u16(0)+u16(op)+stub)
}
func rpcResponse(flags byte, call int, stub string) string {
	return rpc(2, flags, call, u32(len(stub))+u16(0)+u16(0)+stub)
}
func rpcBind(call int) string {
	return rpc(11, 3, call, u16(4280)+u16(4280)+u32(0)+"\x01\x00\x00\x00"+u16(0)+"\x01\x00"+strings.Repeat("\x22", 16)+u32(3)+strings.Repeat("\xee", 16)+u32(2))
}

// pipe is a flow up to an open pipe \svcctl with number 7.
func pipe(more ...prototest.Chunk) []prototest.Chunk {
	return append([]prototest.Chunk{
		c2s(negotiate2()), s2c(negotiated2(1<<20, 1<<20)), c2s(tree2(1, `\\s\IPC$`)), s2c(treed2(1, 2)), c2s(create2(2, "svcctl")), s2c(created2(2, 7)),
	}, more...)
}

// disk is a flow up to an open file of number 7.
func disk(more ...prototest.Chunk) []prototest.Chunk {
	return append([]prototest.Chunk{
		c2s(negotiate2()), s2c(negotiated2(1<<20, 1<<20)), c2s(tree2(1, `\\s\d`)), s2c(treed2(1, 1)), c2s(create2(2, "f.txt")), s2c(created2(2, 7)),
	}, more...)
}

func runWith(tb testing.TB, size int, s prototest.Settings, chunks ...prototest.Chunk) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, s, smb.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 445})
	for _, c := range chunks {
		r.Feed(c, size)
	}
	r.Finish()
	return r
}

func run(tb testing.TB, size int, chunks ...prototest.Chunk) *prototest.Runner {
	return runWith(tb, size, nil, chunks...)
}

// records are the transactions in the order they began, with their events and files.
func records(r *prototest.Runner) string {
	slices.SortFunc(r.Records, func(a, b prototest.Record) int { return cmp.Compare(a.Tx.Base().ID, b.Tx.Base().ID) })
	var b strings.Builder
	for i := range r.Records {
		rec := &r.Records[i]
		fmt.Fprint(&b, rec.JSON, " ", strings.Join(rec.Events, ","))
		for _, f := range rec.Tx.Base().Files {
			data := f.Data
			if len(data) > 40 {
				data = data[:40]
			}
			fmt.Fprintf(&b, " file %q %q size %d state %d gaps %v", f.Name, data, f.Size, f.State, f.Gaps)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
