// Package websocket parses WebSocket, which HTTP upgrades to, for detection and
// logging.
//
// Every frame is a transaction of its own that belongs to one direction (Suricata's
// model); the last frame of a message has the message as a whole for payload.
// Payloads are unmasked, and inflated where the frame says so. Wire form: RFC 6455,
// 7692 (permessage-deflate).
package websocket

import (
	"strconv"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// Indexes into the event names.
const (
	EventSkipEndOfPayload proto.EventID = iota
	EventReassemblyLimit
)

const (
	// defaultPayload is how much of a message is looked at [max-payload-size]. It
	// bounds what is kept of a message and what comes out of decompression.
	defaultPayload = 0xffff
	maxPayload     = 16 << 20 // for that setting
	windowSize     = 32 << 10 // RFC 1951
)

// Flags of frames, as keyword websocket.flags shows them.
const (
	flagFin  = 0x80
	flagComp = 0x40
	allFlags = 0xf0
)

// Opcodes. RFC 6455 section 11.8.
const opContinuation = 0

func opcodes() map[string]uint64 {
	return map[string]uint64{"continuation": opContinuation, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}
}

func opName(op uint8) string {
	for n, v := range opcodes() {
		if uint64(op) == v {
			return n
		}
	}
	return "unknown-" + strconv.Itoa(int(op))
}

// Protocol returns the row of WebSocket. It is reached from HTTP only.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:        "websocket",
		RawByChunk:  true,
		Transport:   proto.TCP,
		Configure:   configure,
		Done:        [2]uint8{1, 1},
		Fields:      fields(),
		Events:      []string{"skip_end_of_payload", "reassembly_limit_reached"},
		LowerEvents: true,
		Frames:      []string{"header", "pdu", "data"},
		Log:         log,
	}
}

func configure(s proto.Settings) (proto.Factory, error) {
	limit := defaultPayload
	if n, ok := s.Size("max-payload-size"); ok && n > 0 {
		limit = int(min(n, maxPayload))
	}
	return func(c *proto.Conn) proto.Parser { return &parser{c: c, limit: limit} }, nil
}

// Tx is one frame.
type Tx struct {
	proto.TxBase
	Opcode  uint8
	Flags   uint8 // first byte without the opcode
	Masked  bool
	Mask    uint32
	Payload []byte
}

func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	w.Bool("fin", t.Flags&flagFin != 0)
	if t.Masked {
		w.Uint("mask", uint64(t.Mask))
	}
	w.Str("opcode", opName(t.Opcode))
	return true
}

func of(tx proto.Tx, dir proto.Dir) *Tx {
	t, ok := tx.(*Tx)
	if !ok || t.Dir != dir {
		return nil
	}
	return t
}

func fields() []proto.Field {
	return []proto.Field{
		{
			Name: "websocket.payload", ToServer: true, ToClient: true, MinProgress: [2]uint8{1, 1},
			Get: func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
				t := of(tx, dir)
				if t == nil || i > 0 {
					return nil, false
				}
				return t.Payload, true
			},
			Doc: "payload of a frame, unmasked and inflated; of a message's last frame the whole message",
		},
		{
			Name: "websocket.opcode", Kind: proto.Number, Bits: 8, ToServer: true, ToClient: true, Names: opcodes(),
			Uint: func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
				t := of(tx, dir)
				if t == nil || i > 0 {
					return 0, false
				}
				return uint64(t.Opcode), true
			},
			Doc: "opcode of a frame, by name or number",
		},
		{
			Name: "websocket.mask", Kind: proto.Number, Bits: 32, ToServer: true, ToClient: true,
			Uint: func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
				t := of(tx, dir)
				if t == nil || i > 0 || !t.Masked {
					return 0, false
				}
				return uint64(t.Mask), true
			},
			Doc: "masking key of a frame",
		},
		{
			Name: "websocket.flags", Kind: proto.Custom, ToServer: true, ToClient: true, Compile: compileFlags,
			Doc: "flags of a frame: fin, comp, each maybe negated by !, or a comparison with a number",
		},
	}
}

func compileFlags(arg string) (proto.TxMatcher, error) {
	match, err := proto.ParseFlags(arg, map[string]uint8{"fin": flagFin, "comp": flagComp})
	if err != nil {
		return nil, err
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t := of(tx, dir)
		return t != nil && match(t.Flags)
	}, nil
}
