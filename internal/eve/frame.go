package eve

import "mirador/internal/packet"

// Frame is a part of a protocol's wire form, for keyword frame and the frame
// records.
type Frame struct {
	Type     string
	ID       int64
	Dir      Direction
	Stream   bool   // over TCP: Offset counts in the stream
	Offset   uint64 // stream offset, or offset in the datagram
	Length   int64  // -1 while not known
	Complete bool
	HasTx    bool
	TxID     uint64
	// Payload is what is there of the frame, gaps marked by AppendMissing.
	Payload []byte
}

func (w *Writer) frame(f *Frame) {
	j := &w.w
	j.Object("frame")
	j.Str("type", cut(f.Type))
	j.Int("id", f.ID)
	if f.Dir == ToClient {
		j.Str("direction", "toclient")
	} else {
		j.Str("direction", "toserver")
	}
	if f.Stream {
		j.Uint("stream_offset", f.Offset)
	}
	if f.Length >= 0 {
		j.Int("length", f.Length)
	}
	j.Bool("complete", f.Complete)
	// Suricata's buffer of that size holds a byte less.
	p := f.Payload[:min(len(f.Payload), min(max(w.o.Frame.PayloadBuffer-1, 0), MaxPayload))]
	if len(p) > 0 {
		j.Base64("payload", p)
		j.Printable("payload_printable", p)
	}
	if f.HasTx {
		j.Uint("tx_id", f.TxID)
	}
	j.Close()
}

// Frame appends a record of type frame.
func (w *Writer) Frame(dst []byte, h *Header, f *Frame) []byte {
	if !w.o.FrameOn {
		return dst
	}
	w.begin(dst)
	w.header(h, "frame")
	w.app(&h.App)
	w.frame(f)
	return w.end()
}

// Packet appends a record of a packet that a tag selected.
func (w *Writer) Packet(dst []byte, h *Header, p []byte, l packet.Link) []byte {
	if !w.o.AlertOn || !w.o.Alert.TaggedPackets {
		return dst
	}
	w.begin(dst)
	w.header(h, "packet")
	w.packet(p, l)
	return w.end()
}

// arpOpcodes are the names of operation codes (IANA arp-parameters).
var arpOpcodes = [...]string{
	1: "request", 2: "reply", 3: "request_reverse", 4: "reply_reverse",
	5: "drarp_request", 6: "drarp_reply", 7: "drarp_error", 8: "in_arp_request",
	9: "in_arp_reply", 10: "arp_nak",
}

// ARP appends a record of type arp.
func (w *Writer) ARP(dst []byte, h *Header, a *packet.ARP) []byte {
	if !w.o.ARPOn {
		return dst
	}
	w.begin(dst)
	w.header(h, "arp")
	j := &w.w
	j.Object("arp")
	j.Str("hw_type", "ethernet")
	j.Str("proto_type", "ipv4")
	op := "unknown"
	if int(a.Opcode) < len(arpOpcodes) && arpOpcodes[a.Opcode] != "" {
		op = arpOpcodes[a.Opcode]
	}
	j.Str("opcode", op)
	w.mac("src_mac", &a.SrcMAC)
	w.ip4("src_ip", a.SrcIP)
	w.mac("dest_mac", &a.DstMAC)
	w.ip4("dest_ip", a.DstIP)
	j.Close()
	return w.end()
}

func (w *Writer) ip4(k string, ip [4]byte) {
	a := packet.AddrFrom4(ip)
	w.ip(k, &a, 4)
}

// Meta appends a record of type metadata: the variables of h, written whenever a
// rule has stored a packet variable.
func (w *Writer) Meta(dst []byte, h *Header) []byte {
	if !w.o.MetadataOn || h.Vars == nil {
		return dst
	}
	w.begin(dst)
	w.header(h, "metadata")
	if !w.o.Metadata {
		w.vars(h.Vars)
	}
	return w.end()
}
