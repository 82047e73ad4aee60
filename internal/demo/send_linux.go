package demo

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Source sends datagrams as mirror sessions do: from the session's own address, with
// the source port AWS makes, TTL 255 and no UDP checksum. It is used by one goroutine.
type Source struct {
	to    unix.SockaddrInet4
	socks map[sockKey]int
	sent  uint64
}

type sockKey struct {
	addr netip.Addr
	port uint16
}

// maxSocks bounds the sockets held open: 128 ports for each of a few sessions.
const maxSocks = 1024

// NewSource returns a source that sends to the sensor at to, on the loopback
// interface.
func NewSource(to netip.AddrPort) (*Source, error) {
	if !to.Addr().Is4() || !to.Addr().IsLoopback() {
		return nil, fmt.Errorf("send mirrored frames to %v: not a loopback address", to)
	}
	return &Source{to: unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}, socks: map[sockKey]int{}}, nil
}

// Sent returns the number of datagrams that went out.
func (s *Source) Sent() uint64 { return s.sent }

// Close closes the sockets.
func (s *Source) Close() error {
	for _, fd := range s.socks {
		unix.Close(fd)
	}
	clear(s.socks)
	return nil
}

// Send sends one datagram.
func (s *Source) Send(d *Datagram) error {
	fd, err := s.socket(sockKey{d.Outer, d.Port})
	if err != nil {
		return err
	}
	for {
		err = unix.Sendto(fd, d.Data, 0, &s.to)
		switch {
		case err == nil:
			s.sent++
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN):
			time.Sleep(time.Millisecond) // the loopback queue is full
		default:
			return os.NewSyscallError("sendto", err)
		}
	}
}

// socket returns the socket bound to k, opening it when it is new.
func (s *Source) socket(k sockKey) (int, error) {
	if fd, ok := s.socks[k]; ok {
		return fd, nil
	}
	if len(s.socks) >= maxSocks {
		s.Close()
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	// As AWS sends it. None of it is needed, so a system that refuses is no reason to stop.
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1)
	unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, 255)
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	sa := &unix.SockaddrInet4{Port: int(k.port), Addr: k.addr.As4()}
	err = unix.Bind(fd, sa)
	if errors.Is(err, unix.EADDRINUSE) {
		sa.Port = 0 // somebody has the port; the address is what tells the session
		err = unix.Bind(fd, sa)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("send from %v: %w", netip.AddrPortFrom(k.addr, k.port), os.NewSyscallError("bind", err))
	}
	s.socks[k] = fd
	return fd, nil
}

// Play sends a story within span, each datagram at its time, until ctx is done.
func (s *Source) Play(ctx context.Context, story *Story, span time.Duration) error {
	began := time.Now()
	t := time.NewTimer(0)
	defer t.Stop()
	scale := 1.0
	if story.Span > 0 && span < story.Span {
		scale = float64(span) / float64(story.Span)
	}
	for i := range story.Datagrams {
		if ctx.Err() != nil {
			return nil
		}
		d := &story.Datagrams[i]
		// Pauses below a millisecond are not worth a timer.
		if due := time.Duration(float64(d.At)*scale) - time.Since(began); due > time.Millisecond {
			t.Reset(due)
			select {
			case <-ctx.Done():
				return nil
			case <-t.C:
			}
		}
		if err := s.Send(d); err != nil {
			return err
		}
	}
	return nil
}
