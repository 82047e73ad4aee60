package ruleupdate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"mirador/internal/rule"
)

// Change is one rule that differs between two sets.
type Change struct {
	GID, SID       uint32
	OldRev, NewRev uint32 // 0 where it is not in the set
	Msg            string // as the rule says it: clean it before it is shown
}

// Diff is what differs between two sets, by gid and sid, in that order. A rule that
// was both enabled and changed is in Enabled only.
type Diff struct {
	Added, Removed, Changed, Enabled, Disabled []Change
}

// Empty tells whether the sets are the same.
func (d *Diff) Empty() bool {
	return len(d.Added)+len(d.Removed)+len(d.Changed)+len(d.Enabled)+len(d.Disabled) == 0
}

// Compare returns what changes from one set to another.
func Compare(from, to *rule.Set) Diff {
	var d Diff
	var a, b []byte
	for _, r := range to.Rules() {
		old := from.Find(r.GID, r.SID)
		c := Change{GID: r.GID, SID: r.SID, NewRev: r.Rev, Msg: r.Msg}
		if old == nil {
			d.Added = append(d.Added, c)
			continue
		}
		c.OldRev = old.Rev
		a, b = old.AppendTo(a[:0]), r.AppendTo(b[:0])
		switch {
		case old.Disabled && !r.Disabled:
			d.Enabled = append(d.Enabled, c)
		case r.Disabled && !old.Disabled:
			d.Disabled = append(d.Disabled, c)
		case !bytes.Equal(a, b):
			d.Changed = append(d.Changed, c)
		}
	}
	for _, r := range from.Rules() {
		if to.Find(r.GID, r.SID) == nil {
			d.Removed = append(d.Removed, Change{GID: r.GID, SID: r.SID, OldRev: r.Rev, Msg: r.Msg})
		}
	}
	for _, list := range [][]Change{d.Added, d.Removed, d.Changed, d.Enabled, d.Disabled} {
		slices.SortFunc(list, func(x, y Change) int { return cmp.Or(cmp.Compare(x.GID, y.GID), cmp.Compare(x.SID, y.SID)) })
	}
	return d
}

// readSet reads the rules of a version.
func readSet(dir string) (*rule.Set, error) {
	set := &rule.Set{}
	files, err := filepath.Glob(filepath.Join(dir, "*.rules"))
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		data, err := readFile(name, rule.MaxFileBytes)
		if err != nil {
			return nil, err
		}
		set.Add(rule.Parse(filepath.Base(name), data))
	}
	return set, nil
}

func writeInfo(dir string, info *Info) error {
	b, err := json.MarshalIndent(info, "", " ")
	if err != nil {
		return err
	}
	return writeSynced(filepath.Join(dir, infoFile), append(b, '\n'))
}

// compare fills in the difference to the version in use, and refuses a set that loses
// too much. same says that there is nothing to switch to.
func (u *updater) compare(from Info, to *Info, aside string) (same bool, err error) {
	old := &rule.Set{}
	oldDir := filepath.Join(u.o.Dir, versionName(from.Version))
	if from.Version != 0 {
		if old, err = readSet(oldDir); err != nil {
			return false, fmt.Errorf("read the rules in use: %w", err)
		}
	}
	u.res.Diff = Compare(old, &u.set)
	// The lists of refused rules name sids only; those of other gids are few.
	works := func(info *Info, r *rule.Rule) bool {
		if r == nil || r.Disabled {
			return false
		}
		_, refused := slices.BinarySearch(info.Refused, r.SID)
		return !refused
	}
	had, have := 0, 0
	for _, r := range old.Rules() {
		if !works(&from, r) {
			continue
		}
		had++
		if !u.off[r.ID()] && !works(to, u.set.Find(r.GID, r.SID)) {
			u.res.Lost++
		}
	}
	for _, r := range u.set.Rules() {
		if works(to, r) {
			have++
		}
	}
	if have == 0 {
		return false, &RefusedError{Why: fmt.Sprintf("the new set has no rule that works (%d refused)", u.res.Refused), Hint: "look at the problems shown, and at --disable"}
	}
	if err := u.refuse(had, have); err != nil {
		return false, err
	}
	if from.Version == 0 || !u.res.Diff.Empty() {
		return false, nil
	}
	for _, name := range []string{classFile, referenceFile} {
		a, aerr := os.ReadFile(filepath.Join(oldDir, name))
		b, berr := os.ReadFile(filepath.Join(aside, name))
		if (aerr == nil) != (berr == nil) || !bytes.Equal(a, b) {
			return false, nil
		}
	}
	return true, nil
}

// refuse says no to a set that loses more than the share that was asked for: of the
// rules in use, or, of what came, to refusals.
func (u *updater) refuse(had, have int) error {
	if u.o.Force {
		return nil
	}
	percent := func(n, of int) float64 { return math.Round(1000*float64(n)/float64(of)) / 10 }
	const hint = "look at the problems with --dry-run --all; --force switches nevertheless"
	if float64(u.res.Lost) > u.o.MaxLoss*float64(had) {
		return &RefusedError{fmt.Sprintf("%d of the %d rules in use would be lost (%v %%, at most %v %% are taken)",
			u.res.Lost, had, percent(u.res.Lost, had), 100*u.o.MaxLoss), hint}
	}
	if total := have + u.res.Refused; float64(u.res.Refused) > u.o.MaxLoss*float64(total) {
		return &RefusedError{fmt.Sprintf("%d of %d rules are refused (%v %%, at most %v %% are taken)",
			u.res.Refused, total, percent(u.res.Refused, total), 100*u.o.MaxLoss), hint}
	}
	return nil
}
