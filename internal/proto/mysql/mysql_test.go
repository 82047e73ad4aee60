package mysql_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/mysql"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/tls"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

var hint = proto.Hint{SrcPort: 4000, DstPort: 3306}

// Capabilities of the sessions here.
const (
	base      = 0x1 | 0x200 | 0x8000 | 0x80000 // MySQL, protocol 4.1, lengths of secrets, plug-ins
	database  = 0x8
	compress  = 0x20
	wantsTLS  = 0x800
	attribute = 0x100000
	track     = 0x800000
	noEOF     = 0x1000000
	optional  = 0x2000000
	zstd      = 0x4000000
	queryAttr = 0x8000000
	all       = base | database | compress | wantsTLS | attribute | track | noEOF | optional | zstd | queryAttr
)

func le16(n int) string  { return string(binary.LittleEndian.AppendUint16(nil, uint16(n))) }
func le32(n int) string  { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
func zeros(n int) string { return strings.Repeat("\x00", n) }

// pkt is a packet with number seq.
func pkt(seq int, body string) string { return le32(len(body))[:3] + string([]byte{byte(seq)}) + body }

// str is a string with its length.
func str(s string) string {
	if len(s) > 250 {
		return "\xfc" + le16(len(s)) + s
	}
	return string([]byte{byte(len(s))}) + s
}

func hello(caps int, version string) string {
	return pkt(0, "\x0a"+version+"\x00"+le32(42)+"saltsalt\x00"+le16(caps)+"\x08\x02\x00"+le16(caps>>16)+"\x15"+zeros(10)+"morestuffhere\x00"[:13]+"mysql_native_password\x00")
}

// mariaHello is a greeting with MariaDB's own capabilities.
func mariaHello(caps, own int) string {
	return pkt(0, "\x0a"+"5.5.5-10.11.2-MariaDB\x00"+le32(42)+"saltsalt\x00"+le16(caps&^1)+"\x08\x02\x00"+le16(caps>>16)+"\x15"+zeros(6)+le32(own)+"morestuffher\x00mysql_native_password\x00")
}

func login(caps int, own int) string {
	b := le32(caps) + le32(1<<24) + "\x21" + zeros(19) + le32(own) + "joe\x00\x14" + strings.Repeat("S", 20)
	if caps&database != 0 {
		b += "shop\x00"
	}
	b += "mysql_native_password\x00"
	if caps&attribute != 0 {
		a := str("_os") + str("Linux") + str("program_name") + str("mysql")
		b += str(a)
	}
	return pkt(1, b)
}

func okBody(affected int, status int, info string) string {
	return "\x00" + string([]byte{byte(affected)}) + "\x00" + le16(status) + "\x00\x00" + info
}

func eofBody(status int) string { return "\xfe\x00\x00" + le16(status) }

// eofOK is an OK packet in place of an EOF packet.
func eofOK(status int) string { return "\xfe" + okBody(0, status, "")[1:] }

func errBody(code int, state, text string) string { return "\xff" + le16(code) + "#" + state + text }

func column(name string, typ byte, flags int) string {
	return str("def") + str("shop") + str("t") + str("t") + str(name) + str(name) + "\x0c" + le16(33) + le32(100) + string([]byte{typ}) + le16(flags) + "\x00\x00\x00"
}

func query(q string) string { return pkt(0, "\x03"+q) }

// server is packets of the server, numbered from from.
func server(from int, bodies ...string) (out string) {
	for i, b := range bodies {
		out += pkt(from+i, b)
	}
	return out
}

type piece struct {
	dir  proto.Dir
	data string
}

// begin is a session with caps up to its login.
func begin(caps int) []piece {
	return []piece{{down, hello(all, "8.0.36")}, {up, login(caps, 0)}, {down, pkt(2, okBody(0, 2, ""))}}
}

func then(ps []piece, more ...piece) []piece { return append(append([]piece{}, ps...), more...) }

func run(tb testing.TB, s prototest.Settings, size int, ps ...piece) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, s, mysql.Protocol(), tls.Protocol()), hint)
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, size)
	}
	r.Finish()
	return r
}

func records(tb testing.TB, r *prototest.Runner) (out string) {
	for i := range r.Records {
		if r.Records[i].JSON != "" {
			r.Records[i].Map(tb)
		}
		out += fmt.Sprint(r.Records[i].JSON, strings.Join(r.Records[i].Events, ","), "\n")
	}
	return out
}

func TestSessions(t *testing.T) {
	intro := begin(base | database)
	rows := func(end string) string {
		return server(1, "\x02", column("a", 3, 0), column("b", 0xfd, 0), eofBody(2), str("1")+str("foo"), str("2")+"\xfb", end)
	}
	for _, c := range []struct {
		name string
		in   []piece
		want []string
		not  string
	}{
		{name: "login", in: begin(base | database | attribute), want: []string{`{"tx_id":1,"greeting":{"protocol_version":10,"server_version":"8.0.36","connection_id":42,"auth_plugin":"mysql_native_password"},` +
			`"request":{"command":"login","tls":false,"max_packet_size":16777216,"character_set":33,"attributes":[{"name":"_os","value":"Linux"},{"name":"program_name","value":"mysql"}],` +
			`"user":"joe","database":"shop","auth_plugin":"mysql_native_password"},"response":{"status":"ok","affected_rows":0}}`}, not: "SSSS"},
		{name: "refused", in: []piece{{down, pkt(0, "\xff"+le16(1130)+"Host 'x' is not allowed to connect")}},
			want: []string{`{"tx_id":1,"response":{"status":"error","code":1130,"message":"Host 'x' is not allowed to connect"}}`}},
		{name: "wrong password", in: then(intro[:2], piece{down, pkt(2, errBody(1045, "28000", "Access denied"))}),
			want: []string{`"response":{"status":"error","code":1045,"sql_state":"28000","message":"Access denied"}`}},
		{name: "auth switch", in: then(intro[:2], piece{down, pkt(2, "\xfeclient_ed25519\x00saltsalt")}, piece{up, pkt(3, "SSSSSSSS")}, piece{down, pkt(4, okBody(0, 2, ""))}, piece{up, query("x")}, piece{down, pkt(1, okBody(0, 2, ""))}),
			want: []string{`"auth_plugin":"client_ed25519"},"response":{"status":"ok"`, `{"tx_id":2,"request":{"command":"query","query":"x"}`}, not: "SSSS"},
		{name: "more data", in: then(intro[:2], piece{down, pkt(2, "\x01\x04")}, piece{up, pkt(3, "\x02")}, piece{down, pkt(4, "\x01-----BEGIN")}, piece{up, pkt(5, "SSSS")}, piece{down, pkt(6, okBody(0, 2, ""))}),
			want: []string{`"response":{"status":"ok"`}, not: "sequence"},
		{name: "password in clear", in: then(intro[:2], piece{down, pkt(2, "\xfemysql_clear_password\x00")}, piece{up, pkt(3, "SSSS\x00")}, piece{down, pkt(4, okBody(0, 2, ""))}),
			want: []string{"cleartext_password"}, not: "SSSS"},
		{name: "TLS", in: []piece{{down, hello(all, "8.0.36")}, {up, pkt(1, le32(base|wantsTLS)+le32(1<<24)+"\x21"+zeros(23)) + "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"}},
			want: []string{`"request":{"command":"login","tls":true,"max_packet_size":16777216,"character_set":33}}`}, not: "malformed"},
		{name: "zlib", in: then([]piece{{down, hello(all, "8.0.36")}, {up, login(base|database|compress, 0)}, {down, pkt(2, okBody(0, 2, ""))}}, piece{up, "\x0d\x00\x00\x00\x00\x00\x00" + query("select 1")}),
			want: []string{`"compression":"zlib"`, "compressed"}, not: "select"},
		{name: "zstd not offered", in: []piece{{down, hello(base, "5.5.1")}, {up, login(base|zstd, 0)}, {down, pkt(2, okBody(0, 2, ""))}, {up, query("go on")}},
			want: []string{"go on"}, not: "compress"},
		{name: "rows", in: then(intro, piece{up, query("select *")}, piece{down, rows(eofBody(2))}, piece{up, pkt(0, "\x01")}),
			want: []string{`{"tx_id":2,"request":{"command":"query","query":"select *"},"response":{"status":"result_set","results":1,"columns":2,"rows":2,"row_bytes":9}}`, `{"tx_id":3,"request":{"command":"quit"}}`}},
		{name: "rows without EOF", in: then(begin(base|noEOF), piece{up, query("select *")}, piece{down, server(1, "\x01", column("a", 3, 0), str("1"), eofOK(2))}),
			want: []string{`"columns":1,"rows":1,"row_bytes":2}`}},
		{name: "more results", in: then(intro, piece{up, query("call p()")}, piece{down, server(1, "\x01", column("a", 3, 0), eofBody(10), str("1"), eofBody(10), "\x01", column("a", 3, 0), eofBody(10), str("2"), eofBody(10), okBody(0, 2, ""))}),
			want: []string{`"results":2,"columns":1,"rows":2,`}, not: "sequence"},
		{name: "error in rows", in: then(intro, piece{up, query("select *")}, piece{down, server(1, "\x01", column("a", 3, 0), eofBody(2), str("1"), errBody(1317, "70100", "interrupted"))}),
			want: []string{`"status":"error","code":1317,"sql_state":"70100","message":"interrupted","results":1,"columns":1,"rows":1`}},
		{name: "insert", in: then(begin(base|track), piece{up, query("insert")}, piece{down, pkt(1, okBody(3, 2, str("Records: 3")))}),
			want: []string{`"response":{"status":"ok","affected_rows":3,"info":"Records: 3"}`}},
		{name: "query attributes", in: then(begin(base|queryAttr), piece{up, query("\x00\x01plain")}, piece{down, pkt(1, okBody(0, 2, ""))},
			piece{up, query("\x03\x01\x02\x01" + "\x08\x00" + str("n") + "\x08\x00" + str("x") + "\xfe\x00" + str("s") + "\x05" + zeros(7) + str("val") + "select 1")}),
			want: []string{`"query":"plain"`, `"query":"select 1"`}, not: "malformed"},
		{name: "local file", in: then(intro, piece{up, query("LOAD DATA LOCAL INFILE 'f'")}, piece{down, pkt(1, "\xfb/tmp/f")}, piece{up, pkt(2, "abcd") + pkt(3, "ef") + pkt(4, "")}, piece{down, server(5, "\xff\xff\xff\x01\x02\x02\x00\x00\x00\x04Load", okBody(2, 2, ""))}),
			want: []string{`"query":"LOAD DATA LOCAL INFILE 'f'","file_size":6},"response":{"status":"ok","affected_rows":2,"local_infile":"/tmp/f"}`}, not: "unsolicited"},
		{name: "hostile server", in: then(intro, piece{up, query("select @@version")}, piece{down, pkt(1, "\xfb/etc/passwd")}, piece{up, pkt(2, "root:x:0") + pkt(3, "")}, piece{down, pkt(4, okBody(0, 2, ""))}),
			want: []string{`"local_infile":"/etc/passwd"`, "unsolicited_local_infile"}},
		{name: "prepared", in: then(intro, piece{up, pkt(0, "\x16select ?")}, piece{down, server(1, "\x00"+le32(7)+le16(1)+le16(1)+"\x00\x00\x00", column("?", 6, 0), eofBody(2), column("a", 3, 0), eofBody(2))},
			piece{up, pkt(0, "\x17"+le32(7)+"\x00"+le32(1)+"\x00\x01\x03\x00"+le32(5))}, piece{down, server(1, "\x01", column("a", 3, 0), eofBody(2), "\x00\x00"+le32(5), eofBody(2))},
			piece{up, pkt(0, "\x19"+le32(7))}, piece{up, pkt(0, "\x0e")}, piece{down, pkt(1, okBody(0, 2, ""))}),
			want: []string{`"request":{"command":"stmt_prepare","query":"select ?"},"response":{"status":"prepared","statement_id":7,"parameters":1,"columns":1}`,
				`"request":{"command":"stmt_execute","statement_id":7},"response":{"status":"result_set","results":1,"columns":1,"rows":1,"row_bytes":6}`, `"request":{"command":"stmt_close","statement_id":7}}`, `"command":"ping"},"response":{"status":"ok"`}},
		{name: "cursor", in: then(intro, piece{up, pkt(0, "\x17"+le32(7)+"\x01"+le32(1))}, piece{down, server(1, "\x01", column("a", 3, 0), eofBody(0x42))}, piece{up, pkt(0, "\x1c"+le32(7)+le32(10))}, piece{down, server(1, "\x00\x00"+le32(9), eofBody(0x82))}),
			want: []string{`"request":{"command":"stmt_fetch","statement_id":7},"response":{"status":"result_set","results":0,"columns":0,"rows":1,"row_bytes":6}`}},
		{name: "optional metadata", in: then(begin(base|optional|noEOF), piece{up, query("a")}, piece{down, server(1, "\x00\x02", str("1")+str("2"), eofOK(2))}, piece{up, query("b")}, piece{down, pkt(1, okBody(0, 2, ""))}),
			want: []string{`"query":"a"},"response":{"status":"result_set","results":1,"columns":2,"rows":1,"row_bytes":4}`, `"query":"b"},"response":{"status":"ok"`}},
		{name: "MariaDB's cached metadata", in: []piece{{down, mariaHello(base, 0x18)}, {up, login(base&^1, 0x18)}, {down, pkt(2, okBody(0, 2, ""))}, {up, query("a")},
			{down, server(1, "\x01\x01", strings.Replace(column("a", 3, 0), "\x0c", "\x00\x0c", 1), eofBody(2), str("1"), eofBody(2))}, {up, pkt(0, "\x17"+le32(7)+"\x00"+le32(1))}, {down, server(1, "\x01\x00", eofBody(2), "\x00\x00"+le32(9), eofBody(2))}},
			want: []string{`"query":"a"},"response":{"status":"result_set","results":1,"columns":1,"rows":1`, `"statement_id":7},"response":{"status":"result_set","results":1,"columns":1,"rows":1`}, not: "malformed"},
		{name: "change user", in: then(intro, piece{up, pkt(0, "\x11eve\x00\x04SSSSother\x00\x21\x00mysql_native_password\x00")}, piece{down, pkt(1, "\xfemysql_native_password\x00salt")}, piece{up, pkt(2, "SSSS")}, piece{down, pkt(3, okBody(0, 2, ""))}),
			want: []string{`"request":{"command":"change_user","user":"eve","database":"other","auth_plugin":"mysql_native_password"},"response":{"status":"ok"`}, not: "SSSS"},
		{name: "binary log", in: then(intro, piece{up, pkt(0, "\x12"+le32(4)+le16(0)+le32(3)+"bl.000001")}, piece{down, server(1, "\x00event one", "\x00two", eofBody(2))}),
			want: []string{`"request":{"command":"binlog_dump","position":4,"server_id":3,"file":"bl.000001"},"response":{"status":"binlog","events":2,"event_bytes":14}`}},
		{name: "GTID", in: then(intro, piece{up, pkt(0, "\x1e"+le16(0)+le32(3)+le32(4)+"bl.1"+zeros(7)+"\x00"+le32(0))}, piece{down, server(1, errBody(1236, "HY000", "could not find"))}),
			want: []string{`"command":"binlog_dump_gtid","position":0,"server_id":3,"file":"bl.1"}`}},
		{name: "statistics", in: then(intro, piece{up, pkt(0, "\x09")}, piece{down, pkt(1, "Uptime: 1")}), want: []string{`"response":{"status":"text","text":"Uptime: 1"}`}},
		{name: "set option", in: then(intro, piece{up, pkt(0, "\x1b\x00\x00")}, piece{down, pkt(1, eofBody(2))}), want: []string{`"request":{"command":"set_option","option":0},"response":{"status":"ok"`}},
		{name: "kill", in: then(intro, piece{up, pkt(0, "\x0c"+le32(9))}, piece{down, pkt(1, okBody(0, 2, ""))}), want: []string{`"request":{"command":"process_kill","connection_id":9}`}},
		{name: "field list", in: then(intro, piece{up, pkt(0, "\x04t\x00%")}, piece{down, server(1, column("a", 3, 0), column("b", 3, 0), eofBody(2))}, piece{up, pkt(0, "\x02x")}, piece{down, pkt(1, okBody(0, 2, ""))}),
			want: []string{`"request":{"command":"field_list","table":"t"},"response":{"status":"ok"`, `"request":{"command":"init_db","database":"x"},"response":{"status":"ok"`}},
		{name: "goodbye", in: then(intro, piece{down, pkt(0, errBody(4031, "HY000", "inactivity"))}), want: []string{`{"tx_id":2,"response":{"status":"error","code":4031`}, not: "unexpected"},
		{name: "answer to nothing", in: then(intro, piece{down, pkt(1, okBody(0, 2, ""))}), want: []string{"unexpected_packet"}},
		{name: "number", in: then(intro, piece{up, query("x")}, piece{down, pkt(5, okBody(0, 2, ""))}), want: []string{"sequence_id"}},
		{name: "unknown command", in: then(intro, piece{up, pkt(0, "\x77abc")}, piece{down, pkt(1, errBody(1047, "08S01", "Unknown command"))}), want: []string{`"command":"unknown_119"`, "unknown_command"}},
		{name: "empty command", in: then(intro, piece{up, pkt(0, "")}), want: []string{"malformed_request"}},
		{name: "short command", in: then(intro, piece{up, pkt(0, "\x17\x00")}), want: []string{"malformed_request"}},
		{name: "no columns", in: then(intro, piece{up, query("x")}, piece{down, pkt(1, "\xfc\xff\xff") + server(2, "garbage", "more")}, piece{up, query("y")}, piece{down, pkt(1, okBody(0, 2, ""))}),
			want: []string{"malformed_response", `"query":"y"},"response":{"status":"ok"`}, not: "unexpected"},
		{name: "data nobody asked for", in: then(intro, piece{up, query("x") + pkt(1, "data")}, piece{down, pkt(2, okBody(0, 2, ""))}), want: []string{`"file_size":4`, "unexpected_packet"}},
		{name: "greeting", in: []piece{{down, hello(all, "8.0.36")}, {up, pkt(1, le32(base))}}, want: []string{"malformed_request"}},
		{name: "old login", in: []piece{{down, hello(base, "4.0.1")}, {up, pkt(1, "\x85\x24\x00\x00\x01joe\x00SSSSSSSS")}, {down, pkt(2, "\x00\x00\x00")}, {up, query("old")}}, want: []string{`"user":"joe"`, `"query":"old"`}, not: "malformed"},
	} {
		for _, size := range []int{0, 1, 7} {
			got := records(t, run(t, nil, size, c.in...))
			for _, w := range c.want {
				if !strings.Contains(got, w) {
					t.Errorf("%s, pieces of %d:\n%s lacks %s", c.name, size, got, w)
				}
			}
			if c.not != "" && strings.Contains(got, c.not) {
				t.Errorf("%s, pieces of %d:\n%s has %s", c.name, size, got, c.not)
			}
		}
	}
}
