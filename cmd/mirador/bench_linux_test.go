package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mirador/internal/config"
	"mirador/internal/pkttest"
	"mirador/internal/sensor"
)

// maxSocketFrames bounds one operation of BenchmarkSocket.
const maxSocketFrames = 100_000

// socketWindow is how many bytes may be on their way: less than the smallest socket
// buffer holds, so that nothing is lost and the figure is that of a sensor at work.
const socketWindow = 32 << 10

// BenchmarkSocket sends the mixed mirror capture as datagrams to a live sensor of one
// worker with all ET Open rules, over the loopback interface. An operation is one
// pass of at most maxSocketFrames; the sensor's CPU time is the process' less that of
// the sending thread.
func BenchmarkSocket(b *testing.B) {
	rules := pkttest.Shared(b, "data", "etopen", "composite-2025-07.rules")
	eve := filepath.Join(b.TempDir(), "eve.json")
	text := fmt.Sprintf("sensor: {workers: 1, drain: 0s, state: \"\"}\nhealth: {listen: \"\"}\nmanagement: {listen: \"\"}\neve: {path: %q}\n"+
		"suricata: {set: {vars.address-groups.EXTERNAL_NET: any}}\n", eve)
	if _, err := config.Parse([]byte(text), "bench.yaml", nil); err != nil {
		b.Fatal(err)
	}
	ruleText, err := os.ReadFile(rules)
	if err != nil {
		b.Fatal(err)
	}
	var in []sensor.Input
	n, err := newNode(nodeOptions{
		log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		material: material{
			config: func() (*config.File, error) { return config.Parse([]byte(text), "bench.yaml", nil) },
			rules:  func() (string, []byte) { return rules, ruleText },
		},
		inputs: func(workers int, seed uint32) (_ []sensor.Input, err error) {
			in, err = sensor.OpenInputs(sensor.InputOptions{VXLAN: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Workers: workers, Seed: seed})
			return in, err
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := n.start(); err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- n.run(b.Context()) }()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(in[0].Addr))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	frames := mixedMirror(b)
	frames = frames[:min(len(frames), maxSocketFrames)]

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	sent, flying, cpu := uint64(0), 0, time.Duration(0)
	for b.Loop() {
		start, mine := cpuTime(b, unix.RUSAGE_SELF), cpuTime(b, unix.RUSAGE_THREAD)
		for i := range frames {
			if _, err := conn.Write(frames[i].Data[14+20+8:]); err != nil {
				b.Fatal(err)
			}
			sent++
			if flying += len(frames[i].Data); flying >= socketWindow {
				for flying = 0; arrived(n) < sent; {
					runtime.Gosched()
				}
			}
		}
		cpu += cpuTime(b, unix.RUSAGE_SELF) - start - (cpuTime(b, unix.RUSAGE_THREAD) - mine)
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "packets/s")
	b.ReportMetric(float64(sent)/cpu.Seconds(), "packets/s-of-CPU")
	l := &n.live.Load().Snapshot().Ledger
	if l.Kernel != 0 {
		b.Errorf("%d datagrams lost in the kernel", l.Kernel)
	}
}

// arrived returns how many frames the sensor, or the kernel before it, accounts for.
func arrived(n *node) uint64 {
	l := &n.live.Load().Snapshot().Ledger
	return l.Received + l.Kernel
}

// cpuTime returns the CPU time of the process or thread.
func cpuTime(b *testing.B, who int) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
