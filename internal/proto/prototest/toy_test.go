package prototest_test

import (
	"bytes"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/prototest/step"
)

// toy is a parser of lines with a fault that can be chosen.
type toy struct {
	c     *proto.Conn
	fault string
	tx    *toyTx
	seen  []string
	kept  []byte
}

type toyTx struct {
	proto.TxBase
	lines [][]byte
	all   string
}

func (p *toy) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	if p.tx == nil {
		p.tx = new(toyTx)
		p.c.NewTx(p.tx)
	}
	p.tx.Touch(dir)
	switch p.fault {
	case "waits for the end": // and looks at every byte again each time
		for _, b := range data {
			if b == 0 {
				return len(data), 0, proto.OK
			}
		}
		return 0, 0, proto.OK
	case "waits for the end with a library call":
		if bytes.IndexByte(data, 0) < 0 {
			return 0, 0, proto.OK
		}
		return len(data), 0, proto.OK
	case "moves the rest to the front":
		p.kept = append(p.kept, data...)
		for len(p.kept) > 0 {
			p.kept = p.kept[:copy(p.kept, p.kept[min(8, len(p.kept)):])]
		}
		return len(data), 0, proto.OK
	}
	for {
		line, rest, ok := bytes.Cut(data[used:], []byte("\n"))
		if !ok {
			return used, 0, proto.OK
		}
		used = len(data) - len(rest)
		p.line(line)
	}
}

func (p *toy) line(line []byte) {
	switch p.fault {
	case "looks through a list":
		for _, s := range p.seen {
			if s == string(line) {
				return
			}
		}
		p.seen = append(p.seen, string(line))
	case "joins strings":
		p.tx.all += string(line)
	case "keeps all":
		p.tx.lines = append(p.tx.lines, bytes.Clone(line))
	case "a walk over transactions without end for each line":
		p.c.NewTx(new(toyTx))
		n := 0
		for range p.c.Txs {
			n++
		}
	case "goes back by a label":
		p.seen = append(p.seen, "")
		i := 0
	again:
		if i++; i < len(p.seen) {
			goto again
		}
	}
}

func (p *toy) Gap(proto.Dir, int) bool { return true }

func toyProtocol(fault string) *proto.Protocol {
	return &proto.Protocol{
		Name: "toy", Transport: proto.TCP, Done: [2]uint8{1, 1},
		Probe: func(proto.Dir, []byte, proto.Hint) proto.Match { return proto.Yes },
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return &toy{c: c, fault: fault} }, nil
		},
		Fields: []proto.Field{{
			Name: "toy.all", Kind: proto.Bytes, ToServer: true,
			Get: func(c *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
				if fault == "field puts all together" {
					c.Given, _ = c.Given.(int)
					c.Given = c.Given.(int) + 1
					n := 0
					for i := range c.Given.(int) {
						n += i
					}
				}
				return nil, false
			},
		}},
	}
}

// spy collects what a check has to say.
type spy struct {
	testing.TB
	said []string
}

func (s *spy) Errorf(format string, _ ...any) { s.said = append(s.said, format) }
func (s *spy) Logf(string, ...any)            {}

// TestCost proves that a quadratic parser is found, whatever makes it quadratic, and
// a linear one let go.
func TestCost(t *testing.T) {
	if !step.On {
		step.Again(t)
		return
	}
	lines := func(n int) []prototest.Chunk {
		var b strings.Builder
		for i := range n {
			b.WriteString("line ")
			b.WriteString(strings.Repeat("x", i%7))
			b.WriteString(string(rune('a' + i%26)))
			b.WriteString(string(rune(0x4e00 + i)))
			b.WriteByte('\n')
		}
		return []prototest.Chunk{prototest.To(0, b.String())}
	}
	for _, c := range []struct {
		fault, want string
		load        prototest.Load
	}{
		{"", "", prototest.Load{N: 1000}},
		{"", "", prototest.Load{N: 1000, Piece: 1}},
		{"waits for the end", "steps", prototest.Load{N: 1000, Piece: 10}},
		{"waits for the end with a library call", "steps", prototest.Load{N: 1000, Piece: 10}},
		{"moves the rest to the front", "steps", prototest.Load{N: 2000, Piece: 1 << 20}},
		{"looks through a list", "steps", prototest.Load{N: 500}},
		{"joins strings", "allocated", prototest.Load{N: 1000}},
		{"field puts all together", "steps", prototest.Load{N: 1000, Piece: 10}},
		{"goes back by a label", "steps", prototest.Load{N: 1000}},
		{"a walk over transactions without end for each line", "for each byte", prototest.Load{N: 10000, Piece: 10}},
		{"keeps all", "holds", prototest.Load{N: 20000, Held: 1 << 20}},
	} {
		name := c.fault
		if name == "" {
			name = "none"
		}
		t.Run(name, func(t *testing.T) {
			c.load.Name, c.load.Flow = name, lines
			s := &spy{TB: t}
			prototest.Compare(s, prototest.Table(t, nil, toyProtocol(c.fault)), c.load)
			said := strings.Join(s.said, "\n")
			if (c.want == "") != (said == "") || !strings.Contains(said, c.want) {
				t.Errorf("the check says %q, want something of %q", said, c.want)
			}
		})
	}
}
