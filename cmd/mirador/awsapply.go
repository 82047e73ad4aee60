package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mirador/internal/awscloud"
	"mirador/internal/setup"
)

// applyFlags are those of the commands that change something.
type applyFlags struct {
	*awsFlags
	yes, dry, all, quiet bool
	parallel             int
	journal, rates       string
	unlock               func()
}

func (a *applyFlags) register(c *cobra.Command) {
	fl := c.Flags()
	fl.SortFlags = false
	fl.BoolVarP(&a.yes, "yes", "y", false, "do not ask")
	fl.BoolVar(&a.dry, "dry-run", false, "show the plan, change nothing")
	fl.BoolVar(&a.all, "all", false, "show every change")
	fl.BoolVarP(&a.quiet, "quiet", "q", false, "no plan and no progress, only what went wrong")
	fl.IntVar(&a.parallel, "parallel", 4, "how many sessions are worked on at the same time")
	fl.StringVar(&a.journal, "journal", "", "`file` of the journal (default: under the state directory of the user); none for no journal")
	fl.StringVar(&a.rates, "rates", "", "`file` with prices")
}

func awsApply(f *awsFlags) *cobra.Command {
	a := &applyFlags{awsFlags: f}
	c := &cobra.Command{
		Use:   "apply [PLAN]",
		Short: "make it so",
		Long: `Apply plans, shows the plan, asks, and makes the changes. With a plan file it makes what the
file says and refuses (exit code 4) when other changes have become necessary since.

It can be broken off at any time: run again, it goes on from what there is. The exit
code is 3 when some changes could not be made.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var saved *setup.SavedPlan
			var s *setup.Spec
			var err error
			if len(args) == 1 {
				saved, s, err = readPlan(args[0])
			} else {
				s, _, err = f.spec(c)
			}
			if err != nil {
				return err
			}
			if saved != nil && saved.Destroy {
				return a.destroy(c, saved.Stack, saved)
			}
			return a.apply(c, s, saved)
		},
	}
	a.register(c)
	return c
}

// readPlan reads a plan file and the description in it.
func readPlan(path string) (*setup.SavedPlan, *setup.Spec, error) {
	fh, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer fh.Close()
	saved, err := setup.ReadSaved(fh)
	if err != nil {
		return nil, nil, fail(exitUsage, "mirador aws plan --out FILE writes one", "%s: %w", path, err)
	}
	if saved.Destroy {
		return saved, nil, nil
	}
	s, err := setup.ParseSpec([]byte(saved.Spec), saved.SpecName)
	if err != nil {
		return nil, nil, fail(exitUsage, "mirador aws plan --out FILE writes one", "%s: %w", path, err)
	}
	return saved, s, nil
}

// apply plans and applies s. saved, when not nil, is what may be done at most.
func (a *applyFlags) apply(c *cobra.Command, s *setup.Spec, saved *setup.SavedPlan) error {
	var j *setup.Journal
	p, client, err := a.plan(c.Context(), s, a.rates, func(who setup.Identity) (_ *setup.Journal, err error) {
		if saved != nil && (saved.Identity.Account != who.Account || saved.Identity.Region != who.Region) {
			return nil, fail(exitRefused, "use the credentials and region that the plan was made with", "the plan is for account %s in %s, this is %s in %s",
				saved.Identity.Account, saved.Identity.Region, who.Account, who.Region)
		}
		j, err = a.open(c, s.Name, who)
		return j, err
	})
	if err != nil {
		closeJournal(j, false)
		return err
	}
	if saved != nil {
		if more := saved.Beyond(p); len(more) > 0 {
			closeJournal(j, false)
			var b strings.Builder
			for _, x := range more {
				fmt.Fprintf(&b, "\n  %s %s %s %s", x.Mark, x.Kind, x.ID, x.Name)
			}
			return fail(exitRefused, "look at a new plan: mirador aws plan", "things have changed since the plan was made; it does not have%s", b.String())
		}
	}
	return a.carryOut(c, p, client, j, "make these changes?")
}

// open opens the journal; nil means that there is none.
func (a *applyFlags) open(c *cobra.Command, stack string, who setup.Identity) (*setup.Journal, error) {
	if a.dry {
		return nil, nil
	}
	// watch leaves its rounds out meanwhile; the end of the program lets it in again.
	unlock, err := lockStack(stack, who)
	if err != nil {
		return nil, err
	}
	a.unlock = unlock // held until then: a file that nobody refers to is closed
	if a.journal == "none" {
		return nil, nil
	}
	path, err := journalPath(a.journal, stack, who)
	if err != nil {
		return nil, err
	}
	j, err := setup.OpenJournal(path, stack, who, setup.RandomRun)
	if errors.Is(err, os.ErrPermission) && a.journal == "" {
		fmt.Fprintf(c.ErrOrStderr(), "no journal: %v\n", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if j.Resume {
		fmt.Fprintf(c.ErrOrStderr(), "going on with a run that was broken off (%s)\n", path)
	}
	return j, nil
}

// closeJournal ends the work with j, which may be nil.
func closeJournal(j *setup.Journal, done bool) {
	switch {
	case j == nil:
	case done || !j.Resume && len(j.Made) == 0:
		_ = j.Finish() // that it stays costs the next run a look
	default:
		_ = j.Close()
	}
}

// carryOut shows p, asks, and makes the changes.
func (a *applyFlags) carryOut(c *cobra.Command, p *setup.Plan, client *awscloud.Client, j *setup.Journal, question string) error {
	w := c.OutOrStdout()
	if !a.quiet {
		if err := p.WriteText(w, a.all); err != nil {
			closeJournal(j, false)
			return err
		}
	}
	if len(p.Changes) == 0 || a.dry {
		closeJournal(j, !a.dry)
		a.told(c.ErrOrStderr(), client)
		return nil
	}
	if err := confirmed(c, a.yes, question); err != nil {
		closeJournal(j, false)
		return err
	}
	o := setup.ApplyOptions{Parallel: a.parallel, Journal: j, Run: setup.RandomRun()}
	if j != nil {
		o.Run = j.Run
	}
	if !a.quiet {
		o.Progress = func(x setup.Progress) { progress(c.ErrOrStderr(), x) }
	}
	out := setup.Apply(c.Context(), client, p, o)
	if j != nil {
		if len(out.Failed) == 0 {
			_ = j.Finish()
		} else {
			_ = j.Close()
		}
	}
	a.told(c.ErrOrStderr(), client)
	if len(out.Failed) == 0 {
		if !a.quiet {
			fmt.Fprintf(w, "Done: %d changes, %d changing calls.\n", out.Done, out.Calls)
		}
		return nil
	}
	return partial(out)
}

// progress writes a line for a change.
func progress(w io.Writer, x setup.Progress) {
	state := "done"
	if x.Err != nil {
		state = x.Err.Error()
	}
	fmt.Fprintf(w, "[%d/%d] %s %s %s: %s\n", x.Done, x.Total, x.Change.Mark, x.Change.Kind, strings.TrimSpace(x.Change.ID+" "+x.Change.Name), state)
}

// maxCauses is how many causes are shown of a run that failed in part.
const maxCauses = 10

// partial makes the error of a run that did not do everything.
func partial(out *setup.Outcome) error {
	code, skipped := exitPartial, 0
	var lines []string
	hint := ""
	for _, f := range out.Failed {
		if errors.Is(f.Err, setup.ErrSkipped) {
			skipped++
			continue
		}
		if len(lines) < maxCauses {
			lines = append(lines, "  "+f.Error())
		}
		var ce *setup.CloudError
		if errors.As(f.Err, &ce) && hint == "" {
			hint = ce.Hint
		}
	}
	if out.Calls == 0 {
		code = exitFailed
		if k := setup.KindOf(out.Err()); k == setup.KindDenied || k == setup.KindExpired {
			code = exitPermission
		}
	}
	if errors.Is(out.Err(), context.Canceled) {
		code, hint = exitInterrupted, "run it again: it goes on from what there is"
	}
	if hint == "" {
		hint = "run it again: it goes on from what there is"
	}
	return fail(code, hint, "%d of %d changes were made, %d failed, %d were not tried:\n%s",
		out.Done, out.Done+len(out.Failed), len(out.Failed)-skipped, skipped, strings.Join(lines, "\n"))
}

func awsDestroy(f *awsFlags) *cobra.Command {
	a := &applyFlags{awsFlags: f}
	var out string
	c := &cobra.Command{
		Use:   "destroy",
		Short: "take away what belongs to a stack",
		Long: `Destroy takes away everything that carries the tags of the stack, and nothing else: what was
there before, sensors, instances and sessions of others stay. It shows what goes, and asks.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			stack := f.stack
			var s *setup.Spec
			if stack == "" {
				var err error
				if s, _, err = f.spec(c); err != nil {
					return err
				}
				stack = s.Name
				if f.region == "" {
					f.region = s.Region
				}
			}
			if out != "" {
				return a.saveDestroy(c, stack, out)
			}
			return a.destroy(c, stack, nil)
		},
	}
	a.register(c)
	c.Flags().StringVar(&f.stack, "stack", "", "`name` of the stack (default: that of the description)")
	c.Flags().StringVar(&out, "out", "", "write the plan to `file`, for apply, and change nothing")
	return c
}

// saveDestroy writes the plan to take a stack away to a file.
func (a *applyFlags) saveDestroy(c *cobra.Command, stack, path string) error {
	client, err := a.connect(c.Context(), nil)
	if err != nil {
		return err
	}
	w, err := setup.Observe(c.Context(), client, setup.ObserveOptions{Stack: stack})
	if err != nil {
		return awsFailure(err)
	}
	p := setup.NewDestroyPlan(stack, w)
	if err := writeFile(path, p.Save("", "")); err != nil {
		return err
	}
	return p.WriteText(c.OutOrStdout(), a.all)
}

func (a *applyFlags) destroy(c *cobra.Command, stack string, saved *setup.SavedPlan) error {
	client, err := a.connect(c.Context(), nil)
	if err != nil {
		return err
	}
	w, err := setup.Observe(c.Context(), client, setup.ObserveOptions{Stack: stack})
	if err != nil {
		return awsFailure(err)
	}
	j, err := a.open(c, stack, w.Identity)
	if err != nil {
		return awsFailure(err)
	}
	if j != nil && j.Resume {
		if w, err = setup.Look(c.Context(), client, setup.ObserveOptions{Stack: stack}, j, nil); err != nil {
			closeJournal(j, false)
			return awsFailure(err)
		}
	}
	p := setup.NewDestroyPlan(stack, w)
	if saved != nil {
		if more := saved.Beyond(p); len(more) > 0 {
			closeJournal(j, false)
			return fail(exitRefused, "look at a new plan: mirador aws destroy --out FILE", "the stack has %d resources that the plan does not name, %s %s for one", len(more), more[0].Kind, more[0].ID)
		}
	}
	return a.carryOut(c, p, client, j, "destroy these?")
}
