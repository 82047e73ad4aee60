package eve

import "mirador/internal/packet"

// AnomalyType says where an anomaly was found.
type AnomalyType uint8

// The types of anomaly.
const (
	AnomalyDecode AnomalyType = iota
	AnomalyStream
	AnomalyApp
	AnomalyUnknown // an event without a name
)

// Layers of AnomalyApp.
const (
	LayerDetect = "proto_detect"
	LayerParser = "proto_parser"
)

// Anomaly is something that should not be.
type Anomaly struct {
	Type  AnomalyType
	Event string // name: "decoder.udp.pkt_too_small", "stream.est_invalid_ack", "INVALID_RECORD_TYPE"
	Code  int    // of AnomalyUnknown
	Layer string // of AnomalyApp
	App   string // of AnomalyApp: name of the protocol
	// Packet is shown in part for decode and stream anomalies when packethdr is
	// on.
	Packet []byte
	Link   packet.Link
}

// LogsAnomaly tells whether anomalies of type t are logged.
func (w *Writer) LogsAnomaly(t AnomalyType) bool {
	if !w.o.AnomalyOn {
		return false
	}
	switch t {
	case AnomalyStream:
		return w.o.Anomaly.Stream
	case AnomalyApp:
		return w.o.Anomaly.AppLayer
	}
	return w.o.Anomaly.Decode
}

// Anomaly appends a record of type anomaly.
func (w *Writer) Anomaly(dst []byte, h *Header, a *Anomaly) []byte {
	if !w.LogsAnomaly(a.Type) {
		return dst
	}
	w.begin(dst)
	w.header(h, "anomaly")
	j := &w.w
	if h.HasTx {
		j.Uint("tx_id", h.TxID)
	}
	if a.Type != AnomalyApp && w.o.Anomaly.PacketHdr && len(a.Packet) > 0 {
		w.packet(a.Packet[:min(len(a.Packet), PacketHeaderBytes)], a.Link)
	}
	j.Object("anomaly")
	switch a.Type {
	case AnomalyDecode:
		j.Str("type", "decode")
		j.Str("event", cut(a.Event))
	case AnomalyStream:
		j.Str("type", "stream")
		j.Str("event", cut(a.Event))
	case AnomalyApp:
		w.str("app_proto", a.App)
		j.Str("type", "applayer")
		j.Str("event", cut(a.Event))
		w.str("layer", a.Layer)
	default:
		j.Str("type", "unknown")
		j.Int("code", int64(a.Code))
	}
	j.Close()
	return w.end()
}
