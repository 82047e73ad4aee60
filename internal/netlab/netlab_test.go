//go:build linux

package netlab_test

import (
	"net"
	"testing"

	"mirador/internal/netlab"
)

// Two namespaces reach each other, and only each other.
func TestVeth(t *testing.T) {
	netlab.Require(t)
	a, b := netlab.New(t), netlab.New(t)
	netlab.Veth(t, a, "left", b, "right")
	for _, p := range []string{"10.9.0.1/24", "fd00::1/64"} {
		a.Addr(t, "left", p)
	}
	for _, p := range []string{"10.9.0.2/24", "fd00::2/64"} {
		b.Addr(t, "right", p)
	}
	for _, addr := range []string{"10.9.0.2:7000", "[fd00::2]:7000"} {
		var srv *net.UDPConn
		if err := b.Do(func() error {
			ua, err := net.ResolveUDPAddr("udp", addr)
			if err != nil {
				return err
			}
			srv, err = net.ListenUDP("udp", ua)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		if err := a.Do(func() error {
			c, err := net.Dial("udp", addr)
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Write([]byte("hello"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 16)
		n, from, err := srv.ReadFromUDPAddrPort(buf)
		if err != nil || string(buf[:n]) != "hello" {
			t.Fatalf("read %q from %v: %v", buf[:n], from, err)
		}
	}
	if a.MAC(t, "left") == b.MAC(t, "right") {
		t.Error("both ends have the same address")
	}
	if _, err := net.InterfaceByName("left"); err == nil {
		t.Error("the pair is visible outside its namespaces")
	}
}
