package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/mirror"
	"mirador/internal/setup"
)

// metricsPeriod is the finest that CloudWatch has of instances with basic monitoring.
const metricsPeriod = 5 * time.Minute

func awsVerify(f *awsFlags) *cobra.Command {
	var format string
	var sensors, befores []string
	var window time.Duration
	var noMetrics bool
	pr := &prober{}
	var tolerance float64
	c := &cobra.Command{
		Use:   "verify",
		Short: "prove for each session that what AWS mirrors arrives at the sensor, or tell where it is lost",
		Long: `Verify judges each session: is it there and as described, can its source be mirrored, does its
filter take anything, and do routes, network ACLs, target, listener, target health and
security groups let packets through. With --sensor it compares what AWS says was sent
(CloudWatch, per instance) with what the sensor saw, and looks for packets that arrive cut and
for losses in the sensor's kernel and engine. Each session is ok, silent, truncated or lost,
with the hop where packets are lost and what to do about it; without --sensor it is clear
when nothing on the way stops packets.

A share of lost packets needs two looks at the sensor: save one with
"mirador status -o json > before.json" on the sensor, verify a multiple of five minutes later
and give --before. Without it a sensor that saw something of a session counts as seeing it.

With --probe it sends marked packets from this host to each target (VXLAN to the traffic
interface or the load balancer) and tells how far they came: sent, arrived, decapsulated, attributed
to a session, seen by the engine. "mirador aws probe" on a source sends packets that the whole
way of its session carries; --probe-token looks for them.

The exit code is 0 when no session is lost or cut, 2 when one is, 1 when that could not be
found out.`,
		Example: `  mirador aws verify
  mirador aws verify --sensor http://10.0.2.5:8420
  mirador aws verify --sensor http://127.0.0.1:8420 --probe
  mirador aws verify --sensor now.json --before before.json -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case format != "table" && format != "json":
				return fail(exitUsage, "mirador aws verify --help", "--output %q is none of table, json", format)
			case len(befores) > 0 && len(befores) != len(sensors):
				return fail(exitUsage, "give one --before for each --sensor, in the same order", "%d --before for %d --sensor", len(befores), len(sensors))
			case window < metricsPeriod || tolerance < 0 || tolerance > 1:
				return fail(exitUsage, "mirador aws verify --help", "--window is at least %v, --tolerance between 0 and 1", metricsPeriod)
			}
			s, _, err := f.spec(c)
			if err != nil {
				return err
			}
			o := setup.VerifyOptions{Tolerance: tolerance, End: time.Now().UTC()}
			o.Start = o.End.Add(-window)
			for _, x := range pr.tokens {
				if _, err := mirror.ParseProbeToken(x); err != nil {
					return fail(exitUsage, "mirador aws probe prints one", "--probe-token %q: %w", x, err)
				}
				o.Probes = append(o.Probes, setup.ProbeSent{Token: x})
			}
			for i, x := range sensors {
				now, err := settledStats(c.Context(), x)
				if err != nil {
					return err
				}
				sample := setup.Sample{Name: x, Now: now}
				if len(befores) > 0 {
					if sample.Before, err = sensorStats(c.Context(), befores[i]); err != nil {
						return err
					}
					o.Start, o.End = sample.Times(o.Start, o.End)
				}
				o.Sensors = append(o.Sensors, sample)
			}
			if pr.send {
				if len(sensors) == 0 {
					return fail(exitUsage, "mirador aws verify --probe --sensor http://127.0.0.1:8420", "--probe needs a sensor that tells what arrived")
				}
				o.Probe = func(ctx context.Context, to []setup.ProbeTarget) ([]setup.ProbeSent, []setup.Sample, error) {
					return pr.probe(ctx, to, o.Sensors)
				}
			}
			client, err := f.connect(c.Context(), s)
			if err != nil {
				return err
			}
			if !noMetrics {
				o.Metrics = client
			}
			v, err := setup.Verify(c.Context(), client, s, o)
			if err != nil {
				return awsFailure(err)
			}
			if format == "json" {
				err = writeJSON(c.OutOrStdout(), v)
			} else {
				err = v.WriteText(c.OutOrStdout())
			}
			if len(sensors) == 0 {
				fmt.Fprintln(c.ErrOrStderr(), "no --sensor: only the path was looked at")
			}
			f.told(c.ErrOrStderr(), client)
			if err == nil && v.Worst() == setup.Error {
				return &failure{code: exitFindings, err: errQuiet}
			}
			return err
		},
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringVarP(&format, "output", "o", "table", "`form`: table or json")
	fl.StringArrayVar(&sensors, "sensor", nil, "`URL` of a sensor's management listener, or a file with its /api/v1/stats; repeatable")
	fl.StringArrayVar(&befores, "before", nil, "`file` with earlier statistics of the sensor; repeatable, in the order of --sensor")
	fl.DurationVar(&window, "window", 30*time.Minute, "how far back CloudWatch is asked, without --before")
	fl.Float64Var(&tolerance, "tolerance", 0.05, "`share` of packets that may be missing")
	fl.BoolVar(&pr.send, "probe", false, "send marked packets to what sessions send to, and look for them at the sensors")
	fl.StringArrayVar(&pr.tokens, "probe-token", nil, "look for the packets that mirador aws probe sent with this `token`; repeatable")
	fl.BoolVar(&noMetrics, "no-metrics", false, "do not ask CloudWatch")
	return c
}
