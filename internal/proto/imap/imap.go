// Package imap recognises IMAP (RFC 9051). As in Suricata 8 it is not parsed.
package imap

import (
	"bytes"

	"mirador/internal/proto"
)

// Protocol returns the row of IMAP.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:      "imap",
		Transport: proto.TCP,
		Ports:     []uint16{143},
		Probe:     probe,
	}
}

// maxTag bounds the tag in front of a command; clients number them with a few letters.
const maxTag = 16

// probe takes a server's untagged OK or NO, and a client's first command, which asks
// for the capabilities.
func probe(dir proto.Dir, data []byte, _ proto.Hint) proto.Match {
	if dir == proto.ToClient {
		m := prefix(data, "* OK ")
		if m == proto.No {
			m = prefix(data, "* NO ")
		}
		return m
	}
	i := bytes.IndexByte(data[:min(len(data), maxTag+1)], ' ')
	switch {
	case i > 0 && tag(data[:i]):
		m := prefix(data[i+1:], "CAPABILITY")
		if rest := i + 1 + len("CAPABILITY"); m == proto.Yes {
			if len(data) == rest {
				return proto.More
			}
			if c := data[rest]; c != '\r' && c != '\n' && c != ' ' {
				return proto.No
			}
		}
		return m
	case i < 0 && len(data) <= maxTag && tag(data):
		return proto.More
	}
	return proto.No
}

// prefix tells whether data begins with s, in any case.
func prefix(data []byte, s string) proto.Match {
	n := min(len(data), len(s))
	switch {
	case !bytes.EqualFold(data[:n], []byte(s[:n])):
		return proto.No
	case n < len(s):
		return proto.More
	}
	return proto.Yes
}

// tag tells whether b may be the tag of a command.
func tag(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}
