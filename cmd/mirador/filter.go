package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mirador/internal/mirror"
	"mirador/internal/setup"
)

func filterCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "filter",
		Short: "traffic mirror filters and sessions, judged as AWS judges them",
		Long: `Filter tells what traffic mirror filters and sessions do, without asking AWS: whether a
packet is mirrored and why, what is wrong with a filter, and what share of a capture each
rule takes. It reads YAML (docs/howto/filters.md), the mirror.yaml of "mirador aws", and
what the AWS CLI prints for describe-traffic-mirror-filters and its like.`,
		RunE: func(c *cobra.Command, args []string) error {
			return fail(exitUsage, "mirador filter --help", "filter needs a subcommand")
		},
	}
	c.AddCommand(filterTestCommand(), filterExplainCommand(), filterLintCommand(), filterSimulateCommand())
	return c
}

// filterFlags say what filters and sessions to look at, and for whom.
type filterFlags struct {
	files     []string
	source    string
	vpcCIDRs  []string
	addresses []string
	mac       string
	switches  []string
	format    string
}

func (f *filterFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.SortFlags = false
	fs.StringArrayVarP(&f.files, "file", "f", nil, "`file` with filters and sessions, - for standard input; repeatable, to put the output of several describe calls together")
	fs.StringVar(&f.source, "source", "", "`name` or id of the source interface; needed when there are several")
	fs.StringArrayVar(&f.vpcCIDRs, "vpc-cidr", nil, "`CIDR` of the source's VPC, for the address of the Amazon resolver and the word vpc in mirror.yaml; repeatable")
	fs.StringArrayVar(&f.addresses, "address", nil, "`address` of the source interface, when the file does not tell; repeatable")
	fs.StringVar(&f.mac, "mac", "", "MAC `address` of the source interface, likewise")
	fs.StringArrayVar(&f.switches, "switch", nil, "turn a switch of docs/reference/mirroring-switches.md on by its `name`; repeatable")
	fs.StringVarP(&f.format, "output", "o", "text", "text or json")
}

// spec reads the files.
func (f *filterFlags) spec(c *cobra.Command) (*mirror.Spec, error) {
	if f.format != "text" && f.format != "json" {
		return nil, fail(exitUsage, "use -o text or -o json", "-o %q is not understood", f.format)
	}
	if len(f.files) == 0 {
		return nil, fail(exitUsage, "mirador "+c.Parent().Name()+" "+c.Name()+" -f FILE", "no file with filters given")
	}
	vpcs, err := f.vpcs()
	if err != nil {
		return nil, err
	}
	all := &mirror.Spec{}
	for _, name := range f.files {
		data, err := readFileOr(c.InOrStdin(), name)
		if err != nil {
			return nil, fmt.Errorf("read filters: %w", err)
		}
		if name == "-" {
			name = "standard input"
		}
		s, err := parseFilters(data, name, vpcs)
		if err != nil {
			return nil, err
		}
		if err := all.Merge(s); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range f.switches {
		if err := all.Switches.Set(name, true); err != nil {
			return nil, fail(exitUsage, "docs/reference/mirroring-switches.md", "--switch: %w", err)
		}
	}
	if len(all.Filters) == 0 {
		return nil, fmt.Errorf("%s: there is no filter", strings.Join(f.files, ", "))
	}
	return all, f.amend(all, vpcs)
}

// readFileOr reads a file, or stdin for "-", up to the bound of such files.
func readFileOr(stdin io.Reader, name string) ([]byte, error) {
	r := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		r = file
	}
	return io.ReadAll(io.LimitReader(r, mirror.MaxSpecFile+1))
}

func (f *filterFlags) vpcs() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range f.vpcCIDRs {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fail(exitUsage, "--vpc-cidr 10.0.0.0/16", "--vpc-cidr: %q is no CIDR block", s)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// setupFile finds what only the mirror.yaml of "mirador aws" has.
var setupFile = regexp.MustCompile(`(?m)^["']?sensors["']?\s*:`)

// parseFilters reads one file of either kind.
func parseFilters(data []byte, name string, vpcs []netip.Prefix) (*mirror.Spec, error) {
	if !setupFile.Match(data) {
		return mirror.ParseSpec(data, name)
	}
	s, err := setup.ParseSpec(data, name)
	if err != nil {
		return nil, err
	}
	rules, err := setup.CompileFilter(&s.Filter, vpcs)
	if err != nil {
		return nil, fail(exitFailed, "--vpc-cidr tells what vpc stands for", "%s: %w", name, err)
	}
	f := mirror.Filter{ID: s.Name, Rules: rules, NetworkServices: []string{mirror.AmazonDNS}}
	if s.Filter.Services != nil {
		f.NetworkServices = *s.Filter.Services
	}
	for i := range f.Rules {
		f.Rules[i].ID, f.Rules[i].FilterID = mirror.RuleName(&f.Rules[i]), f.ID
	}
	return &mirror.Spec{
		Filters:  []mirror.SpecFilter{{Name: s.Name, Filter: f}},
		Sessions: []mirror.Session{{ID: s.Name, FilterID: f.ID, Number: 1, PacketLength: s.Session.PacketLength}},
	}, nil
}

// amend adds what flags say of the source interface to s.
func (f *filterFlags) amend(s *mirror.Spec, vpcs []netip.Prefix) error {
	if len(vpcs) == 0 && len(f.addresses) == 0 && f.mac == "" {
		return nil
	}
	i, ok := s.Interface(f.source)
	if !ok {
		return f.noSource(s)
	}
	i.VPCCIDRs = append(i.VPCCIDRs, vpcs...)
	for _, text := range f.addresses {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return fail(exitUsage, "--address 10.0.1.15", "--address: %q is no IP address", text)
		}
		i.Addrs = append(i.Addrs, a.Unmap())
	}
	if f.mac != "" {
		m, err := net.ParseMAC(f.mac)
		if err != nil || len(m) != 6 {
			return fail(exitUsage, "--mac 02:00:00:00:00:01", "--mac: %q is no Ethernet address", f.mac)
		}
		i.MAC = [6]byte(m)
	}
	at := slices.IndexFunc(s.Interfaces, func(x mirror.SpecInterface) bool { return x.ID == i.ID })
	if at < 0 {
		at = len(s.Interfaces)
		s.Interfaces = append(s.Interfaces, mirror.SpecInterface{Name: i.ID})
	}
	s.Interfaces[at].Interface = i
	return nil
}

func (f *filterFlags) noSource(s *mirror.Spec) error {
	names := strings.Join(s.SourceNames(), ", ")
	if f.source == "" {
		return fail(exitUsage, "--source NAME", "there are several sources: %s", names)
	}
	return fail(exitUsage, "--source NAME, one of "+names, "there is no source %q", f.source)
}

// program compiles what s says for the source.
func (f *filterFlags) program(s *mirror.Spec) (*mirror.Program, mirror.Interface, error) {
	i, ok := s.Interface(f.source)
	if !ok {
		return nil, i, f.noSource(s)
	}
	g, err := s.Program(f.source, mirror.CompileOptions{})
	return g, i, err
}

// filterName returns the name of a filter in s.
func filterName(s *mirror.Spec, id string) string {
	for i := range s.Filters {
		if s.Filters[i].ID == id {
			return s.Filters[i].Name
		}
	}
	return id
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// findings ends the program with the exit code for findings and no more words.
func findings(format string, args ...any) error {
	return &failure{code: exitFindings, err: fmt.Errorf(format, args...)}
}

var errNoPacket = errors.New("no packet given")
