package mirror

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mirador/internal/netlab"
	"mirador/internal/pkttest"
)

// lab is a source host with an interface to the world and one to the target.
type lab struct {
	host, world, target *netlab.NS
	eni, out            int // indexes of the source host's interfaces
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
	if err := l.target.Do(func() error { dropAllErr(b, l.target.Link(b, "t0").Attrs().Index); return nil }); err != nil {
		b.Fatal(err)
	}
	return l
}

func dropAllErr(b *testing.B, ifindex int) { dropAll(b, ifindex) }

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

var frame = pkttest.Frame("eth ip 10.1.0.2 10.1.0.1 udp 4000 8080 | " + strings.Repeat("x", 470))

const burst = 1 << 20

// measure lets the generator send b.N bursts and reports the cost per frame.
func (l *lab) measure(b *testing.B, frame []byte) {
	err := l.host.Do(func() error {
		runtime.LockOSThread()
		g, err := newGenerator(frame, 34, l.eni)
		if err != nil {
			return err
		}
		defer g.prog.Close()
		if err := g.run(1 << 16); err != nil {
			return err
		}
		before, got := now(b), l.received(b)
		start := time.Now()
		b.ResetTimer()
		for b.Loop() {
			if err := g.run(burst); err != nil {
				return err
			}
		}
		wall := time.Since(start)
		after := now(b)
		n := float64(b.N) * burst
		b.ReportMetric(float64(after.self-before.self+after.softirq-before.softirq)/n, "cpu-ns/frame")
		b.ReportMetric(float64(after.thread-before.thread)/n, "gen-ns/frame")
		b.ReportMetric(float64(after.softirq-before.softirq)/n, "softirq-ns/frame")
		b.ReportMetric(float64(l.received(b)-got)/wall.Seconds()/1e6, "Mpps")
		b.ReportMetric(float64(l.received(b)-got)/n, "mirrored/frame")
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func (l *lab) tc(b *testing.B, filters bool) {
	l.run(b, "ip link add vx0 type vxlan id 7 remote 10.2.0.2 local 10.2.0.1 dstport 4789 dev out0")
	l.run(b, "ip link set vx0 mtu 8900 up")
	l.run(b, "tc qdisc add dev eni0 clsact")
	if filters {
		for i := range 9 {
			l.run(b, fmt.Sprintf("tc filter add dev eni0 ingress prio %d protocol ip u32 match ip dst 172.16.%d.0/24 match ip protocol 17 0xff flowid 1:1", i+1, i))
		}
	}
	l.run(b, "tc filter add dev eni0 ingress prio 10 protocol ip u32 match ip dst 10.0.0.0/8 action mirred egress mirror dev vx0")
	l.run(b, "tc filter add dev eni0 egress prio 10 protocol ip u32 match ip dst 10.0.0.0/8 action mirred egress mirror dev vx0")
}

func BenchmarkMirror(b *testing.B) {
	b.Run("none", func(b *testing.B) { newLab(b).measure(b, frame) })
	b.Run("tc-vxlan", func(b *testing.B) {
		l := newLab(b)
		l.tc(b, true)
		l.measure(b, frame)
	})
	b.Run("tc-vxlan-nofilter", func(b *testing.B) {
		l := newLab(b)
		l.tc(b, false)
		l.measure(b, frame)
	})
}

var _ = netlink.FAMILY_V4
