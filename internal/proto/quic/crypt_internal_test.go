package quic

import (
	"encoding/hex"
	"testing"

	"mirador/internal/proto"
)

// TestInitialKeys checks the keys against RFC 9001 appendix A.1 and RFC 9369
// appendix A.1: only what is derived last is visible, and the rest leads there.
func TestInitialKeys(t *testing.T) {
	dcid, _ := hex.DecodeString("8394c8f03e515708")
	cases := []struct {
		version uint32
		iv      [2]string
	}{
		{version1, [2]string{"fa044b2f42a3fd3b46fb255c", "0ac1493ca1905853b0bba03e"}},
		{version2, [2]string{"91f73e2351d8fa91660e909f", "bc13779b5a8d4a6d9b3d8d8c"}},
	}
	for _, c := range cases {
		if got := hex.EncodeToString(initialKeys(dcid, c.version, proto.ToServer).iv[:]); got != c.iv[0] {
			t.Errorf("version %x: client iv %s, want %s", c.version, got, c.iv[0])
		}
		if c.version != version1 {
			continue
		}
		if got := hex.EncodeToString(initialKeys(dcid, c.version, proto.ToClient).iv[:]); got != c.iv[1] {
			t.Errorf("version %x: server iv %s, want %s", c.version, got, c.iv[1])
		}
	}
}

// Seal protects payload as a packet with a 2-byte packet number; header ends
// where the packet number begins. It is the inverse of open, for tests.
func Seal(dcid []byte, version uint32, dir proto.Dir, header []byte, number uint16, payload []byte) []byte {
	k := initialKeys(dcid, version, dir)
	off := len(header)
	pkt := append(append([]byte(nil), header...), byte(number>>8), byte(number))
	nonce := k.iv
	nonce[10] ^= byte(number >> 8)
	nonce[11] ^= byte(number)
	pkt = k.aead.Seal(pkt, nonce[:], payload, pkt)
	var mask [16]byte
	k.hp.Encrypt(mask[:], pkt[off+4:off+20])
	pkt[0] ^= mask[0] & 0x0f
	pkt[off] ^= mask[1]
	pkt[off+1] ^= mask[2]
	return pkt
}

func TestOpenLeavesPacketAlone(t *testing.T) {
	dcid := []byte("12345678")
	pkt := Seal(dcid, version1, proto.ToServer, []byte{0xc1, 0, 0, 0, 1}, 7, make([]byte, 40))
	before := string(pkt)
	plain, ok := initialKeys(dcid, version1, proto.ToServer).open(pkt, 5)
	if !ok || len(plain) != 40 || string(pkt) != before {
		t.Errorf("open: %v, %d bytes", ok, len(plain))
	}
	pkt[len(pkt)-1] ^= 1
	if _, ok := initialKeys(dcid, version1, proto.ToServer).open(pkt, 5); ok {
		t.Error("a changed packet was opened")
	}
}
