package quic

import (
	"encoding/binary"
	"strconv"

	"mirador/internal/proto"
	"mirador/internal/proto/ja"
)

// Versions.
const (
	version1   = 0x00000001
	version2   = 0x6b3343cf
	google     = 0x51300000 // "Q0", then two digits
	draftFirst = 0xff000017 // 23, the first with the keys of today's form
	draft29    = 0xff00001d
	draft33    = 0xff000021
	draftLast  = 0xff000022
)

// Tx is one packet with a long header.
type Tx struct {
	proto.TxBase
	Version   uint32
	Hello     *ja.Hello // the hello message the packet completed, nil when none
	SNI       []byte    // also of a CHLO
	UserAgent []byte    // of a CHLO
	CYU       []byte    // the text CYU hashes: version and tags of a CHLO

	name    []byte
	wire    []byte
	cyuHash []byte
	ja3     []byte
	ja3Hash []byte
	ja4     []byte
}

// VersionName returns EVE's name of the version.
func (t *Tx) VersionName() []byte {
	if t.name == nil {
		t.name = appendVersion(nil, t.Version)
	}
	return t.name
}

func appendVersion(b []byte, v uint32) []byte {
	switch {
	case v == version2:
		return append(b, "v2"...)
	case googleVersion(v):
		return append(b, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	}
	return strconv.AppendUint(b, uint64(v), 16)
}

// versionBytes returns the version as it is on the wire.
func (t *Tx) versionBytes() []byte {
	if t.wire == nil {
		t.wire = binary.BigEndian.AppendUint32(nil, t.Version)
	}
	return t.wire
}

// googleVersion tells whether v is one of Google's QUIC that is understood.
func googleVersion(v uint32) bool {
	switch v {
	case google | 0x3339, google | 0x3433, google | 0x3434, google | 0x3435, google | 0x3436:
		return true
	}
	return false
}

// CYUHash returns the MD5 of CYU in hex, nil when there is none.
func (t *Tx) CYUHash() []byte {
	if t.cyuHash == nil && t.CYU != nil {
		t.cyuHash = ja.Hash(t.CYU)
	}
	return t.cyuHash
}

// JA3 returns the JA3 (of a client's hello) or JA3S string and its hash.
func (t *Tx) JA3() (text, hash []byte) {
	if t.ja3 == nil && t.Hello != nil {
		if t.Dir == proto.ToServer {
			t.ja3 = t.Hello.AppendJA3Grease(nil)
		} else {
			t.ja3 = t.Hello.AppendJA3S(nil)
		}
		t.ja3Hash = ja.Hash(t.ja3)
	}
	return t.ja3, t.ja3Hash
}

// JA4 returns the JA4 fingerprint of a client's hello.
func (t *Tx) JA4() []byte {
	if t.ja4 == nil && t.Hello != nil && t.Dir == proto.ToServer {
		t.ja4 = t.Hello.AppendJA4(nil, true)
	}
	return t.ja4
}
