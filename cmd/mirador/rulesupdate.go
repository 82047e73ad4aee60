package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/rule"
	"mirador/internal/ruleupdate"
)

type rulesUpdateFlags struct {
	engineParams
	opt                           ruleupdate.Options
	disable, enable, modify, drop []string
	maxLoss                       float64
	yes, rollback, all            bool
}

func rulesUpdateCommand() *cobra.Command {
	f := &rulesUpdateFlags{}
	var named []string
	for _, n := range ruleupdate.Sources() {
		named = append(named, n.Name)
	}
	c := &cobra.Command{
		Use:   "update",
		Short: "fetch rules, check them, and take them into use",
		Long: `Update reads its sources, applies the lists of suricata-update, compiles the result,
shows what it changes, and points DIR/current to it in one step. Whatever fails leaves
the old rules in use; the exit code is 2 then. A running sensor takes the new rules with
"mirador reload".

A source is a known name (` + strings.Join(named, ", ") + `), an http or https address, a file, or a
directory: rules, or a tar, tar.gz or zip of rules.`,
		Example: `  mirador rules update --dry-run
  mirador rules update --source et/open --source /etc/mirador/local.rules --disable disable.conf --yes
  mirador rules update --rollback`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringArrayVar(&f.opt.Sources, "source", nil, "`source` of rules; repeatable (default "+named[0]+")")
	fl.StringVar(&f.opt.Dir, "dir", "/var/lib/mirador/rules", "`folder` of the versions; a sensor reads current/*.rules in it")
	fl.StringArrayVar(&f.disable, "disable", nil, "`file` with rules to disable; repeatable")
	fl.StringArrayVar(&f.enable, "enable", nil, "`file` with rules to enable; repeatable")
	fl.StringArrayVar(&f.modify, "modify", nil, "`file` with changes of rules; repeatable")
	fl.StringArrayVar(&f.drop, "drop", nil, "`file` with alert rules to turn into drop; repeatable")
	fl.BoolVar(&f.opt.DryRun, "dry-run", false, "do everything but the switch")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	fl.BoolVar(&f.rollback, "rollback", false, "go back to the version before the current one, and do nothing else")
	fl.BoolVar(&f.opt.Force, "force", false, "fetch what is unchanged, and take a set that loses more than --max-loss")
	fl.Float64Var(&f.maxLoss, "max-loss", 100*ruleupdate.DefaultMaxLoss, "`percent` of rules an update may lose or have refused")
	fl.IntVar(&f.opt.Keep, "keep", ruleupdate.DefaultKeep, "`versions` to keep on disk")
	fl.BoolVar(&f.all, "all", false, "list every change and every refused rule")
	fl.StringVarP(&f.configFile, "suricata-config", "c", "", "a suricata.yaml to take variables and settings from")
	fl.StringArrayVar(&f.sets, "set", nil, "set `key=value` under Suricata's names; repeatable")
	return c
}

func (f *rulesUpdateFlags) run(c *cobra.Command) error {
	w := c.OutOrStdout()
	if f.rollback {
		from, to, err := ruleupdate.Rollback(f.opt.Dir)
		if err != nil {
			return updateFailure(err)
		}
		fmt.Fprintf(w, "rolled back from version %d to version %d of %s: %d rules, %d enabled\n",
			from.Version, to.Version, to.Created.Format(time.RFC3339), to.Rules, to.Enabled)
		return nil
	}
	if !(f.maxLoss > 0 && f.maxLoss <= 100) || f.opt.Keep < 1 {
		return fail(exitUsage, "mirador rules update --help", "--max-loss is a percentage above 0, --keep at least 1")
	}
	if err := f.readFilters(); err != nil {
		return err
	}
	f.opt.MaxLoss = f.maxLoss / 100
	f.opt.Now = time.Now()
	f.opt.Check = f.check
	shown := false
	if !f.yes {
		f.opt.Confirm = func(r *ruleupdate.Result) (bool, error) {
			f.print(w, r)
			shown = true
			fmt.Fprint(w, "take these rules into use? [y/N] ")
			line, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), 100)).ReadString('\n')
			fmt.Fprintln(w)
			if err != nil && err != io.EOF {
				return false, fmt.Errorf("read answer: %w", err)
			}
			line = strings.ToLower(strings.TrimSpace(line))
			return line == "y" || line == "yes", nil
		}
	}
	r, err := ruleupdate.Update(c.Context(), f.opt)
	if r != nil && !shown {
		f.print(w, r)
	}
	if err != nil {
		return updateFailure(err)
	}
	switch {
	case r.Switched:
		fmt.Fprintf(w, "version %d is in use in %s\n", r.Version, f.opt.Dir)
	case f.opt.DryRun:
		fmt.Fprintln(w, "nothing was changed: dry run")
	default:
		fmt.Fprintf(w, "version %d stays in use: nothing new\n", r.Version)
	}
	return nil
}

// updateFailure gives errors of the room their exit code and hint.
func updateFailure(err error) error {
	var s *ruleupdate.SourceError
	var r *ruleupdate.RefusedError
	switch {
	case errors.As(err, &s):
		return &failure{exitFindings, err, "the old rules stay in use"}
	case errors.As(err, &r):
		return &failure{exitFindings, err, r.Hint}
	case errors.Is(err, ruleupdate.ErrDeclined):
		return &failure{exitRefused, err, "--yes does not ask"}
	case errors.Is(err, os.ErrPermission):
		return &failure{exitPermission, err, "--dir names a folder that this user may write to"}
	}
	return err
}

// check compiles the rule files of a folder as a sensor would.
func (f *rulesUpdateFlags) check(dir string) ([]rule.Problem, error) {
	p := f.engineParams
	p.rules = []string{dir}
	e, err := buildEngine(&p)
	if err != nil {
		return nil, err
	}
	var out []rule.Problem
	for _, x := range e.problems {
		if !x.Warning {
			out = append(out, x)
		}
	}
	return out, nil
}

// readFilters reads the lists. A line that is not understood ends the update, since
// what it should have disabled would alert.
func (f *rulesUpdateFlags) readFilters() error {
	matchers := func(names []string, to *[]rule.Matcher) error {
		return eachFilter(names, func(name string, b []byte) []rule.Problem {
			m, problems := rule.ParseMatchers(name, b)
			*to = append(*to, m...)
			return problems
		})
	}
	o := &f.opt.Filters
	if err := matchers(f.disable, &o.Disable); err != nil {
		return err
	}
	if err := matchers(f.enable, &o.Enable); err != nil {
		return err
	}
	if err := matchers(f.drop, &o.Drop); err != nil {
		return err
	}
	return eachFilter(f.modify, func(name string, b []byte) []rule.Problem {
		m, problems := rule.ParseModifiers(name, b)
		o.Modify = append(o.Modify, m...)
		return problems
	})
}

func eachFilter(names []string, parse func(name string, b []byte) []rule.Problem) error {
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return fail(exitUsage, "", "read list: %w", err)
		}
		if problems := parse(name, b); len(problems) > 0 {
			return fail(exitUsage, problems[0].Hint, "%w", problems[0])
		}
	}
	return nil
}

// maxShown bounds the lines of each group without --all.
const maxShown = 10

// print shows what an update would do. Names and messages are from outside.
func (f *rulesUpdateFlags) print(w io.Writer, r *ruleupdate.Result) {
	for _, s := range r.Sources {
		note := ""
		if s.Cached {
			note = ", not changed since the last time"
		}
		fmt.Fprintf(w, "source %s: %d rules in %d files%s\n", clean(s.Name), s.Rules, s.Files, note)
	}
	fmt.Fprintf(w, "%d rules, %d enabled, %d refused, %d twice\n", r.Rules, r.Enabled, r.Refused, r.Duplicates)
	if a := r.Applied; a != (rule.Applied{}) || r.Setters > 0 {
		fmt.Fprintf(w, "lists: %d disabled, %d enabled, %d modified, %d set to drop; %d enabled for their flowbits\n",
			a.Disabled, a.Enabled, a.Modified, a.Dropped, r.Setters)
	}
	f.list(w, len(r.Problems), func(i int) string { return "! " + r.Problems[i].String() })
	d := &r.Diff
	fmt.Fprintf(w, "against version %d: %d added, %d removed, %d changed, %d enabled, %d disabled; %d lost\n",
		r.From, len(d.Added), len(d.Removed), len(d.Changed), len(d.Enabled), len(d.Disabled), r.Lost)
	for _, g := range []struct {
		word string
		list []ruleupdate.Change
	}{{"added", d.Added}, {"removed", d.Removed}, {"changed", d.Changed}, {"enabled", d.Enabled}, {"disabled", d.Disabled}} {
		f.list(w, len(g.list), func(i int) string {
			c := &g.list[i]
			rev := fmt.Sprintf("rev %d", max(c.OldRev, c.NewRev))
			if c.OldRev != 0 && c.NewRev != 0 && c.OldRev != c.NewRev {
				rev = fmt.Sprintf("rev %d to %d", c.OldRev, c.NewRev)
			}
			return fmt.Sprintf("%s %d:%d %s %s", g.word, c.GID, c.SID, rev, c.Msg)
		})
	}
}

func (f *rulesUpdateFlags) list(w io.Writer, n int, line func(i int) string) {
	for i := range n {
		if i == maxShown && !f.all && n > maxShown+1 {
			fmt.Fprintf(w, "  and %d more (--all)\n", n-i)
			return
		}
		fmt.Fprintf(w, "  %s\n", clean(line(i)))
	}
}
