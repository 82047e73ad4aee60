package capture

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/net/bpf"

	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

const testSeed = 0x1234567

// machine runs a steering program, as the kernel would.
func machine(t *testing.T, start steerStart, n int) *bpf.VM {
	t.Helper()
	raw, err := steerProgram(start, n, testSeed)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 4096 {
		t.Fatalf("%d instructions, the kernel takes 4096", len(raw))
	}
	code, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatal("program has instructions that are not known")
	}
	vm, err := bpf.NewVM(code)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

func run(t *testing.T, vm *bpf.VM, b []byte) int {
	t.Helper()
	n, err := vm.Run(b)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The same socket for both directions, whatever is around the flow, and each one gets
// its share.
func TestSteerSymmetric(t *testing.T) {
	const sockets, flows = 4, 400
	vxlan := machine(t, steerVXLAN, sockets)
	geneve := machine(t, steerGENEVE, sockets)
	ip := machine(t, steerIP, sockets)
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct{ name, form string }{
		{"ipv4 tcp", "eth ip %s tcp %s | x"},
		{"ipv4 udp", "eth ip %s udp %s | x"},
		{"ipv4 sctp", "eth ip %s sctp %s | x"},
		{"ipv4 options", "eth ip %s opts=94040000 tcp %s | x"},
		{"vlan", "eth vlan 5 ip %s tcp %s | x"},
		{"qinq", "eth qinq 5 vlan 6 ip %s tcp %s | x"},
		{"ipv6 tcp", "eth ip6 %s tcp %s | x"},
		{"ipv6 vlan udp", "eth vlan 7 ip6 %s udp %s | x"},
		{"ipv6 options", "eth ip6 %s hop tcp %s | x"},
		{"ipv6 two options", "eth ip6 %s hop dst opts=010c000000000000000000000000 tcp %s | x"},
	} {
		var share [sockets]int
		for range flows {
			a := fmt.Sprintf("10.%d.%d.%d", rnd.IntN(256), rnd.IntN(256), rnd.IntN(256))
			b := fmt.Sprintf("172.16.%d.%d", rnd.IntN(256), rnd.IntN(256))
			if c.name[:4] == "ipv6" {
				a, b = fmt.Sprintf("fd00::%x:%x", rnd.IntN(65536), rnd.IntN(65536)), fmt.Sprintf("2001:db8::%x", rnd.IntN(65536))
			}
			p, q := rnd.IntN(65536), rnd.IntN(65536)
			to := pkttest.Frame(fmt.Sprintf(c.form, a+" "+b, fmt.Sprint(p, q)))
			fro := pkttest.Frame(fmt.Sprintf(c.form, b+" "+a, fmt.Sprint(q, p)))
			var got [2][]int
			for i, frame := range [][]byte{to, fro} {
				mirror := pkttest.MirrorIP(frame, 9)
				got[i] = []int{
					run(t, vxlan, mirror[28:]),
					run(t, geneve, append(packet.AppendGENEVE(nil, 1, packet.EtherTypeBridge, nil), frame...)),
					run(t, geneve, pkttest.GWLB(mirror, 1, 2, uint32(i))[14+28:]),
					run(t, ip, mirror),
					run(t, ip, pkttest.GWLB(mirror, 1, 2, uint32(i))[14:]),
				}
			}
			for i, frame := range [][]byte{to, fro} {
				mirror := pkttest.Mirror(frame, 9)
				for _, f := range []Frame{
					{Link: packet.LinkVXLAN, Data: mirror[42:]},
					{Link: packet.LinkGENEVE, Data: append(packet.AppendGENEVE(nil, 1, packet.EtherTypeBridge, nil), frame...)},
					{Link: packet.LinkGENEVE, Data: pkttest.GWLB(mirror[14:], 1, 2, uint32(i))[14+28:]},
					{Link: packet.LinkEthernet, Data: mirror},
					{Link: packet.LinkEthernet, Data: pkttest.GWLB(mirror[14:], 1, 2, uint32(i))},
				} {
					if n := Steer(&f, sockets, testSeed); n != got[i][0] {
						t.Fatalf("%s: Steer %d, the program %d", c.name, n, got[i][0])
					}
				}
			}
			if fmt.Sprint(got[0]) != fmt.Sprint(got[1]) {
				t.Fatalf("%s: sockets %v one way and %v the other, %s:%d %s:%d", c.name, got[0], got[1], a, p, b, q)
			}
			for _, i := range []int{1, 2, 3, 4} {
				if got[0][i] != got[0][0] {
					t.Fatalf("%s: sockets %v, want the same one in every wrapping", c.name, got[0])
				}
			}
			share[got[0][0]]++
		}
		for i, n := range share {
			if n < flows/sockets/2 {
				t.Errorf("%s: socket %d got %d of %d flows: %v", c.name, i, n, flows, share)
			}
		}
	}
}

// All fragments of a packet meet, and no cut or odd packet reaches beyond the sockets.
func TestSteerOdd(t *testing.T) {
	vm := machine(t, steerVXLAN, 3)
	whole := pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 7 9 | 0123456789012345678901234567890123456789")
	first := -1
	for _, b := range pkttest.Fragments(whole, 16) {
		n := run(t, vm, append(packet.AppendVXLAN(nil, 1), b...))
		if first >= 0 && n != first {
			t.Errorf("fragments at sockets %d and %d", first, n)
		}
		first = n
	}
	full := append(packet.AppendVXLAN(nil, 1), pkttest.Frame("eth vlan 1 ip6 fd00::1 fd00::2 hop dst tcp 1 2")...)
	for i := range full {
		n := run(t, vm, full[:i])
		if n < 0 || n > 2 {
			t.Errorf("cut at %d: socket %d", i, n)
		}
		if soft := Steer(&Frame{Link: packet.LinkVXLAN, Data: full[:i]}, 3, testSeed); soft != n {
			t.Errorf("cut at %d: Steer %d, the program %d", i, soft, n)
		}
	}
	for _, desc := range []string{"eth type=0x0806 raw 0001", "eth type=0x86dd", "eth ip 10.0.0.1 10.0.0.2 proto=99 | x"} {
		b := append(packet.AppendVXLAN(nil, 1), pkttest.Frame(desc)...)
		n := run(t, vm, b)
		if n < 0 || n > 2 {
			t.Errorf("%s: socket %d", desc, n)
		}
		if soft := Steer(&Frame{Link: packet.LinkVXLAN, Data: b}, 3, testSeed); soft != n {
			t.Errorf("%s: Steer %d, the program %d", desc, soft, n)
		}
	}
}

// The port filter takes what it should, without a kernel.
func TestPortFilter(t *testing.T) {
	vm, err := bpf.NewVM(portFilter([]uint16{4789, 6081}))
	if err != nil {
		t.Fatal(err)
	}
	for desc, want := range map[string]bool{
		"eth ip 10.0.0.1 10.0.0.2 udp 1 4789 | x":                true,
		"eth ip 10.0.0.1 10.0.0.2 opts=94040000 udp 1 6081 | x":  true,
		"eth ip 10.0.0.1 10.0.0.2 udp 4789 1 | x":                false,
		"eth ip 10.0.0.1 10.0.0.2 tcp 1 4789 | x":                false,
		"eth ip 10.0.0.1 10.0.0.2 frag=0x2000 udp 1 4789 | x":    true,
		"eth ip 10.0.0.1 10.0.0.2 frag=2 proto=17 | xxxxxxxxxxx": true,
		"eth ip6 fd00::1 fd00::2 udp 1 4789 | x":                 true,
		"eth ip6 fd00::1 fd00::2 udp 1 53 | x":                   false,
		"eth ip6 fd00::1 fd00::2 frag 8 next=17 | x":             true,
		"eth type=0x0806 raw 00010800":                           false,
	} {
		if got := run(t, vm, pkttest.Frame(desc)) != 0; got != want {
			t.Errorf("%s: taken %v, want %v", desc, got, want)
		}
	}
}

// BenchmarkSteer is what the choice costs one receiver where the kernel does not make it.
func BenchmarkSteer(b *testing.B) {
	f := Frame{Link: packet.LinkVXLAN, Data: pkttest.Mirror(pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 tcp 1 2 | x"), 9)[42:]}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n += Steer(&f, 8, testSeed)
	}
	if n < 0 {
		b.Fatal(n)
	}
}

// FuzzSteer holds the choice in Go to that of the kernel's program, for any bytes.
func FuzzSteer(f *testing.F) {
	for _, desc := range []string{
		"eth ip 10.0.0.1 10.0.0.2 tcp 1 2 | x", "eth vlan 5 ip 10.0.0.1 10.0.0.2 udp 1 2", "eth qinq 5 vlan 6 ip6 fd00::1 fd00::2 tcp 1 2",
		"eth ip6 fd00::1 fd00::2 hop udp 1 4789", "eth ip 10.0.0.1 10.0.0.2 frag=0x2000 udp 1 4789 | x", "eth ip 10.0.0.1 10.0.0.2 opts=94040000 udp 1 6081 | x",
	} {
		frame := pkttest.Frame(desc)
		mirror := pkttest.Mirror(frame, 9)
		f.Add(frame)
		f.Add(mirror)
		f.Add(mirror[42:])
		gwlb := pkttest.GWLB(mirror[14:], 1, 2, 3)
		f.Add(gwlb)
		f.Add(gwlb[42:])
	}
	const workers = 5
	links := [...]struct {
		link  packet.Link
		start steerStart
		skip  int
	}{{packet.LinkVXLAN, steerVXLAN, 0}, {packet.LinkGENEVE, steerGENEVE, 0}, {packet.LinkEthernet, steerIP, lenEther}}
	var vms [len(links)]*bpf.VM
	for i, l := range links {
		raw, err := steerProgram(l.start, workers, testSeed)
		if err != nil {
			f.Fatal(err)
		}
		code, _ := bpf.Disassemble(raw)
		if vms[i], err = bpf.NewVM(code); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for i, l := range links {
			if len(b) < l.skip {
				continue
			}
			want, err := vms[i].Run(b[l.skip:])
			if err != nil {
				t.Fatal(err)
			}
			if got := Steer(&Frame{Link: l.link, Data: b}, workers, testSeed); got != want {
				t.Errorf("link %d: Steer %d, the program %d for %x", l.link, got, want, b)
			}
		}
	})
}
