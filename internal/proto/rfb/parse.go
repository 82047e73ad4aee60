package rfb

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"mirador/internal/proto"
)

// Tx is a session.
type Tx struct {
	proto.TxBase
	Server, Client []byte // version messages, nil while not seen
	SecType        uint32
	HasType        bool
	Challenge      []byte
	Response       []byte
	Result         uint32
	HasResult      bool
	Reason         []byte // why authentication failed
	Shared         bool
	HasShared      bool
	Init           *ServerInit
}

// ServerInit is the first message of a server behind the handshake.
type ServerInit struct {
	Width, Height        uint16
	Bits, Depth          uint8
	BigEndian, TrueColor bool
	Max                  [3]uint16
	Shift                [3]uint8
	Name                 []byte
}

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// Security types (RFC 6143 section 7.1.2).
const (
	typeInvalid = 0
	typeNone    = 1
	typeVNC     = 2
)

// state is what the next message of a side is.
type state uint8

const (
	sVersion   state = iota
	sTypes           // server, 3.7 on: the types offered
	sType            // server, 3.3: the type
	sReason          // server: why there is no type, or why authentication failed
	sChallenge       // server
	sResult          // server
	sInit            // server
	cVersion
	cChoice // client, 3.7 on: the type chosen
	cResponse
	cInit
	wait // for the other side
	over // nothing more is looked at
)

// parser follows one flow. It knows for each side what comes next; a side whose
// next message depends on the other one's waits.
type parser struct {
	c         *proto.Conn
	tx        *Tx
	maxString uint32
	next      [2]state
	begun     bool
	minor     int       // of the version agreed on: 3, 7 or 8
	skip      [2]uint64 // bytes of a string that is too long
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	p.c.RawNow[dir] = len(data) > 0 // rules for the stream look at each message as it comes
	if !p.begun {
		p.begun = true
		p.next = [2]state{cVersion, sVersion}
		p.tx = &Tx{}
		p.c.NewTx(p.tx)
	}
	for used < len(data) {
		if p.skip[dir] > 0 {
			k := min(p.skip[dir], uint64(len(data)-used))
			p.skip[dir] -= k
			used += int(k)
			continue
		}
		if p.next[dir] == over {
			return len(data), 0, proto.OK
		}
		if p.next[dir] == wait {
			// Its turn has not come: the bytes stay until the other side has spoken.
			return used, 0, proto.OK
		}
		b := data[used:]
		n := p.size(p.next[dir], b)
		if len(b) < n {
			return used, n, proto.OK
		}
		p.c.AddFrame(dir, "pdu", p.c.Offset[dir]+uint64(used), int64(n), proto.NoTx)
		if !p.message(dir, p.next[dir], b[:n]) {
			p.finish()
			return used, 0, proto.Broken
		}
		used += n
	}
	return used, 0, proto.OK
}

// Gap implements proto.Parser: bytes may only be lost where they are not looked at.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	if p.begun && p.next[dir] == over {
		return true
	}
	if p.skip[dir] < uint64(n) {
		return false
	}
	p.skip[dir] -= uint64(n)
	return true
}

// finish ends the session's record; the rest of the flow is passed over.
func (p *parser) finish() {
	p.next = [2]state{over, over}
	p.tx.Advance(proto.ToServer, done)
	p.tx.Advance(proto.ToClient, done)
}

// Lengths of messages.
const (
	wordLen      = 4
	challengeLen = 16
	initLen      = 24 // ServerInit without the name
)

// size returns how many bytes the next message of state s has, as far as b tells.
func (p *parser) size(s state, b []byte) int {
	switch s {
	case sVersion, cVersion:
		return versionLen
	case sTypes:
		return 1 + int(b[0])
	case sType, sResult:
		return wordLen
	case sChallenge, cResponse:
		return challengeLen
	case sReason:
		return p.stringSize(b, 0)
	case sInit:
		return p.stringSize(b, initLen-wordLen)
	}
	return 1 // cChoice, cInit
}

// stringSize returns the length of a message that ends with a string, as far as it
// is kept.
func (p *parser) stringSize(b []byte, at int) int {
	if len(b) < at+wordLen {
		return at + wordLen
	}
	return at + wordLen + int(min(binary.BigEndian.Uint32(b[at:]), p.maxString))
}

// text returns the string at the end of message b, and skips what is not kept.
func (p *parser) text(b []byte, at int) []byte {
	if n := binary.BigEndian.Uint32(b[at:]); n > p.maxString {
		p.tx.AddEvent(EventTooLongString)
		p.skip[proto.ToClient] = uint64(n - p.maxString)
	}
	return append([]byte{}, b[at+wordLen:]...)
}

// message takes one message and says what comes next.
func (p *parser) message(dir proto.Dir, s state, b []byte) bool {
	t := p.tx
	t.Touch(dir)
	server, client := &p.next[proto.ToClient], &p.next[proto.ToServer]
	switch s {
	case sVersion, cVersion:
		return p.version(s, b)
	case sTypes:
		if b[0] == 0 {
			*server = sReason
			return true
		}
		*server, *client = wait, cChoice
	case sType:
		return p.chosen(binary.BigEndian.Uint32(b))
	case cChoice:
		return p.chosen(uint32(b[0]))
	case sChallenge:
		t.Challenge = bytes.Clone(b)
		*server, *client = wait, cResponse
	case cResponse:
		t.Response = bytes.Clone(b)
		*server, *client = sResult, wait
	case sResult:
		return p.result(binary.BigEndian.Uint32(b))
	case sReason:
		t.Reason = p.text(b, 0)
		p.finish()
	case cInit:
		t.Shared, t.HasShared = b[0] != 0, true
		*server, *client = sInit, over
		t.Advance(proto.ToServer, done)
	case sInit:
		p.init(b)
		p.finish()
	default:
		t.AddEvent(EventConfusedState)
		return false
	}
	return true
}

// version takes a version message. The client's says what is spoken; the server
// goes on when it has come.
func (p *parser) version(s state, b []byte) bool {
	t := p.tx
	if probe(proto.ToServer, b, proto.Hint{}) != proto.Yes {
		t.AddEvent(EventMalformedMessage)
		return false
	}
	if s == sVersion {
		t.Server = bytes.Clone(b)
		if t.Client == nil {
			p.next[proto.ToClient] = wait
			return true
		}
	} else {
		t.Client = bytes.Clone(b)
		p.next[proto.ToServer] = wait
		if t.Server == nil {
			return true
		}
	}
	switch string(t.Client[4:11]) {
	case "003.007":
		p.minor = 7
	case "003.008", "003.889", "004.000", "004.001", "005.000": // Apple, RealVNC
		p.minor = 8
	default: // RFC 6143 section 7.1.1: others count as 3.3
		p.minor = 3
	}
	p.next[proto.ToClient] = sTypes
	if p.minor == 3 {
		p.next[proto.ToClient] = sType
	}
	return true
}

// chosen takes the security type.
func (p *parser) chosen(typ uint32) bool {
	t := p.tx
	t.SecType, t.HasType = typ, true
	t.Touch(proto.ToServer)
	t.Touch(proto.ToClient)
	server, client := &p.next[proto.ToClient], &p.next[proto.ToServer]
	switch typ {
	case typeInvalid:
		*server = sReason
	case typeNone:
		*server, *client = wait, cInit
		if p.minor == 8 {
			*server, *client = sResult, wait
		}
	case typeVNC:
		*server, *client = sChallenge, wait
	default:
		t.AddEvent(EventUnimplementedSecurity)
		p.finish()
	}
	return true
}

// result takes the outcome of the authentication.
func (p *parser) result(r uint32) bool {
	t := p.tx
	t.Result, t.HasResult = r, true
	switch {
	case r == 0:
		p.next = [2]state{cInit, wait}
		return true
	case r > 1:
		t.AddEvent(EventUnknownResult)
	}
	if r == 1 && p.minor == 8 {
		p.next[proto.ToClient] = sReason
		return true
	}
	p.finish()
	return true
}

// init takes ServerInit.
func (p *parser) init(b []byte) {
	s := &ServerInit{Width: binary.BigEndian.Uint16(b), Height: binary.BigEndian.Uint16(b[2:]),
		Bits: b[4], Depth: b[5], BigEndian: b[6] != 0, TrueColor: b[7] != 0}
	for i := range s.Max {
		s.Max[i] = binary.BigEndian.Uint16(b[8+2*i:])
		s.Shift[i] = b[14+i]
	}
	s.Name = p.text(b, initLen-wordLen)
	p.tx.Init = s
}
