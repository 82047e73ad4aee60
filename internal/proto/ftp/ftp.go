// Package ftp follows FTP: commands matched with their replies, the data connections
// they announce, and the files these carry.
//
// A transaction of the control connection is a command with its replies, or replies
// that nobody asked for, such as the greeting; commands without a name known here make
// none. As in Suricata 8 any line of a reply but one of a preliminary code (1yz) ends
// its transaction; the lines that came together with it are still its own.
//
// A data connection is announced by the control connection (proto.Expectation) and
// has one transaction: the command that asked for it, with the file that it carries.
//
// Wire form: RFC 959, 2428 (EPRT, EPSV), 3659 (MLSD), 4217 (AUTH TLS).
package ftp

import (
	"fmt"

	"mirador/internal/proto"
)

// Progress of a direction.
const (
	Started uint8 = iota
	Complete
)

// Indexes into the event names.
const (
	EventLongRequest proto.EventID = iota
	EventLongResponse
	EventTooMany
	EventFileBeforePort
	EventFileWithoutName
)

func events() []string {
	return []string{
		"request_command_too_long",
		"response_command_too_long",
		"too_many_transactions",
		"file_before_port",
		"file_without_name",
	}
}

// Protocol returns the row of the control connection.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:        "ftp",
		RawByChunk:  true,
		Transport:   proto.TCP,
		Ports:       []uint16{21},
		Probe:       probe,
		Configure:   configure,
		Done:        [2]uint8{Complete, Complete},
		Fields:      fields(),
		Events:      events(),
		Limits:      limitNames(),
		LowerEvents: true,
		Log:         log,
	}
}

// DataProtocol returns the row of data connections. They are only known by what a
// control connection says.
func DataProtocol() *proto.Protocol {
	return &proto.Protocol{
		Name:      "ftp-data",
		Files:     proto.DirServer | proto.DirClient,
		LogName:   "ftp_data",
		Transport: proto.TCP,
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return newDataParser(c) }, nil
		},
		Done:   [2]uint8{dataComplete, dataComplete},
		Fields: dataFields(),
		Log:    logData,
	}
}

// options are the settings of app-layer.protocols.ftp.
type options struct {
	maxTx   int
	maxLine int
	names   map[uint32]command
}

func configure(s proto.Settings) (proto.Factory, error) {
	o := &options{maxTx: DefaultMaxTx, maxLine: DefaultMaxLine, names: lookup()}
	if n, ok := s.Int("max-tx"); ok && n > 0 {
		o.maxTx = int(min(n, proto.MaxTxs))
	}
	if n, ok := s.Size("max-line-length"); ok {
		if n < minLine || n > maxLine {
			return nil, fmt.Errorf("max-line-length: %d is not between %d and %d", n, minLine, maxLine)
		}
		o.maxLine = int(n)
	}
	return func(c *proto.Conn) proto.Parser { return &parser{c: c, opt: o} }, nil
}
