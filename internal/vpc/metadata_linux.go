package vpc

import (
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/vishvananda/netlink"

	"mirador/internal/ec2api"
)

// inside serves an instance what EC2 answers on the link: the metadata service, and the
// endpoint at the address that it has on this machine's loopback interface. Neither is
// traffic of the network.
type inside struct{ servers []*http.Server }

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
		err = x.serve(ns, net.JoinHostPort(metadataAddr, "80"), &metadata{instance: instance, key: n.metadataKey, now: time.Now, snapshot: func() *ec2api.Snapshot {
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
	if err := x.serve(ns, u.Host, n.o.API); err != nil {
		n.log.Warn("the endpoint cannot be reached", "instance", instance, "error", err)
	}
}

// serve listens within a namespace.
func (x *inside) serve(ns *namespace, addr string, h http.Handler) error {
	var l net.Listener
	err := ns.in(func() (err error) {
		l, err = net.Listen("tcp", addr)
		return err
	})
	if err != nil {
		return err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: insidePatience, ReadTimeout: insidePatience, WriteTimeout: 2 * insidePatience, IdleTimeout: insidePatience, MaxHeaderBytes: 64 << 10}
	x.servers = append(x.servers, s)
	go s.Serve(l)
	return nil
}

// close ends what openInside began.
func (x *inside) close() error {
	var errs []error
	for _, s := range x.servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
