package dhcp

import (
	"net/netip"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// Offsets in the fixed part. RFC 2131 section 2.
const (
	offOp       = 0
	offHardware = 2
	offID       = 4
	offClient   = 12
	offAssigned = 16
	offNext     = 20
	offRelay    = 24
	offMAC      = 28
)

// typeName returns the name of a DHCP message type as EVE shows it.
func typeName(n byte) string {
	switch n {
	case 1:
		return "discover"
	case 2:
		return "offer"
	case 3:
		return "request"
	case 4:
		return "decline"
	case typeAck:
		return "ack"
	case 6:
		return "nak"
	case 7:
		return "release"
	case 8:
		return "inform"
	}
	return "unknown"
}

// paramName returns the name of a requested option, "" when EVE leaves it out.
func paramName(n byte) string {
	switch n {
	case 1:
		return "subnet_mask"
	case 3:
		return "router"
	case 6:
		return "dns_server"
	case 15:
		return "domain"
	case 35:
		return "arp_timeout"
	case 42:
		return "ntp_server"
	case 66:
		return "tftp_server_name"
	case 150:
		return "tftp_server_ip"
	}
	return ""
}

// logger makes the function that writes the EVE object dhcp. When not extended, only
// acknowledgements are logged, with what maps a hardware address to an address.
func logger(extended bool) func(*proto.Conn, proto.Tx, *jsonw.Writer) bool {
	return func(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
		t, ok := tx.(*Tx)
		if !ok {
			return false
		}
		if typ, _ := t.Option(optType); !extended && (len(typ) == 0 || typ[0] != typeAck) {
			return false
		}
		t.header(extended, w)
		for i := range t.Options {
			t.Options[i].log(extended, w)
		}
		return true
	}
}

func (t *Tx) header(extended bool, w *jsonw.Writer) {
	b := t.Data
	reply := false
	switch b[offOp] {
	case 1:
		w.Str("type", "request")
	case 2:
		w.Str("type", "reply")
		reply = true
	default:
		w.Str("type", "<unknown>")
	}
	w.Uint("id", uint64(number(b[offID:offID+4])))
	w.Str("client_mac", hardware(b[offMAC:offMAC+min(maxHardware, int(b[offHardware]))]))
	w.Str("assigned_ip", address(b[offAssigned:offAssigned+4]))
	if extended {
		w.Str("client_ip", address(b[offClient:offClient+4]))
		if reply {
			w.Str("relay_ip", address(b[offRelay:offRelay+4]))
			w.Str("next_server_ip", address(b[offNext:offNext+4]))
		}
	}
}

// log writes one option.
func (o *Option) log(extended bool, w *jsonw.Writer) {
	switch o.Code {
	case optType:
		w.Str("dhcp_type", typeName(o.Data[0]))
		return
	case optClientID:
		w.Str("client_id", hardware(o.Data[1:]))
		return
	case optHostname:
		w.Text("hostname", o.Data)
		return
	case optRenewalTime:
		w.Uint("renewal_time", uint64(number(o.Data)))
		return
	}
	if !extended {
		return
	}
	switch o.Code {
	case optLeaseTime:
		w.Uint("lease_time", uint64(number(o.Data)))
	case optRebindingTime:
		w.Uint("rebinding_time", uint64(number(o.Data)))
	case optParams:
		w.Array("params")
		for _, n := range o.Data {
			if s := paramName(n); s != "" {
				w.StrValue(s)
			}
		}
		w.CloseArray()
	case optVendorClass:
		w.Text("vendor_class_identifier", o.Data)
	case optSubnetMask:
		w.Str("subnet_mask", address(o.Data))
	case optRequestedIP:
		w.Str("requested_ip", address(o.Data))
	case optRouters:
		addresses("routers", o.Data, w)
	case optDNSServers:
		addresses("dns_servers", o.Data, w)
	}
}

func addresses(key string, b []byte, w *jsonw.Writer) {
	w.Array(key)
	for ; len(b) >= 4; b = b[4:] {
		w.StrValue(address(b[:4]))
	}
	w.CloseArray()
}

// address returns an IPv4 address as text, "" when b is none.
func address(b []byte) string {
	if len(b) != 4 {
		return ""
	}
	return netip.AddrFrom4([4]byte(b)).String()
}

// hardware returns octets as hexadecimal digits with colons between.
func hardware(b []byte) string {
	const digits = "0123456789abcdef"
	s := make([]byte, 0, 3*len(b))
	for i, x := range b {
		if i > 0 {
			s = append(s, ':')
		}
		s = append(s, digits[x>>4], digits[x&15])
	}
	return string(s)
}
