package netfs_test

import (
	"fmt"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/netfs"
)

type part struct {
	off  uint64
	data string
	gap  int // bytes lost behind data
}

func TestTracker(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []part
		want  string
		size  uint64
		gaps  bool
	}{
		{"in order", []part{{0, "abcd", 0}, {4, "efgh", 0}}, "abcdefgh", 8, false},
		{"turned around", []part{{4, "efgh", 0}, {0, "abcd", 0}}, "abcdefgh", 8, false},
		{"three", []part{{8, "ij", 0}, {4, "efgh", 0}, {0, "abcd", 0}}, "abcdefghij", 10, false},
		{"hole", []part{{0, "abcd", 0}, {6, "gh", 0}}, "abcd", 4, false},
		{"overlap", []part{{0, "abcd", 0}, {2, "CDef", 0}}, "abcdef", 6, false},
		{"again", []part{{0, "abcd", 0}, {0, "abcd", 0}}, "abcd", 4, false},
		{"late overlap", []part{{0, "ab", 0}, {4, "ef", 0}, {2, "cdEF", 0}}, "abcdEF", 6, false},
		{"gap", []part{{0, "ab", 2}, {4, "ef", 0}}, "abef", 6, true},
		{"gap in a late part", []part{{4, "e", 1}, {0, "abcd", 0}}, "abcde\x00", 6, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, piece := range []int{1, 3, 100} {
				var tr netfs.Tracker
				var f proto.File
				for _, p := range c.parts {
					if _, full, many := tr.Begin(p.off, len(p.data)+p.gap, netfs.Limit{}, 1000); full || many {
						t.Fatal("refused without a limit")
					}
					for b := []byte(p.data); len(b) > 0; {
						n := min(piece, len(b))
						tr.Data(&f, b[:n])
						b = b[n:]
					}
					if p.gap > 0 {
						tr.Gap(&f, p.gap)
					}
					tr.Flush(&f)
				}
				if string(f.Data) != c.want || f.Size != c.size || f.Gaps != c.gaps {
					t.Errorf("pieces of %d: %q, size %d, gaps %v; want %q, %d, %v", piece, f.Data, f.Size, f.Gaps, c.want, c.size, c.gaps)
				}
			}
		})
	}
}

// What waits stays within the limits, and is counted to the byte.
func TestTrackerBounds(t *testing.T) {
	var tr netfs.Tracker
	var f proto.File
	lim := netfs.Limit{Size: 100, Count: 5}
	refused := 0
	for i := 40; i > 0; i-- {
		_, full, many := tr.Begin(uint64(i*10), 10, lim, 60)
		if full || many {
			refused++
			continue
		}
		tr.Data(&f, make([]byte, 10))
		tr.Flush(&f)
		if tr.Queued() > 60 {
			t.Fatalf("%d bytes wait, room for 60", tr.Queued())
		}
	}
	if tr.Queued() != 50 || refused != 35 {
		t.Errorf("%d bytes wait, %d parts refused; want 50 and 35", tr.Queued(), refused)
	}
	if _, full, _ := tr.Begin(1000, 1000, netfs.Limit{}, 10); !full {
		t.Error("a part larger than the room was taken")
	}
	tr.Drop()
	if tr.Queued() != 0 {
		t.Errorf("%d bytes wait after Drop", tr.Queued())
	}
}

func TestStartAt(t *testing.T) {
	var tr netfs.Tracker
	var f proto.File
	tr.StartAt(100)
	tr.Begin(100, 2, netfs.Limit{}, 0)
	tr.Data(&f, []byte("xy"))
	tr.Flush(&f)
	if string(f.Data) != "xy" || tr.Next() != 102 {
		t.Errorf("%q, next %d", f.Data, tr.Next())
	}
}

func TestCache(t *testing.T) {
	c := netfs.Cache[string, int]{Max: 3}
	for i := range 1000 {
		c.Put(fmt.Sprint(i), i)
		if i%3 == 0 {
			c.Drop(fmt.Sprint(i))
		}
		if c.Len() > 3 {
			t.Fatalf("%d entries, at most 3", c.Len())
		}
		if v, ok := c.Get(fmt.Sprint(i)); ok != (i%3 != 0) || ok && v != i {
			t.Fatalf("%d: %v %v", i, v, ok)
		}
	}
	if _, ok := c.Get("1"); ok {
		t.Error("the oldest is still there")
	}
	c.Put("999", 5)
	c.Put("999", 6)
	if v, _ := c.Drop("999"); v != 6 {
		t.Errorf("the last value put is not there: %d", v)
	}
	if _, ok := c.Drop("999"); ok {
		t.Error("dropped twice")
	}
}
