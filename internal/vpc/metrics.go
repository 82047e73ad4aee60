package vpc

import (
	"slices"
	"sync"
	"time"

	"mirador/internal/ec2api"
)

// series keeps what counters grew by in each minute, of each instance.
type series struct {
	mu    sync.Mutex // mu guards what follows
	last  map[string][metricKinds]uint64
	grown map[string]map[int64]*[metricKinds]uint64 // by instance, by minute since 1970
}

// The metrics of an instance, in namespace AWS/EC2. AWS: "Traffic mirroring metrics" and
// "Instance metrics".
const (
	metricKinds   = 12
	keptMinutes   = 180 // AWS keeps one-minute values for 15 days; tests and verify need minutes
	nanosOfMinute = int64(time.Minute)
)

func metricNames() []string {
	return []string{
		"NetworkIn", "NetworkOut", "NetworkPacketsIn", "NetworkPacketsOut",
		"NetworkMirrorIn", "NetworkMirrorOut", "NetworkPacketsMirrorIn", "NetworkPacketsMirrorOut",
		"NetworkSkipMirrorIn", "NetworkSkipMirrorOut", "NetworkPacketsSkipMirrorIn", "NetworkPacketsSkipMirrorOut",
	}
}

// values are the counters of an interface in the order of metricNames.
func (e *eniLive) values() [metricKinds]uint64 {
	c, i, o := &e.count, &e.mirrorIn, &e.mirrorOut
	return [metricKinds]uint64{
		c.ReceivedBytes.Load(), c.SentBytes.Load(), c.ReceivedPackets.Load(), c.SentPackets.Load(),
		i.Bytes.Load(), o.Bytes.Load(), i.Packets.Load(), o.Packets.Load(),
		i.SkippedBytes.Load(), o.SkippedBytes.Load(), i.SkippedPackets.Load(), o.SkippedPackets.Load(),
	}
}

func newSeries() *series {
	return &series{last: map[string][metricKinds]uint64{}, grown: map[string]map[int64]*[metricKinds]uint64{}}
}

// sample adds what the counters of the interfaces grew by to the minute of now.
func (s *series) sample(p *plan, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	minute := now.UnixNano() / nanosOfMinute
	for id, e := range p.enis {
		if e.instance == "" {
			continue
		}
		v, before := e.live.values(), s.last[id]
		s.last[id] = v
		if v == before {
			continue
		}
		m := s.grown[e.instance]
		if m == nil {
			m = map[int64]*[metricKinds]uint64{}
			s.grown[e.instance] = m
		}
		g := m[minute]
		if g == nil {
			g = &[metricKinds]uint64{}
			m[minute] = g
		}
		for k := range v {
			g[k] += v[k] - before[k]
		}
		for old := range m {
			if old <= minute-keptMinutes {
				delete(m, old)
			}
		}
	}
	for id := range s.last {
		if p.enis[id] == nil {
			delete(s.last, id)
		}
	}
	for id, m := range s.grown { // of instances that are gone
		for old := range m {
			if old <= minute-keptMinutes {
				delete(m, old)
			}
		}
		if len(m) == 0 {
			delete(s.grown, id)
		}
	}
}

// query answers one question of CloudWatch.
func (s *series) query(q ec2api.MetricQuery) []ec2api.Datapoint {
	k := slices.Index(metricNames(), q.Name)
	if q.Namespace != "AWS/EC2" || k < 0 {
		return nil
	}
	period := max(int64(q.Period/time.Minute), 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	type bin struct{ sum, low, high, n float64 }
	bins := map[int64]*bin{}
	first, last := q.Start.UnixNano()/nanosOfMinute, (q.End.UnixNano()-1)/nanosOfMinute
	id := q.Dimensions["InstanceId"]
	for minute, g := range s.grown[id] {
		if minute < first || minute > last {
			continue
		}
		at := minute - minute%period
		v := float64(g[k])
		b := bins[at]
		if b == nil {
			b = &bin{low: v, high: v}
			bins[at] = b
		}
		b.sum, b.n, b.low, b.high = b.sum+v, b.n+1, min(b.low, v), max(b.high, v)
	}
	var out []ec2api.Datapoint
	for at, b := range bins {
		v := b.sum
		switch q.Statistic {
		case "Average":
			v = b.sum / b.n
		case "Minimum":
			v = b.low
		case "Maximum":
			v = b.high
		case "SampleCount":
			v = b.n
		}
		out = append(out, ec2api.Datapoint{Time: time.Unix(0, at*nanosOfMinute).UTC(), Value: v})
	}
	slices.SortFunc(out, func(a, b ec2api.Datapoint) int { return a.Time.Compare(b.Time) })
	return out
}

func (s *series) names() []ec2api.MetricName {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []ec2api.MetricName
	for id := range s.grown {
		for _, n := range metricNames() {
			out = append(out, ec2api.MetricName{Namespace: "AWS/EC2", Name: n, Dimensions: map[string]string{"InstanceId": id}})
		}
	}
	slices.SortFunc(out, func(a, b ec2api.MetricName) int {
		if a.Dimensions["InstanceId"] != b.Dimensions["InstanceId"] {
			if a.Dimensions["InstanceId"] < b.Dimensions["InstanceId"] {
				return -1
			}
			return 1
		}
		return 0
	})
	return out
}
