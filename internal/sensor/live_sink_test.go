package sensor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// until waits until cond holds.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// disk is a file system with one file at a time that can be made to fail.
type disk struct {
	mu    sync.Mutex // guards what follows
	data  []byte
	left  int // bytes that fit; -1: no end
	fail  error
	gate  chan struct{} // when set, writes wait for it
	opens int
	moved bool
}

func (d *disk) open(string, int, os.FileMode) (sinkFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opens++
	d.moved = false
	return &diskHandle{d}, nil
}

type diskHandle struct{ d *disk }

func (h *diskHandle) Write(b []byte) (int, error) {
	h.d.mu.Lock()
	gate := h.d.gate
	h.d.mu.Unlock()
	if gate != nil {
		<-gate
	}
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if h.d.fail != nil {
		return 0, h.d.fail
	}
	if h.d.left >= 0 && len(b) > h.d.left {
		n := h.d.left
		h.d.data = append(h.d.data, b[:n]...)
		h.d.left = 0
		return n, syscall.ENOSPC
	}
	if h.d.left >= 0 {
		h.d.left -= len(b)
	}
	h.d.data = append(h.d.data, b...)
	return len(b), nil
}

func (h *diskHandle) Truncate(n int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	h.d.data = h.d.data[:n]
	return nil
}

func (h *diskHandle) Size() (int64, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return int64(len(h.d.data)), nil
}

func (h *diskHandle) Moved() bool {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return h.d.moved
}

func (h *diskHandle) Sync() error  { return nil }
func (h *diskHandle) Close() error { return nil }

func (d *disk) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.data)
}

// A full disk never holds the writer; lines stay whole, and go on when there is room.
func TestFileSinkDiskFull(t *testing.T) {
	d := &disk{left: 25}
	s, err := newFileSink(FileSinkOptions{Path: "eve.json", Spool: 64}, time.Now, d.open)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		s.Write(fmt.Appendf(nil, "line %d...\n", i)) // 10 bytes each
		if i < 2 {
			until(t, "a line on the disk", func() bool { return s.Counters().Lines == uint64(i+1) })
		}
	}
	until(t, "a failure", func() bool { return s.Counters().Failures > 0 })
	if c := s.Counters(); !strings.Contains(c.Err, "no space") {
		t.Errorf("reason %q", c.Err)
	}
	d.mu.Lock()
	d.left = -1
	d.mu.Unlock()
	until(t, "the rest", func() bool { return s.Counters().Lines == 4 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got, want := d.text(), "line 0...\nline 1...\nline 2...\nline 3...\n"; got != want {
		t.Errorf("disk has %q, want %q", got, want)
	}
	if c := s.Counters(); c.DroppedLines != 0 || c.Err != "" {
		t.Errorf("counters %+v", c)
	}
}

// A disk that hangs costs what the spool cannot hold, counted in lines.
func TestFileSinkSlowDisk(t *testing.T) {
	d := &disk{left: -1, gate: make(chan struct{})}
	s, err := newFileSink(FileSinkOptions{Path: "eve.json", Spool: 100}, time.Now, d.open)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte("nine byte\n")
	const lines = 1000
	for range lines {
		if err := s.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	c := s.Counters()
	// One batch is with the disk, one spool full is waiting.
	if c.DroppedLines < lines-20 || c.Waiting > 100 {
		t.Errorf("%+v", c)
	}
	close(d.gate)
	err = s.Close()
	if err == nil || !strings.Contains(err.Error(), "events were lost") {
		t.Errorf("close: %v", err)
	}
	c = s.Counters()
	if c.Lines+c.DroppedLines != lines || c.Lines != uint64(strings.Count(d.text(), "\n")) {
		t.Errorf("%d lines written and %d dropped of %d", c.Lines, c.DroppedLines, lines)
	}
}

// Closing gives up on a disk that refuses for good.
func TestFileSinkClosesOnBrokenDisk(t *testing.T) {
	d := &disk{left: -1, fail: syscall.EIO}
	s, err := newFileSink(FileSinkOptions{Path: "eve.json"}, time.Now, d.open)
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte("lost\n"))
	if err := s.Close(); err == nil {
		t.Error("no error for a lost event")
	}
	if c := s.Counters(); c.DroppedLines != 1 {
		t.Errorf("%+v", c)
	}
}

// lines returns the lines of the files that match.
func lines(t *testing.T, pattern string) (files int, text string) {
	t.Helper()
	list, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
	}
	return len(list), text
}

// Files are renamed by size and age; only so many are kept; every line is in one.
func TestFileSinkRotates(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "eve.json")
	var mu sync.Mutex
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		clock = clock.Add(time.Millisecond)
		return clock
	}
	s, err := newFileSink(FileSinkOptions{Path: path, Size: 30, Keep: 2, Interval: time.Hour}, now, func(p string, flag int, mode os.FileMode) (sinkFile, error) {
		f, err := os.OpenFile(p, flag, mode)
		return diskFile{f}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		s.Write(fmt.Appendf(nil, "line %02d..\n", i))
		until(t, "the line", func() bool { return s.Counters().Lines == uint64(i+1) })
	}
	if c := s.Counters(); c.Rotations != 6 {
		t.Errorf("%d rotations, want 6: 3 lines a file", c.Rotations)
	}
	n, text := lines(t, path+".*")
	if n != 2 || !strings.HasPrefix(text, "line 12..\n") {
		t.Errorf("%d old files with %q", n, text)
	}
	mu.Lock()
	clock = clock.Add(2 * time.Hour)
	mu.Unlock()
	s.Write([]byte("much later\n"))
	until(t, "the line", func() bool { return s.Counters().Lines == 21 })
	if _, text := lines(t, path); text != "much later\n" {
		t.Errorf("after two hours the file has %q", text)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// After a rename by somebody else the path is opened anew: at once when told, soon
// when not. Nothing is lost.
func TestFileSinkReopens(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "eve.json")
	s, err := NewFileSink(FileSinkOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	write := func(line string) {
		t.Helper()
		n++
		s.Write([]byte(line + "\n"))
		until(t, line, func() bool { return s.Counters().Lines == n })
	}
	write("one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	s.Reopen()
	write("two")
	if _, text := lines(t, path); text != "two\n" {
		t.Errorf("after Reopen the path has %q", text)
	}
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	until(t, "a new file", func() bool {
		write("more")
		_, err := os.Stat(path)
		return err == nil
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, text := lines(t, path+"*"); uint64(strings.Count(text, "\n")) != n {
		t.Errorf("%d lines of %d", strings.Count(text, "\n"), n)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

// A path that cannot be opened is an error at the start.
func TestFileSinkRefuses(t *testing.T) {
	if _, err := NewFileSink(FileSinkOptions{Path: filepath.Join(t.TempDir(), "none", "eve.json")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// A stream gets every line and stays open.
func TestStreamSink(t *testing.T) {
	r, w := io.Pipe()
	got := make(chan string)
	go func() {
		var b bytes.Buffer
		io.Copy(&b, r)
		got <- b.String()
	}()
	s := NewStreamSink("pipe", w)
	for i := range 100 {
		s.Write(fmt.Appendf(nil, "%d\n", i))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := w.Write([]byte("end\n")); err != nil {
		t.Errorf("the stream was closed: %v", err)
	}
	w.Close()
	if text := <-got; strings.Count(text, "\n") != 101 {
		t.Errorf("%d lines", strings.Count(text, "\n"))
	}
}
