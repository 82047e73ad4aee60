package ec2api_test

import (
	"mirador/internal/ec2api"
)

// fakeMetrics counts one more in each period.
type fakeMetrics struct{}

func (fakeMetrics) Metric(q ec2api.MetricQuery) []ec2api.Datapoint {
	var out []ec2api.Datapoint
	for at, v := q.Start, 1.0; at.Before(q.End); at, v = at.Add(q.Period), v+1 {
		out = append(out, ec2api.Datapoint{Time: at, Value: v})
	}
	return out
}

func (fakeMetrics) MetricNames() []ec2api.MetricName {
	return []ec2api.MetricName{{Namespace: "AWS/EC2", Name: "NetworkMirrorOut", Dimensions: map[string]string{"InstanceId": "i-1"}}}
}
