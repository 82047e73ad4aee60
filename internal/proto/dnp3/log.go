package dnp3

import (
	"bytes"
	"math"
	"unicode/utf8"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes the EVE object dnp3.
func (l *layouts) log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok || t.Data == nil {
		return false
	}
	switch {
	case t.Dir == proto.ToServer:
		w.Str("type", "request")
	case t.Function() == functionUnsolicited:
		w.Str("type", "unsolicited_response")
	default:
		w.Str("type", "response")
	}
	w.Object("control")
	w.Bool("dir", t.Control&bitDir != 0)
	w.Bool("pri", t.Control&bitPri != 0)
	w.Bool("fcb", t.Control&bitFCB != 0)
	w.Bool("fcv", t.Control&bitFCV != 0)
	w.Uint("function_code", uint64(t.Control&maskFunction))
	w.Close()
	w.Uint("src", uint64(t.Src))
	w.Uint("dst", uint64(t.Dst))
	l.application(t, w)
	if t.Dir == proto.ToClient {
		indications(t.IIN(), w)
	}
	return true
}

// logAlert writes a transaction under the direction it belongs to.
func (l *layouts) logAlert(c *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
	t, ok := tx.(*Tx)
	if !ok || t.Data == nil {
		return
	}
	w.Object("dnp3")
	if t.Dir == proto.ToServer {
		w.Object("request")
	} else {
		w.Object("response")
	}
	l.log(c, tx, w)
	w.Close()
	w.Close()
}

// Bits of the application control octet.
const (
	appFIR, appFIN, appCON, appUNS, appSeq = 0x80, 0x40, 0x20, 0x10, 0x0f
)

func (l *layouts) application(t *Tx, w *jsonw.Writer) {
	w.Object("application")
	w.Object("control")
	w.Bool("fir", t.Data[0]&appFIR != 0)
	w.Bool("fin", t.Data[0]&appFIN != 0)
	w.Bool("con", t.Data[0]&appCON != 0)
	w.Bool("uns", t.Data[0]&appUNS != 0)
	w.Uint("sequence", uint64(t.Data[0]&appSeq))
	w.Close()
	w.Uint("function_code", uint64(t.Function()))
	if len(t.Objects) > 0 {
		w.Array("objects")
		l.objects(t, w)
		w.CloseArray()
	}
	w.Bool("complete", t.Complete)
	w.Close()
}

// objects writes the objects of a message; the limits are those it was read with.
func (l *layouts) objects(t *Tx, w *jsonw.Writer) {
	lim := limits{points: math.MaxUint64, objects: uint64(len(t.Objects))}
	for _, e := range t.Events {
		if e == EventTooManyPoints {
			lim.points = 0 // set below: the last object is not decoded
		}
	}
	x := walker{layouts: l, limits: lim}
	if lim.points == 0 {
		x.limits.points = pointsBefore(l, t)
	}
	x.each = func(o *object) {
		w.Open()
		w.Uint("group", uint64(o.id>>8))
		w.Uint("variation", uint64(o.id&0xff))
		w.Uint("qualifier", uint64(o.qualifier))
		w.Uint("prefix_code", uint64(o.qualifier>>4&7))
		w.Uint("range_code", uint64(o.qualifier&0x0f))
		w.Uint("start", uint64(o.start))
		w.Uint("stop", uint64(o.stop))
		w.Uint("count", uint64(o.count))
	}
	x.point = func(_ *object, p *point, first bool) {
		if first {
			w.Array("points")
		}
		w.Open()
		w.Uint("prefix", uint64(p.prefix))
		w.Uint("index", uint64(p.index))
		if p.sized {
			w.Uint("size", uint64(p.size))
		}
	}
	x.value = func(v *value, n uint64, b []byte) { v.write(n, b, w) }
	x.end = w.Close
	x.done = func(_ *object, points int) {
		if points > 0 {
			w.CloseArray()
		}
		w.Close()
	}
	x.walk(t.Data[headerLen(t.Dir):])
}

// pointsBefore counts the points that the objects before the last one announced.
func pointsBefore(l *layouts, t *Tx) (sum uint64) {
	left := len(t.Objects)
	x := walker{layouts: l, limits: limits{points: math.MaxUint64, objects: uint64(left) - 1}}
	x.each = func(o *object) {
		if o.id&0xff != 0 {
			sum += uint64(o.count)
		}
	}
	x.walk(t.Data[headerLen(t.Dir):])
	return sum
}

// write writes a field of a point.
func (v *value) write(n uint64, b []byte, w *jsonw.Writer) {
	switch v.form {
	case signed:
		shift := 64 - v.bits
		w.Uint(v.name, uint64(int64(n<<shift)>>shift))
	case float:
		f := math.Float64frombits(n)
		if v.bits == 32 {
			f = float64(math.Float32frombits(uint32(n)))
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			w.Raw(v.name, []byte("null"))
			return
		}
		w.Float(v.name, f)
	case text:
		w.Text(v.name, b)
	case binaryData:
		w.Base64(v.name, b)
	case cstring:
		if i := bytes.IndexByte(b, 0); i >= 0 {
			b = b[:i]
		}
		if utf8.Valid(b) {
			w.Bytes(v.name, b)
		}
	default:
		w.Uint(v.name, n)
	}
}

// indications writes the internal indications of a response.
func indications(iin uint16, w *jsonw.Writer) {
	w.Object("iin")
	if iin != 0 {
		w.Array("indicators")
		for _, x := range indicators() {
			if iin&x.bit != 0 {
				w.StrValue(x.name)
			}
		}
		w.CloseArray()
	}
	w.Close()
}
