package sip

import (
	"bytes"

	"mirador/internal/proto"
)

// Header is a header of a message, in the order of the wire.
type Header struct{ Name, Value []byte }

// Tx is a request or a response. Its byte slices share one copy of the message.
type Tx struct {
	proto.TxBase
	Request bool
	Line    []byte // first line without its end
	Method  []byte
	URI     []byte
	Version []byte // "SIP/2.0"
	Code    []byte
	Reason  []byte
	Headers []Header
	SDP     *SDP // nil: none
}

// value returns the i-th value of a header, known by its long and compact name.
func (t *Tx) value(long, compact string, i int) ([]byte, bool) {
	for _, h := range t.Headers {
		if bytes.EqualFold(h.Name, []byte(long)) || compact != "" && bytes.EqualFold(h.Name, []byte(compact)) {
			if i == 0 {
				return h.Value, true
			}
			i--
		}
	}
	return nil, false
}

// SDP is a session description: the values of its lines.
type SDP struct {
	Version, Origin, Name, Info, URI, Email, Phone, Connection, Zone, Key []byte

	Bandwidths [][]byte
	Times      []Time
	Attributes [][]byte
	Media      []Media
}

// Time is a time description.
type Time struct {
	Time    []byte
	Repeats [][]byte
}

// Media is a media description.
type Media struct {
	Media, Info, Key       []byte
	Connections            [][]byte
	Bandwidths, Attributes [][]byte
}

// parseSDP reads a session description; nil when b is none.
func parseSDP(b []byte) *SDP {
	if !bytes.HasPrefix(b, []byte("v=")) {
		return nil
	}
	s := &SDP{}
	for n := 0; len(b) > 0 && n < MaxSDP; n++ {
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) < 2 || line[1] != '=' {
			return s
		}
		if len(s.Media) > 0 && line[0] != 'm' {
			s.Media[len(s.Media)-1].line(line[0], line[2:])
			continue
		}
		s.line(line[0], line[2:])
	}
	return s
}

func (s *SDP) line(typ byte, v []byte) {
	switch typ {
	case 'v':
		s.Version = v
	case 'o':
		s.Origin = v
	case 's':
		s.Name = v
	case 'i':
		s.Info = v
	case 'u':
		s.URI = v
	case 'e':
		s.Email = v
	case 'p':
		s.Phone = v
	case 'c':
		s.Connection = v
	case 'b':
		s.Bandwidths = append(s.Bandwidths, v)
	case 't':
		s.Times = append(s.Times, Time{Time: v})
	case 'r':
		if n := len(s.Times); n > 0 {
			s.Times[n-1].Repeats = append(s.Times[n-1].Repeats, v)
		}
	case 'z':
		s.Zone = v
	case 'k':
		s.Key = v
	case 'a':
		s.Attributes = append(s.Attributes, v)
	case 'm':
		s.Media = append(s.Media, Media{Media: v})
	}
}

func (m *Media) line(typ byte, v []byte) {
	switch typ {
	case 'i':
		m.Info = v
	case 'c':
		m.Connections = append(m.Connections, v)
	case 'b':
		m.Bandwidths = append(m.Bandwidths, v)
	case 'k':
		m.Key = v
	case 'a':
		m.Attributes = append(m.Attributes, v)
	}
}
