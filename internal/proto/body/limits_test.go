package body_test

import (
	"strings"
	"testing"

	"mirador/internal/proto/body"
)

// Encodings, and what is held of a stream, are bounded.
func TestLimits(t *testing.T) {
	// Encodings of one body.
	for n, undone := range map[int]bool{body.MaxLayers: true, body.MaxLayers + 1: false} {
		in := []byte("hello, hello, hello")
		var list []body.Encoding
		for range n {
			in, list = encode(t, "gzip", in), append(list, body.Gzip)
		}
		out, _ := decode(list, in, nil)
		if got := string(out) == "hello, hello, hello"; got != undone {
			t.Errorf("%d encodings: undone %v", n, got)
		}
	}
	// The stock dictionary of LZMA, and the window of brotli.
	random := make([]byte, 1<<20+1<<17)
	x := uint32(1)
	for i := range random {
		x = x*1664525 + 1013904223
		random[i] = byte(x >> 24)
	}
	for n, over := range map[int]bool{256 << 10: false, len(random): true} {
		var c collect
		d := body.NewDecoder([]body.Encoding{body.LZMA}, body.Limits{}, &c)
		note := d.Write(encode(t, "lzma", append(append([]byte{}, random[:n]...), random[:n]...))) | d.Close()
		if got := note&body.LZMAMemory != 0; got != over {
			t.Errorf("an LZMA stream that looks back %d bytes: note %d", n, note)
		}
	}
	// The header of one part of a form.
	for n, bad := range map[int]bool{30 << 10: false, 33 << 10: true} {
		_, note := split("xyz", "--xyz\r\nA: "+strings.Repeat("x", n)+"\r\nContent-Disposition: form-data; filename=a\r\n\r\n1\r\n--xyz--", 1000)
		if got := note&body.PartBadHeader != 0; got != bad {
			t.Errorf("a header of %d bytes: note %d", n, note)
		}
	}
	if got, _ := split("xyz", "--xyz\r\nContent-Disposition: form-data; filename="+strings.Repeat("n", body.MaxName+1000)+"\r\n\r\n1\r\n--xyz--", 1000); len(got) > body.MaxName+20 {
		t.Errorf("a name of %d bytes is kept", len(got))
	}
	// Parts of one file in the table.
	r := body.NewRanges(1<<30, 60e9)
	for i := range 1024 {
		if p, full := r.Open([]byte("f"), uint64(10+i), 1<<20, 0); p == nil || full {
			t.Fatalf("part %d is refused", i)
		}
	}
	if p, full := r.Open([]byte("f"), 9, 1<<20, 0); p != nil || !full {
		t.Error("a part too many is taken")
	}
	if p, full := r.Open([]byte("g"), 9, 1<<20, 0); p == nil || full {
		t.Error("a part of another file is refused")
	}
}
