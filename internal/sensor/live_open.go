package sensor

import "net/netip"

// InputOptions say which inputs OpenInputs opens.
type InputOptions struct {
	VXLAN, GENEVE []netip.AddrPort
	Iface         string   // bind the sockets to this interface; "": all
	AFPacket      string   // capture from this interface instead of sockets
	Ports         []uint16 // AF_PACKET: UDP ports to take; nil takes everything
	Workers       int
	RcvBuf        int // bytes; 0: the default of capture
	Seed          uint32
	// NoSteer makes OpenInputs act as on a kernel that refuses the steering program.
	NoSteer bool
}
