package ec2api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"mirador/internal/mirror"
)

// The state file is text: a head line, then one JSON line for each resource. It is
// written whole beside the old one, synced, and renamed over it; the old one stays as
// state.jsonl.bak. What changes afterwards goes to the journal (journal.go). An answer to
// a mutating call goes out when its change is on disk; calls that come while a write is
// under way share the next one.
const (
	stateName    = "state.jsonl"
	stateVersion = 1
)

type stateHead struct {
	Format  string `json:"format"` // "mirador-ec2api"
	Version int    `json:"version"`
	Lines   int    `json:"lines"`
	Bytes   int    `json:"bytes"`
	CRC     uint32 `json:"crc32c"`
	Gen     uint64 `json:"generation"`
}

type stateLine struct {
	Kind  string          `json:"k"`
	Value json.RawMessage `json:"v"`
}

// ErrState is wrapped by errors about a state file that cannot be used.
var ErrState = errors.New("state file")

// store keeps a state in a folder.
type store struct {
	dir  string
	lock *os.File

	mu        sync.Mutex // mu guards what follows; it is held while a file is written
	written   uint64     // generation on disk
	whole     int        // bytes of the state file
	journal   *os.File   // nil: not open
	journaled int64      // bytes of it
	broken    bool       // the last record was not written: write the state file
	closed    bool
	writes    int // files written, for tests of group commit
}

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockDir(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return &store{dir: dir, lock: lock}, nil
}

func (d *store) close() error {
	d.closed = true
	if d.journal != nil {
		d.journal.Close()
	}
	return d.lock.Close()
}

// load reads the state file. It returns nil and no error when there is none.
func (d *store) load(random io.Reader, o mirror.BookOptions) ([]*state, error) {
	path := filepath.Join(d.dir, stateName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStateFile))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	bad := func(path string, err error) error {
		return fmt.Errorf("%w %s: %w; the one before it is %s.bak", ErrState, path, err, path)
	}
	list, err := readState(b, random)
	if err != nil {
		return nil, bad(path, err)
	}
	d.whole = len(b)
	log := filepath.Join(d.dir, journalName)
	j, err := os.Open(log)
	if err == nil {
		defer j.Close()
		if b, err = io.ReadAll(io.LimitReader(j, maxStateFile)); err != nil {
			return nil, fmt.Errorf("read %s: %w", log, err)
		}
		n, err := replay(b, list)
		if err != nil {
			return nil, bad(log, err)
		}
		if d.journaled = int64(n); n < len(b) {
			if err := os.Truncate(log, int64(n)); err != nil {
				return nil, err
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	states, err := finish(list, o)
	if err != nil {
		return nil, bad(path, err)
	}
	d.written = states[0].gen
	return states, nil
}

// readState reads a state file: what it has of each account. A line "account" ends the
// resources of one account and begins another's.
func readState(b []byte, random io.Reader) ([]*reading, error) {
	first, body, ok := bytes.Cut(b, []byte("\n"))
	var head stateHead
	if !ok || json.Unmarshal(first, &head) != nil || head.Format != "mirador-ec2api" {
		return nil, errors.New("not a state file")
	}
	if head.Version != stateVersion {
		return nil, fmt.Errorf("version %d, this program reads version %d", head.Version, stateVersion)
	}
	if head.Bytes != len(body) {
		return nil, fmt.Errorf("cut off: %d bytes instead of %d", len(body), head.Bytes)
	}
	if crc := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)); crc != head.CRC {
		return nil, errors.New("checksum is wrong")
	}
	list := []*reading{newReading(random, head.Gen)}
	for n, line := range bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n")) {
		var l stateLine
		err := json.Unmarshal(line, &l)
		switch {
		case err != nil:
		case l.Kind == "account":
			list = append(list, newReading(random, head.Gen))
		default:
			err = list[len(list)-1].line(l)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+2, err)
		}
	}
	return list, nil
}

// finish makes states of what was read.
func finish(list []*reading, o mirror.BookOptions) ([]*state, error) {
	var out []*state
	for _, r := range list {
		r.s.indexAddrs()
		o.AccountID = r.s.meta.AccountID
		var err error
		if r.s.book, err = mirror.NewBook(o, r.book); err != nil {
			return nil, fmt.Errorf("mirroring: %w", err)
		}
		out = append(out, r.s)
	}
	return out, nil
}

// reading is a state on its way out of a file.
type reading struct {
	s     *state
	book  mirror.BookState
	kinds map[string]tabler
}

func newReading(random io.Reader, gen uint64) *reading {
	r := &reading{s: newState(meta{}, random), kinds: map[string]tabler{}}
	r.s.gen = gen
	for _, t := range r.s.tables {
		r.kinds[t.name()] = t
	}
	return r
}

func (r *reading) line(l stateLine) error {
	switch {
	case l.Kind == "meta":
		return json.Unmarshal(l.Value, &r.s.meta)
	case l.Kind == "mirroring":
		return json.Unmarshal(l.Value, &r.book)
	case r.kinds[l.Kind] != nil:
		return r.kinds[l.Kind].load(l.Value)
	}
	return fmt.Errorf("unknown kind %q", l.Kind)
}

// encode writes s, and the states of other accounts after it. Only lines of what has
// changed are made anew.
func (s *state) encode(others ...*state) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(s.size + s.size/8 + 1<<12)
	lines := 0
	add := func(kind string, line []byte) {
		b.WriteString(`{"k":"`)
		b.WriteString(kind)
		b.WriteString(`","v":`)
		b.Write(line)
		b.WriteString("}\n")
		lines++
	}
	if err := s.lines(add); err != nil {
		return nil, err
	}
	for _, o := range others {
		add("account", []byte(`"`+o.meta.AccountID+`"`))
		if err := o.lines(add); err != nil {
			return nil, err
		}
	}
	body := b.Bytes()
	s.size = len(body)
	head, err := json.Marshal(stateHead{
		Format: "mirador-ec2api", Version: stateVersion, Lines: lines, Bytes: len(body),
		CRC: crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)), Gen: s.gen,
	})
	if err != nil {
		return nil, err
	}
	return append(append(head, '\n'), body...), nil
}

// lines gives the lines of one account to add.
func (s *state) lines(add func(kind string, line []byte)) error {
	m, err := json.Marshal(s.meta)
	if err != nil {
		return err
	}
	s.fresh, s.metaDirty = nil, false
	s.book.TakeChanges() // the whole book is written
	add("meta", m)
	if s.bookLine == nil {
		if s.bookLine, err = json.Marshal(s.book.State()); err != nil {
			return err
		}
	}
	add("mirroring", s.bookLine)
	for _, t := range s.tables {
		if err := t.refresh(func(string, []byte) {}); err != nil {
			return err
		}
		t.each(func(line []byte) { add(t.name(), line) })
	}
	return nil
}

// sync returns when the generation gen is on disk. take is called to get the newest state
// whole, or what has changed since a generation, and the generation that it is; it takes
// the server's lock itself.
func (d *store) sync(gen uint64, take func(whole bool, after uint64) ([]byte, uint64, error)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.written >= gen {
		return nil // somebody else's write had it
	}
	whole := d.whole == 0 || d.broken || d.journaled > int64(max(d.whole, minJournal))
	b, now, err := take(whole, d.written)
	if err != nil {
		d.broken = true
		return err
	}
	if !whole {
		err = d.append(b)
	} else if err = d.write(b); err == nil {
		d.whole = len(b)
		err = d.rotate()
	}
	if err != nil {
		d.broken = true
		return err
	}
	d.written = now
	d.writes++
	return nil
}

func (d *store) write(b []byte) error {
	path := filepath.Join(d.dir, stateName)
	tmp, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer tmp.Close()
	w := bufio.NewWriterSize(tmp, 1<<16)
	if _, err := w.Write(b); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	// Keep what is there now: a second name for it, put in place by one rename.
	os.Remove(path + ".bak.tmp")
	if err := os.Link(path, path+".bak.tmp"); err == nil {
		if err := os.Rename(path+".bak.tmp", path+".bak"); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(d.dir)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
