package body_test

import (
	"bytes"
	"testing"

	"mirador/internal/proto/body"
	"mirador/internal/proto/prototest/step"
)

// TestCost decodes bodies in small pieces, bombs among them: one after the other, and
// in each other.
func TestCost(t *testing.T) {
	bomb := encode(t, "gzip", make([]byte, 1<<20))
	nested := encode(t, "gzip", encode(t, "gzip", make([]byte, 8<<20)))
	var cases []step.Case
	add := func(name string, n int, list []body.Encoding, piece int, in func(n int) []byte) {
		cases = append(cases, step.Case{Name: name, N: n, Make: func(n int) func() {
			b := in(n)
			return func() { decode(list, b, func() int { return piece }) }
		}})
	}
	kinds := []struct {
		name string
		enc  body.Encoding
	}{{"gzip", body.Gzip}, {"zlib", body.Deflate}, {"raw", body.Deflate}, {"stored", body.Deflate}}
	for _, k := range kinds {
		add(k.name+", byte by byte", 20_000, []body.Encoding{k.enc}, 1, func(n int) []byte {
			return encode(t, k.name, bytes.Repeat([]byte("the quick brown fox "), n/20))
		})
	}
	add("bombs one after the other", 4, []body.Encoding{body.Gzip}, 1000, func(n int) []byte { return bytes.Repeat(bomb, n) })
	add("bombs in each other", 4, []body.Encoding{body.Gzip, body.Gzip}, 1000, func(n int) []byte { return bytes.Repeat(nested, n) })
	add("members of one byte", 100, []body.Encoding{body.Gzip}, 7, func(n int) []byte { return bytes.Repeat(encode(t, "gzip", []byte("x")), n) })
	add("empty stored blocks", 4000, []body.Encoding{body.Deflate}, 7, func(n int) []byte { return bytes.Repeat([]byte("\x00\x00\x00\xff\xff"), n) })
	step.Ratio(t, cases...)
}
