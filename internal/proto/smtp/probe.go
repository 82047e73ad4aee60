package smtp

import "mirador/internal/proto"

// probe recognises the first command of a client. What a server says first is not
// enough: FTP begins in the same way.
func probe(dir proto.Dir, b []byte, _ proto.Hint) proto.Match {
	if dir == proto.ToClient {
		const banner = "220"
		n := min(len(b), len(banner))
		if string(b[:n]) == banner[:n] {
			return proto.More
		}
		return proto.No
	}
	match := proto.No
	for _, word := range [...]string{"EHLO", "HELO", "QUIT"} {
		n := min(len(b), len(word))
		if !is(b[:n], word[:n]) {
			continue
		}
		if n == len(word) {
			return proto.Yes
		}
		match = proto.More
	}
	return match
}
