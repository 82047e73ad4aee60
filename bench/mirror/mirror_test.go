package mirror

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mirador/internal/agent"
	"mirador/internal/mirror"
	"mirador/internal/netlab"
	"mirador/internal/pkttest"
)

// lab is a source host with an interface to the world and one to the target.
type lab struct {
	host, world, target *netlab.NS
	eni, out            int // indexes of the source host's interfaces
	mirror              agent.Engine
}

func newLab(b *testing.B) *lab {
	b.Helper()
	netlab.Require(b)
	l := &lab{host: netlab.New(b), world: netlab.New(b), target: netlab.New(b)}
	netlab.Veth(b, l.host, "eni0", l.world, "w0")
	netlab.Veth(b, l.host, "out0", l.target, "t0")
	l.host.Addr(b, "eni0", "10.1.0.1/24")
	l.host.Addr(b, "out0", "10.2.0.1/24")
	l.target.Addr(b, "t0", "10.2.0.2/24")
	l.host.MTU(b, "out0", 9001)
	l.target.MTU(b, "t0", 9001)
	l.eni = l.host.Link(b, "eni0").Attrs().Index
	l.out = l.host.Link(b, "out0").Attrs().Index
	mac := l.target.MAC(b, "t0")
	l.run(b, fmt.Sprintf("ip neigh add 10.2.0.2 dev out0 lladdr %x:%x:%x:%x:%x:%x nud permanent", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]))
	index := l.target.Link(b, "t0").Attrs().Index
	if err := l.target.Do(func() error { return dropAll(b, index) }); err != nil {
		b.Fatal(err)
	}
	return l
}

// run runs a program in the host's namespace.
func (l *lab) run(b *testing.B, line string) {
	b.Helper()
	f := strings.Fields(line)
	if err := l.host.Do(func() error {
		out, err := exec.Command(f[0], f[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", line, err, out)
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}

func (l *lab) received(b *testing.B) uint64 {
	return l.target.Link(b, "t0").Attrs().Statistics.RxPackets
}

// cpu is CPU time used: by this process, of it by the calling thread, and by the
// kernel's threads for network work.
type cpu struct{ self, thread, softirq time.Duration }

func now(b *testing.B) cpu {
	var c cpu
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		b.Fatal(err)
	}
	c.self = time.Duration(ts.Nano())
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	c.thread = time.Duration(ts.Nano())
	for _, pid := range ksoftirqd {
		s, err := os.ReadFile("/proc/" + pid + "/schedstat")
		if err != nil {
			b.Fatal(err)
		}
		n, _ := strconv.ParseInt(strings.Fields(string(s))[0], 10, 64)
		c.softirq += time.Duration(n)
	}
	return c
}

var ksoftirqd = func() (pids []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, p := range all {
		if s, _ := os.ReadFile(p); strings.HasPrefix(string(s), "ksoftirqd/") {
			pids = append(pids, strings.Split(p, "/")[2])
		}
	}
	return pids
}()

// newFrame makes a UDP frame of n bytes.
func newFrame(n int) []byte {
	return pkttest.Frame("eth ip 10.1.0.2 10.1.0.1 udp 4000 8080 | " + strings.Repeat("x", n-42))
}

// burst is the number of frames of a round: the agent's ring holds them all, so that
// what is measured is the cost of a frame that is mirrored.
const burst = 1 << 13

// mode is one way to mirror.
type mode struct {
	name string
	lab  *lab
	gen  *generator
	cost []float64 // CPU ns per frame of each round
	rate []float64 // million frames per second of wall time, of each round
	lost uint64
	seen uint64
}

func (m *mode) open(b *testing.B, frame []byte) {
	if err := m.lab.host.Do(func() (err error) {
		m.gen, err = newGenerator(frame, 34, m.lab.eni)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.gen.prog.Close() })
}

// round sends a burst and waits until all of it has arrived, or no more comes.
func (m *mode) round(b *testing.B, mirrored bool) {
	got := m.lab.received(b)
	before, start := now(b), time.Now()
	if err := m.lab.host.Do(func() error { return m.gen.run(burst) }); err != nil {
		b.Fatal(err)
	}
	for since := time.Now(); m.lab.mirror != nil && time.Since(since) < 5*time.Second; {
		if c := m.lab.mirror.Counters(); c.Frames+c.KernelDrops-m.seen >= burst {
			m.seen = c.Frames + c.KernelDrops
			break
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	wall, after := time.Since(start), now(b)
	if n := m.lab.received(b) - got; mirrored && n < burst {
		m.lost += burst - n
	}
	m.cost = append(m.cost, float64(after.self-before.self+after.softirq-before.softirq)/burst)
	m.rate = append(m.rate, burst/wall.Seconds()/1e6)
}

func (m *mode) report(b *testing.B) {
	slices.Sort(m.cost)
	slices.Sort(m.rate)
	n := len(m.cost)
	b.Logf("%-10s cpu ns/frame: best %5.0f quarter %5.0f median %5.0f   Mpps best %.2f   lost %d", m.name, m.cost[0], m.cost[n/4], m.cost[n/2], m.rate[n-1], m.lost)
}

// tc mirrors with what the kernel has: nine filters, of which the last mirrors.
func (l *lab) tc(b *testing.B) {
	l.run(b, "ip link add vx0 type vxlan id 7 remote 10.2.0.2 local 10.2.0.1 dstport 4789 dev out0")
	l.run(b, "ip link set vx0 mtu 8900 up")
	l.run(b, "tc qdisc add dev eni0 clsact")
	for i := 1; i < 9; i++ {
		l.run(b, fmt.Sprintf("tc filter add dev eni0 ingress prio %d protocol ip u32 match ip dst 172.16.%d.0/24 match ip protocol 17 0xff flowid 1:1", i+1, i))
	}
	l.run(b, "tc filter add dev eni0 ingress prio 10 protocol ip u32 match ip dst 10.0.0.0/8 action mirred egress mirror dev vx0")
	l.run(b, "tc filter add dev eni0 egress prio 10 protocol ip u32 match ip dst 10.0.0.0/8 action mirred egress mirror dev vx0")
}

// agent starts a Mirror with the filters that tc has.
func (l *lab) agent(b *testing.B, engine string) {
	f := mirror.Filter{ID: "tmf-1"}
	for i := range 9 {
		f.Rules = append(f.Rules, mirror.FilterRule{ID: fmt.Sprint("tmfr-", i), Number: i + 1, Direction: mirror.Ingress, Action: mirror.Reject, Protocol: 17,
			SourceCIDR: netip.MustParsePrefix("0.0.0.0/0"), DestinationCIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(i)}), 24)})
	}
	for _, d := range []mirror.Direction{mirror.Ingress, mirror.Egress} {
		f.Rules = append(f.Rules, mirror.FilterRule{ID: "tmfr-10", Number: 10, Direction: d, Action: mirror.Accept, Protocol: -1,
			SourceCIDR: netip.MustParsePrefix("0.0.0.0/0"), DestinationCIDR: netip.MustParsePrefix("10.0.0.0/8")})
	}
	f.Rules = f.Rules[1:] // ten at most
	src, dst := netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("10.2.0.2")
	prog, err := mirror.Compile(mirror.Interface{ID: "eni-1", Addrs: []netip.Addr{netip.MustParseAddr("10.1.0.1")}},
		[]mirror.Session{{ID: "tms-1", NetworkInterfaceID: "eni-1", TargetID: "tmt-1", FilterID: "tmf-1", Number: 1, VNI: 7}},
		[]mirror.Filter{f}, mirror.CompileOptions{TargetMTU: map[string]int{"tmt-1": 9001}, Tunnels: []netip.Addr{dst}})
	if err != nil {
		b.Fatal(err)
	}
	var m agent.Engine
	var host *agent.Host
	err = l.host.Do(func() (err error) {
		if host, err = agent.NewHost(agent.HostOptions{}); err != nil {
			return err
		}
		m, err = agent.Open(engine, agent.Options{Iface: "eni0"}, &agent.Plan{Program: prog, Routes: []agent.Route{{Src: src, Dst: dst, Sender: host}}})
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	l.mirror = m
	done := make(chan error)
	go func() { done <- l.host.Do(func() error { return m.Run(context.Background()) }) }()
	b.Cleanup(func() {
		m.Close()
		if err := <-done; err != nil {
			b.Error(err)
		}
		if c := m.Counters(); c.Imbalance() != 0 || c.ErrorsSend > 0 {
			b.Errorf("%+v: %v", c, m.LastError())
		}
		host.Close()
	})
}

// BenchmarkMirror measures one burst in each mode in turn, b.N times: a frame that
// nobody mirrors, tc with mirred into a VXLAN device, and the engines of the agent. The difference to
// the first is the cost of mirroring, sending and the first steps of the receiver
// included. It is CPU time: other work on the machine disturbs it less than the rate, and
// the best rounds least.
func BenchmarkMirror(b *testing.B) {
	for _, size := range []int{128, 512, 1514} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			plain, tc, packet, bpf := newLab(b), newLab(b), newLab(b), newLab(b)
			tc.tc(b)
			packet.agent(b, agent.EngineAFPacket)
			bpf.agent(b, agent.EngineEBPF)
			modes := []*mode{{name: "none", lab: plain}, {name: "tc+vxlan", lab: tc}, {name: agent.EngineAFPacket, lab: packet}, {name: agent.EngineEBPF, lab: bpf}}
			for _, m := range modes {
				m.open(b, newFrame(size))
				m.round(b, m.name != "none")
				m.cost, m.rate, m.lost = nil, nil, 0
			}
			for b.Loop() {
				for _, m := range modes {
					m.round(b, m.name != "none")
				}
			}
			for _, m := range modes {
				m.report(b)
			}
			best := func(i int) float64 { return modes[i].cost[0] - modes[0].cost[0] }
			median := func(i int) float64 { n := len(modes[i].cost); return modes[i].cost[n/2] - modes[0].cost[n/2] }
			for i := 2; i < len(modes); i++ {
				b.ReportMetric(best(i)/best(1), modes[i].name+"/tc-best")
				b.ReportMetric(median(i)/median(1), modes[i].name+"/tc-median")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
