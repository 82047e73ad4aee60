package smb_test

import (
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/smb"
)

const (
	uidFile  = `"fuid":"00000007-0000-0000-0077-000000000000"`
	common   = `"session_id":153,"tree_id":5`
	good     = `"status":"STATUS_SUCCESS","status_code":"0x0",` + common
	diskHead = `{"id":1,"dialect":"3.11","command":"SMB2_COMMAND_NEGOTIATE_PROTOCOL",` + good + `,"client_dialects":["2.02","3.11"],"client_guid":"00000001-0000-0000-0077-000000000000","server_guid":"00000002-0000-0000-0077-000000000000","max_read_size":1048576,"max_write_size":1048576} ` + "\n" +
		`{"id":2,"dialect":"3.11","command":"SMB2_COMMAND_TREE_CONNECT",` + good + `,"share":"\\\\s\\d","share_type":"FILE"} ` + "\n" +
		`{"id":3,"dialect":"3.11","command":"SMB2_COMMAND_CREATE",` + good + `,"filename":"f.txt","disposition":"FILE_OPEN","access":"delete on close","created":0,"accessed":0,"modified":0,"changed":0,"size":42,` + uidFile + `} ` + "\n"
	closed = `"command":"SMB2_COMMAND_CLOSE"`
)

// TestFiles follows files read and written in every way, whatever the pieces.
func TestFiles(t *testing.T) {
	write := func(more string) string {
		return `{"id":4,"dialect":"3.11","command":"SMB2_COMMAND_WRITE",` + good + `,"filename":"f.txt","share":"",` + uidFile + `} ` + more
	}
	for _, c := range []struct {
		name string
		in   []prototest.Chunk
		want string // a line of it
	}{
		{"written", disk(c2s(write2(3, 7, 0, "abcd")), s2c(wrote2(3)), c2s(write2(4, 7, 4, "efgh")), c2s(close2(6, 7))), write(` file "f.txt" "abcdefgh" size 8 state 1 gaps false`)},
		{"turned around", disk(c2s(write2(3, 7, 4, "efgh")+write2(4, 7, 0, "abcd")), c2s(close2(6, 7))), write(` file "f.txt" "abcdefgh" size 8 state 1 gaps false`)},
		{"overlapping", disk(c2s(write2(3, 7, 0, "abcd")+write2(4, 7, 2, "CDef")), c2s(close2(6, 7))), write(`file_overlap file "f.txt" "abcdef" size 6 state 1 gaps false`)},
		{"lost in the middle", disk(c2s(write2(3, 7, 0, "0123456789abcdefghijklmn")[:4+64+48+18]), lost(up, 4), c2s("mn"+write2(4, 7, 24, "op")), c2s(close2(6, 7))), write(` file "f.txt" "0123456789abcdefghmnop" size 26 state 1 gaps true`)},
		{"never closed", disk(c2s(write2(3, 7, 0, "abcd"))), `"filename":"f.txt","share":"",` + uidFile + `}  file "f.txt" "abcd" size 4 state 0 gaps false`},
		{"read", disk(c2s(read2(3, 7, 0, 9)), s2c(got2(3, "hello")), c2s(read2(4, 7, 5, 9)), s2c(got2(4, " you")), c2s(read2(5, 7, 9, 9)), s2c(fail2(8, 5, 0xc0000011)), c2s(close2(6, 7))),
			`"share":"\\\\s\\d",` + uidFile + `}  file "f.txt" "hello you" size 9 state 1 gaps false`},
		{"read answers in another order", disk(c2s(read2(3, 7, 0, 5)+read2(4, 7, 5, 4)), s2c(got2(4, " you")+got2(3, "hello")), c2s(close2(6, 7))),
			`file "f.txt" "hello you" size 9 state 1 gaps false`},
		{"an unknown file", disk(c2s(read2(3, 9, 0, 9)), s2c(got2(3, "hello"))), `file "<unknown>" "hello" size 5 state 0 gaps false`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{0, 1, 50, 117} {
				got := records(run(t, size, c.in...))
				if !strings.HasPrefix(got, diskHead) || !strings.Contains(got, c.want+"\n") {
					t.Errorf("pieces of %d: got\n%swant in it\n%s", size, got, c.want)
				}
			}
		})
	}
}

func TestPipe(t *testing.T) {
	ack := rpc(12, 3, 1, u16(1)+u16(1)+u32(7)+u16(4)+"135\x00\x00\x00"+"\x01\x00\x00\x00"+zero(24))
	bound := []prototest.Chunk{c2s(write2(3, 7, 0, rpcBind(1))), s2c(wrote2(3)), c2s(read2(4, 7, 0, 1024)), s2c(got2(4, ack))}
	r := run(t, 0, pipe(append(bound, c2s(ioctl2(5, 0x11c017, 7, rpcRequest(3, 2, 15, "args"))), s2c(ioctled2(5, rpcResponse(3, 2, "res"))))...)...)
	got := records(r)
	for _, want := range []string{
		`"dcerpc":{"request":"BIND","response":"BINDACK","interfaces":[{"uuid":"22222222-2222-2222-2222-222222222222","version":"3.0","ack_result":0,"ack_reason":0}],"call_id":1}}`,
		`"dcerpc":{"request":"REQUEST","response":"RESPONSE","opnum":15,"req":{"frag_cnt":1,"stub_data_size":4},"interfaces":[{"uuid":"22222222-2222-2222-2222-222222222222","version":"3.0"}],"res":{"frag_cnt":1,"stub_data_size":3},"call_id":2}}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	p, call := smb.Protocol(), r.Records[4].Tx
	for keyword, arg := range map[string]string{"dcerpc.iface": "22222222-2222-2222-2222-222222222222", "dcerpc.opnum": "15", "smb.version": "2"} {
		m, err := prototest.Field(p, keyword).Compile(arg)
		if err != nil {
			t.Fatal(err)
		}
		if !m(r.Conn, call, up) || keyword != "smb.version" && m(r.Conn, r.Records[3].Tx, up) {
			t.Errorf("%s:%s does not match the call alone", keyword, arg)
		}
	}
	for d, want := range []string{"args", "res"} {
		if b, ok := prototest.Field(p, "dcerpc.stub_data").Get(r.Conn, call, proto.Dir(d), 0); !ok || string(b) != want {
			t.Errorf("stub data %q, want %q", b, want)
		}
	}
	if b, ok := prototest.Field(p, "smb.named_pipe").Get(r.Conn, r.Records[1].Tx, up, 0); !ok || string(b) != `\\s\IPC$` {
		t.Errorf("named pipe %q", b)
	}

	// A response in parts: each read but the last says that there is more.
	resp := rpcResponse(3, 2, strings.Repeat("r", 100))
	in := append(bound, c2s(write2(5, 7, 0, rpcRequest(3, 2, 15, "args"))))
	for i := 0; i < len(resp); i += 10 {
		status := 0x80000005
		if i+10 >= len(resp) {
			status = 0
		}
		part := resp[i:min(i+10, len(resp))]
		in = append(in, c2s(read2(10+i, 7, 0, 10)), s2c(nb(smb2(8, 1, 10+i, 5, status, u16(17)+"\x50\x00"+u32(len(part))+u32(0)+u32(0)+part))))
	}
	for _, size := range []int{0, 1} {
		if got := records(run(t, size, pipe(in...)...)); !strings.Contains(got, `"res":{"frag_cnt":1,"stub_data_size":100}`) {
			t.Errorf("in parts:\n%s", got)
		}
	}
}

func TestSMB1(t *testing.T) {
	andx := "\xff\x00\x00\x00"
	r := run(t, 0,
		c2s(smb1(0x72, 0, 1, 0, "", "\x02NT LM 0.12\x00\x02SMB 2.002\x00")), s2c(smb1(0x72, flagReply, 1, 0, u16(0)+zero(32), strings.Repeat("g", 16))),
		c2s(smb1(0x73, 0, 2, 0, andx+zero(22), "\x00\x00Unix\x00Samba\x00")), s2c(smb1(0x73, flagReply, 2, 0, andx+u16(0), "Windows\x00LM\x00")),
		c2s(smb1(0x75, 0, 3, 0, andx+u16(0)+u16(1), "\x00\\\\s\\d\x00A:\x00")), s2c(smb1(0x75, flagReply, 3, 0, andx+u16(0), "A:\x00FAT\x00")),
		c2s(smb1(0xa2, 0, 4, 0, andx+zero(31)+u32(1)+zero(9), "f.txt\x00")), s2c(smb1(0xa2, flagReply, 4, 0, andx+"\x00"+u16(9)+zero(61), "")),
		c2s(smb1(0x0b, 0, 5, 0, u16(9)+u16(4)+u32(0)+u16(0), "\x01\x04\x00abcd")), s2c(smb1(0x0b, flagReply, 5, 0, u16(4), "")),
		c2s(smb1(0x04, 0, 6, 0, u16(9)+u32(0), "")), s2c(smb1(0x04, flagReply, 6, 0, "", "")),
	)
	got := records(r)
	for _, want := range []string{
		`"command":"SMB1_COMMAND_NEGOTIATE_PROTOCOL"`, `"client_dialects":["NT LM 0.12","SMB 2.002"]`, `"command":"SMB1_COMMAND_SESSION_SETUP_ANDX"`,
		`"command":"SMB1_COMMAND_TREE_CONNECT_ANDX"`, `"command":"SMB1_COMMAND_NT_CREATE_ANDX"`, `"filename":"f.txt"`, `file "f.txt" "abcd" size 4 state 1 gaps false`, `"command":"SMB1_COMMAND_CLOSE"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestProbe(t *testing.T) {
	p := smb.Protocol()
	for _, c := range []struct {
		name string
		dir  proto.Dir
		in   string
		port uint16
		want proto.Match
	}{
		{"request", up, negotiate2(), 445, proto.Yes}, {"response from the client", up, negotiated2(1, 1), 445, proto.Reversed},
		{"half", up, negotiate2()[:6], 445, proto.More}, {"SMB1", up, smb1(0x72, 0, 1, 0, "", ""), 445, proto.Yes},
		{"another", up, "GET / HTTP/1.1\r\n", 445, proto.No}, {"too short to be one", up, nb("\xfeSMB"), 445, proto.No},
		{"session request", up, "\x81\x00\x00\x44" + zero(68), 139, proto.Yes}, {"session request elsewhere", up, "\x81\x00\x00\x44" + zero(68), 80, proto.No},
		{"keep alive", down, "\x85\x00\x00\x00", 139, proto.Yes},
	} {
		if got := p.Probe(c.dir, []byte(c.in), proto.Hint{SrcPort: 4000, DstPort: c.port}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// From the middle, in one direction, behind holes.
func TestMidstream(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, nil, smb.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 445, Midstream: true})
	r.Conn.OneSided = true
	r.Feed(c2s(tree2(1, `\\s\d`)+create2(2, "x")+close2(3, 1)), 0)
	if n := len(r.Conn.Txs); n != 0 {
		t.Errorf("%d transactions wait for a side that is not seen", n)
	}
	for _, size := range []int{0, 1, 30} {
		got := records(run(t, size, disk(lost(up, 1000), c2s("the rest of something SMB\x00\x00\x00"+create2(9, "found")), s2c(created2(9, 8)))...))
		if !strings.Contains(got, `"filename":"found"`) {
			t.Errorf("pieces of %d: nothing is found behind a hole\n%s", size, got)
		}
	}
}

// Captures give the same however they are cut.
func TestCaptures(t *testing.T) {
	tab := prototest.Table(t, nil, smb.Protocol())
	n := 0
	for _, name := range []string{"smb1-01", "smb1-02", "smb2-04", "smb2-06", "smb-eicar-andx", "smb-eicar-overlap", "smb-eicar-padding", "smb2-delete", "smb2-async"} {
		files, err := filepath.Glob(filepath.Join(prototest.Shared(t, "data", "suricata-verify", "tests", name), "*.pcap"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, f := range prototest.Flows(t, file) {
				want := records(prototest.RunFlow(tab, f, 0))
				n += strings.Count(want, "\n")
				for _, size := range []int{7, 300} {
					if got := records(prototest.RunFlow(tab, f, size)); got != want {
						t.Errorf("%s in pieces of %d:\n%.3000s\nwhole:\n%.3000s", file, size, got, want)
					}
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("%d records in all captures", n)
	}
}
