// Package smtp follows SMTP sessions: commands matched with their replies, mails with
// their attachments, chunks, and the change to TLS.
//
// A transaction is a mail with its envelope: it begins with the first command behind
// the last one's end and is complete when the server has answered the end of its data,
// a RSET, a QUIT, or a HELO in the middle of it. Mails given with DATA are read by
// package mime; those in chunks (BDAT) are counted through, as in Suricata 8.
//
// Wire form: RFC 5321, 2920 (pipelining), 3030 (chunking), 3207 (STARTTLS).
package smtp

import (
	"fmt"
	"strings"

	"mirador/internal/proto"
	"mirador/internal/proto/mime"
)

// Progress of a direction, in Suricata's words.
const (
	Started uint8 = iota
	Data          // the server has taken DATA
	Complete
)

// Indexes into the event names.
const (
	EventInvalidReply proto.EventID = iota
	EventUnmatchedReply
	EventLongCommand
	EventLongReply
	EventPipelining
	EventChunkLength
	EventNoWelcome
	EventTLSRejected
	EventDataRejected
	EventProtocolChange
	EventMIMEFailed
	EventMIMEBase64
	EventMIMEQP
	EventMIMELongLine
	EventMIMELongEncoded
	EventMIMELongName
	EventMIMELongValue
	EventMIMELongBoundary
	EventMIMELongFilename
	EventDuplicateFields
	EventUnparsable
	EventTruncatedLine
	EventInvalidBDAT
)

func events() []string {
	return []string{
		"invalid_reply",
		"unable_to_match_reply_with_request",
		"max_command_line_len_exceeded",
		"max_reply_line_len_exceeded",
		"invalid_pipelined_sequence",
		"bdat_chunk_len_exceeded",
		"no_server_welcome_message",
		"tls_rejected",
		"data_command_rejected",
		"failed_protocol_change",
		"mime_parse_failed",
		"mime_invalid_base64",
		"mime_invalid_qp",
		"mime_long_line",
		"mime_long_enc_line",
		"mime_long_header_name",
		"mime_long_header_value",
		"mime_long_boundary",
		"mime_long_filename",
		"duplicate_fields",
		"unparsable_content",
		"truncated_line",
		"invalid_bdat",
	}
}

// Protocol returns the row of SMTP. Its Log writes what EVE shows without options;
// Logger makes others.
func Protocol() *proto.Protocol {
	states := func(side string) []string {
		return []string{side + "_started", side + "_data", side + "_complete"}
	}
	return &proto.Protocol{
		Name:       "smtp",
		RawByChunk: true,
		TxID:       true,
		Files:      proto.DirServer,
		Transport:  proto.TCP,
		Ports:      []uint16{25, 465, 587},
		Probe:      probe,
		Configure:  configure,
		Done:       [2]uint8{Complete, Complete},
		Fields:     fields(),
		Events:     events(),
		Limits:     limitNames(),
		Log:        Logger(LogOptions{}),
		LogAlert:   logAlert,
		States:     [2][]string{states("request"), states("response")},
		Frames:     []string{"command_line", "response_line", "data"},
	}
}

// options are the settings of app-layer.protocols.smtp.
type options struct {
	mime       bool // decode-mime
	raw        bool // raw-extraction
	msg        mime.Options
	maxTx      int
	minInspect uint32
	window     uint32
}

func configure(s proto.Settings) (proto.Factory, error) {
	o := &options{mime: true, maxTx: DefaultMaxTx}
	o.msg = mime.Options{Base64: true, QuotedPrintable: true, URLs: true, Schemes: []string{"http"}}
	for _, b := range []struct {
		key string
		to  *bool
	}{
		{"raw-extraction", &o.raw}, {"mime.decode-mime", &o.mime}, {"mime.decode-base64", &o.msg.Base64},
		{"mime.decode-quoted-printable", &o.msg.QuotedPrintable}, {"mime.extract-urls", &o.msg.URLs},
		{"mime.log-url-scheme", &o.msg.LogScheme}, {"mime.body-md5", &o.msg.BodyMD5},
	} {
		if v, ok := s.Bool(b.key); ok {
			*b.to = v
		}
	}
	// Raw mails are for those that are not decoded.
	o.raw = o.raw && !o.mime
	if n, ok := s.Int("max-tx"); ok && n > 0 {
		o.maxTx = int(min(n, proto.MaxTxs))
	}
	if list, ok := s.Strings("mime.extract-urls-schemes"); ok && len(list) > 0 {
		if len(list) > maxSchemes {
			return nil, fmt.Errorf("mime.extract-urls-schemes: %d schemes, at most %d are possible", len(list), maxSchemes)
		}
		o.msg.Schemes = nil
		for _, x := range list {
			o.msg.Schemes = append(o.msg.Schemes, strings.ToLower(strings.TrimSuffix(x, "://")))
		}
	}
	// Suricata asks for mime.header-value-depth, too, but does not heed it.
	least, limit, window := int64(defaultMinInspect), int64(defaultInspectLimit), int64(defaultWindow)
	for _, x := range []struct {
		key string
		to  *int64
	}{{"content-inspect-min-size", &least}, {"content-limit", &limit}, {"content-inspect-window", &window}} {
		n, ok := s.Size("inspected-tracker." + x.key)
		if !ok {
			continue
		}
		if n < 0 {
			return nil, fmt.Errorf("inspected-tracker.%s: %d is negative", x.key, n)
		}
		*x.to = n
	}
	if limit > 0 {
		least = min(least, limit)
	}
	o.minInspect, o.window = uint32(min(least, maxInspect)), uint32(min(window, maxInspect))
	return func(c *proto.Conn) proto.Parser { return newParser(c, o) }, nil
}
