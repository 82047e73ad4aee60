package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"

	"mirador/internal/proto"
)

// protection is the packet protection of one direction's Initial packets
// (RFC 9001 section 5): AES-128-GCM, with AES-128 for the header.
type protection struct {
	aead cipher.AEAD
	hp   cipher.Block
	iv   [12]byte
}

// salt returns the salt that version v's keys are made with.
func salt(v uint32) string {
	switch {
	case v == version2:
		return "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
	case v >= draftFirst && v < draft29:
		return "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
	case v >= draft29 && v < draft33:
		return "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
	}
	return "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
}

// initialKeys makes the keys of what side dir sends, from the client's first
// destination connection id. It returns nil when the platform has no such
// ciphers.
func initialKeys(dcid []byte, version uint32, dir proto.Dir) *protection {
	prefix, label := "quic ", "client in"
	if version == version2 {
		prefix = "quicv2 "
	}
	if dir == proto.ToClient {
		label = "server in"
	}
	initial, err := hkdf.Extract(sha256.New, dcid, []byte(salt(version)))
	if err != nil {
		return nil
	}
	secret := expand(initial, label, sha256.Size)
	block, err := aes.NewCipher(expand(secret, prefix+"key", 16))
	if err != nil {
		return nil
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil
	}
	hp, err := aes.NewCipher(expand(secret, prefix+"hp", 16))
	if err != nil {
		return nil
	}
	k := &protection{aead: aead, hp: hp}
	copy(k.iv[:], expand(secret, prefix+"iv", len(k.iv)))
	return k
}

// expand is HKDF-Expand-Label of TLS 1.3 (RFC 8446 section 7.1) without context.
func expand(secret []byte, label string, n int) []byte {
	info := make([]byte, 0, 32)
	info = append(info, byte(n>>8), byte(n), byte(6+len(label)))
	info = append(info, "tls13 "...)
	info = append(info, label...)
	info = append(info, 0)
	out, err := hkdf.Expand(sha256.New, secret, string(info), n)
	if err != nil {
		return make([]byte, n) // cannot be: n is far below the bound
	}
	return out
}

// open takes the protection off pkt, whose packet number begins at off. It
// returns the payload in new memory and leaves pkt as it is.
func (k *protection) open(pkt []byte, off int) ([]byte, bool) {
	// The sample is taken as if the packet number had four bytes.
	if k == nil || len(pkt) < off+4+aes.BlockSize {
		return nil, false
	}
	var mask [aes.BlockSize]byte
	k.hp.Encrypt(mask[:], pkt[off+4:off+4+aes.BlockSize])
	header := append(make([]byte, 0, off+4), pkt[:off+4]...)
	header[0] ^= mask[0] & 0x0f
	n := int(header[0]&3) + 1
	nonce := k.iv
	for i := range n {
		header[off+i] ^= mask[1+i]
		nonce[len(nonce)-n+i] ^= header[off+i]
	}
	plain, err := k.aead.Open(nil, nonce[:], pkt[off+n:], header[:off+n])
	return plain, err == nil
}
