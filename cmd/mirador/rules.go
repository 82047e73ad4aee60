package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/rule"
)

func rulesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rules",
		Short: "check and look at detection rules",
		RunE: func(c *cobra.Command, args []string) error {
			return fail(exitUsage, "mirador rules --help", "rules needs a subcommand")
		},
	}
	c.AddCommand(rulesCheckCommand(), rulesExplainCommand(), rulesWhyCommand(), rulesStatsCommand(), rulesKeywordsCommand(), rulesUpdateCommand())
	return c
}

type rulesCheckFlags struct {
	engineParams
	format string
	lint   bool
	all    bool
}

func rulesCheckCommand() *cobra.Command {
	f := &rulesCheckFlags{}
	c := &cobra.Command{
		Use:   "check FILE...",
		Short: "load rules and tell what was refused, and why",
		Long: `Check compiles the rules as the sensor would. It prints how many load, and the refused
ones grouped by reason. The exit code is 2 when a rule was refused.`,
		Example: `  mirador rules check et.rules
  mirador rules check rules/ --all
  mirador rules check et.rules -o json | jq .reasons`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringVarP(&f.format, "output", "o", "text", "text or json")
	fl.BoolVar(&f.all, "all", false, "list every problem, not only the reasons")
	fl.BoolVar(&f.lint, "lint", false, "also tell what works but is slow or odd")
	fl.StringVarP(&f.configFile, "suricata-config", "c", "", "a suricata.yaml to take variables and settings from")
	fl.StringArrayVar(&f.sets, "set", nil, "set `key=value` under Suricata's names; repeatable")
	return c
}

// checkReport is the JSON form of rules check. Fields are only ever added.
type checkReport struct {
	Files    []string       `json:"files"`
	Loaded   int            `json:"loaded"`
	Refused  int            `json:"refused"`
	Skipped  int            `json:"skipped"`
	Disabled int            `json:"disabled"`
	Reasons  []checkReason  `json:"reasons"`
	Problems []checkProblem `json:"problems"`
	ByType   map[string]int `json:"by_type"`
	Patterns int            `json:"patterns"`
	Memory   int            `json:"memory_bytes"`
	LoadMS   int64          `json:"load_ms"`
}

type checkReason struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	First  string `json:"first"`
}

type checkProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	SID     uint32 `json:"sid"`
	Kind    string `json:"kind"`
	Warning bool   `json:"warning"`
	What    string `json:"what"`
	Hint    string `json:"hint,omitempty"`
}

func (f *rulesCheckFlags) run(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fail(exitUsage, "mirador rules check FILE...", "no rule file given")
	}
	if f.format != "text" && f.format != "json" {
		return fail(exitUsage, "use -o text or -o json", "-o %q is not understood", f.format)
	}
	f.rules = args
	began := time.Now()
	e, err := buildEngine(&f.engineParams)
	if err != nil {
		return err
	}
	if f.lint {
		if err := e.lint(args); err != nil {
			return err
		}
	}
	r := f.report(e, args)
	r.LoadMS = time.Since(began).Milliseconds()
	if f.format == "json" {
		enc := json.NewEncoder(c.OutOrStdout())
		enc.SetIndent("", " ")
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	} else {
		f.print(c.OutOrStdout(), r)
	}
	if r.Refused > 0 {
		return &failure{code: exitFindings, err: fmt.Errorf("%d of %d rules were refused", r.Refused, r.Refused+r.Loaded)}
	}
	return nil
}

// lint adds to the problems what works in the rules of files and is slow or odd.
func (e *engine) lint(files []string) error {
	rules, _, err := readRules(files)
	if err != nil {
		return err
	}
	for _, x := range rules {
		if !x.Disabled {
			e.problems = append(e.problems, rule.Lint(x)...)
		}
	}
	return nil
}

func (f *rulesCheckFlags) report(e *engine, files []string) *checkReport {
	r := &checkReport{Files: files, Loaded: e.report.Loaded, Skipped: e.report.Skipped, Disabled: e.report.Disabled,
		ByType: e.report.ByKind, Patterns: e.report.Patterns, Memory: e.report.Memory,
		Reasons: []checkReason{}, Problems: []checkProblem{}}
	index := map[string]int{}
	for _, p := range e.problems {
		r.Problems = append(r.Problems, checkProblem{p.File, p.Line, p.Column, p.SID, p.Kind.String(), p.Warning, p.What, p.Hint})
		if p.Warning {
			continue
		}
		r.Refused++
		why := reasonOf(p)
		i, ok := index[why]
		if !ok {
			i = len(r.Reasons)
			index[why] = i
			r.Reasons = append(r.Reasons, checkReason{Reason: why, First: fmt.Sprintf("%s:%d:%d sid %d", p.File, p.Line, p.Column, p.SID)})
		}
		r.Reasons[i].Count++
	}
	slices.SortStableFunc(r.Reasons, func(a, b checkReason) int { return b.Count - a.Count })
	return r
}

// quoted is what differs between problems of one reason.
var quoted = regexp.MustCompile(`"[^"]*"|\d+`)

// reasonOf groups problems: the text without the values in it, except for names
// of keywords.
func reasonOf(p rule.Problem) string {
	if strings.Contains(p.What, "unknown keyword") || strings.Contains(p.What, "unknown protocol") {
		return p.What
	}
	return p.Kind.String() + ": " + quoted.ReplaceAllString(p.What, "…")
}

func (f *rulesCheckFlags) print(w io.Writer, r *checkReport) {
	if f.all || f.lint {
		for _, p := range r.Problems {
			fmt.Fprintf(w, "%s:%d:%d: sid %d: %s: %s\n", p.File, p.Line, p.Column, p.SID, p.Kind, p.What)
			if p.Hint != "" {
				fmt.Fprintf(w, "    hint: %s\n", p.Hint)
			}
		}
	}
	total := r.Loaded + r.Refused
	share := 100.0
	if total > 0 {
		share = 100 * float64(r.Loaded) / float64(total)
	}
	fmt.Fprintf(w, "%d of %d rules load (%.2f %%), %d refused, %d skipped by requires, %d disabled; %d patterns, %s, %d ms\n",
		r.Loaded, total, share, r.Refused, r.Skipped, r.Disabled, r.Patterns, size(uint64(r.Memory)), r.LoadMS)
	if len(r.Reasons) == 0 {
		return
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "RULES\tREASON\tFIRST")
	for _, x := range r.Reasons {
		fmt.Fprintf(tw, "%d\t%s\t%s\n", x.Count, clean(x.Reason), x.First)
	}
	tw.Flush()
}
