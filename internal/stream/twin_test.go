package stream_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"mirador/internal/packet"
	"mirador/internal/stream"
)

// seg makes a Parsed that holds only what the engine looks at.
func seg(seq, ack uint32, flags uint8, payload []byte) *packet.Parsed {
	return &packet.Parsed{Data: payload, PayloadEnd: len(payload), Seq: seq, Ack: ack, Flags: flags,
		Window: 65535, IPVersion: 4, Proto: packet.ProtoTCP, Depth: packet.DepthTransport}
}

func newEngine(t testing.TB, o stream.Options) *stream.Engine {
	t.Helper()
	o.ChecksumValidation = false // hand-made packets have none
	e, err := stream.NewEngine(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// dial runs a handshake with window scaling.
func dial(e *stream.Engine, s *stream.Session, c, v uint32) {
	syn := seg(c, 0, packet.SYN, nil)
	syn.HasWScale, syn.WScale = true, 8
	e.Packet(s, syn, 0)
	sa := seg(v, c+1, packet.SYN|packet.ACK, nil)
	sa.HasWScale, sa.WScale = true, 8
	e.Packet(s, sa, 1)
	e.Packet(s, seg(c+1, v+1, packet.ACK, nil), 0)
}

// plain is reassembly without any cleverness: an array of bytes, each with the
// segment it is from.
type plain struct {
	val   []byte
	owner []int // index in segs, -1 when missing
	segs  [][2]int
	edge  int
	acked int
	next  int
	read  int
	out   []byte // what the reader got, a hole as '_' per byte
	wins  func(s, e, os, oe int) bool
}

// winners says for each policy, in the words of its papers, whether a new segment
// wins over an old one.
func winners(p stream.Policy) func(s, e, os, oe int) bool {
	before := func(s, e, os, oe int) bool { return s < os }
	switch p {
	case stream.PolicyFirst, stream.PolicyVista:
		return func(s, e, os, oe int) bool { return false }
	case stream.PolicyLast:
		return func(s, e, os, oe int) bool { return true }
	case stream.PolicyLinux:
		return func(s, e, os, oe int) bool { return s < os || (s == os && e > oe) }
	case stream.PolicyOldLinux:
		return func(s, e, os, oe int) bool { return s < os || (s == os && e >= oe) }
	case stream.PolicySolaris, stream.PolicyHPUX11:
		return func(s, e, os, oe int) bool { return e >= oe }
	case stream.PolicyWindows, stream.PolicyWindows2k3:
		return func(s, e, os, oe int) bool { return s < os && e > oe }
	case stream.PolicyBSDRight:
		return func(s, e, os, oe int) bool { return s >= os }
	}
	return before
}

func (m *plain) segment(s int, data []byte) {
	e := s + len(data)
	if e < m.acked && s != m.next && e <= m.edge {
		return // the state machine refuses it
	}
	m.next = max(m.next, e)
	m.segs = append(m.segs, [2]int{s, e})
	id := len(m.segs) - 1
	for x := s; x < e; x++ {
		switch o := m.owner[x]; {
		case x < 0:
		case o < 0:
			if x >= m.edge {
				m.owner[x], m.val[x] = id, data[x-s]
			}
		case x >= m.acked && x >= m.read && m.wins(s, e, m.segs[o][0], m.segs[o][1]):
			m.owner[x], m.val[x] = id, data[x-s]
		}
	}
	m.extend()
}

func (m *plain) extend() {
	for m.edge < len(m.owner) && m.owner[m.edge] >= 0 {
		m.edge++
	}
}

// ack lets the reader see what is acknowledged, giving up holes.
func (m *plain) ack(a int) {
	m.acked = max(m.acked, a)
	for {
		m.extend()
		first := -1
		for x := m.edge; x < len(m.owner); x++ {
			if m.owner[x] >= 0 {
				first = x
				break
			}
		}
		if first < 0 || m.acked <= m.edge || (m.acked > m.next && first >= m.acked) {
			break
		}
		m.edge = min(first, m.acked)
	}
	for ; m.read < min(m.edge, m.acked); m.read++ {
		if m.owner[m.read] < 0 {
			m.out = append(m.out, '_')
		} else {
			m.out = append(m.out, m.val[m.read])
		}
	}
}

func drainApp(s *stream.Session, d uint8, out []byte) []byte {
	for {
		c, ok := s.App(d)
		if !ok {
			return out
		}
		for range c.Gap {
			out = append(out, '_')
		}
		out = append(out, c.Data...)
		s.AppUsed(d, len(c.Data))
	}
}

// TestTwin compares the engine with plain under random order, overlap, loss,
// duplicates with other bytes, and acknowledgements of anything sent.
func TestTwin(t *testing.T) {
	for p := range stream.NumPolicy {
		t.Run(p.String(), func(t *testing.T) {
			for seed := range uint64(150) {
				twin(t, p, seed)
			}
		})
	}
}

func twin(t *testing.T, p stream.Policy, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, uint64(p)))
	o := stream.DefaultOptions()
	o.OSDefault = p
	e := newEngine(t, o)
	var s stream.Session
	const size = 6000
	isn := ^uint32(0) - uint32(rng.IntN(2*size)) // some wrap in the middle
	const sisn = 77
	dial(e, &s, isn, sisn)
	m := &plain{val: make([]byte, size+200), owner: make([]int, size+200), wins: winners(p)}
	for i := range m.owner {
		m.owner[i] = -1
	}
	var got []byte
	steps := ""
	at := 0
	for step := 0; step < 120; step++ {
		if rng.IntN(4) == 0 && m.next > 0 {
			a := m.acked + rng.IntN(m.next-m.acked+1)
			if rng.IntN(3) > 0 {
				a = max(m.acked, min(m.edge, m.next))
			}
			e.Packet(&s, seg(sisn+1, isn+1+uint32(a), packet.ACK, nil), 1)
			got = drainApp(&s, 0, got)
			for {
				w, ok := s.Raw(0)
				if !ok {
					break
				}
				s.RawUsed(0, len(w.Data))
			}
			// The reader of the raw window may be behind, and the readers fix bytes.
			m.ack(a)
			steps += fmt.Sprintf("ack %d; ", a)
		} else {
			n := 2 + rng.IntN(60)
			var from int
			switch rng.IntN(6) {
			case 0, 1, 2: // in order
				from = at
			case 3: // ahead
				from = at + rng.IntN(150)
			default: // again, or partly again
				from = max(0, at-rng.IntN(150))
			}
			if from+n > size {
				break
			}
			if rng.IntN(3) > 0 {
				at = max(at, from+n)
			}
			data := make([]byte, n)
			for i := range data {
				data[i] = 'a' + byte(rng.IntN(3))
				if rng.IntN(4) > 0 {
					data[i] = 'A' + byte((from+i)%26)
				}
			}
			e.Packet(&s, seg(isn+1+uint32(from), sisn+1, packet.ACK, data), 0)
			got = drainApp(&s, 0, got)
			m.segment(from, data)
			steps += fmt.Sprintf("seg %d+%d %s; ", from, n, data)
		}
		if string(got) != string(m.out) {
			t.Fatalf("policy %v seed %d after %s\n got %s\nwant %s", p, seed, steps, got, m.out)
		}
	}
	e.Release(&s)
	if n := e.Stats().ReassemblyMemuse; n != 0 {
		t.Fatalf("policy %v seed %d: %d bytes still in use", p, seed, n)
	}
}
