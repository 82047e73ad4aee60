package stream

import "mirador/internal/packet"

// Policy is whose TCP stack is imitated where stacks differ: which data win when
// segments overlap, which RST counts, which timestamps are accepted. The names are
// those of Suricata's host-os-policy; the overlap rules follow Novak and Sturges,
// "Target-Based TCP Stream Reassembly" (2007).
type Policy uint8

// The policies.
const (
	PolicyBSD Policy = iota
	PolicyBSDRight
	PolicyOldLinux
	PolicyLinux
	PolicyOldSolaris
	PolicySolaris
	PolicyHPUX10
	PolicyHPUX11
	PolicyIRIX
	PolicyMacOS
	PolicyWindows
	PolicyVista
	PolicyWindows2k3
	PolicyFirst
	PolicyLast
	NumPolicy
)

var policyNames = [NumPolicy]string{"bsd", "bsd-right", "old-linux", "linux", "old-solaris", "solaris", "hpux10",
	"hpux11", "irix", "macos", "windows", "vista", "windows2k3", "first", "last"}

// String returns the key of host-os-policy.
func (p Policy) String() string {
	if p >= NumPolicy {
		return "unknown"
	}
	return policyNames[p]
}

// PolicyByName returns the policy of a key of host-os-policy.
func PolicyByName(name string) (Policy, bool) {
	for i, n := range policyNames {
		if n == name {
			return Policy(i), true
		}
	}
	return 0, false
}

// HostPolicy gives the hosts of a network a policy. Bits counts from the front of
// the 16-byte address: an IPv4 prefix of n bits has 96+n.
type HostPolicy struct {
	Addr   packet.Addr
	Bits   int
	Policy Policy
}

// policyOf returns the policy of host a: that of the longest prefix.
func (o *Options) policyOf(a *packet.Addr) Policy {
	best, pol := -1, o.OSDefault
	for i := range o.HostOS {
		h := &o.HostOS[i]
		if h.Bits > best && samePrefix(a, &h.Addr, h.Bits) {
			best, pol = h.Bits, h.Policy
		}
	}
	return pol
}

func samePrefix(a, b *packet.Addr, bits int) bool {
	n := bits / 8
	for i := range n {
		if a[i] != b[i] {
			return false
		}
	}
	if r := bits % 8; r != 0 {
		return (a[n]^b[n])>>(8-r) == 0
	}
	return true
}

// takes tells whether bytes of a new segment [s, e) replace those of an old one
// [os, oe) where both overlap. The numbers count from the same origin.
func (p Policy) takes(s, e, os, oe uint64) bool {
	switch p {
	case PolicyLast:
		return true
	case PolicyFirst, PolicyVista:
		return false
	case PolicySolaris, PolicyHPUX11:
		return e >= oe
	case PolicyWindows, PolicyWindows2k3:
		return s < os && e > oe
	case PolicyLinux:
		return s < os || s == os && e > oe
	case PolicyOldLinux:
		return s < os || s == os && e >= oe
	case PolicyBSDRight:
		return s >= os
	default: // BSD, HP-UX 10, IRIX, MacOS, old Solaris
		return s < os
	}
}
