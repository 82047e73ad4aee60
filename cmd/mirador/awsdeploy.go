package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mirador/deploy"
	"mirador/internal/setup"
)

// deployFiles makes the files of a deployment with the units of this program.
func deployFiles(o setup.DeployOptions) ([]setup.File, error) {
	o.Units = map[string]string{}
	for path, name := range map[string]string{
		"/etc/systemd/system/mirador.service": "mirador.service",
		"/etc/systemd/system/mirador.socket":  "mirador.socket",
		"/etc/sysctl.d/90-mirador.conf":       "90-mirador.conf",
	} {
		b, err := deploy.Units().ReadFile(name)
		if err != nil {
			return nil, err
		}
		o.Units[path] = string(b)
	}
	return setup.Deployment(o)
}

func awsDeploy(f *awsFlags) *cobra.Command {
	var out string
	o := setup.DeployOptions{}
	c := &cobra.Command{
		Use:   "deploy --out DIR",
		Short: "write files that bring a sensor up with CloudFormation, Terraform or cloud-init",
		Long: `Deploy writes a CloudFormation template and a Terraform module of a sensor, both with a parameter
Enable Traffic Mirroring (traffic interface and its security group, mirror target, filter with
rules and network services, sessions; or a network load balancer before the sensor), cloud-init
user data, systemd units, and IAM policies, one for each command. What they make is what
"mirador aws apply" makes. It makes no call; files that are there already are overwritten.

For a description of your own, "mirador aws plan --as cloudformation" and "--as terraform" have
its resources.`,
		Example: "  mirador aws deploy --out mirador-deploy --account 123456789012",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return fail(exitUsage, "mirador aws deploy --out DIR", "where to write to is not given")
			}
			o.PolicyRegion = f.region
			files, err := deployFiles(o)
			if err != nil {
				return err
			}
			for _, x := range files {
				path := filepath.Join(out, filepath.FromSlash(x.Path))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(path, x.Data, 0o644); err != nil {
					return err
				}
				fmt.Fprintln(c.OutOrStdout(), path)
			}
			return nil
		},
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringVar(&out, "out", "", "`folder` to write to")
	fl.StringVar(&o.Stack, "stack", "mirador", "`name` of the stack of the IAM policies")
	fl.StringVar(&o.PolicyAccount, "account", "", "`id` of the account of the IAM policies (default: any)")
	return c
}
