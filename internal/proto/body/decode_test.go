package body_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"math/rand"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/ulikunitz/xz/lzma"

	"mirador/internal/proto/body"
)

// collect is a Sink that keeps everything.
type collect struct{ bytes.Buffer }

func (c *collect) BodyData(b []byte) bool { c.Write(b); return true }

func encode(t testing.TB, kind string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch kind {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "zlib":
		w = zlib.NewWriter(&out)
	case "raw":
		w, _ = flate.NewWriter(&out, 6)
	case "fixed":
		w, _ = flate.NewWriter(&out, flate.HuffmanOnly)
	case "stored":
		w, _ = flate.NewWriter(&out, 0)
	case "br":
		w = brotli.NewWriterOptions(&out, brotli.WriterOptions{Quality: 5, LGWin: 18})
	case "lzma":
		lw, err := lzma.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		w = lw
	}
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func samples() map[string][]byte {
	r := rand.New(rand.NewSource(1))
	noise := make([]byte, 50000)
	r.Read(noise)
	mix := []byte{}
	for i := 0; i < 3000; i++ {
		mix = append(mix, strings.Repeat(string(rune('a'+r.Intn(26))), r.Intn(40))...)
		mix = append(mix, noise[:r.Intn(100)]...)
	}
	return map[string][]byte{
		"short": []byte("hello, body"),
		"text":  bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog. "), 5000),
		"noise": noise,
		"mix":   mix,
		"zeros": make([]byte, 300000),
	}
}

func decode(list []body.Encoding, in []byte, cut func() int) ([]byte, body.Note) {
	var c collect
	d := body.NewDecoder(list, body.Limits{LZMAMemory: 16 << 20}, &c)
	var n body.Note
	for len(in) > 0 {
		k := len(in)
		if cut != nil {
			k = min(k, cut())
		}
		n |= d.Write(in[:k])
		in = in[k:]
	}
	n |= d.Close()
	return c.Bytes(), n
}

func TestDecodeWhatWasEncoded(t *testing.T) {
	kinds := map[string]body.Encoding{"gzip": body.Gzip, "zlib": body.Deflate, "raw": body.Deflate,
		"fixed": body.Deflate, "stored": body.Deflate, "br": body.Brotli, "lzma": body.LZMA}
	for name, want := range samples() {
		for kind, enc := range kinds {
			in := encode(t, kind, want)
			r := rand.New(rand.NewSource(2))
			for cutName, cut := range map[string]func() int{
				"whole": nil, "one": func() int { return 1 }, "some": func() int { return 1 + r.Intn(700) },
			} {
				if cutName == "one" && len(in) > 20000 && testing.Short() {
					continue
				}
				got, note := decode([]body.Encoding{enc}, in, cut)
				if note != 0 || !bytes.Equal(got, want) {
					t.Errorf("%s/%s/%s: note %d, %d bytes, want %d", kind, name, cutName, note, len(got), len(want))
				}
			}
		}
	}
}

func TestLayers(t *testing.T) {
	want := []byte("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR")
	in := encode(t, "gzip", encode(t, "raw", encode(t, "zlib", want)))
	got, note := decode([]body.Encoding{body.Deflate, body.Deflate, body.Gzip}, in, func() int { return 1 })
	if note != 0 || !bytes.Equal(got, want) {
		t.Errorf("three layers: note %d, %q, want %q", note, got, want)
	}
}

func TestNotCompressed(t *testing.T) {
	for _, text := range []string{"X5O!P%@AP[4\\PZX54", `{"sdk_version":"30","app_package":"x"}`, "",
		strings.Repeat("plain text, not compressed at all. ", 1000)} {
		for _, enc := range []body.Encoding{body.Gzip, body.Deflate} {
			for _, cut := range []func() int{nil, func() int { return 1 }} {
				got, _ := decode([]body.Encoding{enc}, []byte(text), cut)
				if string(got) != text {
					t.Errorf("encoding %d: %.40q became %.40q (%d bytes, want %d)", enc, text, got, len(got), len(text))
				}
			}
		}
	}
}

func TestWrongFormat(t *testing.T) {
	want := samples()["text"]
	for _, kind := range []string{"gzip", "zlib", "raw"} {
		for _, enc := range []body.Encoding{body.Gzip, body.Deflate} {
			got, _ := decode([]body.Encoding{enc}, encode(t, kind, want), nil)
			if !bytes.Equal(got, want) {
				t.Errorf("%s announced as %d: %d bytes, want %d", kind, enc, len(got), len(want))
			}
		}
	}
}

func TestGzipHeaders(t *testing.T) {
	want := "the body"
	plain := encode(t, "gzip", []byte(want))
	with := func(flag byte, extra string) []byte {
		b := bytes.Clone(plain)
		b[3] |= flag
		return append(b[:10:10], append([]byte(extra), b[10:]...)...)
	}
	for name, in := range map[string][]byte{
		"text flag": with(1, ""), "crc": with(2, "\x00\x00"), "extra": with(4, "\x05\x00Ap\x01\x00\x00"),
		"name": with(8, " \x00"), "comment": with(16, " \x00"), "reserved": with(0xe0, ""),
		"all": with(0x1f, "\x01\x00xname\x00comment\x00ab"), "no trailer": plain[:len(plain)-8],
		"bad trailer": append(plain[:len(plain)-4:len(plain)-4], 1, 2, 3, 4),
	} {
		for _, cut := range []func() int{nil, func() int { return 1 }} {
			if got, note := decode([]body.Encoding{body.Gzip}, in, cut); string(got) != want || note != 0 {
				t.Errorf("%s: %q note %d, want %q", name, got, note, want)
			}
		}
	}
}

func TestBomb(t *testing.T) {
	b := make([]byte, 8<<20)
	in := encode(t, "gzip", encode(t, "gzip", b))
	var c collect
	d := body.NewDecoder([]body.Encoding{body.Gzip, body.Gzip}, body.Limits{}, &c)
	note := d.Write(in)
	if note&body.Bomb == 0 || !d.Stopped() || c.Len() > 2<<20 {
		t.Errorf("bomb of %d bytes in %d: note %d, stopped %v, %d out", len(b), len(in), note, d.Stopped(), c.Len())
	}
}

func TestLZMAMemory(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	b := make([]byte, 100000)
	r.Read(b)
	in := encode(t, "lzma", append(b, b...))
	var c collect
	d := body.NewDecoder([]body.Encoding{body.LZMA}, body.Limits{LZMAMemory: 64 << 10}, &c)
	if note := d.Write(in) | d.Close(); note&body.LZMAMemory == 0 {
		t.Errorf("note %d, want LZMAMemory", note)
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range samples() {
		for i, k := range []string{"gzip", "zlib", "raw", "br", "lzma"} {
			f.Add(encode(f, k, b[:min(len(b), 2000)]), byte(i))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, kind byte) {
		list := []body.Encoding{body.Encoding(kind % 5), body.Encoding(kind / 5 % 5)}
		all, note := decode(list, in, nil)
		n := int(kind)%7 + 1
		cut, cutNote := decode(list, in, func() int { n = n*5%11 + 1; return n })
		if len(all) > 1<<22 || (note|cutNote)&body.Failed != 0 && (list[0] == body.Brotli || list[1] == body.Brotli) {
			// A broken brotli stream gives out what its library happened to flush.
			return
		}
		if !bytes.Equal(all, cut) {
			t.Errorf("%v: whole %d bytes, in pieces %d", list, len(all), len(cut))
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	in := encode(b, "gzip", samples()["mix"])
	b.SetBytes(int64(len(samples()["mix"])))
	b.ReportAllocs()
	for b.Loop() {
		var c null
		d := body.NewDecoder([]body.Encoding{body.Gzip}, body.Limits{}, &c)
		d.Write(in)
	}
}

type null struct{ n int }

func (n *null) BodyData(b []byte) bool { n.n += len(b); return true }
