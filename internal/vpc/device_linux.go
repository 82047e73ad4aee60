package vpc

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// deviceSpec is what an interface is to be on the machine.
type deviceSpec struct {
	eni     string
	index   int    // device index: the device is called eth<index>
	device  string // a device that exists already, instead of a veth pair
	mac     [6]byte
	mtu     int
	addrs   []netip.Prefix // with the length of their subnet
	routers []netip.Addr   // of the subnet
}

func (d *deviceSpec) name() string { return "eth" + strconv.Itoa(d.index) }

// plug makes the veth pair of d: one end is in the namespace at, the other, called hubName, in
// hub, where the network reads it.
func plug(hub *namespace, hubName string, at *namespace, d *deviceSpec) (*Port, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.Alias = hubName, d.mtu, d.eni
	v := &netlink.Veth{
		LinkAttrs: attrs, PeerName: d.name(), PeerNamespace: netlink.NsFd(at.fd),
		PeerHardwareAddr: net.HardwareAddr(d.mac[:]), PeerMTU: uint32(d.mtu),
	}
	if err := hub.nl.LinkAdd(v); err != nil {
		return nil, fmt.Errorf("make veth %s of %s: %w", d.name(), d.eni, err)
	}
	p, err := d.finish(hub, hubName, at)
	if err != nil {
		hub.nl.LinkDel(v)
		return nil, fmt.Errorf("set up %s of %s: %w", d.name(), d.eni, err)
	}
	return p, nil
}

func (d *deviceSpec) finish(hub *namespace, hubName string, at *namespace) (*Port, error) {
	near, err := hub.nl.LinkByName(hubName)
	if err != nil {
		return nil, err
	}
	hub.nl.LinkSetAlias(near, d.eni)
	if err := hub.in(func() error {
		// The network's end has no addresses and says nothing of its own.
		setctl("ipv6/conf/"+hubName+"/disable_ipv6", "1")
		return nil
	}); err != nil {
		return nil, err
	}
	if err := hub.nl.LinkSetUp(near); err != nil {
		return nil, err
	}
	var p *Port
	if err := hub.in(func() (err error) {
		p, err = openPort(d.eni, hubName)
		return err
	}); err != nil {
		return nil, err
	}
	if err := d.configure(at); err != nil {
		unix.Close(p.fd)
		return nil, err
	}
	return p, nil
}

// configure sets up the instance's end: frames as long as the wire takes them, with
// checksums in them, as an ENA device hands them to the VPC; addresses; routes.
func (d *deviceSpec) configure(at *namespace) error {
	link, err := at.nl.LinkByName(d.name())
	if err != nil {
		return err
	}
	at.nl.LinkSetAlias(link, d.eni)
	if err := at.in(func() error {
		setctl("ipv6/conf/"+d.name()+"/accept_dad", "0")
		setctl("ipv6/conf/"+d.name()+"/accept_ra", "0")
		setctl("ipv4/conf/all/rp_filter", "0")
		setctl("ipv4/conf/"+d.name()+"/rp_filter", "0")
		setctl("ipv4/ping_group_range", "0 2147483647")
		return offloadsOff(d.name())
	}); err != nil {
		return err
	}
	for _, p := range d.addrs {
		a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := at.nl.AddrReplace(link, a); err != nil {
			return fmt.Errorf("add %s: %w", p, err)
		}
	}
	if err := at.nl.LinkSetUp(link); err != nil {
		return err
	}
	return d.route(at, link)
}

// readdress changes the addresses of a device from those of d to those of o.
func (d *deviceSpec) readdress(at *namespace, o *deviceSpec) error {
	link, err := at.nl.LinkByName(d.name())
	if err != nil {
		return err
	}
	for _, p := range d.addrs {
		if slices.Contains(o.addrs, p) {
			continue
		}
		a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
		if err := at.nl.AddrDel(link, a); err != nil {
			return fmt.Errorf("remove %s: %w", p, err)
		}
		rule := netlink.NewRule()
		rule.Src = &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Addr().BitLen(), p.Addr().BitLen())}
		rule.Table, rule.Priority = 10000+d.index, 1000+d.index
		if d.index > 0 {
			at.nl.RuleDel(rule)
		}
	}
	fresh := *o
	fresh.addrs = slices.DeleteFunc(slices.Clone(o.addrs), func(p netip.Prefix) bool { return slices.Contains(d.addrs, p) })
	return fresh.configure(at)
}

// route gives the device a default route, and a table of its own for what is sent from
// its addresses, so that answers leave by the interface that was asked. Amazon Linux does
// the same (amazon-ec2-net-utils).
func (d *deviceSpec) route(at *namespace, link netlink.Link) error {
	for _, v6 := range []bool{false, true} {
		var gw netip.Addr
		for _, r := range d.routers {
			if r.Is6() == v6 {
				gw = r
			}
		}
		var from []netip.Addr
		for _, p := range d.addrs {
			if p.Addr().Is6() == v6 {
				from = append(from, p.Addr())
			}
		}
		if !gw.IsValid() || len(from) == 0 {
			continue
		}
		all := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
		if v6 {
			all = &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
		}
		table := 10000 + d.index
		for _, r := range []*netlink.Route{
			{LinkIndex: link.Attrs().Index, Dst: all, Gw: gw.AsSlice(), Priority: 512 + d.index},
			{LinkIndex: link.Attrs().Index, Dst: all, Gw: gw.AsSlice(), Table: table},
		} {
			if err := at.nl.RouteReplace(r); err != nil {
				return fmt.Errorf("route by %s: %w", gw, err)
			}
		}
		if d.index == 0 {
			continue // the main table does
		}
		for _, a := range from {
			rule := netlink.NewRule()
			rule.Src = &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
			rule.Table, rule.Priority = table, 1000+d.index
			rule.Family = unix.AF_INET
			if v6 {
				rule.Family = unix.AF_INET6
			}
			// The rule of an interface that had the address before stays when its device goes.
			if old, err := at.nl.RuleListFiltered(rule.Family, &netlink.Rule{Src: rule.Src}, netlink.RT_FILTER_SRC); err == nil {
				for i := range old {
					at.nl.RuleDel(&old[i])
				}
			}
			if err := at.nl.RuleAdd(rule); err != nil {
				return fmt.Errorf("rule for %s: %w", a, err)
			}
		}
		// Neighbours by the device itself, for its own table.
		for _, p := range d.addrs {
			if p.Addr().Is6() != v6 {
				continue
			}
			m := p.Masked()
			at.nl.RouteReplace(&netlink.Route{
				LinkIndex: link.Attrs().Index, Table: table, Scope: netlink.SCOPE_LINK,
				Dst: &net.IPNet{IP: m.Addr().AsSlice(), Mask: net.CIDRMask(m.Bits(), m.Addr().BitLen())},
			})
		}
	}
	return nil
}

// offloadsOff makes the kernel hand over frames as they are on a wire: checksums made,
// segments cut. It is called within the device's namespace.
func offloadsOff(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	type value struct{ cmd, data uint32 }
	type ifreq struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	const (
		setTXChecksum = 0x17 // ETHTOOL_STXCSUM
		setTSO        = 0x1f // ETHTOOL_STSO
		setGSO        = 0x24 // ETHTOOL_SGSO
		setGRO        = 0x2c // ETHTOOL_SGRO
	)
	for _, cmd := range []uint32{setTSO, setGSO, setGRO, setTXChecksum} {
		v := &value{cmd: cmd}
		r := ifreq{data: unsafe.Pointer(v)}
		copy(r.name[:unix.IFNAMSIZ-1], name)
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&r)))
		if errno != 0 && cmd == setTXChecksum {
			return fmt.Errorf("turn transmit checksum offload of %s off: %w", name, errno)
		}
	}
	return nil
}
