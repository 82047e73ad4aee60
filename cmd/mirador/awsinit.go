package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mirador/internal/awscloud"
	"mirador/internal/setup"
)

func awsInit(f *awsFlags) *cobra.Command {
	var o setup.InitOptions
	c := &cobra.Command{
		Use:   "init",
		Short: "write a first mirror.yaml for what is in the account",
		Long: `Init looks at the account and prints a commented mirror.yaml: instances that look like
sensors, VPCs with how many interfaces they have, and the choices there are.`,
		Example: `  mirador aws init --sensor i-0123456789abcdef0 --select tag:Mirror=true > mirror.yaml
  mirador aws init --vpc vpc-0123456789abcdef0 --target nlb > mirror.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch o.Target {
			case "", setup.TargetENI, setup.TargetNLB, setup.TargetGWLB:
			default:
				return fail(exitUsage, "mirador aws init --help", "--target %q is none of eni, nlb, gwlb", o.Target)
			}
			client, err := f.connect(c.Context(), nil)
			if err != nil {
				return err
			}
			w, err := setup.Observe(c.Context(), client, setup.ObserveOptions{Stack: o.Name})
			if err != nil {
				return awsFailure(err)
			}
			text, err := setup.InitSpec(w, o)
			if err != nil {
				return fail(exitUsage, "mirador aws init without --sensor and --select shows what there is", "%w", err)
			}
			_, err = fmt.Fprint(c.OutOrStdout(), text)
			f.told(c.ErrOrStderr(), client)
			return err
		},
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringVar(&o.Name, "name", "", "`name` of the stack (default mirador)")
	fl.StringVar(&o.VPC, "vpc", "", "look at this `VPC` only")
	fl.StringArrayVar(&o.Sensors, "sensor", nil, "`instance` that is a sensor, or asg:NAME; repeatable")
	fl.StringArrayVar(&o.Select, "select", nil, "`selector` of sources: tag:KEY=VALUE, vpc:ID, subnet:ID, instance:ID, eni:ID, asg:NAME; repeatable")
	fl.StringVar(&o.Target, "target", "", "`kind` of target: eni, nlb, gwlb")
	return c
}

func awsEnable(f *awsFlags) *cobra.Command {
	a := &applyFlags{awsFlags: f}
	var sensor, name, write string
	var selectors []string
	c := &cobra.Command{
		Use:   "enable",
		Short: "enable traffic mirroring for a sensor, in one step",
		Long: `Enable makes what a sensor needs to take mirrored traffic: a second interface, the traffic
interface, attached to it, in a security group that lets UDP 4789 in; a mirror target on that
interface and a filter; and a session for every interface that --select names. It is
mirador aws apply with a description of four lines, which --write keeps for later.

On the sensor itself --sensor and the region are not needed: the instance metadata service
(IMDSv2) tells them.`,
		Example: `  mirador aws enable --select tag:Mirror=true
  mirador aws enable --sensor i-0123456789abcdef0
  mirador aws enable --sensor i-0123456789abcdef0 --select tag:Mirror=true --write mirror.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if sensor == "" {
				self, err := awscloud.WhoAmI(c.Context())
				if err != nil {
					return awsFailure(err)
				}
				if f.region != "" && f.region != self.Region {
					return fail(exitUsage, "name the sensor with --sensor", "this instance is in %s, and --region says %s", self.Region, f.region)
				}
				sensor, f.region = self.Instance, self.Region
				fmt.Fprintf(c.ErrOrStderr(), "this is %s (%s) in %s, with %d network interfaces\n", self.Instance, self.Type, self.Zone, len(self.Interfaces))
			}
			s, text, err := setup.EnableSpec(name, sensor, selectors)
			if err != nil {
				return fail(exitUsage, "mirador aws enable --help", "%w", err)
			}
			if write != "" {
				if err := writeNew(write, text); err != nil {
					return err
				}
			}
			return a.apply(c, s, nil)
		},
	}
	a.register(c)
	fl := c.Flags()
	fl.StringVar(&sensor, "sensor", "", "`instance` of the sensor, or asg:NAME (default: the instance that this runs on)")
	fl.StringVar(&name, "name", "mirador", "`name` of the stack")
	fl.StringArrayVar(&selectors, "select", nil, "`selector` of sources: tag:KEY=VALUE, vpc:ID, subnet:ID, instance:ID, eni:ID, asg:NAME; repeatable")
	fl.StringVar(&write, "write", "", "write the description to this `file`, which must be new")
	return c
}

// writeNew writes a file that is not there yet.
func writeNew(path, text string) error {
	fh, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err := fh.WriteString(text); err != nil {
		fh.Close()
		return err
	}
	return fh.Close()
}

func awsSources(f *awsFlags) *cobra.Command {
	var out, format string
	var all bool
	var targets []string
	c := &cobra.Command{
		Use:   "sources",
		Short: "write the sensor's sources file: which session, interface and instance frames are from",
		Long: `Sources lists the traffic mirror sessions of the stack with the interface, instance, addresses
and tags of each source, as the file that the sensor names events by (mirador.yaml:
sources.file). A sensor takes a new file with mirador reload.`,
		Example: `  mirador aws sources --out /etc/mirador/sources.yaml && mirador reload`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "yaml" && format != "json" {
				return fail(exitUsage, "mirador aws sources --help", "--output %q is none of yaml, json", format)
			}
			stack := f.stack
			var s *setup.Spec
			if stack == "" && !all {
				var err error
				if s, _, err = f.spec(c); err != nil {
					return err
				}
				stack = s.Name
			}
			client, err := f.connect(c.Context(), s)
			if err != nil {
				return err
			}
			w, err := setup.Observe(c.Context(), client, setup.ObserveOptions{Stack: stack})
			if err != nil {
				return awsFailure(err)
			}
			list := setup.SourceEntries(w, stack, targets)
			var b strings.Builder
			if format == "json" {
				if err := writeJSON(&b, map[string]any{"sources": list}); err != nil {
					return err
				}
			} else {
				b.WriteString(setup.SourcesYAML(list))
			}
			f.told(c.ErrOrStderr(), client)
			if out == "" {
				_, err = fmt.Fprint(c.OutOrStdout(), b.String())
				return err
			}
			return replaceFile(out, b.String())
		},
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringVar(&out, "out", "", "write to this `file`, in one step")
	fl.StringVarP(&format, "output", "o", "yaml", "`form`: yaml or json")
	fl.BoolVar(&all, "all-sessions", false, "all sessions of the account, not only those of the stack")
	fl.StringVar(&f.stack, "stack", "", "`name` of the stack (default: that of the description)")
	fl.StringArrayVar(&targets, "target", nil, "only sessions to this `target` (tmt-…); repeatable")
	return c
}

// replaceFile writes a file aside and renames it, so that a reader sees the old or the
// new one.
func replaceFile(path, text string) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
