package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mirador/internal/awscloud"
	"mirador/internal/setup"
)

// awsFlags are those of all commands that speak to AWS.
type awsFlags struct {
	file, region, profile, endpoint string
	stack                           string
	attempts                        int
	calls                           bool
}

func awsCommand() *cobra.Command {
	f := &awsFlags{}
	c := &cobra.Command{
		Use:   "aws",
		Short: "set traffic mirroring up on AWS, and keep it so",
		Long: `Mirroring on AWS from one description, mirror.yaml: security group, traffic interfaces,
targets, filter and sessions, or a load balancer before the sensors. What belongs to a
description carries its name in the tag mirador:stack; there is no other state, and every
command can be broken off and run again.

Credentials, region and endpoint come from where the AWS command line has them.`,
		Example: `  mirador aws init > mirror.yaml
  mirador aws preflight
  mirador aws plan
  mirador aws apply`,
	}
	fl := c.PersistentFlags()
	fl.StringVarP(&f.file, "file", "f", "mirror.yaml", "the `description` of what shall be")
	fl.StringVar(&f.region, "region", "", "AWS `region`")
	fl.StringVar(&f.profile, "profile", "", "`profile` of the AWS configuration")
	fl.StringVar(&f.endpoint, "endpoint-url", "", "`URL` to use in place of AWS, such as that of mirador vpc")
	fl.IntVar(&f.attempts, "attempts", awscloud.DefaultAttempts, "how often a call is tried that is throttled or fails at the service")
	fl.BoolVar(&f.calls, "calls", false, "tell on stderr which API calls were made")
	for _, sub := range []func(*awsFlags) *cobra.Command{awsInit, awsPreflight, awsPlan, awsApply, awsEnable, awsDeploy, awsVerify, awsProbe, awsCoverage, awsDrift, awsImport, awsDestroy, awsSources, awsSchema, awsPolicy, awsWatch} {
		c.AddCommand(sub(f))
	}
	return c
}

// connect makes the client for a spec, which may be nil.
func (f *awsFlags) connect(ctx context.Context, s *setup.Spec) (*awscloud.Client, error) {
	region := f.region
	if region == "" && s != nil {
		region = s.Region
	}
	c, err := awscloud.New(ctx, awscloud.Options{Region: region, Profile: f.profile, EndpointURL: f.endpoint, Attempts: f.attempts})
	return c, awsFailure(err)
}

// told tells on stderr how many calls were made, and with --calls which.
func (f *awsFlags) told(w io.Writer, c *awscloud.Client) {
	n, list := c.Calls()
	fmt.Fprintf(w, "%d API calls\n", n)
	if !f.calls {
		return
	}
	for _, x := range list {
		fmt.Fprintf(w, "  %5d %s\n", x.Count, x.Action)
	}
}

// awsFailure gives errors of the rooms their exit code and hint.
func awsFailure(err error) error {
	if err == nil {
		return nil
	}
	var ce *setup.CloudError
	var le *setup.LimitError
	var f *failure
	switch {
	case errors.As(err, &f):
		return err
	case errors.Is(err, context.Canceled):
		return &failure{exitInterrupted, errors.New("interrupted"), ""}
	case errors.Is(err, setup.ErrLocked):
		return &failure{exitRefused, err, "wait for it, or give another --journal"}
	case errors.As(err, &le):
		return &failure{exitFindings, err, le.Hint}
	case errors.As(err, &ce):
		code := exitFailed
		if ce.Kind == setup.KindDenied || ce.Kind == setup.KindExpired {
			code = exitPermission
		}
		return &failure{code, err, ce.Hint}
	}
	return err
}

// spec reads mirror.yaml; text is what the file has.
func (f *awsFlags) spec(c *cobra.Command) (s *setup.Spec, text string, err error) {
	if f.file == "-" {
		b, err := io.ReadAll(io.LimitReader(c.InOrStdin(), setup.MaxSpec+1))
		if err != nil {
			return nil, "", fmt.Errorf("read standard input: %w", err)
		}
		s, err = setup.ParseSpec(b, "-")
		if err != nil {
			return nil, "", &failure{exitUsage, err, "mirador aws schema prints what a description may say"}
		}
		return s, string(b), nil
	}
	s, err = setup.ReadSpec(f.file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, "", &failure{exitUsage, err, "mirador aws init > " + f.file + " writes one"}
	case errors.Is(err, os.ErrPermission):
		return nil, "", err
	case err != nil:
		return nil, "", &failure{exitUsage, err, "mirador aws schema prints what a description may say"}
	}
	b, err := os.ReadFile(f.file)
	return s, string(b), err
}

// rates reads the rates file, or takes those of the program.
func rates(path, region string) (*setup.Rates, error) {
	if path == "" {
		return setup.DefaultRates(region)
	}
	return setup.ReadRates(path, region)
}

// journalPath returns where the journal of a stack is.
func journalPath(given, stack string, who setup.Identity) (string, error) {
	if given != "" {
		return given, nil
	}
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, ".local", "state")
	}
	safe := regexp.MustCompile(`[^A-Za-z0-9-]`).ReplaceAllString(who.Account+"-"+who.Region+"-"+stack, "_")
	return filepath.Join(dir, "mirador", "aws", safe+".journal"), nil
}

// confirmed asks, unless yes.
func confirmed(c *cobra.Command, yes bool, question string) error {
	if yes {
		return nil
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s [y/N] ", question)
	line, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), 100)).ReadString('\n')
	fmt.Fprintln(c.ErrOrStderr())
	if err != nil && err != io.EOF {
		return fmt.Errorf("read answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return fail(exitRefused, "--yes does not ask", "nothing was changed: not confirmed")
}

func awsSchema(*awsFlags) *cobra.Command {
	return &cobra.Command{
		Use:       "schema [keys|rates]",
		Short:     "print the JSON Schema of mirror.yaml, its keys as a table, or the default rates file",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: []string{"keys", "rates"},
		Example: `  mirador aws schema > mirror.schema.json
  mirador aws schema rates > rates.yaml && mirador aws plan --rates rates.yaml`,
		RunE: func(c *cobra.Command, args []string) error {
			w := c.OutOrStdout()
			switch {
			case len(args) == 0:
				b, err := setup.Schema()
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(w, "%s\n", b)
				return err
			case args[0] == "rates":
				_, err := fmt.Fprint(w, setup.DefaultRatesFile())
				return err
			}
			if args[0] != "keys" {
				return fail(exitUsage, "mirador aws schema --help", "%q is none of keys, rates", args[0])
			}
			t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "KEY\tTYPE\tMEANING")
			for _, k := range setup.SpecKeys() {
				fmt.Fprintf(t, "%s\t%s\t%s\n", k.Path, k.Type, k.Doc)
			}
			return t.Flush()
		},
	}
}
