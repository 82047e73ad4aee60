package main

import (
	"mirador/internal/proto"
	"mirador/internal/proto/bittorrentdht"
	"mirador/internal/proto/body"
	"mirador/internal/proto/dcerpc"
	"mirador/internal/proto/dhcp"
	"mirador/internal/proto/dnp3"
	"mirador/internal/proto/dns"
	"mirador/internal/proto/enip"
	"mirador/internal/proto/ftp"
	"mirador/internal/proto/http"
	"mirador/internal/proto/http2"
	"mirador/internal/proto/ike"
	"mirador/internal/proto/imap"
	"mirador/internal/proto/krb5"
	"mirador/internal/proto/ldap"
	"mirador/internal/proto/modbus"
	"mirador/internal/proto/mqtt"
	"mirador/internal/proto/mysql"
	"mirador/internal/proto/nfs"
	"mirador/internal/proto/ntp"
	"mirador/internal/proto/pgsql"
	"mirador/internal/proto/pop3"
	"mirador/internal/proto/quic"
	"mirador/internal/proto/rdp"
	"mirador/internal/proto/rfb"
	"mirador/internal/proto/sip"
	"mirador/internal/proto/smb"
	"mirador/internal/proto/smtp"
	"mirador/internal/proto/snmp"
	"mirador/internal/proto/ssh"
	"mirador/internal/proto/telnet"
	"mirador/internal/proto/tftp"
	"mirador/internal/proto/tls"
	"mirador/internal/proto/websocket"
)

// protocols is the list of application protocols this binary speaks, in the order
// in which they are probed.
func protocols() []*proto.Protocol {
	// What both versions of HTTP have seen of files fetched in ranges.
	parts := body.NewRanges(0, 0)
	return []*proto.Protocol{
		http.Sharing(parts),
		http2.Sharing(parts),
		http2.DoH(),
		websocket.Protocol(),
		tls.Protocol(),
		ssh.Protocol(),
		smb.Protocol(),
		smtp.Protocol(),
		ftp.Protocol(),
		ftp.DataProtocol(),
		imap.Protocol(),
		pop3.Protocol(),
		mqtt.Protocol(),
		nfs.Protocol(),
		sip.Protocol(),
		mysql.Protocol(),
		pgsql.Protocol(),
		rfb.Protocol(),
		rdp.Protocol(),
		dcerpc.Protocol(),
		krb5.Protocol(),
		ldap.Protocol(),
		quic.Protocol(),
		dnp3.Protocol(),
		dhcp.Protocol(),
		snmp.Protocol(),
		ike.Protocol(),
		modbus.Protocol(),
		tftp.Protocol(),
		ntp.Protocol(),
		bittorrentdht.Protocol(),
		enip.Protocol(),
		dns.Protocol(),
		dns.MDNS(),
		dns.LLMNR(),
		telnet.Protocol(), // takes whatever is on its port
	}
}
