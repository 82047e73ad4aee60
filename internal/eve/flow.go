package eve

import (
	"mirador/internal/packet"
)

// FlowState is the state of a flow in its record.
type FlowState uint8

// The states.
const (
	FlowNew FlowState = iota
	FlowEstablished
	FlowClosed
	FlowBypassed
	FlowCaptureBypassed
)

var flowStates = [...]string{"new", "established", "closed", "bypassed", "bypassed"}

// FlowReason says why a flow ended.
type FlowReason uint8

// The reasons.
const (
	ReasonTimeout FlowReason = iota
	ReasonForced             // pushed out, or ended by a change of the engine
	ReasonShutdown
	ReasonTCPReuse
)

var flowReasons = [...]string{"timeout", "forced", "shutdown", "tcp_reuse"}

// TCPState is the state of a TCP session, named as EVE names it.
type TCPState uint8

// The states of RFC 9293, from the view of the session.
const (
	TCPNone TCPState = iota
	TCPSynSent
	TCPSynRecv
	TCPEstablished
	TCPFinWait1
	TCPFinWait2
	TCPTimeWait
	TCPLastAck
	TCPCloseWait
	TCPClosing
	TCPClosed
)

var tcpStates = [...]string{
	"none", "syn_sent", "syn_recv", "established", "fin_wait1", "fin_wait2",
	"time_wait", "last_ack", "close_wait", "closing", "closed",
}

// String returns EVE's name of s.
func (s TCPState) String() string {
	if int(s) < len(tcpStates) {
		return tcpStates[s]
	}
	return "unknown"
}

// Exception is an exception policy that was applied to a flow.
type Exception struct{ Target, Policy string }

// TCP is the TCP part of a flow record.
type TCP struct {
	Flags, FlagsTS, FlagsTC uint8 // as packet.FIN and so on; Flags is of both directions
	HasSession              bool
	State                   TCPState
	RegionsTS, RegionsTC    uint32 // most regions of the reassembly at once
	GapTS, GapTC            bool
	UrgentTS, UrgentTC      uint32 // bytes taken as out of band
}

// Flow is a flow at its end, or so far.
type Flow struct {
	// Tuple from client to server.
	Tuple              packet.Tuple
	PktsTS, PktsTC     uint64
	BytesTS, BytesTC   uint64
	Start, End         int64 // Unix nanoseconds
	State              FlowState
	Reason             FlowReason
	Alerted            bool
	Emergency          bool
	Action             string // "", "drop", "pass"
	Exceptions         []Exception
	TxCount            uint64
	Bypassed           bool // with the counters below
	BypassPktsTS       uint64
	BypassPktsTC       uint64
	BypassBytesTS      uint64
	BypassBytesTC      uint64
	TTLMinTS, TTLMaxTS uint8
	TTLMinTC, TTLMaxTC uint8
	IsTCP              bool
	TCP                TCP
}

// LogsFlow tells whether this output has flow records.
func (w *Writer) LogsFlow() bool { return w.o.FlowOn }

// LogsNetflow tells whether this output has netflow records.
func (w *Writer) LogsNetflow() bool { return w.o.NetflowOn }

// flowSoFar writes the object "flow" of alerts.
func (w *Writer) flowSoFar(f *Flow, version uint8) {
	j := &w.w
	j.Object("flow")
	w.flowCounters(f)
	w.timeKey("start", f.Start)
	w.ip("src_ip", &f.Tuple.Src, f.Tuple.Version)
	w.ip("dest_ip", &f.Tuple.Dst, f.Tuple.Version)
	if hasPorts(f.Tuple.Proto) {
		j.Uint("src_port", uint64(f.Tuple.SrcPort))
		j.Uint("dest_port", uint64(f.Tuple.DstPort))
	}
	j.Close()
}

func (w *Writer) flowCounters(f *Flow) {
	j := &w.w
	j.Uint("pkts_toserver", f.PktsTS)
	j.Uint("pkts_toclient", f.PktsTC)
	j.Uint("bytes_toserver", f.BytesTS)
	j.Uint("bytes_toclient", f.BytesTC)
}

// age is the length of a flow in whole seconds, as the difference of the
// seconds of its first and last packet.
func age(f *Flow) int64 { return max(f.End/1e9-f.Start/1e9, 0) }

// Flow appends the record of an ended flow. h has the flow's addresses from
// client to server and no pkt_src.
func (w *Writer) Flow(dst []byte, h *Header, f *Flow) []byte {
	if !w.o.FlowOn {
		return dst
	}
	w.begin(dst)
	w.header(h, "flow")
	w.app(&h.App)
	j := &w.w
	j.Object("flow")
	w.flowCounters(f)
	if f.Bypassed {
		j.Object("bypassed")
		j.Uint("pkts_toserver", f.BypassPktsTS)
		j.Uint("pkts_toclient", f.BypassPktsTC)
		j.Uint("bytes_toserver", f.BypassBytesTS)
		j.Uint("bytes_toclient", f.BypassBytesTC)
		j.Close()
	}
	w.timeKey("start", f.Start)
	w.timeKey("end", f.End)
	j.Int("age", age(f))
	if f.Emergency {
		j.Bool("emergency", true)
	}
	switch f.State {
	case FlowBypassed:
		j.Str("bypass", "local")
	case FlowCaptureBypassed:
		j.Str("bypass", "capture")
	}
	j.Str("state", flowStates[min(int(f.State), len(flowStates)-1)])
	j.Str("reason", flowReasons[min(int(f.Reason), len(flowReasons)-1)])
	j.Bool("alerted", f.Alerted)
	w.str("action", f.Action)
	if w.o.Flow.ExceptionPolicy && len(f.Exceptions) > 0 {
		j.Array("exception_policy")
		for _, e := range f.Exceptions[:min(len(f.Exceptions), MaxItems)] {
			j.Open()
			j.Str("target", cut(e.Target))
			j.Str("policy", cut(e.Policy))
			j.Close()
		}
		j.CloseArray()
	}
	if f.TxCount > 0 {
		j.Uint("tx_cnt", f.TxCount)
	}
	j.Close()
	if f.IsTCP {
		w.tcp(&f.TCP)
	}
	return w.end()
}

// tcp writes the object "tcp" of flow records.
func (w *Writer) tcp(t *TCP) {
	j := &w.w
	j.Object("tcp")
	w.hex2("tcp_flags", t.Flags)
	w.hex2("tcp_flags_ts", t.FlagsTS)
	w.hex2("tcp_flags_tc", t.FlagsTC)
	w.flags(t.Flags)
	if t.HasSession {
		j.Str("state", t.State.String())
		if t.GapTS {
			j.Bool("ts_gap", true)
		}
		if t.GapTC {
			j.Bool("tc_gap", true)
		}
		j.Uint("ts_max_regions", uint64(t.RegionsTS))
		j.Uint("tc_max_regions", uint64(t.RegionsTC))
		if t.UrgentTS > 0 {
			j.Uint("ts_urgent_oob_data", uint64(t.UrgentTS))
		}
		if t.UrgentTC > 0 {
			j.Uint("tc_urgent_oob_data", uint64(t.UrgentTC))
		}
	}
	j.Close()
}

// flagNames are the keys of set TCP flags, from bit 0.
var flagNames = [8]string{"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"}

// flagOrder is the order in which Suricata writes them.
var flagOrder = [8]uint8{1, 0, 2, 3, 4, 5, 6, 7}

func (w *Writer) flags(f uint8) {
	for _, bit := range flagOrder {
		if f&(1<<bit) != 0 {
			w.w.Bool(flagNames[bit], true)
		}
	}
}

// Netflow appends the record of the direction to the server and, when the server
// has sent packets, that of the other direction.
func (w *Writer) Netflow(dst []byte, h *Header, f *Flow) []byte {
	if !w.o.NetflowOn {
		return dst
	}
	dst = w.netflow(dst, h, f, ToServer)
	if f.PktsTC == 0 {
		return dst
	}
	h.turn()
	kind, code := h.ICMPType, h.ICMPCode
	if h.HasICMPReply {
		h.ICMPType, h.ICMPCode = h.ReplyType, h.ReplyCode
	}
	dst = w.netflow(dst, h, f, ToClient)
	h.ICMPType, h.ICMPCode = kind, code
	h.turn()
	return dst
}

func (w *Writer) netflow(dst []byte, h *Header, f *Flow, d Direction) []byte {
	pkts, bytes, lo, hi, flags := f.PktsTS, f.BytesTS, f.TTLMinTS, f.TTLMaxTS, f.TCP.FlagsTS
	if d == ToClient {
		pkts, bytes, lo, hi, flags = f.PktsTC, f.BytesTC, f.TTLMinTC, f.TTLMaxTC, f.TCP.FlagsTC
	}
	w.begin(dst)
	w.headerOf(h, "netflow", false)
	// Of each direction what it speaks by itself.
	app := h.App.ToServer
	if d == ToClient {
		app = h.App.ToClient
	}
	if app == "" {
		app = h.App.Proto
	}
	if app == "" {
		app = "unknown"
	}
	j := &w.w
	j.Str("app_proto", app)
	j.Object("netflow")
	j.Uint("pkts", pkts)
	j.Uint("bytes", bytes)
	w.timeKey("start", f.Start)
	w.timeKey("end", f.End)
	j.Int("age", age(f))
	j.Uint("min_ttl", uint64(lo))
	j.Uint("max_ttl", uint64(hi))
	if f.TxCount > 0 {
		j.Uint("tx_cnt", f.TxCount)
	}
	j.Close()
	if f.IsTCP {
		j.Object("tcp")
		w.hex2("tcp_flags", flags)
		w.flags(flags)
		j.Close()
	}
	return w.end()
}
