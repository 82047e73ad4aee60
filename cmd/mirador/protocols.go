package main

import (
	"mirador/internal/proto"
	"mirador/internal/proto/dns"
)

// protocols is the list of application protocols this binary speaks, in the order
// in which they are probed.
func protocols() []*proto.Protocol {
	var rows []*proto.Protocol
	rows = append(rows, dns.Protocols()...)
	return rows
}
