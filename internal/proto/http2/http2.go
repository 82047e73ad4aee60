// Package http2 parses HTTP/2 in the clear, and DNS over it (protocol doh2), for
// detection and logging.
//
// A stream is a transaction; each frame on stream 0 is one of its own. Header blocks
// are decoded by a bounded HPACK decoder, bodies go through the decoders of package
// body into files. Once a stream carries DNS messages (RFC 8484) the flow goes on as
// protocol doh2, whose transactions can hold messages too. Wire form: RFC 9113 and
// 7540, 7541 (HPACK), 8441, 9218.
package http2

import (
	"mirador/internal/proto"
	"mirador/internal/proto/body"
	"mirador/internal/proto/dns"
)

// Indexes into the event names.
const (
	EventInvalidFrameHeader proto.EventID = iota
	EventInvalidClientMagic
	EventInvalidFrameData
	EventInvalidHeader
	EventInvalidFrameLength
	EventExtraHeaderData
	EventLongFrameData
	EventStreamIDReuse
	EventInvalidHTTP1Settings
	EventFailedDecompression
	EventInvalidRange
	EventHeaderIntegerOverflow
	EventTooManyStreams
	EventAuthorityHostMismatch
	EventUserinfoInURI
	EventReassemblyLimit
	EventDNSRequestTooLong
	EventDNSResponseTooLong
	EventDataStreamZero
	EventTooManyFrames
	EventCompressionBomb
	EventHeaderTableOverflow
)

func events() []string {
	return []string{
		"invalid_frame_header", "invalid_client_magic", "invalid_frame_data", "invalid_header", "invalid_frame_length",
		"extra_header_data", "long_frame_data", "stream_id_reuse", "invalid_http1_settings", "failed_decompression",
		"invalid_range", "header_integer_overflow", "too_many_streams", "authority_host_mismatch", "userinfo_in_uri",
		"reassembly_limit_reached", "dns_request_too_long", "dns_response_too_long", "data_stream_zero",
		"too_many_frames", "compression_bomb", "header_table_overflow",
	}
}

// Progress of a direction of a transaction.
const (
	Open     uint8 = iota // headers are not complete
	Headers               // headers are there
	Complete              // the end of the stream was seen
)

// Protocol returns the row of HTTP/2.
func Protocol() *proto.Protocol { return Sharing(body.NewRanges(rangeMemcap, rangeTTL)) }

// Sharing returns the row of HTTP/2 that puts files fetched in ranges together with
// whoever else uses parts (HTTP/1).
func Sharing(parts *body.Ranges) *proto.Protocol {
	return &proto.Protocol{
		Name:        "http2",
		Files:       proto.DirServer | proto.DirClient,
		NoFileNames: true,
		LogName:     "http",
		Transport:   proto.TCP,
		Probe:       probe,
		Configure:   func(s proto.Settings) (proto.Factory, error) { return configure(s, parts) },
		Done:        [2]uint8{Complete, Complete},
		Fields:      fields(),
		Events:      events(),
		Limits:      limitNames(),
		LowerEvents: true,
		Frames:      []string{"hdr", "data", "pdu"},
		Log:         log,
		LogAlert:    logAlert,
	}
}

// DoH returns the row of DNS over HTTP/2. It is reached from HTTP/2 only.
func DoH() *proto.Protocol {
	p := Protocol()
	p.Name, p.LogName, p.Probe = "doh2", "", nil
	p.Fields = append(fields(), dnsFields()...)
	d := dohLogger{message: dns.MessageLogger()}
	p.Log, p.LogAlert = d.log, d.logAlert
	p.Configure = func(s proto.Settings) (proto.Factory, error) {
		fresh, err := configure(s, body.NewRanges(rangeMemcap, rangeTTL))
		return func(c *proto.Conn) proto.Parser {
			if p, ok := c.Given.(*parser); ok { // the flow was HTTP/2 so far
				c.Given = nil
				p.resume()
				return p
			}
			return fresh(c)
		}, err
	}
	return p
}

// config is what the settings say; every flow's parser shares one.
type config struct {
	streams, frames, reassembly int
	table                       uint64
	bomb                        int64
	static                      []entry
	ranges                      *body.Ranges
}

func configure(s proto.Settings, parts *body.Ranges) (proto.Factory, error) {
	cfg := &config{streams: proto.MaxTxs - 1, frames: defaultFrames, reassembly: MaxReassembly, table: defaultTable,
		bomb: body.DefaultBombLimit, static: staticTable(), ranges: parts}
	if n, ok := s.Int("max-streams"); ok && n > 0 {
		cfg.streams = int(min(n, defaultStreams, proto.MaxTxs-1))
	}
	if n, ok := s.Size("max-table-size"); ok && n >= 0 {
		cfg.table = uint64(min(n, maxReassembly))
	}
	if n, ok := s.Size("max-reassembly-size"); ok && n > 0 {
		cfg.reassembly = int(min(n, maxReassembly))
	}
	if n, ok := s.Int("max-frames"); ok && n > 0 {
		cfg.frames = int(min(n, 1<<31-1))
	}
	if n, ok := s.Size("compression-bomb-limit"); ok && n > 0 {
		cfg.bomb = n
	}
	return func(c *proto.Conn) proto.Parser {
		p := &parser{c: c, cfg: cfg, streams: make(map[uint32]*Tx)}
		p.side[0].hpack = newDecoder(cfg.static, cfg.table)
		p.side[1].hpack = newDecoder(cfg.static, cfg.table)
		if r, ok := c.Given.(Upgraded); ok {
			c.Given = nil
			p.upgrade(r)
		}
		return p
	}, nil
}

const magic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// probeMagic is how much of the client's first bytes is enough: what no HTTP/1
// client says.
const probeMagic = 14

// probeAlone is how much a server says before it is believed without its client.
const probeAlone = 1024

// probe recognises the client's magic and the server's SETTINGS.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	if dir == proto.ToServer {
		n := min(len(b), probeMagic)
		if string(b[:n]) != magic[:n] {
			return proto.No
		}
		if n < probeMagic {
			return proto.More
		}
		return proto.Yes
	}
	// length, type 4, flags, stream 0
	if len(b) > 0 && b[0] != 0 || len(b) > 3 && b[3] != frameSettings || len(b) > 4 && b[4] > 1 {
		return proto.No
	}
	if len(b) < 9 {
		return proto.More
	}
	n := int(b[1])<<8 | int(b[2])
	if n%6 != 0 || n > 6*64 || b[5]|b[6]|b[7]|b[8] != 0 {
		return proto.No
	}
	if !h.Midstream && len(b) < probeAlone {
		return proto.More // the client's word decides
	}
	return proto.Yes
}
