package detect_test

import (
	"testing"

	"mirador/internal/detect"
	"mirador/internal/proto"
)

// A buffer that changes behind the body is looked at once more; only a pattern in one
// that repeats brings a rule that has matched to match again.
func TestLookAgain(t *testing.T) {
	rows := fakeRows()
	for i := range rows[0].Fields {
		f := &rows[0].Fields[i]
		if f.Name != "http.header" && f.Name != "http.header.raw" {
			continue
		}
		f.Again = [2]uint8{atDone, atDone}
		f.Changed = func(tx proto.Tx, _ proto.Dir) bool { return tx.(*fakeTx).buf["trailer"] != nil }
		f.Repeats = f.Name == "http.header"
	}
	tab, err := proto.NewTable(rows, func(string) proto.Settings { return noSettings{} })
	if err != nil {
		t.Fatal(err)
	}
	e := engine(t, detect.Options{Table: tab},
		`alert http any any -> any any (http.header; content:"Host"; sid:1;)`,
		`alert http any any -> any any (flow:to_server; http.header.raw; content:"Host"; sid:2;)`,
		`alert http any any -> any any (http.header; content:"Late"; sid:3;)`,
		`alert http any any -> any any (flow:to_server; http.header.raw; content:"Late"; sid:4;)`,
		`alert http any any -> any any (http.header; pcre:"/Host/"; sid:5;)`,
		`alert http any any -> any any (http.method; content:"GET"; http.header; content:"Host"; fast_pattern; sid:6;)`,
		`alert http any any -> any any (http.method; content:"GET"; fast_pattern; http.header; content:"Host"; sid:7;)`,
	)
	for _, c := range []struct {
		trailer     string
		split       bool
		first, last string
	}{
		{"", true, "1 2 5 6 7", ""},
		{"Late: 1", true, "1 2 5 6 7", "1 3 4 6"},
		{"Late: 1", false, "", "1 2 3 4 5 6 7"},
	} {
		s := newSession(t, e, tab, "http")
		tx := s.tx(map[string]string{"http.method": "GET", "http.header": "Host: x", "http.header.raw": "Host: x"})
		if c.split {
			tx.Advance(proto.ToServer, atBody)
			if got := s.look(proto.ToServer); got != c.first {
				t.Errorf("trailer %q: first look %q, want %q", c.trailer, got, c.first)
			}
		}
		if c.trailer != "" {
			all := "Host: x\r\n" + c.trailer
			tx.set(map[string]string{"http.header": all, "http.header.raw": all, "trailer": c.trailer})
		}
		tx.Advance(proto.ToServer, atDone)
		if got := s.look(proto.ToServer); got != c.last {
			t.Errorf("trailer %q: last look %q, want %q", c.trailer, got, c.last)
		}
		if got := s.look(proto.ToServer); got != "" {
			t.Errorf("trailer %q: nothing new, got %q", c.trailer, got)
		}
	}
}
