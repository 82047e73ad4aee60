package vpc

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/vishvananda/netlink"

	"mirador/internal/ec2api"
)

// inside serves an instance what EC2 answers on the link: the metadata service, and the
// endpoint at the address that it has on this machine's loopback interface. Neither is
// traffic of the network.
type inside struct {
	servers  []*http.Server
	redirect *redirect // to the metadata service; nil where the kernel has none
}

// insidePatience bounds a connection of an instance to its own services.
const insidePatience = 30 * time.Second

// openInside begins to serve an instance. What cannot be served is told, and the instance
// goes without.
func (n *Network) openInside(instance string, ns *namespace) {
	x := &inside{}
	n.insides[instance] = x
	if len(n.metadataKey) == 0 {
		n.metadataKey = make([]byte, 32)
		rand.Read(n.metadataKey) // it does not fail
	}
	lo, err := ns.nl.LinkByName("lo")
	if err == nil {
		err = ns.nl.AddrAdd(lo, &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(metadataAddr).To4(), Mask: net.CIDRMask(32, 32)}})
	}
	if err == nil {
		err = x.serveMetadata(ns, &metadata{instance: instance, key: n.metadataKey, now: time.Now, snapshot: func() *ec2api.Snapshot {
			n.mu.Lock()
			defer n.mu.Unlock()
			return n.snap
		}})
	}
	if err != nil {
		n.log.Warn("no metadata service", "instance", instance, "error", err)
	}
	u, err := url.Parse(n.o.Endpoint)
	if n.o.API == nil || err != nil || u.Port() == "" {
		return
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		return
	}
	if err := x.serve(ns, u.Host, n.o.API, nil); err != nil {
		n.log.Warn("the endpoint cannot be reached", "instance", instance, "error", err)
	}
}

// serveMetadata serves the metadata service at its address. Port 80 stays free for the
// programs of the instance where the kernel can redirect connections (Linux 5.9, CAP_BPF).
func (x *inside) serveMetadata(ns *namespace, h http.Handler) error {
	to := netip.AddrPortFrom(netip.MustParseAddr(metadataAddr), 80)
	err := x.serve(ns, "127.0.0.1:0", h, func(l net.Listener) (err error) {
		x.redirect, err = newRedirect(ns, to, l.(*net.TCPListener))
		return err
	})
	if err == nil {
		return nil
	}
	x.redirect = nil
	return x.serve(ns, to.String(), h, nil)
}

// serve listens within a namespace. An error of ready, which is called before anything is
// served, takes the listener back.
func (x *inside) serve(ns *namespace, addr string, h http.Handler, ready func(net.Listener) error) error {
	var l net.Listener
	err := ns.in(func() (err error) {
		var lc net.ListenConfig
		lc.SetMultipathTCP(false) // such sockets cannot be redirected to
		l, err = lc.Listen(context.Background(), "tcp", addr)
		return err
	})
	if err != nil {
		return err
	}
	if ready != nil {
		if err := ready(l); err != nil {
			l.Close()
			return err
		}
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: insidePatience, ReadTimeout: insidePatience, WriteTimeout: 2 * insidePatience, IdleTimeout: insidePatience, MaxHeaderBytes: 64 << 10}
	x.servers = append(x.servers, s)
	go s.Serve(l)
	return nil
}

// close ends what openInside began.
func (x *inside) close() error {
	var errs []error
	if x.redirect != nil {
		errs = append(errs, x.redirect.close())
	}
	for _, s := range x.servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
