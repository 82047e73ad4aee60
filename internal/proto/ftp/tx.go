package ftp

import "mirador/internal/proto"

// Reply is a line of a reply.
type Reply struct {
	Code []byte // three digits; nil: the line has none in front of a space
	Text []byte // the rest, or all of it
}

// Tx is a command with its replies, or replies without a command.
type Tx struct {
	proto.TxBase
	cmd  command
	arg  []byte // nil: none
	more bool   // the line is longer than the name
	cut  bool   // the line was too long

	replies  []Reply
	size     int // of replies
	received bool
	replyCut bool

	port   uint16 // of the data connection; 0: none
	active bool
	bounce bool // PORT names somebody else
}

// Command returns the command's name; "" when there is only a reply.
func (t *Tx) Command() string { return t.cmd.String() }

// Argument returns what follows the command.
func (t *Tx) Argument() []byte { return t.arg }

// Replies returns the lines of the reply, but for empty ones.
func (t *Tx) Replies() []Reply { return t.replies }

// Port returns the port of the data connection, 0 when there is none.
func (t *Tx) Port() uint16 { return t.port }

// mode names the way of the data connection.
func (t *Tx) mode() string {
	if t.active {
		return "active"
	}
	return "passive"
}

// complete ends t in both directions.
func (t *Tx) complete() {
	t.Advance(proto.ToServer, Complete)
	t.Advance(proto.ToClient, Complete)
}
