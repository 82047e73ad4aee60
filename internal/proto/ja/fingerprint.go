package ja

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
)

// AppendJA3 appends the JA3 string of a client's hello: version, suites,
// extensions, groups and point formats, all decimal, without GREASE values.
func (h *Hello) AppendJA3(b []byte) []byte { return h.appendJA3(b, false) }

// AppendJA3Grease appends the JA3 string that Suricata makes of a client's hello
// seen over QUIC: GREASE values stay in it.
func (h *Hello) AppendJA3Grease(b []byte) []byte { return h.appendJA3(b, true) }

func (h *Hello) appendJA3(b []byte, grease bool) []byte {
	b = strconv.AppendUint(b, uint64(h.Legacy), 10)
	b = appendList(append(b, ','), h.Ciphers, grease)
	b = h.appendExts(append(b, ','), grease)
	b = appendList(append(b, ','), h.Groups, grease)
	b = append(b, ',')
	for i, f := range h.Formats {
		if i > 0 {
			b = append(b, '-')
		}
		b = strconv.AppendUint(b, uint64(f), 10)
	}
	return b
}

// AppendJA3S appends the JA3S string of a server's hello: version, suite and
// extensions.
func (h *Hello) AppendJA3S(b []byte) []byte {
	b = strconv.AppendUint(b, uint64(h.Legacy), 10)
	b = strconv.AppendUint(append(b, ','), uint64(h.Cipher()), 10)
	return h.appendExts(append(b, ','), false)
}

// ShownGrease returns v, for GREASE values the one that stands for all of them
// as extension types over QUIC.
func ShownGrease(v uint16) uint16 {
	if Grease(v) {
		return 0xfafa
	}
	return v
}

// appendList appends 16-bit numbers joined with dashes, those of GREASE only if
// grease is set.
func appendList(b, list []byte, grease bool) []byte {
	first := true
	for n := 0; len(list) >= 2 && n < MaxList; n++ {
		v := binary.BigEndian.Uint16(list)
		list = list[2:]
		if Grease(v) && !grease {
			continue
		}
		if !first {
			b = append(b, '-')
		}
		first = false
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return b
}

func (h *Hello) appendExts(b []byte, grease bool) []byte {
	first, n := true, 0
	h.Each(func(typ uint16) bool {
		n++
		if Grease(typ) && !grease {
			return n < MaxList
		}
		if !first {
			b = append(b, '-')
		}
		first = false
		b = strconv.AppendUint(b, uint64(ShownGrease(typ)), 10)
		return n < MaxList
	})
	return b
}

// Hash returns the MD5 of a fingerprint string in lower-case hex, as JA3 and
// HASSH use it.
func Hash(s []byte) []byte {
	sum := md5.Sum(s)
	return hex.AppendEncode(make([]byte, 0, 32), sum[:])
}

// AppendJA4 appends the JA4 fingerprint of a client's hello seen over QUIC or
// TCP.
func (h *Hello) AppendJA4(b []byte, quic bool) []byte {
	if quic {
		// Only versions that the extension names exist over QUIC.
		b = append(append(b, 'q'), ja4Version(h.Offered)...)
	} else {
		b = append(append(b, 't'), ja4Version(max(h.Legacy, h.Version))...)
	}
	if h.HasSNI {
		b = append(b, 'd')
	} else {
		b = append(b, 'i')
	}
	suites, sorted := h.suites(), make([]uint16, 0, 64)
	exts, count := h.plainExts()
	b = appendCount(b, len(suites))
	b = appendCount(b, count)
	b = h.appendALPN(b)
	sorted = append(sorted, suites...)
	slices.Sort(sorted)
	b = appendSum(append(b, '_'), appendHexList(nil, sorted))
	slices.Sort(exts)
	text := append(appendHexList(nil, exts), '_')
	text = appendHexList(text, h.list(h.SigAlgs))
	return appendSum(append(b, '_'), text)
}

// ja4Version returns the two characters JA4 has for a version.
func ja4Version(v uint16) string {
	switch v {
	case 0x0304:
		return "13"
	case 0x0303:
		return "12"
	case 0x0302:
		return "11"
	case 0x0301:
		return "10"
	case 0x0300:
		return "s3"
	}
	return "00"
}

// list reads 16-bit numbers without GREASE.
func (h *Hello) list(raw []byte) []uint16 {
	out := make([]uint16, 0, min(len(raw)/2, MaxList))
	for len(raw) >= 2 && len(out) < MaxList {
		if v := binary.BigEndian.Uint16(raw); !Grease(v) {
			out = append(out, v)
		}
		raw = raw[2:]
	}
	return out
}

func (h *Hello) suites() []uint16 { return h.list(h.Ciphers) }

// plainExts returns the extensions that go into the hash and how many there are
// with server name and ALPN.
func (h *Hello) plainExts() (out []uint16, count int) {
	h.Each(func(typ uint16) bool {
		if Grease(typ) {
			return true
		}
		count++
		if typ != ExtServerName && typ != ExtALPN {
			out = append(out, typ)
		}
		return count < MaxList
	})
	return out, count
}

// appendCount appends n with two digits, 99 at most.
func appendCount(b []byte, n int) []byte {
	n = min(n, 99)
	return append(b, '0'+byte(n/10), '0'+byte(n%10))
}

// appendALPN appends the first and last character of the first protocol the
// client offers, those of its hex form when they are not letters or digits.
func (h *Hello) appendALPN(b []byte) []byte {
	if len(h.ALPN) == 0 {
		return append(b, '0', '0')
	}
	p := h.ALPN[0]
	first, last := p[0], p[len(p)-1]
	if alnum(first) && alnum(last) {
		return append(b, first, last)
	}
	const digits = "0123456789abcdef"
	return append(b, digits[first>>4], digits[last&15])
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func appendHexList(b []byte, list []uint16) []byte {
	const digits = "0123456789abcdef"
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, digits[v>>12], digits[v>>8&15], digits[v>>4&15], digits[v&15])
	}
	return b
}

// appendSum appends the first twelve hex digits of text's SHA-256.
func appendSum(b, text []byte) []byte {
	sum := sha256.Sum256(text)
	return hex.AppendEncode(b, sum[:6])
}

// WholeMD5 refuses contents of rules that are no MD5 in hex: such hashes are looked
// for whole.
func WholeMD5(content []byte, _ bool) error {
	if len(content) != 32 {
		return fmt.Errorf("content %q: an MD5 has 32 digits", content)
	}
	return nil
}
