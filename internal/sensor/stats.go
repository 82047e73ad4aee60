package sensor

import (
	"math/bits"

	"mirador/internal/detect"
	"mirador/internal/eve"
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// Stats are the worker's own counts beside the Ledger and the rooms' counters.
type Stats struct {
	Panics, SinkErrors uint64
	// What flows left out at a bound of package proto: transactions, files, announced
	// connections and frames. Counted when the flow ends.
	LeftTxs, LeftFiles, LeftExpects, LeftFrames uint64
	// Fragments not put together because they lie in too many reassembled packets.
	LeftFragments uint64

	Alerts, AppEvents          uint64
	Files, FilesStored         uint64
	FileStoreErrors            uint64
	FilesUntracked             uint64
	Frames, Bytes              uint64
	Invalid, MaxPkt            uint64
	MaxMACSrc, MaxMACDst       uint64
	Layers                     [64]uint64 // by bit of packet.LayerSet
	Events                     [packet.NumEvents]uint64
	AppFlow, AppTx, AppFlowUDP [256]uint64
	AppFailed                  [2]uint64 // flows whose protocol was not found, over TCP and UDP
	// Flows that a parser gave up; those over UDP of protocols that run over both.
	ParserErrors, ParserErrorsUDP [256]uint64
}

// layerCounters are the decoder counters by kind of layer.
var layerCounters = [...]struct {
	name string
	kind packet.LayerSet
}{
	{"ipv4", packet.SeenIPv4}, {"ipv6", packet.SeenIPv6}, {"ethernet", packet.SeenEthernet}, {"arp", packet.SeenARP},
	{"unknown_ethertype", packet.SeenUnknownEtherType}, {"chdlc", packet.SeenCHDLC}, {"raw", packet.SeenRaw}, {"null", packet.SeenNull},
	{"sll", packet.SeenSLL}, {"sll2", packet.SeenSLL2}, {"tcp", packet.SeenTCP}, {"udp", packet.SeenUDP}, {"sctp", packet.SeenSCTP},
	{"esp", packet.SeenESP}, {"icmpv4", packet.SeenICMPv4}, {"icmpv6", packet.SeenICMPv6}, {"igmp", packet.SeenIGMP},
	{"ppp", packet.SeenPPP}, {"pppoe", packet.SeenPPPoE}, {"geneve", packet.SeenGENEVE}, {"gre", packet.SeenGRE},
	{"vlan", packet.SeenVLAN}, {"vlan_qinq", packet.SeenQinQ}, {"vlan_qinqinq", packet.SeenQinQinQ}, {"vxlan", packet.SeenVXLAN},
	{"vntag", packet.SeenVNTag}, {"ieee8021ah", packet.SeenIEEE8021AH}, {"teredo", packet.SeenTeredo},
	{"ipv4_in_ipv4", packet.SeenIPv4InIPv4}, {"ipv6_in_ipv4", packet.SeenIPv6InIPv4},
	{"ipv4_in_ipv6", packet.SeenIPv4InIPv6}, {"ipv6_in_ipv6", packet.SeenIPv6InIPv6}, {"mpls", packet.SeenMPLS},
	{"erspan", packet.SeenERSPAN}, {"nsh", packet.SeenNSH},
}

// count adds p to the decoder counters.
func (w *Worker) count(p *packet.Parsed) {
	s := &w.Stats
	for _, e := range p.Events[:p.NEvents] {
		s.Events[e]++
	}
	if p.Invalid {
		s.Invalid++
	}
	for set := uint64(p.Seen); set != 0; set &= set - 1 {
		s.Layers[bits.TrailingZeros64(set)]++
	}
}

// Counter is one named number, under Suricata's name where it has one.
type Counter struct {
	Name  string
	Value uint64
}

// AppendCounters appends all counters of the worker to dst, in a fixed order.
func (w *Worker) AppendCounters(dst []Counter) []Counter {
	s := &w.Stats
	add := func(name string, v uint64) { dst = append(dst, Counter{name, v}) }
	add("capture.kernel_packets", w.Ledger.Received+w.Ledger.Kernel)
	add("capture.kernel_drops", w.Ledger.Kernel)
	add("decoder.pkts", s.Frames)
	add("decoder.bytes", s.Bytes)
	add("decoder.invalid", s.Invalid)
	for i := range layerCounters {
		add("decoder."+layerCounters[i].name, s.Layers[bits.TrailingZeros64(uint64(layerCounters[i].kind))])
	}
	add("decoder.avg_pkt_size", s.Bytes/max(s.Frames, 1))
	add("decoder.max_pkt_size", s.MaxPkt)
	add("decoder.max_mac_addrs_src", s.MaxMACSrc)
	add("decoder.max_mac_addrs_dst", s.MaxMACDst)
	add("decoder.too_many_layers", s.Events[packet.TooManyLayers])
	for i, n := range s.Events[1:] {
		add("decoder.event."+packet.Event(i+1).String(), n)
	}
	f := &w.flows.Counters
	add("flow.memcap", f.Memcap)
	add("flow.total", f.Total)
	add("flow.active", f.Active)
	add("flow.tcp", f.TCP)
	add("flow.udp", f.UDP)
	add("flow.icmpv4", f.ICMPv4)
	add("flow.icmpv6", f.ICMPv6)
	add("flow.tcp_reuse", f.TCPReuse)
	add("flow.get_used", f.GetUsed)
	add("flow.spare", f.Spare)
	add("flow.emerg_mode_entered", f.EmergencyEntered)
	add("flow.emerg_mode_over", f.EmergencyOver)
	add("flow.end.state.new", f.EndNew)
	add("flow.end.state.established", f.EndEstablished)
	add("flow.end.state.closed", f.EndClosed)
	add("flow.end.state.local_bypassed", f.EndBypassed)
	add("flow.mgr.flows_timeout", f.TimedOut)
	add("flow.memuse", f.MemUse)
	dst = w.appendStreamCounters(dst)
	if w.det != nil {
		c := &w.det.Counters
		add("detect.alert", c.Alerts)
		add("detect.alert_queue_overflow", c.AlertOverflow)
		add("detect.alerts_suppressed", c.Suppressed)
		add("detect.candidates", c.Candidates)
		add("detect.scanned_bytes", c.Scanned)
		add("detect.regex_limit", c.RegexLimit)
		add("detect.recursion_limit", c.RecursionLimit)
		add("detect.flow_state_full", c.FlowBitsFull)
		add("detect.tx_state_full", c.StatesFull)
		add("detect.transform_limit", c.TransformLimit)
		add("detect.values_limit", c.ValuesLimit)
		add("detect.captures_full", c.CapturesFull)
		if !w.opt.Live {
			dst = appendSharedCounters(dst, w.det.Shared())
		}
	} else {
		add("detect.alert", 0)
	}
	for _, p := range w.opt.Table.Rows() {
		id := w.opt.Table.ByName(p.Name)
		both := p.Transport == proto.TCP|proto.UDP
		name := p.Name
		if both {
			name += "_tcp"
			add("app_layer.flow."+p.Name+"_udp", s.AppFlowUDP[id])
			add("app_layer.error."+p.Name+"_udp.parser", s.ParserErrorsUDP[id])
			add("app_layer.tx."+p.Name+"_udp", 0)
		}
		add("app_layer.flow."+name, s.AppFlow[id])
		add("app_layer.tx."+name, s.AppTx[id])
		add("app_layer.error."+name+".parser", s.ParserErrors[id])
		for i, n := range w.limitHits.Of(id) {
			add("app_layer.limit."+p.Name+"."+p.Limits[i], n)
		}
	}
	add("app_layer.flow.failed_tcp", s.AppFailed[0])
	add("app_layer.flow.failed_udp", s.AppFailed[1])
	add("app_layer.events", s.AppEvents)
	add("file_store.open_files", uint64(w.filesOpen))
	add("file_store.fs_errors", s.FileStoreErrors)
	add("file_store.open_files_max_hit", s.FilesUntracked)
	if w.dedup != nil {
		add("dedup.pairs_full", w.dedup.full)
	}
	add("ftp.memuse", 0) // bounded by the limits of its package, not counted
	add("ftp.memcap", 0)
	add("memcap.pressure", 0)
	add("memcap.pressure_max", 0)
	l := &w.Ledger
	add("mirror.received", l.Received)
	add("mirror.processed", l.Processed)
	for i, n := range l.Drops {
		add("mirror.drop."+DropNames[i], n)
	}
	add("mirror.truncated", l.Truncated)
	add("mirror.unknown_source", l.Unknown)
	add("sensor.panics", s.Panics)
	add("sensor.sink_errors", s.SinkErrors)
	oversize := uint64(0)
	for i := range w.outs {
		oversize += w.outs[i].w.Oversize
	}
	add("sensor.oversize_records", oversize)
	add("sensor.left_out.transactions", s.LeftTxs)
	add("sensor.left_out.files", s.LeftFiles)
	add("sensor.left_out.expected_flows", s.LeftExpects+w.expected.Forgotten)
	add("sensor.left_out.frames", s.LeftFrames)
	add("sensor.left_out.nested_fragments", s.LeftFragments)
	return dst
}

func (w *Worker) initStats() {
	w.counters = w.AppendCounters(nil)
	names := make([]string, 0, len(w.counters)+1)
	for _, c := range w.counters {
		names = append(names, c.Name)
	}
	names = append(names, eve.EnginesName)
	// The names are fixed above: a clash would be a bug, and a test looks.
	w.statsPlan, w.statsPlanErr = eve.NewStatsPlan(names)
}

// LogStats writes a stats record with time stamp t to the outputs that want one.
func (w *Worker) LogStats(t int64) {
	if w.statsPlanErr != nil || w.opt.Live {
		return
	}
	w.counters = w.AppendCounters(w.counters[:0])
	w.statsNow = w.statsNow[:0]
	for _, c := range w.counters {
		w.statsNow = append(w.statsNow, c.Value)
	}
	w.statsNow = append(w.statsNow, 0) // in the place of the engines
	s := eve.Stats{Time: t, Uptime: uint64(max(0, t-w.first) / 1e9), Plan: w.statsPlan, Values: w.statsNow, Last: w.statsLast,
		PcapCnt: w.pcapCnt}
	if w.opt.EngineInfo != nil {
		s.Engines = w.opt.EngineInfo()
	}
	for i := range w.outs {
		w.outs[i].buf = w.outs[i].w.Stats(w.outs[i].buf, &s)
	}
	w.statsLast = append(w.statsLast[:0], w.statsNow...)
}

// appendSharedCounters adds what found no room in the tables that all workers share.
func appendSharedCounters(dst []Counter, s *detect.Shared) []Counter {
	f := s.Full()
	return append(dst, Counter{"detect.thresholds_full", f.Thresholds}, Counter{"detect.bits_full", f.Bits},
		Counter{"detect.tags_full", f.Tags}, Counter{"detect.datasets_full", f.Datasets})
}
