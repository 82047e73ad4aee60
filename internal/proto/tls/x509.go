package tls

import (
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"mirador/internal/proto"
)

// Cert is what is shown of a certificate.
type Cert struct {
	Subject, Issuer []byte // as text, "C=US, O=Example, CN=example.org"
	Serial          []byte // upper-case hex with colons
	NotBefore       int64  // Unix seconds
	NotAfter        int64
	Names           [][]byte // subject alternative names as text
	HasNames        bool     // the extension is there and can be read
}

// MaxCertErrors bounds the events one certificate can cause.
const MaxCertErrors = 4

// Tags of DER values.
const (
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagOID         = 0x06
	tagUTCTime     = 0x17
	tagTime        = 0x18
	tagSequence    = 0x30
	tagSet         = 0x31
)

// derFault tells why a value could not be read.
type derFault uint8

const (
	derOK    derFault = iota
	derShort          // the bytes end early
	derBad            // another tag, or a form DER does not have
)

// der reads a sequence of DER values from the front of b.
type der struct{ b []byte }

// next reads one value of any tag.
func (d *der) next() (tag byte, body []byte, f derFault) {
	if len(d.b) < 2 {
		return 0, nil, derShort
	}
	tag = d.b[0]
	if tag&0x1f == 0x1f {
		return tag, nil, derBad // tags above 30 have no place in a certificate
	}
	n, at := int(d.b[1]), 2
	if n >= 0x80 {
		k := n & 0x7f
		if k == 0 || k > 4 {
			return tag, nil, derBad // indefinite, or larger than any handshake
		}
		if len(d.b) < 2+k {
			return tag, nil, derShort
		}
		n = 0
		for _, c := range d.b[2 : 2+k] {
			n = n<<8 | int(c)
		}
		at += k
	}
	if n > len(d.b)-at {
		return tag, nil, derShort
	}
	body = d.b[at : at+n]
	d.b = d.b[at+n:]
	return tag, body, derOK
}

// want reads one value that must have tag.
func (d *der) want(tag byte) ([]byte, derFault) {
	keep := d.b
	if len(keep) > 0 && keep[0] != tag {
		return nil, derBad
	}
	_, body, f := d.next()
	return body, f
}

// parseCert takes a DER certificate apart. It appends the events for what cannot
// be read to errs; the Cert is then empty. Extensions other than the names are
// not looked at.
func parseCert(b []byte, errs []proto.EventID) (Cert, []proto.EventID) {
	var c Cert
	if e, ok := c.parse(b); !ok {
		return Cert{}, append(errs, e)
	}
	return c, errs
}

// parse fills c. It returns the event for the first thing that cannot be read.
func (c *Cert) parse(b []byte) (proto.EventID, bool) {
	outer := der{b}
	whole, f := outer.want(tagSequence)
	if f != derOK {
		return outerFault(f), false
	}
	in := der{whole}
	tbs, f := in.want(tagSequence)
	if f != derOK {
		return outerFault(f), false
	}
	if e, ok := c.toBeSigned(tbs); !ok {
		return e, false
	}
	if _, f := in.want(tagSequence); f != derOK { // signature algorithm
		return outerFault(f), false
	}
	if _, f := in.want(tagBitString); f != derOK {
		return outerFault(f), false
	}
	return 0, true
}

func outerFault(f derFault) proto.EventID {
	if f == derShort {
		return EventInvalidCertificate
	}
	return EventCertInvalidDER
}

func innerFault(f derFault) proto.EventID {
	if f == derShort {
		return EventCertInvalidLength
	}
	return EventCertInvalidDER
}

// toBeSigned reads the signed part: version, serial, algorithm, issuer,
// validity, subject, key, extensions.
func (c *Cert) toBeSigned(b []byte) (proto.EventID, bool) {
	d := der{b}
	if len(d.b) > 0 && d.b[0] == 0xa0 {
		body, f := d.want(0xa0)
		if v := (der{body}); f == derOK {
			_, f = v.want(tagInteger)
		}
		if f != derOK {
			return EventCertInvalidVersion, false
		}
	}
	serial, f := d.want(tagInteger)
	if f != derOK {
		return EventCertInvalidSerial, false
	}
	c.Serial = appendColons(nil, serial, "0123456789ABCDEF")
	if _, f := d.want(tagSequence); f != derOK { // algorithm
		return innerFault(f), false
	}
	issuer, f := d.want(tagSequence)
	if f != derOK {
		return innerFault(f), false
	}
	validity, f := d.want(tagSequence)
	if f != derOK {
		return innerFault(f), false
	}
	var ok bool
	v := der{validity}
	if c.NotBefore, ok = v.time(); ok {
		c.NotAfter, ok = v.time()
	}
	if !ok {
		return EventCertInvalidDate, false
	}
	subject, f := d.want(tagSequence)
	if f != derOK {
		return innerFault(f), false
	}
	if _, f := d.want(tagSequence); f != derOK { // public key
		return innerFault(f), false
	}
	c.Issuer, c.Subject = distinguishedName(issuer), distinguishedName(subject)
	return c.rest(&d)
}

// rest reads the unique identifiers and the extensions.
func (c *Cert) rest(d *der) (proto.EventID, bool) {
	for len(d.b) > 0 {
		tag, body, f := d.next()
		if f != derOK {
			return EventInvalidCertificate, false
		}
		switch tag {
		case 0x81, 0x82, 0xa1, 0xa2:
		case 0xa3:
			list := der{body}
			exts, f := list.want(tagSequence)
			if f != derOK {
				return EventCertInvalidDER, false
			}
			if !c.extensions(exts) {
				return EventInvalidCertificate, false
			}
		default:
			return EventInvalidCertificate, false
		}
	}
	return 0, true
}

// extensions looks for the subject alternative names. An extension that comes
// twice counts for none.
func (c *Cert) extensions(b []byte) bool {
	seen := false
	for d := (der{b}); len(d.b) > 0; {
		ext, f := d.want(tagSequence)
		if f != derOK {
			return false
		}
		e := der{ext}
		id, f := e.want(tagOID)
		if f != derOK {
			return false
		}
		if len(e.b) > 0 && e.b[0] == 1 {
			e.next() // critical
		}
		value, f := e.want(tagOctetString)
		if f != derOK {
			return false
		}
		if string(id) != "\x55\x1d\x11" {
			continue
		}
		if seen {
			c.Names, c.HasNames = nil, false
			continue
		}
		seen = true
		v := der{value}
		if names, f := v.want(tagSequence); f == derOK {
			c.names(names)
		}
	}
	return true
}

// names reads the subject alternative names. One that cannot be read spoils
// them all, as with Suricata.
func (c *Cert) names(b []byte) {
	var out [][]byte
	any := false
	for d := (der{b}); len(d.b) > 0 && len(out) < MaxNames; {
		tag, body, f := d.next()
		if f != derOK {
			return
		}
		text, ok := generalName(tag, body)
		if !ok {
			return
		}
		any = true
		if len(text) > 0 {
			out = append(out, text)
		}
	}
	c.Names, c.HasNames = out, any
}

// generalName writes a GeneralName the way Suricata shows it.
func generalName(tag byte, b []byte) ([]byte, bool) {
	switch tag {
	case 0x82, 0x86: // DNS name, URI
		return b, utf8.Valid(b)
	case 0x81:
		return wrap("RFC822Name(", b), utf8.Valid(b)
	case 0x87:
		out := []byte{'['}
		for i, c := range b {
			if i > 0 {
				out = append(out, ", "...)
			}
			out = strconv.AppendUint(out, uint64(c), 10)
		}
		return append(out, ']'), true
	case 0x88:
		return wrap("RegisteredID(", appendOID(nil, b)), true
	case 0xa0:
		d := der{b}
		id, f := d.want(tagOID)
		return wrap("OtherName(", append(appendOID(nil, id), ", [...]"...)), f == derOK
	case 0xa3:
		return []byte("X400Address(<unparsed>)"), true
	case 0xa4:
		d := der{b}
		dn, f := d.want(tagSequence)
		return wrap("DirectoryName(", distinguishedName(dn)), f == derOK
	case 0xa5:
		return []byte("EDIPartyName(<unparsed>)"), true
	}
	return nil, false
}

func wrap(open string, b []byte) []byte {
	return append(append([]byte(open), b...), ')')
}

// badName stands for a name with a string that is not UTF-8.
const badName = "<X509Error: Invalid X.509 name>"

// distinguishedName writes a Name as text: "C=US, O=a + OU=b, CN=c". It ends at
// the first part that cannot be read and is cut at MaxDN.
func distinguishedName(b []byte) []byte {
	out := []byte{}
	for d := (der{b}); len(d.b) > 0 && len(out) < MaxDN; {
		set, f := d.want(tagSet)
		if f != derOK || len(set) == 0 {
			break
		}
		first := true
		for s := (der{set}); len(s.b) > 0 && len(out) < MaxDN; first = false {
			atv, f := s.want(tagSequence)
			a := der{atv}
			id, f2 := a.want(tagOID)
			tag, value, f3 := a.next()
			if f != derOK || f2 != derOK || f3 != derOK {
				return out
			}
			if !first {
				out = append(out, " + "...)
			} else if len(out) > 0 {
				out = append(out, ", "...)
			}
			out = append(appendAttribute(out, id), '=')
			var ok bool
			if out, ok = appendText(out, tag, value); !ok {
				return []byte(badName)
			}
		}
	}
	return out
}

// appendText appends the value of an attribute: strings as they are, anything
// else in hex.
func appendText(out []byte, tag byte, b []byte) ([]byte, bool) {
	switch tag {
	case 0x0c, 0x12, 0x13, 0x14, 0x15, 0x16, 0x19, 0x1a, 0x1b:
		return append(out, b...), utf8.Valid(b)
	case 0x1e: // UTF-16
		for len(b) > 0 {
			u := rune(b[0]) << 8
			if len(b) > 1 {
				u |= rune(b[1])
			}
			b = b[min(2, len(b)):]
			if utf16.IsSurrogate(u) && len(b) >= 2 {
				u = utf16.DecodeRune(u, rune(b[0])<<8|rune(b[1]))
				b = b[2:]
			}
			out = utf8.AppendRune(out, u)
		}
		return out, true
	}
	const digits = "0123456789ABCDEF"
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return out, true
}

// appendAttribute appends the short name of an attribute type.
func appendAttribute(out, id []byte) []byte {
	if name := oidName(id); name != "" {
		return append(out, name...)
	}
	return append(appendOID(append(out, "OID("...), id), ')')
}

// appendOID appends an object identifier in dotted form.
func appendOID(out, id []byte) []byte {
	var v uint64
	first := true
	for i, c := range id {
		if v > 1<<56 {
			return append(append(out, '?'), hex.EncodeToString(id[i:])...)
		}
		v = v<<7 | uint64(c&0x7f)
		if c&0x80 != 0 {
			continue
		}
		if first {
			root := min(v/40, 2)
			out = strconv.AppendUint(out, root, 10)
			v -= 40 * root
			first = false
		}
		out = strconv.AppendUint(append(out, '.'), v, 10)
		v = 0
	}
	return out
}

// time reads a UTCTime or GeneralizedTime as Unix seconds.
func (d *der) time() (int64, bool) {
	tag, b, f := d.next()
	if f != derOK {
		return 0, false
	}
	var year int
	var ok bool
	switch tag {
	case tagUTCTime:
		if year, ok = digits(b, 2); !ok {
			return 0, false
		}
		if year += 1900; year < 1950 {
			year += 100
		}
		b = b[2:]
	case tagTime:
		if year, ok = digits(b, 4); !ok {
			return 0, false
		}
		b = b[4:]
	default:
		return 0, false
	}
	return clock(year, b, tag == tagUTCTime)
}

// clock reads what follows the year: month, day, hour, minute, perhaps seconds
// and their fraction, and the zone.
func clock(year int, b []byte, utc bool) (int64, bool) {
	var v [5]int
	for i := range v {
		n, ok := digits(b, 2)
		if !ok {
			if i == 4 && utc {
				break // UTCTime may leave the seconds out
			}
			return 0, false
		}
		v[i], b = n, b[2:]
	}
	if v[0] < 1 || v[0] > 12 || v[1] < 1 || v[1] > 31 || v[2] > 23 || v[3] > 59 || v[4] > 59 {
		return 0, false
	}
	t := time.Date(year, time.Month(v[0]), v[1], v[2], v[3], v[4], 0, time.UTC)
	if t.Day() != v[1] {
		return 0, false
	}
	if !utc && len(b) > 0 && (b[0] == '.' || b[0] == ',') {
		for b = b[1:]; len(b) > 0 && b[0] >= '0' && b[0] <= '9'; {
			b = b[1:]
		}
	}
	if len(b) == 1 && b[0] == 'Z' {
		return t.Unix(), true
	}
	if !utc || len(b) != 5 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	h, ok1 := digits(b[1:], 2)
	m, ok2 := digits(b[3:], 2)
	off := int64(h*3600 + m*60)
	if b[0] == '-' {
		off = -off
	}
	return t.Unix() - off, ok1 && ok2
}

// digits reads a number of n digits.
func digits(b []byte, n int) (v int, ok bool) {
	if len(b) < n {
		return 0, false
	}
	for _, c := range b[:n] {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = 10*v + int(c-'0')
	}
	return v, true
}
