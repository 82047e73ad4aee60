package demo

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// turn is what one end of a dialogue sent.
type turn struct {
	from int // 0 the client, 1 the server
	data []byte
}

// tape is a connection in memory that remembers who sent what, in order. Writes never
// wait for the other end to read, or two ends that both begin by sending would wait
// for ever.
type tape struct {
	mu     sync.Mutex // guards what follows
	cond   *sync.Cond
	turns  []turn
	unread [2][]byte // of each end
	closed bool
}

// maxTape bounds a dialogue in bytes: handshakes are a few kilobytes.
const maxTape = 1 << 20

var errTapeFull = errors.New("dialogue too long")

func newTape() (t *tape, client, server net.Conn) {
	t = &tape{}
	t.cond = sync.NewCond(&t.mu)
	return t, &tapeEnd{t, 0}, &tapeEnd{t, 1}
}

// record returns the dialogue so far. Turns of one end in a row are one turn.
func (t *tape) record() []turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []turn
	for _, x := range t.turns {
		if n := len(out); n > 0 && out[n-1].from == x.from {
			out[n-1].data = append(out[n-1].data, x.data...)
			continue
		}
		out = append(out, turn{x.from, append([]byte(nil), x.data...)})
	}
	return out
}

type tapeEnd struct {
	t   *tape
	who int
}

func (e *tapeEnd) Read(b []byte) (int, error) {
	e.t.mu.Lock()
	defer e.t.mu.Unlock()
	for len(e.t.unread[e.who]) == 0 {
		if e.t.closed {
			return 0, io.EOF
		}
		e.t.cond.Wait()
	}
	n := copy(b, e.t.unread[e.who])
	e.t.unread[e.who] = e.t.unread[e.who][n:]
	return n, nil
}

func (e *tapeEnd) Write(b []byte) (int, error) {
	e.t.mu.Lock()
	defer e.t.mu.Unlock()
	if e.t.closed {
		return 0, io.ErrClosedPipe
	}
	size := len(b)
	for _, x := range e.t.turns {
		size += len(x.data)
	}
	if size > maxTape {
		return 0, errTapeFull
	}
	e.t.turns = append(e.t.turns, turn{e.who, append([]byte(nil), b...)})
	e.t.unread[1-e.who] = append(e.t.unread[1-e.who], b...)
	e.t.cond.Broadcast()
	return len(b), nil
}

func (e *tapeEnd) Close() error {
	e.t.mu.Lock()
	e.t.closed = true
	e.t.cond.Broadcast()
	e.t.mu.Unlock()
	return nil
}

func (e *tapeEnd) LocalAddr() net.Addr              { return tapeAddr{} }
func (e *tapeEnd) RemoteAddr() net.Addr             { return tapeAddr{} }
func (e *tapeEnd) SetDeadline(time.Time) error      { return nil }
func (e *tapeEnd) SetReadDeadline(time.Time) error  { return nil }
func (e *tapeEnd) SetWriteDeadline(time.Time) error { return nil }

type tapeAddr struct{}

func (tapeAddr) Network() string { return "memory" }
func (tapeAddr) String() string  { return "memory" }
