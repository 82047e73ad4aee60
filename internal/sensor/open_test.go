package sensor_test

import (
	"testing"

	"mirador/internal/packet"
	"mirador/internal/pkttest"
	"mirador/internal/proto"
	"mirador/internal/proto/prototest/step"
)

// waiting is a parser whose transactions wait: 'o' begins one, 'd' completes the newest,
// '0' one from the middle, ' ' nothing, anything else has something new in the newest.
type waiting struct {
	c    *proto.Conn
	last []*bareTx
}

func (p *waiting) Parse(_ proto.Dir, b []byte, _ bool) (int, int, proto.Status) {
	for _, what := range b {
		switch what {
		case ' ':
			continue
		case 'o':
			t := &bareTx{}
			p.c.NewTx(t)
			p.last = append(p.last, t)
			continue
		}
		i := len(p.last) - 1
		if what == '0' {
			i /= 2
		}
		switch t := p.last[i]; what {
		case 'd', '0':
			t.Advance(proto.ToServer, 2)
			t.Advance(proto.ToClient, 2)
			p.last = append(p.last[:i], p.last[i+1:]...)
		default:
			t.Advance(proto.ToServer, 1)
		}
	}
	return len(b), 0, proto.OK
}

func (p *waiting) Gap(proto.Dir, int) bool { return true }

// TestOpenTransactionsCost: what a packet costs must not depend on how many transactions
// of its flow wait for something else. Copies of what they are kept in count: of their
// places in a list an eighth of a step each.
func TestOpenTransactionsCost(t *testing.T) {
	if !step.On {
		step.Again(t)
		return
	}
	const packets = 200
	for _, c := range []struct {
		name string
		data string  // of each packet
		most float64 // cost with four times the transactions
	}{
		{"nothing new", " ", 1.1},
		{"the newest has something new", "x", 1.1},
		{"another one comes and goes", "od", 1.2},
		{"one in the middle goes", "o0", 1.6},
	} {
		cost := func(open int) uint64 {
			row := &proto.Protocol{Name: "waiting", Transport: proto.TCP,
				Probe: func(proto.Dir, []byte, proto.Hint) proto.Match { return proto.Yes },
				Configure: func(proto.Settings) (proto.Factory, error) {
					return func(c *proto.Conn) proto.Parser { return &waiting{c: c} }, nil
				},
				Done: [2]uint8{2, 2},
			}
			o, _ := workerOptions(t, `alert ip any any -> any any (msg:"x"; content:"not there"; sid:1;)`, row)
			o.Mirror = false
			w := startWorker(t, o)
			f := pkttest.TCP("10.0.0.1:40000", "10.0.0.2:80").Open()
			begin := make([]byte, open)
			for i := range begin {
				begin[i] = 'o'
			}
			f.ToServer(string(begin)).ToServer("x")
			first := len(f.Frames)
			for range packets {
				f.ToServer(c.data)
			}
			feed := func(from, to int) {
				for _, s := range f.Frames[from:to] {
					w.Frame(packet.LinkEthernet, s.Data, len(s.Data), s.Time)
				}
			}
			feed(0, first)
			return step.Measure(func() { feed(first, len(f.Frames)) }).Steps
		}
		cost(10) // what is made once is made now
		small, large := cost(200), cost(800)
		t.Logf("%-30s %d steps with 200 open transactions, %d with 800", c.name, small, large)
		if small < packets || float64(large) > c.most*float64(small) {
			t.Errorf("%s: %d steps with 200 open transactions, %d with 800", c.name, small, large)
		}
	}
}
