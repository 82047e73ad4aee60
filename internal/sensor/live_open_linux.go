package sensor

import (
	"fmt"
	"net/netip"

	"mirador/internal/capture"
	"mirador/internal/packet"
)

// OpenInputs opens sockets or rings, one for each worker where the kernel takes the
// steering program, else one for all.
func OpenInputs(o InputOptions) ([]Input, error) {
	var all []Input
	done := false
	defer func() {
		if !done {
			for _, in := range all {
				in.close()
			}
		}
	}()
	if o.AFPacket != "" {
		in, err := openAFPacket(o)
		if err != nil {
			return nil, err
		}
		done = true
		return []Input{in}, nil
	}
	for _, p := range []struct {
		name  string
		link  packet.Link
		addrs []netip.AddrPort
	}{{"vxlan", packet.LinkVXLAN, o.VXLAN}, {"geneve", packet.LinkGENEVE, o.GENEVE}} {
		for _, a := range p.addrs {
			in, err := openUDP(o, p.name, p.link, a)
			if err != nil {
				return nil, err
			}
			all = append(all, in)
		}
	}
	done = true
	return all, nil
}

func openUDP(o InputOptions, name string, link packet.Link, addr netip.AddrPort) (Input, error) {
	u := capture.UDPOptions{Addr: addr, Link: link, Sockets: o.Workers, RcvBuf: o.RcvBuf, Seed: o.Seed, Iface: o.Iface, NoSteer: o.NoSteer}
	list, err := capture.ListenUDP(u)
	if err != nil {
		return Input{}, err
	}
	why := list[0].Steering()
	if why != nil && o.Workers > 1 {
		for _, r := range list {
			r.Close()
		}
		u.Sockets, u.Addr = 1, list[0].LocalAddr()
		if list, err = capture.ListenUDP(u); err != nil {
			return Input{}, err
		}
	}
	at := list[0].LocalAddr()
	in := Input{Name: fmt.Sprintf("%s %v", name, at), Addr: at, Unsteered: why}
	for _, r := range list {
		in.Readers = append(in.Readers, r)
	}
	return in, nil
}

func openAFPacket(o InputOptions) (Input, error) {
	a := capture.AFPacketOptions{Iface: o.AFPacket, Rings: o.Workers, Ports: o.Ports, Seed: o.Seed, NoSteer: o.NoSteer}
	var why error
	list, err := capture.OpenAFPacket(a)
	if err == nil {
		why = list[0].Steering()
	}
	if o.Workers > 1 && (err != nil || why != nil) {
		for _, r := range list {
			r.Close()
		}
		if why == nil {
			why = err
		}
		a.Rings = 1
		list, err = capture.OpenAFPacket(a)
	}
	if err != nil {
		return Input{}, err
	}
	in := Input{Name: "af_packet " + o.AFPacket, Unsteered: why}
	for _, r := range list {
		in.Readers = append(in.Readers, r)
	}
	return in, nil
}
