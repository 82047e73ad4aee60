package main

import (
	"os"

	"mirador/internal/config"
	"mirador/internal/proto"
	"mirador/internal/proto/dns"
	"mirador/internal/proto/http"
	"mirador/internal/proto/tls"
)

// protocols is the list of application protocols this binary speaks, in the order
// in which they are probed.
func protocols(flat *config.Flat) []*proto.Protocol {
	return []*proto.Protocol{
		http.Protocol(),
		tls.Protocol(),
		dnsRow(flat),
		dns.MDNS(),
		dns.LLMNR(),
	}
}

// dnsRow is DNS with the options of the EVE type dns.
func dnsRow(flat *config.Flat) *proto.Protocol {
	var o dns.LogOptions
	eve := flat.Root()
	if n, ok := eve.Int("eve.dns.version"); ok {
		o.Version = int(n)
	} else if os.Getenv("SURICATA_EVE_DNS_VERSION") == "2" {
		// Suricata lets the environment choose where the configuration does not.
		o.Version = 2
	}
	if v, ok := eve.Bool("eve.dns.requests"); ok {
		o.NoRequests = !v
	}
	if v, ok := eve.Bool("eve.dns.responses"); ok {
		o.NoResponses = !v
	}
	if list, ok := eve.Strings("eve.dns.formats"); ok {
		o.NoDetailed, o.NoGrouped = true, true
		for _, f := range list {
			switch f {
			case "detailed":
				o.NoDetailed = false
			case "grouped":
				o.NoGrouped = false
			}
		}
	}
	o.Types, _ = eve.Strings("eve.dns.types")
	row := dns.Protocol()
	row.Log = dns.Logger(o)
	row.LogByDir = o.Version != 2
	return row
}
