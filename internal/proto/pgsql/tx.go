package pgsql

import "mirador/internal/proto"

// Kind is the kind of a request.
type Kind uint8

// Kinds of requests.
const (
	NoRequest Kind = iota
	SSLRequest
	Startup
	Cancel
	Password
	SASLInitial
	SASLResponse
	SimpleQuery
	CopyIn // COPY data from the client
	Terminate
)

// Param is a parameter with its value.
type Param struct{ Name, Value []byte }

// Tx is a request with its responses.
type Tx struct {
	proto.TxBase
	Kind      Kind
	Text      []byte // query, password or SASL data
	Mechanism []byte // SASL
	User      []byte
	Params    []Param // start-up
	PID, Key  uint32  // cancel request

	// COPY data from the client.
	CopyMsgs, CopyBytes uint64
	CopyDone            bool
	CopyFail            []byte

	Responses []Response
	Rows      Rows // data rows, or COPY data from the server
	status    []Param
	count     int
}

// Rows counts rows and the bytes of their values.
type Rows struct{ Count, Bytes uint64 }

// ResponseKind is the kind of a response.
type ResponseKind uint8

// Kinds of responses.
const (
	SSLAnswer   ResponseKind = iota
	AuthMessage              // authentication without data
	AuthMD5
	AuthSASLFinal
	ParameterStatus
	BackendKey
	ErrorOrNotice
	RowDescription
	DataRows
	CopyInStart
	CopyOutStart
	CopyOutData
	CopyOutDone
	CommandComplete
	Ready
)

// Response is one response. What its members mean depends on Kind.
type Response struct {
	Kind  ResponseKind
	Text  []byte // name of authentication, tag, salt
	Flag  bool   // SSL accepted; malformed
	N, M  uint32 // process id and key; columns
	Error []Param
}

// respond adds r and tells whether there was room.
func (t *Tx) respond(r Response, limit int) bool {
	if t.count >= limit {
		t.AddEvent(EventTooManyResponses)
		return false
	}
	t.count++
	t.Responses = append(t.Responses, r)
	t.Touch(proto.ToClient)
	return true
}

// requested ends the request side.
func (t *Tx) requested() { t.Advance(proto.ToServer, done) }

// answered ends both sides.
func (t *Tx) answered() {
	t.Advance(proto.ToServer, done)
	t.Advance(proto.ToClient, done)
}
