package mirror

import (
	"encoding/hex"
	"errors"
)

// A probe packet shows how far mirrored packets come: a UDP datagram to ProbePort whose
// payload is the mark and a random token. A sensor notes the last token of each mirror
// source, so whoever sends probes makes nothing grow and covers nobody else's.
const (
	// ProbePort is that of the service discard (RFC 863): nobody answers, and nobody minds.
	ProbePort = 9
	probeMark = "MIRADOR-PROBE "
	// ProbeLen is the length of the payload.
	ProbeLen = len(probeMark) + 2*len(ProbeToken{})
)

// ProbeToken tells a probe from those of others.
type ProbeToken [16]byte

// ErrProbeToken is a text that is no token.
var ErrProbeToken = errors.New("a probe token is 32 hexadecimal digits")

// ParseProbeToken reads a token as String writes it.
func ParseProbeToken(s string) (t ProbeToken, err error) {
	if len(s) != hex.EncodedLen(len(t)) {
		return t, ErrProbeToken
	}
	if _, err := hex.Decode(t[:], []byte(s)); err != nil {
		return ProbeToken{}, ErrProbeToken
	}
	return t, nil
}

// String returns the token as 32 hexadecimal digits.
func (t ProbeToken) String() string { return hex.EncodeToString(t[:]) }

// IsZero tells whether t is no token.
func (t ProbeToken) IsZero() bool { return t == ProbeToken{} }

// AppendProbe appends the payload of a probe.
func AppendProbe(b []byte, t ProbeToken) []byte {
	return hex.AppendEncode(append(b, probeMark...), t[:])
}

// ReadProbe returns the token of a payload; ok is false when it is no probe.
func ReadProbe(payload []byte) (t ProbeToken, ok bool) {
	if len(payload) < ProbeLen || string(payload[:len(probeMark)]) != probeMark {
		return t, false
	}
	_, err := hex.Decode(t[:], payload[len(probeMark):ProbeLen])
	return t, err == nil
}
