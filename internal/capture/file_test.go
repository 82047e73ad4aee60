package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/pcapgo"

	"mirador/internal/capture"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// record is what is compared of a frame.
type record struct {
	data string
	wire int
	time int64
	link packet.Link
}

// readAll reads r to its end and returns what ended it, if not io.EOF.
func readAll(r capture.Reader) ([]record, error) {
	var all []record
	var b capture.Batch
	for {
		if err := r.Read(&b, forever); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return all, err
		}
		for _, f := range b.Frames {
			all = append(all, record{string(f.Data), f.WireLen, f.Time, f.Link})
		}
	}
}

// pcapOptions say how makePcap writes.
type pcapOptions struct {
	order    binary.AppendByteOrder
	magic    uint32
	minor    uint16
	link     uint32
	extra    int  // bytes more in each record header
	swapLens bool // as version 2.3 did
}

func makePcap(o pcapOptions, recs []record, unit int64) []byte {
	b := o.order.AppendUint32(nil, o.magic)
	b = o.order.AppendUint16(b, 2)
	b = o.order.AppendUint16(b, o.minor)
	b = append(b, make([]byte, 8)...)
	b = o.order.AppendUint32(b, 65535)
	b = o.order.AppendUint32(b, o.link)
	for _, r := range recs {
		b = o.order.AppendUint32(b, uint32(r.time/1e9))
		b = o.order.AppendUint32(b, uint32(r.time%1e9/unit))
		l := [2]uint32{uint32(len(r.data)), uint32(r.wire)}
		if o.swapLens {
			l[0], l[1] = l[1], l[0]
		}
		b = o.order.AppendUint32(b, l[0])
		b = o.order.AppendUint32(b, l[1])
		b = append(b, make([]byte, o.extra)...)
		b = append(b, r.data...)
	}
	return b
}

func TestPcapForms(t *testing.T) {
	recs := []record{
		{"first", 5, 1_700_000_000_123456000, packet.LinkEthernet},
		{"cut", 1500, 1_700_000_001_000001000, packet.LinkEthernet},
		{"", 0, 4_294_967_295_999999000, packet.LinkEthernet},
	}
	for _, c := range []struct {
		name string
		o    pcapOptions
		unit int64
		link packet.Link
	}{
		{"little micro", pcapOptions{order: binary.LittleEndian, magic: 0xa1b2c3d4, minor: 4, link: 1}, 1000, 1},
		{"big micro", pcapOptions{order: binary.BigEndian, magic: 0xa1b2c3d4, minor: 4, link: 1}, 1000, 1},
		{"little nano", pcapOptions{order: binary.LittleEndian, magic: 0xa1b23c4d, minor: 4, link: 1}, 1, 1},
		{"big nano", pcapOptions{order: binary.BigEndian, magic: 0xa1b23c4d, minor: 4, link: 276}, 1, 276},
		{"modified", pcapOptions{order: binary.LittleEndian, magic: 0xa1b2cd34, minor: 4, link: 1, extra: 8}, 1000, 1},
		{"frame check sequence", pcapOptions{order: binary.LittleEndian, magic: 0xa1b2c3d4, minor: 4, link: 0x2400_0001}, 1000, 1},
		{"version 2.3", pcapOptions{order: binary.LittleEndian, magic: 0xa1b2c3d4, minor: 3, link: 1, swapLens: true}, 1000, 1},
	} {
		f, err := capture.NewFile(bytes.NewReader(makePcap(c.o, recs, c.unit)))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got, err := readAll(f)
		if err != nil || len(got) != len(recs) {
			t.Errorf("%s: %d frames, %v", c.name, len(got), err)
			continue
		}
		for i, want := range recs {
			want.link = c.link
			if got[i] != want {
				t.Errorf("%s: frame %d is %+v, want %+v", c.name, i, got[i], want)
			}
		}
	}
}

func TestPcapngForms(t *testing.T) {
	for _, big := range []bool{false, true} {
		n := newNG(big)
		n.iface(1, 6)
		n.enhanced(0, 1_700_000_000_123456, []byte("micro"), 5)
		n.block(5, make([]byte, 40))                // statistics: skipped
		n.block(0x80000bad, make([]byte, 3<<20))    // larger than what is read at once
		n.block(10, bytes.Repeat([]byte("key"), 9)) // secrets: skipped
		n.iface(101, 9, n.option(nil, 14, n.order.AppendUint64(nil, 100))...)
		n.enhanced(1, 5, []byte("raw ip"), 60)
		n.iface(1, 0x80|20)
		n.enhanced(2, 3<<20|1<<19, []byte("binary"), 6)
		n.iface(1, 12)
		n.enhanced(3, 1_500_000_000_000, []byte("pico"), 4)
		n.block(3, append(n.order.AppendUint32(nil, 6), "simple"...))
		old := n.order.AppendUint16(nil, 0)
		old = n.order.AppendUint16(old, 7) // drops
		old = n.order.AppendUint32(old, 0)
		old = n.order.AppendUint32(old, 9)
		old = n.order.AppendUint32(old, 3)
		old = n.order.AppendUint32(old, 3)
		n.block(2, append(old, "old"...))
		n.section() // interfaces count anew
		n.iface(113, 3)
		n.enhanced(0, 2, []byte("milli"), 5)
		f, err := capture.NewFile(iotest.OneByteReader(bytes.NewReader(n.buf)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(f)
		if err != nil {
			t.Fatal(err)
		}
		want := []record{
			{"micro", 5, 1_700_000_000_123456000, 1},
			{"raw ip", 60, 100_000_000_005, 101},
			{"binary", 6, 3_500_000_000, 1},
			{"pico", 4, 1_500_000_000, 1},
			{"simple", 6, 0, 1},
			{"old", 3, 9000, 1},
			{"milli", 5, 2_000_000, 113},
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("big endian %v:\n got %v\nwant %v", big, got, want)
		}
		if is := f.Interfaces(); len(is) != 1 || is[0].Name != "eth0" || is[0].Link != 113 {
			t.Errorf("interfaces %+v", is)
		}
	}
}

// Times that no int64 holds become the nearest that one holds.
func TestPcapngTimeRange(t *testing.T) {
	n := newNG(false)
	n.iface(1, 0) // seconds
	n.enhanced(0, math.MaxUint64, []byte("late"), 4)
	n.iface(1, 0x80)
	n.enhanced(1, 1<<40, []byte("late"), 4)
	n.iface(1, 6, n.option(nil, 14, n.order.AppendUint64(nil, math.MaxInt64))...)
	n.enhanced(2, 1, []byte("late"), 4)
	n.iface(1, 6, n.option(nil, 14, n.order.AppendUint64(nil, 1<<63))...)
	n.enhanced(3, 1, []byte("early"), 5)
	f, err := capture.NewFile(bytes.NewReader(n.buf))
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(f)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MinInt64} {
		if got[i].time != want {
			t.Errorf("frame %d: time %d, want %d", i, got[i].time, want)
		}
	}
}

// A file that is cut or corrupt gives everything before that, and then says where it is.
func TestCorrupt(t *testing.T) {
	good := makePcap(pcapOptions{order: binary.LittleEndian, magic: 0xa1b2c3d4, minor: 4, link: 1},
		[]record{{data: "one", wire: 3}, {data: "three", wire: 5}}, 1000)
	const second = 24 + 16 + 3
	n := newNG(false)
	section := len(n.buf)
	n.iface(1, 6)
	ifaceEnd := len(n.buf)
	n.enhanced(0, 0, []byte("one"), 3)
	firstEnd := len(n.buf)
	n.enhanced(0, 0, []byte("three"), 5)
	patch := func(b []byte, at int, v uint32) []byte {
		b = bytes.Clone(b)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	long := newNG(false)
	long.iface(1, 6)
	longAt := len(long.buf)
	long.block(10, make([]byte, 2<<20))
	for _, c := range []struct {
		name   string
		file   []byte
		frames int
		offset int64
		cause  error
	}{
		{"cut in a record", good[:second+18], 1, second, io.ErrUnexpectedEOF},
		{"cut in a record header", good[:second+1], 1, second, io.ErrUnexpectedEOF},
		{"impossible length", patch(good, second+8, 1<<30), 1, second, nil},
		{"ng cut in a block", n.buf[:firstEnd+20], 1, int64(firstEnd), io.ErrUnexpectedEOF},
		{"ng cut in a skipped block", long.buf[:len(long.buf)-9], 0, int64(longAt), io.ErrUnexpectedEOF},
		{"ng lengths of a skipped block differ", patch(long.buf, len(long.buf)-4, 44), 0, int64(longAt), nil},
		{"ng lengths differ", patch(n.buf, len(n.buf)-4, 44), 1, int64(firstEnd), nil},
		{"ng length below header", patch(n.buf, firstEnd+4, 8), 1, int64(firstEnd), nil},
		{"ng length impossible", patch(n.buf, firstEnd+4, 1<<31), 1, int64(firstEnd), nil},
		{"ng frame longer than block", patch(n.buf, firstEnd+8+12, 4000), 1, int64(firstEnd), nil},
		{"ng unknown interface", patch(n.buf, firstEnd+8, 7), 1, int64(firstEnd), nil},
		{"ng no interface", append(bytes.Clone(n.buf[:section]), n.buf[ifaceEnd:]...), 0, int64(section), nil},
		{"ng no byte order", patch(n.buf, 8, 1), 0, 0, nil},
	} {
		f, err := capture.NewFile(bytes.NewReader(c.file))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := readAll(f)
		var fe *capture.FormatError
		if !errors.As(err, &fe) || fe.Offset != c.offset || !errors.Is(err, c.cause) && c.cause != nil || len(got) != c.frames {
			t.Errorf("%s: %d frames, then %v; want %d, then offset %d", c.name, len(got), err, c.frames, c.offset)
		}
	}
	for _, b := range []string{"", "\xd4\xc3", "\xd4\xc3\xb2\xa1\x02\x00\x04", "not a capture at all", "\x0a\x0d\x0d"} {
		var fe *capture.FormatError
		if _, err := capture.NewFile(bytes.NewReader([]byte(b))); !errors.As(err, &fe) {
			t.Errorf("NewFile(%q): %v", b, err)
		}
	}
	f, err := capture.NewFile(io.MultiReader(bytes.NewReader(good), iotest.ErrReader(os.ErrDeadlineExceeded)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(f); len(got) != 2 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("failing reader: %d frames, %v", len(got), err)
	}
}

func TestOpen(t *testing.T) {
	if _, err := capture.Open(filepath.Join(t.TempDir(), "none.pcap")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "x.pcap")
	sent := pkttest.UDP("10.0.0.1:1", "10.0.0.2:2").ToServer("a").ToClient("b").Frames
	if err := os.WriteFile(path, pkttest.Pcap(sent), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(f)
	if err != nil || len(got) != 2 || got[0].data != string(sent[0].Data) || got[1].time != sent[1].Time {
		t.Errorf("%v, %v", got, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// Writing and reading again gives the same frames.
func TestWriter(t *testing.T) {
	var buf bytes.Buffer
	w, err := capture.NewWriter(&buf, packet.LinkRaw)
	if err != nil {
		t.Fatal(err)
	}
	want := []record{{"abc", 3, 1_700_000_000_000000001, packet.LinkRaw}, {"", 70, 0, packet.LinkRaw}}
	for _, r := range want {
		if err := w.Write([]byte(r.data), r.wire, r.time); err != nil {
			t.Fatal(err)
		}
	}
	huge := make([]byte, 300<<10)
	if err := w.Write(huge, 0, -5); err != nil {
		t.Fatal(err)
	}
	want = append(want, record{string(huge[:256<<10]), len(huge), 0, packet.LinkRaw})
	f, err := capture.NewFile(&buf)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(f)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d frames, %v", len(got), err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("frame %d differs: %d bytes of %d, time %d", i, len(got[i].data), got[i].wire, got[i].time)
		}
	}
	if _, err := capture.NewWriter(failWriter{}, 1); err == nil {
		t.Error("no error from a full disk")
	}
}

type failWriter struct{}

func (failWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// Reading does not allocate, but for the slab.
func TestFileAllocs(t *testing.T) {
	var sent []pkttest.Sent
	for range 5000 {
		sent = append(sent, pkttest.UDP("10.0.0.1:1", "10.0.0.2:2").ToServer("hello").Frames...)
	}
	f, err := capture.NewFile(bytes.NewReader(pkttest.Pcap(sent)))
	if err != nil {
		t.Fatal(err)
	}
	var b capture.Batch
	if err := f.Read(&b, 0); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() {
		if err := f.Read(&b, 0); err != nil || len(b.Frames) == 0 {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

// The same frames as gopacket's pcapgo, over all captures at hand.
func TestAgainstPcapgo(t *testing.T) {
	root := pkttest.Shared(t, "data")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".pcap", ".pcapng", ".cap", ".trace":
		default:
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > 4<<20 {
			return err
		}
		want, ok := oracle(path)
		if !ok {
			return nil
		}
		files++
		f, err := capture.Open(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		defer f.Close()
		got, _ := readAll(f)
		if len(got) < len(want) {
			t.Errorf("%s: %d frames, want %d", path, len(got), len(want))
			return nil
		}
		for i := range want {
			if d := got[i].time - want[i].time; d%(1<<32) == 0 {
				// pcapgo multiplies microseconds above a million in 32 bits.
				want[i].time = got[i].time
			}
			if got[i] != want[i] {
				t.Errorf("%s: frame %d is %+v, want %+v", path, i, got[i], want[i])
				return nil
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Error("no capture was compared")
	}
	t.Logf("%d files", files)
}

// oracle reads a file with pcapgo; ok is false where pcapgo cannot.
func oracle(path string) (all []record, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	var next func() ([]byte, gopacket.CaptureInfo, error)
	var link func(int) packet.Link
	if r, err := pcapgo.NewReader(f); err == nil {
		next = r.ReadPacketData
		link = func(int) packet.Link { return packet.Link(r.LinkType()) }
	} else {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, false
		}
		r, err := pcapgo.NewNgReader(f, pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			return nil, false
		}
		next = r.ReadPacketData
		link = func(i int) packet.Link {
			iface, err := r.Interface(i)
			if err != nil {
				return 0
			}
			return packet.Link(iface.LinkType)
		}
	}
	for {
		data, info, err := next()
		if err != nil {
			return all, true
		}
		t := info.Timestamp.UnixNano()
		if info.Timestamp.IsZero() { // a block without a time
			t = 0
		}
		all = append(all, record{string(data), info.Length, t, link(info.InterfaceIndex)})
	}
}

// FuzzPcap reads arbitrary bytes as a capture file: every frame lies within the bytes
// read, and reading again in single bytes gives the same.
func FuzzPcap(f *testing.F) {
	f.Add(pkttest.Pcap(pkttest.TCP("10.0.0.1:1", "10.0.0.2:2").ToServer("hello").Frames))
	n := newNG(true)
	n.iface(1, 0x80|9)
	n.enhanced(0, 7, []byte("frame"), 9)
	n.block(5, make([]byte, 8))
	n.block(3, append(n.order.AppendUint32(nil, 6), "simple"...))
	f.Add(n.buf)
	f.Add(makePcap(pcapOptions{order: binary.BigEndian, magic: 0xa1b2cd34, minor: 2, link: 113, extra: 8},
		[]record{{data: "x", wire: 1}}, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := capture.NewFile(bytes.NewReader(b))
		if err != nil {
			return
		}
		got, end := readAll(r)
		size := 0
		for _, g := range got {
			size += len(g.data)
			if g.wire < len(g.data) {
				t.Fatalf("%d bytes of %d", len(g.data), g.wire)
			}
		}
		if size > len(b) {
			t.Fatalf("%d bytes of frames from a file of %d", size, len(b))
		}
		var fe *capture.FormatError
		if errors.As(end, &fe) && (fe.Offset < 0 || fe.Offset > int64(len(b))) {
			t.Fatalf("offset %d in a file of %d", fe.Offset, len(b))
		}
		r, err = capture.NewFile(iotest.OneByteReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatal(err)
		}
		again, end2 := readAll(r)
		if fmt.Sprint(again, end2) != fmt.Sprint(got, end) {
			t.Fatalf("read in single bytes: %v %v, at once %v %v", again, end2, got, end)
		}
	})
}

func BenchmarkFile(b *testing.B) {
	var sent []pkttest.Sent
	for range 2000 {
		sent = append(sent, pkttest.UDP("10.0.0.1:1", "10.0.0.2:2").ToServer("hello hello hello hello").Frames...)
	}
	file := pkttest.Pcap(sent)
	var batch capture.Batch
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		r, err := capture.NewFile(bytes.NewReader(file))
		if err != nil {
			b.Fatal(err)
		}
		for r.Read(&batch, time.Second) == nil {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(sent)), "ns/frame")
}
