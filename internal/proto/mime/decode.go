package mime

// b64State is where the decoding of base64 stands.
type b64State struct {
	quad   [4]byte
	n      int
	broken bool
}

// Values of base64 characters.
const (
	b64Skip = 0xff // not in the alphabet: passed over
	b64Pad  = 0xfe
)

func b64Value(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c - 'A'
	case c >= 'a' && c <= 'z':
		return c - 'a' + 26
	case c >= '0' && c <= '9':
		return c - '0' + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	case c == '=':
		return b64Pad
	}
	return b64Skip
}

// decode appends what line decodes to to dst. Characters outside of the alphabet are
// passed over; a group of four may go over line ends; after padding the next group
// begins. Padding in the first half of a group is an error, and as in Suricata the
// part is not decoded any more from that line on.
func (s *b64State) decode(dst, line []byte) (out []byte, ok bool) {
	if s.broken {
		return dst, len(line) == 0
	}
	from := len(dst)
	for _, c := range line {
		v := b64Value(c)
		if v == b64Skip {
			continue
		}
		s.quad[s.n] = v
		if s.n++; s.n < 4 {
			continue
		}
		s.n = 0
		q := &s.quad
		if q[0] == b64Pad || q[1] == b64Pad {
			s.broken = true
			return dst[:from], false
		}
		dst = append(dst, q[0]<<2|q[1]>>4)
		if q[2] == b64Pad {
			continue
		}
		dst = append(dst, q[1]<<4|q[2]>>2)
		if q[3] != b64Pad {
			dst = append(dst, q[2]<<6|q[3])
		}
	}
	return dst, true
}

// base64Line decodes a line of base64 or a piece of one.
func (m *Message) base64Line(line []byte, first bool) {
	if !m.opt.Base64 {
		return
	}
	if first && len(line) > MaxEncodedLine {
		m.sink.MIMEEvent(LongEncodedLine)
	}
	// A line is decoded whole or not at all; very long ones come in pieces anyway.
	out, ok := m.part.b64.decode(m.out[:0], line)
	m.out = out
	if !ok {
		m.sink.MIMEEvent(InvalidBase64)
		return
	}
	m.decoded(out)
}

// decoded hands on decoded bytes.
func (m *Message) decoded(b []byte) {
	if len(b) == 0 {
		return
	}
	if m.findsURLs() {
		m.text.stream(b)
	}
	if m.part.open {
		m.sink.FileData(b)
	}
}

// qpState is where the decoding of quoted-printable stands: an escape begun at the
// end of a piece of a line.
type qpState struct {
	esc [2]byte
	n   int
	bad bool // an event was told for this line
}

// decode appends what b, a piece of a line without its end, decodes to to dst. An
// escape that is not "=" and two upper-case hexadecimal digits is dropped.
func (s *qpState) decode(dst, b []byte) []byte {
	for _, c := range b {
		switch {
		case s.n == 0 && c == '=':
			s.esc[0], s.n = c, 1
		case s.n == 0:
			dst = append(dst, c)
		case s.n == 1:
			s.esc[1], s.n = c, 2
		default:
			s.n = 0
			hi, lo := hexValue(s.esc[1]), hexValue(c)
			if hi < 0 || lo < 0 {
				s.bad = true
				continue
			}
			dst = append(dst, byte(hi<<4|lo))
		}
	}
	return dst
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// qpLine decodes a line of quoted-printable or a piece of one: b with its end, line
// without. A line that ends in "=" goes on in the next one.
func (m *Message) qpLine(b, line []byte, first, last bool) {
	if !m.opt.QuotedPrintable {
		return
	}
	if first && len(line) > MaxEncodedLine {
		m.sink.MIMEEvent(LongEncodedLine)
	}
	p := &m.part
	if !p.open {
		// Bodies that are no attachments are searched as they are on the wire.
		if m.findsURLs() {
			m.text.write(b, last)
		}
		return
	}
	m.lineEnd()
	if first && last && len(line) == 0 {
		p.held = true
		return
	}
	out := p.qp.decode(m.out[:0], line)
	hard := false
	if last {
		hard = p.qp.n != 1
		if p.qp.n == 2 || p.qp.bad {
			m.sink.MIMEEvent(InvalidQP)
		}
		p.qp = qpState{}
		if hard {
			out = append(out, b[len(line):]...)
		}
	}
	m.out = out
	if len(out) == 0 {
		return
	}
	if m.findsURLs() {
		m.text.write(out, hard)
	}
	m.sink.FileData(out)
}
