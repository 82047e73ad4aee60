package pop3

import "mirador/internal/proto"

// command is a command of the standards.
type command struct {
	least, most int  // arguments
	lines       bool // a good response has many lines
	bare        bool // that only without an argument
	mail        bool // the lines are a mail
	auth, tls   bool
}

func commands() map[string]*command {
	return map[string]*command{
		"USER": {least: 1, most: 1},
		"PASS": {least: 1, most: 1},
		"APOP": {least: 2, most: 2},
		"STAT": {},
		"LIST": {most: 1, lines: true, bare: true},
		"RETR": {least: 1, most: 1, lines: true, mail: true},
		"DELE": {least: 1, most: 1},
		"NOOP": {},
		"RSET": {},
		"QUIT": {},
		"TOP":  {least: 2, most: 2, lines: true},
		"UIDL": {most: 1, lines: true, bare: true},
		"CAPA": {lines: true},
		"STLS": {tls: true},
		"AUTH": {least: 1, most: 2, lines: true, bare: true, auth: true},
	}
}

// Tx is a command with its response, or a response alone.
type Tx struct {
	proto.TxBase
	cmd     *command // nil: unknown
	request bool
	name    []byte
	args    [][]byte

	response bool
	ok       bool
	header   []byte
	data     [][]byte
	size     int // of data
}

// complete ends t in both directions.
func (t *Tx) complete() {
	t.Advance(proto.ToServer, Complete)
	t.Advance(proto.ToClient, Complete)
}
