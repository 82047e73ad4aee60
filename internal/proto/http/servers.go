package http

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"mirador/internal/proto"
	"mirador/internal/proto/body"
)

// server has the options of the servers within a network.
type server struct {
	net netip.Prefix // of IPv6; IPv4 as ::ffff:a.b.c.d
	o   *options
}

// shared is what the parsers of all flows have in common.
type shared struct {
	general *options
	servers []server // longest prefix first
	ranges  *body.Ranges
}

// options returns the options of the server at a.
func (sh *shared) options(a proto.Addr) *options {
	if len(sh.servers) > 0 {
		at := netip.AddrFrom16(a)
		for i := range sh.servers {
			if sh.servers[i].net.Contains(at) {
				return sh.servers[i].o
			}
		}
	}
	return sh.general
}

// configure makes the factory of parsers.
func configure(s proto.Settings, parts *body.Ranges) (proto.Factory, error) {
	sh := &shared{ranges: parts}
	depth := storeDepth(s.Global())
	var err error
	if sh.general, err = read(s, "libhtp.default-config.", depth); err != nil {
		return nil, err
	}
	if err = sh.readServers(s, depth); err != nil {
		return nil, err
	}
	memcap, ttl := int64(defaultRangeMemcap), int64(defaultRangeTimeout)
	if n, ok := s.Size("byterange.memcap"); ok && n > 0 {
		memcap = n
	}
	if n, ok := s.Int("byterange.timeout"); ok && n > 0 && n < 1<<30 {
		ttl = n
	}
	sh.ranges.Limit(memcap, ttl*1e9)
	return func(c *proto.Conn) proto.Parser { return newParser(c, sh) }, nil
}

func read(s proto.Settings, prefix string, depth uint64) (*options, error) {
	o := defaults()
	o.storeDepth = depth
	if err := o.read(s, prefix); err != nil {
		return nil, err
	}
	return o, nil
}

// readServers reads libhtp.server-config: a list of names, each with addresses
// and options. What is not set there has the built-in default.
func (sh *shared) readServers(s proto.Settings, depth uint64) error {
	names, _ := s.Strings("libhtp.server-config")
	for i, name := range names {
		prefix := "libhtp.server-config." + strconv.Itoa(i) + "." + name + "."
		addrs, ok := s.Strings(prefix + "address")
		if !ok || name == "" {
			continue
		}
		o, err := read(s, prefix, depth)
		if err != nil {
			return err
		}
		for _, a := range addrs {
			n, err := parseNet(a)
			if err != nil {
				return fmt.Errorf("%saddress: %q is neither an address nor a network", prefix, a)
			}
			if len(sh.servers) >= maxServers {
				return fmt.Errorf("libhtp.server-config: more than %d addresses", maxServers)
			}
			sh.servers = append(sh.servers, server{n, o})
		}
	}
	slices.SortStableFunc(sh.servers, func(a, b server) int { return b.net.Bits() - a.net.Bits() })
	return nil
}

// parseNet reads an address or a network as one of IPv6.
func parseNet(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return p, err
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return netip.PrefixFrom(netip.AddrFrom16(p.Addr().As16()), bits).Masked(), nil
}

// storeDepth returns how much of a file is stored: the depth of file-store, or
// else that of streams; 0 is no bound.
func storeDepth(g proto.Settings) uint64 {
	outs, _ := g.Strings("outputs")
	for i, name := range outs {
		if name != "file-store" {
			continue
		}
		key := "outputs." + strconv.Itoa(i) + ".file-store."
		if on, ok := g.Bool(key + "enabled"); ok && !on {
			continue
		}
		if n, ok := g.Size(key + "stream-depth"); ok && n >= 0 {
			return uint64(n)
		}
	}
	if n, ok := g.Size("stream.reassembly.depth"); ok && n >= 0 {
		return uint64(n)
	}
	return defaultStoreDepth
}
