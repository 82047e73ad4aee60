package mpm_test

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"mirador/internal/mpm"
)

type scenario struct {
	name     string
	patterns []pattern
	data     [][]byte
}

// scenarios are the ET fast patterns of a buffer over the buffers of that kind.
func scenarios(tb testing.TB) []scenario {
	et, c := etPatterns(tb), loadCorpus(tb)
	var all []pattern
	for _, list := range et {
		all = append(all, list...)
	}
	var long []pattern
	for _, p := range all {
		if len(p.data) >= 4 {
			long = append(long, p)
		}
	}
	return []scenario{
		{"all", long, c.payload},
		{"payload", et["payload"], c.payload},
		{"payload-100", et["payload"][:100], c.payload},
		{"payload-10", et["payload"][:10], c.payload},
		{"payload-3", et["payload"][:3], c.payload},
		{"http.uri", et["http.uri"], c.uri},
		{"http.host", et["http.host"], c.host},
		{"dns.query", et["dns.query"], c.query},
	}
}

// cpu reports the rate by processor time, which other programs on the machine
// disturb less than the wall clock.
func cpu(b *testing.B, bytes int64, f func()) {
	b.SetBytes(bytes)
	b.ReportAllocs()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after syscall.Rusage
	n := 0
	syscall.Getrusage(1, &before) // RUSAGE_THREAD
	for b.Loop() {
		f()
		n++
	}
	syscall.Getrusage(1, &after)
	if d := after.Utime.Nano() - before.Utime.Nano(); d > 0 {
		b.ReportMetric(float64(bytes)*float64(n)/float64(d)*1000, "cpu-MB/s")
	}
}

func buildET(list []pattern) *mpm.Matcher {
	var b mpm.Builder
	for i, p := range list {
		b.Add(mpm.Pattern{Bytes: p.data, NoCase: p.nocase, ID: uint32(i)})
	}
	return b.Build()
}

func BenchmarkScan(b *testing.B) {
	for _, s := range scenarios(b) {
		for e, engine := range mpm.Engines() {
			b.Run(fmt.Sprintf("%s-n%d/%s", s.name, len(s.patterns), engine), func(b *testing.B) {
				m := buildET(s.patterns).WithEngine(e)
				h := mpm.NewHits(m.IDs())
				cpu(b, bytesOf(s.data), func() {
					for _, d := range s.data {
						h.Reset()
						m.Scan(d, h)
					}
				})
				b.ReportMetric(float64(m.Memory()), "matcher-bytes")
			})
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	et := etPatterns(b)
	for _, name := range []string{"payload", "http.uri", "dns.query"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				buildET(et[name])
			}
		})
	}
}

// TestScanCorpusTwin compares Scan with an Aho-Corasick automaton over real data.
func TestScanCorpusTwin(t *testing.T) {
	for _, s := range scenarios(t) {
		m := buildET(s.patterns)
		h := mpm.NewHits(m.IDs())
		ac := newAC(s.patterns)
		hits := 0
		for i, d := range s.data {
			if i%9 != 0 && len(s.data) > 5000 {
				continue
			}
			want := ac.scan(d)
			for e, engine := range mpm.Engines() {
				if got := scan(m.WithEngine(e), h, d); !slices.Equal(got, want) {
					t.Fatalf("%s: Scan(%q) by %s = %v, want %v", s.name, d, engine, got, want)
				}
			}
			hits += len(want)
		}
		t.Logf("%s: %d hits", s.name, hits)
	}
}

func BenchmarkAhoCorasick(b *testing.B) {
	for _, s := range scenarios(b) {
		if s.name == "all" {
			continue
		}
		b.Run(fmt.Sprintf("%s-n%d", s.name, len(s.patterns)), func(b *testing.B) {
			ac := newAC(s.patterns)
			cpu(b, bytesOf(s.data), func() {
				for _, d := range s.data {
					ac.count(d)
				}
			})
		})
	}
}

func BenchmarkLiteral(b *testing.B) {
	c := loadCorpus(b)
	data := bytes.Join(c.payload, nil)
	for _, s := range []string{"User-Agent: evil", "eval(unescape(", "\x00\x00\x00\x00\x17", "%u9090", "content-encoding:"} {
		for _, nocase := range []bool{false, true} {
			l := mpm.NewLiteral([]byte(s), nocase)
			b.Run(fmt.Sprintf("%q-nocase=%v", s, nocase), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					for i := l.Index(data, 0); i >= 0; i = l.Index(data, i+1) {
					}
				}
			})
		}
	}
}
