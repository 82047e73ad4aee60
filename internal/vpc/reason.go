package vpc

// Reason says why the network did not deliver a frame.
type Reason uint8

// The reasons. Nothing disappears without one.
const (
	passed           Reason = iota
	DropShort               // header cut or wrong
	DropEtherType           // neither IP nor ARP
	DropVLAN                // a VPC carries no VLAN tags
	DropSourceCheck         // sender's address is not the interface's (source/destination check)
	DropDestCheck           // receiver's address is not the interface's (source/destination check)
	DropEgressGroup         // security groups of the sender
	DropIngressGroup        // security groups of the receiver
	DropEgressNACL          // network ACL of the sender's subnet
	DropIngressNACL         // network ACL of the receiver's subnet
	DropNoRoute             // no route, or a blackhole
	DropOutside             // the route leads out of the VPCs (internet, NAT or VPN gateway)
	DropNoHost              // nobody has the address
	DropNoDevice            // the interface has no device: not attached, or its instance is stopped
	DropLinkLocal           // 169.254.0.0/16: instance metadata and Amazon time are absent
	DropMulticast           // VPCs carry neither multicast nor broadcast
	DropMTU                 // longer than the receiver's MTU
	DropTracked             // connection table of the interface full
	DropFragment            // fragment whose first one was not seen
	DropListener            // load balancer has no listener for the protocol and port
	DropNoTarget            // load balancer has no target that can take it
	DropBalancer            // addressed to a managed interface that does not forward
	DropSend                // the kernel did not take it
	DropOffload             // longer than an MTU: offloads of the sender are on
	dropKinds
)

// String returns the reason as counters and listings name it.
func (r Reason) String() string {
	names := [...]string{
		"passed", "short", "ethertype", "vlan", "source-check", "destination-check", "egress-security-group",
		"ingress-security-group", "egress-nacl", "ingress-nacl", "no-route", "outside", "no-host", "no-device",
		"link-local", "multicast", "mtu", "conntrack-allowance-exceeded", "fragment", "no-listener",
		"no-healthy-target", "managed-interface", "send", "offload",
	}
	if int(r) < len(names) {
		return names[r]
	}
	return "unknown"
}
