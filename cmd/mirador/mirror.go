package main

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/agent"
)

// defaultMirrorListen is where a software mirror answers "mirador mirror status".
const defaultMirrorListen = "127.0.0.1:4788"

func mirrorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "mirror",
		Short: "the software mirror: mirror an interface of this host as AWS would",
		Long: `Mirror does on a host what VPC traffic mirroring does for a network interface: it takes
what a traffic mirror filter accepts, puts it into VXLAN in the form of AWS and sends it
to a target. It is for instance types that AWS cannot mirror, and for hosts that are not
on AWS (docs/howto/software-mirror.md).`,
	}
	c.AddCommand(mirrorRunCommand(), mirrorStatusCommand())
	return c
}

// mirrorFlags are those of mirror run.
type mirrorFlags struct {
	interfaces []string
	to         []string
	vni        uint32
	length     int
	filter     string
	session    []string
	source     string
	local      string
	vpc        []string
	mtu        int
	wide       bool
	otherEnd   bool
	bandwidth  string
	limit      string
	packets    int64
	ring       int
	engine     string
	encap      string
	gwlbe      string
	refresh    time.Duration
	region     string
	profile    string
	endpoint   string
	user       string
	listen     string
	every      time.Duration
	logFormat  string
	logLevel   string
}

func mirrorRunCommand() *cobra.Command {
	f := &mirrorFlags{}
	c := &cobra.Command{
		Use:   "run",
		Short: "mirror interfaces of this host",
		Long: `Run mirrors the packets of one or more interfaces until it is stopped.

What is mirrored is told by --filter: all, internet-only, dns-only or no-backup; a file
("mirador filter" reads the same); or the id of a traffic mirror filter, which is fetched
from AWS. With --session filter, VNI, packet length and target are those of the session
on AWS, and follow its changes.

It needs CAP_NET_RAW. Started as root it gives up everything else and becomes --user
before it opens anything. SIGHUP reads files and AWS again: the new filter takes over
between two packets, or the old one stays. SIGUSR1 logs the counters.`,
		Example: `  mirador mirror run -i eth0 --to 10.0.9.5
  mirador mirror run -i eth0 --to 10.0.9.5 --to 10.0.9.6 --vni 77 --filter internet-only --vpc-cidr 10.0.0.0/16
  mirador mirror run -i eth0 --session tms-0123456789abcdef0 --bandwidth 5G`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.ErrOrStderr()) },
	}
	fs := c.Flags()
	fs.SortFlags = false
	fs.StringSliceVarP(&f.interfaces, "interface", "i", nil, "`interfaces` to mirror")
	fs.StringSliceVar(&f.to, "to", nil, "`addresses` of targets, with :port if it is not 4789; flows are spread over several")
	fs.Uint32Var(&f.vni, "vni", 1169, "VXLAN network identifier")
	fs.IntVar(&f.length, "packet-length", 0, "`bytes` of each frame to mirror, 0 for all")
	fs.StringVar(&f.filter, "filter", "all", "preset, `file`, or id of a filter on AWS (tmf-...)")
	fs.StringSliceVar(&f.session, "session", nil, "`ids` of sessions on AWS (tms-...)")
	fs.StringVar(&f.source, "source", "", "`name` of the source in a file with several")
	fs.StringVar(&f.local, "source-address", "", "outer source `address` (default: the first of the interface)")
	fs.StringSliceVar(&f.vpc, "vpc-cidr", nil, "`CIDRs` of the VPC: its resolver has the address base + 2")
	fs.IntVar(&f.mtu, "mtu", 0, "MTU of the target (default: that of the interface on the way to it)")
	fs.BoolVar(&f.wide, "wide-hash", false, "outer source ports 49152-65535 instead of AWS' 65408-65535: for receivers that spread load by them")
	fs.BoolVar(&f.otherEnd, "other-end", false, "the interface is the host's end of the mirrored one's veth pair")
	fs.StringVar(&f.bandwidth, "bandwidth", "", "bits a second that production and mirrored traffic share, like 5G: production comes first")
	fs.StringVar(&f.limit, "limit", "", "most bits a second of mirrored traffic, like 500M")
	fs.Int64Var(&f.packets, "packet-limit", 0, "most `packets` a second, of what --bandwidth or --limit count; 0 for no limit")
	fs.StringVar(&f.encap, "encap", encapVXLAN, "vxlan, or geneve: VXLAN within GENEVE, as a Gateway Load Balancer hands it to an appliance at --to")
	fs.StringVar(&f.gwlbe, "endpoint-id", "", "with --encap geneve: `id` of the endpoint's network interface (eni-...)")
	fs.StringVar(&f.engine, "engine", agent.EngineAuto, "ebpf (in the kernel), af-packet, or auto: ebpf where it can do what is asked for")
	fs.IntVar(&f.ring, "ring", agent.DefaultRing>>20, "`MiB` of memory for frames that wait, for each interface")
	fs.DurationVar(&f.refresh, "refresh", 30*time.Second, "how often AWS and the addresses of this host are looked at")
	fs.StringVar(&f.region, "region", "", "AWS region")
	fs.StringVar(&f.profile, "profile", "", "AWS profile")
	fs.StringVar(&f.endpoint, "endpoint-url", "", "`URL` to use instead of AWS (AWS_ENDPOINT_URL)")
	fs.StringVar(&f.user, "user", "nobody", "`user` to become when started as root; root to stay it")
	fs.StringVar(&f.listen, "listen", defaultMirrorListen, "`address` of counters and metrics, or unix:PATH; empty for none")
	fs.DurationVar(&f.every, "stats-interval", 0, "log the counters this often")
	fs.StringVar(&f.logFormat, "log-format", "text", "text or json")
	fs.StringVar(&f.logLevel, "log-level", "info", "error, warn, info or debug")
	return c
}

// check looks at what can be seen without the host and AWS.
func (f *mirrorFlags) check() error {
	usage := func(hint, format string, args ...any) error { return fail(exitUsage, hint, format, args...) }
	switch {
	case len(f.interfaces) == 0:
		return usage("mirador mirror run -i eth0 --to 10.0.9.5", "no interface to mirror")
	case len(f.to) == 0 && len(f.session) == 0 && !isSpecFile(f.filter):
		return usage("--to 10.0.9.5, or --session tms-...", "nowhere to send to")
	case len(f.session) > 0 && len(f.interfaces) > 1:
		return usage("run one for each interface", "the sessions on AWS are those of one interface")
	case f.vni > 1<<24-1:
		return usage("use 0 to 16777215", "--vni %d has more than 24 bits", f.vni)
	case f.length < 0 || f.mtu < 0 || f.mtu > 0 && f.mtu < 128:
		return usage("", "--packet-length or --mtu is out of range")
	case f.bandwidth != "" && f.limit != "":
		return usage("--bandwidth is shared with production traffic, --limit is not", "either --bandwidth or --limit")
	case f.refresh < time.Second:
		return usage("", "--refresh %v is less than a second", f.refresh)
	case !slices.Contains([]string{agent.EngineAuto, agent.EngineEBPF, agent.EngineAFPacket}, f.engine):
		return usage("use auto, ebpf or af-packet", "engine %q is not known", f.engine)
	case f.ring < 1 || f.ring > 1024:
		return usage("use 1 to 1024", "--ring %d MiB is out of range", f.ring)
	}
	for _, id := range f.session {
		if !strings.HasPrefix(id, "tms-") {
			return usage("traffic mirror sessions have ids like tms-0123456789abcdef0", "%q is no session", id)
		}
	}
	to, err := f.targets()
	if err != nil {
		return err
	}
	switch {
	case f.encap == encapVXLAN && f.gwlbe != "":
		return usage("add --encap geneve", "--endpoint-id is for GENEVE")
	case f.encap == encapVXLAN:
	case f.encap != encapGENEVE:
		return usage("use vxlan or geneve", "--encap %q is not known", f.encap)
	case len(to) != 1 || !to[0].Addr().Is4() || to[0].Port() != 0:
		return usage("--encap geneve --to 10.0.9.5", "GENEVE needs one appliance, by its IPv4 address")
	}
	if _, err := f.endpointID(); err != nil {
		return err
	}
	if _, err := f.cidrs(); err != nil {
		return err
	}
	if _, err := f.limits(); err != nil {
		return err
	}
	if f.local != "" {
		if _, err := netip.ParseAddr(f.local); err != nil {
			return usage("", "--source-address %q: %w", f.local, err)
		}
	}
	return nil
}

// The values of --encap.
const (
	encapVXLAN  = "vxlan"
	encapGENEVE = "geneve"
)

// endpointID returns --endpoint-id, as the hexadecimal digits of the id.
func (f *mirrorFlags) endpointID() (uint64, error) {
	if f.gwlbe == "" {
		return 0, nil
	}
	digits, ok := strings.CutPrefix(f.gwlbe, "eni-")
	n, err := strconv.ParseUint(digits, 16, 64)
	if !ok || err != nil {
		return 0, fail(exitUsage, "an id like eni-0123456789abcdef0", "--endpoint-id %q is not the id of a network interface", f.gwlbe)
	}
	return n, nil
}

// targets returns --to.
func (f *mirrorFlags) targets() (out []netip.AddrPort, err error) {
	for _, s := range f.to {
		a, err := netip.ParseAddrPort(s)
		if err != nil {
			var ip netip.Addr
			if ip, err = netip.ParseAddr(strings.Trim(s, "[]")); err != nil {
				return nil, fail(exitUsage, "an address like 10.0.9.5 or 10.0.9.5:4789", "--to %q: %w", s, err)
			}
			a = netip.AddrPortFrom(ip, 0)
		}
		if a.Addr().Is4() != out0(out, a).Addr().Is4() || a.Port() != out0(out, a).Port() {
			return nil, fail(exitUsage, "run one for each", "--to %s: all targets need the same port and IP version", s)
		}
		out = append(out, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	return out, nil
}

// out0 is the first of out, or a when there is none yet.
func out0(out []netip.AddrPort, a netip.AddrPort) netip.AddrPort {
	if len(out) > 0 {
		return out[0]
	}
	return a
}

// cidrs returns --vpc-cidr.
func (f *mirrorFlags) cidrs() (out []netip.Prefix, err error) {
	for _, s := range f.vpc {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fail(exitUsage, "a CIDR like 10.0.0.0/16", "--vpc-cidr %q: %w", s, err)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// limits returns --bandwidth, --limit and --packet-limit.
func (f *mirrorFlags) limits() (agent.Limit, error) {
	l := agent.Limit{PacketsPerSecond: f.packets, Shared: f.bandwidth != ""}
	s := f.bandwidth + f.limit
	if s != "" {
		n, err := bits(s)
		if err != nil {
			return l, fail(exitUsage, "bits a second like 5G, 500M or 64k", "%q is not understood", s)
		}
		l.BitsPerSecond = n
	}
	if l.PacketsPerSecond < 0 {
		return l, fail(exitUsage, "", "--packet-limit %d is below 0", f.packets)
	}
	return l, nil
}

// bits reads a number with k, M or G.
func bits(s string) (int64, error) {
	scale := 1.0
	for suffix, x := range map[string]float64{"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			s, scale = n, x
			break
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || v*scale < 1 || v*scale > 1e13 {
		return 0, fmt.Errorf("%q is not a rate", s)
	}
	return int64(v * scale), nil
}
