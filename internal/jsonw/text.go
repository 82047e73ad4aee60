package jsonw

import "unicode/utf8"

// Text writes k: v with v as bytes from the wire, in the form Suricata gives
// them: valid UTF-8 as it is; otherwise ASCII as it is and every other byte as
// the four characters \xNN.
func (w *Writer) Text(k string, v []byte) { w.Key(k); w.TextValue(v) }

// TextValue writes v as Text does, as a value.
func (w *Writer) TextValue(v []byte) {
	if utf8.Valid(v) {
		w.BytesValue(v)
		return
	}
	w.sep()
	w.Buf = append(w.Buf, '"')
	for _, c := range v {
		switch {
		case c >= utf8.RuneSelf:
			w.Buf = append(w.Buf, '\\', '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		case c >= 0x20 && c != '"' && c != '\\' && c != 0x7f:
			w.Buf = append(w.Buf, c)
		default:
			w.Buf = appendEscaped(w.Buf, c)
		}
	}
	w.Buf = append(w.Buf, '"')
}
