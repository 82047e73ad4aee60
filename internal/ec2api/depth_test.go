package ec2api

import (
	"bytes"
	"testing"
)

// TestNestingLimit nests lists in a body as deep as is read, and one deeper.
func TestNestingLimit(t *testing.T) {
	const deepest = 16 // maxDepth and what CBOR adds
	for n, want := range map[int]bool{deepest: true, deepest + 1: false} {
		d := &cborReader{b: append(bytes.Repeat([]byte{0x81}, n), 1), budget: maxParams}
		if _, ok := d.value(0); ok != want {
			t.Errorf("%d lists in each other: read %v", n, ok)
		}
	}
}
