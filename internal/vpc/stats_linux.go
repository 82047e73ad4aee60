package vpc

import (
	"time"

	"mirador/internal/ec2api"
)

// Metric answers a question of CloudWatch (ec2api.Metrics).
func (n *Network) Metric(q ec2api.MetricQuery) []ec2api.Datapoint {
	n.sample()
	return n.series.query(q)
}

// MetricNames lists the metrics that have values (ec2api.Metrics).
func (n *Network) MetricNames() []ec2api.MetricName {
	n.sample()
	return n.series.names()
}

func (n *Network) sample() {
	n.mu.Lock()
	p := n.plan
	n.mu.Unlock()
	n.series.sample(p, time.Now())
}
