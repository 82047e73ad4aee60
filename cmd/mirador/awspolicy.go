package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mirador/internal/setup"
)

func awsPolicy(f *awsFlags) *cobra.Command {
	o := setup.PolicyOptions{}
	part := 0
	c := &cobra.Command{
		Use:   "policy [COMMAND...]",
		Short: "print the IAM policy that commands need, and nothing more",
		Long: `Policy prints an IAM policy document for the commands named (` + strings.Join(setup.PolicyCommands(), ", ") + `),
or for all of them. It is made of the table of calls that the commands make. What is made
must carry the tag mirador:stack of the stack, what is changed must have it; only what
looks has "*" as resource, because AWS takes nothing else there.

With a description (-f, mirror.yaml) the policy is for that stack: it leaves out what its
kind of target does not need, and names its sensors. It makes no call.

A managed policy takes 6144 characters; where that is not enough, print one part at a time.`,
		Example: `  mirador aws policy plan --account 123456789012
  mirador aws policy apply --part 1 > apply-1.json
  mirador aws policy watch --stack prod --queue arn:aws:sqs:eu-west-1:123456789012:mirador`,
		ValidArgs: setup.PolicyCommands(),
		RunE: func(c *cobra.Command, args []string) error {
			for _, a := range args {
				if !slices.Contains(setup.PolicyCommands(), a) {
					return fail(exitUsage, "mirador aws policy --help", "%q is none of %s", a, strings.Join(setup.PolicyCommands(), ", "))
				}
			}
			if len(args) == 0 {
				args = setup.PolicyCommands()
			}
			o.Region = f.region
			s, _, err := f.spec(c)
			switch {
			case err == nil && (o.Stack == "" || o.Stack == s.Name):
				o.Spec = s
				if o.Region == "" {
					o.Region = s.Region
				}
			case err == nil:
				return fail(exitUsage, "leave out one of them", "--stack is %q, and %s describes %q", o.Stack, f.file, s.Name)
			case !errors.Is(err, os.ErrNotExist) || o.Stack == "" || c.Flags().Changed("file"):
				return err
			}
			return writePolicy(c, args, o, part)
		},
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringVar(&o.Stack, "stack", "", "`name` of the stack, where there is no description")
	fl.StringVar(&o.Account, "account", "", "`id` of the account (default: any)")
	fl.StringVar(&o.Partition, "partition", "aws", "`partition` of AWS: aws, aws-us-gov or aws-cn")
	fl.StringVar(&o.Queue, "queue", "", "`ARN` of the queue that watch reads (default: mirador-STACK)")
	fl.IntVar(&part, "part", 0, "print part `N` of as many as IAM needs; 0: all in one document")
	return c
}

func writePolicy(c *cobra.Command, commands []string, o setup.PolicyOptions, part int) error {
	var list []*setup.Policy
	for _, x := range commands {
		p, err := setup.NewPolicy(x, o)
		if err != nil {
			return fail(exitUsage, "mirador aws policy --help", "%w", err)
		}
		list = append(list, p)
	}
	p := setup.MergePolicies(list...)
	parts, err := p.Parts()
	if err != nil {
		return err
	}
	switch {
	case part < 0 || part > len(parts):
		return fail(exitUsage, "mirador aws policy --help", "--part %d: there are %d", part, len(parts))
	case part > 0:
		p = parts[part-1]
	case len(parts) > 1:
		fmt.Fprintf(c.ErrOrStderr(), "longer than a managed policy may be: print its parts with --part 1 to --part %d\n", len(parts))
	}
	return writeJSON(c.OutOrStdout(), p)
}
