// Package rdp follows the beginning of Remote Desktop Protocol connections for
// logging: the negotiation, the certificates when TLS was agreed on, and else what
// the client says of itself.
//
// Every message is a transaction of its own. Wire form: MS-RDPBCGR, X.224 over TPKT
// (RFC 1006), T.125, T.124.
package rdp

import (
	"mirador/internal/proto"
)

// port is the well-known port of RDP.
const port = 3389

// Bounds.
const (
	// maxHandshake is how much of a TLS handshake is kept to find the certificates.
	maxHandshake = 64 << 10
	// maxSerials and maxChannels bound what is kept of a message (MS-RDPBCGR allows
	// 31 channels).
	maxSerials  = 16
	maxChannels = 31
	// maxMessages is how many messages of a flow become transactions; the
	// connection sequence that is not encrypted has five.
	maxMessages = 16
)

// Protocol returns the row of RDP.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:      "rdp",
		Transport: proto.TCP,
		Ports:     []uint16{port},
		Probe:     probe,
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
		},
		Done:   [2]uint8{1, 1},
		Limits: limitNames(),
		Log:    log,
	}
}

// probe recognises the X.224 connection request of a client with what RDP puts into
// it, and the connection confirm of a server. Other protocols open X.224 connections
// too (S7 on port 102): without such content, the port decides.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	if b[0] != tpktVersion || len(b) >= 2 && b[1] != 0 {
		return proto.No
	}
	if len(b) < 7 {
		return proto.More
	}
	n := int(b[2])<<8 | int(b[3])
	if n < headLen+connLen || int(b[4]) != n-headLen-1 {
		return proto.No
	}
	std := h.SrcPort == port || h.DstPort == port
	if dir == proto.ToClient {
		if b[5] != confirm || n != headLen+connLen && n != headLen+connLen+negoLen {
			return proto.No
		}
		if n == headLen+connLen && !std {
			return proto.More
		}
		return proto.Yes
	}
	if b[5] != request {
		return proto.No
	}
	if std {
		return proto.Yes
	}
	if n < headLen+connLen+negoLen {
		return proto.No
	}
	if len(b) < headLen+connLen+negoLen {
		return proto.More
	}
	body := string(b[headLen+connLen:][:negoLen])
	if body == "Cookie: " || body[0] == 1 && body[2:4] == "\x08\x00" {
		return proto.Yes
	}
	return proto.No
}

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitMessages proto.LimitID = iota
	limitHandshake
	limitChannels
	limitSerials
)

func limitNames() []string {
	return []string{"messages", "handshake", "channels", "certificates"}
}
