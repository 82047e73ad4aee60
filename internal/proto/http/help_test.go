package http_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/http"
	"mirador/internal/proto/prototest"
)

// part is a piece of one direction of a flow.
type part struct {
	dir  proto.Dir
	data string
	lost int
}

// q is a piece from the client, a one from the server; lost are bytes of it that
// nobody saw.
func q(data string) part             { return part{proto.ToServer, data, 0} }
func a(data string) part             { return part{proto.ToClient, data, 0} }
func lost(dir proto.Dir, n int) part { return part{dir, "", n} }
func parts(list ...part) []part      { return list }
func set(kv ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m["libhtp.default-config."+kv[i]] = kv[i+1]
	}
	return m
}

// seen is what came out of one transaction.
type seen struct {
	json   string
	events string // sorted, by blanks
	files  []string
	broken bool              // the parser gave up the flow
	buf    map[string]string // by name and ">" or "<"; values of multi buffers by "|"
}

// whole makes all of a body show in one window.
func whole(s map[string]string) map[string]string {
	out := map[string]string{}
	for _, d := range []string{"request", "response"} {
		out["libhtp.default-config."+d+"-body-minimal-inspect-size"] = "1000000000"
		out["libhtp.default-config."+d+"-body-limit"] = "0"
	}
	for k, v := range s {
		out[k] = v
	}
	return out
}

func table(tb testing.TB, settings map[string]string) (*proto.Table, *proto.Protocol) {
	tb.Helper()
	row := http.Protocol()
	return prototest.Table(tb, settings, row), row
}

// follow feeds a flow in pieces of at most size bytes (0: as it is given), and
// returns its transactions.
func follow(tb testing.TB, t *proto.Table, row *proto.Protocol, flow []part, cut func(string) []string) []seen {
	tb.Helper()
	bufs := map[uint64]map[string]string{}
	r := prototest.NewRunner(t, proto.Hint{SrcPort: 40000, DstPort: 80})
	r.OnTx = func(c *proto.Conn, tx proto.Tx, _ proto.Dir) {
		id := tx.Base().ID
		bufs[id] = map[string]string{}
		collect(row, c, tx, bufs[id])
	}
	for _, p := range flow {
		if p.lost > 0 {
			r.Feed(prototest.Chunk{Dir: p.dir, Gap: p.lost}, 0)
			continue
		}
		for _, b := range cut(p.data) {
			r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(b)}, 0)
		}
	}
	r.Finish()
	out := make([]seen, 0, len(r.Records))
	for _, rec := range r.Records {
		s := seen{json: rec.JSON, broken: r.Conn.Broken > 0, buf: bufs[rec.Tx.Base().ID]}
		slices.Sort(rec.Events)
		s.events = strings.Join(rec.Events, " ")
		for _, f := range rec.Tx.Base().Files {
			state := [...]string{"open", "closed", "truncated", "error"}[f.State]
			s.files = append(s.files, fmt.Sprintf("%s %d %s gaps=%t %q", f.Name, f.Size, state, f.Gaps, f.Data))
		}
		out = append(out, s)
	}
	return out
}

// collect reads every buffer of tx.
func collect(row *proto.Protocol, c *proto.Conn, tx proto.Tx, into map[string]string) {
	for i := range row.Fields {
		f := &row.Fields[i]
		for d, on := range [2]bool{f.ToServer, f.ToClient} {
			dir := proto.Dir(d)
			if !on || tx.Base().Progress[d] < f.MinProgress[d] {
				continue
			}
			key := f.Name + string("><"[d])
			if f.Stream {
				if data, _, _, ok := f.GetStream(c, tx, dir, 0); ok {
					into[key] = string(data)
				}
				continue
			}
			var all []string
			for n := 0; n == 0 || f.Multi; n++ {
				v, ok := f.Get(c, tx, dir, n)
				if !ok {
					break
				}
				all = append(all, string(v))
			}
			if all != nil {
				into[key] = strings.Join(all, "|")
			}
		}
	}
}

// uncut feeds as it is given.
func uncut(s string) []string { return []string{s} }

// run is follow with settings of its own.
func run(tb testing.TB, settings map[string]string, flow ...part) []seen {
	tb.Helper()
	t, row := table(tb, whole(settings))
	return follow(tb, t, row, flow, uncut)
}

// only returns the single transaction of a flow.
func only(tb testing.TB, settings map[string]string, flow ...part) seen {
	tb.Helper()
	s := run(tb, settings, flow...)
	if len(s) != 1 {
		tb.Fatalf("%d transactions, want 1: %+v", len(s), s)
	}
	return s[0]
}

// configure tries settings.
func configure(s map[string]string) error {
	_, err := proto.NewTable([]*proto.Protocol{http.Protocol()}, func(string) proto.Settings { return prototest.Settings(s) })
	return err
}
