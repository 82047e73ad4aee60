package smb_test

import (
	"strings"
	"testing"

	"mirador/internal/proto/prototest"
	"mirador/internal/proto/smb"
)

// Each bound that is not an event is met by one more than it allows, and counted.
func TestLimits(t *testing.T) {
	const partial = 0x80000005 // STATUS_BUFFER_OVERFLOW: the rest of a fragment comes with the next read
	many := func(n int, f func(i int) string) prototest.Chunk {
		var b strings.Builder
		for i := range n {
			b.WriteString(f(i))
		}
		return c2s(b.String())
	}
	trees := func(n int) (list []prototest.Chunk) {
		list = disk()
		for i := range n {
			list = append(list, c2s(ask2(3, 10+i, u16(9)+u16(0)+u16(72)+u16(8)+wide(`\\s\`))),
				s2c(nb(smb2(3, 1, 10+i, 100+i, 0, u16(16)+"\x01\x00"+zero(12)))))
		}
		return list
	}
	// Pipes from which the beginning of a fragment was read.
	pipes := func(n int) (list []prototest.Chunk) {
		list = pipe()
		begin := rpcResponse(3, 2, strings.Repeat("r", 100))[:50]
		for i := range n {
			list = append(list, c2s(create2(10+i, "svcctl")), s2c(created2(10+i, 100+i)), c2s(read2(1000+i, 100+i, 0, 50)),
				s2c(nb(smb2(8, 1, 1000+i, 5, partial, u16(17)+"\x50\x00"+u32(50)+u32(0)+u32(0)+begin))))
		}
		return list
	}
	names := func(n int) (list []prototest.Chunk) {
		list = disk()
		for i := range n {
			list = append(list, c2s(create2(10+i, "f")), s2c(created2(10+i, 1000+i)))
		}
		return list
	}
	compound := func(n int) string {
		one := []byte(smb2(0x0d, 0, 50, 5, 0, u16(4)+u16(0)+u32(0)))
		copy(one[20:], u32(len(one)))
		return nb(strings.Repeat(string(one), n-1) + smb2(0x0d, 0, 50, 5, 0, u16(4)+u16(0)))
	}
	// andX is an SMB1 message of n commands.
	andX := func(n int) string {
		block := func(i int) string { return "\x24\x00" + u16(32+19*(i+1)) + zero(12) }
		var rest strings.Builder
		for i := 1; i < n; i++ {
			words := block(i)
			if i == n-1 {
				words = "\xff" + words[1:]
			}
			rest.WriteString("\x08" + words + u16(0))
		}
		return smb1(0x24, 0, 57, 0, block(0), rest.String())
	}
	dialects2 := func(n int) string {
		return ask2(0, 0, u16(36)+u16(n)+u16(1)+u16(0)+u32(0)+guid(1)+u64(0)+strings.Repeat(u16(0x202), n))
	}
	for _, c := range []struct {
		name, limit string
		met         uint64
		in          []prototest.Chunk
	}{
		{"files", "files", 0, disk(many(smb.MaxOpenFiles, func(i int) string { return write2(10+i, 100+i, 0, "x") }))},
		{"a file more", "files", 1, disk(many(smb.MaxOpenFiles+1, func(i int) string { return write2(10+i, 100+i, 0, "x") }))},
		{"requests", "pending", 0, disk(many(smb.MaxPending, func(i int) string { return read2(10+i, 7, 0, 10) }))},
		{"a request more", "pending", 1, disk(many(smb.MaxPending+1, func(i int) string { return read2(10+i, 7, 0, 10) }))},
		{"shares", "trees", 0, trees(smb.MaxTrees - 1)},
		{"two shares more", "trees", 2, trees(smb.MaxTrees + 1)},
		{"names", "names", 0, names(smb.MaxGUIDs - 1)},
		{"two names more", "names", 2, names(smb.MaxGUIDs + 1)},
		{"commands in a message", "chain", 0, pipe(c2s(compound(smb.MaxChain)))},
		{"a command more", "chain", 1, pipe(c2s(compound(smb.MaxChain + 1)))},
		{"commands of SMB1", "chain", 0, []prototest.Chunk{c2s(smb1(0x72, 0, 1, 0, "", "\x02NT LM 0.12\x00")), c2s(andX(smb.MaxChain))}},
		{"a command of SMB1 more", "chain", 1, []prototest.Chunk{c2s(smb1(0x72, 0, 1, 0, "", "\x02NT LM 0.12\x00")), c2s(andX(smb.MaxChain + 1))}},
		{"dialects", "dialects", 0, []prototest.Chunk{c2s(dialects2(smb.MaxDialects))}},
		{"a dialect more", "dialects", 1, []prototest.Chunk{c2s(dialects2(smb.MaxDialects + 1))}},
		{"dialects of SMB1", "dialects", 0, []prototest.Chunk{c2s(smb1(0x72, 0, 1, 0, "", strings.Repeat("\x02x\x00", smb.MaxDialects)))}},
		{"a dialect of SMB1 more", "dialects", 1, []prototest.Chunk{c2s(smb1(0x72, 0, 1, 0, "", strings.Repeat("\x02x\x00", smb.MaxDialects+1)))}},
		{"stub data", "stub", 0, pipe(c2s(write2(3, 7, 0, rpcRequest(1, 2, 15, "12345678"))))},
		{"pipes", "pipes", 0, pipes(smb.MaxPipes)},
		{"a pipe more", "pipes", 1, pipes(smb.MaxPipes + 1)},
	} {
		if n := runWith(t, 0, nil, c.in...).Hits(t, "smb", c.limit); n != c.met {
			t.Errorf("%s: counted %d times, want %d", c.name, n, c.met)
		}
	}
	if n := runWith(t, 0, prototest.Settings{"dcerpc.max-stub-size": "10"}, pipe(c2s(write2(3, 7, 0, rpcRequest(1, 2, 15, "1234567890x"))))...).Hits(t, "smb", "stub"); n != 1 {
		t.Errorf("stub data beyond the setting: counted %d times", n)
	}
}
