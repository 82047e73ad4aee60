// Package bittorrentdht reads the distributed hash table of BitTorrent over UDP (KRPC,
// BEP 5). Every message is a transaction of its own.
package bittorrentdht

import (
	"bytes"

	"mirador/internal/proto"
)

// EventMalformedPacket is the only event.
const EventMalformedPacket proto.EventID = 0

const (
	// MaxDepth bounds the nesting of a message; KRPC needs 3.
	MaxDepth = 8
	// MaxPeers bounds the peers and nodes kept of a message; senders fill one
	// datagram.
	MaxPeers = 256
)

// Protocol returns the row of the hash table.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:           "bittorrent-dht",
		LogName:        "bittorrent_dht",
		Transport:      proto.UDP,
		Probe:          probe,
		Done:           [2]uint8{1, 1},
		Events:         []string{"malformed_packet"},
		Limits:         limitNames(),
		LowerEvents:    true,
		Unidirectional: true,
		Log:            log,
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
		},
	}
}

// probe recognises how messages begin, their keys being sorted.
func probe(_ proto.Dir, b []byte, _ proto.Hint) proto.Match {
	for _, s := range [...]string{"d1:ad2:id20:", "d1:rd2:id20:", "d2:ip6:", "d1:eli20"} {
		if bytes.HasPrefix(b, []byte(s)) {
			return proto.Yes
		}
	}
	return proto.No
}

// Tx is a message. All byte slices point into a copy of it.
type Tx struct {
	proto.TxBase
	// Bad tells that the message could not be read.
	Bad                  bool
	Transaction, Version []byte
	Query                []byte // type of a request
	Request, Response    *Body
	HasError             bool
	ErrorNum             int64
	ErrorMsg             []byte
}

// Body is the dictionary of a request or response.
type Body struct {
	ID, Target, InfoHash, Token []byte
	HasImplied, HasPort         bool
	Implied, Port               int64
	Values                      [][]byte // compact addresses of peers
	HasValues                   bool
	Nodes, Nodes6               []byte // compact nodes
}

// parser follows one flow.
type parser struct{ c *proto.Conn }

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	t := &Tx{}
	t.Bad = !t.read(append([]byte(nil), data...))
	t.Dir = dir
	t.Skip[dir.Other()] = true
	p.c.NewTx(t)
	for _, x := range [2]*Body{t.Request, t.Response} {
		if x != nil && (len(x.Values) >= MaxPeers || len(x.Nodes) > MaxPeers*(idLen+4+2) || len(x.Nodes6) > MaxPeers*(idLen+16+2)) {
			p.c.Limit(limitPeers)
		}
	}
	if t.Bad {
		t.AddEvent(EventMalformedPacket)
	}
	t.Advance(dir, 1)
	if t.Bad {
		return len(data), 0, proto.Flawed
	}
	return len(data), 0, proto.OK
}

// Gap implements proto.Parser; datagrams have none.
func (p *parser) Gap(proto.Dir, int) bool { return true }

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitPeers proto.LimitID = iota
)

func limitNames() []string {
	return []string{"peers"}
}
