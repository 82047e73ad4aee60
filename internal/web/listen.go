package web

import (
	"container/list"
	"log"
	"net"
	"net/http"
	"sync"
)

// evict is a listener with at most max connections at a time. The next one closes the
// oldest, so that clients that hold connections open keep nobody out.
type evict struct {
	net.Listener
	max int

	mu    sync.Mutex // guards conns
	conns list.List
}

func newEvict(l net.Listener, max int) *evict { return &evict{Listener: l, max: max} }

// Accept waits for the next connection.
func (e *evict) Accept() (net.Conn, error) {
	c, err := e.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ec := &evictConn{Conn: c, from: e}
	var victim *evictConn
	e.mu.Lock()
	if e.conns.Len() >= e.max {
		victim = e.conns.Front().Value.(*evictConn)
		e.conns.Remove(victim.at)
		victim.at = nil
	}
	ec.at = e.conns.PushBack(ec)
	e.mu.Unlock()
	if victim != nil {
		victim.Conn.Close()
	}
	return ec, nil
}

type evictConn struct {
	net.Conn
	from *evict
	at   *list.Element // guarded by from.mu; nil once it is out of the list
}

func (c *evictConn) Close() error {
	c.from.mu.Lock()
	if c.at != nil {
		c.from.conns.Remove(c.at)
		c.at = nil
	}
	c.from.mu.Unlock()
	return c.Conn.Close()
}

// Server is one listener that is being served.
type Server struct {
	l    net.Listener
	srv  *http.Server
	done chan struct{}
}

// serve serves h on l until Close.
func serve(l net.Listener, conns int, srv *http.Server) *Server {
	srv.ErrorLog = log.New(discardLog{}, "", 0) // what clients do wrong is not worth a line
	s := &Server{l: l, srv: srv, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		srv.Serve(newEvict(l, conns))
	}()
	return s
}

// Addr returns the address that is listened on.
func (s *Server) Addr() net.Addr { return s.l.Addr() }

// Close stops serving and waits for the listener's goroutine.
func (s *Server) Close() error {
	err := s.srv.Close()
	<-s.done
	return err
}

type discardLog struct{}

func (discardLog) Write(b []byte) (int, error) { return len(b), nil }
