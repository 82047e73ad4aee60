package main

import (
	"github.com/spf13/cobra"

	"mirador/internal/setup"
)

func awsDrift(f *awsFlags) *cobra.Command {
	var format string
	var allow []string
	c := &cobra.Command{
		Use:   "drift",
		Short: "show how the account differs from mirror.yaml, and sessions and targets of others",
		Long: `Drift compares what is in the account with what mirror.yaml says, and looks for sessions and
targets that are not of the stack: of other accounts, leading to other accounts, or made by
nobody that tags them. --allow takes known ones out. It changes nothing.

The exit code is 0 when there is no drift and 2 when there is.`,
		Example: `  mirador aws drift
  mirador aws drift --allow tms-0123456789abcdef0 --allow 210987654321 -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "table" && format != "json" {
				return fail(exitUsage, "mirador aws drift --help", "--output %q is none of table, json", format)
			}
			s, _, err := f.spec(c)
			if err != nil {
				return err
			}
			client, err := f.connect(c.Context(), s)
			if err != nil {
				return err
			}
			w, err := setup.Observe(c.Context(), client, setup.ObserveOptions{Stack: s.Name, Spec: s})
			if err != nil {
				return awsFailure(err)
			}
			d, err := setup.NewDrift(s, w, allow)
			if err != nil {
				return awsFailure(err)
			}
			if format == "json" {
				err = writeJSON(c.OutOrStdout(), d)
			} else {
				err = d.WriteText(c.OutOrStdout())
			}
			f.told(c.ErrOrStderr(), client)
			if err == nil && d.Any() {
				return &failure{code: exitFindings, err: errQuiet}
			}
			return err
		},
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringVarP(&format, "output", "o", "table", "`form`: table or json")
	fl.StringArrayVar(&allow, "allow", nil, "`id` of a session, target or account that is known; repeatable")
	return c
}
