package step_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"mirador/internal/proto/prototest/step"
)

// The functions that stand for those of the library give what those give.
func TestShims(t *testing.T) {
	texts := []string{"", " ", "a", " a b ", "a,b,,c", "Ä\u2003 x \u2003", "\xa0x\x85", "\t\r\n", ",", "ABCabc", strings.Repeat("ab,", 50)}
	for _, s := range texts {
		b := []byte(s)
		same := func(what string, got, want any) {
			t.Helper()
			if got != want {
				t.Errorf("%s(%q) = %v, want %v", what, s, got, want)
			}
		}
		same("IndexByte", step.IndexByte(b, ','), bytes.IndexByte(b, ','))
		same("LastIndexByte", step.LastIndexByte(s, ','), strings.LastIndexByte(s, ','))
		same("Index", step.Index(s, "b,"), strings.Index(s, "b,"))
		same("IndexAny", step.IndexAny(s, ",c"), strings.IndexAny(s, ",c"))
		same("LastIndexAny", step.LastIndexAny(s, ",c"), strings.LastIndexAny(s, ",c"))
		same("Contains", step.Contains(b, []byte("b,")), bytes.Contains(b, []byte("b,")))
		same("TrimSpace", step.TrimSpace(s), strings.TrimSpace(s))
		same("TrimSpace", string(step.TrimSpace(b)), string(bytes.TrimSpace(b)))
		same("Trim", step.Trim(s, " a"), strings.Trim(s, " a"))
		same("TrimLeft", step.TrimLeft(s, " a"), strings.TrimLeft(s, " a"))
		same("TrimRight", step.TrimRight(s, " a"), strings.TrimRight(s, " a"))
		x, y, ok := step.Cut(s, ",")
		x2, y2, ok2 := strings.Cut(s, ",")
		same("Cut", x+"|"+y, x2+"|"+y2)
		same("Cut", ok, ok2)
		for _, o := range texts {
			same("Equal", step.Equal(b, []byte(o)), bytes.Equal(b, []byte(o)))
			same("EqualFold", step.EqualFold(s, o), strings.EqualFold(s, o))
		}
	}
}

func TestS(t *testing.T) {
	for _, c := range []struct {
		what string
		f    func()
		want uint64
	}{
		{"string", func() { step.S(strings.Repeat("x", 80)) }, 11},
		{"bytes", func() { step.S(make([]byte, 80)) }, 11},
		{"words", func() { step.S(make([]uint64, 80)) }, 11},
		{"rune", func() { step.S('x') }, 1},
		{"map", func() { step.S(map[int]int{1: 1}) }, 1},
		{"found early", func() { step.IndexByte(strings.Repeat("x", 80), 'x') }, 1},
		{"found nowhere", func() { step.IndexByte(strings.Repeat("x", 80), 'y') }, 11},
	} {
		if got := step.Measure(c.f).Steps; got != c.want {
			t.Errorf("%s: %d steps, want %d", c.what, got, c.want)
		}
	}
}

func TestRewrite(t *testing.T) {
	const src = `// Package p is text.
package p

import (
	"bytes"
	"sort"
)

const c = string("x")

func f(b []byte, s string) []byte {
	for range 3 { b = append(b, s...) }
again:
	if i := bytes.IndexByte(b, 0); i > 0 { goto again }
	bytes := struct{ IndexByte func() }{}
	bytes.IndexByte()
	sort.Slice(b, func(i, j int) bool { return b[i] < b[j] })
	n := copy(b, string(b))
	return append([]byte(nil), b[n:]...)
}
`
	out, err := step.Rewrite("p.go", []byte(src), "x/step")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`package p; import __step "x/step"`, `const c = string("x")`,
		"string) []byte { __step.N++; ", "for range 3 { __step.N++; ", "append(b, __step.S(s)...)",
		"again:\n\t__step.N++; if i := __step.IndexByte(b, 0)", "\tbytes.IndexByte()",
		"sort.Slice(__step.S(b), func(i, j int) bool { __step.N++; ", "__step.Copied(copy(b, string(__step.S(b))))",
		"append([]byte(nil), __step.S(b[n:])...)",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if _, err := parser.ParseFile(token.NewFileSet(), "p.go", out, 0); err != nil {
		t.Error(err)
	}
	if !bytes.Contains(out, []byte("return append")) || bytes.Count(out, []byte("\n"))-bytes.Count([]byte(src), []byte("\n")) > 4 {
		t.Error("lines were added in between")
	}
}
