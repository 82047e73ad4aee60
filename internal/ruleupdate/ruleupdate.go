// Package ruleupdate fetches rule sets and keeps versions of them on disk.
//
// An update reads its sources (a known name, a URL, a file or a directory; a tar.gz, a
// zip or plain rules), applies the lists of suricata-update, writes the result aside,
// checks it, compares it with the set in use, and points the link DIR/current to it in
// one step. Whatever fails before that step leaves the old set in use. The layout:
//
//	DIR/current            -> versions/000007
//	DIR/versions/000007/   the rule files, classification.config, reference.config, info.json
//	DIR/cache/             downloads with ETag and Last-Modified
//	DIR/lock
//
// It knows nothing of traffic: that rules compile is the business of Options.Check,
// which the command gives. The command is also who calls it, and who prints. Bounds
// are in limits.go.
package ruleupdate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"mirador/internal/rule"
)

// Options say what an update does. Dir is needed; the zero value of everything else
// is of use.
type Options struct {
	Dir     string   // the state folder; it is made
	Sources []string // empty: the first one of Sources()
	Filters rule.Filters
	DryRun  bool // everything but the switch; downloads are not kept either
	// Force fetches anew what the server says is unchanged, and switches although more
	// than MaxLoss is lost. A set without any rule is refused all the same.
	Force   bool
	MaxLoss float64 // share of rules, 0 to 1; 0: DefaultMaxLoss
	Keep    int     // versions on disk; 0: DefaultKeep
	// MaxDownload bounds one download in bytes. 0: the constant MaxDownload.
	MaxDownload int64
	Now         time.Time // the creation time of the version
	// Check compiles the rule files of a folder and returns what does not. nil: that
	// rules parse is enough.
	Check func(dir string) ([]rule.Problem, error)
	// Confirm is asked before the switch. nil stands for yes.
	Confirm func(*Result) (bool, error)
	// Transport fetches. nil: http.DefaultTransport with the limits of this room.
	Transport http.RoundTripper

	// stop is called between the steps of the switch, so that a test can crash there.
	stop func(step string) error
}

// Result says what an update has found and done.
type Result struct {
	Sources    []SourceResult
	Rules      int // in the new set, the disabled ones too
	Enabled    int // of them; Refused are still counted here
	Applied    rule.Applied
	Setters    int            // rules enabled because others ask for their flowbits
	Problems   []rule.Problem // refused rules, at parsing and by Check
	Refused    int            // how many rules were refused
	Duplicates int            // rules whose sid another one has
	Diff       Diff
	Lost       int // rules that were in use and no longer would be, but for the filters
	From       int // the version in use before, 0 for none
	Version    int // the version in use now
	Switched   bool
}

// SourceResult is what one source gave.
type SourceResult struct {
	Name   string
	Files  int
	Rules  int
	Cached bool // the copy from the last time is still good
}

// RefusedError says why a set was not taken into use.
type RefusedError struct {
	Why  string
	Hint string
}

func (e *RefusedError) Error() string { return "the old rules stay: " + e.Why }

// ErrDeclined is returned when Options.Confirm said no.
var ErrDeclined = errors.New("not confirmed, the old rules stay")

// updater is one update at work.
type updater struct {
	o         Options
	client    *http.Client
	stems     map[string]bool // the copies of downloads this update's sources have
	downloads []download
	set       rule.Set
	small     map[string][]byte // the .config files
	off       map[uint64]bool   // what the operator's lists disabled
	res       *Result
}

// Update does what o says. The Result is not nil once the sources have been read,
// with an error too. Errors are *SourceError, *RefusedError, ErrLocked, ErrDeclined,
// and those of the disk.
func Update(ctx context.Context, o Options) (*Result, error) {
	if o.Dir == "" || o.MaxLoss < 0 || o.MaxLoss > 1 || o.Keep < 0 || o.MaxDownload < 0 || len(o.Sources) > MaxSources {
		return nil, fmt.Errorf("update rules: options are out of bounds")
	}
	if len(o.Sources) == 0 {
		o.Sources = []string{Sources()[0].Name}
	}
	if o.MaxLoss == 0 {
		o.MaxLoss = DefaultMaxLoss
	}
	if o.Keep == 0 {
		o.Keep = DefaultKeep
	}
	if o.MaxDownload == 0 {
		o.MaxDownload = MaxDownload
	}
	if o.stop == nil {
		o.stop = func(string) error { return nil }
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("update rules: %w", err)
	}
	unlock, err := lock(filepath.Join(o.Dir, lockFile))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := prepare(o.Dir); err != nil {
		return nil, fmt.Errorf("update rules: %w", err)
	}
	u := &updater{o: o, client: newClient(o.Transport), stems: map[string]bool{}, small: map[string][]byte{}, res: &Result{}}
	if err := u.readAll(ctx); err != nil {
		return nil, err
	}
	u.filter()
	return u.res, u.replace(ctx)
}

// readAll reads the sources. One that fails ends the update: a set without it would
// lose its rules.
func (u *updater) readAll(ctx context.Context) error {
	for _, s := range u.o.Sources {
		f, err := u.read(ctx, s)
		if err != nil {
			return err
		}
		r := SourceResult{Name: f.name, Files: len(f.files), Cached: f.cached}
		refused := 0
		for _, file := range f.files {
			if base := path.Base(file.Name); base == classFile || base == referenceFile {
				u.small[base] = merge(u.small[base], file.Data)
				continue
			}
			n, bad := u.add(file)
			r.Rules += n
			refused += bad
		}
		if r.Rules == 0 {
			return &SourceError{f.name, fmt.Errorf("it has %d files and no rule that can be used (%d refused)", len(f.files), refused)}
		}
		u.res.Sources = append(u.res.Sources, r)
	}
	return nil
}

// add parses one rule file. It returns how many rules were taken and refused.
func (u *updater) add(file File) (taken, refused int) {
	rules, problems := rule.Parse(file.Name, file.Data)
	good := rules[:0]
	for _, r := range rules {
		if !utf8.ValidString(r.Text) {
			problems = append(problems, r.Problem(0, rule.KindSyntax, "the rule is not UTF-8", "write such bytes in hex: |ff|"))
			continue
		}
		good = append(good, r)
	}
	before := len(u.set.Problems())
	u.set.Add(good, problems)
	for _, p := range u.set.Problems()[before:] {
		if p.Kind == rule.KindDuplicate {
			u.res.Duplicates++
		} else if !p.Warning {
			refused++
		}
	}
	return len(good), refused
}

// merge appends the lines of a .config file that name something new.
func merge(old, more []byte) []byte {
	// "config classification: name,text,1" and "config reference: name http://..."
	key := func(line []byte) string {
		words := strings.FieldsFunc(strings.Replace(strings.ToLower(string(line)), ":", ": ", 1), func(r rune) bool { return r <= ' ' || r == ',' })
		return strings.Join(words[:min(3, len(words))], " ")
	}
	seen := map[string]bool{}
	for line := range bytes.Lines(old) {
		seen[key(line)] = true
	}
	for line := range bytes.Lines(more) {
		k := key(line)
		if k == "" || strings.HasPrefix(k, "#") || seen[k] || !utf8.Valid(line) {
			continue
		}
		seen[k] = true
		old = append(append(old, bytes.TrimRight(line, "\r\n")...), '\n')
	}
	return old
}

// filter applies the operator's lists and notes what they disabled, since that is no
// loss.
func (u *updater) filter() {
	was := map[uint64]bool{}
	for _, r := range u.set.Rules() {
		was[r.ID()] = !r.Disabled
	}
	u.res.Applied = u.set.Apply(u.o.Filters)
	u.off = map[uint64]bool{}
	for _, r := range u.set.Rules() {
		if r.Disabled && was[r.ID()] {
			u.off[r.ID()] = true
		}
	}
	u.res.Setters = u.set.EnableFlowbitSetters(func(r *rule.Rule) bool { return u.off[r.ID()] })
	u.res.Rules, u.res.Enabled = len(u.set.Rules()), len(u.set.Enabled())
	for _, p := range u.set.Problems() {
		if !p.Warning && p.Kind != rule.KindDuplicate {
			u.res.Problems = append(u.res.Problems, p)
		}
	}
	u.res.Refused = len(u.res.Problems)
}

// replace writes the set aside, checks it, and puts it in the place of the old one.
func (u *updater) replace(ctx context.Context) error {
	from, err := current(u.o.Dir)
	if err != nil {
		return fmt.Errorf("update rules: %w", err)
	}
	u.res.From, u.res.Version = from.Version, from.Version
	all, err := versions(u.o.Dir)
	if err != nil {
		return fmt.Errorf("update rules: %w", err)
	}
	info := Info{Version: 1, Previous: from.Version, Created: u.o.Now.UTC(), Rules: u.res.Rules, Enabled: u.res.Enabled}
	if len(all) > 0 {
		info.Version = slices.Max(all) + 1
	}
	for _, s := range u.res.Sources {
		info.Sources = append(info.Sources, s.Name)
	}
	aside, err := os.MkdirTemp(filepath.Join(u.o.Dir, versionsDir), asidePrefix)
	if err != nil {
		return fmt.Errorf("update rules: %w", err)
	}
	defer os.RemoveAll(aside) // after the switch it is not there any more
	if err := u.write(aside); err != nil {
		return fmt.Errorf("write rules: %w", err)
	}
	if err := u.check(aside, &info); err != nil {
		return err
	}
	same, err := u.compare(from, &info, aside)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil || u.o.DryRun {
		return err
	}
	if same {
		return u.keepDownloads()
	}
	if u.o.Confirm != nil {
		yes, err := u.o.Confirm(u.res)
		if err != nil {
			return err
		}
		if !yes {
			return ErrDeclined
		}
	}
	if err := u.commit(aside, &info); err != nil {
		return fmt.Errorf("switch rules: %w", err)
	}
	u.res.Version, u.res.Switched = info.Version, true
	if err := prune(u.o.Dir, info, u.o.Keep); err != nil {
		return fmt.Errorf("the new rules are in use; remove old versions: %w", err)
	}
	return u.keepDownloads()
}

// write writes the rule files, each under the last part of its name, so that "group:"
// still chooses by it.
func (u *updater) write(dir string) error {
	texts := map[string][]byte{}
	for _, r := range u.set.Rules() {
		name := fileName(r.File)
		texts[name] = append(r.AppendTo(texts[name]), '\n')
	}
	for name, text := range u.small {
		texts[name] = text
	}
	for name, text := range texts {
		if err := writeSynced(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o755)
}

// fileName makes a safe name of the name a source gave.
func fileName(name string) string {
	name = strings.TrimSuffix(path.Base(name), ".rules")
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '_'
	}, name)
	const longest = 100
	name = strings.TrimLeft(name[:min(len(name), longest)], ".-")
	if name == "" {
		name = "source"
	}
	return name + ".rules"
}

// check reads back what was written and compiles it.
func (u *updater) check(dir string, info *Info) error {
	back, err := readSet(dir)
	if err != nil {
		return fmt.Errorf("read back rules: %w", err)
	}
	if len(back.Rules()) != len(u.set.Rules()) || len(back.Enabled()) != len(u.set.Enabled()) {
		return fmt.Errorf("read back rules: %d of %d, %d of %d enabled", len(back.Rules()), len(u.set.Rules()), len(back.Enabled()), len(u.set.Enabled()))
	}
	if u.o.Check == nil || u.res.Enabled == 0 {
		return nil
	}
	problems, err := u.o.Check(dir)
	if err != nil {
		return fmt.Errorf("check rules: %w", err)
	}
	seen := map[uint32]bool{}
	for _, p := range problems {
		p.File = filepath.Base(p.File)
		u.res.Problems = append(u.res.Problems, p)
		if p.SID == 0 || !seen[p.SID] {
			u.res.Refused++
		}
		if p.SID != 0 && !seen[p.SID] {
			seen[p.SID] = true
			info.Refused = append(info.Refused, p.SID)
		}
	}
	slices.Sort(info.Refused)
	return nil
}

// commit makes the folder aside a version and points the link to it.
func (u *updater) commit(aside string, info *Info) error {
	if err := writeInfo(aside, info); err != nil {
		return err
	}
	if err := syncDir(aside); err != nil {
		return err
	}
	if err := u.o.stop("written"); err != nil {
		return err
	}
	if err := os.Rename(aside, filepath.Join(u.o.Dir, versionName(info.Version))); err != nil {
		return err
	}
	if err := syncDir(filepath.Join(u.o.Dir, versionsDir)); err != nil {
		return err
	}
	if err := u.o.stop("renamed"); err != nil {
		return err
	}
	return link(u.o.Dir, info.Version)
}
