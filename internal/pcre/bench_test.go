package pcre_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"mirador/internal/pcre"
)

func compileAll(b testing.TB, ps []rulePattern) (res []*pcre.Regexp) {
	for _, p := range ps {
		re, err := pcre.Compile(p.body, p.flags)
		if err != nil {
			b.Fatalf("%s: %v", p.line, err)
		}
		res = append(res, re)
	}
	return res
}

// BenchmarkCompile compiles every pattern of ET Open, of disabled rules and duplicates too.
func BenchmarkCompile(b *testing.B) {
	ps := etPatterns(b)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		size = 0
		for _, re := range compileAll(b, ps) {
			size += re.Size()
		}
	}
	b.ReportMetric(float64(len(ps)), "patterns")
	b.ReportMetric(float64(size)/(1<<20), "MiB")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ps)), "ns/pattern")
}

// BenchmarkMatch runs the patterns of ET Open over payloads of the captures, all kinds
// of pairs alike, without the content matches that would come before in a rule.
func BenchmarkMatch(b *testing.B) {
	ps := unique(etPatterns(b))
	res := compileAll(b, ps)
	for _, size := range []int{64, 1460, 16384} {
		bufs := payloads(b, 500, size)
		n := 0
		for _, buf := range bufs {
			n += len(buf)
		}
		b.Run(fmt.Sprintf("et-open/%d", size), func(b *testing.B) {
			m := pcre.NewMachine(pcre.Options{})
			for i, re := range res {
				re.Match(m, bufs[i%len(bufs)], 0, 0)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				res[i%len(res)].Match(m, bufs[(i*7)%len(bufs)], 0, 0)
				i++
			}
			b.ReportMetric(float64(n)/float64(len(bufs)), "B/subject")
		})
	}
}

// BenchmarkKind shows each way of matching beside Go's regexp.
func BenchmarkKind(b *testing.B) {
	text := bytes.Repeat([]byte("GET /index.php?id=12345&name=value HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0)\r\nAccept: text/html\r\n\r\n"), 12)
	tail := []byte("cmd=exec&arg=AAAAAAAAAAAAAAAAAAAA;/etc/passwd\r\n")
	hit := append(append([]byte{}, text...), tail...)
	for _, c := range []struct {
		name, pattern string
		data          []byte
	}{
		{"literal/miss", `/etc/shadow`, hit},
		{"literal/hit", `/etc/passwd`, hit},
		{"literal-i/miss", `(?i)/etc/shadow`, hit},
		{"literal-i/hit", `(?i)/etc/passwd`, hit},
		{"prefix/miss", `User-Agent\x3a [^\r\n]*Opera`, hit},
		{"regular/hit", `(?:cmd|exec)=[a-z]{2,8}&arg=[^;]+;`, hit},
		{"regular/near", `(?i)\b[a-z]+=[a-z]+&[a-z]+=[0-9]+;/etc`, hit},
		{"alternation/miss", `(?i)(?:eval|exec|system|passthru)\s*\(`, hit},
		{"dotstar/miss", `(?s)Host.*Accept.*cmd=.*shadow`, hit},
		{"dotstar/hit", `(?s)Host.*Accept.*cmd=.*passwd`, hit},
		{"anchored/hit", `^(?:GET|POST)\s+/[a-z]+\.php\?id=\d+`, hit},
		{"nested/blow-up", `(?:a+)+$`, append(bytes.Repeat([]byte("a"), 2000), 'b')},
		{"quadratic", `a*b`, bytes.Repeat([]byte("a"), 2000)},
		{"lookahead/hit", `^(?:(?!passwd).)*cmd=`, []byte(strings.ReplaceAll(string(hit), "\r\n", "  "))},
		{"backref/hit", `([A-Z])\1{10}`, hit},
	} {
		re, err := pcre.Compile(c.pattern, 0)
		if err != nil {
			b.Fatal(err)
		}
		m := pcre.NewMachine(pcre.Options{})
		b.Run(c.name+"/"+re.Kind(), func(b *testing.B) {
			b.SetBytes(int64(len(c.data)))
			b.ReportAllocs()
			for b.Loop() {
				re.Match(m, c.data, 0, 0)
			}
		})
		std, err := regexp.Compile(c.pattern)
		if err != nil {
			continue
		}
		b.Run(c.name+"/go", func(b *testing.B) {
			b.SetBytes(int64(len(c.data)))
			for b.Loop() {
				std.FindIndex(c.data)
			}
		})
	}
}
