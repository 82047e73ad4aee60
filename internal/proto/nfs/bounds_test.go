package nfs_test

import (
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/nfs"
	"mirador/internal/proto/prototest"
)

// Calls without replies: the oldest are ended with an event, never more are kept than
// the setting says.
func TestMaxTx(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, prototest.Settings{"max-tx": "20"}, nfs.Protocol()), hint(false))
	for i := range uint32(100) {
		r.Feed(c2s(lookup(i, "f")), 0)
		if len(r.Conn.Txs) > 21 {
			t.Fatalf("%d transactions are kept, at most 20 may be", len(r.Conn.Txs))
		}
	}
	r.Finish()
	ended := 0
	for _, rec := range r.Records {
		for _, e := range rec.Events {
			if e == "too_many_transactions" {
				ended++
			}
		}
	}
	if ended != 80 || len(r.Records) != 100 {
		t.Errorf("%d of %d transactions were ended, want 80 of 100", ended, len(r.Records))
	}
}

func TestQueueBounds(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   prototest.Settings
		event string
	}{
		{"number", prototest.Settings{"max-write-queue-cnt": "5"}, "write_queue_cnt_exceeded"},
		{"bytes", prototest.Settings{"max-write-queue-size": "300"}, "write_queue_size_exceeded"},
		{"size", prototest.Settings{"max-write-size": "50"}, "write_request_too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			chunks := start()
			for i := range uint32(20) {
				chunks = append(chunks, c2s(write(10+i, fh1, uint64(1000+100*i), strings.Repeat("x", 100), 0)))
			}
			got := dump(t, runWith(t, 0, false, c.set, chunks...))
			if !strings.Contains(got, c.event) {
				t.Errorf("no %s in\n%s", c.event, got)
			}
		})
	}
}

// A length that is only claimed costs nothing, and what is behind it is found.
func TestClaimedLength(t *testing.T) {
	huge := call(5, 7, opaque(fh1)+u64(1<<40)+u32(15<<20, 0)+u32(15<<20))
	wire := u32(1<<31|uint32(len(huge)+15<<20)) + huge + "some bytes"
	var r *prototest.Runner
	allocs := testing.AllocsPerRun(1, func() {
		r = run(t, 0, append(start(), prototest.Chunk{Dir: proto.ToServer, Data: []byte(wire)})...)
	})
	if allocs > 500 {
		t.Errorf("%v allocations", allocs)
	}
	for _, rec := range r.Records {
		for _, f := range rec.Tx.Base().Files {
			if cap(f.Data) > 1<<16 {
				t.Errorf("%d bytes set aside for a file of which none came", cap(f.Data))
			}
		}
	}
}

// Many files: finished writes are not kept without end.
func TestManyFiles(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, nil, nfs.Protocol()), hint(false))
	for i := range uint32(2000) {
		r.Feed(c2s(write(i, fh1[:16]+opaque(u32(i)), 0, "data", 2*(i%2))), 0)
		if len(r.Conn.Txs) > nfs.MaxOpenFiles+nfs.MaxWritten+2 {
			t.Fatalf("%d transactions after %d files", len(r.Conn.Txs), i)
		}
	}
	r.Finish()
	if len(r.Records) != 2000 {
		t.Errorf("%d records for 2000 files", len(r.Records))
	}
}

// captures are recorded flows of NFS.
func captures(tb testing.TB) []*prototest.Flow {
	var flows []*prototest.Flow
	for _, dir := range [][]string{
		{"data", "captures", "zeek+zeek", "testing", "btest", "Traces", "nfs"},
		{"data", "suricata-verify", "tests", "nfs3-01"},
		{"data", "suricata-verify", "tests", "nfs4-01"},
	} {
		files, err := filepath.Glob(filepath.Join(prototest.Shared(tb, dir...), "*.pcap"))
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range files {
			flows = append(flows, prototest.Flows(tb, f)...)
		}
	}
	return flows
}

// However a flow is cut into pieces, the records are the same.
func TestCaptures(t *testing.T) {
	table := prototest.Table(t, nil, nfs.Protocol())
	records := 0
	for i, f := range captures(t) {
		want := dump(t, prototest.RunFlow(table, f, 0))
		records += strings.Count(want, "\n")
		for _, size := range []int{1, 13, 500} {
			if got := dump(t, prototest.RunFlow(table, f, size)); got != want {
				t.Errorf("flow %d in pieces of %d:\n%s\nwhole:\n%s", i, size, got, want)
			}
		}
	}
	if records < 120 {
		t.Errorf("%d records in all captures", records)
	}
}
