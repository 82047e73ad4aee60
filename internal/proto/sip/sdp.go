package sip

import (
	"bytes"
	"net/netip"
	"strings"
)

// SDP is a session description: the values of its lines.
type SDP struct {
	Origin, Name, Info, URI, Email, Phone, Connection, Zone, Key []byte

	Bandwidths [][]byte
	Times      []Time
	Attributes [][]byte
	Media      []Media
}

// Time is a time description.
type Time struct{ Time, Repeat []byte }

// Media is a media description.
type Media struct {
	Media, Info, Connection, Key []byte
	Bandwidths, Attributes       [][]byte
}

// parseSDP reads a session description, whose lines have a fixed order (RFC 8866
// section 5). It is nil when version, origin, name or time is missing; from the
// first line out of place on, the rest is left alone, as Suricata does. full tells that
// it has as many lines as are read.
func parseSDP(b []byte) (s *SDP, full bool) {
	d := sdpReader{b: b, left: MaxSDP}
	s = d.session()
	return s, d.left == 0
}

// session reads all of a session description.
func (d *sdpReader) session() *SDP {
	s := &SDP{}
	if string(d.line('v', any1)) != "0" {
		return nil
	}
	if s.Origin = d.line('o', isOrigin); s.Origin == nil {
		return nil
	}
	if s.Name = d.line('s', any1); s.Name == nil {
		return nil
	}
	s.Info = d.line('i', any1)
	s.URI = d.line('u', any1)
	s.Email = d.line('e', any1)
	s.Phone = d.line('p', any1)
	s.Connection = d.line('c', isConnection)
	s.Bandwidths = d.lines('b', isBandwidth)
	for {
		t := d.line('t', isTime)
		if t == nil {
			break
		}
		s.Times = append(s.Times, Time{t, d.line('r', isRepeat)})
	}
	if len(s.Times) == 0 {
		return nil
	}
	s.Zone = d.line('z', any1)
	s.Key = d.line('k', any1)
	s.Attributes = d.lines('a', any1)
	for {
		m := Media{Media: d.line('m', isMedia)}
		if m.Media == nil {
			return s
		}
		m.Info = d.line('i', any1)
		m.Connection = d.line('c', isConnection)
		m.Bandwidths = d.lines('b', isBandwidth)
		m.Key = d.line('k', any1)
		m.Attributes = d.lines('a', any1)
		s.Media = append(s.Media, m)
	}
}

// sdpReader reads at most left lines of b.
type sdpReader struct {
	b    []byte
	left int
}

// line returns the value of the next line when it is of type typ and good holds;
// otherwise nil, and the line stays.
func (d *sdpReader) line(typ byte, good func([]byte) bool) []byte {
	if len(d.b) < 4 || d.b[0] != typ || d.b[1] != '=' || d.left == 0 {
		return nil
	}
	i := bytes.IndexByte(d.b, '\n')
	if i < 3 || d.b[i-1] != '\r' {
		return nil
	}
	v := d.b[2 : i-1 : i-1]
	if !good(v) {
		return nil
	}
	d.b = d.b[i+1:]
	d.left--
	return v
}

func (d *sdpReader) lines(typ byte, good func([]byte) bool) (list [][]byte) {
	for {
		v := d.line(typ, good)
		if v == nil {
			return list
		}
		list = append(list, v)
	}
}

func any1([]byte) bool { return true }

func number(b []byte) bool {
	for _, c := range b {
		if !digit(c) {
			return false
		}
	}
	return len(b) > 0
}

// fieldsOf splits v at single spaces into at most n parts.
func fieldsOf(v []byte, n int) [][]byte { return bytes.SplitN(v, []byte{' '}, n) }

// isOrigin: username, id, version, "IN", type of address, address.
func isOrigin(v []byte) bool {
	f := fieldsOf(v, 6)
	return len(f) == 6 && len(f[0]) > 0 && number(f[1]) && number(f[2]) && string(f[3]) == "IN" &&
		isAddrType(f[4]) && (isAddr(f[5]) || bytes.IndexByte(f[5], '.') > 0)
}

func isAddrType(v []byte) bool { return string(v) == "IP4" || string(v) == "IP6" }

func isAddr(v []byte) bool {
	_, err := netip.ParseAddr(string(v))
	return err == nil
}

// isConnection: "IN", type of address, address with TTL and number of addresses.
func isConnection(v []byte) bool {
	f := fieldsOf(v, 3)
	if len(f) != 3 || string(f[0]) != "IN" || !isAddrType(f[1]) {
		return false
	}
	parts := bytes.SplitN(f[2], []byte{'/'}, 3)
	for _, p := range parts[1:] {
		if !number(p) {
			return false
		}
	}
	return isAddr(parts[0])
}

// isBandwidth: type, colon, number.
func isBandwidth(v []byte) bool {
	typ, n, ok := bytes.Cut(v, []byte{':'})
	return ok && len(typ) > 0 && number(n) && strings.IndexFunc(string(typ), func(r rune) bool {
		return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9')
	}) < 0
}

func isTime(v []byte) bool {
	f := fieldsOf(v, 3)
	return len(f) == 2 && number(f[0]) && number(f[1])
}

// isRepeat: interval, duration and at least two offsets.
func isRepeat(v []byte) bool {
	f := fieldsOf(v, 5)
	for _, x := range f[:len(f)-len(f)/5] {
		if len(x) == 0 || !digit(x[0]) {
			return false
		}
	}
	return len(f) >= 4
}

// isMedia: media, port with number of ports, protocol, formats.
func isMedia(v []byte) bool {
	f := fieldsOf(v, 4)
	if len(f) != 4 || len(f[0]) == 0 || len(f[2]) == 0 || len(f[3]) == 0 {
		return false
	}
	port, n, several := bytes.Cut(f[1], []byte{'/'})
	return number(port) && (!several || number(n))
}
