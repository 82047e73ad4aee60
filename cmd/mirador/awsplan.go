package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mirador/internal/awscloud"
	"mirador/internal/setup"
)

func awsPlan(f *awsFlags) *cobra.Command {
	var out, as, ratesFile, format string
	var detailed, all, asJSON bool
	c := &cobra.Command{
		Use:   "plan",
		Short: "show what apply would do, in order, with reasons and cost",
		Long: `Plan looks at the account and shows the changes that lead to what mirror.yaml says:
+ added, ~ changed, - destroyed, -/+ replaced (the new one is made first, the old one goes
last). It changes nothing.`,
		Example: `  mirador aws plan --out plan.json && mirador aws apply plan.json
  mirador aws plan --as cli > do-it.sh
  mirador aws plan --detailed-exitcode`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if asJSON {
				format = "json"
			}
			if format != "table" && format != "json" {
				return fail(exitUsage, "mirador aws plan --help", "--output %q is none of table, json", format)
			}
			if !slices.Contains(planForms(), as) {
				return fail(exitUsage, "mirador aws plan --help", "--as %q is none of %s", as, strings.Join(planForms()[1:], ", "))
			}
			s, text, err := f.spec(c)
			if err != nil {
				return err
			}
			p, client, err := f.plan(c.Context(), s, ratesFile, nil)
			if err != nil {
				return err
			}
			saved := p.Save(f.file, text)
			saved.APICalls, _ = client.Calls()
			if out != "" {
				if err := writeFile(out, saved); err != nil {
					return err
				}
			}
			w := c.OutOrStdout()
			switch {
			case as == "cli":
				err = p.WriteCLI(w, f.cliOptions(client.Region()))
			case as == "user-data":
				err = p.WriteUserData(w)
			case as != "":
				err = awsFailure(writeExport(w, p, as))
			case format == "json":
				err = writeJSON(w, saved)
			default:
				err = p.WriteText(w, all)
			}
			f.told(c.ErrOrStderr(), client)
			if err == nil && detailed && len(p.Changes) > 0 {
				return &failure{code: exitFindings, err: errQuiet}
			}
			return err
		},
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringVar(&out, "out", "", "write the plan to `file`, for apply")
	fl.StringVarP(&format, "output", "o", "table", "`form`: table or json")
	fl.BoolVar(&asJSON, "json", false, "same as --output json")
	fl.StringVar(&as, "as", "", "print it as `something else`: cli (AWS CLI commands), user-data (cloud-init of the software mirror for what AWS cannot mirror), cloudformation or cloudformation-yaml (a template), terraform (a module, *.tf.json)")
	fl.BoolVar(&detailed, "detailed-exitcode", false, "exit code 2 when there is something to change")
	fl.BoolVar(&all, "all", false, "show every change and every interface")
	fl.StringVar(&ratesFile, "rates", "", "`file` with prices (default: list prices that come with the program)")
	return c
}

// errQuiet is an error that says all by its exit code.
var errQuiet = quietError{}

type quietError struct{}

func (quietError) Error() string { return "" }

// plan looks and works out the plan of s. j may be nil.
func (f *awsFlags) plan(ctx context.Context, s *setup.Spec, ratesFile string, open func(setup.Identity) (*setup.Journal, error)) (*setup.Plan, *awscloud.Client, error) {
	client, err := f.connect(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	r, err := rates(ratesFile, client.Region())
	if err != nil {
		return nil, nil, fail(exitUsage, "a rates file looks like docs/reference/aws.md shows", "%w", err)
	}
	var j *setup.Journal
	if open != nil {
		who, err := client.Identity(ctx)
		if err != nil {
			return nil, nil, awsFailure(err)
		}
		if j, err = open(who); err != nil {
			return nil, nil, awsFailure(err)
		}
	}
	w, err := setup.Look(ctx, client, setup.ObserveOptions{Stack: s.Name, Spec: s}, j, nil)
	if err != nil {
		return nil, nil, awsFailure(err)
	}
	p, err := setup.NewPlan(s, w, r)
	if err != nil {
		return nil, nil, awsFailure(err)
	}
	return p, client, nil
}

// cliOptions returns the options that the AWS CLI needs to mean the same place.
func (f *awsFlags) cliOptions(region string) string {
	o := "--region " + region
	if f.profile != "" {
		o += " --profile " + f.profile
	}
	if f.endpoint != "" {
		o += " --endpoint-url " + f.endpoint
	}
	return o
}

// writeFile writes v as JSON to a file that only the user can read.
func writeFile(path string, v any) error {
	fh, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := writeJSON(fh, v); err != nil {
		fh.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	return fh.Close()
}
