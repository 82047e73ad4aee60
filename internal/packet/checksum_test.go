package packet_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// naive is the sum of RFC 1071 word by word.
func naive(b []byte) uint16 {
	var s uint32
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

func TestInternetChecksum(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		for range 5 {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(rnd.Uint32() | rnd.Uint32()) // high bytes, for carries
			}
			if got, want := packet.InternetChecksum(b), naive(b); got != want {
				t.Fatalf("InternetChecksum(%x) = %04x, want %04x", b, got, want)
			}
		}
	}
	ones := bytes.Repeat([]byte{0xff}, 65535)
	if got, want := packet.InternetChecksum(ones), naive(ones); got != want {
		t.Errorf("all ones: %04x, want %04x", got, want)
	}
}

// A checksum is found good, bad when any bit of what it covers is another one, and
// unknown when not all of that is there.
func TestChecksums(t *testing.T) {
	for _, c := range []struct {
		desc   string
		covers int // first byte the transport checksum covers
		v4     bool
	}{
		{"eth ip 10.0.0.1 10.0.0.2 opts=94040000 tcp 1 2 | hello", 38, true},
		{"eth ip 10.0.0.1 10.0.0.2 udp 1 2 | hello", 34, true},
		{"eth ip 10.0.0.1 10.0.0.2 icmp 8 0 | hello", 34, true},
		{"eth ip6 fd00::1 fd00::2 tcp 1 2 | hello", 54, false},
		{"eth ip6 fd00::1 fd00::2 hop udp 1 2 | hello", 62, false},
		{"eth ip6 fd00::1 fd00::2 icmp6 128 0 | hello", 54, false},
	} {
		frame := pkttest.Frame(c.desc)
		p := &decodeEther(append(bytes.Clone(frame), 1, 2, 3))[0] // padding does not count
		want4 := packet.ChecksumUnknown
		if c.v4 {
			want4 = packet.ChecksumOK
		}
		if p.IPv4Checksum() != want4 || p.L4Checksum() != packet.ChecksumOK || p.L4Checksum() != packet.ChecksumOK {
			t.Errorf("%s: checksums %d %d", c.desc, p.IPv4Checksum(), p.L4Checksum())
		}
		for i := c.covers; i < len(frame); i++ {
			b := bytes.Clone(frame)
			b[i] ^= 0x10
			p := &decodeEther(b)[0]
			if p.Depth == packet.DepthTransport && p.PayloadEnd == len(frame) && p.L4Checksum() != packet.ChecksumBad {
				t.Errorf("%s: byte %d changed, checksum %d", c.desc, i, p.L4Checksum())
			}
		}
		if c.v4 {
			b := bytes.Clone(frame)
			b[14+8]++
			if p := &decodeEther(b)[0]; p.IPv4Checksum() != packet.ChecksumBad || p.L4Checksum() != packet.ChecksumOK {
				t.Errorf("%s: TTL changed, checksums %d %d", c.desc, p.IPv4Checksum(), p.L4Checksum())
			}
		}
		if p := &decodeEther(frame[:len(frame)-1])[0]; !p.Truncated || p.L4Checksum() != packet.ChecksumUnknown {
			t.Errorf("%s: cut, checksum %d", c.desc, p.L4Checksum())
		}
	}
	// A UDP checksum of 0 is none over IPv4, and wrong over IPv6.
	four := pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1 2 | hello")
	four[14+20+6], four[14+20+7] = 0, 0
	if c := decodeEther(four)[0].L4Checksum(); c != packet.ChecksumOK {
		t.Errorf("no UDP checksum over IPv4: %d", c)
	}
	six := pkttest.Frame("eth ip6 fd00::1 fd00::2 udp 1 2 | hello")
	six[14+40+6], six[14+40+7] = 0, 0
	if c := decodeEther(six)[0].L4Checksum(); c != packet.ChecksumBad {
		t.Errorf("no UDP checksum over IPv6: %d", c)
	}
	if c := decodeEther(pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 sctp 1 2"))[0].L4Checksum(); c != packet.ChecksumUnknown {
		t.Errorf("SCTP: %d", c)
	}
}

// The hash is the same for both directions, and of fragments for all of them; another
// key gives another hash; it spreads.
func TestSymmetricHash(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	seen := map[uint64]bool{}
	var share [8]int
	const n = 4000
	for range n {
		tu := packet.Tuple{SrcPort: uint16(rnd.Uint32()), DstPort: uint16(rnd.Uint32()), Proto: packet.ProtoTCP, Version: 4}
		tu.Src = packet.AddrFrom4([4]byte{10, byte(rnd.Uint32()), 0, byte(rnd.Uint32())})
		tu.Dst = packet.AddrFrom4([4]byte{10, byte(rnd.Uint32()), 0, byte(rnd.Uint32())})
		back := tu.Reverse()
		h := tu.SymmetricHash(7)
		if back.SymmetricHash(7) != h {
			t.Fatalf("%+v has two hashes", tu)
		}
		if tu.SymmetricHash(8) == h {
			t.Errorf("%+v has the same hash with another key", tu)
		}
		seen[h] = true
		share[h%8]++
	}
	if len(seen) != n {
		t.Errorf("%d hashes of %d tuples", len(seen), n)
	}
	for i, k := range share {
		if k < n/8*8/10 || k > n/8*12/10 {
			t.Errorf("worker %d gets %d of %d", i, k, n)
		}
	}
	whole := pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1 2 | 01234567890123456789")
	parts := pkttest.Fragments(whole, 8)
	want := decodeEther(parts[0])[0].SymmetricHash(1)
	for i, b := range parts {
		if got := decodeEther(b)[0].SymmetricHash(1); got != want {
			t.Errorf("fragment %d: hash %x, want %x", i, got, want)
		}
	}
	p := &decodeEther(whole)[0]
	tu := p.Tuple()
	if p.SymmetricHash(9) != tu.SymmetricHash(9) {
		t.Error("a packet and its tuple differ")
	}
	arp := &decodeEther(pkttest.Frame("eth type=0x0806 raw 00"))[0]
	if arp.SymmetricHash(1) != decodeEther(pkttest.Frame("eth src=02:00:00:00:00:77 type=0x0806 raw 00"))[0].SymmetricHash(1) {
		t.Error("packets without addresses differ")
	}
}
