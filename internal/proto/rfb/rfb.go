// Package rfb follows the handshake of the Remote Framebuffer protocol (VNC) for
// detection and logging: versions, authentication and the first messages of both
// sides. What comes behind is not looked at.
//
// A flow is one transaction. Wire form: RFC 6143.
package rfb

import (
	"encoding/hex"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// Indexes into the event names.
const (
	EventMalformedMessage proto.EventID = iota
	EventUnimplementedSecurity
	EventUnknownResult
	EventConfusedState
	EventTooLongString
)

// done is the progress of a side whose handshake is over.
const done = 1

// Bounds.
const (
	// defaultString is how much of a name or reason is kept (Suricata:
	// max-string-length 4 KB), largestString the most the setting takes.
	defaultString = 4096
	largestString = 64 << 10
)

// Protocol returns the row of RFB.
func Protocol() *proto.Protocol {
	p := &proto.Protocol{
		Name:      "rfb",
		Transport: proto.TCP,
		Ports:     []uint16{5900, 5901, 5902, 5903, 5904, 5905, 5906, 5907, 5908, 5909},
		Probe:     probe,
		Done:      [2]uint8{done, done},
		Fields:    fields(),
		Events: []string{"malformed_message", "unimplemented_security_type", "unknown_security_result",
			"confused_state", "too_long_string"},
		LowerEvents: true,
		Frames:      []string{"pdu"},
		Log:         log,
	}
	p.Configure = func(s proto.Settings) (proto.Factory, error) {
		limit := int64(defaultString)
		if n, ok := s.Size("max-string-length"); ok && n > 0 {
			limit = min(n, largestString)
		}
		return func(c *proto.Conn) proto.Parser { return &parser{c: c, maxString: uint32(limit)} }, nil
	}
	return p
}

// versionLen is the length of a version message, "RFB 003.008\n".
const versionLen = 12

// probe recognises the version message of either side.
func probe(_ proto.Dir, b []byte, _ proto.Hint) proto.Match {
	const form = "RFB ddd.ddd\n"
	for i, c := range b[:min(len(b), versionLen)] {
		if form[i] != c && (form[i] != 'd' || c < '0' || c > '9') {
			return proto.No
		}
	}
	if len(b) < versionLen {
		return proto.More
	}
	return proto.Yes
}

// fields are the keywords of RFB.
func fields() []proto.Field {
	return []proto.Field{
		{Name: "rfb.name", ToClient: true, Get: func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
			t, ok := tx.(*Tx)
			if !ok || i > 0 || t.Init == nil {
				return nil, false
			}
			return t.Init.Name, true
		}, Doc: "name of the desktop"},
		{Name: "rfb.sectype", Kind: proto.Number, Bits: 32, ToServer: true, Uint: func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
			t, ok := tx.(*Tx)
			if !ok || i > 0 || !t.HasType {
				return 0, false
			}
			return uint64(t.SecType), true
		}, Doc: "security type chosen"},
		{Name: "rfb.secresult", Kind: proto.Number, Bits: 32, ToClient: true,
			Names: map[string]uint64{"ok": 0, "fail": 1, "toomany": 2, "unknown": 3},
			Uint: func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
				t, ok := tx.(*Tx)
				if !ok || i > 0 || !t.HasResult {
					return 0, false
				}
				return uint64(t.Result), true
			}, Doc: "result of the authentication: ok, fail, toomany, unknown"},
	}
}

// log writes a session.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	version("server_protocol_version", t.Server, w)
	version("client_protocol_version", t.Client, w)
	t.writeAuth(w)
	if t.HasShared {
		w.Bool("screen_shared", t.Shared)
	}
	if t.Init != nil {
		t.Init.write(w)
	}
	return true
}

// version writes the two numbers of a version message.
func version(key string, v []byte, w *jsonw.Writer) {
	if v == nil {
		return
	}
	w.Object(key)
	w.Bytes("major", v[4:7])
	w.Bytes("minor", v[8:11])
	w.Close()
}

func (t *Tx) writeAuth(w *jsonw.Writer) {
	w.Object("authentication")
	if t.HasType {
		w.Uint("security_type", uint64(t.SecType))
	}
	if t.Challenge != nil {
		w.Object("vnc")
		w.Str("challenge", hex.EncodeToString(t.Challenge))
		if t.Response != nil {
			w.Str("response", hex.EncodeToString(t.Response))
		}
		w.Close()
	}
	if t.HasResult {
		switch t.Result {
		case 0:
			w.Str("security_result", "OK")
		case 1:
			w.Str("security_result", "FAIL")
		case 2:
			w.Str("security_result", "TOOMANY")
		default:
			w.Str("security_result", "UNKNOWN ("+decimal(t.Result)+")")
		}
	}
	w.Close()
	if t.Reason != nil {
		w.Text("server_security_failure_reason", t.Reason)
	}
}

func (s *ServerInit) write(w *jsonw.Writer) {
	w.Object("framebuffer")
	w.Uint("width", uint64(s.Width))
	w.Uint("height", uint64(s.Height))
	w.Text("name", s.Name)
	w.Object("pixel_format")
	w.Uint("bits_per_pixel", uint64(s.Bits))
	w.Uint("depth", uint64(s.Depth))
	w.Bool("big_endian", s.BigEndian)
	w.Bool("true_color", s.TrueColor)
	for i, c := range [...]string{"red", "green", "blue"} {
		w.Uint(c+"_max", uint64(s.Max[i]))
	}
	for i, c := range [...]string{"red", "green", "blue"} {
		w.Uint(c+"_shift", uint64(s.Shift[i]))
	}
	w.Close()
	w.Close()
}
