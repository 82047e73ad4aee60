package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mirador/internal/setup"
)

func awsImport(f *awsFlags) *cobra.Command {
	var o setup.ImportOptions
	var as string
	c := &cobra.Command{
		Use:   "import",
		Short: "write a mirror.yaml from traffic mirroring that is there already",
		Long: `Import looks at the sessions of the account that are of no stack, takes those that share a
filter and a kind of target (the most frequent ones, or those of --filter), and prints the
mirror.yaml that describes them. What does not fit is told on stderr.

With --as cli it prints the AWS CLI commands that tag sessions, targets, filter and rules as
parts of the stack: after them plan shows what little differs, and apply changes it in place.
Without them apply would make everything a second time. Import itself changes nothing.`,
		Example: `  mirador aws import --name prod > mirror.yaml
  mirador aws import --name prod --as cli | sh && mirador aws plan`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if as != "yaml" && as != "cli" {
				return fail(exitUsage, "mirador aws import --help", "--as %q is none of yaml, cli", as)
			}
			client, err := f.connect(c.Context(), nil)
			if err != nil {
				return err
			}
			w, err := setup.Observe(c.Context(), client, setup.ObserveOptions{})
			if err != nil {
				return awsFailure(err)
			}
			x, err := setup.Import(c.Context(), client, w, o)
			if err != nil {
				return awsFailure(err)
			}
			for _, l := range x.Left {
				if l.Level != setup.OK {
					fmt.Fprintf(c.ErrOrStderr(), "left out: %s %s\n", l.Subject, l.Text)
				}
			}
			if as == "cli" {
				err = x.WriteAdopt(c.OutOrStdout(), f.cliOptions(client.Region()))
			} else {
				_, err = fmt.Fprint(c.OutOrStdout(), x.Spec)
			}
			f.told(c.ErrOrStderr(), client)
			return err
		},
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringVar(&o.Name, "name", "", "`name` of the stack (default imported)")
	fl.StringVar(&o.Filter, "filter", "", "only sessions with this `filter` (tmf-…)")
	fl.StringVar(&as, "as", "yaml", "`what` to print: yaml (mirror.yaml), cli (commands that tag what is there)")
	return c
}
