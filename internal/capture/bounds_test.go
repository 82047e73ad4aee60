package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"mirador/internal/capture"
)

// nothing gives no bytes, and no error, n times before it gives those of r.
type nothing struct {
	n int
	r io.Reader
}

func (x *nothing) Read(p []byte) (int, error) {
	if x.n > 0 {
		x.n--
		return 0, nil
	}
	return x.r.Read(p)
}

// A file is read up to the bounds, and not beyond.
func TestFileBounds(t *testing.T) {
	frame := func(n int) []byte {
		return makePcap(pcapOptions{order: binary.LittleEndian, magic: 0xa1b2c3d4, minor: 4, link: 1}, []record{{data: strings.Repeat("x", n), wire: n}}, 1000)
	}
	ngFrame := func(n int) []byte {
		f := newNG(false)
		f.iface(1, 6)
		f.enhanced(0, 0, make([]byte, n), n)
		return f.buf
	}
	ngBlock := func(n int) []byte {
		f := newNG(false)
		f.iface(1, 6)
		f.block(10, make([]byte, n-12))
		f.enhanced(0, 0, []byte("one"), 3)
		return f.buf
	}
	ngIfaces := func(n int) []byte {
		f := newNG(false)
		for range n {
			f.iface(1, 6)
		}
		f.enhanced(uint32(n-1), 0, []byte("one"), 3)
		return f.buf
	}
	const record, block, ifaces, idle = 256 << 10, 16 << 20, 4096, 100
	for _, c := range []struct {
		name string
		in   io.Reader
		ok   bool
	}{
		{"a frame", bytes.NewReader(frame(record)), true},
		{"a longer frame", bytes.NewReader(frame(record + 1)), false},
		{"a frame of pcapng", bytes.NewReader(ngFrame(record)), true},
		{"a longer frame of pcapng", bytes.NewReader(ngFrame(record + 1)), false},
		{"a block", bytes.NewReader(ngBlock(block)), true},
		{"a longer block", bytes.NewReader(ngBlock(block + 4)), false},
		{"interfaces", bytes.NewReader(ngIfaces(ifaces)), true},
		{"an interface more", bytes.NewReader(ngIfaces(ifaces + 1)), false},
		{"reads of nothing", io.MultiReader(bytes.NewReader(frame(10)[:24]), &nothing{idle - 1, bytes.NewReader(frame(10)[24:])}), true},
		{"one more", io.MultiReader(bytes.NewReader(frame(10)[:24]), &nothing{idle, bytes.NewReader(frame(10)[24:])}), false},
	} {
		f, err := capture.NewFile(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := readAll(f)
		if (err == nil && len(got) == 1) != c.ok {
			t.Errorf("%s: %d frames, %v", c.name, len(got), err)
		}
		var fe *capture.FormatError
		if !c.ok && !errors.As(err, &fe) {
			t.Errorf("%s: %v, want an error that says where", c.name, err)
		}
	}
	f := newNG(false)
	f.iface(1, 6, f.option(nil, 3, []byte(strings.Repeat("d", 1000)))...)
	f.enhanced(0, 0, []byte("one"), 3)
	r, err := capture.NewFile(bytes.NewReader(f.buf))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(r); err != nil {
		t.Fatal(err)
	}
	if list := r.Interfaces(); len(list) != 1 || len(list[0].Description) != 256 {
		t.Errorf("interfaces %v", list)
	}
}
