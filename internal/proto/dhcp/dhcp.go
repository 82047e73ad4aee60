// Package dhcp reads DHCP messages (RFC 2131, options of RFC 2132) between clients,
// servers and relays. Every message is a transaction of its own.
package dhcp

import (
	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// Indexes into the event names.
const (
	EventTruncatedOptions proto.EventID = iota
	EventMalformedOptions
)

const (
	serverPort = 67
	clientPort = 68
	// headerLen is the length of the fixed part with the magic cookie.
	headerLen = 240
	// maxHardware is the room for a hardware address in the fixed part.
	maxHardware = 16
)

// Option codes. RFC 2132.
const (
	optPad           = 0
	optSubnetMask    = 1
	optRouters       = 3
	optDNSServers    = 6
	optHostname      = 12
	optRequestedIP   = 50
	optLeaseTime     = 51
	optType          = 53
	optParams        = 55
	optRenewalTime   = 58
	optRebindingTime = 59
	optVendorClass   = 60
	optClientID      = 61
	optEnd           = 255
)

const typeAck = 5

// Protocol returns the row of DHCP.
func Protocol() *proto.Protocol {
	p := &proto.Protocol{
		Name:           "dhcp",
		Transport:      proto.UDP,
		Ports:          []uint16{serverPort, clientPort},
		ProbePorts:     []uint16{serverPort, clientPort},
		Probe:          probe,
		Done:           [2]uint8{1, 1},
		Fields:         fields(),
		Events:         []string{"truncated_options", "malformed_options"},
		LowerEvents:    true,
		Unidirectional: true,
		LogAlert:       func(*proto.Conn, proto.Tx, *jsonw.Writer) {},
	}
	p.Log = logger(false)
	p.Configure = func(s proto.Settings) (proto.Factory, error) {
		extended, _ := s.Global().Bool("eve.dhcp.extended")
		p.Log = logger(extended)
		return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
	}
	return p
}

// probe takes any datagram that is long enough and goes to a port of DHCP: the
// fixed part has no mark of its own, and the cookie is not always right.
func probe(_ proto.Dir, b []byte, h proto.Hint) proto.Match {
	if len(b) < headerLen || h.DstPort != serverPort && h.DstPort != clientPort {
		return proto.No
	}
	return proto.Yes
}

// Tx is a message. Data is a copy of it; the slices point into it.
type Tx struct {
	proto.TxBase
	Data []byte
	// Options are those that are logged or matched, in their order; of several with
	// one code the last.
	Options []Option
}

// Option is an option of a message.
type Option struct {
	Code byte
	Data []byte
}

// Option returns the data of option code.
func (t *Tx) Option(code byte) ([]byte, bool) {
	for i := range t.Options {
		if t.Options[i].Code == code {
			return t.Options[i].Data, true
		}
	}
	return nil, false
}

// parser follows one flow.
type parser struct{ c *proto.Conn }

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	if len(data) < headerLen {
		return len(data), 0, proto.Flawed
	}
	t := &Tx{Data: append([]byte(nil), data...)}
	t.Dir = dir
	t.Skip[dir.Other()] = true
	p.c.NewTx(t)
	t.options(t.Data[headerLen:])
	t.Advance(dir, 1)
	return len(data), 0, proto.OK
}

// Gap implements proto.Parser; datagrams have none.
func (p *parser) Gap(proto.Dir, int) bool { return true }

// options reads the options up to the end mark.
func (t *Tx) options(b []byte) {
	for len(b) > 0 && b[0] != optEnd {
		if b[0] == optPad {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b)-2 < int(b[1]) {
			t.AddEvent(EventTruncatedOptions)
			return
		}
		t.option(b[0], b[2:2+int(b[1])])
		b = b[2+int(b[1]):]
	}
	if len(b) == 0 {
		t.AddEvent(EventTruncatedOptions)
	}
}

// option keeps an option that somebody asks for.
func (t *Tx) option(code byte, data []byte) {
	ok := true
	switch code {
	case optLeaseTime, optRenewalTime, optRebindingTime:
		ok = len(data) == 4
	case optClientID:
		ok = len(data) > 0
	case optType:
		if len(data) == 0 {
			return
		}
	case optSubnetMask, optRouters, optDNSServers, optHostname, optRequestedIP, optParams, optVendorClass:
	default:
		return
	}
	if !ok {
		t.AddEvent(EventMalformedOptions)
		return
	}
	for i := range t.Options {
		if t.Options[i].Code == code {
			t.Options[i].Data = data
			return
		}
	}
	t.Options = append(t.Options, Option{code, data})
}

// fields are the keywords of DHCP.
func fields() []proto.Field {
	seconds := func(name string, code byte, doc string) proto.Field {
		return proto.Field{
			Name: name, Kind: proto.Number, Bits: 64, ToServer: true, ToClient: true, Doc: doc,
			Uint: func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
				t, ok := tx.(*Tx)
				if !ok || t.Dir != dir || i > 0 {
					return 0, false
				}
				b, ok := t.Option(code)
				return uint64(number(b)), ok
			},
		}
	}
	return []proto.Field{
		seconds("dhcp.leasetime", optLeaseTime, "lease time in seconds"),
		seconds("dhcp.rebinding_time", optRebindingTime, "rebinding time in seconds"),
		seconds("dhcp.renewal_time", optRenewalTime, "renewal time in seconds"),
	}
}

// number reads up to four octets, the highest first.
func number(b []byte) (n uint32) {
	for _, x := range b {
		n = n<<8 | uint32(x)
	}
	return n
}
