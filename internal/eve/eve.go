// Package eve writes Suricata's event format, EVE: one JSON object a line.
//
// A Writer belongs to one worker and one configured output. The sensor fills the
// plain structs of this package (Header, Alert, Flow, ...) and gets lines
// appended to its own buffer; nothing here knows a flow table, opens files or
// reads a clock. Once its buffers have grown a Writer allocates nothing.
//
// Lines have the shape that Suricata 8.0 gives them (user guide: EVE JSON
// format), so that its consumers read them unchanged. Everything about AWS
// mirroring sits in one extra object, "mirror", which can be switched off. Texts
// from outside never break a line: jsonw escapes what is not UTF-8. Bounds are
// in limits.go.
package eve

import (
	"slices"

	"mirador/internal/jsonw"
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// Writer makes the lines of one output. It is not safe for concurrent use.
type Writer struct {
	// Oversize counts records that were longer than MaxLine and lost their
	// application-layer part.
	Oversize uint64

	o     Options
	table *proto.Table
	txOn  [256]bool   // by proto.ID: transactions of this protocol are logged
	logs  [256]Logger // by proto.ID
	turn  [256]bool   // by proto.ID: shown as the packet went
	w     jsonw.Writer
	tmp   []byte
	open  []string // objects of stats that are due
	time  stamp
	start int // where the present line begins in w.Buf
}

// NewWriter returns a Writer for output o. t may be nil when no transactions are
// logged.
func NewWriter(o Options, t *proto.Table) *Writer {
	w := &Writer{o: o, table: t}
	if t == nil {
		return w
	}
	for _, p := range t.Rows() {
		id := t.ByName(p.Name)
		w.txOn[id] = p.Log != nil && o.Logs(typeOf(p))
		w.logs[id] = Logger{Name: logName(p), Log: p.Log, LogAlert: p.LogAlert}
		w.turn[id] = slices.Contains(byPacket[:], p.Name)
	}
	for _, l := range o.Loggers {
		id := t.ByName(l.Name)
		if l.Log != nil && w.txOn[id] {
			w.logs[id].Log = l.Log
		}
		if l.LogAlert != nil {
			w.logs[id].LogAlert = l.LogAlert
		}
		if l.ByFlow {
			w.turn[id] = false
		}
	}
	return w
}

// Options returns what the Writer was made with.
func (w *Writer) Options() *Options { return &w.o }

// typeOf returns the name under which the types list of eve-log switches
// transactions of p. File transfers over FTP belong to "ftp".
func typeOf(p *proto.Protocol) string {
	if p.Name == "ftp-data" {
		return "ftp"
	}
	return p.Name
}

// begin starts a line behind dst.
func (w *Writer) begin(dst []byte) {
	w.start = len(dst)
	w.w = jsonw.Writer{Buf: append(dst, w.o.Prefix...)}
	w.w.Open()
}

// end finishes the line and hands the buffer back.
func (w *Writer) end() []byte {
	w.w.Close()
	out := append(w.w.Buf, '\n')
	w.w = jsonw.Writer{}
	return out
}

// cancel forgets the line.
func (w *Writer) cancel() []byte {
	out := w.w.Buf[:w.start]
	w.w = jsonw.Writer{}
	return out
}

// tooLong tells that the present line has passed MaxLine.
func (w *Writer) tooLong() bool { return len(w.w.Buf)-w.start > MaxLine }

// quoted writes k with a value that needs no escaping and was built in w.tmp
// between quotes.
func (w *Writer) quoted(k string) {
	w.tmp = append(w.tmp, '"')
	w.w.Raw(k, w.tmp)
}

func (w *Writer) quote() { w.tmp = append(w.tmp[:0], '"') }

func (w *Writer) timeKey(k string, nanos int64) {
	w.quote()
	w.tmp = w.time.append(w.tmp, nanos)
	w.quoted(k)
}

func (w *Writer) ip(k string, a *packet.Addr, v uint8) {
	w.quote()
	w.tmp = appendIP(w.tmp, a, v, w.o.IPv6Compress)
	w.quoted(k)
}

func (w *Writer) mac(k string, m *[6]byte) {
	w.quote()
	w.tmp = appendMAC(w.tmp, m)
	w.quoted(k)
}

func (w *Writer) hex2(k string, v uint8) {
	w.tmp = append(w.tmp[:0], '"', hexDigits[v>>4], hexDigits[v&15])
	w.quoted(k)
}

// str writes k: v unless v is empty, v cut to MaxText.
func (w *Writer) str(k, v string) {
	if v != "" {
		w.w.Str(k, cut(v))
	}
}

func cut[T ~string | ~[]byte](v T) T {
	if len(v) > MaxText {
		v = v[:MaxText]
	}
	return v
}
