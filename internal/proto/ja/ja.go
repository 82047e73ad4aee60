// Package ja reads TLS ClientHello and ServerHello messages and computes the
// fingerprints that are made of them: JA3 and JA3S (salesforce/ja3, BSD-3) and
// JA4 (FoxIO-LLC/ja4, BSD-3). It is shared by the rooms tls and quic. The other
// members of the JA4+ family are under another licence and have no place here.
//
// Hello messages are read tolerantly: what can be read is kept, and the first
// thing that does not fit ends the reading with a Fault.
package ja

import "encoding/binary"

// Extension types (IANA "TLS ExtensionType Values").
const (
	ExtServerName    = 0
	ExtGroups        = 10
	ExtPointFormats  = 11
	ExtSignatureAlgs = 13
	ExtHeartbeat     = 15
	ExtALPN          = 16
	ExtSessionTicket = 35
	ExtVersions      = 43
)

// Fault tells what was wrong with a hello message.
type Fault uint8

// The faults.
const (
	Whole       Fault = iota
	Malformed         // a length does not fit
	SNIMultiple       // more than one server name extension
	SNIType           // a server name of a type other than host_name
	SNILength         // a server name list or name with a wrong length
)

// Limits.
const (
	// MaxSNI is the longest server name kept, in bytes. Host names have at most
	// 255.
	MaxSNI = 255
	// MaxALPN bounds the protocols kept of one ALPN extension. Clients offer
	// under ten.
	MaxALPN = 64
	// MaxList bounds the cipher suites, extensions, groups and algorithms that
	// go into a fingerprint. Real clients have under 200 suites.
	MaxList = 1024
)

// Hello is a ClientHello or ServerHello. All slices point into the message it
// was read from.
type Hello struct {
	Legacy    uint16 // version field of the message
	Version   uint16 // from the extension supported_versions; 0 when absent. A client's is the first that is known
	Offered   uint16 // largest version in a client's supported_versions that is not GREASE
	Random    []byte // 32 bytes
	SessionID []byte
	Ciphers   []byte // client: list of 16-bit suites; server: one
	Exts      []byte // the extensions, without their total length, up to the first fault
	HasExts   bool
	SNI       []byte
	HasSNI    bool
	ALPN      [][]byte
	Groups    []byte // list of 16-bit groups
	Formats   []byte // list of 8-bit point formats
	SigAlgs   []byte // list of 16-bit schemes
	HasTicket bool   // the session ticket extension, even if empty
	Heartbeat bool
	Fault     Fault
}

// ParseClient reads the body of a ClientHello (without the 4-byte handshake
// header). It keeps slices of b.
func ParseClient(b []byte) (h Hello) {
	c := cursor{b: b}
	if !h.start(&c, false) {
		return h
	}
	var ok bool
	if h.Ciphers, ok = c.vector(2); !ok || len(h.Ciphers)%2 != 0 {
		h.Fault = Malformed
		return h
	}
	if _, ok = c.vector(1); !ok { // compression methods
		h.Fault = Malformed
		return h
	}
	h.extensions(&c, true)
	return h
}

// ParseServer reads the body of a ServerHello.
func ParseServer(b []byte) (h Hello) {
	c := cursor{b: b}
	if !h.start(&c, true) {
		return h
	}
	n := 3 // cipher suite and compression method
	if h.early13() {
		n = 2
	}
	if len(c.b) < n {
		h.Fault = Malformed
		return h
	}
	h.Ciphers, c.b = c.b[:2], c.b[n:]
	h.extensions(&c, false)
	return h
}

// DraftBefore16 stands for the drafts of TLS 1.3 before the 16th.
const DraftBefore16 = 0x7f01

// Full tells whether a list has as many entries as are kept or go into a fingerprint.
func (h *Hello) Full() bool {
	return len(h.ALPN) >= MaxALPN || len(h.Ciphers) >= 2*MaxList || len(h.Groups) >= 2*MaxList || len(h.SigAlgs) >= 2*MaxList ||
		len(h.Exts) >= 4*MaxList && h.count() >= MaxList
}

// count returns the number of extensions, MaxList at most.
func (h *Hello) count() (n int) {
	h.Each(func(uint16) bool {
		n++
		return n < MaxList
	})
	return n
}

// early13 tells whether a server's hello has the form of the drafts of TLS 1.3
// before the 22nd: no session id and no compression method.
func (h *Hello) early13() bool { return h.Legacy > 0x7f00 && h.Legacy < 0x7f16 }

// ClearExtensions forgets everything that the extensions said.
func (h *Hello) ClearExtensions() {
	h.Version, h.Offered, h.Exts, h.HasExts, h.SNI, h.HasSNI = 0, 0, nil, false, nil, false
	h.ALPN, h.Groups, h.Formats, h.SigAlgs, h.HasTicket, h.Heartbeat = nil, nil, nil, nil, false, false
}

// Cipher returns the suite that the server chose.
func (h *Hello) Cipher() uint16 {
	if len(h.Ciphers) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(h.Ciphers)
}

// start reads version, random and session id.
func (h *Hello) start(c *cursor, server bool) bool {
	if len(c.b) < 35 {
		h.Fault = Malformed
		return false
	}
	h.Legacy = binary.BigEndian.Uint16(c.b)
	h.Random = c.b[2:34]
	c.b = c.b[34:]
	if server && h.early13() {
		if h.Legacy < 0x7f10 {
			h.Version = DraftBefore16
		}
		return true
	}
	var ok bool
	if h.SessionID, ok = c.vector(1); !ok {
		h.Fault = Malformed
	}
	return ok
}

func (h *Hello) extensions(c *cursor, client bool) {
	if len(c.b) == 0 {
		return
	}
	all, ok := c.vector(2)
	if !ok {
		h.Fault = Malformed
		return
	}
	h.HasExts = true
	for e := (cursor{b: all}); len(e.b) > 0; h.Exts = all[:len(all)-len(e.b)] {
		if len(e.b) < 4 {
			h.Fault = Malformed
			return
		}
		typ := binary.BigEndian.Uint16(e.b)
		e.b = e.b[2:]
		body, ok := e.vector(2)
		if !ok {
			h.Fault = Malformed
			return
		}
		if !h.extension(typ, body, client) {
			return
		}
	}
}

// extension reads one extension. It returns false when the message is not to be
// followed any further.
func (h *Hello) extension(typ uint16, body []byte, client bool) bool {
	c := cursor{b: body}
	switch typ {
	case ExtServerName:
		return !client || h.serverName(&c)
	case ExtALPN:
		return len(body) == 0 && !client || h.alpn(&c)
	case ExtSessionTicket:
		h.HasTicket = true
	case ExtHeartbeat:
		h.Heartbeat = true
	case ExtVersions:
		h.versions(&c, client)
	case ExtGroups:
		h.Groups, _ = c.vector(2)
		h.Groups = h.Groups[:len(h.Groups)&^1]
	case ExtPointFormats:
		h.Formats, _ = c.vector(1)
	case ExtSignatureAlgs:
		h.SigAlgs, _ = c.vector(2)
		h.SigAlgs = h.SigAlgs[:len(h.SigAlgs)&^1]
	}
	return true
}

func (h *Hello) serverName(c *cursor) bool {
	if len(c.b) == 0 {
		return true
	}
	if h.HasSNI {
		h.Fault = SNIMultiple
		return true
	}
	list, ok := c.vector(2)
	if !ok || len(list) < 3 {
		h.Fault = SNILength
		return false
	}
	l := cursor{b: list}
	if l.b[0] != 0 {
		h.Fault = SNIType
		return false
	}
	l.b = l.b[1:]
	name, ok := l.vector(2)
	if !ok || len(name) > MaxSNI {
		h.Fault = SNILength
		return false
	}
	h.SNI, h.HasSNI = name, true
	return true
}

func (h *Hello) alpn(c *cursor) bool {
	list, ok := c.vector(2)
	if !ok {
		h.Fault = Malformed
		return false
	}
	for l := (cursor{b: list}); len(l.b) > 0; {
		p, ok := l.vector(1)
		if !ok {
			h.Fault = Malformed
			return false
		}
		if len(p) > 0 && len(h.ALPN) < MaxALPN {
			h.ALPN = append(h.ALPN, p)
		}
	}
	return true
}

// versions finds the version that the client likes best, or that the server
// chose.
func (h *Hello) versions(c *cursor, client bool) {
	if !client {
		if len(c.b) >= 2 {
			h.Version = binary.BigEndian.Uint16(c.b)
		}
		return
	}
	list, _ := c.vector(1)
	for ; len(list) >= 2; list = list[2:] {
		v := binary.BigEndian.Uint16(list)
		if !Grease(v) {
			h.Offered = max(h.Offered, v)
		}
		known := v >= 0x0300 && v <= 0x0304 || v >= 0x7f10 && v <= 0x7f1c || v == 0xfb17 || v == 0xfb1a
		if h.Version == 0 && known {
			h.Version = v
		}
	}
}

// Each calls f with the type of every extension until f returns false.
func (h *Hello) Each(f func(typ uint16) bool) {
	for b := h.Exts; len(b) >= 4; {
		n := 4 + int(binary.BigEndian.Uint16(b[2:]))
		if n > len(b) || !f(binary.BigEndian.Uint16(b)) {
			return
		}
		b = b[n:]
	}
}

// Grease tells whether v is one of the values that RFC 8701 reserves for
// exercising extensibility.
func Grease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// cursor reads vectors with a length in front.
type cursor struct{ b []byte }

// vector reads a vector whose length has size bytes.
func (c *cursor) vector(size int) ([]byte, bool) {
	if len(c.b) < size {
		return nil, false
	}
	n := int(c.b[0])
	if size == 2 {
		n = int(binary.BigEndian.Uint16(c.b))
	}
	if len(c.b)-size < n {
		return nil, false
	}
	v := c.b[size : size+n]
	c.b = c.b[size+n:]
	return v, true
}
