package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mirador/internal/mirror"
)

func filterLintCommand() *cobra.Command {
	f := &filterFlags{}
	c := &cobra.Command{
		Use:   "lint -f FILE",
		Short: "look for rules that never decide, and for what is forgotten most",
		Long: `Lint looks for rules that never decide or change nothing, more rules than AWS takes and how
to need less, a missing amazon-dns, a missing direction, missing IPv6, sessions that others
leave nothing for, and instance types that AWS does not mirror. The exit code is 2 when it
has found more than advice.`,
		Example: `  mirador filter lint -f filters.yaml
  aws ec2 describe-traffic-mirror-filters | mirador filter lint -f - -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := f.spec(c)
			if err != nil {
				return err
			}
			list := mirror.LintSpec(s)
			bad := 0
			for _, x := range list {
				if x.Severity != mirror.SeverityAdvice {
					bad++
				}
			}
			if f.format == "json" {
				if list == nil {
					list = []mirror.Finding{}
				}
				err = writeJSON(c.OutOrStdout(), map[string]any{"findings": list})
			} else {
				err = printFindings(c.OutOrStdout(), s, list)
			}
			if err == nil && bad > 0 {
				return findings("%d of %d findings are more than advice", bad, len(list))
			}
			return err
		},
	}
	f.add(c)
	return c
}

func printFindings(w io.Writer, s *mirror.Spec, list []mirror.Finding) error {
	var b strings.Builder
	for _, x := range list {
		var where []string
		for _, y := range []struct{ kind, name string }{{"filter", x.Filter}, {"source", x.Source}, {"", x.Rule}} {
			if y.name != "" {
				where = append(where, strings.TrimSpace(y.kind+" "+clean(y.name)))
			}
		}
		if x.Session > 0 {
			where = append(where, fmt.Sprintf("session %d", x.Session))
		}
		fmt.Fprintf(&b, "%s: %s: %s [%s]\n", x.Severity, strings.Join(where, ", "), clean(x.What), x.Code)
		if x.Fix != "" {
			fmt.Fprintf(&b, "    try: %s\n", clean(x.Fix))
		}
		for i := range x.Proposal {
			fmt.Fprintf(&b, "      %s\n", mirror.RuleText(&x.Proposal[i]))
		}
	}
	if len(list) == 0 {
		fmt.Fprintf(&b, "%d filters and %d sessions: nothing to say\n", len(s.Filters), len(s.Sessions))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
