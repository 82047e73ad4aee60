package enip

import (
	"encoding/binary"

	"mirador/internal/proto"
)

// Commands. CIP volume 2, table 2-3.2.
const (
	headerLen = 24

	cmdServices = 0x04
	cmdIdentity = 0x63
	cmdRegister = 0x65
	cmdRRData   = 0x6f
	cmdUnitData = 0x70
)

// Types of items of the common packet format. CIP volume 2, table 2-6.3.
const (
	itemIdentity    = 0x0c
	itemConnected   = 0xb1
	itemUnconnected = 0xb2
	itemServices    = 0x100
)

// Message is a message with its header.
type Message struct {
	Command, Length          uint16
	Session, Status, Options uint32
	Context                  [8]byte
	// HasRegister, Identity, Services and CIP say what the message holds.
	HasRegister     bool
	Version         uint16 // of a register session
	RegisterOptions uint16
	Identity        *Identity
	Services        *Services
	CIP             *CIP
}

// Identity is an identity item.
type Identity struct {
	Version, Vendor, Type, Product, Status uint16
	Major, Minor, State                    byte
	Serial                                 uint32
	Name                                   []byte
}

// Services is an item of a list of services.
type Services struct {
	Version, Capabilities uint16
	Name                  []byte
}

// CIP is a CIP message, or one of a multiple service packet.
type CIP struct {
	Service  byte
	Response bool
	Path     []Segment
	Status   byte
	Extended []byte
	Multiple []*CIP
}

// Kinds of segments.
const (
	segClass = iota
	segInstance
	segAttribute
)

// Segment is a logical segment of a path.
type Segment struct {
	Kind  byte
	Value uint32
}

// header reads a header; b is long enough.
func header(b []byte) Message {
	m := Message{
		Command: binary.LittleEndian.Uint16(b), Length: binary.LittleEndian.Uint16(b[2:]),
		Session: binary.LittleEndian.Uint32(b[4:]), Status: binary.LittleEndian.Uint32(b[8:]),
		Options: binary.LittleEndian.Uint32(b[20:]),
	}
	copy(m.Context[:], b[12:20])
	return m
}

// Tx is a request with its response.
type Tx struct {
	proto.TxBase
	Request, Response *Message
}

// parser follows one flow.
type parser struct {
	c    *proto.Conn
	lost [2]bool
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	for {
		b := data[used:]
		if len(b) < headerLen {
			return used, headerLen, proto.OK
		}
		m := header(b)
		if p.lost[dir] {
			_, known := commands()[uint32(m.Command)]
			if _, ok := statuses()[m.Status]; !ok || !known || m.Options != 0 {
				used++
				continue
			}
			p.lost[dir] = false
		}
		n := headerLen + int(m.Length)
		if len(b) < n {
			if p.c.Hint.UDP {
				return len(data), 0, proto.OK
			}
			return used, n, proto.OK
		}
		p.message(dir, &m, b[headerLen:n])
		used += n
	}
}

// Gap implements proto.Parser.
func (p *parser) Gap(dir proto.Dir, _ int) bool {
	p.lost[dir] = true
	return true
}

// message takes one whole message.
func (p *parser) message(dir proto.Dir, m *Message, b []byte) {
	ok := m.read(dir, b)
	t := p.transaction(dir, m)
	if !ok {
		t.AddEvent(EventInvalidPDU)
	}
	t.Advance(dir, 1)
}

// transaction finds or makes the transaction of m.
func (p *parser) transaction(dir proto.Dir, m *Message) *Tx {
	open := 0
	for _, tx := range p.c.Open() {
		t, ok := tx.(*Tx)
		if !ok || t.Request == nil || t.Response != nil || t.Progress[proto.ToClient] != 0 {
			continue
		}
		open++
		if dir == proto.ToClient && t.Request.Command == m.Command && t.Request.Context == m.Context {
			t.Response = m
			p.closeBefore(t)
			return t
		}
	}
	t := &Tx{}
	t.Dir = dir
	if dir == proto.ToServer {
		t.Request = m
	} else {
		t.Response = m
		t.Skip[proto.ToServer] = true
	}
	p.c.NewTx(t)
	if dir == proto.ToServer && open >= MaxOpen {
		t.AddEvent(EventTooManyTransactions)
	}
	return t
}

// closeBefore ends the waiting of the requests before t, which was answered.
func (p *parser) closeBefore(t *Tx) {
	for _, tx := range p.c.Open() {
		b := tx.Base()
		if b.ID == t.ID {
			return
		}
		b.Advance(proto.ToClient, 1)
	}
}

// read reads the data of a command.
func (m *Message) read(dir proto.Dir, b []byte) bool {
	switch m.Command {
	case cmdRegister:
		if len(b) < 4 {
			return false
		}
		m.HasRegister = true
		m.Version, m.RegisterOptions = binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
	case cmdServices, cmdIdentity:
		return len(b) == 0 || m.items(dir, b)
	case cmdRRData, cmdUnitData:
		return len(b) >= 6 && m.items(dir, b[6:])
	}
	return true
}

// items reads a list in the common packet format.
func (m *Message) items(dir proto.Dir, b []byte) bool {
	if len(b) < 2 {
		return false
	}
	count := binary.LittleEndian.Uint16(b)
	b = b[2:]
	for range count {
		if len(b) < 4 {
			return false
		}
		typ, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if b = b[4:]; n > len(b) {
			return false
		}
		if !m.item(dir, typ, b[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}

func (m *Message) item(dir proto.Dir, typ uint16, b []byte) (ok bool) {
	switch typ {
	case itemIdentity:
		m.Identity, ok = readIdentity(b)
		return ok
	case itemServices:
		if len(b) < 4 {
			return false
		}
		m.Services = &Services{binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), append([]byte{}, b[4:]...)}
	case itemConnected:
		if len(b) < 2 {
			return false
		}
		b = b[2:]
		fallthrough
	case itemUnconnected:
		c, ok := readCIP(dir, b, true)
		if ok {
			m.CIP = c
		}
		return ok
	}
	return true
}

// readIdentity reads an identity item. CIP volume 2, table 2-4.4.
func readIdentity(b []byte) (*Identity, bool) {
	const fixed = 33
	if len(b) < fixed+1 || len(b) < fixed+int(b[fixed-1])+1 {
		return nil, false
	}
	n := int(b[fixed-1])
	le := binary.LittleEndian
	return &Identity{
		Version: le.Uint16(b), Vendor: le.Uint16(b[18:]), Type: le.Uint16(b[20:]), Product: le.Uint16(b[22:]),
		Major: b[24], Minor: b[25], Status: le.Uint16(b[26:]), Serial: le.Uint32(b[28:]),
		Name: append([]byte{}, b[fixed:fixed+n]...), State: b[fixed+n],
	}, true
}

// Services with a meaning of their own.
const (
	responseBit     = 0x80
	serviceGetList  = 0x03
	serviceSetList  = 0x04
	serviceMultiple = 0x0a
)

// readCIP reads a CIP message. outer tells that it may be a multiple service packet.
func readCIP(dir proto.Dir, b []byte, outer bool) (*CIP, bool) {
	if len(b) < 2 {
		return nil, false
	}
	c := &CIP{Service: b[0] &^ responseBit, Response: b[0]&responseBit != 0}
	if c.Response {
		if len(b) < 4 || len(b) < 4+int(b[3]) {
			return nil, false
		}
		// Suricata takes the size of the additional status as octets.
		c.Status, c.Extended = b[2], append([]byte(nil), b[4:4+int(b[3])]...)
		b = b[4+int(b[3]):]
	} else {
		n := 2 * int(b[1])
		if len(b) < 2+n {
			return nil, false
		}
		ok := false
		if c.Path, ok = path(b[2 : 2+n]); !ok {
			return nil, false
		}
		b = b[2+n:]
	}
	if !c.Response && (c.Service == serviceGetList || c.Service == serviceSetList) {
		return c, len(b) >= 2 && len(b) >= 2+2*int(binary.LittleEndian.Uint16(b))
	}
	if c.Service == serviceMultiple && outer && (len(b) > 0 || !c.Response) {
		return c, c.multiple(dir, b)
	}
	return c, true
}

// multiple reads the messages of a multiple service packet: their number, the offset
// of each, and themselves.
func (c *CIP) multiple(dir proto.Dir, b []byte) bool {
	if len(b) < 2 {
		return false
	}
	count := int(binary.LittleEndian.Uint16(b))
	if count > MaxMultiple || len(b) < 2+2*count {
		return false
	}
	for i := range count {
		at, end := int(binary.LittleEndian.Uint16(b[2+2*i:])), len(b)
		if i+1 < count {
			end = int(binary.LittleEndian.Uint16(b[4+2*i:]))
		}
		if at < 2+2*count || at > end || end > len(b) {
			return false
		}
		x, ok := readCIP(dir, b[at:end], false)
		if !ok {
			return false
		}
		c.Multiple = append(c.Multiple, x)
	}
	return true
}

// path reads the logical segments of a path. CIP volume 1, appendix C.
func path(b []byte) (list []Segment, ok bool) {
	for len(b) > 0 && len(list) < MaxSegments {
		if b[0]>>5 != 1 {
			return nil, false
		}
		kind := byte(segClass)
		switch b[0] >> 2 & 7 {
		case 0:
		case 1:
			kind = segInstance
		case 4:
			kind = segAttribute
		default:
			return nil, false
		}
		// An octet, or a pad octet and a number of 2 or 4.
		n := [...]int{2, 4, 6, 7}[b[0]&3]
		if n > 6 || len(b) < n {
			return nil, false
		}
		s := Segment{Kind: kind}
		switch n {
		case 2:
			s.Value = uint32(b[1])
		case 4:
			s.Value = uint32(binary.LittleEndian.Uint16(b[2:]))
		default:
			s.Value = binary.LittleEndian.Uint32(b[2:])
		}
		list, b = append(list, s), b[n:]
	}
	return list, true
}
