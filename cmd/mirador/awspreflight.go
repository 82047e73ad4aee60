package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mirador/internal/setup"
)

func awsPreflight(f *awsFlags) *cobra.Command {
	var asJSON, quiet bool
	c := &cobra.Command{
		Use:   "preflight",
		Short: "check what could stand in the way, before anything is made",
		Long: `Preflight asks who calls, tries every EC2 call that apply and destroy make as a dry run,
and checks quotas, sensors (at least m5.xlarge, a free interface slot, bandwidth), sources
(instance type, sessions of others, IPv6-only subnets), the path to the sensors (routes,
network ACLs, security groups) and the MTU. Every finding has a remedy. It changes nothing.

The exit code is 0 when nothing stands in the way, 2 when something does, 1 when that could
not be found out.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, _, err := f.spec(c)
			if err != nil {
				return err
			}
			client, err := f.connect(c.Context(), s)
			if err != nil {
				return err
			}
			list, err := setup.Preflight(c.Context(), client, s)
			if err != nil {
				return awsFailure(err)
			}
			if asJSON {
				err = writeJSON(c.OutOrStdout(), map[string]any{"level": setup.Worst(list), "findings": list})
			} else {
				err = writeFindings(c.OutOrStdout(), list, quiet)
			}
			f.told(c.ErrOrStderr(), client)
			if err == nil && setup.Worst(list) == setup.Error {
				return &failure{code: exitFindings, err: errQuiet}
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print findings as JSON")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "only what needs attention")
	return c
}

// writeFindings writes findings for people, a line each and a line for the remedy.
func writeFindings(w io.Writer, list []setup.Finding, quiet bool) error {
	marks := map[setup.Level]string{setup.OK: "✓", setup.Warning: "!", setup.Error: "✗"}
	count := map[setup.Level]int{}
	for _, f := range list {
		count[f.Level]++
		if quiet && f.Level == setup.OK {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s %-18s %s: %s\n", marks[f.Level], f.Code, f.Subject, f.Text); err != nil {
			return err
		}
		if f.Remedy != "" {
			fmt.Fprintf(w, "      try: %s\n", f.Remedy)
		}
		if f.Doc != "" && f.Level != setup.OK {
			fmt.Fprintf(w, "      see: %s\n", f.Doc)
		}
	}
	_, err := fmt.Fprintf(w, "%d errors, %d warnings, %d fine\n", count[setup.Error], count[setup.Warning], count[setup.OK])
	return err
}
