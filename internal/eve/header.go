package eve

import (
	"encoding/binary"
	"strings"

	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// Header is the common part of a record. The sensor keeps one per packet or flow
// and changes what differs between records.
type Header struct {
	Time     int64 // Unix nanoseconds
	FlowID   uint64
	HasFlow  bool
	ParentID uint64 // flow of the outer packet, 0 for none
	InIface  string
	PcapCnt  uint64 // number of the packet in its file, 0 outside of files and for pseudo packets
	PcapFile string

	NVLAN uint8
	VLAN  [packet.MaxVLAN]uint16

	// Tuple as the record is to show it: alerts and packets as sent, most
	// transactions from client to server. Version 0 means there is no IP.
	Tuple packet.Tuple

	HasICMP              bool
	ICMPType, ICMPCode   uint8
	HasICMPReply         bool // flows: the answer's type and code
	ReplyType, ReplyCode uint8
	HasSPI               bool // ESP
	SPI                  uint32
	Source               packet.Source
	NoSource             bool // flow records have no pkt_src
	HasEther             bool
	EtherSrc, EtherDst   [6]byte // of Tuple.Src and Tuple.Dst
	EtherType            uint16
	EtherSrcs, EtherDsts [][6]byte // flow records
	CommunityID          string
	Vars                 *Vars
	TxID                 uint64
	HasTx                bool
	App                  App
	Direction            Direction // "direction", where the record has one
	// PacketDir is the direction of the packet at hand. With it, Tx turns the
	// header (which is from client to server) around for protocols that are shown
	// as the packet went.
	PacketDir Direction
	Tunnel    *Tunnel
	Mirror    *Mirror
}

// Direction is the value of a record's key "direction".
type Direction uint8

// The directions.
const (
	NoDirection Direction = iota
	ToServer
	ToClient
)

// sourceName is SourceName of h.Source, but for IP in IP, which EVE names after
// the outer header.
func (h *Header) sourceName() string {
	s := h.Source
	if (s == packet.FromTunnelIPv4 || s == packet.FromTunnelIPv6) && h.Tunnel != nil {
		s = packet.FromTunnelIPv4
		if h.Tunnel.Tuple.Version == 6 {
			s = packet.FromTunnelIPv6
		}
	}
	return SourceName(s)
}

// turn swaps the two ends of h.
func (h *Header) turn() {
	h.Tuple = h.Tuple.Reverse()
	h.EtherSrc, h.EtherDst = h.EtherDst, h.EtherSrc
	h.EtherSrcs, h.EtherDsts = h.EtherDsts, h.EtherSrcs
}

// App holds the application protocol names of a flow: proto.Table.Name of the
// fields of proto.Conn. Empty names are not written.
type App struct {
	Proto    string
	ToServer string // written when it differs from Proto
	ToClient string
	Orig     string
	Expected string
}

// Tunnel is the encapsulating header of a packet, which alerts show.
type Tunnel struct {
	Tuple   packet.Tuple
	Depth   int
	PcapCnt uint64
	Source  packet.Source
}

// Mirror is what is known of the AWS mirror session that a packet came through.
type Mirror struct {
	VNI       uint32
	Outer     packet.Addr // source of the outer IP header: the mirrored interface's address
	HasOuter  bool
	Endpoint  uint64         // of a Gateway Load Balancer, as packet.AWSGeneve has it; 0: none
	Source    *mirror.Source // may be nil
	Direction mirror.Direction
	Truncated bool // the frame was cut by the session or on the way
	Dup       bool // another copy of it was dropped
}

// Var is a variable that a rule captured.
type Var struct {
	Name  string
	Value []byte
}

// Int is an integer variable (flowint).
type Int struct {
	Name  string
	Value uint32
}

// Number is a computed figure of a flow (entropy).
type Number struct {
	Name  string
	Value float64
}

// Vars is what rules have noted of a flow and a packet: EVE's "metadata" and
// "traffic".
type Vars struct {
	Flowbits []string
	Flowints []Int
	Flowvars []Var
	Pktvars  []Var
	Entropy  []Number
}

// Prefixes of flowbits that EVE shows as "traffic".
const (
	trafficID    = "traffic/id/"
	trafficLabel = "traffic/label/"
)

// header writes the common keys up to pkt_src.
func (w *Writer) header(h *Header, event string) { w.headerOf(h, event, true) }

// headerOf is header; netflow records go without the version of IP and what the other
// direction of ICMP sends.
func (w *Writer) headerOf(h *Header, event string, whole bool) {
	j := &w.w
	w.timeKey("timestamp", h.Time)
	if w.o.SuricataVersion != "" {
		j.Str("suricata_version", w.o.SuricataVersion)
	}
	if h.HasFlow {
		// 51 bits, so that JavaScript can hold it (as Suricata does).
		j.Uint("flow_id", h.FlowID&(1<<51-1))
		if h.ParentID != 0 {
			j.Uint("parent_id", h.ParentID&(1<<51-1))
		}
	}
	if h.InIface != "" {
		j.Str("in_iface", h.InIface)
	}
	if h.PcapCnt != 0 {
		j.Uint("pcap_cnt", h.PcapCnt)
	}
	j.Str("event_type", event)
	if h.NVLAN > 0 {
		j.Array("vlan")
		for _, v := range h.VLAN[:min(int(h.NVLAN), packet.MaxVLAN)] {
			j.UintValue(uint64(v))
		}
		j.CloseArray()
	}
	if h.Tuple.Version != 0 {
		w.tuple(&h.Tuple)
		w.protoName(h.Tuple.Proto)
		if whole {
			j.Uint("ip_v", uint64(h.Tuple.Version))
		}
		w.icmp(h, whole)
	}
	if !h.NoSource {
		j.Str("pkt_src", h.sourceName())
	}
	w.common(h)
}

// tuple writes addresses and, for protocols that have them, ports.
func (w *Writer) tuple(t *packet.Tuple) {
	ports := hasPorts(t.Proto)
	w.ip("src_ip", &t.Src, t.Version)
	if ports {
		w.w.Uint("src_port", uint64(t.SrcPort))
	}
	w.ip("dest_ip", &t.Dst, t.Version)
	if ports {
		w.w.Uint("dest_port", uint64(t.DstPort))
	}
}

func hasPorts(p uint8) bool {
	return p == packet.ProtoTCP || p == packet.ProtoUDP || p == packet.ProtoSCTP
}

func (w *Writer) protoName(p uint8) {
	w.quote()
	w.tmp = appendProto(w.tmp, p)
	w.quoted("proto")
}

func (w *Writer) icmp(h *Header, reply bool) {
	j := &w.w
	if h.HasICMP {
		j.Uint("icmp_type", uint64(h.ICMPType))
		j.Uint("icmp_code", uint64(h.ICMPCode))
	}
	if h.HasICMPReply && reply {
		j.Uint("response_icmp_type", uint64(h.ReplyType))
		j.Uint("response_icmp_code", uint64(h.ReplyCode))
	}
	if h.HasSPI {
		j.Uint("spi", uint64(h.SPI))
	}
}

// common writes the optional keys that every record may have.
func (w *Writer) common(h *Header) {
	j := &w.w
	if w.o.Metadata && h.Vars != nil {
		w.vars(h.Vars)
	}
	if w.o.Ethernet {
		w.ether(h)
	}
	if w.o.CommunityID && h.CommunityID != "" {
		j.Str("community_id", h.CommunityID)
	}
	if w.o.PcapFile && h.PcapFile != "" {
		w.str("pcap_filename", h.PcapFile)
	}
	if w.o.Host != "" {
		w.str("host", w.o.Host)
	}
	if w.o.Mirror && h.Mirror != nil {
		w.mirror(h.Mirror)
	}
}

func (w *Writer) ether(h *Header) {
	j := &w.w
	if len(h.EtherSrcs) > 0 || len(h.EtherDsts) > 0 {
		j.Object("ether")
		w.macs("dest_macs", h.EtherDsts)
		w.macs("src_macs", h.EtherSrcs)
		j.Close()
		return
	}
	if !h.HasEther {
		return
	}
	j.Object("ether")
	j.Uint("ether_type", uint64(h.EtherType))
	w.mac("src_mac", &h.EtherSrc)
	w.mac("dest_mac", &h.EtherDst)
	j.Close()
}

func (w *Writer) macs(k string, macs [][6]byte) {
	w.w.Array(k)
	for i := range macs[:min(len(macs), MaxItems)] {
		w.tmp = appendMAC(w.tmp[:0], &macs[i])
		w.w.BytesValue(w.tmp)
	}
	w.w.CloseArray()
}

// vars writes "traffic" and "metadata".
func (w *Writer) vars(v *Vars) {
	j := &w.w
	m := j.Mark()
	j.Object("traffic")
	any := w.traffic("id", trafficID, v.Flowbits)
	any = w.traffic("label", trafficLabel, v.Flowbits) || any
	j.Close()
	if !any {
		j.Rollback(m)
	}
	if len(v.Flowbits)+len(v.Flowints)+len(v.Flowvars)+len(v.Pktvars)+len(v.Entropy) == 0 {
		return
	}
	j.Object("metadata")
	w.pairs("flowvars", v.Flowvars)
	w.pairs("pktvars", v.Pktvars)
	w.flowbits(v.Flowbits)
	if len(v.Flowints) > 0 {
		j.Object("flowints")
		for _, n := range v.Flowints[:min(len(v.Flowints), MaxKeys)] {
			j.Uint(cut(n.Name), uint64(n.Value))
		}
		j.Close()
	}
	if len(v.Entropy) > 0 {
		j.Object("entropy")
		for _, n := range v.Entropy[:min(len(v.Entropy), MaxKeys)] {
			j.Float(cut(n.Name), n.Value)
		}
		j.Close()
	}
	j.Close()
}

// flowbits writes the names that are not shown under "traffic".
func (w *Writer) flowbits(bits []string) {
	j := &w.w
	m, n := j.Mark(), 0
	j.Array("flowbits")
	for _, b := range bits[:min(len(bits), MaxItems)] {
		if !strings.HasPrefix(b, trafficID) && !strings.HasPrefix(b, trafficLabel) {
			j.StrValue(cut(b))
			n++
		}
	}
	j.CloseArray()
	if n == 0 {
		j.Rollback(m)
	}
}

func (w *Writer) traffic(key, prefix string, bits []string) bool {
	j := &w.w
	any := false
	for _, b := range bits[:min(len(bits), MaxItems)] {
		if len(b) <= len(prefix) || b[:len(prefix)] != prefix {
			continue
		}
		if !any {
			j.Array(key)
			any = true
		}
		j.StrValue(cut(b[len(prefix):]))
	}
	if any {
		j.CloseArray()
	}
	return any
}

// pairs writes variables as Suricata does: an array of objects with one key.
func (w *Writer) pairs(key string, vars []Var) {
	if len(vars) == 0 {
		return
	}
	j := &w.w
	j.Array(key)
	for i := range vars[:min(len(vars), MaxItems)] {
		j.Open()
		j.Printable(cut(vars[i].Name), cut(vars[i].Value))
		j.Close()
	}
	j.CloseArray()
}

// app writes the application protocol names.
func (w *Writer) app(a *App) {
	if a.Proto != "" {
		w.w.Str("app_proto", a.Proto)
	}
	w.appOther("app_proto_ts", a.ToServer, a.Proto)
	w.appOther("app_proto_tc", a.ToClient, a.Proto)
	w.appOther("app_proto_orig", a.Orig, a.Proto)
	w.appOther("app_proto_expected", a.Expected, a.Proto)
}

func (w *Writer) appOther(k, v, not string) {
	if v != "" && v != not {
		w.w.Str(k, v)
	}
}

func (w *Writer) direction(d Direction) {
	switch d {
	case ToServer:
		w.w.Str("direction", "to_server")
	case ToClient:
		w.w.Str("direction", "to_client")
	}
}

func (w *Writer) tunnel(t *Tunnel) {
	j := &w.w
	j.Object("tunnel")
	// With ports whatever the protocol: 0 of GRE.
	w.ip("src_ip", &t.Tuple.Src, t.Tuple.Version)
	j.Uint("src_port", uint64(t.Tuple.SrcPort))
	w.ip("dest_ip", &t.Tuple.Dst, t.Tuple.Version)
	j.Uint("dest_port", uint64(t.Tuple.DstPort))
	w.protoName(t.Tuple.Proto)
	j.Uint("depth", uint64(max(t.Depth, 0)))
	if t.PcapCnt != 0 {
		j.Uint("pcap_cnt", t.PcapCnt)
	}
	j.Str("pkt_src", SourceName(t.Source))
	j.Close()
}

// mirror writes the one object that Suricata does not have.
func (w *Writer) mirror(m *Mirror) {
	j := &w.w
	j.Object("mirror")
	j.Uint("vni", uint64(m.VNI))
	if m.HasOuter {
		v := uint8(6)
		if m.Outer.Is4() {
			v = 4
		}
		w.ip("source_ip", &m.Outer, v)
	}
	if m.Endpoint != 0 {
		var id [8]byte
		binary.BigEndian.PutUint64(id[:], m.Endpoint)
		j.Hex("endpoint_id", id[:])
	}
	if s := m.Source; s != nil {
		w.str("session_id", s.SessionID)
		w.str("session_name", s.SessionName)
		w.str("eni", s.ENI)
		w.str("instance_id", s.InstanceID)
		w.str("name", s.Name)
		w.str("account", s.Account)
		w.str("vpc", s.VPC)
		w.str("subnet", s.Subnet)
		w.str("az", s.AZ)
		w.str("tenant", s.Tenant)
		if len(s.Tags) > 0 {
			j.Object("tags")
			for _, t := range s.Tags[:min(len(s.Tags), MaxKeys)] {
				j.Str(cut(t.Key), cut(t.Value))
			}
			j.Close()
		}
	}
	if d := m.Direction.String(); d != "" {
		j.Str("direction", d)
	}
	if m.Truncated {
		j.Bool("truncated", true)
	}
	if m.Dup {
		j.Bool("dup", true)
	}
	j.Close()
}
