package flow_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"mirador/internal/flow"
	"mirador/internal/packet"
)

const second = int64(time.Second)

type value struct{ n int }

type table = flow.Table[value]
type entry = flow.Entry[value]

// ended notes the flows that end.
type ended struct {
	why []flow.Reason
	id  []uint64
}

func newTable(t testing.TB, o flow.Options) (*table, *ended) {
	t.Helper()
	e := &ended{}
	tab, err := flow.NewTable(o, func(f *entry, why flow.Reason) {
		e.why = append(e.why, why)
		e.id = append(e.id, f.ID)
	})
	if err != nil {
		t.Fatal(err)
	}
	return tab, e
}

func options() flow.Options {
	o := flow.DefaultOptions()
	o.Prealloc, o.HashSize = 0, 64
	o.Seed = [2]uint64{1, 2}
	return o
}

func addr(n int) packet.Addr {
	return packet.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// pkt makes a Parsed with what the table looks at.
func pkt(proto uint8, src, dst int, sp, dp uint16, at int64) *packet.Parsed {
	p := &packet.Parsed{Data: make([]byte, 60), Time: at, Depth: packet.DepthTransport, IPVersion: 4, Proto: proto,
		Src: addr(src), Dst: addr(dst), SrcPort: sp, DstPort: dp, TTL: 64}
	if proto == packet.ProtoICMP || proto == packet.ProtoICMPv6 {
		p.SrcPort, p.DstPort = 0, 0
		p.ICMPType, p.ICMPCode = uint8(sp), uint8(dp)
	}
	if proto == packet.ProtoTCP {
		p.Flags = packet.SYN
	}
	return p
}

func TestBothDirections(t *testing.T) {
	tests := []struct {
		name        string
		first, then *packet.Parsed
		same        bool
		dir         uint8
	}{
		{"tcp answer", pkt(6, 1, 2, 1000, 80, 0), pkt(6, 2, 1, 80, 1000, 0), true, 1},
		{"tcp again", pkt(6, 1, 2, 1000, 80, 0), pkt(6, 1, 2, 1000, 80, 0), true, 0},
		{"other port", pkt(6, 1, 2, 1000, 80, 0), pkt(6, 1, 2, 1001, 80, 0), false, 0},
		{"crossed ports", pkt(6, 1, 2, 1000, 80, 0), pkt(6, 2, 1, 1000, 80, 0), false, 0},
		{"other protocol", pkt(6, 1, 2, 53, 53, 0), pkt(17, 1, 2, 53, 53, 0), false, 0},
		{"same address", pkt(6, 1, 1, 1000, 80, 0), pkt(6, 1, 1, 80, 1000, 0), true, 1},
		{"sctp", pkt(132, 1, 2, 1000, 80, 0), pkt(132, 2, 1, 80, 1000, 0), true, 1},
		{"echo reply", pkt(1, 1, 2, 8, 0, 0), pkt(1, 2, 1, 0, 0, 0), true, 1},
		{"echo to itself", pkt(1, 1, 1, 8, 0, 0), pkt(1, 1, 1, 0, 0, 0), true, 1},
		{"timestamp and echo", pkt(1, 1, 2, 8, 0, 0), pkt(1, 2, 1, 14, 0, 0), false, 0},
		{"icmp6 echo reply", pkt(58, 1, 2, 128, 0, 0), pkt(58, 2, 1, 129, 0, 0), true, 1},
	}
	for _, tt := range tests {
		tab, _ := newTable(t, options())
		a, dir, fresh := tab.Find(tt.first, 1)
		if a == nil || dir != 0 || !fresh {
			t.Fatalf("%s: first packet: %v %d %v", tt.name, a, dir, fresh)
		}
		b, dir, fresh := tab.Find(tt.then, 1)
		if (a == b) != tt.same || fresh == tt.same || dir != tt.dir {
			t.Errorf("%s: same flow %v, want %v; direction %d, want %d", tt.name, a == b, tt.same, dir, tt.dir)
		}
	}
}

func TestKeyParts(t *testing.T) {
	first := pkt(17, 1, 2, 1000, 53, 0)
	first.NVLAN, first.VLAN[0] = 1, 6
	tests := []struct {
		name   string
		tenant uint32
		change func(*packet.Parsed)
		ignore func(*flow.Options)
		same   bool
	}{
		{"same", 1, func(p *packet.Parsed) {}, func(*flow.Options) {}, true},
		{"tenant", 2, func(p *packet.Parsed) {}, func(*flow.Options) {}, false},
		{"vlan", 1, func(p *packet.Parsed) { p.VLAN[0] = 7 }, func(*flow.Options) {}, false},
		{"second vlan", 1, func(p *packet.Parsed) { p.NVLAN, p.VLAN[1] = 2, 7 }, func(*flow.Options) {}, false},
		{"vlan ignored", 1, func(p *packet.Parsed) { p.VLAN[0] = 7 }, func(o *flow.Options) { o.IgnoreVLAN = true }, true},
		{"level", 1, func(p *packet.Parsed) { p.Recursion = 1 }, func(*flow.Options) {}, false},
		{"level ignored", 1, func(p *packet.Parsed) { p.Recursion = 1 }, func(o *flow.Options) { o.IgnoreRecursion = true }, true},
	}
	for _, tt := range tests {
		o := options()
		tt.ignore(&o)
		tab, _ := newTable(t, o)
		a, _, _ := tab.Find(first, 1)
		p := *first
		tt.change(&p)
		if b, _, _ := tab.Find(&p, tt.tenant); (a == b) != tt.same {
			t.Errorf("%s: same flow %v, want %v", tt.name, a == b, tt.same)
		}
	}
}

func TestESPIsOneWay(t *testing.T) {
	tab, _ := newTable(t, options())
	p := pkt(50, 1, 2, 0, 0, 0)
	p.SPI = 0x12345678
	a, _, _ := tab.Find(p, 0)
	if a.SPI() != 0x12345678 {
		t.Errorf("SPI %x", a.SPI())
	}
	q := pkt(50, 2, 1, 0, 0, 0)
	q.SPI = p.SPI
	if b, _, _ := tab.Find(q, 0); b == a {
		t.Error("the other direction has its own SPI and is another flow")
	}
}

// unreachable is an ICMP error of router about a packet from src to dst.
func unreachable(typ uint8, router, to int, proto uint8, src, dst int, sp, dp uint16) *packet.Parsed {
	p := pkt(1, router, to, uint16(typ), 3, 0)
	in := make([]byte, 28)
	in[0], in[9] = 0x45, proto
	s, d := addr(src), addr(dst)
	copy(in[12:], s[12:])
	copy(in[16:], d[12:])
	in[20], in[21], in[22], in[23] = byte(sp>>8), byte(sp), byte(dp>>8), byte(dp)
	p.Data = append(make([]byte, 28), in...)
	p.ICMPInner = 28
	return p
}

func TestICMPErrors(t *testing.T) {
	tab, _ := newTable(t, options())
	if e, _, _ := tab.Find(unreachable(3, 2, 1, 17, 1, 2, 1000, 53), 0); e != nil {
		t.Error("an error about an unknown flow made a flow")
	}
	a, _, _ := tab.Find(pkt(17, 1, 2, 1000, 53, 0), 0)
	e, dir, fresh := tab.Find(unreachable(3, 2, 1, 17, 1, 2, 1000, 53), 0)
	if e != a || dir != flow.ToClient || fresh {
		t.Errorf("error of the server: %v, direction %d", e == a, dir)
	}
	if e, _, _ = tab.Find(unreachable(11, 9, 1, 17, 1, 2, 1000, 53), 0); e != nil {
		t.Error("time exceeded belongs to no flow")
	}
	for cut := range 28 {
		p := unreachable(3, 2, 1, 17, 1, 2, 1000, 53)
		p.Data = p.Data[:28+cut]
		tab.Find(p, 0) // must not read past the end
	}
}

func TestCounting(t *testing.T) {
	tab, end := newTable(t, options())
	p := pkt(17, 1, 2, 1000, 53, 10*second)
	e, dir, _ := tab.Find(p, 0)
	tab.Update(e, p, dir)
	if e.State != flow.New || e.Start != 10*second {
		t.Errorf("state %v start %d", e.State, e.Start)
	}
	q := pkt(17, 2, 1, 53, 1000, 11*second)
	q.TTL = 50
	q.Data = make([]byte, 100)
	e, dir, _ = tab.Find(q, 0)
	tab.Update(e, q, dir)
	q.TTL, q.Time = 52, 12*second
	tab.Update(e, q, dir)
	if e.State != flow.Established {
		t.Errorf("state %v after both sides spoke", e.State)
	}
	if e.Packets != [2]uint64{1, 2} || e.Bytes != [2]uint64{60, 200} || e.MinTTL != [2]uint8{64, 50} || e.MaxTTL != [2]uint8{64, 52} || e.Last != 12*second {
		t.Errorf("%+v", e)
	}
	e.Turn()
	if e.Packets != [2]uint64{2, 1} || e.Tuple.SrcPort != 53 || !e.Reversed {
		t.Errorf("turned: %+v", e)
	}
	if _, dir, fresh := tab.Find(p, 0); dir != flow.ToClient || fresh {
		t.Errorf("after the turn the first sender has direction %d, fresh %v", dir, fresh)
	}
	tab.Close()
	if len(end.why) != 1 || end.why[0] != flow.Shutdown || tab.Len() != 0 {
		t.Errorf("ends %v, %d flows left", end.why, tab.Len())
	}
}

func TestTimeouts(t *testing.T) {
	tests := []struct {
		proto uint8
		state flow.State
		idle  int64
	}{
		{6, flow.New, 60}, {6, flow.Established, 600}, {6, flow.Closed, 60}, {6, flow.Bypassed, 100},
		{17, flow.New, 30}, {17, flow.Established, 300}, {1, flow.New, 30}, {1, flow.Established, 300},
		{132, flow.New, 30}, {132, flow.Established, 300},
	}
	for _, tt := range tests {
		for _, by := range []string{"expire", "find"} {
			tab, end := newTable(t, options())
			p := pkt(tt.proto, 1, 2, 8, 0, 1000*second)
			e, _, _ := tab.Find(p, 0)
			tab.Update(e, p, 0)
			tab.SetState(e, tt.state)
			look := func(at int64) {
				if by == "expire" {
					tab.Expire(at)
					return
				}
				p.Time = at
				tab.Find(p, 0)
			}
			look(1000*second + tt.idle*second - second)
			if len(end.why) != 0 {
				t.Errorf("protocol %d, %v, by %s: ended a second early", tt.proto, tt.state, by)
			}
			look(1000*second + tt.idle*second + 2*second)
			if len(end.why) != 1 || end.why[0] != flow.Timeout {
				t.Errorf("protocol %d, %v, by %s: %v after %d seconds", tt.proto, tt.state, by, end.why, tt.idle+2)
			}
		}
	}
}

func TestReuse(t *testing.T) {
	tab, end := newTable(t, options())
	p := pkt(6, 1, 2, 1000, 80, second)
	e, _, _ := tab.Find(p, 0)
	tab.Update(e, p, 0)
	old := e.ID
	q := pkt(6, 2, 1, 80, 1000, 2*second)
	e = tab.Reuse(e, q)
	if len(end.why) != 1 || end.why[0] != flow.TCPReuse || end.id[0] != old {
		t.Errorf("ended %v", end.why)
	}
	if e.ID == old || e.Tuple.SrcPort != 80 || e.Packets != [2]uint64{} || e.Start != 2*second {
		t.Errorf("new flow %+v", e)
	}
	if f, dir, fresh := tab.Find(p, 0); f != e || dir != flow.ToClient || fresh {
		t.Error("the new flow is not found")
	}
}

func TestEmergency(t *testing.T) {
	o := options()
	o.MaxFlows = 100
	tab, end := newTable(t, o)
	now := 1000 * second
	for i := range 300 {
		p := pkt(17, i, 5000, 1, 53, now)
		e, _, fresh := tab.Find(p, 0)
		if e == nil || !fresh {
			t.Fatalf("packet %d got no flow", i)
		}
		tab.Update(e, p, 0)
		now += second / 100
		if tab.Len() > 100 {
			t.Fatalf("%d flows", tab.Len())
		}
	}
	c := tab.Stats()
	if !tab.Emergency() || c.EmergencyEntered != 1 || c.Memcap != 200 || c.GetUsed != 200 || len(end.why) != 200 || end.why[0] != flow.Forced {
		t.Errorf("emergency %v, counters %+v, %d ended", tab.Emergency(), c, len(end.why))
	}
	// The evicted are the oldest.
	if _, _, fresh := tab.Find(pkt(17, 250, 5000, 1, 53, now), 0); fresh {
		t.Error("a young flow was evicted")
	}
	// A TCP packet that opens nothing gets no flow now.
	p := pkt(6, 9999, 5000, 1, 80, now)
	p.Flags = packet.ACK
	if e, _, _ := tab.Find(p, 0); e != nil {
		t.Error("a TCP packet that opens nothing made a flow in emergency mode")
	}
	// Emergency timeouts are short; when enough is free the mode ends.
	tab.Expire(now + 13*second)
	if tab.Emergency() || tab.Stats().EmergencyOver != 1 {
		t.Errorf("emergency goes on with %d flows", tab.Len())
	}
}

// TestTableBound: the bound follows from flow.memcap, but never beyond what half of the
// largest index holds.
func TestTableBound(t *testing.T) {
	most := func(memcap uint64) int {
		o := options()
		o.Memcap, o.Prealloc = memcap, 0
		tab, _ := newTable(t, o)
		return tab.Max()
	}
	small, twice := most(1<<20), most(2<<20)
	if small < 1000 || twice < 2*small || twice > 2*small+1 {
		t.Errorf("%d flows in 1 MiB, %d in 2 MiB", small, twice)
	}
	if n := most(1 << 50); n != 1<<25 {
		t.Errorf("%d flows in 1 PiB, want %d", n, 1<<25)
	}
	o := options()
	for _, size := range []int{0, 1<<26 + 1} {
		if o.HashSize = size; o.Validate() == nil {
			t.Errorf("flow.hash-size %d is taken", size)
		}
	}
}

// TestEvictionKeepsBusyFlows: under a flood of new flows one that has packets stays.
func TestEvictionKeepsBusyFlows(t *testing.T) {
	o := options()
	o.MaxFlows = 200
	tab, _ := newTable(t, o)
	now := 1000 * second
	busy := pkt(17, 1, 2, 1000, 53, now)
	e, _, _ := tab.Find(busy, 0)
	id := e.ID
	for i := range 20000 {
		now += second / 200
		p := pkt(17, 100+i, 5000, 1, 53, now)
		f, _, _ := tab.Find(p, 0)
		tab.Update(f, p, 0)
		if i%50 == 0 {
			busy.Time = now
			e, _, _ = tab.Find(busy, 0)
			tab.Update(e, busy, 0)
			if e.ID != id {
				t.Fatalf("the busy flow was evicted after %d new flows", i)
			}
		}
	}
}

// TestValueIsKept: V survives reuse of an entry, everything else is new.
func TestValueIsKept(t *testing.T) {
	tab, _ := newTable(t, options())
	p := pkt(17, 1, 2, 1, 2, 0)
	e, _, _ := tab.Find(p, 0)
	tab.Update(e, p, 0)
	e.V.n = 42
	tab.Remove(e, flow.Forced)
	q := pkt(17, 3, 4, 1, 2, second)
	f, _, _ := tab.Find(q, 0)
	if f != e || f.V.n != 42 {
		t.Error("entry or value was not reused")
	}
	if f.Packets != [2]uint64{} || f.State != flow.New || f.Start != second || f.Tuple.Src != addr(3) {
		t.Errorf("%+v", f)
	}
}

func TestIDs(t *testing.T) {
	seen := map[uint64]string{}
	for _, seed := range []uint64{1, 2} {
		o := options()
		o.Seed[0] = seed
		a, _ := newTable(t, o)
		b, _ := newTable(t, o)
		for i := range 1000 {
			p := pkt(6, i, 7, 1000, 80, int64(i))
			e, _, _ := a.Find(p, 0)
			f, _, _ := b.Find(p, 0)
			if e.ID != f.ID {
				t.Fatal("the same packets have other ids in another run")
			}
			if e.ID>>51 != 0 {
				t.Fatalf("id %x has more than 51 bits", e.ID)
			}
			if w, ok := seen[e.ID]; ok {
				t.Fatalf("flow %d of seed %d has the id of %s", i, seed, w)
			}
			seen[e.ID] = fmt.Sprintf("flow %d of seed %d", i, seed)
		}
	}
}

// TestTwin compares the table with a map under random packets and times.
func TestTwin(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 9))
		tab, end := newTable(t, options())
		type model struct {
			id   uint64
			last int64
			both [2]bool
		}
		twin := map[string]*model{}
		name := func(p *packet.Parsed) (string, uint8) {
			a, b := fmt.Sprint(p.Src, p.SrcPort), fmt.Sprint(p.Dst, p.DstPort)
			if a <= b {
				return fmt.Sprint(p.Proto, a, b), 0
			}
			return fmt.Sprint(p.Proto, b, a), 1
		}
		now := 5000 * second
		for range 4000 {
			now += rng.Int64N(2 * second)
			if rng.IntN(20) == 0 {
				now += rng.Int64N(100 * second)
			}
			p := pkt(17, rng.IntN(12), rng.IntN(12), uint16(rng.IntN(3)), uint16(rng.IntN(3)), now)
			k, side := name(p)
			idle := func(m *model) int64 {
				if m.both[0] && m.both[1] {
					return 300 * second
				}
				return 30 * second
			}
			m := twin[k]
			if m != nil && now-m.last >= idle(m) {
				m = nil
			}
			e, dir, fresh := tab.Find(p, 0)
			if fresh != (m == nil) || m != nil && e.ID != m.id {
				t.Fatalf("seed %d: fresh %v, want %v", seed, fresh, m == nil)
			}
			tab.Update(e, p, dir)
			if m == nil {
				m = &model{id: e.ID}
				twin[k] = m
			}
			m.last = now
			if p.Src != p.Dst || p.SrcPort != p.DstPort {
				m.both[side] = true
			}
			if rng.IntN(10) == 0 {
				tab.Expire(now)
			}
		}
		tab.Expire(now + 301*second)
		if tab.Len() != 0 {
			t.Fatalf("seed %d: %d flows left", seed, tab.Len())
		}
		if uint64(len(end.why)) != tab.Stats().Total {
			t.Fatalf("seed %d: %d flows made, %d ended", seed, tab.Stats().Total, len(end.why))
		}
	}
}

func TestCommunityID(t *testing.T) {
	ip := func(s string) (a packet.Addr, v uint8) {
		return packet.AddrFrom4([4]byte(splitDots(s))), 4
	}
	tests := []struct {
		src, dst string
		sp, dp   uint16
		proto    uint8
		seed     uint16
		want     string
	}{
		{"128.232.110.120", "66.35.250.204", 34855, 80, 6, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"66.35.250.204", "128.232.110.120", 80, 34855, 6, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"192.168.1.52", "8.8.8.8", 54585, 53, 17, 0, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
		{"192.168.0.89", "192.168.0.1", 8, 0, 1, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		{"192.168.0.1", "192.168.0.89", 0, 0, 1, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		{"192.168.0.254", "192.168.0.254", 56162, 3306, 6, 1, "1:IJQHtzXv/tXud3FtXIufkDsfEd4="},
		{"139.25.22.2", "139.25.22.102", 3296, 1048, 17, 1234, "1:AUtTX3EtL8yKo1l/4n744z2c67M="},
	}
	for _, tt := range tests {
		var tu packet.Tuple
		tu.Src, tu.Version = ip(tt.src)
		tu.Dst, _ = ip(tt.dst)
		tu.SrcPort, tu.DstPort, tu.Proto = tt.sp, tt.dp, tt.proto
		if got := string(flow.AppendCommunityID(nil, tu, tt.seed)); got != tt.want {
			t.Errorf("%s:%d > %s:%d: %s, want %s", tt.src, tt.sp, tt.dst, tt.dp, got, tt.want)
		}
	}
}

func splitDots(s string) (b []byte) {
	n := 0
	for i := range len(s) {
		if s[i] == '.' {
			b = append(b, byte(n))
			n = 0
			continue
		}
		n = n*10 + int(s[i]-'0')
	}
	return append(b, byte(n))
}

func TestNoAllocOnHit(t *testing.T) {
	tab, _ := newTable(t, options())
	p := pkt(6, 1, 2, 1000, 80, second)
	q := pkt(6, 2, 1, 80, 1000, second)
	hit := func() {
		for _, x := range []*packet.Parsed{p, q} {
			e, dir, _ := tab.Find(x, 3)
			tab.Update(e, x, dir)
		}
	}
	hit()
	if n := testing.AllocsPerRun(1000, hit); n != 0 {
		t.Errorf("%v allocations per hit, want 0", n)
	}
	// A new flow costs nothing either while entries are there to reuse.
	i := 0
	fresh := func() {
		i++
		r := pkt0
		r.Src = addr(i % 50)
		e, _, _ := tab.Find(&r, 0)
		tab.Remove(e, flow.Forced)
	}
	fresh()
	if n := testing.AllocsPerRun(1000, fresh); n != 0 {
		t.Errorf("%v allocations per new flow, want 0", n)
	}
}

var pkt0 = *pkt(17, 1, 2, 3, 4, 1000*second)

// TestIndexCost: lookups cost about as many steps each in a large table as in a
// small one.
func TestIndexCost(t *testing.T) {
	steps := func(n int) uint64 {
		o := options()
		o.Memcap = 1 << 30
		tab, _ := newTable(t, o)
		for range 2 {
			for i := range n {
				tab.Find(pkt(17, i, i, 1, 2, second), 0)
			}
		}
		return tab.Stats().Steps
	}
	small, large := steps(5000), steps(20000)
	if large > 5*small {
		t.Errorf("four times the flows cost %d steps after %d", large, small)
	}
}

// FuzzTable decodes any bytes as packets and checks the balance of the table.
func FuzzTable(f *testing.F) {
	p := packet.AppendIPv4(nil, packet.IPv4{}, 8)
	f.Add(append(p, 0, 53, 0, 53, 0, 8, 0, 0))
	f.Fuzz(func(t *testing.T, in []byte) {
		o := options()
		o.MaxFlows = 16
		tab, end := newTable(t, o)
		dec := packet.NewDecoder(packet.Options{})
		var buf []packet.Parsed
		made, now := 0, second
		for len(in) >= 2 {
			n := min(int(in[0]), len(in)-2)
			now += int64(in[1]) * second / 4
			buf = dec.DecodeIP(buf[:0], in[2:2+n], now, nil, packet.FromWire)
			for i := range buf {
				e, dir, fresh := tab.Find(&buf[i], 0)
				if fresh {
					made++
				}
				if e != nil {
					tab.Update(e, &buf[i], dir)
				}
			}
			tab.Expire(now)
			in = in[2+n:]
		}
		if tab.Len() > 16 {
			t.Fatalf("%d flows", tab.Len())
		}
		tab.Close()
		if made != len(end.why) || tab.Len() != 0 {
			t.Fatalf("%d flows made, %d ended, %d left", made, len(end.why), tab.Len())
		}
	})
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("hit/%d flows", n), func(b *testing.B) {
			o := options()
			o.Memcap = 1 << 30
			tab, _ := newTable(b, o)
			l := make([]*packet.Parsed, n)
			for i := range l {
				l[i] = pkt(6, i, i+1, 1000, 80, second)
				tab.Find(l[i], 0)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				p := l[i]
				if i++; i == n {
					i = 0
				}
				e, dir, _ := tab.Find(p, 0)
				tab.Update(e, p, dir)
			}
		})
	}
	b.Run("new and evict", func(b *testing.B) {
		o := options()
		o.MaxFlows = 10_000
		tab, _ := newTable(b, o)
		p := pkt(17, 1, 2, 3, 4, second)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i++
			p.Src = addr(i & 0xffffff)
			p.Time += 1e5
			e, dir, _ := tab.Find(p, 0)
			tab.Update(e, p, dir)
		}
	})
}
