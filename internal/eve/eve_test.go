package eve_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mirador/internal/eve"
	"mirador/internal/jsonw"
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// testTx is a transaction of the protocol that the tests log.
type testTx struct {
	proto.TxBase
	text []byte
	hide bool
}

type noSettings struct{}

func (noSettings) String(string) (string, bool)    { return "", false }
func (noSettings) Bool(string) (bool, bool)        { return false, false }
func (noSettings) Int(string) (int64, bool)        { return 0, false }
func (noSettings) Size(string) (int64, bool)       { return 0, false }
func (noSettings) Strings(string) ([]string, bool) { return nil, false }
func (noSettings) Global() proto.Settings          { return noSettings{} }

func testTable(t testing.TB) *proto.Table {
	t.Helper()
	log := func(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
		x := tx.(*testTx)
		w.Bytes("text", x.text)
		return !x.hide
	}
	table, err := proto.NewTable([]*proto.Protocol{
		{Name: "http", TxID: true, Transport: proto.TCP, Log: log},
		{Name: "bittorrent-dht", LogName: "bittorrent_dht", Transport: proto.UDP, Log: log},
		{Name: "quiet", Transport: proto.TCP, Log: log},
	}, func(string) proto.Settings { return noSettings{} })
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// conn returns a flow of protocol name with one live transaction.
func conn(table *proto.Table, name string, text string) (*proto.Conn, *testTx) {
	c := proto.NewConn(table, proto.Hint{})
	c.App = table.ByName(name)
	tx := &testTx{text: []byte(text)}
	c.NewTx(tx)
	return c, tx
}

func addr(s string) packet.Addr { return netip.MustParseAddr(s).As16() }

func tcp4() packet.Tuple {
	return packet.Tuple{Src: addr("10.0.1.15"), Dst: addr("203.0.113.9"), SrcPort: 51514, DstPort: 80,
		Proto: packet.ProtoTCP, Version: 4}
}

const t0 = 1255711456083524000 // 2009-10-16T16:44:16.083524Z

// full returns a header with every key.
func full() *eve.Header {
	out := packet.Tuple{Src: addr("172.31.0.9"), Dst: addr("172.31.0.1"), SrcPort: 65408, DstPort: 4789,
		Proto: packet.ProtoUDP, Version: 4}
	return &eve.Header{
		Time: t0, FlowID: 1<<52 | 42, HasFlow: true, ParentID: 7, InIface: "ens6", PcapCnt: 4, PcapFile: "/a.pcap",
		NVLAN: 2, VLAN: [3]uint16{1, 10}, Tuple: tcp4(), Source: packet.FromTunnelVXLAN,
		HasEther: true, EtherSrc: [6]byte{1, 2, 3, 4, 5, 6}, EtherDst: [6]byte{6, 5, 4, 3, 2, 1}, EtherType: 0x800,
		CommunityID: "1:abc=", TxID: 3, HasTx: true,
		App: eve.App{Proto: "http", ToServer: "http", ToClient: "ssh", Orig: "tls", Expected: "smtp"},
		Vars: &eve.Vars{
			Flowbits: []string{"ET.x", "traffic/id/curl", "traffic/label/cli-http"},
			Flowints: []eve.Int{{Name: "n", Value: 3}},
			Flowvars: []eve.Var{{Name: "gid", Value: []byte("0\x00")}},
			Pktvars:  []eve.Var{{Name: "uid", Value: []byte("0")}},
			Entropy:  []eve.Number{{Name: "file_data", Value: 4.150007324019584}},
		},
		Direction: eve.ToServer,
		Tunnel:    &eve.Tunnel{Tuple: out, Depth: 0, PcapCnt: 4},
		Mirror: &eve.Mirror{VNI: 1169, Outer: out.Src, HasOuter: true, Truncated: true, Dup: true, Direction: mirror.Egress,
			Source: &mirror.Source{SessionID: "tms-1", SessionName: "web", ENI: "eni-1", InstanceID: "i-1", Name: "web-1",
				Account: "111122223333", VPC: "vpc-1", Subnet: "subnet-1", AZ: "euw1-az1", Tenant: "a",
				Tags: []mirror.Tag{{Key: "env", Value: "prod"}}}},
	}
}

func allOn() eve.Options {
	o := eve.DefaultOptions()
	o.Ethernet, o.CommunityID, o.PcapFile, o.Host, o.SuricataVersion = true, true, true, "sensor-1", "8.0.7"
	o.Alert.Payload, o.Alert.PayloadPrintable, o.Alert.PayloadLength, o.Alert.Packet = true, true, true, true
	o.Alert.RuleRaw, o.Alert.References, o.Alert.Verdict, o.Alert.TaggedPackets = true, true, true, true
	o.Anomaly = eve.AnomalyOptions{Decode: true, Stream: true, AppLayer: true, PacketHdr: true}
	o.Flow.ExceptionPolicy = true
	o.NetflowOn, o.FrameOn, o.ARPOn, o.MetadataOn, o.StreamOn = true, true, true, true, true
	o.Stream.All = true
	return o
}

func fullRule() *eve.RuleInfo {
	return &eve.RuleInfo{GID: 1, SID: 2019401, Rev: 3, Msg: `say "hi"`, Category: "Potentially Bad Traffic", Priority: 2,
		Action: "alert", Target: eve.TargetSrc, Raw: "alert tcp any any -> any any (sid:2019401;)",
		Metadata:   []eve.Pair{{"tag", "a"}, {"created_at", "2018-01-30"}, {"tag", "b"}},
		References: []string{"https://example.org/x"}}
}

func fullFlow() *eve.Flow {
	return &eve.Flow{Tuple: tcp4(), PktsTS: 5, PktsTC: 4, BytesTS: 425, BytesTC: 495, Start: t0, End: t0 + 29e9,
		State: eve.FlowEstablished, Reason: eve.ReasonShutdown, Alerted: true, Action: "pass", TxCount: 2,
		Exceptions: []eve.Exception{{Target: "stream_midstream", Policy: "ignore"}},
		TTLMinTS:   60, TTLMaxTS: 64, TTLMinTC: 50, TTLMaxTC: 51, IsTCP: true,
		TCP: eve.TCP{Flags: 0xff, FlagsTS: 0x1b, FlagsTC: 0x12, HasSession: true, State: eve.TCPFinWait1,
			RegionsTS: 1, RegionsTC: 1, GapTS: true, GapTC: true, UrgentTS: 1, UrgentTC: 1}}
}

func fullFile() eve.File {
	return eve.File{Name: []byte("eicar.txt"), SIDs: []uint32{1, 2}, Magic: "ASCII text", Gaps: false,
		State: proto.FileClosed, MD5: make([]byte, 16), SHA1: make([]byte, 20), SHA256: make([]byte, 32), Stored: true,
		FileID: 9, Size: 68, HasRange: true, Start: 500, End: 1000, TxID: 3}
}

func fullAlert(c *proto.Conn, tx proto.Tx) *eve.Alert {
	return &eve.Alert{Rule: fullRule(), Context: []eve.Context{{Key: "ip", JSON: []byte("{\"year\":\n\"2005\"}")}},
		XFF: "192.0.2.1", Conn: c, Tx: tx, Guessed: true, Files: []eve.File{fullFile()},
		Frame: &eve.Frame{Type: "pdu", ID: 2, Dir: eve.ToServer, Stream: true, Offset: 737, Length: 40, Complete: true,
			HasTx: true, TxID: 1, Payload: []byte("250 ok\r\n")},
		Flow: fullFlow(), Payload: eve.AppendMissing([]byte("VERY"), 4), PayloadLen: 8, Stream: true,
		Packet: []byte{0xde, 0xad}, Link: packet.LinkEthernet, Verdict: "alert"}
}

// line checks that got is one line of valid JSON and decodes it.
func line(t testing.TB, got []byte) map[string]any {
	t.Helper()
	if len(got) == 0 || got[len(got)-1] != '\n' || strings.Count(string(got), "\n") != 1 {
		t.Fatalf("not one line: %q", got)
	}
	if !utf8.Valid(got) {
		t.Fatalf("not UTF-8: %q", got)
	}
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(string(got)))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v: %q", err, got)
	}
	return m
}

const headJSON = `{"timestamp":"2009-10-16T16:44:16.083524+0000","suricata_version":"8.0.7","flow_id":42,"parent_id":7,` +
	`"in_iface":"ens6","pcap_cnt":4,"event_type":"alert","vlan":[1,10],"src_ip":"10.0.1.15","src_port":51514,` +
	`"dest_ip":"203.0.113.9","dest_port":80,"proto":"TCP","ip_v":4,"pkt_src":"vxlan encapsulation",` +
	`"traffic":{"id":["curl"],"label":["cli-http"]},"metadata":{"flowvars":[{"gid":"0."}],"pktvars":[{"uid":"0"}],` +
	`"flowbits":["ET.x"],"flowints":{"n":3},"entropy":{"file_data":4.150007324019584}},` +
	`"ether":{"ether_type":2048,"src_mac":"01:02:03:04:05:06","dest_mac":"06:05:04:03:02:01"},"community_id":"1:abc=",` +
	`"pcap_filename":"/a.pcap","host":"sensor-1","mirror":{"vni":1169,"source_ip":"172.31.0.9","session_id":"tms-1",` +
	`"session_name":"web","eni":"eni-1","instance_id":"i-1","name":"web-1","account":"111122223333","vpc":"vpc-1",` +
	`"subnet":"subnet-1","az":"euw1-az1","tenant":"a","tags":{"env":"prod"},"direction":"egress","truncated":true,"dup":true},`

const alertJSON = `"tx_id":3,"tx_guessed":true,"tunnel":{"src_ip":"172.31.0.9","src_port":65408,"dest_ip":"172.31.0.1",` +
	`"dest_port":4789,"proto":"UDP","depth":0,"pcap_cnt":4,"pkt_src":"wire/pcap"},"alert":{"action":"allowed","gid":1,` +
	`"signature_id":2019401,"rev":3,"signature":"say \"hi\"","category":"Potentially Bad Traffic","severity":2,` +
	`"source":{"ip":"203.0.113.9","port":80},"target":{"ip":"10.0.1.15","port":51514},"references":["https://example.org/x"],` +
	`"metadata":{"tag":["b","a"],"created_at":["2018-01-30"]},"context":{"ip":{"year":"2005"}},` +
	`"rule":"alert tcp any any -> any any (sid:2019401;)","xff":"192.0.2.1"},"http":{"text":"GET"},` +
	`"files":[{"filename":"eicar.txt","sid":[1,2],"magic":"ASCII text","gaps":false,"state":"CLOSED",` +
	`"md5":"00000000000000000000000000000000","sha1":"0000000000000000000000000000000000000000",` +
	`"sha256":"0000000000000000000000000000000000000000000000000000000000000000","stored":true,"file_id":9,"size":68,` +
	`"start":500,"end":1000,"tx_id":3}],"app_proto":"http","app_proto_tc":"ssh","app_proto_orig":"tls",` +
	`"app_proto_expected":"smtp","direction":"to_server","flow":{"pkts_toserver":5,"pkts_toclient":4,"bytes_toserver":425,` +
	`"bytes_toclient":495,"start":"2009-10-16T16:44:16.083524+0000","src_ip":"10.0.1.15","dest_ip":"203.0.113.9",` +
	`"src_port":51514,"dest_port":80},"payload":"VkVSWVs0IGJ5dGVzIG1pc3Npbmdd","payload_printable":"VERY[4 bytes missing]",` +
	`"payload_length":8,"stream":1,"frame":{"type":"pdu","id":2,"direction":"toserver","stream_offset":737,"length":40,` +
	`"complete":true,"payload":"MjUwIG9rDQo=","payload_printable":"250 ok\r\n","tx_id":1},"packet":"3q0=",` +
	`"packet_info":{"linktype":1,"linktype_name":"EN10MB"},"verdict":{"action":"alert"}}` + "\n"

func TestAlert(t *testing.T) {
	table := testTable(t)
	c, tx := conn(table, "http", "GET")
	w := eve.NewWriter(allOn(), table)
	got := w.Alert([]byte("before\n"), full(), fullAlert(c, tx))
	rest, ok := strings.CutPrefix(string(got), "before\n")
	if !ok {
		t.Fatal("what was in the buffer is gone")
	}
	if want := headJSON + alertJSON; rest != want {
		t.Errorf("got  %s\nwant %s", rest, want)
	}
	line(t, []byte(rest))
}

// TestAlertPlain shows what remains with the options of the stock configuration
// and a packet of which little is known.
func TestAlertPlain(t *testing.T) {
	table := testTable(t)
	w := eve.NewWriter(eve.DefaultOptions(), table)
	h := &eve.Header{Time: t0, Tuple: packet.Tuple{Src: addr("2001:db8::1"), Dst: addr("::1"), Proto: 58, Version: 6},
		HasICMP: true, ICMPType: 128}
	a := &eve.Alert{Rule: &eve.RuleInfo{GID: 1, SID: 1, Priority: 3}, Payload: []byte("x"), Packet: []byte("y"), Verdict: "alert"}
	const want = `{"timestamp":"2009-10-16T16:44:16.083524+0000","event_type":"alert","src_ip":"2001:0db8:0000:0000:0000:0000:0000:0001",` +
		`"dest_ip":"0000:0000:0000:0000:0000:0000:0000:0001","proto":"IPv6-ICMP","ip_v":6,"icmp_type":128,"icmp_code":0,` +
		`"pkt_src":"wire/pcap","alert":{"action":"allowed","gid":1,"signature_id":1,"rev":0,"signature":"","category":"","severity":3}}` + "\n"
	if got := string(w.Alert(nil, h, a)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// No IP at all: an event of the link layer.
	m := line(t, w.Alert(nil, &eve.Header{Time: t0}, a))
	if _, ok := m["src_ip"]; ok || m["proto"] != nil {
		t.Errorf("a packet without IP shows addresses: %v", m)
	}
	off := eve.DefaultOptions()
	off.AlertOn = false
	if got := eve.NewWriter(off, table).Alert(nil, h, a); len(got) != 0 {
		t.Errorf("alerts are off, got %q", got)
	}
}

func TestMetadataOff(t *testing.T) {
	table := testTable(t)
	c, tx := conn(table, "http", "GET")
	o := eve.DefaultOptions()
	o.Metadata, o.Mirror = false, false
	o.Alert.AppLayer, o.Alert.Flow, o.Alert.RuleMetadata = false, false, false
	m := line(t, eve.NewWriter(o, table).Alert(nil, full(), fullAlert(c, tx)))
	for _, k := range []string{"http", "files", "flow", "metadata", "traffic", "mirror", "ether", "community_id", "host", "payload"} {
		if m[k] != nil {
			t.Errorf("%s is there: %v", k, m[k])
		}
	}
	if a := m["alert"].(map[string]any); a["metadata"] != nil || a["rule"] != nil || a["references"] != nil {
		t.Errorf("alert has more than it should: %v", a)
	}
}

func TestTx(t *testing.T) {
	table := testTable(t)
	w := eve.NewWriter(eve.DefaultOptions(), table)
	c, tx := conn(table, "bittorrent-dht", "ping")
	h := &eve.Header{Time: t0, Tuple: tcp4()}
	m := line(t, w.Tx(nil, h, c, tx))
	if m["event_type"] != "bittorrent_dht" || m["bittorrent_dht"].(map[string]any)["text"] != "ping" {
		t.Errorf("got %v", m)
	}
	tx.hide = true
	if got := w.Tx([]byte("x\n"), h, c, tx); string(got) != "x\n" {
		t.Errorf("a transaction that is not to be logged left %q", got)
	}
	c, tx = conn(table, "quiet", "ping")
	if got := w.Tx(nil, h, c, tx); len(got) != 0 || w.LogsTx(c.App) {
		t.Errorf("a protocol that is not in the list was logged: %q", got)
	}
}

// TestDirection shows in which direction records of transactions are.
func TestDirection(t *testing.T) {
	table := testTable(t)
	w := eve.NewWriter(eve.DefaultOptions(), table)
	o := eve.DefaultOptions()
	o.Loggers = []eve.Logger{{Name: "bittorrent-dht", ByFlow: true}}
	flow := eve.NewWriter(o, table)
	for _, c := range []struct {
		w     *eve.Writer
		proto string
		dir   eve.Direction
		want  string
	}{
		{w, "bittorrent-dht", eve.ToServer, "10.0.1.15"},
		{w, "bittorrent-dht", eve.ToClient, "203.0.113.9"},
		{w, "bittorrent-dht", eve.NoDirection, "10.0.1.15"},
		{w, "http", eve.ToClient, "10.0.1.15"},
		{flow, "bittorrent-dht", eve.ToClient, "10.0.1.15"},
	} {
		cn, tx := conn(table, c.proto, "x")
		h := &eve.Header{Time: t0, Tuple: tcp4(), PacketDir: c.dir}
		if got := line(t, c.w.Tx(nil, h, cn, tx))["src_ip"]; got != c.want {
			t.Errorf("%s, packet direction %d: from %v, want %s", c.proto, c.dir, got, c.want)
		}
		if h.Tuple != tcp4() {
			t.Errorf("%s: the header was left turned around", c.proto)
		}
	}
}

// TestSourceOfIPInIP: EVE names IP in IP after the outer header.
func TestSourceOfIPInIP(t *testing.T) {
	w := eve.NewWriter(eve.DefaultOptions(), nil)
	for _, c := range []struct {
		source packet.Source
		outer  uint8
		want   string
	}{
		{packet.FromTunnelIPv4, 4, "ipv4 tunnel"},
		{packet.FromTunnelIPv4, 6, "ipv6 tunnel"},
		{packet.FromTunnelIPv6, 4, "ipv4 tunnel"},
		{packet.FromTunnelIPv6, 6, "ipv6 tunnel"},
		{packet.FromTunnelVXLAN, 4, "vxlan encapsulation"},
		{packet.FromDefrag, 4, "defrag"},
		{packet.Source(200), 4, "<unknown>"},
	} {
		h := &eve.Header{Time: t0, Source: c.source, Tunnel: &eve.Tunnel{Tuple: packet.Tuple{Version: c.outer}}}
		if got := line(t, w.Anomaly(nil, h, &eve.Anomaly{Type: eve.AnomalyApp}))["pkt_src"]; got != c.want {
			t.Errorf("source %d in IPv%d: %v, want %s", c.source, c.outer, got, c.want)
		}
	}
}

// TestLoggers replaces how one output logs a protocol.
func TestLoggers(t *testing.T) {
	table := testTable(t)
	c, tx := conn(table, "http", "GET")
	o := eve.DefaultOptions()
	o.Loggers = []eve.Logger{
		{Name: "http", Log: func(_ *proto.Conn, _ proto.Tx, w *jsonw.Writer) bool { w.Uint("other", 1); return true }},
		{Name: "quiet", Log: func(_ *proto.Conn, _ proto.Tx, w *jsonw.Writer) bool { return true }},
		{Name: "nobody"},
	}
	h := &eve.Header{Time: t0}
	w := eve.NewWriter(o, table)
	if got := string(w.Tx(nil, h, c, tx)); !strings.Contains(got, `"http":{"other":1}`) {
		t.Errorf("got %s", got)
	}
	a := &eve.Alert{Rule: &eve.RuleInfo{}, Conn: c, Tx: tx}
	if got := string(w.Alert(nil, h, a)); !strings.Contains(got, `"http":{"text":"GET"}`) {
		t.Errorf("options of the http records change alerts: %s", got)
	}
	o.Loggers = []eve.Logger{{Name: "http", LogAlert: func(_ *proto.Conn, _ proto.Tx, w *jsonw.Writer) { w.Str("x", "y") }}}
	w = eve.NewWriter(o, table)
	if got := string(w.Alert(nil, h, a)); !strings.Contains(got, `"severity":0},"x":"y"}`) {
		t.Errorf("got %s", got)
	}
	if got := string(w.Tx(nil, h, c, tx)); !strings.Contains(got, `"http":{"text":"GET"}`) {
		t.Errorf("got %s", got)
	}
	qc, qtx := conn(table, "quiet", "x")
	if got := w.Tx(nil, h, qc, qtx); len(got) != 0 {
		t.Errorf("a logger switched a protocol on: %s", got)
	}
}

func TestOversize(t *testing.T) {
	table := testTable(t)
	w := eve.NewWriter(allOn(), table)
	c, tx := conn(table, "http", strings.Repeat("\x00", eve.MaxLine/4))
	h := &eve.Header{Time: t0, Tuple: tcp4()}
	for i, got := range [][]byte{
		w.Tx(nil, h, c, tx), w.Alert(nil, h, fullAlert(c, tx)), w.FileInfo(nil, h, c, tx, &eve.File{Name: []byte("f")}),
	} {
		if len(got) > eve.MaxLine || line(t, got)["http"] != nil {
			t.Errorf("record %d has %d bytes", i, len(got))
		}
	}
	if w.Oversize != 3 {
		t.Errorf("Oversize = %d, want 3", w.Oversize)
	}
}

func TestFlow(t *testing.T) {
	w := eve.NewWriter(allOn(), nil)
	h := &eve.Header{Time: t0, HasFlow: true, FlowID: 1, Tuple: tcp4(), NoSource: true, App: eve.App{Proto: "failed"},
		EtherSrcs: [][6]byte{{1}, {2}}, EtherDsts: [][6]byte{{3}}}
	const want = `{"timestamp":"2009-10-16T16:44:16.083524+0000","suricata_version":"8.0.7","flow_id":1,"event_type":"flow",` +
		`"src_ip":"10.0.1.15","src_port":51514,"dest_ip":"203.0.113.9","dest_port":80,"proto":"TCP","ip_v":4,` +
		`"ether":{"dest_macs":["03:00:00:00:00:00"],"src_macs":["01:00:00:00:00:00","02:00:00:00:00:00"]},"host":"sensor-1",` +
		`"app_proto":"failed","flow":{"pkts_toserver":5,"pkts_toclient":4,"bytes_toserver":425,"bytes_toclient":495,` +
		`"start":"2009-10-16T16:44:16.083524+0000","end":"2009-10-16T16:44:45.083524+0000","age":29,"state":"established",` +
		`"reason":"shutdown","alerted":true,"action":"pass","exception_policy":[{"target":"stream_midstream","policy":"ignore"}],` +
		`"tx_cnt":2},"tcp":{"tcp_flags":"ff","tcp_flags_ts":"1b","tcp_flags_tc":"12","syn":true,"fin":true,"rst":true,"psh":true,` +
		`"ack":true,"urg":true,"ecn":true,"cwr":true,"state":"fin_wait1","ts_gap":true,"tc_gap":true,"ts_max_regions":1,` +
		`"tc_max_regions":1,"ts_urgent_oob_data":1,"tc_urgent_oob_data":1}}` + "\n"
	if got := string(w.Flow(nil, h, fullFlow())); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNetflow(t *testing.T) {
	w := eve.NewWriter(allOn(), nil)
	h := &eve.Header{Time: t0, Tuple: tcp4(), NoSource: true, EtherSrcs: [][6]byte{{1}}, EtherDsts: [][6]byte{{2}}}
	f := fullFlow()
	lines := strings.SplitAfter(string(w.Netflow(nil, h, f)), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines, want 2", len(lines)-1)
	}
	there, back := line(t, []byte(lines[0])), line(t, []byte(lines[1]))
	if there["src_ip"] != "10.0.1.15" || back["src_ip"] != "203.0.113.9" || back["src_port"] != json.Number("80") {
		t.Errorf("addresses: %v, %v", there, back)
	}
	if n := back["netflow"].(map[string]any); n["pkts"] != json.Number("4") || n["min_ttl"] != json.Number("50") || n["max_ttl"] != json.Number("51") {
		t.Errorf("netflow back: %v", n)
	}
	if c := back["tcp"].(map[string]any); c["tcp_flags"] != "12" || c["psh"] != nil {
		t.Errorf("tcp back: %v", c)
	}
	if e := back["ether"].(map[string]any); e["src_macs"].([]any)[0] != "02:00:00:00:00:00" {
		t.Errorf("ether back: %v", e)
	}
	f.PktsTC = 0
	if n := strings.Count(string(w.Netflow(nil, h, f)), "\n"); n != 1 {
		t.Errorf("%d records of a flow without answer, want 1", n)
	}
}

func TestAnomaly(t *testing.T) {
	w := eve.NewWriter(allOn(), nil)
	h := &eve.Header{Time: t0}
	for _, c := range []struct {
		a    eve.Anomaly
		want string
	}{
		{eve.Anomaly{Type: eve.AnomalyDecode, Event: "decoder.udp.pkt_too_small", Packet: make([]byte, 40), Link: 1},
			`{"type":"decode","event":"decoder.udp.pkt_too_small"}`},
		{eve.Anomaly{Type: eve.AnomalyStream, Event: "stream.est_invalid_ack"}, `{"type":"stream","event":"stream.est_invalid_ack"}`},
		{eve.Anomaly{Type: eve.AnomalyApp, Event: "malformed_packet", Layer: eve.LayerParser, App: "bittorrent-dht"},
			`{"app_proto":"bittorrent-dht","type":"applayer","event":"malformed_packet","layer":"proto_parser"}`},
		{eve.Anomaly{Type: eve.AnomalyUnknown, Code: 300}, `{"type":"unknown","code":300}`},
	} {
		got := w.Anomaly(nil, h, &c.a)
		m := line(t, got)
		if !strings.HasSuffix(string(got), `"anomaly":`+c.want+"}\n") {
			t.Errorf("got %s, want %s", got, c.want)
		}
		if p, ok := m["packet"].(string); ok != (len(c.a.Packet) > 0) || ok && len(p) != 44 {
			t.Errorf("packet = %q, want 32 bytes of it", p)
		}
	}
	if w := eve.NewWriter(eve.DefaultOptions(), nil); w.LogsAnomaly(eve.AnomalyDecode) || !w.LogsAnomaly(eve.AnomalyApp) {
		t.Error("the stock configuration logs anomalies of the application layer only")
	}
}

func TestStats(t *testing.T) {
	names := []string{"decoder.pkts", "decoder.event.ipv4.pkt_too_small", "decoder.event.ipv4.hlen", "flow.total",
		"detect.engines", "detect.alert", "memcap.pressure", "decoder.ipv6"}
	plan, err := eve.NewStatsPlan(names)
	if err != nil {
		t.Fatal(err)
	}
	s := &eve.Stats{Time: t0, Uptime: 5, Plan: plan, Values: []uint64{3, 0, 0, 0, 0, 2, 0, 1}, Last: []uint64{1},
		Engines: []eve.Engine{{LastReload: t0, RulesLoaded: 7}}}
	o := eve.DefaultOptions()
	const head = `{"timestamp":"2009-10-16T16:44:16.083524+0000","event_type":"stats","stats":{"uptime":5,`
	const engines = `"engines":[{"id":0,"last_reload":"2009-10-16T16:44:16.083524+0000","rules_loaded":7,"rules_failed":0,"rules_skipped":0}]`
	check := func(o eve.Options, want string) {
		t.Helper()
		if got := string(eve.NewWriter(o, nil).Stats(nil, s)); got != head+want+"}}\n" {
			t.Errorf("got  %s\nwant %s", got, head+want+"}}")
		}
	}
	check(o, `"decoder":{"pkts":3,"event":{"ipv4":{"pkt_too_small":0,"hlen":0}},"ipv6":1},"flow":{"total":0},"detect":{`+engines+
		`,"alert":2},"memcap":{"pressure":0}`)
	o.Stats.SkipZero = true
	check(o, `"decoder":{"pkts":3,"ipv6":1},"detect":{`+engines+`,"alert":2}`)
	o.Stats.Deltas = true
	check(o, `"decoder":{"pkts":3,"pkts_delta":2,"ipv6":1,"ipv6_delta":1},"detect":{`+engines+`,"alert":2,"alert_delta":2}`)
	s.Values = make([]uint64, len(names))
	s.Engines = nil
	o.Stats = eve.StatsOptions{}
	line(t, eve.NewWriter(o, nil).Stats(nil, s))
	for _, bad := range [][]string{{"a", "a.b"}, {"a.b", "a"}, {"a", "a"}, {""}, {"a..b"}, {"a.b.c", "a.b"}} {
		if _, err := eve.NewStatsPlan(bad); err == nil {
			t.Errorf("NewStatsPlan(%q) was accepted", bad)
		}
	}
}

func TestOtherRecords(t *testing.T) {
	w := eve.NewWriter(allOn(), nil)
	h := full()
	check := func(got []byte, event, want string) {
		t.Helper()
		m := line(t, got)
		if m["event_type"] != event || !strings.Contains(string(got), want) {
			t.Errorf("%s: got %s, want %s", event, got, want)
		}
	}
	check(w.Packet(nil, h, []byte("abc"), packet.LinkSLL2), "packet", `"packet":"YWJj","packet_info":{"linktype":276,"linktype_name":"LINUX_SLL2"}`)
	check(w.Frame(nil, h, &eve.Frame{Type: "pdu", Dir: eve.ToClient, Length: -1}), "frame",
		`"app_proto_expected":"smtp","frame":{"type":"pdu","id":0,"direction":"toclient","complete":false}`)
	check(w.Meta(nil, h), "metadata", `"pktvars":[{"uid":"0"}]`)
	check(w.StreamTCP(nil, h, &eve.StreamPacket{Seq: 1, Ack: 2, Window: 3, Flags: 2, Len: 585, Events: []string{"stream.x"},
		HasSession: true, State: eve.TCPSynSent}), "stream_tcp",
		`"direction":"to_server","stream_tcp":{"packet":{"len":585,"tos":0,"ttl":0,"ipid":0,"tcpseq":1,"tcpack":2,"tcpwin":3,`+
			`"syn":true,"ack":false,"psh":false,"rst":false,"urg":false,"fin":false,"tcpres":0,"tcpurgp":0,"flags":["event_set"]},`+
			`"session":{"state":"syn_sent"},"events":["stream.x"]}`)
	arp := packet.ARP{Opcode: 2, SrcMAC: [6]byte{1, 2, 3, 4, 5, 6}, SrcIP: [4]byte{10, 10, 10, 2}, DstMAC: [6]byte{6, 5, 4, 3, 2, 1}, DstIP: [4]byte{10, 10, 10, 1}}
	check(w.ARP(nil, h, &arp), "arp", `"arp":{"hw_type":"ethernet","proto_type":"ipv4","opcode":"reply","src_mac":"01:02:03:04:05:06",`+
		`"src_ip":"10.10.10.2","dest_mac":"06:05:04:03:02:01","dest_ip":"10.10.10.1"}`)
}

func TestFast(t *testing.T) {
	f := &eve.Fast{}
	a := &eve.Alert{Rule: &eve.RuleInfo{GID: 1, SID: 2, Rev: 3, Msg: "a\nb", Priority: 3}}
	h := &eve.Header{Time: t0, Tuple: tcp4()}
	const want = "10/16/2009-16:44:16.083524  [**] [1:2:3] a.b [**] [Classification: (null)] [Priority: 3] {TCP} 10.0.1.15:51514 -> 203.0.113.9:80\n"
	if got := string(f.Append(nil, h, a)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := string(f.Append(nil, &eve.Header{Time: t0}, a)); strings.Count(got, "\n") != 1 {
		t.Errorf("got %q", got)
	}
}

// TestTimestamp compares with the standard library over many years.
func TestTimestamp(t *testing.T) {
	w := eve.NewWriter(eve.DefaultOptions(), nil)
	a := &eve.Anomaly{Type: eve.AnomalyApp, Event: "x"}
	for _, sec := range []int64{-62135596801, -1, 0, 1, 68169599, 68169600, 951782399, 951782400, 951868800, 1709164800,
		1709251199, 4107542399, 9223372036, -9223372036, 1 << 31, 1 << 32} {
		for _, ns := range []int64{0, 1, 999, 1000, 999999999} {
			n := sec*1e9 + ns
			if sec > 9223372035 || sec < -9223372035 {
				n = sec * 1e9 // the ends of the int64 range
			}
			if sec < -9223372036 {
				continue
			}
			want := time.Unix(0, n).UTC().Format("2006-01-02T15:04:05.000000+0000")
			if got := line(t, w.Anomaly(nil, &eve.Header{Time: n}, a))["timestamp"]; got != want {
				t.Errorf("%d: got %s, want %s", n, got, want)
			}
		}
	}
}

func TestIPForms(t *testing.T) {
	o := eve.DefaultOptions()
	o.IPv6Compress = true
	short, long := eve.NewWriter(o, nil), eve.NewWriter(eve.DefaultOptions(), nil)
	a := &eve.Anomaly{Type: eve.AnomalyApp, Event: "x"}
	for _, s := range []string{"::", "::1", "1::", "2001:db8::8a2e:370:7334", "1:0:0:2::3", "1:0:2:3:4:5:6:7", "fe80::1:0:0:1",
		"1:2:3:4:5:6:7:8", "1:2:3:4:5:6::", "::2:3:4:5:6:7:8", "0:0:1::"} {
		ip := netip.MustParseAddr(s)
		h := &eve.Header{Time: t0, Tuple: packet.Tuple{Src: ip.As16(), Dst: ip.As16(), Version: 6}}
		if got := line(t, short.Anomaly(nil, h, a))["src_ip"]; got != ip.String() && !(ip.String() == "1:0:2:3:4:5:6:7") {
			t.Errorf("compressed %s = %s, want %s", s, got, ip)
		}
		if got := line(t, long.Anomaly(nil, h, a))["src_ip"]; got != ip.StringExpanded() {
			t.Errorf("%s = %s, want %s", s, got, ip.StringExpanded())
		}
	}
}

// TestAlertParts switches off parts of an alert's metadata: the files go with the
// metadata of the rule.
func TestAlertParts(t *testing.T) {
	for _, c := range []struct {
		name      string
		app, rule bool
		has, not  []string
	}{
		{"both", true, true, []string{"http", "files"}, nil},
		{"no application layer", false, true, []string{"files"}, []string{"http"}},
		{"no rule metadata", true, false, []string{"http"}, []string{"files"}},
	} {
		o := allOn()
		o.Alert.AppLayer, o.Alert.RuleMetadata = c.app, c.rule
		table := testTable(t)
		flow, tx := conn(table, "http", "GET")
		rec := line(t, eve.NewWriter(o, table).Alert(nil, full(), fullAlert(flow, tx)))
		for _, k := range c.has {
			if rec[k] == nil {
				t.Errorf("%s: no %s", c.name, k)
			}
		}
		for _, k := range c.not {
			if rec[k] != nil {
				t.Errorf("%s: has %s", c.name, k)
			}
		}
	}
}

// TestFileInfoApp: of the names of protocols a file's record has only the first.
func TestFileInfoApp(t *testing.T) {
	table := testTable(t)
	flow, tx := conn(table, "http", "GET")
	f := fullFile()
	rec := line(t, eve.NewWriter(allOn(), table).FileInfo(nil, full(), flow, tx, &f))
	if rec["app_proto"] != "http" || rec["app_proto_tc"] != nil || rec["app_proto_orig"] != nil {
		t.Errorf("app_proto %v, tc %v, orig %v", rec["app_proto"], rec["app_proto_tc"], rec["app_proto_orig"])
	}
}
