package mpm_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mirador/internal/mpm"
)

// twin is the plain search Scan has to agree with.
func twin(list []mpm.Pattern, data []byte) []uint32 {
	found := map[uint32]bool{}
	for _, p := range list {
		end := len(data)
		if p.End > 0 {
			end = min(end, p.End)
		}
		area, pat := data[:end], p.Bytes
		if p.NoCase {
			area, pat = lowered(area), lowered(pat)
		}
		if off := max(p.Offset, 0); off <= len(area) && bytes.Contains(area[off:], pat) {
			found[p.ID] = true
		}
	}
	ids := []uint32{}
	for id := range found {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// lowered folds ASCII only, unlike bytes.ToLower.
func lowered(b []byte) []byte {
	b = bytes.Clone(b)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 0x20
		}
	}
	return b
}

func build(list []mpm.Pattern) (*mpm.Matcher, []mpm.Pattern) {
	var b mpm.Builder
	var taken []mpm.Pattern
	for _, p := range list {
		if b.Add(p) {
			taken = append(taken, p)
		}
	}
	return b.Build(), taken
}

func scan(m *mpm.Matcher, h *mpm.Hits, data []byte) []uint32 {
	h.Reset()
	m.Scan(data, h)
	ids := append([]uint32{}, h.IDs...)
	slices.Sort(ids)
	return ids
}

func TestScan(t *testing.T) {
	p := func(s string, nocase bool, off, end int, id uint32) mpm.Pattern {
		return mpm.Pattern{Bytes: []byte(s), NoCase: nocase, Offset: off, End: end, ID: id}
	}
	list := []mpm.Pattern{
		p("GET ", false, 0, 4, 1), p("get ", true, 0, 0, 2), p("GET ", false, 0, 0, 3), p("/index.php", false, 4, 0, 4),
		p("INDEX", true, 0, 0, 5), p("INDEX", false, 0, 0, 6), p(".php?x=", true, 10, 17, 7), p(".php?x=", true, 11, 0, 8),
		p("x", false, 0, 0, 9), p("X", true, 18, 0, 10), p("=1", false, 0, 0, 11), p("1 H", true, 0, 0, 12), p("zz", false, 0, 0, 13),
		p("\r\n\r\n", false, 0, 0, 14), p("HTTP/1.1\r\n", false, 0, 0, 15), p("missing", false, 0, 0, 16), p("\x00", false, 0, 0, 17),
	}
	data := []byte("GET /index.php?x=1 HTTP/1.1\r\n\r\n")
	for n := 1; n <= len(list); n++ {
		m, taken := build(list[:n])
		if len(taken) != n || m.Len() != n {
			t.Fatalf("%d patterns of %d taken", m.Len(), n)
		}
		h := mpm.NewHits(m.IDs())
		for cut := 0; cut <= len(data); cut++ {
			if got, want := scan(m, h, data[:cut]), twin(taken, data[:cut]); !slices.Equal(got, want) {
				t.Fatalf("%d patterns, Scan(%q) = %v, want %v", n, data[:cut], got, want)
			}
		}
	}
}

func TestHitsAccumulate(t *testing.T) {
	m1, _ := build([]mpm.Pattern{{Bytes: []byte("aaaa"), ID: 1}, {Bytes: []byte("bbbb"), ID: 2}})
	m2, _ := build([]mpm.Pattern{{Bytes: []byte("aaaa"), ID: 1}, {Bytes: []byte("cccc"), ID: 300}})
	h := mpm.NewHits(0)
	m1.Scan([]byte("xxaaaa"), h)
	m2.Scan([]byte("xxaaaacccc"), h)
	if !slices.Equal(h.IDs, []uint32{1, 300}) || !h.Has(300) || h.Has(2) || h.Has(1<<20) {
		t.Errorf("IDs = %v", h.IDs)
	}
	h.Reset()
	if len(h.IDs) != 0 || h.Has(1) || h.Has(300) {
		t.Error("Reset keeps ids")
	}
}

func TestBuilderRefuses(t *testing.T) {
	var b mpm.Builder
	for _, p := range []mpm.Pattern{
		{ID: 1}, {Bytes: make([]byte, mpm.MaxPatternLen)}, {Bytes: []byte("a"), ID: mpm.MaxID + 1}, {Bytes: []byte("abcd"), Offset: 3, End: 6},
	} {
		if b.Add(p) {
			t.Errorf("Add takes a pattern of %d bytes, id %d, %d-%d", len(p.Bytes), p.ID, p.Offset, p.End)
		}
	}
	m := b.Build()
	h := mpm.NewHits(1)
	m.Scan([]byte("abcd"), h)
	if m.Len() != 0 || len(h.IDs) != 0 {
		t.Error("an empty matcher finds something")
	}
	var zero mpm.Matcher
	zero.Scan([]byte("abcd"), h)
}

// randomPatterns makes n patterns over a small alphabet, so that they overlap, share
// windows and occur often.
func randomPatterns(rng *rand.Rand, n int, alphabet string, maxLen int) []mpm.Pattern {
	list := make([]mpm.Pattern, n)
	for i := range list {
		p := mpm.Pattern{ID: uint32(rng.IntN(2 * n)), NoCase: rng.IntN(2) == 0}
		for range 1 + rng.IntN(maxLen) {
			p.Bytes = append(p.Bytes, alphabet[rng.IntN(len(alphabet))])
		}
		if rng.IntN(4) == 0 {
			p.Offset = rng.IntN(40)
		}
		if rng.IntN(4) == 0 {
			p.End = p.Offset + len(p.Bytes) + rng.IntN(40)
		}
		list[i] = p
	}
	return list
}

func TestScanTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	h := mpm.NewHits(0)
	for round := range 400 {
		alphabet := []string{"ab", "aAbB", "\x00\xff@`", "abcdefghijklmnopqrstuvwxyzABCDEF.:/ \r\n\x00\x80\xc1\xe1"}[round%4]
		list := randomPatterns(rng, 1+rng.IntN(1<<rng.IntN(10)), alphabet, []int{3, 8, 20, 60}[rng.IntN(4)])
		m, taken := build(list)
		for range 5 {
			data := make([]byte, rng.IntN(300))
			for i := range data {
				data[i] = alphabet[rng.IntN(len(alphabet))]
			}
			for range 3 {
				if p := taken[rng.IntN(len(taken))].Bytes; len(p) < len(data) {
					copy(data[rng.IntN(len(data)-len(p)):], p)
				}
			}
			want := twin(taken, data)
			for e, name := range mpm.Engines() {
				if got := scan(m.WithEngine(e), h, data); !slices.Equal(got, want) {
					t.Fatalf("round %d: Scan(%q) by %s = %v, want %v of %v", round, data, name, got, want, taken)
				}
			}
		}
	}
}

// TestRuns scans long runs of one byte, which Scan mostly skips.
func TestRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	h := mpm.NewHits(0)
	run := func(most int) []byte {
		return bytes.Repeat([]byte{"\x00Aa\x20x"[rng.IntN(5)]}, 1+rng.IntN(most))
	}
	for round := range 1500 {
		var list []mpm.Pattern
		for i := range 4 + rng.IntN(20) {
			p := mpm.Pattern{ID: uint32(i), NoCase: rng.IntN(2) == 0}
			for range 1 + rng.IntN(3) {
				p.Bytes = append(p.Bytes, run(30)...)
			}
			if rng.IntN(2) == 0 {
				p.Offset = rng.IntN(500)
			}
			if rng.IntN(2) == 0 {
				p.End = p.Offset + len(p.Bytes) + rng.IntN(200)
			}
			list = append(list, p)
		}
		m, taken := build(list)
		var data []byte
		for range 1 + rng.IntN(5) {
			data = append(data, run(400)...)
		}
		want := twin(taken, data)
		for e, name := range mpm.Engines() {
			if got := scan(m.WithEngine(e), h, data); !slices.Equal(got, want) {
				t.Fatalf("round %d: Scan(%q) by %s = %v, want %v of %+v", round, data, name, got, want, taken)
			}
		}
	}
}

// TestLiteralHostile drives a literal into its fallbacks on large data.
func TestLiteralHostile(t *testing.T) {
	for _, tt := range []struct{ pat, part string }{
		{strings.Repeat("a", 5000) + "b", "a"}, {"b" + strings.Repeat("a", 5000), "a"}, {strings.Repeat("ab", 500) + "Z", "ab"},
		{"/" + strings.Repeat("x", 300) + "/", "/" + strings.Repeat("x", 299)}, {strings.Repeat("\x00", 100) + "\x01", "\x00"},
	} {
		for _, nocase := range []bool{false, true} {
			l := mpm.NewLiteral([]byte(tt.pat), nocase)
			data := bytes.Repeat([]byte(tt.part), 1<<20/len(tt.part))
			if i := l.Index(data, 0); i != -1 {
				t.Errorf("Literal(%.20q...).Index = %d in data without it", tt.pat, i)
			}
			if i := l.Index(append(data, tt.pat...), 0); i != bytes.Index(append(data, tt.pat...), []byte(tt.pat)) {
				t.Errorf("Literal(%.20q...).Index = %d in data with it", tt.pat, i)
			}
		}
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, n := range []int{1, 3, 20, 5000} {
		m, taken := build(randomPatterns(rng, n, "abcdefgh", 9))
		h := mpm.NewHits(m.IDs())
		data := bytes.Repeat(taken[0].Bytes, 200)
		m.Scan(data, h)
		if a := testing.AllocsPerRun(20, func() { h.Reset(); m.Scan(data, h) }); a != 0 {
			t.Errorf("%d patterns: %v allocations a scan", n, a)
		}
	}
}

func TestMemoryOfSmallMatchers(t *testing.T) {
	for _, tt := range []struct{ n, most int }{{1, 1000}, {3, 1200}, {4, 1200}, {10, 2400}, {100, 12000}, {10000, 1 << 20}} {
		var list []mpm.Pattern
		for i := range tt.n {
			list = append(list, mpm.Pattern{Bytes: fmt.Appendf(nil, "pattern-%d", i*7919), ID: uint32(i)})
		}
		m, _ := build(list)
		if got := m.Memory(); got > tt.most {
			t.Errorf("%d patterns take %d bytes, want at most %d", tt.n, got, tt.most)
		}
	}
}

// TestWorkIsBounded scans data made against the matcher and bounds the steps.
func TestWorkIsBounded(t *testing.T) {
	const size = 1 << 16
	var deep []mpm.Pattern // many patterns with every window in common
	for i := range 2000 {
		s := strings.Repeat("A", 4+i%60) + string(rune('a'+i%26)) + strings.Repeat("A", i/26)
		deep = append(deep, mpm.Pattern{Bytes: []byte(s), ID: uint32(i), NoCase: i%2 == 0})
	}
	rng := rand.New(rand.NewPCG(5, 5))
	wide := randomPatterns(rng, 5000, "abcdefghijklmnopqrstuvwxyz0123456789./", 24)
	limited := make([]mpm.Pattern, 1000) // the same string at a thousand places
	for i := range limited {
		limited[i] = mpm.Pattern{Bytes: []byte("needle"), ID: uint32(i), Offset: i, End: i + 6 + i%3}
	}
	periodic := []mpm.Pattern{}
	for i := range 20 {
		periodic = append(periodic, mpm.Pattern{Bytes: []byte(strings.Repeat("abcd", 50+i) + "X"), ID: uint32(i)})
	}
	for _, set := range []struct {
		name string
		list []mpm.Pattern
		most float64 // steps a byte
	}{{"deep", deep, 60}, {"wide", wide, 8}, {"limited", limited, 8}, {"periodic", periodic, 8}} {
		m, taken := build(set.list)
		h := mpm.NewHits(m.IDs())
		var windows, whole []byte
		for i := 0; len(windows) < size; i++ {
			p := taken[i%len(taken)].Bytes
			windows = append(windows, p[:min(len(p), 4)]...)
		}
		for i := 0; len(whole) < size; i++ {
			whole = append(whole, taken[i*17%len(taken)].Bytes...)
		}
		for k, data := range [][]byte{
			make([]byte, size), bytes.Repeat([]byte("A"), size), bytes.Repeat([]byte("a"), size), bytes.Repeat([]byte("AAAAAa"), size/6),
			windows[:size], whole[:size], bytes.Repeat([]byte("abcd"), size/4), bytes.Repeat([]byte("needle"), size/6),
		} {
			h.Reset()
			before := h.Work
			m.WithEngine(k%len(mpm.Engines())).Scan(data, h)
			if perByte := float64(h.Work-before) / float64(len(data)); perByte > set.most {
				t.Errorf("%s: %.1f steps a byte on %q...", set.name, perByte, data[:20])
			} else if perByte > 1 {
				t.Logf("%s: %.1f steps a byte on %q...", set.name, perByte, data[:20])
			}
		}
	}
}

func TestLiteral(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for round := range 3000 {
		alphabet := []string{"ab", "aAbB", "\x00\xff@`\xc1\xe1aA", "abcdefghijklmnopqrstuvwxyzABCDEF.:/ \r\n\x00"}[round%4]
		nocase := rng.IntN(2) == 0
		pat := make([]byte, 1+rng.IntN(1+round%40))
		data := make([]byte, rng.IntN(500))
		for _, b := range [][]byte{pat, data} {
			for i := range b {
				b[i] = alphabet[rng.IntN(len(alphabet))]
			}
		}
		if len(pat) < len(data) && rng.IntN(2) == 0 {
			copy(data[rng.IntN(len(data)-len(pat)):], pat)
		}
		l := mpm.NewLiteral(pat, nocase)
		from := rng.IntN(len(data) + 2)
		area, p := data, pat
		if nocase {
			area, p = lowered(data), lowered(pat)
		}
		want := -1
		if from <= len(data) {
			if want = bytes.Index(area[from:], p); want >= 0 {
				want += from
			}
		}
		if got := l.Index(data, from); got != want {
			t.Fatalf("Literal(%q, %v).Index(%q, %d) = %d, want %d", pat, nocase, data, from, got, want)
		}
		if want >= 0 && !l.Match(data, want) {
			t.Fatalf("Literal(%q, %v).Match(%q, %d) = false", pat, nocase, data, want)
		}
	}
	var empty mpm.Literal
	if empty.Index([]byte("ab"), 2) != 2 || empty.Index(nil, 1) != -1 {
		t.Error("the empty literal")
	}
	l := mpm.NewLiteral([]byte("ab"), false)
	if l.Index([]byte("ab"), -5) != 0 || l.Match([]byte("xab"), -1) || l.Match([]byte("xab"), 2) || l.Len() != 2 {
		t.Error("bounds of a literal")
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("GET \n/index\n\x00\nab"), []byte("GET /index.html HTTP/1.1\r\n"), uint64(1))
	f.Add([]byte("aaaa\naaab\nAAAA"), bytes.Repeat([]byte("aaaA"), 40), uint64(7))
	f.Add([]byte("x\nyy\nzzz\nwwww"), []byte("xyyzzzwwww"), uint64(0xffff))
	f.Fuzz(func(t *testing.T, patterns, data []byte, bits uint64) {
		if len(patterns) > 4096 || len(data) > 4096 {
			return
		}
		var list []mpm.Pattern
		for i, p := range bytes.Split(patterns, []byte("\n")) {
			r := bits>>(i%60) + uint64(i)
			x := mpm.Pattern{Bytes: p, NoCase: r&1 != 0, ID: uint32(i)}
			if r&2 != 0 {
				x.Offset = int(r >> 3 % 32)
			}
			if r&4 != 0 {
				x.End = int(r >> 2 % 64)
			}
			list = append(list, x)
		}
		m, taken := build(list)
		h := mpm.NewHits(0)
		before := bytes.Clone(data)
		want := twin(taken, data)
		for e, name := range mpm.Engines() {
			if got := scan(m.WithEngine(e), h, data); !slices.Equal(got, want) {
				t.Fatalf("Scan(%q) by %s = %v, want %v of %v", data, name, got, want, taken)
			}
		}
		if !bytes.Equal(before, data) {
			t.Fatal("Scan changed the data")
		}
		for _, p := range taken {
			l := mpm.NewLiteral(p.Bytes, p.NoCase)
			area, pat := data, p.Bytes
			if p.NoCase {
				area, pat = lowered(area), lowered(pat)
			}
			if got, want := l.Index(data, 0), bytes.Index(area, pat); got != want {
				t.Fatalf("Literal(%q, %v).Index(%q) = %d, want %d", p.Bytes, p.NoCase, data, got, want)
			}
		}
	})
}
