package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/setup"
)

// metricsPeriod is the finest that CloudWatch has of instances with basic monitoring.
const metricsPeriod = 5 * time.Minute

func awsVerify(f *awsFlags) *cobra.Command {
	var format string
	var sensors, befores []string
	var window time.Duration
	var noMetrics bool
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

The exit code is 0 when no session is lost or cut, 2 when one is, 1 when that could not be
found out.`,
		Example: `  mirador aws verify
  mirador aws verify --sensor http://10.0.2.5:8420
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
			for i, x := range sensors {
				now, err := sensorStats(c.Context(), x)
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
	fl.BoolVar(&noMetrics, "no-metrics", false, "do not ask CloudWatch")
	return c
}
