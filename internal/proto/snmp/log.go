package snmp

import (
	"net/netip"
	"strconv"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// typeNames are EVE's names of the types of PDU, by number.
func typeNames() [pduReport + 1]string {
	return [...]string{
		"get_request", "get_next_request", "response", "set_request", "trap_v1", "get_bulk_request", "inform_request",
		"trap_v2", "report",
	}
}

// errorName returns the name of an error-status. RFC 1157 section 4.1.1.
func errorName(n uint32) string {
	switch n {
	case 1:
		return "TooBig"
	case 2:
		return "NoSuchName"
	case 3:
		return "BadValue"
	case 4:
		return "ReadOnly"
	case 5:
		return "GenErr"
	}
	return "ErrorStatus(" + strconv.FormatUint(uint64(n), 10) + ")"
}

// trapNames are the generic traps, by number. RFC 1157 section 4.1.6.
func trapNames() []string {
	return []string{"coldStart", "warmStart", "linkDown", "linkUp", "authenticationFailure", "egpNeighborLoss", "enterpriseSpecific"}
}

// log writes the EVE object snmp.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	w.Uint("version", uint64(t.Version))
	if t.Encrypted {
		w.Str("pdu_type", "encrypted")
		return true
	}
	w.Str("pdu_type", typeNames()[t.Type])
	if t.Error != 0 {
		w.Str("error", errorName(t.Error))
	}
	if t.Type == pduTrap1 {
		if names := trapNames(); t.Trap < uint32(len(names)) {
			w.Str("trap_type", names[t.Trap])
		} else {
			w.Str("trap_type", "TrapType("+strconv.FormatUint(uint64(t.Trap), 10)+")")
		}
		w.Str("trap_oid", t.Enterprise)
		w.Str("trap_address", netip.AddrFrom4([4]byte(t.TrapAddress)).String())
	}
	if len(t.Vars) > 0 {
		w.Array("vars")
		for _, s := range t.Vars {
			w.StrValue(s)
		}
		w.CloseArray()
	}
	if t.Community != nil {
		w.Bytes("community", t.Community)
	}
	if t.USM != nil {
		w.Bytes("usm", t.USM)
	}
	return true
}
