package body_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"mirador/internal/proto/body"
)

// fetch receives one part of a file of 9 bytes at second at.
func fetch(r *body.Ranges, key string, start int, data string, at int64) string {
	p, _ := r.Open([]byte(key), uint64(start), 9, at*1e9)
	if p == nil {
		return "refused"
	}
	p.Write([]byte(data), at*1e9)
	if w, ok := p.Close(at * 1e9); ok {
		return fmt.Sprintf("%s %d %t", w.Data, w.Size, w.Gaps)
	}
	return ""
}

func TestRanges(t *testing.T) {
	type part struct {
		key   string
		start int
		data  string
		at    int64
		want  string
	}
	for _, c := range []struct {
		name  string
		parts []part
	}{
		{"in order", []part{{"a", 0, "012", 0, ""}, {"a", 3, "345678", 0, "012345678 9 false"}}},
		{"any order", []part{{"a", 6, "678", 0, ""}, {"a", 3, "345", 0, ""}, {"a", 0, "012", 0, "012345678 9 false"}}},
		{"overlap", []part{{"a", 2, "2345678", 0, ""}, {"a", 1, "12", 0, ""}, {"a", 0, "01", 0, "012345678 9 false"}}},
		{"two files", []part{{"a", 0, "012", 0, ""}, {"b", 3, "345678", 0, ""}, {"b", 0, "abc", 0, "abc345678 9 false"}}},
		{"done", []part{{"a", 0, "012345678", 0, "012345678 9 false"}, {"a", 0, "012345678", 1, "refused"}, {"a", 0, "012345678", 100, "012345678 9 false"}}},
		{"too late", []part{{"a", 0, "012", 0, ""}, {"a", 3, "345678", 100, ""}, {"a", 0, "abc", 101, "abc345678 9 false"}}},
		{"longer than said", []part{{"a", 0, "0123456789ab", 0, "0123456789ab 12 false"}}},
	} {
		r := body.NewRanges(1<<20, 60e9)
		for i, p := range c.parts {
			if got := fetch(r, p.key, p.start, p.data, p.at); got != p.want {
				t.Errorf("%s: part %d gives %q, want %q", c.name, i, got, p.want)
			}
		}
	}
}

func TestRangesLost(t *testing.T) {
	r := body.NewRanges(1<<20, 60e9)
	p, _ := r.Open([]byte("a"), 0, 9, 0)
	p.Write([]byte("01"), 0)
	p.Lost(3)
	if _, ok := p.Close(0); ok {
		t.Error("complete with a hole at its end")
	}
	if got := fetch(r, "a", 5, "5678", 0); got != "015678 9 true" {
		t.Errorf("with a gap: %q", got)
	}
}

// The table stays below its memcap and takes parts again when old ones are gone.
func TestRangesMemcap(t *testing.T) {
	r := body.NewRanges(10_000, 60e9)
	open := 0
	for i := range 1000 {
		if p, _ := r.Open([]byte(fmt.Sprint("file", i)), 5, 1000, 0); p != nil {
			p.Write([]byte(strings.Repeat("x", 100)), 0)
			open++
		}
	}
	if open == 0 || open > 100 {
		t.Errorf("%d files of 100 bytes fit 10000", open)
	}
	if got := fetch(r, "new", 0, "012345678", 30); got != "refused" {
		t.Errorf("a full table gives %q", got)
	}
	if got := fetch(r, "new", 0, "012345678", 100); got != "012345678 9 false" {
		t.Errorf("after the old parts: %q", got)
	}
	big, _ := r.Open([]byte("big"), 0, 1<<20, 200e9)
	for range 1000 {
		big.Write(make([]byte, 100), 200e9)
	}
	if _, ok := big.Close(200e9); ok {
		t.Error("a file above the memcap is complete")
	}
	if got := fetch(r, "small", 0, "012345678", 200); got != "012345678 9 false" {
		t.Errorf("the room of a file that was given up is not free: %q", got)
	}
}

// Parts of one file may come from several workers.
func TestRangesWorkers(t *testing.T) {
	r := body.NewRanges(1<<20, 60e9)
	var group sync.WaitGroup
	whole := make(chan string, 9)
	for i := range 9 {
		group.Add(1)
		go func() {
			defer group.Done()
			if got := fetch(r, "a", i, fmt.Sprint(i), 0); got != "" {
				whole <- got
			}
		}()
	}
	group.Wait()
	if len(whole) != 1 || <-whole != "012345678 9 false" {
		t.Error("nine parts are not one file")
	}
}
