package sensor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of a FileSink.
const (
	// DefaultSpool is how many bytes of lines may wait for the disk: some seconds of
	// a busy sensor.
	DefaultSpool = 16 << 20
	// reopenAfter is the pause after the disk refused lines before it is tried again.
	reopenAfter = time.Second
	// lookEvery is how often the path is checked for a file that was renamed or
	// removed without a word.
	lookEvery = time.Second
)

// FileSinkOptions configure a FileSink.
type FileSinkOptions struct {
	Path     string
	Mode     os.FileMode   // 0: 0640
	Size     int64         // start a new file past this size in bytes; 0: never
	Interval time.Duration // start a new file after this time; 0: never
	Keep     int           // old files to keep; 0: all
	Spool    int           // bytes that may wait; 0: DefaultSpool
	Truncate bool          // begin with an empty file
}

// SinkCounters are the counts of a FileSink, in lines and bytes.
type SinkCounters struct {
	Lines, Bytes               uint64 // written
	DroppedLines, DroppedBytes uint64 // the spool was full, or the disk refused them
	Failures                   uint64 // writes, opens and rotations that failed
	Rotations                  uint64
	Waiting                    int    // bytes
	Err                        string // why lines cannot be written at the moment
}

// FileSink writes whole lines to a file from a goroutine of its own, so that a slow
// or full disk never holds a worker: what the spool cannot take is dropped and
// counted. It renames the file to PATH.<UTC time> when it has grown too large or too
// old, and opens it anew after Reopen, for tools that rename it themselves. Data is
// handed to the system at once and synced when a file is closed. It is safe for
// concurrent use.
type FileSink struct {
	o    FileSinkOptions
	now  func() time.Time
	open func(path string, flag int, mode os.FileMode) (sinkFile, error)

	mu     sync.Mutex // guards what follows
	cond   *sync.Cond
	wait   []byte // lines to be written
	spare  []byte
	count  SinkCounters
	reopen bool
	closed bool
	done   chan struct{}
	stop   chan struct{}

	// Of the goroutine.
	f      sinkFile
	size   int64
	opened time.Time
	looked time.Time // when the path was last checked
	torn   bool      // the file may end within a line
}

// sinkFile is what a FileSink needs of a file.
type sinkFile interface {
	io.WriteCloser
	Truncate(int64) error
	Sync() error
	Size() (int64, error)
	Moved() bool // the path leads to another file by now, or to none
}

// diskFile is a sinkFile on the disk.
type diskFile struct{ *os.File }

func (f diskFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return 0, err
	}
	return st.Size(), nil
}

func (f diskFile) Moved() bool {
	here, err := f.Stat()
	if err != nil {
		return true
	}
	there, err := os.Stat(f.Name())
	return err != nil || !os.SameFile(here, there)
}

// Sync syncs a regular file; pipes and devices have nothing to sync.
func (f diskFile) Sync() error {
	if st, err := f.Stat(); err == nil && !st.Mode().IsRegular() {
		return nil
	}
	return f.File.Sync()
}

// streamFile is a sinkFile that cannot be cut, renamed or opened again.
type streamFile struct{ io.Writer }

func (streamFile) Truncate(int64) error { return errors.New("a stream cannot be cut") }
func (streamFile) Sync() error          { return nil }
func (streamFile) Size() (int64, error) { return 0, nil }
func (streamFile) Moved() bool          { return false }
func (streamFile) Close() error         { return nil }

// NewStreamSink returns a FileSink that writes to w, called name. It does not close w.
func NewStreamSink(name string, w io.Writer) *FileSink {
	s, err := newFileSink(FileSinkOptions{Path: name}, time.Now, func(string, int, os.FileMode) (sinkFile, error) { return streamFile{w}, nil })
	if err != nil {
		panic(err) // opening a stream has no errors
	}
	return s
}

// NewFileSink opens o.Path for appending. Later failures are counted, this one is
// returned.
func NewFileSink(o FileSinkOptions) (*FileSink, error) {
	return newFileSink(o, time.Now, func(path string, flag int, mode os.FileMode) (sinkFile, error) {
		f, err := os.OpenFile(path, flag, mode)
		return diskFile{f}, err
	})
}

func newFileSink(o FileSinkOptions, now func() time.Time, open func(string, int, os.FileMode) (sinkFile, error)) (*FileSink, error) {
	if o.Mode == 0 {
		o.Mode = 0o640
	}
	if o.Spool <= 0 {
		o.Spool = DefaultSpool
	}
	s := &FileSink{o: o, now: now, open: open, done: make(chan struct{}), stop: make(chan struct{})}
	s.cond = sync.NewCond(&s.mu)
	if err := s.openFile(o.Truncate); err != nil {
		return nil, err
	}
	go s.run()
	return s, nil
}

// Write takes whole lines. It never waits for the disk and never fails: what cannot
// be kept is counted.
func (s *FileSink) Write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.wait)+len(b) > s.o.Spool {
		s.dropLocked(b)
		return nil
	}
	s.wait = append(s.wait, b...)
	s.cond.Signal()
	return nil
}

func (s *FileSink) dropLocked(b []byte) {
	s.count.DroppedLines += uint64(bytes.Count(b, []byte{'\n'}))
	s.count.DroppedBytes += uint64(len(b))
}

// Reopen makes the sink close its file and open its path again.
func (s *FileSink) Reopen() {
	s.mu.Lock()
	s.reopen = true
	s.cond.Signal()
	s.mu.Unlock()
}

// Path returns the path of the file.
func (s *FileSink) Path() string { return s.o.Path }

// Counters returns the counts.
func (s *FileSink) Counters() SinkCounters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.count
	c.Waiting = len(s.wait)
	return c
}

// Close writes what waits and closes the file. It gives up on a disk that refuses.
func (s *FileSink) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.stop)
	s.cond.Signal()
	s.mu.Unlock()
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.count.DroppedLines; n > 0 {
		return fmt.Errorf("write %s: %d events were lost: %s", s.o.Path, n, s.count.Err)
	}
	return nil
}

// run is the goroutine.
func (s *FileSink) run() {
	defer close(s.done)
	for {
		s.mu.Lock()
		for len(s.wait) == 0 && !s.reopen && !s.closed {
			s.cond.Wait()
		}
		b, reopen, closed := s.wait, s.reopen, s.closed
		s.wait, s.reopen = s.spare[:0], false
		s.mu.Unlock()
		if reopen {
			s.closeFile()
		}
		s.drain(b)
		s.spare = b
		if closed {
			s.closeFile()
			return
		}
	}
}

// drain writes b. What the disk refuses stays waiting while there is room, and is
// tried again after a pause.
func (s *FileSink) drain(b []byte) {
	for len(b) > 0 {
		n, err := s.write(b)
		s.note(b[:n], err)
		b = b[n:]
		if err == nil {
			continue
		}
		t := time.NewTimer(reopenAfter)
		select {
		case <-s.stop:
			t.Stop()
			// The last try was just now.
			s.mu.Lock()
			s.dropLocked(b)
			s.mu.Unlock()
			return
		case <-t.C:
		}
	}
}

func (s *FileSink) note(written []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count.Lines += uint64(bytes.Count(written, []byte{'\n'}))
	s.count.Bytes += uint64(len(written))
	s.count.Err = ""
	if err != nil {
		s.count.Failures++
		s.count.Err = err.Error()
	}
}

// write writes as many whole lines of b as it can.
func (s *FileSink) write(b []byte) (int, error) {
	if s.f == nil {
		if err := s.openFile(false); err != nil {
			return 0, err
		}
	}
	if err := s.rotate(); err != nil {
		return 0, err
	}
	if now := s.now(); now.Sub(s.looked) >= lookEvery {
		s.looked = now
		if s.f.Moved() {
			s.closeFile()
			if err := s.openFile(false); err != nil {
				return 0, err
			}
		}
	}
	if s.torn {
		if err := s.f.Truncate(s.size); err != nil {
			s.closeFile()
			return 0, err
		}
		s.torn = false
	}
	n, err := s.f.Write(b)
	if err == nil {
		s.size += int64(n)
		return n, nil
	}
	whole := bytes.LastIndexByte(b[:n], '\n') + 1
	s.size += int64(whole)
	s.torn = n > whole
	return whole, err
}

// openFile opens the path.
func (s *FileSink) openFile(truncate bool) error {
	flag := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if truncate {
		flag |= os.O_TRUNC
	}
	f, err := s.open(s.o.Path, flag, s.o.Mode)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		f.Close()
		return err
	}
	now := s.now()
	s.f, s.size, s.opened, s.looked, s.torn = f, size, now, now, false
	return nil
}

// closeFile gives the file up; the next line opens it again.
func (s *FileSink) closeFile() {
	if s.f == nil {
		return
	}
	err := s.f.Sync()
	err = errors.Join(err, s.f.Close())
	s.f = nil
	if err != nil {
		s.note(nil, err)
	}
}

// rotate renames the file when it is due.
func (s *FileSink) rotate() error {
	now := s.now()
	large := s.o.Size > 0 && s.size >= s.o.Size
	old := s.o.Interval > 0 && now.Sub(s.opened) >= s.o.Interval
	if s.size == 0 || !large && !old {
		return nil
	}
	name := s.o.Path + "." + now.UTC().Format("20060102T150405.000")
	s.closeFile()
	if _, err := os.Lstat(name); err == nil {
		name += "-" + fmt.Sprint(s.count.Rotations)
	}
	if err := os.Rename(s.o.Path, name); err != nil {
		return err
	}
	s.mu.Lock()
	s.count.Rotations++
	s.mu.Unlock()
	s.prune()
	return s.openFile(false)
}

// prune removes the oldest files beyond Keep.
func (s *FileSink) prune() {
	if s.o.Keep <= 0 {
		return
	}
	dir, base := filepath.Split(s.o.Path)
	if dir == "" {
		dir = "."
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var old []string
	for _, e := range list {
		if t, ok := strings.CutPrefix(e.Name(), base+"."); ok && len(t) >= 15 && t[8] == 'T' {
			old = append(old, e.Name())
		}
	}
	slices.Sort(old)
	for len(old) > s.o.Keep {
		os.Remove(filepath.Join(dir, old[0]))
		old = old[1:]
	}
}
