package ec2api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"mirador/internal/mirror"
)

// The journal has what has changed since the state file was written: a record for each
// write, of a head line and the lines that changed. A record that a crash has cut is the
// last one and belongs to no answer; it is forgotten. When the journal has grown to the
// size of the state file, that is written anew and the journal begins again.
const (
	journalName = "journal.jsonl"
	// minJournal is how long the journal may grow whatever the size of the state file, in
	// bytes.
	minJournal = 1 << 20
)

type journalHead struct {
	Format string `json:"format"` // "mirador-ec2api-journal"
	After  uint64 `json:"after"`  // the generation that the record changes
	Gen    uint64 `json:"generation"`
	Bytes  int    `json:"bytes"`
	CRC    uint32 `json:"crc32c"`
}

const journalFormat = "mirador-ec2api-journal"

// journalLine is a change: what something is now, or the id of what is gone.
type journalLine struct {
	Account string          `json:"a"`
	Kind    string          `json:"k"`
	Value   json.RawMessage `json:"v,omitempty"`
	Gone    string          `json:"d,omitempty"`
}

// changes gives the lines that have changed since the last write.
func (s *state) changes(b *bytes.Buffer) error {
	var fault error
	add := func(kind, gone string, line []byte) {
		j, err := json.Marshal(journalLine{Account: s.meta.AccountID, Kind: kind, Value: line, Gone: gone})
		if err != nil {
			fault = err
		}
		b.Write(j)
		b.WriteByte('\n')
	}
	value := func(kind string, v any) {
		line, err := json.Marshal(v)
		if err != nil {
			fault = err
			return
		}
		add(kind, "", line)
	}
	if s.metaDirty {
		value("meta", s.meta)
	} else {
		for _, t := range s.fresh {
			value("token", t)
		}
	}
	if c, ok := s.book.TakeChanges(); ok {
		value("mirroring", c)
	}
	for _, t := range s.tables {
		err := t.refresh(func(id string, line []byte) {
			if line == nil {
				add(t.name(), id, nil)
			} else {
				add(t.name(), "", line)
			}
		})
		if err != nil {
			return err
		}
	}
	s.fresh, s.metaDirty = nil, false
	return fault
}

// record makes a record of the journal of what has changed since generation after.
func (v *Server) record(after uint64) ([]byte, error) {
	var body bytes.Buffer
	for _, a := range v.accounts {
		if err := a.s.changes(&body); err != nil {
			return nil, err
		}
	}
	head, err := json.Marshal(journalHead{
		Format: journalFormat, After: after, Gen: v.s.gen, Bytes: body.Len(), CRC: crc32.Checksum(body.Bytes(), crc32.MakeTable(crc32.Castagnoli)),
	})
	if err != nil {
		return nil, err
	}
	return append(append(head, '\n'), body.Bytes()...), nil
}

// apply makes the change of a line.
func (r *reading) apply(l journalLine) error {
	switch {
	case l.Kind == "meta":
		m := meta{}
		err := json.Unmarshal(l.Value, &m)
		r.s.meta = m
		return err
	case l.Kind == "token":
		var t token
		err := json.Unmarshal(l.Value, &t)
		r.s.meta.Tokens = withToken(r.s.meta.Tokens, t)
		return err
	case l.Kind == "mirroring":
		var c mirror.Changes
		err := json.Unmarshal(l.Value, &c)
		r.book.Apply(c)
		return err
	case r.kinds[l.Kind] == nil:
		return fmt.Errorf("unknown kind %q", l.Kind)
	case l.Gone != "":
		r.kinds[l.Kind].drop(l.Gone)
		return nil
	}
	return r.kinds[l.Kind].load(l.Value)
}

// replay applies the records of a journal to what the state file has. It returns how many
// bytes of it are whole: what comes after them a crash has cut.
func replay(b []byte, list []*reading) (whole int, err error) {
	at := map[string]*reading{}
	for _, r := range list {
		at[r.s.meta.AccountID] = r
	}
	first := list[0].s
	for rest := b; len(rest) > 0; rest = b[whole:] {
		line, body, ok := bytes.Cut(rest, []byte("\n"))
		var head journalHead
		if !ok || json.Unmarshal(line, &head) != nil || head.Format != journalFormat || head.Bytes < 0 {
			if !ok || len(bytes.Trim(rest, "\x00")) == 0 {
				return whole, nil
			}
			return whole, fmt.Errorf("byte %d: not a record", whole)
		}
		if len(body) < head.Bytes {
			return whole, nil
		}
		body = body[:head.Bytes]
		end := whole + len(line) + 1 + head.Bytes
		if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != head.CRC {
			if end == len(b) {
				return whole, nil
			}
			return whole, fmt.Errorf("byte %d: checksum is wrong", whole)
		}
		whole = end
		if head.Gen <= first.gen {
			continue // the state file has it
		}
		if head.After > first.gen {
			return whole, fmt.Errorf("the state file ends at generation %d, the journal goes on after %d", first.gen, head.After)
		}
		for text := range bytes.SplitSeq(bytes.TrimSuffix(body, []byte("\n")), []byte("\n")) {
			if len(text) == 0 {
				continue
			}
			var l journalLine
			if err := json.Unmarshal(text, &l); err != nil {
				return whole, err
			}
			r := at[l.Account]
			if r == nil {
				return whole, fmt.Errorf("account %q is not in the state file", l.Account)
			}
			if err := r.apply(l); err != nil {
				return whole, err
			}
		}
		first.gen = head.Gen
	}
	return whole, nil
}

// openJournal opens the journal for records to come.
func (d *store) openJournal() error {
	if d.journal != nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(d.dir, journalName), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Seek(d.journaled, io.SeekStart); err != nil {
		f.Close()
		return err
	}
	d.journal = f
	return nil
}

// append adds a record. When that fails, the state file has to be written.
func (d *store) append(b []byte) error {
	err := d.openJournal()
	if err == nil {
		if _, err = d.journal.Write(b); err == nil {
			err = d.journal.Sync()
		}
	}
	if err != nil {
		d.broken = true
		return err
	}
	d.journaled += int64(len(b))
	return nil
}

// fold writes the state file when there is a journal, whose place it takes.
func (d *store) fold(encode func() ([]byte, uint64, error)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.journaled == 0 {
		return nil
	}
	b, gen, err := encode()
	if err == nil {
		err = d.write(b)
	}
	if err != nil {
		return err // the journal has it all
	}
	d.written = gen
	return d.rotate()
}

// rotate begins a new journal; the old one belongs to the backup of the state file.
func (d *store) rotate() error {
	if d.journal != nil {
		d.journal.Close()
		d.journal = nil
	}
	path := filepath.Join(d.dir, journalName)
	if err := os.Rename(path, path+".bak"); errors.Is(err, fs.ErrNotExist) {
		os.Remove(path + ".bak")
	} else if err != nil {
		return err
	}
	d.journaled, d.broken = 0, false
	return syncDir(d.dir)
}
