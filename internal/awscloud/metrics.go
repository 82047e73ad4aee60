package awscloud

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"mirador/internal/setup"
)

// queriesPerCall is how many metrics one GetMetricData asks for (AWS: at most 500).
const queriesPerCall = 500

// metricPeriod is that of basic monitoring; detailed monitoring has finer values, which
// add up to the same.
const metricPeriod = 5 * time.Minute

// mirrorMetrics are the metrics of an instance that tell about mirroring, with where they
// go. AWS: traffic-mirroring-cloudwatch.
func mirrorMetrics() []struct {
	name string
	add  func(t *setup.Traffic, v float64)
} {
	mirror := func(t *setup.Traffic, v float64) { t.Mirror += v; t.KnowsMirror = true }
	packets := func(t *setup.Traffic, v float64) { t.MirrorPkts += v; t.KnowsMirror, t.KnowsPkts = true, true }
	skip := func(t *setup.Traffic, v float64) { t.Skip += v }
	skipped := func(t *setup.Traffic, v float64) { t.SkipPkts += v }
	return []struct {
		name string
		add  func(t *setup.Traffic, v float64)
	}{
		{"NetworkMirrorIn", mirror}, {"NetworkMirrorOut", mirror},
		{"NetworkPacketsMirrorIn", packets}, {"NetworkPacketsMirrorOut", packets},
		{"NetworkSkipMirrorIn", skip}, {"NetworkSkipMirrorOut", skip},
		{"NetworkPacketsSkipMirrorIn", skipped}, {"NetworkPacketsSkipMirrorOut", skipped},
		{"NetworkIn", func(t *setup.Traffic, v float64) { t.In += v; t.KnowsTotal = true }},
		{"NetworkOut", func(t *setup.Traffic, v float64) { t.Out += v; t.KnowsTotal = true }},
	}
}

// MirrorTraffic reads from CloudWatch what instances sent and mirrored.
func (c *Client) MirrorTraffic(ctx context.Context, instances []string, start, end time.Time) (map[string]setup.Traffic, error) {
	cw := cloudwatch.NewFromConfig(c.cfg, func(x *cloudwatch.Options) {
		x.BaseEndpoint = base(c.o, x.BaseEndpoint)
		x.APIOptions = append(x.APIOptions, c.count)
	})
	out := map[string]setup.Traffic{}
	list := mirrorMetrics()
	for part := range slices.Chunk(instances, queriesPerCall/len(list)) {
		in := &cloudwatch.GetMetricDataInput{StartTime: &start, EndTime: &end}
		type place struct {
			instance string
			metric   int
		}
		places := map[string]place{}
		for i, id := range part {
			for m := range list {
				q := fmt.Sprintf("q%d_%d", i, m)
				places[q] = place{id, m}
				in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: &q, MetricStat: &types.MetricStat{
					Metric: &types.Metric{Namespace: aws.String("AWS/EC2"), MetricName: &list[m].name, Dimensions: []types.Dimension{{Name: aws.String("InstanceId"), Value: &id}}},
					Period: aws.Int32(int32(metricPeriod / time.Second)), Stat: aws.String("Sum"),
				}})
			}
		}
		p := cloudwatch.NewGetMetricDataPaginator(cw, in)
		err := pages(setup.Action{Service: "cloudwatch", Name: "GetMetricData"}, p.HasMorePages, func() error {
			page, err := p.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, r := range page.MetricDataResults {
				at, ok := places[text(r.Id)]
				if !ok || len(r.Values) == 0 {
					continue
				}
				t := out[at.instance]
				for _, v := range r.Values {
					list[at.metric].add(&t, v)
				}
				out[at.instance] = t
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
