package ftp

import (
	"bytes"

	"mirador/internal/proto"
)

// openings are the first words of clients, as Suricata knows them; the last one in any
// case.
var openings = [...]string{"USER ", "PASS ", "PORT ", "FEAT"}

// probe tells FTP by a client's first command, and by a greeting that no mail server
// sends, or that comes from port 21.
func probe(dir proto.Dir, data []byte, h proto.Hint) proto.Match {
	if dir == proto.ToServer {
		return probeClient(data)
	}
	const code = "220"
	n := min(len(data), len(code))
	switch {
	case string(data[:n]) != code[:n]:
		return proto.No
	case len(data) <= len(code):
		return proto.More
	case data[3] == '-' && h.DstPort == 21:
		return proto.Yes
	case data[3] != ' ':
		return proto.More
	case h.DstPort == 21 || len(data) > 4 && data[4] == '(':
		return proto.Yes
	}
	return proto.More
}

func probeClient(data []byte) proto.Match {
	m := proto.No
	for i, o := range openings {
		n := min(len(data), len(o))
		if string(data[:n]) != o[:n] && !(i == len(openings)-1 && bytes.EqualFold(data[:n], []byte(o[:n]))) {
			continue
		}
		if n == len(o) {
			return proto.Yes
		}
		m = proto.More
	}
	return m
}
