package stream_test

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/pcapgo"

	"mirador/internal/flow"
	"mirador/internal/packet"
	"mirador/internal/stream"
)

// shared returns the directory of the captures and rules that are not part of the
// repository, and skips the test where they are not.
func shared(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			s := filepath.Join(filepath.Dir(d), "shared", "data")
			if _, err := os.Stat(s); err != nil {
				t.Skip("no ../shared/data: captures are not there")
			}
			return s
		}
		if d == filepath.Dir(d) {
			t.Skip("no go.mod above: cannot find ../shared")
		}
	}
}

// read is what the application layer reader of one direction got.
type read struct {
	data []byte
	gaps []uint64
	at   []int // len(data) at each gap
	eof  bool
	cut  bool
}

// rec is one flow of a replay, as it was at its end.
type rec struct {
	flow.Entry[state]
	reason flow.Reason
}

type state struct {
	s    *stream.Session
	app  [2]*read
	raw  [2][]stream.Window
	st   stream.State
	seen [2]uint8
	reg  [2]uint16
	tcp  bool
}

type hit struct {
	ev  stream.Event
	pkt int
}

// run is a replayed capture.
type run struct {
	flows  []rec
	hits   []hit
	eng    *stream.Engine
	table  *flow.Table[state]
	defrag *stream.Defrag
	packet []packet.Event
	cut    int // truncated packets
	gets   int // windows of raw inspection, and lone payloads, that begin with GET
}

type replayOptions struct {
	stream stream.Options
	flow   flow.Options
	keep   bool // keep what the readers get
	each   func(*packet.Parsed, *state)
}

func defaultReplay() replayOptions {
	o := replayOptions{stream: stream.DefaultOptions(), flow: flow.DefaultOptions(), keep: true}
	o.flow.Prealloc, o.flow.HashSize = 64, 1024
	return o
}

// frame is one frame of a capture file.
type frame struct {
	link packet.Link
	data []byte
	wire int
	time int64
}

// frames reads all frames of a capture file, until its end or a malformed record.
func frames(t testing.TB, path string, f func(n int, fr *frame)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<16)
	head, _ := in.Peek(4)
	var next func() ([]byte, gopacket.CaptureInfo, packet.Link, error)
	if bytes.Equal(head, []byte{0x0a, 0x0d, 0x0d, 0x0a}) {
		r, err := pcapgo.NewNgReader(in, pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			t.Logf("%s: %v", path, err)
			return
		}
		next = func() ([]byte, gopacket.CaptureInfo, packet.Link, error) {
			d, ci, err := r.ReadPacketData()
			link := packet.LinkEthernet
			if err == nil {
				if i, e := r.Interface(ci.InterfaceIndex); e == nil {
					link = packet.Link(i.LinkType)
				}
			}
			return d, ci, link, err
		}
	} else {
		r, err := pcapgo.NewReader(in)
		if err != nil {
			t.Logf("%s: %v", path, err)
			return
		}
		r.SetSnaplen(1 << 20)
		next = func() ([]byte, gopacket.CaptureInfo, packet.Link, error) {
			d, ci, err := r.ReadPacketData()
			return d, ci, packet.Link(r.LinkType()), err
		}
	}
	for n := 1; ; n++ {
		d, ci, link, err := next()
		if err != nil {
			return
		}
		f(n, &frame{link, d, ci.Length, ci.Timestamp.UnixNano()})
	}
}

// replay runs the packets of a capture through both rooms.
func replay(t testing.TB, path string, o replayOptions) *run {
	t.Helper()
	r := &run{}
	var err error
	if r.eng, err = stream.NewEngine(o.stream); err != nil {
		t.Fatal(err)
	}
	if r.defrag, err = stream.NewDefrag(stream.DefaultDefragOptions()); err != nil {
		t.Fatal(err)
	}
	end := func(e *flow.Entry[state], why flow.Reason) {
		v := &e.V
		if v.tcp {
			r.eng.Finish(v.s)
			r.note(0)
			r.drain(v, 0, o.keep)
			r.drain(v, 1, o.keep)
			v.st = v.s.State
			for d := range uint8(2) {
				v.seen[d] = v.s.TCPFlags(d)
				v.reg[d] = v.s.Stats(d).MaxRegions()
			}
			r.eng.Release(v.s)
		}
		r.flows = append(r.flows, rec{*e, why})
		e.V = state{}
	}
	if r.table, err = flow.NewTable(o.flow, end); err != nil {
		t.Fatal(err)
	}
	dec := packet.NewDecoder(packet.Options{})
	var buf []packet.Parsed
	frames(t, path, func(n int, fr *frame) {
		buf = dec.Decode(buf[:0], fr.link, fr.data, fr.wire, fr.time)
		for i := 0; i < len(buf); i++ {
			if buf[i].Truncated {
				r.cut++
			}
			if buf[i].Fragment {
				whole, l3, ok := r.defrag.Add(&buf[i], 0)
				r.packet = append(r.packet, buf[i].Events[:buf[i].NEvents]...)
				if ok {
					buf = dec.DecodeAt(buf, whole, l3, fr.time, &buf[i], packet.FromDefrag)
				}
				continue
			}
			r.one(&buf[i], n, o)
		}
		r.table.Expire(fr.time)
	})
	r.table.Close()
	return r
}

func (r *run) one(p *packet.Parsed, n int, o replayOptions) {
	e, dir, fresh := r.table.Find(p, 0)
	if e == nil {
		return
	}
	v := &e.V
	if p.Proto != packet.ProtoTCP {
		r.table.Update(e, p, dir)
		return
	}
	if !fresh && v.s != nil && r.eng.Reuse(v.s, p, dir) {
		e = r.table.Reuse(e, p)
		v, dir = &e.V, 0
	}
	if v.s == nil {
		v.s, v.tcp = new(stream.Session), true
		v.app = [2]*read{{}, {}}
	}
	r.table.Update(e, p, dir)
	res := r.eng.Packet(v.s, p, dir)
	if res.Flags&stream.Turn != 0 {
		e.Turn()
	}
	if v.s.State >= stream.Established {
		st := flow.Established
		switch v.s.State {
		case stream.LastAck, stream.TimeWait, stream.Closed:
			st = flow.Closed
		}
		r.table.SetState(e, st)
	}
	r.drainApp(v, 0, o.keep)
	r.drainApp(v, 1, o.keep)
	if o.each != nil {
		o.each(p, v)
	}
	r.drainRaw(v, res.Dir)
	if res.Flags&stream.Added == 0 && bytes.HasPrefix(p.PayloadBytes(), []byte("GET ")) {
		r.gets++
	}
	r.note(n)
}

func (r *run) note(n int) {
	for _, ev := range r.eng.Events() {
		r.hits = append(r.hits, hit{ev, n})
	}
}

func (r *run) drain(v *state, d uint8, keep bool) {
	r.drainApp(v, d, keep)
	r.drainRaw(v, d)
}

func (r *run) drainApp(v *state, d uint8, keep bool) {
	for {
		c, ok := v.s.App(d)
		if !ok {
			break
		}
		a := v.app[d]
		if c.Gap > 0 {
			a.gaps = append(a.gaps, c.Gap)
			a.at = append(a.at, len(a.data))
		}
		if keep {
			a.data = append(a.data, c.Data...)
		}
		a.eof = a.eof || c.EOF
		a.cut = a.cut || c.Depth
		v.s.AppUsed(d, len(c.Data))
		if bytes.HasSuffix(c.Data, []byte("\r\n\r\n")) {
			v.s.TriggerRaw(d)
		}
	}
}

func (r *run) drainRaw(v *state, d uint8) {
	for {
		w, ok := v.s.Raw(d)
		if !ok {
			break
		}
		if bytes.HasPrefix(w.Data, []byte("GET ")) {
			r.gets++
		}
		v.raw[d] = append(v.raw[d], stream.Window{Offset: w.Offset, Fresh: len(w.Data)})
		v.s.RawUsed(d, len(w.Data)-w.Fresh)
	}
}
