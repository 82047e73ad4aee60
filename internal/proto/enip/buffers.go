package enip

import (
	"fmt"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

// side returns the message of direction dir, nil when there is none.
func side(tx proto.Tx, dir proto.Dir) *Message {
	t, ok := tx.(*Tx)
	switch {
	case !ok:
		return nil
	case dir == proto.ToServer:
		return t.Request
	}
	return t.Response
}

// each goes through a CIP message and those in it until f returns true.
func (c *CIP) each(f func(c *CIP) bool) bool {
	if c == nil {
		return false
	}
	if f(c) {
		return true
	}
	for _, x := range c.Multiple {
		if f(x) {
			return true
		}
	}
	return false
}

type counter = func(*proto.Conn, proto.Tx, proto.Dir, int) (uint64, bool)

// one makes a Uint of a function of the direction's message.
func one(f func(m *Message) (uint64, bool)) counter {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
		m := side(tx, dir)
		if m == nil || i > 0 {
			return 0, false
		}
		return f(m)
	}
}

// ofCIP makes a Uint of the values that f gives for each CIP message.
func ofCIP(f func(c *CIP, i int) (n uint64, has int)) counter {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
		m := side(tx, dir)
		if m == nil {
			return 0, false
		}
		value := uint64(0)
		ok := m.CIP.each(func(c *CIP) bool {
			n, has := f(c, i)
			if i < has {
				value = n
				return true
			}
			i -= has
			return false
		})
		return value, ok
	}
}

// segments gives the values of the segments of a kind.
func segments(kind byte) counter {
	return ofCIP(func(c *CIP, i int) (uint64, int) {
		n, value := 0, uint64(0)
		for _, s := range c.Path {
			if s.Kind == kind {
				if n == i {
					value = uint64(s.Value)
				}
				n++
			}
		}
		return value, n
	})
}

func identity(f func(x *Identity) uint64) counter {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
		m := side(tx, proto.ToClient)
		if m == nil || m.Identity == nil || i > 0 {
			return 0, false
		}
		return f(m.Identity), true
	}
}

func text(f func(m *Message) []byte) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
		m := side(tx, proto.ToClient)
		if m == nil || i > 0 {
			return nil, false
		}
		b := f(m)
		return b, b != nil
	}
}

// reverse makes the names accepted instead of numbers.
func reverse(l names) map[string]uint64 {
	out := make(map[string]uint64, len(l))
	for n, s := range l {
		out[s] = uint64(n)
	}
	return out
}

// fields are the keywords of EtherNet/IP and CIP.
func fields() []proto.Field {
	num := func(name string, bits uint8, doc string, f counter) proto.Field {
		return proto.Field{Name: name, Kind: proto.Number, Bits: bits, ToServer: true, ToClient: true, Uint: f, Doc: doc}
	}
	multi := func(f proto.Field) proto.Field { f.Multi = true; return f }
	named := func(f proto.Field, l names) proto.Field { f.Names = reverse(l); return f }
	id := func(name string, bits uint8, doc string, f func(x *Identity) uint64) proto.Field {
		return num(name, bits, doc+" of an identity", identity(f))
	}
	return []proto.Field{
		named(num("enip_command", 16, "encapsulation command", one(func(m *Message) (uint64, bool) { return uint64(m.Command), true })), commands()),
		{Name: "cip_service", Kind: proto.Custom, ToServer: true, ToClient: true, Compile: compileService,
			Doc: "CIP service, with class and attribute if wanted: 16,246,6"},
		named(num("enip.status", 32, "encapsulation status", one(func(m *Message) (uint64, bool) { return uint64(m.Status), true })), statuses()),
		num("enip.protocol_version", 16, "protocol version", one(version)),
		multi(num("enip.cip_attribute", 32, "attribute of a CIP path", segments(segAttribute))),
		multi(num("enip.cip_instance", 32, "instance of a CIP path", segments(segInstance))),
		multi(num("enip.cip_class", 32, "class of a CIP path", segments(segClass))),
		multi(num("enip.cip_status", 8, "CIP general status", ofCIP(func(c *CIP, _ int) (uint64, int) {
			if !c.Response || c.Service == serviceMultiple && len(c.Multiple) > 0 {
				return 0, 0
			}
			return uint64(c.Status), 1
		}))),
		multi(num("enip.cip_extendedstatus", 16, "CIP additional status", ofCIP(func(c *CIP, _ int) (uint64, int) {
			if len(c.Extended) != 2 {
				return 0, 0
			}
			return uint64(c.Extended[0]) | uint64(c.Extended[1])<<8, 1
		}))),
		id("enip.revision", 16, "revision, major in the upper octet,", func(x *Identity) uint64 { return uint64(x.Major)<<8 | uint64(x.Minor) }),
		id("enip.identity_status", 16, "status", func(x *Identity) uint64 { return uint64(x.Status) }),
		id("enip.state", 8, "state", func(x *Identity) uint64 { return uint64(x.State) }),
		id("enip.serial", 32, "serial number", func(x *Identity) uint64 { return uint64(x.Serial) }),
		id("enip.product_code", 16, "product code", func(x *Identity) uint64 { return uint64(x.Product) }),
		id("enip.device_type", 16, "device type", func(x *Identity) uint64 { return uint64(x.Type) }),
		id("enip.vendor_id", 16, "vendor", func(x *Identity) uint64 { return uint64(x.Vendor) }),
		num("enip.capabilities", 16, "capabilities in a list of services", func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
			m := side(tx, proto.ToClient)
			if m == nil || m.Services == nil || i > 0 {
				return 0, false
			}
			return uint64(m.Services.Capabilities), true
		}),
		{Name: "enip.product_name", ToServer: true, ToClient: true, Doc: "product name of an identity", Get: text(func(m *Message) []byte {
			if m.Identity == nil {
				return nil
			}
			return m.Identity.Name
		})},
		{Name: "enip.service_name", ToServer: true, ToClient: true, Doc: "name in a list of services", Get: text(func(m *Message) []byte {
			if m.Services == nil {
				return nil
			}
			return m.Services.Name
		})},
	}
}

// version is the protocol version a message names.
func version(m *Message) (uint64, bool) {
	switch {
	case m.HasRegister:
		return uint64(m.Version), true
	case m.Identity != nil:
		return uint64(m.Identity.Version), true
	case m.Services != nil:
		return uint64(m.Services.Version), true
	}
	return 0, false
}

// compileService reads SERVICE[,CLASS[,ATTRIBUTE]].
func compileService(arg string) (proto.TxMatcher, error) {
	parts := strings.Split(arg, ",")
	if len(parts) > 3 {
		return nil, fmt.Errorf("%q is not service,class,attribute", arg)
	}
	var want [3]uint32
	for i, s := range parts {
		bits := 32
		if i == 0 {
			bits = 7
		}
		n, err := strconv.ParseUint(strings.TrimSpace(s), 10, bits)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number of %d bits", s, bits)
		}
		want[i] = uint32(n)
	}
	depth := len(parts)
	fits := func(c *CIP) bool {
		if uint32(c.Service) != want[0] {
			return false
		}
		return depth == 1 || has(c, segClass, want[1]) && (depth == 2 || has(c, segAttribute, want[2]))
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		m := side(tx, dir)
		return m != nil && m.CIP.each(fits)
	}, nil
}

func has(c *CIP, kind byte, value uint32) bool {
	for _, s := range c.Path {
		if s.Kind == kind && s.Value == value {
			return true
		}
	}
	return false
}
