package pcre_test

import (
	"bufio"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mirador/internal/pcre"
)

// shared finds a file or folder of the data that lies beside the project.
func shared(t testing.TB, path ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		p := filepath.Join(append([]string{filepath.Dir(dir), "shared"}, path...)...)
		if _, err := os.Stat(p); err != nil {
			t.Skipf("test data %s is not there", filepath.Join(path...))
		}
		return p
	}
	t.Skip("no go.mod above the test")
	return ""
}

// rulePattern is a pcre option taken from a rules file.
type rulePattern struct {
	body  string
	flags pcre.Flags
	line  string
}

var pcreOption = regexp.MustCompile(`\bpcre\s*:\s*!?\s*"?\s*((?:\\.|[^;\\])*)\s*;`)

// splitOption takes /body/flags apart.
func splitOption(s string) (p rulePattern, ok bool) {
	s = strings.TrimSuffix(strings.TrimSpace(s), `"`)
	i, j := strings.IndexByte(s, '/'), strings.LastIndexByte(s, '/')
	if i < 0 || j <= i {
		return p, false
	}
	letters, vars, named := strings.Cut(s[j+1:], ",")
	p = rulePattern{body: s[i+1 : j], line: s, flags: pcre.AutoNoCapture}
	if named && vars != "" {
		p.flags = 0
	}
	for k := 0; k < len(letters); k++ {
		p.flags |= pcre.FlagOf(letters[k])
	}
	return p, true
}

func patternsOf(t testing.TB, file string) []rulePattern {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []rulePattern
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line := sc.Text()
		if !strings.Contains(line, "pcre") {
			continue
		}
		for _, m := range pcreOption.FindAllStringSubmatch(line, -1) {
			if p, ok := splitOption(m[1]); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

// etPatterns returns the patterns of the rules of ET Open, the disabled ones too.
func etPatterns(t testing.TB) []rulePattern {
	t.Helper()
	return patternsOf(t, shared(t, "data", "etopen", "composite-2025-07.rules"))
}

func suitePatterns(t testing.TB) []rulePattern {
	t.Helper()
	var out []rulePattern
	root := shared(t, "data", "suricata-verify", "tests")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".rules") {
			out = append(out, patternsOf(t, path)...)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func unique(ps []rulePattern) []rulePattern {
	seen := make(map[string]bool)
	var out []rulePattern
	for _, p := range ps {
		key := p.body + "/" + string(rune('0'+p.flags))
		if !seen[key] {
			seen[key] = true
			out = append(out, p)
		}
	}
	return out
}

// payloads samples what the captures carry: payloads of packets, and the first bytes
// of a direction of a connection put together, up to maxLen.
func payloads(t testing.TB, want, maxLen int) [][]byte {
	t.Helper()
	var files []string
	for _, dir := range []string{"suricata-verify", "captures"} {
		filepath.WalkDir(shared(t, "data", dir), func(path string, d os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".pcap") {
				files = append(files, path)
			}
			return nil
		})
	}
	slices.Sort(files)
	rnd := rand.New(rand.NewPCG(1, 2))
	rnd.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	var out [][]byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || len(b) > 8<<20 {
			continue
		}
		out = append(out, samplesOf(b, maxLen)...)
		if len(out) >= want {
			break
		}
	}
	if len(out) > want {
		out = out[:want]
	}
	if len(out) == 0 {
		t.Skip("no payloads found in the captures")
	}
	return out
}

// samplesOf is a crude pcap reader: two packets' payloads, the longest directions.
func samplesOf(b []byte, maxLen int) [][]byte {
	if len(b) < 24 {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.LittleEndian.Uint32(b) {
	case 0xa1b2c3d4, 0xa1b23c4d:
	case 0xd4c3b2a1, 0x4d3cb2a1:
		order = binary.BigEndian
	default:
		return nil
	}
	link := order.Uint32(b[20:]) & 0xffff
	streams := make(map[string][]byte)
	var keys []string
	var out [][]byte
	for b = b[24:]; len(b) >= 16; {
		n := int(order.Uint32(b[8:]))
		if n > len(b)-16 {
			break
		}
		key, pay := payloadOf(link, b[16:16+n])
		b = b[16+n:]
		if len(pay) == 0 {
			continue
		}
		if len(out) < 2 {
			out = append(out, pay[:min(len(pay), maxLen)])
		}
		if streams[key] == nil {
			keys = append(keys, key)
		}
		if len(streams[key]) < maxLen {
			streams[key] = append(streams[key], pay...)
		}
	}
	for i, k := range keys {
		if i >= 3 {
			break
		}
		s := streams[k]
		out = append(out, s[:min(len(s), maxLen)])
		if line, _, ok := strings.Cut(string(s), "\r\n"); ok && len(line) < 4096 {
			out = append(out, []byte(line))
		}
	}
	return out
}

func payloadOf(link uint32, b []byte) (string, []byte) {
	switch link {
	case 1:
		at := 12
		for len(b) > at+4 && b[at] == 0x81 && b[at+1] == 0 {
			at += 4
		}
		if len(b) < at+2 {
			return "", nil
		}
		b = b[at+2:]
	case 113:
		if len(b) < 16 {
			return "", nil
		}
		b = b[16:]
	case 12, 101:
	default:
		return "", nil
	}
	if len(b) < 40 {
		return "", nil
	}
	var key string
	var proto byte
	switch b[0] >> 4 {
	case 4:
		h := int(b[0]&15) * 4
		end := min(int(b[2])<<8|int(b[3]), len(b))
		if h < 20 || h > end {
			return "", nil
		}
		key, proto, b = string(b[12:20]), b[9], b[h:end]
	case 6:
		key, proto, b = string(b[8:40]), b[6], b[40:]
	default:
		return "", nil
	}
	switch {
	case proto == 6 && len(b) >= 20:
		h := int(b[12]>>4) * 4
		if h > len(b) {
			return "", nil
		}
		return key + string(b[:4]), b[h:]
	case proto == 17 && len(b) >= 8:
		return key + string(b[:4]), b[8:]
	}
	return "", nil
}
