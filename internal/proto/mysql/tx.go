package mysql

import "mirador/internal/proto"

// Kind is the kind of a transaction.
type Kind uint8

// Kinds of transactions.
const (
	KindNone    Kind = iota // no request: something the server said unasked
	KindLogin               // greeting and login
	KindCommand             // a command and its answer
)

// Answer is how the server answered.
type Answer uint8

// Answers.
const (
	NoAnswer Answer = iota
	Accepted        // OK, or end of an answer without rows
	Failed
	ResultSet
	Prepared
	Text   // COM_STATISTICS
	Binlog // events of the binary log
)

// Greeting is what the server says first.
type Greeting struct {
	Protocol   uint8
	Version    []byte
	Connection uint32
	Plugin     []byte
	caps       uint64 // with MariaDB's own in the upper half
	filler     bool   // the reserved bytes are zero
}

// Attribute is a connection attribute.
type Attribute struct{ Name, Value []byte }

// Login is what the client says of itself.
type Login struct {
	TLS        bool // it asks for TLS
	Compress   string
	MaxPacket  uint32
	Charset    uint16
	Attributes []Attribute
	caps       uint64
}

// Infile is a file that the server asked the client for.
type Infile struct {
	Name  []byte // nil: none
	Bytes uint64
	file  *proto.File
}

// OK is what an OK packet says.
type OK struct {
	Affected, InsertID uint64
	Warnings           uint16
	Info               []byte
}

// Error is what an error packet says.
type Error struct {
	Code           uint16
	State, Message []byte
}

// Tx is a login or a command, with what the server answered.
type Tx struct {
	proto.TxBase
	Kind    Kind
	Command uint8 // of KindCommand

	Greeting *Greeting
	Login    *Login

	User, Database, Plugin []byte
	Query                  []byte
	Statement              uint32 // number of a prepared statement
	HasStatement           bool
	Argument               uint64 // process, option, position in the binary log
	HasArgument            bool
	File                   []byte // binary log
	ServerID               uint32

	Infile  Infile
	Answer  Answer
	OK      OK
	Error   Error
	Info    []byte // COM_STATISTICS
	Results int    // result sets
	Columns uint64 // of the last one
	Params  uint16 // of a prepared statement
	Rows    uint64 // all rows
	Bytes   uint64 // of rows

	rowText []byte
	rowEnds []int

	state   state
	left    int      // definitions that are to come
	types   []column // of the result in work
	binary  bool     // its rows are in binary form
	next    uint8    // number of the packet that is to come
	checked bool     // asksLocal was asked
	local   bool     // its answer
}

func (t *Tx) version() []byte {
	if t.Greeting == nil {
		return nil
	}
	return t.Greeting.Version
}

// state is what the server is to say next in a transaction.
type state uint8

const (
	stFirst     state = iota // the beginning of an answer
	stAuth                   // its part of an authentication
	stParams                 // definitions of parameters
	stParamsEnd              // the packet behind them
	stColumns                // definitions of columns
	stColumnsEnd
	stRows
	stFields // definitions of columns, up to an end of their own
	stEvents // of the binary log
	stLast   // an OK or an error
)

// keep keeps a row's text: f appends it to what is there.
func (t *Tx) keep(f func(out []byte) []byte) {
	if len(t.rowEnds) >= MaxRows || len(t.rowText) >= MaxRowBytes {
		return
	}
	t.rowText = f(t.rowText)
	t.rowText = t.rowText[:min(len(t.rowText), MaxRowBytes)]
	t.rowEnds = append(t.rowEnds, len(t.rowText))
}

// requestDone ends the client's side.
func (t *Tx) requestDone() { t.Advance(proto.ToServer, done) }

// answered ends both sides.
func (t *Tx) answered() {
	t.Advance(proto.ToServer, done)
	t.Advance(proto.ToClient, done)
}
