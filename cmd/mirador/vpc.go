package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/ec2api"
)

// vpcFlags are those of the endpoint.
type vpcFlags struct {
	listen      string
	state       string
	noDataplane bool
	region      string
	account     string
	credentials string
	accountKeys []string
	anyone      bool
	rate        string
	inject      string
	lag         time.Duration
	noDefault   bool
	switches    []string
	data        dataFlags
	logFormat   string
	logLevel    string
}

func vpcCommand() *cobra.Command {
	f := &vpcFlags{}
	c := &cobra.Command{
		Use:   "vpc",
		Short: "a pretend VPC: an endpoint that AWS clients take for EC2, ELB, STS and CloudWatch, and a network behind it",
		Long: `Vpc answers the calls of AWS clients on one port: the AWS CLI, the SDKs and Terraform
work with it when their endpoint is set to its address (docs/howto/vpc.md).

All 15 traffic mirroring actions are there, and the calls around them: VPCs, subnets,
security groups, interfaces, instances, route tables, network ACLs, load balancers, VPC
endpoints, tags, caller identity (docs/reference/ec2api.md).

Behind the endpoint is a network: each instance is a network namespace, and its
interfaces are devices in it. What clients change (groups, routes, load balancers,
mirror sessions) is live within 100 ms. This needs root; --no-dataplane does without.
mirador vpc ls lists the instances, mirador vpc exec runs commands in them.

Without --credentials, and listening on a loopback address, requests are taken from
anybody on this machine whatever they are signed with.`,
		Example: `  mirador vpc --topology lab.yaml
  mirador vpc exec web -- ping -c 1 10.0.1.11
  mirador vpc --no-dataplane --state ./state
  aws --endpoint-url http://127.0.0.1:4720 ec2 describe-vpcs
  mirador vpc --no-dataplane --rate 5/s --inject 'ec2:CreateTags=500@2'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr()) },
	}
	c.AddCommand(vpcSubcommands()...)
	fs := c.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.listen, "listen", "127.0.0.1:4720", "`address` of the endpoint")
	fs.StringVar(&f.state, "state", "", "`folder` of the state file; empty keeps everything in memory")
	f.data.add(c)
	fs.BoolVar(&f.noDataplane, "no-dataplane", false, "the endpoint only: no namespaces, no packets, no root")
	fs.StringVar(&f.region, "region", "us-east-1", "region of a new state")
	fs.StringVar(&f.account, "account", "123456789012", "account id of a new state")
	fs.StringArrayVar(&f.accountKeys, "account-key", nil, "an access key of another account, as `KEY=ACCOUNT`; repeatable")
	fs.StringVar(&f.credentials, "credentials", "", "AWS credentials `file` with the keys that requests have to be signed with")
	fs.BoolVar(&f.anyone, "any-credentials", false, "take requests from anybody, on any address")
	fs.BoolVar(&f.noDefault, "no-default-vpc", false, "begin a new state without a default VPC")
	fs.StringArrayVar(&f.switches, "switch", nil, "turn a switch of docs/reference/mirroring-switches.md on by its `name`; repeatable")
	fs.StringVar(&f.rate, "rate", "", "refuse calls above this `rate`, like 20/s or 20/s:40 with a burst")
	fs.StringVar(&f.inject, "inject", "", "make calls fail: a `list` like ec2:CreateTags=500@3,*=lose@7 (docs/howto/vpc.md)")
	fs.DurationVar(&f.lag, "lag", 0, "let describes see changes only after this time")
	fs.StringVar(&f.logFormat, "log-format", "text", "text or json")
	fs.StringVar(&f.logLevel, "log-level", "info", "error, warn, info or debug")
	return c
}

// options turns the flags into those of the endpoint.
func (f *vpcFlags) options(log *slog.Logger) (ec2api.Options, error) {
	o := ec2api.Options{Region: f.region, AccountID: f.account, AnyAuth: f.anyone, StateDir: f.state, NoDefaultVPC: f.noDefault, Lag: f.lag, Log: log}
	var err error
	if o.Rate, err = ec2api.ParseRate(f.rate); err != nil {
		return o, fail(exitUsage, "--rate 20/s", "%w", err)
	}
	if o.Inject, err = ec2api.ParseInjections(f.inject); err != nil {
		return o, fail(exitUsage, "--inject ec2:CreateTags=500@3", "%w", err)
	}
	for _, name := range f.switches {
		if err := o.Switches.Set(name, true); err != nil {
			return o, fail(exitUsage, "docs/reference/mirroring-switches.md", "--switch: %w", err)
		}
	}
	f.data.switches = o.Switches
	if f.credentials != "" {
		if o.Keys, err = readCredentials(f.credentials); err != nil {
			return o, fail(exitFailed, "", "read credentials %s: %w", f.credentials, err)
		}
	}
	for _, text := range f.accountKeys {
		key, account, ok := strings.Cut(text, "=")
		if !ok {
			return o, fail(exitUsage, "--account-key AKIA...=210987654321", "--account-key %s: no account", text)
		}
		if o.Accounts == nil {
			o.Accounts = map[string]string{}
		}
		o.Accounts[key] = account
	}
	if len(o.Keys) == 0 && !f.anyone && !ec2api.Loopback(f.listen) {
		return o, fail(exitRefused, "give --credentials FILE, or --any-credentials if everybody who reaches the address may use it",
			"%s can be reached from elsewhere and no credentials are set", f.listen)
	}
	if err := o.Validate(); err != nil {
		return o, fail(exitUsage, "mirador vpc --help", "%w", err)
	}
	return o, nil
}

func (f *vpcFlags) run(ctx context.Context, stdout, stderr io.Writer) error {
	log, err := newLog(stderr, f.logFormat, f.logLevel)
	if err != nil {
		return err
	}
	o, err := f.options(log)
	if err != nil {
		return err
	}
	topology, err := f.data.load()
	if err != nil {
		return err
	}
	if topology != nil { // the files of a new state; flags go first
		o.Region, o.AccountID = topology.Place(o.Region, o.AccountID)
	}
	if !f.noDataplane {
		if err := f.data.check(); err != nil {
			return err
		}
	}
	server, err := ec2api.New(o)
	if errors.Is(err, ec2api.ErrState) {
		return fail(exitFailed, "put state.jsonl.bak and journal.jsonl.bak (when there is one) in the places of state.jsonl and journal.jsonl, or begin anew with another --state", "%w", err)
	}
	if err != nil {
		return fail(exitFailed, "", "open state: %w", err)
	}
	defer server.Close()
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return fail(exitFailed, "another program may have the address; choose one with --listen", "%w", err)
	}
	if len(o.Keys) == 0 {
		log.Warn("requests are taken from anybody, whatever they are signed with", "address", listener.Addr().String())
	}
	log.Info("endpoint ready", "url", "http://"+listener.Addr().String(), "region", server.Region(), "account", server.AccountID())
	built, err := fill(server, topology, log)
	if err != nil {
		return err
	}
	url := endpointURL(listener)
	if !f.noDataplane {
		network, err := f.data.start(ctx, server, built, url, log)
		if err != nil {
			return err
		}
		defer network.Close()
		select {
		case <-network.Ready():
		case <-ctx.Done():
		}
	}
	printExports(stdout, url, server.Region(), len(o.Keys) == 0)
	return server.Serve(ctx, listener)
}

// maxCredentials bounds a credentials file, in bytes.
const maxCredentials = 1 << 20

// readCredentials reads the keys of all profiles of an AWS credentials file.
func readCredentials(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	keys := map[string]string{}
	id, line := "", 0
	in := bufio.NewScanner(io.LimitReader(file, maxCredentials))
	for in.Scan() {
		line++
		text := strings.TrimSpace(in.Text())
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if text[0] == '[' {
			id = ""
			continue
		}
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("line %d: no setting", line)
		}
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			id = strings.TrimSpace(value)
		case "aws_secret_access_key":
			if id == "" {
				return nil, fmt.Errorf("line %d: a secret without the key id before it", line)
			}
			keys[id] = strings.TrimSpace(value)
		}
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("no keys in it")
	}
	return keys, nil
}
