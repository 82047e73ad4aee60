package pop3

import (
	"bytes"

	"mirador/internal/proto"
)

// probe takes a status line of a server, or a word with a line end of a client, on
// POP3's port.
func probe(dir proto.Dir, data []byte, _ proto.Hint) proto.Match {
	line := data
	end := bytes.IndexByte(line, '\n')
	if end >= 0 {
		line = bytes.TrimSuffix(line[:end], []byte("\r"))
	}
	if dir == proto.ToClient {
		m := proto.No
		for _, s := range [...]string{"+OK", "-ERR"} {
			n := min(len(line), len(s))
			if string(line[:n]) != s[:n] {
				continue
			}
			switch {
			case len(line) > n && line[n] != ' ' && line[n] != '\r':
			case n == len(s) && (len(line) > n || end >= 0):
				return proto.Yes
			case end < 0:
				m = proto.More
			}
		}
		return m
	}
	word := line
	if i := bytes.IndexByte(word, ' '); i >= 0 {
		word = word[:i]
	}
	word = bytes.TrimSuffix(word, []byte("\r"))
	if len(word) == 0 || len(word) > maxWord || !isWord(word) {
		return proto.No
	}
	if end < 0 {
		return proto.More
	}
	return proto.Yes
}

// maxWord is the length of the longest word that may be a command; those in use have
// three to eight letters.
const maxWord = 16

// isWord tells whether b may be a command: letters, or digits behind the first (UTF8).
func isWord(b []byte) bool {
	for i, c := range b {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}
