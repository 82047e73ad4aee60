package bittorrentdht_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/bittorrentdht"
	"mirador/internal/proto/prototest"
)

// Each bound is met, and counted.
func TestLimits(t *testing.T) {
	const most = bittorrentdht.MaxPeers
	peers := func(n int) string { return "6:valuesl" + strings.Repeat("6:axje.u", n) + "e" }
	nodes := func(n int) string { return "5:nodes" + digits(26*n) + ":" + strings.Repeat("n", 26*n) }
	for _, c := range []struct {
		body  string
		times uint64
		kept  int
		key   string
	}{
		{peers(most - 1), 0, most - 1, "values"}, {peers(most + 1), 1, most, "values"},
		{nodes(most), 0, most, "nodes"}, {nodes(most + 1), 1, most, "nodes"},
	} {
		r := prototest.NewRunner(prototest.Table(t, nil, bittorrentdht.Protocol()), proto.Hint{SrcPort: 6881, DstPort: 6881, UDP: true})
		r.Feed(prototest.Chunk{Data: []byte("d1:rd2:id" + id + c.body + "e1:t2:aa1:y1:re")}, 0)
		r.Finish()
		if n := r.Hits(t, "bittorrent-dht", "peers"); n != c.times {
			t.Errorf("%.20s: counted %d times, want %d", c.body, n, c.times)
		}
		if list, _ := r.Records[0].Map(t)["response"].(map[string]any)[c.key].([]any); len(list) != c.kept {
			t.Errorf("%.20s: %d shown, want %d", c.body, len(list), c.kept)
		}
	}
	// Lists in lists.
	for n, events := range map[int]int{bittorrentdht.MaxDepth - 3: 0, bittorrentdht.MaxDepth + 3: 1} {
		r := prototest.NewRunner(prototest.Table(t, nil, bittorrentdht.Protocol()), proto.Hint{SrcPort: 6881, DstPort: 6881, UDP: true})
		r.Feed(prototest.Chunk{Data: []byte("d1:ad2:id" + id + "1:x" + strings.Repeat("l", n) + strings.Repeat("e", n) + "e1:q4:ping1:t2:aa1:y1:qe")}, 0)
		r.Finish()
		if got := len(r.Records[0].Events); got != events {
			t.Errorf("%d lists in each other: events %v", n, r.Records[0].Events)
		}
	}
}

func digits(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return digits(n/10) + string(rune('0'+n%10))
}
