package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
	"mirador/internal/vpc"
)

// dataFlags are those of the data plane of mirador vpc.
type dataFlags struct {
	topology       string
	name           string
	wide           bool
	limit          int64
	healthInterval time.Duration
	healthTimeout  time.Duration
	switches       mirror.Switches
}

func (f *dataFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.topology, "topology", "", "YAML `file` with VPCs, instances and so on to begin with (docs/reference/topology.md)")
	fs.StringVar(&f.name, "name", vpc.DefaultName, "`name` of this run, when there are several on one machine")
	fs.BoolVar(&f.wide, "wide-hash", false, "take the outer source ports of mirrored packets from 16384 instead of AWS' 128")
	fs.Int64Var(&f.limit, "mirror-limit", 0, "`bits` per second that one interface mirrors at most; 0 is no limit")
	fs.DurationVar(&f.healthInterval, "health-interval", 0, "check all load balancer targets this often, whatever their target groups say")
	fs.DurationVar(&f.healthTimeout, "health-timeout", 0, "wait this long for an answer to a health check")
}

// load reads the topology, if there is one.
func (f *dataFlags) load() (*vpc.Topology, error) {
	if f.topology == "" {
		return nil, nil
	}
	data, err := os.ReadFile(f.topology)
	if err != nil {
		return nil, fail(exitFailed, "", "read topology: %w", err)
	}
	t, err := vpc.ParseTopology(data, f.topology)
	if err != nil {
		return nil, fail(exitFailed, "docs/reference/topology.md has all keys", "read topology: %w", err)
	}
	return t, nil
}

// check tells what would keep the data plane from working, before anything is made.
func (f *dataFlags) check() error {
	if !vpc.ValidName(f.name) {
		return fail(exitUsage, "--name lab2", "--name %q: want up to 16 of a-z, 0-9 and _", f.name)
	}
	if err := vpc.Permitted(); err != nil {
		return fail(exitPermission, "run it as root, or with --no-dataplane for the endpoint alone", "make network namespaces: %w", err)
	}
	return nil
}

// fill puts the objects of a topology into the endpoint.
func fill(s *ec2api.Server, t *vpc.Topology, log *slog.Logger) (*vpc.Built, error) {
	if t == nil {
		return &vpc.Built{}, nil
	}
	b, err := t.Build(s.Region(), s.AccountID())
	if err != nil {
		return nil, fail(exitFailed, "", "build topology: %w", err)
	}
	n, err := s.Add(b.Objects)
	if err != nil {
		return nil, fail(exitFailed, "what clients have made since may be in the way; begin with another --state", "add topology to the endpoint: %w", err)
	}
	log.Info("topology", "new", n)
	return b, nil
}

// start begins the data plane.
func (f *dataFlags) start(ctx context.Context, s *ec2api.Server, b *vpc.Built, endpoint string, log *slog.Logger) (*vpc.Network, error) {
	n, err := vpc.Start(ctx, vpc.Options{
		Server: s, Name: f.name, Endpoint: endpoint, API: s, Devices: b.Devices, Names: b.Names, Switches: f.switches, WideHash: f.wide, MirrorBitsPerSecond: f.limit,
		HealthInterval: f.healthInterval, HealthTimeout: f.healthTimeout, Log: log,
	})
	switch {
	case errors.Is(err, vpc.ErrNameTaken):
		return nil, fail(exitRefused, "choose another --name; mirador vpc ls shows what runs", "start the data plane: %w", err)
	case err != nil:
		return nil, fail(exitFailed, "", "start the data plane: %w", err)
	}
	return n, nil
}

// endpointURL is how clients on this machine reach l.
func endpointURL(l net.Listener) string {
	a, ok := l.Addr().(*net.TCPAddr)
	if ok && a.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", a.Port)
	}
	return "http://" + l.Addr().String()
}

// printExports writes what a shell needs for AWS clients to use the endpoint.
func printExports(w io.Writer, url, region string, anyone bool) {
	fmt.Fprintf(w, "export AWS_ENDPOINT_URL=%s\nexport AWS_DEFAULT_REGION=%s AWS_REGION=%s\n", url, region, region)
	if anyone {
		fmt.Fprint(w, "export AWS_ACCESS_KEY_ID=mirador AWS_SECRET_ACCESS_KEY=mirador\n")
	}
}

// vpcSubcommands are the commands about runs of this machine.
func vpcSubcommands() []*cobra.Command {
	return []*cobra.Command{vpcListCommand(), vpcExecCommand(), vpcStatsCommand(), vpcImportCommand()}
}

// runNamed finds a run: the one with this name, or the only one.
func runNamed(name string) (vpc.RunFile, error) {
	runs, err := vpc.Runs()
	if err != nil {
		return vpc.RunFile{}, fail(exitFailed, "", "look for runs: %w", err)
	}
	if name == "" && len(runs) == 1 {
		return runs[0], nil
	}
	var names []string
	for _, r := range runs {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	switch {
	case len(runs) == 0:
		return vpc.RunFile{}, fail(exitFailed, "mirador vpc --topology FILE starts one", "%w", vpc.ErrNoRun)
	case name == "":
		return vpc.RunFile{}, fail(exitUsage, "--name "+names[0], "there are %d runs: %s", len(runs), strings.Join(names, ", "))
	}
	return vpc.RunFile{}, fail(exitFailed, "mirador vpc ls", "no run is called %q", name)
}

func vpcListCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "ls",
		Short: "list the instances of the pretend VPCs on this machine",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			runs, err := vpc.Runs()
			if err != nil {
				return fail(exitFailed, "", "look for runs: %w", err)
			}
			return printRuns(c.OutOrStdout(), runs, output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}

func printRuns(w io.Writer, runs []vpc.RunFile, output string) error {
	switch output {
	case "json":
		if runs == nil {
			runs = []vpc.RunFile{}
		}
		return printJSON(w, runs)
	case "table":
	default:
		return fail(exitUsage, "use table or json", "--output %q is not understood", output)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tINSTANCE\tID\tTYPE\tDEVICE\tINTERFACE\tADDRESSES")
	for _, r := range runs {
		for _, i := range r.Instances {
			for k, d := range i.Devices {
				f := strings.SplitN(d, " ", 3)
				for len(f) < 3 {
					f = append(f, "")
				}
				if k == 0 {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, i.Name, i.ID, i.Type, f[0], f[1], f[2])
				} else {
					fmt.Fprintf(t, "\t\t\t\t%s\t%s\t%s\n", f[0], f[1], f[2])
				}
			}
			if len(i.Devices) == 0 {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\t\t\n", r.Name, i.Name, i.ID, i.Type)
			}
		}
	}
	return t.Flush()
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func vpcExecCommand() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:   "exec INSTANCE -- COMMAND [ARGS...]",
		Short: "run a command within an instance of a pretend VPC",
		Long: `Exec runs a command in the network of an instance, which is named by its tag Name or its
id: it sees the instance's devices, addresses and resolver, and the files of this
machine. The endpoint answers within it at its loopback address, so AWS_ENDPOINT_URL and
what goes with it hold there as outside.`,
		Example: `  mirador vpc exec web -- curl http://10.0.1.11/
  mirador vpc exec sensor -- mirador sensor --vxlan 10.0.2.5:4789 --rules et.rules`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fail(exitUsage, "mirador vpc exec web -- ip address", "an instance and a command are needed")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			r, err := runNamed(name)
			if err != nil {
				return err
			}
			i, err := r.Find(args[0])
			if err != nil {
				return fail(exitFailed, "mirador vpc ls", "%w", err)
			}
			command := args[1:]
			if command[0] == "--" {
				command = command[1:]
			}
			err = vpc.Enter(r.Name, i, command, os.Environ())
			if errors.Is(err, os.ErrPermission) {
				return fail(exitPermission, "run it as root", "%w", err)
			}
			return fail(exitFailed, "", "%w", err)
		},
	}
	c.Flags().StringVar(&name, "name", "", "`name` of the run, when there are several")
	c.Flags().SetInterspersed(false)
	return c
}

func vpcStatsCommand() *cobra.Command {
	var name, output string
	c := &cobra.Command{
		Use:   "stats",
		Short: "show what a pretend VPC has forwarded, mirrored and dropped, and why",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := runNamed(name)
			if err != nil {
				return err
			}
			s, err := vpc.ReadStats(c.Context(), r.Name)
			if err != nil {
				return fail(exitFailed, "", "ask run %q: %w", r.Name, err)
			}
			return printStats(c.OutOrStdout(), s, output)
		},
	}
	c.Flags().StringVar(&name, "name", "", "`name` of the run, when there are several")
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}

func printStats(w io.Writer, s *vpc.Stats, output string) error {
	switch output {
	case "json":
		return printJSON(w, s)
	case "table":
	default:
		return fail(exitUsage, "use table or json", "--output %q is not understood", output)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SESSION\tSOURCE\tTARGET\tNUMBER\tVNI\tPATH\tPACKETS\tBYTES\tCUT\tSKIPPED\tDROPPED")
	for _, x := range s.Sessions {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\t%d\t%d\t%d\t%d\t%s\n", x.ID, x.Source, x.Target, x.Number, x.VNI, x.Path, x.Packets, x.Bytes, x.CutByMTU+x.CutByLength, x.SkippedPackets, reasons(x.Dropped))
	}
	fmt.Fprintln(t, "\nINTERFACE\tINSTANCE\tSENT\tRECEIVED\tMIRRORED OUT\tMIRRORED IN\tKERNEL DROPS\tDROPPED")
	for _, x := range s.Interfaces {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", x.ID, x.Instance, x.SentPackets, x.ReceivedPackets, x.NetworkPacketsMirrorOut, x.NetworkPacketsMirrorIn, x.KernelDrops, reasons(x.Dropped))
	}
	if len(s.Balancers) > 0 {
		fmt.Fprintln(t, "\nLOAD BALANCER\tZONE\tNODE\tTARGET\tHEALTHY\tPACKETS\tFLOWS\tMOVED")
	}
	for _, x := range s.Balancers {
		for _, y := range x.Targets {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s:%d\t%v\t%d\t%d\t%d\n", x.Name, x.Zone, x.Address, y.Address, y.Port, y.Healthy, y.Packets, y.Flows, x.Moved)
		}
	}
	return t.Flush()
}

// reasons writes counts by reason, in the order of their names.
func reasons(m map[string]uint64) string {
	var out []string
	for r, n := range m {
		out = append(out, fmt.Sprintf("%s=%d", r, n))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func vpcImportCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "import FILE|FOLDER...",
		Short: "make a topology file of what the AWS CLI prints about a real account",
		Long: `Import reads the output of describe calls of the AWS CLI, as JSON or YAML, and writes a
topology file with the same ids. Files are told apart by what is in them, except the
output of elbv2 describe-target-health and describe-load-balancer-attributes, whose file
names need to contain the name of the target group or load balancer.

Used are: ec2 describe-vpcs, describe-subnets, describe-instances,
describe-network-interfaces, describe-security-groups, describe-route-tables,
describe-network-acls, describe-traffic-mirror-targets, -filters, -filter-rules,
-sessions, describe-vpc-endpoints, describe-vpc-endpoint-service-configurations; elbv2
describe-load-balancers, describe-listeners, describe-target-groups.

What is not taken over is reported, a line each, on standard error; the exit code is 3
then.`,
		Example: `  aws ec2 describe-vpcs > acct/vpcs.json
  mirador vpc import acct/ > lab.yaml
  mirador vpc --topology lab.yaml --no-dataplane`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return importAccount(args, out, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&out, "out", "", "write to this `file` instead of standard output")
	return c
}

func importAccount(args []string, out string, stdout, stderr io.Writer) error {
	var files []string
	for _, a := range args {
		st, err := os.Stat(a)
		if err != nil {
			return fail(exitFailed, "", "%w", err)
		}
		if !st.IsDir() {
			files = append(files, a)
			continue
		}
		for _, pattern := range []string{"*.json", "*.yaml", "*.yml"} {
			found, _ := filepath.Glob(filepath.Join(a, pattern))
			files = append(files, found...)
		}
	}
	var m vpc.Importer
	for _, path := range files {
		data, err := readBounded(path, vpc.MaxImportFile)
		if err == nil {
			err = m.Add(path, data)
		}
		if err != nil {
			return fail(exitFailed, "each file has the output of one describe call of the AWS CLI", "import: %w", err)
		}
	}
	t, err := m.Topology()
	if err != nil {
		return fail(exitFailed, "mirador vpc import --help has the list of calls", "import: %w", err)
	}
	text, err := t.Marshal()
	if err != nil {
		return fail(exitFailed, "", "write topology: %w", err)
	}
	if _, err := vpc.ParseTopology(text, "the topology"); err != nil {
		return fail(exitFailed, "the files may be of different moments: print them again", "what the files say does not fit together: %w", err)
	}
	if out != "" {
		err = os.WriteFile(out, text, 0o644)
	} else {
		_, err = stdout.Write(text)
	}
	if err != nil {
		return fail(exitFailed, "", "write topology: %w", err)
	}
	for _, line := range m.Report() {
		fmt.Fprintf(stderr, "not imported: %s\n", line)
	}
	if n := len(m.Report()); n > 0 {
		return fail(exitPartial, "", "%d things were not imported", n)
	}
	return nil
}

// readBounded reads a file that is at most limit bytes long.
func readBounded(path string, limit int64) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", path, st.Size(), limit)
	}
	return os.ReadFile(path)
}
