package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/mirror"
	"mirador/internal/setup"
)

func awsCoverage(f *awsFlags) *cobra.Command {
	var format, ratesFile, sources string
	var sensors []string
	var all bool
	c := &cobra.Command{
		Use:   "coverage",
		Short: "tell for every network interface what mirrors it, or why nothing does",
		Long: `Coverage lists every network interface of the account and region: mirrored by AWS and by
which session, mirrored by the software mirror, missing a session that mirror.yaml wants,
excluded, of an instance type that AWS cannot mirror, and so on, each with its reason; the
share that is mirrored; and what the sessions cost. Without a mirror.yaml every interface
counts as wanted.

The software mirror is known by the sensor: --sources reads its sources file (entries with an
interface and without a session of AWS), --sensor asks what it gets packets from.`,
		Example: `  mirador aws coverage
  mirador aws coverage --sensor http://10.0.2.5:8420 -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "table" && format != "json" {
				return fail(exitUsage, "mirador aws coverage --help", "--output %q is none of table, json", format)
			}
			s, err := f.specOrAny(c)
			if err != nil {
				return err
			}
			soft := &setup.SoftwareSources{}
			if sources != "" {
				b, err := readBounded(sources, mirror.MaxSourcesFile)
				if err != nil {
					return err
				}
				t, err := mirror.ParseSources(b, sources)
				if err != nil {
					return fail(exitUsage, "mirador aws sources writes one", "%w", err)
				}
				soft.AddTable(t, sources)
			}
			for _, x := range sensors {
				st, err := sensorStats(c.Context(), x)
				if err != nil {
					return err
				}
				soft.AddStats(st, x)
			}
			client, err := f.connect(c.Context(), s)
			if err != nil {
				return err
			}
			r, err := rates(ratesFile, client.Region())
			if err != nil {
				return fail(exitUsage, "a rates file looks like docs/reference/aws.md shows", "%w", err)
			}
			w, err := setup.Observe(c.Context(), client, setup.ObserveOptions{Stack: s.Name})
			if err != nil {
				return awsFailure(err)
			}
			v := setup.NewCoverage(s, w, soft, r)
			if format == "json" {
				err = writeJSON(c.OutOrStdout(), v)
			} else {
				err = v.WriteText(c.OutOrStdout(), all)
			}
			f.told(c.ErrOrStderr(), client)
			return err
		},
	}
	fl := c.Flags()
	fl.SortFlags = false
	fl.StringVarP(&format, "output", "o", "table", "`form`: table or json")
	fl.BoolVar(&all, "all", false, "show sensors and interfaces that nothing selects, too")
	fl.StringVar(&sources, "sources", "", "sources `file` of the sensor")
	fl.StringArrayVar(&sensors, "sensor", nil, "`URL` of a sensor's management listener, or a file with its /api/v1/stats; repeatable")
	fl.StringVar(&ratesFile, "rates", "", "`file` with prices (default: list prices that come with the program)")
	return c
}

// specOrAny reads mirror.yaml; when there is none and none was asked for, every
// interface is meant.
func (f *awsFlags) specOrAny(c *cobra.Command) (*setup.Spec, error) {
	if !c.Flags().Changed("file") {
		if _, err := os.Stat(f.file); errors.Is(err, os.ErrNotExist) {
			fmt.Fprintf(c.ErrOrStderr(), "no %s: every interface counts as wanted\n", f.file)
			return setup.AnySpec(), nil
		}
	}
	s, _, err := f.spec(c)
	return s, err
}

// isURL tells whether a sensor is named by the address of its listener, not by a file.
func isURL(from string) bool {
	return strings.HasPrefix(from, "http://") || strings.HasPrefix(from, "https://")
}

// sensorStats asks a sensor for its statistics, or reads them from a file.
func sensorStats(ctx context.Context, from string) (*setup.SensorStats, error) {
	if !isURL(from) {
		b, err := readBounded(from, setup.MaxSensorStats)
		if errors.Is(err, os.ErrNotExist) {
			return nil, fail(exitUsage, "the address of a sensor begins with http://", "no file with statistics: %w", err)
		}
		if err != nil {
			return nil, err
		}
		s, err := setup.ParseSensorStats(b, from)
		if err != nil {
			return nil, fail(exitUsage, "mirador status -o json > FILE writes one on the sensor", "%w", err)
		}
		return s, nil
	}
	u, err := url.Parse(from)
	if err != nil {
		return nil, err
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/api/v1/stats"
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	const hint = "is management.listen of the sensor open to this machine? mirador status -o json > FILE on the sensor does as well"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fail(exitFailed, hint, "ask the sensor: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, setup.MaxSensorStats+1))
	if err != nil {
		return nil, fail(exitFailed, hint, "read the sensor's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fail(exitFailed, hint, "%s answers %s", u.Redacted(), resp.Status)
	}
	s, err := setup.ParseSensorStats(b, u.Redacted())
	if err != nil {
		return nil, fail(exitFailed, hint, "%w", err)
	}
	return s, nil
}
