package sip

import (
	"bytes"

	"mirador/internal/proto"
)

// Header is a header of a message, in the order of the wire.
type Header struct{ Name, Value []byte }

// Tx is a request or a response. Its byte slices share one copy of the message.
type Tx struct {
	proto.TxBase
	Request bool
	Line    []byte // first line without its end
	Method  []byte
	URI     []byte
	Version []byte // "SIP/2.0"
	Code    []byte
	Reason  []byte
	Headers []Header
	SDP     *SDP // nil: none
}

// value returns the i-th value of a header, known by its long and compact name.
func (t *Tx) value(long, compact string, i int) ([]byte, bool) {
	for _, h := range t.Headers {
		if bytes.EqualFold(h.Name, []byte(long)) || compact != "" && bytes.EqualFold(h.Name, []byte(compact)) {
			if i == 0 {
				return h.Value, true
			}
			i--
		}
	}
	return nil, false
}
