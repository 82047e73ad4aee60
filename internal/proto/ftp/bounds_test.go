package ftp_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/ftp"
	"mirador/internal/proto/prototest"
)

// A line too long is cut, said so, and what follows it is read.
func TestLongLines(t *testing.T) {
	s := prototest.Settings{"max-line-length": "32"}
	long := strings.Repeat("x", 100)
	for size := range 40 {
		f := runWith(t, size, s, c2s("USER "+long+"\r\nPWD\r\n"), s2c("331 "+long+"\r\n"), s2c("257 y\r\n"))
		want := fmt.Sprintf(`{"command":"USER","command_data":"%s","command_truncated":true,"completion_code":["331"],"reply":["%s"],"reply_received":"yes","reply_truncated":true} request_command_too_long,response_command_too_long`+"\n"+
			`{"command":"PWD","completion_code":["257"],"reply":["y"],`+yes+" \n", long[:27], long[:28])
		if got := records(f.Runner); got != want {
			t.Fatalf("pieces of %d: got\n%swant\n%s", size, got, want)
		}
	}
	for _, bad := range []string{"3", "1000000"} {
		if _, err := proto.NewTable([]*proto.Protocol{ftp.Protocol()}, func(string) proto.Settings {
			return prototest.Settings{"max-line-length": bad}
		}); err == nil {
			t.Errorf("max-line-length: %s is taken", bad)
		}
	}
}

// Commands that wait beyond max-tx end the oldest, with an event, and are not taken.
func TestTooMany(t *testing.T) {
	f := runWith(t, 0, prototest.Settings{"max-tx": "3"}, c2s("USER a\r\nUSER b\r\nUSER c\r\nUSER d\r\nUSER e\r\n"))
	// At d the oldest, a, is ended and d passed over; then there is room for e.
	if f.Conn.TxOverflow != 1 || len(f.Records) != 4 {
		t.Errorf("%d overflows, %d records", f.Conn.TxOverflow, len(f.Records))
	}
	if got := strings.Count(records(f.Runner), "too_many_transactions"); got != 1 {
		t.Errorf("%d events in\n%s", got, records(f.Runner))
	}
}

// The lines and bytes kept of one reply are bounded; the rest is passed over.
func TestReplyBounds(t *testing.T) {
	for _, line := range []string{"1 x\r\n", strings.Repeat("y", 4000) + "\r\n"} {
		r := prototest.NewRunner(prototest.Table(t, nil, ftp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 21})
		r.Feed(c2s("USER a\r\n"), 0)
		for range 2000 {
			r.Feed(s2c("150 "+line), 0)
		}
		n, size := 0, 0
		for _, x := range r.Conn.Txs[0].(*ftp.Tx).Replies() {
			n, size = n+1, size+len(x.Text)
		}
		if n > 1024 || size > 64<<10 || n < 16 {
			t.Errorf("%d lines of %d bytes are kept", n, size)
		}
		if got := r.Hits(t, "ftp", "replies"); got != uint64(2000-n) {
			t.Errorf("%d lines of 2000 are kept, counted are %d", n, got)
		}
	}
}

// A burst of commands in one segment: none of its data connections is left out.
func TestManyExpectations(t *testing.T) {
	const n = 500
	f := run(t, c2s("USER a\r\n"+strings.Repeat("PORT 10,0,0,1,4,3\r\nRETR f\r\n", n)))
	if len(f.expects) != n || f.Conn.ExpectOverflow != 0 {
		t.Errorf("%d announced, %d left out", len(f.expects), f.Conn.ExpectOverflow)
	}
}

// A session of random pieces of FTP keeps within its bounds, gives the same for
// commands however they are cut, and leaves its input as it is.
func FuzzSession(f *testing.F) {
	f.Add("USER joe\r\nPASV\r\nRETR f\r\nQUIT\r\n", "331 x\r\n227 x (1,2,3,4,4,1)\r\n150 a\r\n226 b\r\n", uint8(1), uint8(0))
	f.Add("USER a\r\nPORT 10,0,0,1,4,1\r\nSTOR f\r\nAUTH TLS\r\n", "220-a\r\n b\r\n220 c\r\n200 x\r\n234 y\r\n\x16\x03\x01", uint8(3), uint8(9))
	f.Add("EPRT |1|1.2.3.4|99|\nEPSV\nLIST\n"+strings.Repeat("x", 70), "229 (|||1024|)\n", uint8(7), uint8(3))
	f.Fuzz(func(t *testing.T, cmds, replies string, size, gap uint8) {
		if len(cmds)+len(replies) > 1<<14 {
			t.Skip()
		}
		s := prototest.Settings{"max-line-length": "64", "max-tx": "8"}
		in, out := c2s("USER x\r\n"+cmds), s2c(replies)
		keepIn, keepOut := bytes.Clone(in.Data), bytes.Clone(out.Data)
		one := func(n int) string {
			r := prototest.NewRunner(prototest.Table(t, s, ftp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 21})
			r.OnTx = func(c *proto.Conn, tx proto.Tx, dir proto.Dir) {
				if open := len(c.Open()); open > 32+2*8 {
					t.Fatalf("%d transactions are open", open)
				}
			}
			r.Feed(in, n)
			r.Feed(out, 0)
			if gap > 0 {
				r.Feed(lost(down, int(gap)), 0)
				r.Feed(out, 0)
				r.Feed(lost(up, int(gap)), 0)
				r.Feed(in, n)
			}
			r.Finish()
			for i := range r.Records {
				r.Records[i].Map(t)
			}
			return records(r)
		}
		if whole, cut := one(0), one(int(size)+1); whole != cut {
			t.Fatalf("commands in pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
		if !bytes.Equal(in.Data, keepIn) || !bytes.Equal(out.Data, keepOut) {
			t.Fatal("the input was changed")
		}
	})
}
