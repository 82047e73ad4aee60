// Package snmp reads SNMP messages of version 1, 2c (RFC 1157, 3416) and 3 (RFC 3412,
// 3414) over UDP. Every message is a transaction of its own.
package snmp

import "mirador/internal/proto"

// Indexes into the event names.
const (
	EventMalformedData proto.EventID = iota
	EventUnknownSecurityModel
	EventVersionMismatch
)

const (
	// MaxVars bounds the variables kept of a message; agents send up to some hundred.
	MaxVars = 512
	// MaxOID bounds the octets of an object identifier that is kept; names have up to
	// 128 parts.
	MaxOID = 640

	agentPort = 161
	trapPort  = 162
)

// Protocol returns the row of SNMP.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:           "snmp",
		Transport:      proto.UDP,
		Ports:          []uint16{agentPort, trapPort},
		ProbePorts:     []uint16{agentPort, trapPort},
		Probe:          probe,
		Done:           [2]uint8{1, 1},
		Fields:         fields(),
		Events:         []string{"malformed_data", "unknown_security_model", "version_mismatch"},
		Limits:         limitNames(),
		LowerEvents:    true,
		Unidirectional: true,
		Log:            log,
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
		},
	}
}

// probe takes a whole message of a known version to a port of SNMP.
func probe(_ proto.Dir, b []byte, h proto.Hint) proto.Match {
	if h.DstPort != agentPort && h.DstPort != trapPort {
		return proto.No
	}
	seq, ok := inside(b, tagSequence)
	if !ok {
		return proto.No
	}
	v, rest, ok := integer(seq)
	if !ok || len(rest) == 0 || v != version1 && v != version2c && v != version3 {
		return proto.No
	}
	return proto.Yes
}

// Versions on the wire.
const (
	version1  = 0
	version2c = 1
	version3  = 3
)

// EVE's number of each version.
func versionNumber(v int64) uint32 {
	if v == version3 {
		return 3
	}
	return uint32(v) + 1
}

// Tx is a message.
type Tx struct {
	proto.TxBase
	// Version is that of the flow's first message, as people count: 1, 2, 3.
	Version uint32
	// Community is nil in version 3; USM is the user's name in version 3.
	Community, USM []byte
	// Encrypted tells that there is no PDU to be seen.
	Encrypted bool
	Type      byte   // of the PDU, the tag without its upper bits
	Error     uint32 // error-status of the PDU
	Vars      []string
	// Of a trap of version 1:
	Trap        uint32
	Enterprise  string
	TrapAddress []byte
}

// Types of PDU. RFC 3416, RFC 1157.
const (
	pduGetBulk = 5
	pduTrap1   = 4
	pduReport  = 8
)

// parser follows one flow.
type parser struct {
	c       *proto.Conn
	version uint32 // 0: none yet
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	seq, ok := inside(data, tagSequence)
	if !ok {
		return len(data), 0, proto.Flawed
	}
	v, rest, ok := integer(seq)
	if !ok || v != version1 && v != version2c && v != version3 {
		return len(data), 0, proto.Flawed
	}
	t := &Tx{Version: versionNumber(v)}
	known := true
	if v == version3 {
		known, ok = t.message3(rest)
	} else {
		ok = t.message2(rest)
	}
	if !ok {
		return len(data), 0, proto.Flawed
	}
	if len(t.Vars) >= MaxVars {
		p.c.Limit(limitVariables)
	}
	mismatch := p.version != 0 && p.version != t.Version
	if p.version == 0 {
		p.version = t.Version
	}
	t.Version = p.version
	t.Dir = dir
	t.Skip[dir.Other()] = true
	p.c.NewTx(t)
	if mismatch {
		t.AddEvent(EventVersionMismatch)
	}
	if !known {
		t.AddEvent(EventUnknownSecurityModel)
	}
	t.Advance(dir, 1)
	return len(data), 0, proto.OK
}

// Gap implements proto.Parser; datagrams have none.
func (p *parser) Gap(proto.Dir, int) bool { return true }

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitVariables proto.LimitID = iota
)

func limitNames() []string {
	return []string{"variables"}
}
