package stream_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"mirador/internal/packet"
	"mirador/internal/stream"
)

const second = int64(1e9)

func newDefrag(t testing.TB, o stream.DefragOptions) *stream.Defrag {
	t.Helper()
	d, err := stream.NewDefrag(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// frag4 decodes an IPv4 fragment of UDP.
func frag4(t testing.TB, id uint16, off int, more bool, data []byte) *packet.Parsed {
	t.Helper()
	b := make([]byte, 20+len(data))
	b[0], b[8], b[9] = 0x45, 64, packet.ProtoUDP
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[4:], id)
	v := uint16(off / 8)
	if more {
		v |= 0x2000
	}
	binary.BigEndian.PutUint16(b[6:], v)
	copy(b[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	copy(b[20:], data)
	return decode(t, b)
}

// frag6 decodes an IPv6 fragment of UDP behind a hop-by-hop header.
func frag6(t testing.TB, id uint32, off int, more bool, data []byte) *packet.Parsed {
	t.Helper()
	b := make([]byte, 56+len(data))
	b[0], b[7] = 0x60, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	b[8+15], b[24+15] = 1, 2
	b[40] = packet.ProtoFragment
	b[42], b[43] = 1, 4 // PadN
	b[48] = packet.ProtoUDP
	v := uint16(off)
	if more {
		v |= 1
	}
	binary.BigEndian.PutUint16(b[50:], v)
	binary.BigEndian.PutUint32(b[52:], id)
	copy(b[56:], data)
	return decode(t, b)
}

func decode(t testing.TB, b []byte) *packet.Parsed {
	t.Helper()
	dec := packet.NewDecoder(packet.Options{})
	l := dec.DecodeIP(nil, b, 1000*second, nil, packet.FromWire)
	if !l[0].Fragment {
		t.Fatalf("not a fragment: %x", b)
	}
	return &l[0]
}

func fill(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = seed + byte(i*7)
	}
	return b
}

func TestDefragWhole(t *testing.T) {
	data := fill(1000, 3)
	for _, v := range []int{4, 6} {
		mk := func(off, end int, more bool) *packet.Parsed {
			if v == 4 {
				return frag4(t, 7, off, more, data[off:end])
			}
			return frag6(t, 7, off, more, data[off:end])
		}
		orders := [][]*packet.Parsed{
			{mk(0, 400, true), mk(400, 800, true), mk(800, 1000, false)},
			{mk(800, 1000, false), mk(400, 800, true), mk(0, 400, true)},
			{mk(400, 800, true), mk(800, 1000, false), mk(400, 800, true), mk(0, 400, true)},
		}
		d := newDefrag(t, stream.DefaultDefragOptions())
		for i, l := range orders {
			for k, p := range l {
				whole, l3, ok := d.Add(p, 1)
				if ok != (k == len(l)-1) {
					t.Fatalf("IPv%d order %d: fragment %d completes: %v", v, i, k, ok)
				}
				if !ok {
					continue
				}
				ip := whole[l3:]
				head, n := 20, int(binary.BigEndian.Uint16(ip[2:]))
				if v == 6 {
					head, n = 48, 40+int(binary.BigEndian.Uint16(ip[4:]))
				}
				if n != head+1000 || len(ip) != n || !bytes.Equal(ip[head:], data) {
					t.Fatalf("IPv%d order %d: %d bytes, header says %d", v, i, len(ip), n)
				}
				if v == 4 && (packet.InternetChecksum(ip[:20]) != 0 || ip[6] != 0 || ip[7] != 0) {
					t.Errorf("IPv4 header %x", ip[:20])
				}
				if v == 6 && ip[40] != packet.ProtoUDP {
					t.Errorf("IPv6 headers %x: the fragment header is still announced", ip[:48])
				}
				got := packet.NewDecoder(packet.Options{}).DecodeAt(nil, whole, l3, 0, nil, packet.FromDefrag)
				if got[0].Fragment || got[0].Proto != packet.ProtoUDP {
					t.Errorf("IPv%d: result decodes as fragment %v, protocol %d", v, got[0].Fragment, got[0].Proto)
				}
				d.Free(whole)
			}
		}
		st := d.Stats()
		if st.Trackers != 0 || st.Memuse != 0 {
			t.Errorf("IPv%d: %d trackers and %d bytes left", v, st.Trackers, st.Memuse)
		}
		if st.Reassembled[(v-4)/2] != 3 || st.Overlap != 1 || st.OverlapDiffData != 0 {
			t.Errorf("IPv%d: counters %+v", v, st)
		}
	}
}

func TestDefragKeys(t *testing.T) {
	data := fill(16, 0)
	base := func() *packet.Parsed { return frag4(t, 7, 0, true, data[:8]) }
	tests := []struct {
		name   string
		tenant uint32
		change func(p *packet.Parsed)
		want   bool
	}{
		{"same", 1, func(p *packet.Parsed) {}, true},
		{"other tenant", 2, func(p *packet.Parsed) {}, false},
		{"other id", 1, func(p *packet.Parsed) { p.IPID++ }, false},
		{"other vlan", 1, func(p *packet.Parsed) { p.NVLAN, p.VLAN[0] = 1, 5 }, false},
		{"other source", 1, func(p *packet.Parsed) { p.Src[15]++ }, false},
		{"other tunnel level", 1, func(p *packet.Parsed) { p.Recursion++ }, false},
		{"after the timeout", 1, func(p *packet.Parsed) { p.Time += 61 * second }, false},
		{"before the timeout", 1, func(p *packet.Parsed) { p.Time += 59 * second }, true},
	}
	for _, tt := range tests {
		d := newDefrag(t, stream.DefaultDefragOptions())
		d.Add(base(), 1)
		p := frag4(t, 7, 8, false, data[8:])
		tt.change(p)
		if _, _, ok := d.Add(p, tt.tenant); ok != tt.want {
			t.Errorf("%s: joined %v, want %v", tt.name, ok, tt.want)
		}
	}
}

func TestDefragEvents(t *testing.T) {
	d := newDefrag(t, stream.DefaultDefragOptions())
	d.Add(frag4(t, 1, 0, true, fill(16, 0)), 0)
	p := frag4(t, 1, 8, true, fill(16, 9))
	d.Add(p, 0)
	if !p.HasEvent(packet.IPv4FragOverlap) || d.Stats().OverlapDiffData != 1 {
		t.Error("no event for an overlap with other bytes")
	}
	p = frag4(t, 1, 65528, true, fill(64, 9))
	d.Add(p, 0)
	if !p.HasEvent(packet.IPv4FragPktTooLarge) {
		t.Error("no event for a datagram over 65535 bytes")
	}
	p = frag6(t, 1, 65528, false, fill(64, 9))
	d.Add(p, 0)
	if !p.HasEvent(packet.IPv6FragPktTooLarge) {
		t.Error("no event for an IPv6 datagram over 65535 bytes")
	}
	o := stream.DefaultDefragOptions()
	o.MaxFrags = 2
	d = newDefrag(t, o)
	for i := range 3 {
		p = frag4(t, 1, 8*i, true, fill(8, 0))
		d.Add(p, 0)
	}
	if !p.HasEvent(packet.IPv4FragIgnored) || d.Stats().MaxFrags == 0 {
		t.Error("no event for a fragment past max-frags")
	}
}

func TestDefragBounds(t *testing.T) {
	o := stream.DefaultDefragOptions()
	o.Trackers = 100
	d := newDefrag(t, o)
	for i := range 1000 {
		d.Add(frag4(t, uint16(i), 8, true, fill(8, 0)), 0)
	}
	if st := d.Stats(); st.Trackers != 100 || st.HardReuse != 900 || st.MaxTrackers != 900 {
		t.Errorf("%d trackers, %d gave way, the bound was met %d times", st.Trackers, st.HardReuse, st.MaxTrackers)
	}
	o = stream.DefaultDefragOptions()
	o.Memcap = 1 << 20
	d = newDefrag(t, o)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		d.Add(frag4(t, uint16(i), rng.IntN(8000)*8, true, fill(8, 0)), 0)
		if st := d.Stats(); st.Memuse > o.Memcap {
			t.Fatalf("%d bytes used over %d", st.Memuse, o.Memcap)
		}
	}
	if st := d.Stats(); st.HardReuse == 0 || st.MaxTrackers != 0 || st.MaxFrags != 0 {
		t.Errorf("at the memcap %d trackers gave way; other bounds were met %d and %d times", st.HardReuse, st.MaxTrackers, st.MaxFrags)
	}
	o = stream.DefaultDefragOptions()
	o.MaxFrags = 50
	d = newDefrag(t, o)
	for i := range 60 {
		d.Add(frag4(t, uint16(i), 8, true, fill(8, 0)), 0)
	}
	if st := d.Stats(); st.Trackers != 50 || st.HardReuse != 10 || st.MaxFrags != 10 {
		t.Errorf("with 50 fragments: %d trackers, %d gave way, the bound was met %d times", st.Trackers, st.HardReuse, st.MaxFrags)
	}
	// One datagram in fragments of 8 bytes must not displace itself.
	d = newDefrag(t, stream.DefaultDefragOptions())
	for off := 0; off < 60000; off += 16 {
		d.Add(frag4(t, 1, off, true, fill(8, 0)), 0)
	}
	d.Expire(1000*second + 61*second)
	if st := d.Stats(); st.Trackers != 0 || st.Memuse != 0 || st.Timeouts != 1 {
		t.Errorf("after the timeout: %+v", st)
	}
}

// fragmentWins says, in the words of the paper, whether a new fragment wins.
func fragmentWins(p stream.Policy) func(s, e, os, oe int) bool {
	switch p {
	case stream.PolicyLast:
		return func(s, e, os, oe int) bool { return true }
	case stream.PolicyFirst, stream.PolicyOldSolaris, stream.PolicyHPUX11, stream.PolicyMacOS:
		return func(s, e, os, oe int) bool { return false }
	case stream.PolicyLinux, stream.PolicyOldLinux:
		return func(s, e, os, oe int) bool { return s <= os }
	case stream.PolicyBSDRight:
		return func(s, e, os, oe int) bool { return s >= os }
	case stream.PolicySolaris:
		return func(s, e, os, oe int) bool { return s < os && e >= oe }
	case stream.PolicyWindows, stream.PolicyVista, stream.PolicyWindows2k3:
		return func(s, e, os, oe int) bool { return s < os && e > oe }
	}
	return func(s, e, os, oe int) bool { return s < os }
}

// TestDefragTwin compares with an array of bytes, each with the fragment it is from.
func TestDefragTwin(t *testing.T) {
	for p := range stream.NumPolicy {
		wins := fragmentWins(p)
		for seed := range uint64(200) {
			rng := rand.New(rand.NewPCG(seed, uint64(p)))
			o := stream.DefaultDefragOptions()
			o.OSDefault = p
			d := newDefrag(t, o)
			var val [800]byte
			var owner [800]int
			var frags [][2]int
			right, last, steps := 0, false, ""
			for step := range 60 {
				off := rng.IntN(60) * 8
				n := 8 + rng.IntN(12)*8
				more := rng.IntN(12) > 0 || off == 0
				if !more {
					n -= rng.IntN(8)
				}
				data := fill(n, byte(step))
				frags = append(frags, [2]int{off, off + n})
				for x := off; x < off+n; x++ {
					if k := owner[x]; k == 0 || wins(off, off+n, frags[k-1][0], frags[k-1][1]) {
						owner[x], val[x] = len(frags), data[x-off]
					}
				}
				right = max(right, off+n)
				last = last || !more
				steps += fmt.Sprintf("%d+%d more %v; ", off, n, more)
				whole := last
				for x := range right {
					whole = whole && owner[x] != 0
				}
				got, l3, ok := d.Add(frag4(t, 1, off, more, data), 0)
				if ok != whole {
					t.Fatalf("policy %v seed %d after %s: complete %v, want %v", p, seed, steps, ok, whole)
				}
				if ok {
					if !bytes.Equal(got[l3+20:], val[:right]) {
						t.Fatalf("policy %v seed %d after %s\n got %x\nwant %x", p, seed, steps, got[l3+20:], val[:right])
					}
					break
				}
			}
		}
	}
}

// TestDefragLinear: the smallest fragments in any order cost about as many steps
// each, be they few or many.
func TestDefragLinear(t *testing.T) {
	steps := func(n int, order []int) uint64 {
		d := newDefrag(t, stream.DefaultDefragOptions())
		ok := false
		for _, i := range order {
			_, _, ok = d.Add(frag4(t, 1, i*8, i < n-1, fill(8, 0)), 0)
		}
		if !ok {
			t.Fatal("not complete")
		}
		return d.Stats().Steps
	}
	rng := rand.New(rand.NewPCG(3, 4))
	small, large := steps(2000, rng.Perm(2000)), steps(8000, rng.Perm(8000))
	t.Logf("%d and %d steps", small, large)
	if large > 5*small {
		t.Errorf("four times the fragments cost %d steps after %d", large, small)
	}
}

func TestDefragNoAlloc(t *testing.T) {
	d := newDefrag(t, stream.DefaultDefragOptions())
	a, b := frag4(t, 1, 0, true, fill(800, 0)), frag4(t, 1, 800, false, fill(800, 0))
	one := func() {
		a.NEvents, b.NEvents = 0, 0
		d.Add(b, 0)
		w, _, ok := d.Add(a, 0)
		if !ok {
			t.Fatal("not complete")
		}
		d.Free(w)
	}
	one()
	if n := testing.AllocsPerRun(200, one); n != 0 {
		t.Errorf("%v allocations per datagram, want 0", n)
	}
}

// TestSuiteFragments replays the suite's captures of IPv6 fragments; the numbers of
// events are those of its checks.
func TestSuiteFragments(t *testing.T) {
	root := filepath.Join(shared(t), "suricata-verify", "tests", "ipv6-evasion")
	for _, n := range []int{1, 2, 4, 7, 8, 17, 18, 29} {
		l, _ := filepath.Glob(filepath.Join(root, fmt.Sprintf("ipv6-malformed-fragments-%d", n), "*.pcap"))
		if len(l) != 1 {
			t.Skipf("no capture in ipv6-malformed-fragments-%d", n)
		}
		r := replay(t, l[0], defaultReplay())
		overlaps := 0
		for _, e := range r.packet {
			if e == packet.IPv6FragOverlap {
				overlaps++
			}
		}
		if overlaps != 1 {
			t.Errorf("ipv6-malformed-fragments-%d: %d overlaps, want 1", n, overlaps)
		}
	}
}

// FuzzDefrag feeds fragments whose bytes follow from their place, so that every
// datagram that comes out can be checked.
func FuzzDefrag(f *testing.F) {
	f.Add([]byte{0, 0, 1, 16, 1, 0, 0, 16})
	f.Add([]byte{4, 0, 1, 8, 4, 1, 1, 8, 4, 2, 0, 8, 4, 1, 1, 8})
	f.Add([]byte{0, 255, 255, 200, 0, 1, 0, 9})
	f.Fuzz(func(t *testing.T, in []byte) {
		o := stream.DefaultDefragOptions()
		o.Memcap = 1 << 20
		o.Trackers = 4
		d := newDefrag(t, o)
		for ; len(in) >= 4; in = in[4:] {
			id, off := in[0]&3, (int(in[1])*17%8192)*8
			n := 1 + int(in[3])*5
			data := make([]byte, n)
			for i := range data {
				data[i] = byte((off+i)*31) ^ id
			}
			var p *packet.Parsed
			if in[0]&4 != 0 {
				p = frag6(t, uint32(id), off&^7, in[2]&1 != 0 || off == 0, data)
			} else {
				p = frag4(t, uint16(id), off, in[2]&1 != 0 || off == 0, data)
			}
			p.Time += int64(in[2]>>1) * second
			whole, l3, ok := d.Add(p, 0)
			if ok {
				body := whole[l3+20:]
				if p.IPVersion == 6 {
					body = whole[l3+48:]
				}
				for i, x := range body {
					if x != byte(i*31)^id {
						t.Fatalf("byte %d is %x", i, x)
					}
				}
				d.Free(whole)
			}
			if st := d.Stats(); st.Memuse > o.Memcap || st.Trackers > 4 {
				t.Fatalf("bounds: %+v", st)
			}
		}
		d.Expire(1 << 62)
		if st := d.Stats(); st.Memuse != 0 || st.Trackers != 0 {
			t.Fatalf("left: %+v", st)
		}
	})
}
