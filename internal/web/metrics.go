package web

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// collector makes metrics of one Stats for each scrape. No label has a value that
// traffic can choose: sources appear by session, and only those of the sources file.
type collector struct {
	s        Sensor
	suricata bool
}

// Describe says nothing: which counters there are depends on the protocols compiled
// in, which makes this an unchecked collector.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	st := c.s.Stats()
	e := &emitter{out: out, descs: map[string]*prometheus.Desc{}}
	e.gauge("mirador_up", "1 when packets may be sent here (what the status page says).", flag(st.Status.OK))
	e.gauge("mirador_uptime_seconds", "Time since the start.", st.Uptime)
	e.gauge("mirador_build_info", "Version of this program.", 1, "version", st.Version)
	e.gauge("mirador_ledger_imbalance", "Received frames that are neither processed nor dropped; anything but 0 is a bug.", float64(st.Ledger.Imbalance))
	for i := range st.Workers {
		e.worker(&st.Workers[i])
	}
	e.inputs(st)
	e.outputs(st)
	e.rules(st)
	e.sources(st)
	if c.suricata {
		e.suricata(st)
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// emitter sends metrics, one description a name.
type emitter struct {
	out   chan<- prometheus.Metric
	descs map[string]*prometheus.Desc
}

// send sends a metric with labels in pairs of name and value.
func (e *emitter) send(kind prometheus.ValueType, name, help string, v float64, labels ...string) {
	names, values := make([]string, 0, 4), make([]string, 0, 4)
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, strings.ToValidUTF8(labels[i+1], "?"))
	}
	d := e.descs[name]
	if d == nil {
		d = prometheus.NewDesc(name, help, names, nil)
		e.descs[name] = d
	}
	m, err := prometheus.NewConstMetric(d, kind, v, values...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	e.out <- m
}

func (e *emitter) gauge(name, help string, v float64, labels ...string) {
	e.send(prometheus.GaugeValue, name, help, v, labels...)
}

func (e *emitter) counter(name, help string, v uint64, labels ...string) {
	e.send(prometheus.CounterValue, name, help, float64(v), labels...)
}

// isGauge tells counters whose value may go down.
func isGauge(name string) bool {
	for _, s := range [...]string{"memuse", ".active", ".spare", "open_files", "avg_pkt_size", "max_pkt_size"} {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return false
}

func (e *emitter) worker(w *Worker) {
	id := strconv.Itoa(w.ID)
	l := &w.Ledger
	e.counter("mirador_received_frames_total", "Frames received from the kernel.", l.Received, "worker", id)
	e.counter("mirador_received_bytes_total", "Bytes of the frames received.", l.ReceivedBytes, "worker", id)
	e.counter("mirador_processed_frames_total", "Frames that went through all stations.", l.Processed, "worker", id)
	e.counter("mirador_truncated_frames_total", "Processed frames that were cut.", l.Truncated, "worker", id)
	e.counter("mirador_unknown_source_frames_total", "Frames of sources that the sources file does not name.", l.Unknown, "worker", id)
	for _, d := range l.Drops {
		e.counter("mirador_dropped_frames_total", "Frames received and not processed, by reason.", d.Frames, "worker", id, "reason", d.Reason)
	}
	for _, c := range w.Counters {
		e.named(id, c)
	}
}

// named sends a counter of EVE's stats records: families that share a beginning
// become one metric with a label.
func (e *emitter) named(worker string, c Counter) {
	families := [...]struct{ prefix, metric, label, help string }{
		{"decoder.event.", "mirador_decoder_events_total", "event", "Decoder events."},
		{"app_layer.flow.", "mirador_app_layer_flows_total", "app", "Flows by application protocol."},
		{"app_layer.tx.", "mirador_app_layer_transactions_total", "app", "Transactions by application protocol."},
		{"app_layer.limit.", "mirador_app_layer_limits_total", "limit", "Bounds of application protocol parsers that were met, by protocol and bound."},
		{"app_layer.error.", "mirador_app_layer_errors_total", "error", "Failures of application protocol parsers, by protocol and kind."},
		{"mirror.", "", "", ""}, // the ledger
		{"capture.", "", "", ""},
	}
	for _, f := range families {
		if rest, ok := strings.CutPrefix(c.Name, f.prefix); ok {
			if f.metric != "" && (c.Value > 0 || f.label == "app") {
				e.counter(f.metric, f.help, c.Value, "worker", worker, f.label, rest)
			}
			return
		}
	}
	name := "mirador_" + strings.NewReplacer(".", "_", "-", "_").Replace(c.Name)
	help := "Counter " + c.Name + " of EVE's stats records."
	if isGauge(c.Name) {
		e.gauge(name, help, float64(c.Value), "worker", worker)
		return
	}
	e.counter(name+"_total", help, c.Value, "worker", worker)
}

func (e *emitter) inputs(st *Stats) {
	for _, in := range st.Inputs {
		e.counter("mirador_kernel_dropped_frames_total", "Frames the kernel dropped before they were received: socket buffer or ring full.", in.Drops, "input", in.Name)
		e.counter("mirador_input_failures_total", "Failed reads.", in.Failures, "input", in.Name)
		e.gauge("mirador_input_interface_gone", "1 while the interface that is captured on does not exist.", flag(in.Gone), "input", in.Name)
		e.gauge("mirador_input_steered", "1 when the kernel spreads frames over the workers by the addresses inside.", flag(in.Steered), "input", in.Name)
	}
}

func (e *emitter) outputs(st *Stats) {
	for _, o := range st.Outputs {
		e.counter("mirador_output_lines_total", "Events written.", o.Lines, "output", o.Name)
		e.counter("mirador_output_bytes_total", "Bytes of events written.", o.Bytes, "output", o.Name)
		e.counter("mirador_output_dropped_lines_total", "Events lost because the output could not take them.", o.DroppedLines, "output", o.Name)
		e.counter("mirador_output_failures_total", "Writes that failed.", o.Failures, "output", o.Name)
		e.gauge("mirador_output_waiting_bytes", "Events waiting for the output.", float64(o.Waiting), "output", o.Name)
	}
}

func (e *emitter) rules(st *Stats) {
	r := &st.Rules
	e.gauge("mirador_rules_loaded", "Rules in use.", float64(r.Loaded))
	e.gauge("mirador_rules_refused", "Rules that could not be loaded.", float64(r.Refused))
	e.gauge("mirador_rules_loaded_timestamp_seconds", "When the rules in use were loaded.", float64(r.LoadedAt.Unix()))
	e.counter("mirador_reloads_total", "Reloads that took effect.", r.Reloads)
	e.counter("mirador_reload_failures_total", "Reloads that were refused.", r.Failed)
	e.gauge("mirador_config_stale", "1 while configuration or rules in use are older than the files because these were refused.", flag(r.StaleSince != nil))
}

// sources sends the accounts of known sources by session, and the rest as one sum.
func (e *emitter) sources(st *Stats) {
	type key struct{ session, eni, instance string }
	at := map[key]int{}
	var keys []key
	var sums []Source
	for _, s := range st.Sources {
		k := key{s.SessionID, s.ENI, s.InstanceID}
		if !s.Known {
			k = key{}
		}
		i, ok := at[k]
		if !ok {
			i = len(sums)
			at[k] = i
			keys, sums = append(keys, k), append(sums, Source{})
		}
		t := &sums[i]
		t.Packets += s.Packets
		t.Bytes += s.Bytes
		t.Truncated += s.Truncated
		t.Duplicates += s.Duplicates
		t.Alerts += s.Alerts
	}
	for i, k := range keys {
		s := &sums[i]
		labels := []string{"session", k.session, "eni", k.eni, "instance", k.instance}
		e.counter("mirador_source_frames_total", "Mirrored frames by source; empty labels are all sources that the sources file does not name.", s.Packets, labels...)
		e.counter("mirador_source_bytes_total", "Bytes of mirrored packets by source.", s.Bytes, labels...)
		e.counter("mirador_source_truncated_frames_total", "Mirrored frames that were cut, by source.", s.Truncated, labels...)
		e.counter("mirador_source_duplicate_frames_total", "Mirrored frames dropped as second copies, by source.", s.Duplicates, labels...)
		e.counter("mirador_source_alerts_total", "Alerts by source.", s.Alerts, labels...)
	}
}

// suricata sends what suricata_exporter would, under its names, so that boards made
// for it work. Names are those of version 0.3 of that exporter.
func (e *emitter) suricata(st *Stats) {
	e.gauge("suricata_uptime_seconds", "Time since the start.", st.Uptime)
	e.gauge("suricata_detect_engine_rules_loaded", "Rules in use.", float64(st.Rules.Loaded), "id", "0")
	e.gauge("suricata_detect_engine_rules_failed", "Rules that could not be loaded.", float64(st.Rules.Refused), "id", "0")
	e.gauge("suricata_detect_engine_last_reload_timestamp_seconds", "When the rules in use were loaded.", float64(st.Rules.LoadedAt.Unix()), "id", "0")
	for _, c := range st.Counters {
		if name, ok := suricataGlobal(c.Name); ok {
			e.gauge(name, "", float64(c.Value))
		}
	}
	for i := range st.Workers {
		w := &st.Workers[i]
		thread := "W#" + strconv.Itoa(w.ID+1)
		for _, c := range w.Counters {
			if app, ok := strings.CutPrefix(c.Name, "app_layer.flow."); ok {
				e.counter("suricata_app_layer_flows_total", "", c.Value, "app", app, "thread", thread)
				continue
			}
			if name, ok := suricataName(c.Name); ok {
				kind := prometheus.CounterValue
				if isGauge(c.Name) {
					kind = prometheus.GaugeValue
				}
				e.send(kind, name, "", float64(c.Value), "thread", thread)
			}
		}
	}
}

// suricataGlobal names what the exporter does not split by thread.
func suricataGlobal(counter string) (string, bool) {
	switch counter {
	case "tcp.memuse", "tcp.reassembly_memuse", "flow.memuse":
		return "suricata_" + strings.ReplaceAll(counter, ".", "_") + "_bytes", true
	case "flow.spare":
		return "suricata_flow_spare", true
	case "flow.emerg_mode_entered", "flow.emerg_mode_over":
		return "suricata_" + strings.ReplaceAll(counter, ".", "_") + "_total", true
	}
	return "", false
}

// suricataName names what the exporter has for each thread.
func suricataName(counter string) (string, bool) {
	if _, global := suricataGlobal(counter); global {
		return "", false
	}
	group, field, _ := strings.Cut(counter, ".")
	switch {
	case counter == "decoder.pkts":
		field = "packets"
	case counter == "decoder.avg_pkt_size":
		return "suricata_decoder_packet_size_avg", true
	case counter == "decoder.max_pkt_size":
		return "suricata_decoder_packet_size_max", true
	case counter == "detect.alert":
		field = "alerts"
	case counter == "detect.alert_queue_overflow":
		field = "alert_queue_overflows"
	case group == "decoder" && field != "bytes" && field != "too_many_layers" && !strings.Contains(field, "."):
		field += "_packets"
	case group == "tcp" && (field == "syn" || field == "synack" || field == "rst" || field == "invalid_checksum"):
		field += "_packets"
	case group == "capture", group == "tcp" && !strings.Contains(field, "."), group == "decoder" && !strings.Contains(field, "."):
	case counter == "flow.tcp", counter == "flow.udp", counter == "flow.icmpv4", counter == "flow.icmpv6", counter == "flow.tcp_reuse",
		counter == "detect.alerts_suppressed":
	default:
		return "", false
	}
	return "suricata_" + group + "_" + field + "_total", true
}
