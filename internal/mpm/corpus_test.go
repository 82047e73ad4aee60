package mpm_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"mirador/internal/rule"
)

// shared returns a path in the data that lies beside the module, or skips.
func shared(tb testing.TB, path ...string) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Skip("no module root above the package")
		}
		dir = up
	}
	full := filepath.Join(append([]string{dir, "..", "shared"}, path...)...)
	if _, err := os.Stat(full); err != nil {
		tb.Skipf("test data is not here: %s", filepath.Join(path...))
	}
	return full
}

// corpus is what the benchmarks scan: transport payloads of the captures, and
// buffers cut out of them.
type corpus struct {
	payload, uri, host, query [][]byte
}

func bytesOf(list [][]byte) (n int64) {
	for _, b := range list {
		n += int64(len(b))
	}
	return n
}

// loadCorpus reads the payloads of all captures of the suite.
func loadCorpus(tb testing.TB) *corpus {
	tb.Helper()
	root := shared(tb, "data", "suricata-verify")
	c := &corpus{}
	total := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".pcap") || total > 40<<20 {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r, err := pcapgo.NewReader(bytes.NewReader(data))
		if err != nil || r.LinkType() != layers.LinkTypeEthernet {
			return nil
		}
		for {
			frame, _, err := r.ReadPacketData()
			if err == io.EOF || err != nil {
				return nil
			}
			total += c.add(frame)
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// add takes the payload of one frame apart.
func (c *corpus) add(frame []byte) int {
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	var payload []byte
	switch l := p.TransportLayer().(type) {
	case *layers.TCP:
		payload = l.Payload
	case *layers.UDP:
		payload = l.Payload
		if (l.DstPort == 53 || l.SrcPort == 53) && len(payload) > 12 {
			if q := queryName(payload[12:]); q != nil {
				c.query = append(c.query, q)
			}
		}
	}
	if len(payload) == 0 {
		return 0
	}
	c.payload = append(c.payload, bytes.Clone(payload))
	if i := bytes.Index(payload, []byte(" HTTP/1.")); i > 0 {
		if j := bytes.IndexByte(payload[:i], ' '); j > 0 {
			c.uri = append(c.uri, bytes.Clone(payload[j+1:i]))
		}
	}
	if _, rest, ok := bytes.Cut(payload, []byte("\r\nHost: ")); ok {
		if host, _, ok := bytes.Cut(rest, []byte("\r\n")); ok {
			c.host = append(c.host, bytes.Clone(host))
		}
	}
	return len(payload)
}

func queryName(b []byte) []byte {
	var out []byte
	for len(b) > 0 && b[0] > 0 && int(b[0]) < len(b) {
		if out != nil {
			out = append(out, '.')
		}
		out = append(out, b[1:1+b[0]]...)
		b = b[1+b[0]:]
	}
	return out
}

// pattern is a fast pattern of a rule.
type pattern struct {
	data   []byte
	nocase bool
}

// etPatterns returns the fast patterns of the enabled ET rules by buffer: the
// content with fast_pattern, else the longest one that is not negated.
func etPatterns(tb testing.TB) map[string][]pattern {
	tb.Helper()
	data, err := os.ReadFile(shared(tb, "data", "etopen", "composite-2025-07.rules"))
	if err != nil {
		tb.Fatal(err)
	}
	rules, _ := rule.Parse("et", data)
	out := map[string][]pattern{}
	seen := map[string]bool{}
	for _, r := range rules {
		if r.Disabled {
			continue
		}
		buffer, p := fastPattern(r)
		if len(p.data) == 0 {
			continue
		}
		if key := buffer + string(p.data); !seen[key] {
			seen[key] = true
			out[buffer] = append(out[buffer], p)
		}
	}
	return out
}

func fastPattern(r *rule.Rule) (string, pattern) {
	buffer, best, bestBuffer, fixed := "payload", pattern{}, "", false
	last := false
	var cur pattern
	take := func() {
		if last && !fixed && len(cur.data) > len(best.data) {
			best, bestBuffer = cur, buffer
		}
		last = false
	}
	for i := range r.Options {
		o := &r.Options[i]
		switch {
		case o.Name == "content":
			take()
			c, err := rule.ParseContent(o.Value)
			if err == nil && !c.Negated {
				cur, last = pattern{data: c.Bytes}, true
			}
		case o.Name == "nocase":
			cur.nocase = true
		case o.Name == "fast_pattern" && last:
			take()
			best, bestBuffer, fixed = cur, buffer, true
		case !o.HasValue && strings.Contains(o.Name, ".") || o.Name == "file_data" || o.Name == "dns_query" || o.Name == "pkt_data":
			take()
			buffer = o.Name
			if o.Name == "pkt_data" {
				buffer = "payload"
			}
		}
	}
	take()
	return bestBuffer, best
}

// TestPrintFrequencies prints the table of rarity.go: how many eighths of a bit a
// byte in lower case tells, over the captures and the ET hosts and paths.
func TestPrintFrequencies(t *testing.T) {
	if os.Getenv("MPM_FREQUENCIES") == "" {
		t.Skip("prints a table for rarity.go when MPM_FREQUENCIES is set")
	}
	printFrequencies(t, loadCorpus(t))
}
