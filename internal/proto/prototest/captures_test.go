package prototest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/dns"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/quic"
	"mirador/internal/proto/ssh"
	"mirador/internal/proto/tls"
)

// TestCaptureCounts runs public captures through the parsers of this house and
// compares the number of records with what Suricata 8.0.7 wrote. It finds false
// recognitions as well as missed ones: most captures hold none of these
// protocols. Captures that this simple reader cannot do justice to (tunnels,
// fragments, STARTTLS, flows of one side) make up most of the difference, QUIC and
// DNS on other ports the rest.
func TestCaptureCounts(t *testing.T) {
	b, err := os.ReadFile(prototest.Shared(t, "data", "captures", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest []struct {
		File    string
		Events8 map[string]int
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	rows := []*proto.Protocol{tls.Protocol(), ssh.Protocol(), dns.Protocol(), dns.MDNS(), quic.Protocol()}
	tab := prototest.Table(t, nil, rows...)
	off := map[string]int{}
	total := map[string]int{}
	for _, m := range manifest {
		got := map[string]int{}
		for _, f := range prototest.Flows(t, filepath.Join(prototest.Shared(t, "data", "captures"), m.File)) {
			if f.Hint.Midstream {
				continue
			}
			for _, rec := range prototest.RunFlow(tab, f, 0).Records {
				if rec.JSON != "" {
					got[rec.Proto]++
				}
			}
		}
		for _, p := range rows {
			total[p.Name] += m.Events8[p.Name]
			if d := got[p.Name] - m.Events8[p.Name]; d != 0 {
				off[p.Name]++
				t.Logf("%s: %d %s records, Suricata %d", m.File, got[p.Name], p.Name, m.Events8[p.Name])
			}
		}
	}
	for name, most := range map[string]int{"dns": 9, "mdns": 0, "tls": 5, "ssh": 4, "quic": 4} {
		if off[name] > most {
			t.Errorf("%s: %d captures differ, at most %d are explained", name, off[name], most)
		}
		if total[name] < 40 {
			t.Errorf("%s: only %d records expected in all captures", name, total[name])
		}
	}
}
