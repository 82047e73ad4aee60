package setup

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// maxJournal bounds what is read of a journal: a run makes at most a few lines for each
// of 10,000 sessions.
const maxJournal = 64 << 20

// Journal is the diary of a run in a file. It is no state: when it is lost, the tags still
// tell what belongs to the stack. It lets a run that finishes a broken one repeat its
// client tokens, and know what was made before a describe call shows it.
type Journal struct {
	Run    string            // name of the run
	Resume bool              // it finishes a broken one
	Made   map[string]string // what the broken run made: id by key

	mu sync.Mutex
	f  *os.File
}

// journalLine is a line of the file.
type journalLine struct {
	Run   string `json:"run,omitempty"`   // first line
	Stack string `json:"stack,omitempty"` // with Run
	Where string `json:"where,omitempty"` // account and region, with Run
	Try   string `json:"try,omitempty"`   // a call for this key is about to be made
	Call  string `json:"call,omitempty"`  // which
	Made  string `json:"made,omitempty"`  // this key
	ID    string `json:"id,omitempty"`    // has this id now
}

// OpenJournal opens the journal at path for a run on stack, and locks it: ErrLocked means
// that another run has it. A journal that is there was left by a broken run, and is
// gone on with, unless it is of another stack, account or region. random makes a name
// for a new run.
func OpenJournal(path, stack string, who Identity, random func() string) (*Journal, error) {
	f, err := openLocked(path)
	if err != nil {
		return nil, err
	}
	j := &Journal{f: f, Made: map[string]string{}}
	where := who.Account + "/" + who.Region
	first, err := j.read()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	if first != nil && first.Stack == stack && first.Where == where && first.Run != "" {
		j.Run, j.Resume = first.Run, true
		if _, err := f.Seek(0, io.SeekEnd); err != nil {
			f.Close()
			return nil, err
		}
		return j, nil
	}
	if first != nil {
		f.Close()
		return nil, fmt.Errorf("journal %s is of stack %q in %s: give another with --journal", path, first.Stack, first.Where)
	}
	if err := j.Restart(stack, who, random); err != nil {
		f.Close()
		return nil, err
	}
	return j, nil
}

// LockStack keeps other runs on this machine out until the returned function is called:
// ErrLocked means that another is at work. The file at path stays.
func LockStack(path string) (unlock func(), err error) {
	f, err := openLocked(path)
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

// openLocked opens a file of this process alone, made if need be.
func openLocked(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ErrLocked tells that another run is at work on the stack.
var ErrLocked = errors.New("another run is at work on this stack")

// Restart forgets the broken run and begins a new one.
func (j *Journal) Restart(stack string, who Identity, random func() string) error {
	if err := j.f.Truncate(0); err != nil {
		return err
	}
	if _, err := j.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	j.Run, j.Resume, j.Made = random(), false, map[string]string{}
	if err := j.write(journalLine{Run: j.Run, Stack: stack, Where: who.Account + "/" + who.Region}); err != nil {
		return err
	}
	return j.f.Sync()
}

// read reads what is there; nil means nothing. A last line that was cut off is no line.
func (j *Journal) read() (*journalLine, error) {
	r := bufio.NewReader(io.LimitReader(j.f, maxJournal))
	var first *journalLine
	for {
		b, err := r.ReadBytes('\n')
		if err != nil {
			if err == io.EOF {
				return first, nil
			}
			return nil, err
		}
		var l journalLine
		if err := json.Unmarshal(b, &l); err != nil {
			return nil, fmt.Errorf("is no journal: %w", err)
		}
		if first == nil {
			first = &l
		}
		if l.Made != "" {
			j.Made[l.Made] = l.ID
		}
	}
}

func (j *Journal) write(l journalLine) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err = j.f.Write(append(b, '\n'))
	return err
}

// trying notes that call is about to be made.
func (j *Journal) trying(k string, call Call) error {
	if err := j.write(journalLine{Try: k, Call: call.Action().String()}); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// made notes a result. That it could not be written is no reason to stop: the tags know.
func (j *Journal) made(k, id string) {
	_ = j.write(journalLine{Made: k, ID: id})
}

// Unseen returns ids that the broken run made and w does not show.
func (j *Journal) Unseen(w *Observed) []string {
	seen := map[string]bool{}
	for i := range w.Groups {
		seen[w.Groups[i].ID] = true
	}
	for i := range w.Interfaces {
		seen[w.Interfaces[i].ID], seen[w.Interfaces[i].AttachmentID] = true, true
	}
	for i := range w.Targets {
		seen[w.Targets[i].ID] = true
	}
	for i := range w.Filters {
		seen[w.Filters[i].ID] = true
	}
	for i := range w.Sessions {
		seen[w.Sessions[i].ID] = true
	}
	for i := range w.Balancers {
		seen[w.Balancers[i].ARN] = true
	}
	for i := range w.TargetGroups {
		seen[w.TargetGroups[i].ARN] = true
	}
	for i := range w.Listeners {
		seen[w.Listeners[i].ARN] = true
	}
	for i := range w.Services {
		seen[w.Services[i].ID] = true
	}
	for i := range w.Endpoints {
		seen[w.Endpoints[i].ID] = true
	}
	var out []string
	for _, k := range sortedTagKeys(j.Made) {
		if id := j.Made[k]; !seen[id] {
			out = append(out, id)
		}
	}
	return out
}

// Finish ends a run that did everything: there is nothing to go on with.
func (j *Journal) Finish() error {
	err := os.Remove(j.f.Name())
	return errors.Join(err, j.f.Close())
}

// Close ends a run that another has to finish.
func (j *Journal) Close() error { return j.f.Close() }
