package sensor_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"mirador/internal/netlab"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
	"mirador/internal/sensor"
)

// wired is a sensor's host and a mirror source's, joined by a traffic link and a
// management link.
func wired(t *testing.T) (host, source *netlab.NS) {
	t.Helper()
	netlab.Require(t)
	host, source = netlab.New(t), netlab.New(t)
	for i, name := range []string{"traffic", "manage"} {
		netlab.Veth(t, host, name, source, name)
		host.Addr(t, name, fmt.Sprintf("10.9.%d.1/24", i))
		source.Addr(t, name, fmt.Sprintf("10.9.%d.2/24", i))
	}
	return host, source
}

// sendFrom sends a datagram within a namespace.
func sendFrom(t *testing.T, ns *netlab.NS, to string, payload []byte) {
	t.Helper()
	if err := ns.Do(func() error {
		c, err := net.Dial("udp", to)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write(payload)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Sockets bound to the traffic interface's address, or to the interface itself, do not
// take what comes in elsewhere.
func TestLiveTrafficInterface(t *testing.T) {
	for _, c := range []struct {
		name, listen, iface string
	}{{"address", "10.9.0.1:4789", ""}, {"interface", "0.0.0.0:4789", "traffic"}} {
		t.Run(c.name, func(t *testing.T) {
			host, source := wired(t)
			r := newRig(t, rigOptions{workers: 2, inputs: func(workers int) (in []sensor.Input, err error) {
				err = host.Do(func() error {
					in, err = sensor.OpenInputs(sensor.InputOptions{VXLAN: []netip.AddrPort{netip.MustParseAddrPort(c.listen)}, Iface: c.iface, Workers: workers})
					return err
				})
				return in, err
			}})
			for n := range 3 {
				frame := vxlan(7, pkttest.Frame(fmt.Sprintf("eth ip 10.0.0.1 10.0.0.%d udp 1 2 | x", n+2)))
				sendFrom(t, source, "10.9.1.1:4789", frame) // first, so that it would be counted first
				sendFrom(t, source, "10.9.0.1:4789", frame)
				r.sent++
			}
			r.received()
			s := r.end()
			if s.Ledger.Received != 3 || len(s.Sources) != 1 {
				t.Fatalf("received %d, want 3; sources %+v", s.Ledger.Received, s.Sources)
			}
			if src := s.Sources[0]; src.Outer != packet.AddrFrom4([4]byte{10, 9, 0, 2}) || src.VNI != 7 || src.Packets != 3 {
				t.Errorf("source %+v", src)
			}
		})
	}
}

// AF_PACKET gives the same account and events as sockets, on an interface whose
// kernel has no socket for the port.
func TestLiveAFPacket(t *testing.T) {
	host, source := wired(t)
	r := newRig(t, rigOptions{workers: 2, inputs: func(workers int) (in []sensor.Input, err error) {
		err = host.Do(func() error {
			in, err = sensor.OpenInputs(sensor.InputOptions{AFPacket: "traffic", Ports: []uint16{4789, 6081}, Workers: workers, Seed: 3})
			return err
		})
		return in, err
	}})
	if r.inputs[0].Unsteered != nil {
		t.Fatalf("not steered: %v", r.inputs[0].Unsteered)
	}
	const flows = 20
	for n := range flows {
		for _, f := range hello(n).Frames {
			sendFrom(t, source, "10.9.0.1:4789", vxlan(100, f.Data))
			r.sent++
		}
	}
	sendFrom(t, source, "10.9.0.1:53", []byte("not for us"))
	r.received()
	s := r.end()
	if l := s.Ledger; l.Received != r.sent || l.Processed != r.sent || l.Tunnelled != r.sent {
		t.Errorf("sent %d: %+v", r.sent, l)
	}
	alerts := r.events.events(t, "alert")
	if len(alerts) != flows {
		t.Errorf("%d alerts, want %d", len(alerts), flows)
	}
	for _, a := range alerts {
		if tun := a["tunnel"].(map[string]any); tun["src_ip"] != "10.9.0.2" || tun["dest_ip"] != "10.9.0.1" || tun["dest_port"].(float64) != 4789 {
			t.Fatalf("tunnel %v", tun)
		}
	}
	for _, f := range r.events.events(t, "flow") {
		if f["dest_port"].(float64) == 4789 {
			t.Errorf("a flow of the outer packets: %v", f)
		}
	}
}

// A port that is taken is an error that names it.
func TestLivePortTaken(t *testing.T) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	at := c.LocalAddr().(*net.UDPAddr).AddrPort()
	if _, err := sensor.OpenInputs(sensor.InputOptions{VXLAN: []netip.AddrPort{at}, Workers: 2}); err == nil {
		t.Error("a taken port was opened")
	}
}
