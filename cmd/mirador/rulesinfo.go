package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/capture"
	"mirador/internal/config"
	"mirador/internal/detect"
	"mirador/internal/proto"
	"mirador/internal/sensor"
)

// rulesKeywordsCommand lists the keywords; docs/reference/keywords.md is its
// output.
func rulesKeywordsCommand() *cobra.Command {
	format := "text"
	c := &cobra.Command{
		Use:   "keywords",
		Short: "list the keywords that rules may use",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := proto.NewTable(protocols(), config.Stock().Protocol)
			if err != nil {
				return err
			}
			return writeKeywords(c.OutOrStdout(), detect.Keywords(t), format)
		},
	}
	c.Flags().StringVarP(&format, "output", "o", "text", "text, md or json")
	return c
}

func writeKeywords(w io.Writer, list []detect.Keyword, format string) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", " ")
		return enc.Encode(list)
	case "text":
		tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		for _, k := range list {
			fmt.Fprintf(tw, "%s\t%s\t%s\n", k.Name, strings.Join(k.Aliases, " "), k.Doc)
		}
		return tw.Flush()
	case "md":
		fmt.Fprintf(w, `# Rule keywords

Made by %s; a test keeps it in step. %d keywords, with Suricata 8's meaning (its user guide is
the specification). "Protocol" keywords come from the parsers in internal/proto. Keywords that are not here are refused, rule by rule, with file,
line and column.

| keyword | other names | protocol | what it is |
|---|---|---|---|
`, "`mirador rules keywords -o md`", len(list))
		for _, k := range list {
			from := ""
			if k.Field {
				from = "yes"
			}
			fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", k.Name, strings.Join(k.Aliases, ", "), from, strings.ReplaceAll(k.Doc, "|", "\\|"))
		}
		return nil
	}
	return fail(exitUsage, "use -o text, -o md or -o json", "-o %q is not understood", format)
}

// rulesExplainCommand tells how the engine looks for a rule.
func rulesExplainCommand() *cobra.Command {
	p := &engineParams{}
	format := "text"
	c := &cobra.Command{
		Use:     "explain SID --rules FILE",
		Short:   "tell how the engine looks for a rule",
		Example: "  mirador rules explain 2019401 --rules et.rules",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			sid, err := strconv.ParseUint(args[0], 10, 32)
			if err != nil {
				return fail(exitUsage, "mirador rules explain SID --rules FILE", "%q is not a signature id", args[0])
			}
			if len(p.rules) == 0 {
				return fail(exitUsage, "mirador rules explain SID --rules FILE", "no rule file given")
			}
			if format != "text" && format != "json" {
				return fail(exitUsage, "use -o text or json", "output %q is not understood", format)
			}
			e, err := buildEngine(p)
			if err != nil {
				return err
			}
			for _, r := range e.detect.Rules() {
				if uint64(r.SID) == sid {
					return printExplained(c.OutOrStdout(), e.detect.Explain(r), r.Msg, format)
				}
			}
			for _, x := range e.problems {
				if uint64(x.SID) == sid {
					return fail(exitFindings, x.Hint, "the rule was refused: %s", x.String())
				}
			}
			return fail(exitFailed, "is it disabled?", "no rule with sid %d in %s", sid, strings.Join(p.rules, " "))
		},
	}
	engineFlags(c, p)
	c.Flags().StringVarP(&format, "output", "o", format, "text or json")
	return c
}

// printExplained prints how the engine looks for a rule.
func printExplained(w io.Writer, x detect.Explained, msg, format string) error {
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(x)
	}
	fmt.Fprintf(w, "rule %d  %s\n", x.SID, msg)
	fmt.Fprintf(w, "type       %s, %s\n", x.Type, map[string]string{"toserver": "to the server", "toclient": "to the client", "both": "both directions"}[x.Dirs])
	fmt.Fprintf(w, "looked at  %s\n", x.When)
	prefilter := "none: each of these is looked at"
	if x.FastBuffer != "" {
		prefilter = fmt.Sprintf("%q in %s", x.FastPattern, x.FastBuffer)
		if x.FastNocase {
			prefilter += ", in any case"
		}
	}
	fmt.Fprintf(w, "prefilter  %s\n", prefilter)
	for i, s := range x.Steps {
		name := ""
		if i == 0 {
			name = "then"
		}
		fmt.Fprintf(w, "%-9s  %s\n", name, s)
	}
	fmt.Fprintf(w, "cost       %s on traffic that it does not match\n", x.Cost)
	for _, n := range x.Notes {
		fmt.Fprintf(w, "note       %s\n", n)
	}
	return nil
}

// engineFlags adds the flags that say which rules and settings to load.
func engineFlags(c *cobra.Command, p *engineParams) {
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringSliceVarP(&p.rules, "rules", "S", nil, "rule `file`, directory of *.rules or glob; repeatable")
	fl.StringVarP(&p.configFile, "suricata-config", "c", "", "a suricata.yaml to take variables and settings from")
	fl.StringArrayVar(&p.sets, "set", nil, "set `key=value` under Suricata's names; repeatable")
}

// rulesStatsCommand replays captures with a clock at each rule.
func rulesStatsCommand() *cobra.Command {
	p := &engineParams{}
	top := 30
	c := &cobra.Command{
		Use:     "stats FILE... --rules FILE",
		Short:   "show what each rule costs on captures: checks, matches, time",
		Example: "  mirador rules stats day.pcap --rules et.rules --top 20",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			files, err := captures(args)
			if err != nil {
				return err
			}
			start := time.Now()
			p.profile = func() int64 { return int64(time.Since(start)) }
			e, err := buildEngine(p)
			if err != nil {
				return err
			}
			o, err := e.sensorOptions()
			if err != nil {
				return err
			}
			w, err := sensor.NewWorker(o)
			if err != nil {
				return err
			}
			for _, name := range files {
				r, err := capture.Open(name)
				if err != nil {
					return err
				}
				err = sensor.Replay(w, r, name, nil)
				r.Close()
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			if err := w.Finish(); err != nil {
				return err
			}
			printProfile(c.OutOrStdout(), e.detect.Profile(), top)
			return nil
		},
	}
	engineFlags(c, p)
	c.Flags().IntVar(&top, "top", top, "how many rules to list, dearest first")
	return c
}

func printProfile(w io.Writer, list []detect.RuleProfile, top int) {
	var nanos, checks uint64
	for _, r := range list {
		nanos, checks = nanos+r.Nanos, checks+r.Checks
	}
	fmt.Fprintf(w, "%d rules were looked at, %d checks, %v\n", len(list), checks, time.Duration(nanos).Round(time.Microsecond))
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "TIME\tSHARE\tCHECKS\tMATCHES\tNS/CHECK\tSID\t SIGNATURE\t")
	for _, r := range list[:min(top, len(list))] {
		fmt.Fprintf(tw, "%v\t%.1f %%\t%d\t%d\t%d\t%d\t %s\t\n", time.Duration(r.Nanos).Round(time.Microsecond),
			100*float64(r.Nanos)/float64(max(nanos, 1)), r.Checks, r.Matches, r.Nanos/max(r.Checks, 1), r.Rule.SID, clean(r.Rule.Msg))
	}
	tw.Flush()
}
