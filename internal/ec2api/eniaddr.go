package ec2api

import "net/netip"

// freeAddr finds an IPv4 address of a subnet. The first four and the last are AWS's.
func (s *state) freeAddr(sub *Subnet) (netip.Addr, *Error) {
	if err := sub.onlyIPv6(); err != nil {
		return netip.Addr{}, err
	}
	first := sub.CIDR.Addr()
	for range 4 {
		first = first.Next()
	}
	last := lastAddr(sub.CIDR)
	at := s.addrHints[sub.ID]
	if !at.IsValid() {
		at = first
	}
	used := s.addrs[sub.ID]
	for start, wrapped := at, false; ; {
		if at == last {
			if wrapped {
				break
			}
			wrapped, at = true, first
			continue
		}
		if wrapped && at == start {
			break
		}
		if used[at] == "" {
			s.addrHints[sub.ID] = at.Next()
			return at, nil
		}
		at = at.Next()
	}
	return netip.Addr{}, errorf("InsufficientFreeAddressesInSubnet", "The specified subnet does not have enough free addresses to satisfy the request.")
}

// onlyIPv6 refuses IPv4 addresses in a subnet that has none.
func (sub *Subnet) onlyIPv6() *Error {
	if sub.IPv6Native {
		return errorf("InvalidParameterCombination", "The subnet '%s' is IPv6-only: its interfaces have no IPv4 addresses", sub.ID)
	}
	return nil
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n |= 1<<(32-p.Bits()) - 1
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// wantAddr checks an address that a client asks for.
func (s *state) wantAddr(sub *Subnet, text string) (netip.Addr, *Error) {
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() {
		return a, errorf("InvalidParameterValue", "Value (%s) for parameter privateIpAddress is invalid. Invalid IPv4 address", clip(text))
	}
	if err := sub.onlyIPv6(); err != nil {
		return a, err
	}
	first := sub.CIDR.Addr()
	reserved := a == lastAddr(sub.CIDR)
	for range 4 {
		reserved = reserved || a == first
		first = first.Next()
	}
	if !sub.CIDR.Contains(a) {
		return a, errorf("InvalidParameterValue", "Address %s does not fall within the subnet's address range", a)
	}
	if reserved {
		return a, errorf("InvalidParameterValue", "Address %s is in subnet's reserved address range", a)
	}
	if s.addrs[sub.ID][a] != "" {
		return a, errorf("InvalidIPAddress.InUse", "Address %s is in use.", a)
	}
	return a, nil
}

// freeIPv6 makes up an address of a subnet's IPv6 block.
func (s *state) freeIPv6(sub *Subnet) (netip.Addr, *Error) {
	if len(sub.IPv6) == 0 {
		return netip.Addr{}, errorf("InvalidParameterValue", "The subnet '%s' has no IPv6 CIDR block", sub.ID)
	}
	for {
		b := sub.IPv6[0].CIDR.Addr().As16()
		s.rand(b[8:])
		if a := netip.AddrFrom16(b); s.addrs[sub.ID][a] == "" && sub.IPv6[0].CIDR.Contains(a) {
			return a, nil
		}
	}
}

func (s *state) wantIPv6(sub *Subnet, text string) (netip.Addr, *Error) {
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is6() || a.Zone() != "" || len(sub.IPv6) == 0 || !sub.IPv6[0].CIDR.Contains(a) {
		return a, errorf("InvalidParameterValue", "Value (%s) for parameter ipv6Addresses is invalid. It is not in the subnet's IPv6 CIDR block", clip(text))
	}
	if s.addrs[sub.ID][a] != "" {
		return a, errorf("InvalidIPAddress.InUse", "Address %s is in use.", a)
	}
	return a, nil
}

func (s *state) newMAC() [6]byte {
	var m [6]byte
	s.rand(m[1:])
	m[0] = 0x02 | m[1]&0x0c // locally administered, not multicast, as in a VPC
	return m
}
