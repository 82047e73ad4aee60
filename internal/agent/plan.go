package agent

import (
	"fmt"
	"net/netip"
)

// Route is where the packets of one session go. It is not changed once it is in a Plan;
// the caller finds out where a target is, and swaps in another plan when it moves.
type Route struct {
	// Session is the id of the session; counters of the same id go on after a swap.
	Session string
	// Src and Dst are the outer addresses: the primary address of the source interface,
	// and that of the target's interface or load balancer node. Both are of one family.
	Src, Dst netip.Addr
	// Port is the outer destination port; 0 means 4789.
	Port uint16
	// MTU is that of the target: a frame is cut so that its outer packet fits. 0 cuts
	// nothing.
	MTU int
	// GWLB, when not nil, wraps the packet in GENEVE as a Gateway Load Balancer does.
	GWLB *GWLB
	// Sender takes the packets away; nil means that the target is away: packets are
	// counted as errors.
	Sender Sender
}

// GWLB is the way from a Gateway Load Balancer to one of its appliances.
type GWLB struct {
	Src, Dst   netip.Addr // of the load balancer's node and the appliance
	Endpoint   uint64     // id of the endpoint's interface: the hexadecimal digits of eni-...
	Attachment uint64     // id of the attachment
}

func (r *Route) check() error {
	same := func(a, b netip.Addr) bool {
		return a.IsValid() && b.IsValid() && a.Is4() == b.Is4() && !a.Is4In6() && !b.Is4In6()
	}
	switch {
	case r.Sender == nil:
		return nil
	case !same(r.Src, r.Dst):
		return fmt.Errorf("session %q: %v to %v: two addresses of one family are needed", r.Session, r.Src, r.Dst)
	case r.GWLB != nil && !same(r.GWLB.Src, r.GWLB.Dst):
		return fmt.Errorf("session %q: %v to %v: two addresses of one family are needed", r.Session, r.GWLB.Src, r.GWLB.Dst)
	case r.MTU < 0:
		return fmt.Errorf("session %q: MTU %d", r.Session, r.MTU)
	}
	return nil
}
