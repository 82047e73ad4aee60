package sensor

import (
	"mirador/internal/eve"
	"mirador/internal/packet"
)

// Stats are the worker's own counts beside the Ledger and the rooms' counters.
type Stats struct {
	Panics, SinkErrors           uint64
	Alerts, Txs, AppEvents       uint64
	Files, FilesStored           uint64
	FileStoreErrors              uint64
	FilesUntracked               uint64
	Pkts, Bytes, Invalid, MaxPkt uint64
	IPv4, IPv6, TCP, UDP, SCTP   uint64
	ICMPv4, ICMPv6, Ethernet     uint64
	ARP, VLAN, QinQ              uint64
	VXLAN, GENEVE, GRE, Teredo   uint64
	IPv4InIPv6, IPv6InIPv6       uint64
	MaxMAC                       uint64
	Events                       [packet.NumEvents]uint64
	AppFlow, AppTx               [256]uint64
}

// count adds p to the decoder counters.
func (w *Worker) count(p *packet.Parsed) {
	s := &w.Stats
	s.Pkts++
	s.Bytes += uint64(len(p.Data))
	s.MaxPkt = max(s.MaxPkt, uint64(len(p.Data)))
	for _, e := range p.Events[:p.NEvents] {
		s.Events[e]++
	}
	if p.Depth < packet.DepthNet && p.NEvents > 0 {
		s.Invalid++
	}
	if p.HasEther {
		s.Ethernet++
	}
	switch p.NVLAN {
	case 0:
	case 1:
		s.VLAN++
	default:
		s.QinQ++
	}
	switch p.Source {
	case packet.FromTunnelVXLAN:
		s.VXLAN++
	case packet.FromTunnelGENEVE:
		s.GENEVE++
	case packet.FromTunnelGRE:
		s.GRE++
	case packet.FromTunnelTeredo:
		s.Teredo++
	}
	switch p.IPVersion {
	case 4:
		s.IPv4++
	case 6:
		s.IPv6++
	default:
		return
	}
	if p.Depth < packet.DepthTransport {
		return
	}
	switch p.Proto {
	case packet.ProtoTCP:
		s.TCP++
	case packet.ProtoUDP:
		s.UDP++
	case packet.ProtoSCTP:
		s.SCTP++
	case packet.ProtoICMP:
		s.ICMPv4++
	case packet.ProtoICMPv6:
		s.ICMPv6++
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
	add("decoder.pkts", s.Pkts)
	add("decoder.bytes", s.Bytes)
	add("decoder.invalid", s.Invalid)
	add("decoder.ipv4", s.IPv4)
	add("decoder.ipv6", s.IPv6)
	add("decoder.ethernet", s.Ethernet)
	add("decoder.tcp", s.TCP)
	add("decoder.udp", s.UDP)
	add("decoder.sctp", s.SCTP)
	add("decoder.icmpv4", s.ICMPv4)
	add("decoder.icmpv6", s.ICMPv6)
	add("decoder.vlan", s.VLAN)
	add("decoder.vlan_qinq", s.QinQ)
	add("decoder.vxlan", s.VXLAN)
	add("decoder.geneve", s.GENEVE)
	add("decoder.gre", s.GRE)
	add("decoder.teredo", s.Teredo)
	if s.Pkts > 0 {
		add("decoder.avg_pkt_size", s.Bytes/s.Pkts)
	} else {
		add("decoder.avg_pkt_size", 0)
	}
	add("decoder.max_pkt_size", s.MaxPkt)
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
	} else {
		add("detect.alert", 0)
	}
	for _, p := range w.opt.Table.Rows() {
		id := w.opt.Table.ByName(p.Name)
		add("app_layer.flow."+p.Name, s.AppFlow[id])
		add("app_layer.tx."+p.Name, s.AppTx[id])
	}
	add("app_layer.events", s.AppEvents)
	add("file_store.open_files", uint64(w.filesOpen))
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
	return dst
}

func (w *Worker) initStats() {
	w.counters = w.AppendCounters(nil)
	names := make([]string, len(w.counters))
	for i, c := range w.counters {
		names[i] = c.Name
	}
	// The names are fixed above: a clash would be a bug, and a test looks.
	w.statsPlan, w.statsPlanErr = eve.NewStatsPlan(names)
}

// LogStats writes a stats record with time stamp t to the outputs that want one.
func (w *Worker) LogStats(t int64) {
	if w.statsPlanErr != nil {
		return
	}
	w.counters = w.AppendCounters(w.counters[:0])
	w.statsNow = w.statsNow[:0]
	for _, c := range w.counters {
		w.statsNow = append(w.statsNow, c.Value)
	}
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
