package stream_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mirador/internal/packet"
)

type capInfo struct {
	File    string         `json:"file"`
	Packets int            `json:"packets"`
	Events  map[string]int `json:"events8"`
}

// otherFlows are captures where this sensor decodes more than the peer (Teredo with
// authentication, PPP and headers that the peer refuses).
var otherFlows = []string{"teredo_bubble_with_payload.pcap", "arkime_synthetic.pcap", "kday3.pcap"}

// TestCaptures compares, over all public captures, what Suricata counted with what
// these rooms count: flow records, and two probe rules that hang on them alone.
func TestCaptures(t *testing.T) {
	root := shared(t)
	var caps []capInfo
	b, err := os.ReadFile(filepath.Join(root, "captures", "manifest.json"))
	if err != nil {
		t.Skip(err)
	}
	if err := json.Unmarshal(b, &caps); err != nil {
		t.Fatal(err)
	}
	var oracle map[string]map[string]int
	if b, err = os.ReadFile(filepath.Join(root, "probe", "oracle.json")); err != nil {
		t.Skip(err)
	}
	if err := json.Unmarshal(b, &oracle); err != nil {
		t.Fatal(err)
	}
	var flows, size, get [2]int
	cut := 0
	for _, c := range caps {
		o := defaultReplay()
		o.stream.ChecksumValidation = false
		sized := 0
		o.each = func(p *packet.Parsed, v *state) {
			if p.Flags&^(packet.ECE|packet.CWR) == packet.ACK && p.Flags == packet.ACK && v.s.Size(1) > 10000 {
				sized++
			}
		}
		if f := os.Getenv("MIRADOR_CAP"); f != "" && !strings.Contains(c.File, f) {
			continue
		}
		r := replay(t, filepath.Join(root, "captures", filepath.FromSlash(c.File)), o)
		note := func(what string, have, want int, n *[2]int) {
			if have == want {
				n[0]++
				return
			}
			n[1]++
			if what == "tcp-stream GET" || what == "flows" && (want == 0 || strings.Contains(c.File, "gopacket") || slices.Contains(otherFlows, filepath.Base(c.File))) {
				return
			}
			t.Errorf("%s: %s %d, want %d", c.File, what, have, want)
		}
		if r.cut > 0 { // Suricata does not look at cut packets, we do
			cut++
			continue
		}
		if os.Getenv("MIRADOR_CAP") != "" {
			for i := range r.flows {
				t.Log(show(fields(&r.flows[i])))
			}
			t.Log(r.hits)
		}
		note("flows", len(r.flows), c.Events["flow"], &flows)
		want, known := oracle[c.File]
		if !known {
			continue
		}
		if w := want["9000572"]; w > 0 {
			note("stream_size", sized, w, &size)
		}
		if w := want["9000574"]; w > 0 {
			note("tcp-stream GET", r.gets, w, &get)
		}
	}
	// When raw inspection is asked for depends on transactions, which this test only
	// guesses.
	if get[0] < 120 {
		t.Errorf("tcp-stream GET: only %d captures agree, %d do not", get[0], get[1])
	}
	t.Logf("same and different: flows %v, stream_size %v, tcp-stream GET %v; %d with cut packets", flows, size, get, cut)
}
