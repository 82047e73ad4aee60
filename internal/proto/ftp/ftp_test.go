package ftp_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/ftp"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/smtp"
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

var (
	client = proto.Addr{10: 0xff, 11: 0xff, 12: 10, 13: 0, 14: 0, 15: 1}
	server = proto.Addr{10: 0xff, 11: 0xff, 12: 10, 13: 0, 14: 0, 15: 2}
)

type flow struct {
	*prototest.Runner
	expects []proto.Expectation
}

func runWith(tb testing.TB, size int, s prototest.Settings, chunks ...prototest.Chunk) *flow {
	tb.Helper()
	f := &flow{Runner: prototest.NewRunner(prototest.Table(tb, s, ftp.Protocol(), ftp.DataProtocol()), proto.Hint{SrcPort: 4000, DstPort: 21})}
	f.Conn.Addrs = [2]proto.Addr{client, server}
	for _, c := range chunks {
		f.Feed(c, size)
		f.expects = append(f.expects, f.Conn.Expects...)
		f.Conn.Expects = nil
	}
	f.Finish()
	return f
}

func run(tb testing.TB, chunks ...prototest.Chunk) *flow { return runWith(tb, 0, nil, chunks...) }

func records(r *prototest.Runner) string {
	var b strings.Builder
	for i := range r.Records {
		fmt.Fprintln(&b, r.Records[i].JSON, strings.Join(r.Records[i].Events, ","))
	}
	return b.String()
}

const (
	yes = `"reply_received":"yes","reply_truncated":false}`
	no  = `"reply_received":"no","reply_truncated":false}`
)

func TestRecords(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []prototest.Chunk
		want []string
	}{
		{"greeting and login", []prototest.Chunk{
			s2c("220 (x) ready\r\n"), c2s("USER joe\r\n"), s2c("331 password\r\n"), c2s("PASS secret\r\n"), s2c("230 in\r\n"),
		}, []string{
			`{"completion_code":["220"],"reply":["(x) ready"],` + yes + ` `,
			`{"command":"USER","command_data":"joe","command_truncated":false,"completion_code":["331"],"reply":["password"],` + yes + ` `,
			`{"command":"PASS","command_data":"secret","command_truncated":false,"completion_code":["230"],"reply":["in"],` + yes + ` `,
		}},
		{"lines of one reply that come together", []prototest.Chunk{
			c2s("USER joe\r\n"), c2s("FEAT\r\n"), s2c("211-Features:\r\n MDTM\r\n211 End\r\n"),
		}, []string{
			`{"command":"USER","command_data":"joe","command_truncated":false,"completion_code":["211"],"reply":["211-Features:"," MDTM","End"],` + yes + ` `,
		}},
		{"a preliminary reply does not end it", []prototest.Chunk{
			c2s("USER a\r\n"), s2c("1"), s2c("50 wait\r\n"), s2c("226 done\r\n"),
		}, []string{`{"command":"USER","command_data":"a","command_truncated":false,"completion_code":["150","226"],"reply":["wait","done"],` + yes + ` `}},
		{"pipelined commands", []prototest.Chunk{
			c2s("USER a\r\nPWD\r\nsyst\r\n"), s2c("331 x\r\n"), s2c("257 y\r\n"), s2c("215 z\r\n"),
		}, []string{
			`{"command":"USER","command_data":"a","command_truncated":false,"completion_code":["331"],"reply":["x"],` + yes + ` `,
			`{"command":"PWD","completion_code":["257"],"reply":["y"],` + yes + ` `,
			`{"command":"SYST","completion_code":["215"],"reply":["z"],` + yes + ` `,
		}},
		{"never answered", []prototest.Chunk{c2s("USER a\r\n")}, []string{`{"command":"USER","command_data":"a","command_truncated":false,` + no + ` `}},
		{"passive", []prototest.Chunk{c2s("USER a\r\n"), s2c("331 x\r\n"), c2s("PASV\r\n"), s2c("227 Entering (10,0,0,2,4,1)\r\n")}, []string{
			`{"command":"USER","command_data":"a","command_truncated":false,"completion_code":["331"],"reply":["x"],` + yes + ` `,
			`{"command":"PASV","completion_code":["227"],"reply":["Entering (10,0,0,2,4,1)"],"dynamic_port":1025,"mode":"passive",` + yes + ` `,
		}},
		{"a file before its port", []prototest.Chunk{c2s("USER a\r\nRETR f\r\n")}, []string{
			`{"command":"USER","command_data":"a","command_truncated":false,` + no + ` `,
			`{"command":"RETR","command_data":"f","command_truncated":false,` + no + ` file_before_port`,
		}},
		{"a file without a name", []prototest.Chunk{c2s("USER a\r\nPORT 10,0,0,1,4,1\r\nSTOR\r\n")}, []string{
			`{"command":"USER","command_data":"a","command_truncated":false,` + no + ` `,
			`{"command":"PORT","command_data":"10,0,0,1,4,1","command_truncated":false,"mode":"passive",` + no + ` `,
			`{"command":"STOR",` + no + ` file_without_name`,
		}},
		{"replies alone", []prototest.Chunk{s2c("220 (x)\r\n"), s2c("500 what\r\n")}, []string{
			`{"completion_code":["220"],"reply":["(x)"],` + yes + ` `,
			`{"completion_code":["500"],"reply":["what"],` + yes + ` `,
		}},
		{"replies lost", []prototest.Chunk{
			c2s("USER a\r\n"), c2s("PWD\r\n"), lost(down, 10), s2c("st of it\r\n257 y\r\n"), c2s("SYST\r\n"), s2c("215 z\r\n"),
		}, []string{
			`{"command":"USER","command_data":"a","command_truncated":false,` + no + ` `,
			`{"command":"PWD",` + no + ` `,
			`{"completion_code":["257"],"reply":["y"],` + yes + ` `,
			`{"command":"SYST","completion_code":["215"],"reply":["z"],` + yes + ` `,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, want := records(run(t, c.in...).Runner), strings.Join(c.want, "\n")+"\n"
			if got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// What the data connections are told of, for each way to settle their address.
func TestExpectations(t *testing.T) {
	pasv := s2c("227 x (1,2,3,4,4,1)\r\n")
	for _, c := range []struct {
		name string
		in   []prototest.Chunk
		want string // command, file, sender's side in the new flow, client>server:port
	}{
		{"PASV RETR", []prototest.Chunk{c2s("USER a\r\nPASV\r\n"), s2c("331 x\r\n"), pasv, c2s("RETR f g\r\n")}, "RETR f g 1 1>2:1025"},
		{"PASV STOR", []prototest.Chunk{c2s("USER a\r\nPASV\r\n"), s2c("331 x\r\n"), pasv, c2s("STOR f\r\n")}, "STOR f 0 1>2:1025"},
		{"PASV STOU", []prototest.Chunk{c2s("USER a\r\nPASV\r\n"), s2c("331 x\r\n"), pasv, c2s("STOU\r\n")}, "STOU <stou> 0 1>2:1025"},
		{"EPSV LIST", []prototest.Chunk{c2s("USER a\r\nEPSV\r\n"), s2c("331 x\r\n"), s2c("229 x (|||1026|)\r\n"), c2s("LIST\r\n")}, "LIST  1 1>2:1026"},
		{"PORT RETR", []prototest.Chunk{c2s("USER a\r\nPORT 10,0,0,1,4,3\r\nRETR f\r\n")}, "RETR f 0 2>1:1027"},
		{"PORT STOR", []prototest.Chunk{c2s("USER a\r\nPORT 10,0,0,1,4,3\r\nSTOR f\r\n")}, "STOR f 1 2>1:1027"},
		{"EPRT APPE", []prototest.Chunk{c2s("USER a\r\nEPRT |2|::1|1028|\r\nAPPE f\r\n")}, "APPE f 1 2>1:1028"},
		{"each port serves once", []prototest.Chunk{c2s("USER a\r\nPORT 10,0,0,1,4,3\r\nRETR f\r\nRETR g\r\n")}, "RETR f 0 2>1:1027"},
		{"no port", []prototest.Chunk{c2s("USER a\r\nPASV\r\n"), s2c("331 x\r\n"), s2c("227 x (1,2,3,4,256,1)\r\n"), c2s("RETR f\r\n")}, ""},
		{"port 0", []prototest.Chunk{c2s("USER a\r\nPORT 10,0,0,1,0,0\r\nRETR f\r\n")}, ""},
		{"a gap forgets the port", []prototest.Chunk{c2s("USER a\r\nPORT 10,0,0,1,4,3\r\n"), lost(up, 5), c2s("RETR f\r\n")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			for _, e := range run(t, c.in...).expects {
				f := e.Data.(*ftp.Transfer)
				got += fmt.Sprintf("%s %s %d %d>%d:%d", f.Command, f.Name, f.From, e.Client[15], e.Server[15], e.Port)
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestFields(t *testing.T) {
	f := run(t, c2s("USER a\r\nPORT 10,0,0,9,4,3\r\n"), s2c("331 x\r\n"), s2c("200 y\r\n"))
	p := ftp.Protocol()
	tx := f.Records[1].Tx
	for name, want := range map[string]string{"ftp.command": "PORT", "ftp.command_data": "10,0,0,9,4,3", "ftp.completion_code": "200", "ftp.reply": "y"} {
		got, ok := prototest.Field(p, name).Get(f.Conn, tx, up, 0)
		if !ok || string(got) != want {
			t.Errorf("%s = %q, %v, want %q", name, got, ok, want)
		}
		if _, ok := prototest.Field(p, name).Get(f.Conn, tx, up, 5); ok && prototest.Field(p, name).Multi {
			t.Errorf("%s has a sixth value", name)
		}
	}
	if n, ok := prototest.Field(p, "ftp.dynamic_port").Uint(f.Conn, tx, up, 0); !ok || n != 1027 {
		t.Errorf("ftp.dynamic_port = %d, %v", n, ok)
	}
	for _, c := range []struct {
		keyword, arg string
		match        [2]bool // of USER, of PORT
	}{
		{"ftp.mode", "active", [2]bool{false, true}},
		{"ftp.mode", "PASSIVE", [2]bool{}},
		{"ftp.reply_received", "yes", [2]bool{true, true}},
		{"ftp.reply_received", "no", [2]bool{}},
		{"ftpbounce", "", [2]bool{false, true}},
	} {
		m, err := prototest.Field(p, c.keyword).Compile(c.arg)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.match {
			if got := m(f.Conn, f.Records[i].Tx, up); got != want {
				t.Errorf("%s:%s of command %d: %v", c.keyword, c.arg, i, got)
			}
		}
	}
	for _, bad := range [][2]string{{"ftp.mode", "both"}, {"ftp.reply_received", "maybe"}, {"ftpbounce", "x"}} {
		if _, err := prototest.Field(p, bad[0]).Compile(bad[1]); err == nil {
			t.Errorf("%s takes %q", bad[0], bad[1])
		}
	}
}

func TestDataConnection(t *testing.T) {
	tab := prototest.Table(t, nil, ftp.Protocol(), ftp.DataProtocol())
	for _, c := range []struct {
		name  string
		given any
		in    []prototest.Chunk
		json  string
		file  string // name, content, state, size, gaps
	}{
		{"a file", &ftp.Transfer{Command: "RETR", Name: []byte("f"), From: down}, []prototest.Chunk{s2c("ab"), c2s("noise"), s2c("cd")}, `{"filename":"f","command":"RETR"}`, "f abcd 1 4 false"},
		{"a gap", &ftp.Transfer{Command: "STOR", Name: []byte("f"), From: up}, []prototest.Chunk{c2s("ab"), lost(up, 7), c2s("cd")}, `{"filename":"f","command":"STOR"}`, "f abcd 1 11 true"},
		{"a list", &ftp.Transfer{Command: "LIST", From: down}, []prototest.Chunk{s2c("ab")}, `{"command":"LIST"}`, ""},
		{"of unknown origin", nil, []prototest.Chunk{s2c("ab")}, `{"command":""}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := prototest.NewRunner(tab, proto.Hint{SrcPort: 20, DstPort: 4001})
			r.Conn.Announced(tab.ByName("ftp-data"), c.given)
			for _, x := range c.in {
				r.Feed(x, 1)
			}
			r.Finish()
			if len(r.Records) != 1 || r.Records[0].JSON != c.json {
				t.Fatalf("records %+v, want %s", r.Records, c.json)
			}
			got := ""
			for _, f := range r.Records[0].Tx.Base().Files {
				got = fmt.Sprintf("%s %s %d %d %v", f.Name, f.Data, f.State, f.Size, f.Gaps)
			}
			if got != c.file {
				t.Errorf("file %q, want %q", got, c.file)
			}
			m, err := prototest.Field(ftp.DataProtocol(), "ftpdata_command").Compile("stor")
			if err != nil {
				t.Fatal(err)
			}
			if got := m(r.Conn, r.Records[0].Tx, up); got != strings.Contains(c.json, "STOR") {
				t.Errorf("ftpdata_command:stor is %v", got)
			}
		})
	}
}

// What follows a 234 is TLS; what follows a refusal is not.
func TestAuthTLS(t *testing.T) {
	f := run(t, c2s("USER a\r\n"), s2c("331 x\r\n"), c2s("AUTH TLS\r\n"), s2c("234 go\r\n"))
	if !f.Conn.Changing() || f.Conn.Orig == proto.Unknown {
		t.Error("the flow does not change")
	}
	f = run(t, c2s("USER a\r\n"), s2c("331 x\r\n"), c2s("AUTH TLS\r\n"), s2c("534 no\r\n"), c2s("PWD\r\n"), s2c("257 /\r\n"))
	if f.Conn.Changing() || len(f.Records) != 3 {
		t.Errorf("changing %v, %d records", f.Conn.Changing(), len(f.Records))
	}
}

// Begun in the middle, in one direction only, or behind an unknown start.
func TestOneWay(t *testing.T) {
	for name, in := range map[string][]prototest.Chunk{
		"client only": {c2s("USER a\r\n"), c2s("PASS b\r\n"), c2s("QUIT\r\n")},
		"server only": {s2c("220 (x)\r\n"), s2c("331 x\r\n"), s2c("230 x\r\n")},
	} {
		f := run(t, in...)
		if len(f.Records) != 3 {
			t.Errorf("%s: %s", name, records(f.Runner))
		}
	}
	r := prototest.NewRunner(prototest.Table(t, nil, ftp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 21})
	r.Conn.OneSided = true
	for range 3 {
		r.Feed(c2s("USER a\r\n"), 0)
		if n := len(r.Conn.Txs); n != 0 {
			t.Errorf("%d transactions wait for a side that is not seen", n)
		}
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		dir  proto.Dir
		in   string
		port uint16
		want proto.Match
	}{
		{up, "USER joe\r\n", 5000, proto.Yes}, {up, "user joe\r\n", 21, proto.No}, {up, "feat\r\n", 21, proto.Yes},
		{up, "US", 21, proto.More}, {up, "USAGE", 21, proto.No}, {up, "EHLO x\r\n", 21, proto.No},
		{down, "220 mail.example.org ESMTP\r\n", 25, proto.More}, {down, "220 ready\r\n", 21, proto.Yes},
		{down, "220-ready\r\n", 21, proto.Yes}, {down, "220 (vsFTPd)\r\n", 5000, proto.Yes}, {down, "22", 21, proto.More},
		{down, "500 x", 21, proto.No}, {down, "220", 21, proto.More},
	} {
		if got := ftp.Protocol().Probe(c.dir, []byte(c.in), proto.Hint{SrcPort: 4000, DstPort: c.port}); got != c.want {
			t.Errorf("probe(%d, %q, port %d) = %v, want %v", c.dir, c.in, c.port, got, c.want)
		}
	}
	// A mail server is not taken for one of FTP.
	r := prototest.NewRunner(prototest.Table(t, nil, smtp.Protocol(), ftp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 25})
	r.Feed(s2c("220 mail.example.org ESMTP\r\n"), 0)
	if name := r.Conn.Table.Name(r.Conn.App); name != "smtp" {
		t.Errorf("a mail server's greeting is %q", name)
	}
}
