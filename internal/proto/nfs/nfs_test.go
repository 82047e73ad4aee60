package nfs_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/nfs"
	"mirador/internal/proto/prototest"
)

func start() []prototest.Chunk {
	return []prototest.Chunk{c2s(lookup(1, "foo.txt")), s2c(lookupReply(1, fh1))}
}

func TestRecords(t *testing.T) {
	large := strings.Repeat("0123456789", 700)
	for _, c := range []struct {
		name   string
		chunks []prototest.Chunk
		want   string
	}{
		{"lookup", start(), `1 v3 LOOKUP "foo.txt" OK xid=1 UNIX`},
		{
			"lookup fails",
			[]prototest.Chunk{c2s(lookup(1, "a")), s2c(reply(1, u32(2, 0)))},
			`1 v3 LOOKUP "a" ERR_NOENT xid=1 UNIX`,
		},
		{
			"short reply",
			[]prototest.Chunk{c2s(lookup(1, "a")), s2c(reply(1, u32(2)))},
			`1 v3 LOOKUP "a" OK xid=1 UNIX [malformed_data]`,
		},
		{
			"access by name",
			append(start(), c2s(call(2, 4, opaque(fh1)+u32(1))), s2c(reply(2, u32(0)))),
			`2 v3 ACCESS "foo.txt" OK xid=2 UNIX`,
		},
		{
			"attributes are not logged",
			append(start(), c2s(call(2, 1, opaque(fh1))), s2c(reply(2, u32(0)+attrs()))),
			`-`,
		},
		{
			"rename",
			[]prototest.Chunk{c2s(call(2, 14, opaque(root)+opaque("a")+opaque(root)+opaque("b"))), s2c(reply(2, u32(0)))},
			`1 v3 RENAME "a" OK xid=2 UNIX a->b`,
		},
		{
			"readdirplus names files",
			[]prototest.Chunk{
				c2s(call(1, 17, opaque(root)+u64(0)+"verifier"+u32(1, 2))),
				s2c(reply(1, u32(0)+attrs()+"verifier"+u32(1)+u64(5)+opaque("inside")+u64(1)+attrs()+u32(1)+opaque(fh2)+u32(0, 1))),
				c2s(call(2, 4, opaque(fh2)+u32(1))), s2c(reply(2, u32(0))),
			},
			`2 v3 ACCESS "inside" OK xid=2 UNIX`,
		},
		{
			"read",
			append(start(), c2s(read(2, fh1, 0)), s2c(readReply(2, large, 0)), c2s(read(3, fh1, 7000)), s2c(readReply(3, "end", 1))),
			`2 v3 READ "foo.txt" OK xid=2 UNIX read:last=true,3,chunks=2 file="foo.txt",7003,1,gaps=false,"01234567890123456789..7003"`,
		},
		{
			"replies out of order",
			append(start(), c2s(read(2, fh1, 0)), c2s(read(3, fh1, 4)), s2c(readReply(3, "EFGH", 1)), s2c(readReply(2, "ABCD", 0))),
			`2 v3 READ "foo.txt" OK xid=2 UNIX read:last=true,2,chunks=2 file="foo.txt",8,1,gaps=false,"ABCDEFGH"`,
		},
		{
			"failed read",
			append(start(), c2s(read(2, fh1, 0)), s2c(reply(2, u32(70)+attrs()))),
			`2 v3 READ "foo.txt" OK xid=2 UNIX read:last=false,0,chunks=0 [malformed_data]`,
		},
		{
			"write",
			append(start(), c2s(write(2, fh1, 0, "part one,", 0)), s2c(writeReply(2)), c2s(write(3, fh1, 9, large, 0)), s2c(writeReply(3)),
				c2s(commit(4)), s2c(commitReply(4))),
			`2 v3 WRITE "foo.txt" OK xid=2 NULL write:last=true,4,chunks=2 file="foo.txt",7009,1,gaps=false,"part one,01234567890..7009"`,
		},
		{
			"write to disk",
			append(start(), c2s(write(2, fh1, 0, "whole", 2)), s2c(writeReply(2))),
			`2 v3 WRITE "foo.txt" OK xid=2 NULL write:last=true,2,chunks=0 file="foo.txt",5,1,gaps=false,"whole"`,
		},
		{
			"version 2",
			[]prototest.Chunk{c2s(rpcCall(1, 100003, 2, 8, root+u32(0, 0, 4)+opaque("data"))), s2c(reply(1, u32(28)))},
			`1 v2 WRITE "" ERR_NOSPC xid=1 UNIX write:last=false,<nil>,chunks=<nil>`,
		},
		{
			"version 4 write",
			[]prototest.Chunk{
				c2s(compound(1, u32(53)+strings.Repeat("i", 16)+u32(1, 2, 3, 4), putfh(fh1), write4(0, 0, large), getattr4())),
				s2c(compoundReply(1, 0, u32(53, 0)+strings.Repeat("i", 36), u32(22, 0), u32(38, 0, 4, 0)+"verifier", u32(9, 0, 1, 0)+opaque("x"))),
				c2s(compound(2, putfh(fh1), write4(7000, 0, "more"), u32(5)+u64(0)+u32(0))),
			},
			`1 v4 WRITE "" OK xid=1 NULL write:last=true,2,chunks=1 file="",7004,1,gaps=false,"01234567890123456789..7004"`,
		},
		{
			"version 4 read",
			[]prototest.Chunk{
				c2s(compound(1, putfh(fh1), read4(0), getattr4())),
				s2c(compoundReply(1, 0, u32(22, 0), u32(25, 0, 1)+opaque(large), u32(9, 0, 1, 0)+opaque("x"))),
			},
			`1 v4 READ "" OK xid=1 NULL read:last=true,1,chunks=0 file="",7000,1,gaps=false,"01234567890123456789..7000"`,
		},
		{
			"version 4 remove behind others",
			[]prototest.Chunk{
				c2s(compound(1, putfh(root),
					u32(18)+u32(1, 2, 0)+u64(9)+opaque("owner")+u32(1, 0, 0)+opaque("")+u32(0)+opaque("new"), // OPEN
					u32(12)+u32(1, 0)+u64(0)+u64(1)+u32(0)+strings.Repeat("s", 16)+u32(1),                    // LOCK
					u32(28)+opaque("gone"))),
				s2c(compoundReply(1, 13, u32(22, 13))),
			},
			`1 v4 REMOVE "gone" ERR_ACCES xid=1 UNIX`,
		},
		{
			"version 4 create",
			[]prototest.Chunk{
				c2s(compound(1, putfh(root), u32(6, 5)+opaque("target")+opaque("link")+u32(0)+opaque(""))),
				s2c(compoundReply(1, 0, u32(22, 0))),
			},
			`1 v4 CREATE "link" OK xid=1 UNIX`,
		},
		{
			"other programs are stepped over",
			[]prototest.Chunk{c2s(lookup(1, "a")), s2c(lookupReply(1, fh1)), c2s(rpcCall(2, 100227, 3, 1, opaque(fh1))), s2c(reply(2, u32(0)))},
			`1 v3 LOOKUP "a" OK xid=1 UNIX`,
		},
		{
			"call-backs are stepped over",
			[]prototest.Chunk{
				c2s(lookup(1, "a")), s2c(rpcCall(1, 0x40000000, 1, 1, "")), c2s(reply(1, u32(0))), s2c(lookupReply(1, fh1)),
			},
			`1 v3 LOOKUP "a" OK xid=1 UNIX`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{0, 1, 5, 300, 1460} {
				lines := strings.Split(strings.TrimSpace(dump(t, run(t, size, c.chunks...))), "\n")
				if got := lines[len(lines)-1]; got != c.want {
					t.Fatalf("pieces of %d: last record\n%s\nwant\n%s", size, got, c.want)
				}
			}
		})
	}
}

// Over UDP each datagram is a message; there is no record mark.
func TestUDP(t *testing.T) {
	r := runWith(t, 0, true, nil, append(start(), c2s(read(2, fh1, 0)), s2c(readReply(2, "data", 1)), c2s(write(3, fh1, 0, "text", 2)))...)
	got := dump(t, r)
	for _, want := range []string{
		`READ "foo.txt" OK xid=2 UNIX read:last=true,2,chunks=1 file="foo.txt",4,1,gaps=false,"data"`,
		`WRITE "foo.txt" OK xid=3 NULL write:last=true,3,chunks=0 file="foo.txt",4,1,gaps=false,"text"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// A message may come in several fragments, of any length.
func TestFragments(t *testing.T) {
	msg := write(2, fh1, 0, strings.Repeat("x", 500), 2)
	var wire string
	for b := msg; len(b) > 0; {
		n := min(len(b), 7)
		last := uint32(0)
		if n == len(b) {
			last = 1 << 31
		}
		wire += u32(last|uint32(n)) + b[:n]
		b = b[n:]
	}
	for _, size := range []int{0, 1, 9} {
		r := run(t, size, append(start(), prototest.Chunk{Dir: proto.ToServer, Data: []byte(wire)})...)
		if got := dump(t, r); !strings.Contains(got, `file="foo.txt",500,1`) {
			t.Errorf("pieces of %d:\n%s", size, got)
		}
	}
}

func TestGaps(t *testing.T) {
	big := strings.Repeat("x", 5000)
	w := mark(write(2, fh1, 0, big, 2))
	data := func(s string) prototest.Chunk { return prototest.Chunk{Dir: proto.ToServer, Data: []byte(s)} }
	gap := func(n int) prototest.Chunk { return prototest.Chunk{Dir: proto.ToServer, Gap: n} }
	for _, c := range []struct {
		name   string
		chunks []prototest.Chunk
		want   string
	}{
		{"in the data", []prototest.Chunk{data(w[:1000]), gap(500), data(w[1500:])}, `file="foo.txt",5000,1,gaps=true`},
		{"to its end", []prototest.Chunk{data(w[:1000]), gap(len(w) - 1000)}, `file="foo.txt",5000,1,gaps=true`},
		{"beyond it", []prototest.Chunk{data(w[:1000]), gap(len(w)), c2s(lookup(9, "after")), s2c(lookupReply(9, fh2))}, `LOOKUP "after"`},
		{"of whole calls", []prototest.Chunk{gap(333), c2s(lookup(9, "after")), s2c(lookupReply(9, fh2))}, `LOOKUP "after"`},
		{"junk", []prototest.Chunk{data("no record mark at all, for sure"), c2s(lookup(9, "after")), s2c(lookupReply(9, fh2))}, `LOOKUP "after" OK`},
		{
			"of replies",
			[]prototest.Chunk{
				c2s(lookup(8, "lost")), {Dir: proto.ToClient, Gap: 70}, c2s(lookup(9, "after")),
				{Dir: proto.ToClient, Data: []byte("rest of a reply." + mark(lookupReply(9, fh2)))},
			},
			`LOOKUP "after" OK`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{0, 1, 100} {
				if got := dump(t, run(t, size, append(start(), c.chunks...)...)); !strings.Contains(got, c.want) {
					t.Errorf("pieces of %d: no %s in\n%s", size, c.want, got)
				}
			}
		})
	}
}

func TestProbe(t *testing.T) {
	p := nfs.Protocol().Probe
	lk := lookup(1, "a")
	for _, c := range []struct {
		name string
		dir  proto.Dir
		data string
		hint proto.Hint
		want proto.Match
	}{
		{"call", proto.ToServer, mark(lk), hint(false), proto.Yes},
		{"call on another port", proto.ToServer, mark(lk), proto.Hint{DstPort: 777}, proto.Yes},
		{"call over UDP", proto.ToServer, lk, hint(true), proto.Yes},
		{"ping over UDP", proto.ToServer, call(1, 0, ""), hint(true), proto.More},
		{"one byte", proto.ToServer, "\x80", hint(false), proto.More},
		{"half a head", proto.ToServer, mark(lk)[:14], hint(false), proto.More},
		{"head but the procedure", proto.ToServer, mark(lk)[:26], hint(false), proto.More},
		{"from the server's side", proto.ToClient, mark(lk), hint(false), proto.Reversed},
		{"reply", proto.ToClient, mark(lookupReply(1, fh1)), hint(false), proto.Yes},
		{"reply on another port", proto.ToClient, mark(lookupReply(1, fh1)), proto.Hint{DstPort: 777}, proto.No},
		{"reply first", proto.ToServer, mark(lookupReply(1, fh1)), proto.Hint{SrcPort: 2049, DstPort: 900}, proto.Reversed},
		{"mount", proto.ToServer, mark(rpcCall(1, 100005, 3, 1, "")), hint(false), proto.No},
		{"version 5", proto.ToServer, mark(rpcCall(1, 100003, 5, 1, "")), hint(false), proto.No},
		{"version 1", proto.ToServer, mark(rpcCall(1, 100003, 1, 1, "")), hint(false), proto.No},
		{"no last fragment", proto.ToServer, u32(100) + lk, hint(false), proto.No},
		{"http", proto.ToServer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", hint(false), proto.No},
		{"tls", proto.ToServer, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", hint(false), proto.No},
		{"smb", proto.ToServer, "\x00\x00\x00\x85\xffSMBr\x00\x00\x00\x00\x18\x53\xc8", hint(false), proto.No},
		{"dns over udp", proto.ToServer, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01", hint(true), proto.No},
		{"short datagram", proto.ToServer, "\x00\x00", hint(true), proto.No},
	} {
		if got := p(c.dir, []byte(c.data), c.hint); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestKeywords(t *testing.T) {
	p := nfs.Protocol()
	r := run(t, 0, start()...)
	tx := r.Records[0].Tx
	for _, c := range []struct {
		name, arg string
		ok, match bool
	}{
		{"nfs_procedure", "3", true, true},
		{"nfs_procedure", " 0x3 ", true, true},
		{"nfs_procedure", "=3", true, true},
		{"nfs_procedure", "!3", true, false},
		{"nfs_procedure", "!=4", true, true},
		{"nfs_procedure", "<3", true, false},
		{"nfs_procedure", "<=3", true, true},
		{"nfs_procedure", ">2", true, true},
		{"nfs_procedure", ">= 4", true, false},
		{"nfs_procedure", "3<>5", true, true},
		{"nfs_procedure", "1-3", true, true},
		{"nfs_procedure", "4-9", true, false},
		{"nfs_procedure", "!4-9", true, true},
		{"nfs_procedure", "5-5", false, false},
		{"nfs_procedure", "5<>3", false, false},
		{"nfs_procedure", "<0", false, false},
		{"nfs_procedure", ">4294967295", false, false},
		{"nfs_procedure", "5000000000", false, false},
		{"nfs_procedure", "getattr", false, false},
		{"nfs_procedure", "", false, false},
		{"nfs_procedure", "1,2", false, false},
		{"nfs.version", "3", true, true},
		{"nfs_version", "2<>4", true, true},
		{"nfs_version", "<3", true, false},
	} {
		m, err := prototest.Field(p, c.name).Compile(c.arg)
		if (err == nil) != c.ok {
			t.Errorf("%s:%s: error %v", c.name, c.arg, err)
			continue
		}
		if err == nil && m(r.Conn, tx, proto.ToServer) != c.match {
			t.Errorf("%s:%s: matches %v, want %v", c.name, c.arg, !c.match, c.match)
		}
	}
}

func TestFrames(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, nil, nfs.Protocol()), hint(false))
	r.KeepFrames = true
	for _, c := range append(start(), c2s(compound(2, putfh(fh1))), s2c(compoundReply(2, 0, u32(22, 0)))) {
		r.Feed(c, 50)
	}
	want := map[string][3]uint64{ // direction, offset and length of the first of a type
		"rpc.creds": {0, 28, 32}, "rpc.hdr": {1, 0, 12}, "nfs.status": {1, 28, 4}, "nfs4.hdr": {0, 116 + 68, 8},
	}
	for typ, w := range want {
		found := false
		for _, f := range r.Frames {
			if f.Type == typ && !found {
				found = true
				if got := [3]uint64{uint64(f.Dir), f.Offset, uint64(f.Len)}; got != w {
					t.Errorf("%s: %v, want %v", typ, got, w)
				}
			}
		}
		if !found {
			t.Errorf("no frame %s", typ)
		}
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		key, value string
		ok         bool
	}{
		{"max-tx", "10", true}, {"max-tx", "0", false}, {"max-write-size", "0", true},
		{"max-read-queue-size", "-1", false}, {"max-write-queue-cnt", "3", true},
	} {
		_, err := proto.NewTable([]*proto.Protocol{nfs.Protocol()}, func(string) proto.Settings { return prototest.Settings{c.key: c.value} })
		if (err == nil) != c.ok {
			t.Errorf("%s: %s: %v", c.key, c.value, err)
		}
	}
}
