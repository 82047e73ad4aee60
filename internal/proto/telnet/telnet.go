// Package telnet cuts Telnet sessions into frames: commands, and pieces of text. There
// are no transactions.
//
// A piece of text is a line, or of a server that asks for a name or a password what it
// says up to the colon. As in Suricata commands are only seen in front of a piece, not
// in the middle of one.
//
// Wire form: RFC 854, 855.
package telnet

import (
	"bytes"
	"slices"

	"mirador/internal/proto"
)

// port is the registered port: nothing in the content of a session tells it from others
// for sure.
const port = 23

const (
	// maxPiece bounds a piece that has no end yet; beyond it ends there.
	maxPiece = 16 << 10
	// leastText is how many bytes of text without a line end are taken for Telnet:
	// "login: ".
	leastText = 7
)

// Bytes of commands.
const (
	iac = 0xff // begins a command
	sub = 0xfa // begins a subnegotiation
	end = 0xf0 // ends it
	opt = 0xfb // the first of those with an option behind
)

// Protocol returns the row of Telnet.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:       "telnet",
		Transport:  proto.TCP,
		ProbePorts: []uint16{port},
		Probe:      probe,
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
		},
		Frames: []string{"pdu", "ctl", "data"},
	}
}

// probe takes what is on the port, unless it is plainly something else's: rows in front
// of this one are asked before.
func probe(_ proto.Dir, data []byte, _ proto.Hint) proto.Match {
	switch {
	case len(data) < 2:
		return proto.More
	case data[0] == iac, len(data) >= leastText, bytes.IndexByte(data, '\n') >= 0:
		return proto.Yes
	}
	return proto.More
}

// stage is where the login stands.
type stage uint8

const (
	before   stage = iota // the server asks for a name next
	asked                 // it has
	named                 // the client has answered; the server asks for a password next
	secret                // it has
	loggedIn              // the client has answered
)

// parser follows one session.
type parser struct {
	c     *proto.Conn
	stage stage
	dirs  [2]direction
}

// direction is where the reading of one side stands.
type direction struct {
	open    bool // so were the frames of the piece at hand
	scanned int  // bytes at the front known to have no end in them
	prompt  bool // it was looked for a colon
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	d := &p.dirs[dir]
	for used < len(data) {
		rest := data[used:]
		text := rest[0] != iac
		n := 0
		if text {
			n = p.text(dir, rest)
		} else {
			n = d.control(rest)
		}
		if n == 0 && len(rest) >= maxPiece {
			n = maxPiece
		}
		p.frames(dir, text, p.c.Offset[dir]+uint64(used), n)
		if n == 0 {
			return used, len(rest) + 1, proto.OK
		}
		d.scanned = 0
		if text {
			p.advance(dir)
		}
		used += n
	}
	return used, 0, proto.OK
}

// Gap implements proto.Parser. What follows is taken for the beginning of a piece.
func (p *parser) Gap(dir proto.Dir, _ int) bool {
	d := &p.dirs[dir]
	if d.scanned = 0; d.open {
		// It ends in what was lost; how long it was nobody knows.
		d.open = false
		p.c.Frames = slices.DeleteFunc(p.c.Frames, func(f proto.Frame) bool {
			return f.Dir == dir && f.Len < 0 && f.Type != "stream"
		})
	}
	return true
}

// asks tells whether the server is to ask for something.
func (s stage) asks() bool { return s == before || s == named }

// advance moves the login on, after a piece of text from dir.
func (p *parser) advance(dir proto.Dir) {
	fromServer := dir == proto.ToClient
	if p.stage < loggedIn && p.stage.asks() == fromServer {
		p.stage++
	}
}

// text returns the length of the piece of text at the front of b, 0 when its end has
// not come.
func (p *parser) text(dir proto.Dir, b []byte) int {
	d := &p.dirs[dir]
	prompt := dir == proto.ToClient && p.stage.asks()
	if prompt != d.prompt {
		d.prompt, d.scanned = prompt, 0
	}
	from := min(d.scanned, len(b))
	if prompt {
		if i := bytes.Index(b[from:], []byte(": ")); i >= 0 {
			return from + i + 2
		}
		d.scanned = len(b) - 1 // the colon may be the last byte
		return 0
	}
	if i := bytes.IndexByte(b[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	d.scanned = len(b)
	return 0
}

// control returns the length of the command at the front of b, 0 when its end has not
// come. That of a subnegotiation is what ends it: the end is a command by itself.
func (d *direction) control(b []byte) int {
	switch {
	case len(b) < 2:
		return 0
	case b[1] == sub:
		from := min(d.scanned, len(b))
		if i := bytes.Index(b[from:], []byte{iac, end}); i >= 0 {
			return from + i
		}
		d.scanned = len(b) - 1 // the last byte may be the first of the two
		return 0
	case b[1] < opt || b[1] == iac:
		return 2
	case len(b) < 3:
		return 0
	}
	return 3
}

// frames opens the frames of a piece, and closes them when its length n is known.
func (p *parser) frames(dir proto.Dir, text bool, at uint64, n int) {
	d := &p.dirs[dir]
	length := int64(n)
	if n == 0 {
		length = -1
	}
	if d.open {
		// Urgent bytes that were taken out of the stream may have moved it.
		for i := range p.c.Frames {
			if f := &p.c.Frames[i]; f.Dir == dir && f.Len < 0 && f.Type != "stream" {
				f.Offset, f.Len = at, length
			}
		}
		d.open = n == 0
		return
	}
	p.c.AddFrame(dir, "pdu", at, length, proto.NoTx)
	kind := "ctl"
	if text {
		kind = "data"
	}
	p.c.AddFrame(dir, kind, at, length, proto.NoTx)
	d.open = n == 0
}
