package ec2api

import (
	"cmp"
	"slices"
	"time"
)

func cloudwatchActions() []action {
	return []action{
		read("GetMetricData", (*call).metricData, "InvalidParameterValue", "ValidationError"),
		read("GetMetricStatistics", (*call).metricStatistics, "InvalidParameterValue"),
		read("ListMetrics", (*call).listMetrics),
	}
}

// maxDatapoints is the most values that one call returns (AWS: GetMetricData).
const maxDatapoints = 100_800

func (c *call) metricTimes() (start, end time.Time, err *Error) {
	start, _ = parseTime(c.in.str("StartTime"))
	end, _ = parseTime(c.in.str("EndTime"))
	if !start.Before(end) {
		return start, end, errorf("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
	}
	return start, end, nil
}

// ask puts one question to whoever counts.
func (c *call) ask(q MetricQuery) ([]Datapoint, *Error) {
	if q.Period <= 0 || q.End.Sub(q.Start)/q.Period > maxDatapoints {
		return nil, errorf("InvalidParameterValue", "The period is not valid, or there would be more than %d values", maxDatapoints)
	}
	switch q.Statistic {
	case "Sum", "Average", "Minimum", "Maximum", "SampleCount":
	default:
		return nil, errorf("InvalidParameterValue", "The statistic %s is not supported by this endpoint", clip(q.Statistic))
	}
	if c.v.o.Metrics == nil {
		return nil, nil
	}
	points := slices.Clone(c.v.o.Metrics.Metric(q))
	slices.SortFunc(points, func(a, b Datapoint) int { return a.Time.Compare(b.Time) })
	return points[:min(len(points), maxDatapoints)], nil
}

func dimensions(list []*node) map[string]string {
	m := map[string]string{}
	for _, d := range list {
		m[d.str("Name")] = d.str("Value")
	}
	return m
}

func (c *call) metricData() *Error {
	start, end, err := c.metricTimes()
	if err != nil {
		return err
	}
	queries := c.in.list("MetricDataQueries")
	if len(queries) > 500 {
		return errorf("ValidationError", "At most 500 queries can be given")
	}
	results := []any{}
	for _, q := range queries {
		if q.str("Expression") != "" {
			return errorf("ValidationError", "Metric math is not supported by this endpoint")
		}
		m := q.get("MetricStat")
		if m == nil {
			return errorf("ValidationError", "The query %s has no MetricStat", clip(q.str("Id")))
		}
		points, err := c.ask(MetricQuery{
			Namespace: m.str("Metric.Namespace"), Name: m.str("Metric.MetricName"), Dimensions: dimensions(m.list("Metric.Dimensions")),
			Start: start, End: end, Period: time.Duration(m.num("Period", 0)) * time.Second, Statistic: m.str("Stat"),
		})
		if err != nil {
			return err
		}
		if q.str("ReturnData") != "" && !q.yes("ReturnData") {
			continue
		}
		if c.in.or("ScanBy", "TimestampDescending") == "TimestampDescending" {
			slices.Reverse(points)
		}
		times, values := []any{}, []any{}
		for _, p := range points {
			times, values = append(times, p.Time), append(values, p.Value)
		}
		results = append(results, object{
			{"Id", q.str("Id")}, {"Label", cmp.Or(q.str("Label"), m.str("Metric.MetricName"))}, {"Timestamps", times}, {"Values", values}, {"StatusCode", "Complete"},
		})
	}
	c.result = object{{"MetricDataResults", results}, {"Messages", []any{}}}
	return nil
}

func (c *call) metricStatistics() *Error {
	start, end, err := c.metricTimes()
	if err != nil {
		return err
	}
	stats := c.in.strs("Statistics")
	if len(stats) == 0 {
		return errorf("MissingParameter", "At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	}
	byTime := map[int64]object{}
	var order []int64
	for _, stat := range stats {
		points, err := c.ask(MetricQuery{
			Namespace: c.in.str("Namespace"), Name: c.in.str("MetricName"), Dimensions: dimensions(c.in.list("Dimensions")),
			Start: start, End: end, Period: time.Duration(c.in.num("Period", 0)) * time.Second, Statistic: stat,
		})
		if err != nil {
			return err
		}
		for _, p := range points {
			at := p.Time.UnixNano()
			if byTime[at] == nil {
				byTime[at] = object{{"Timestamp", p.Time}}
				order = append(order, at)
			}
			byTime[at] = append(byTime[at], field{stat, p.Value})
		}
	}
	list := []any{}
	for _, at := range order {
		list = append(list, append(byTime[at], field{"Unit", "None"}))
	}
	c.result = object{{"Label", c.in.str("MetricName")}, {"Datapoints", list}}
	return nil
}

func (c *call) listMetrics() *Error {
	want := dimensions(c.in.list("Dimensions"))
	list := []any{}
	var names []MetricName
	if c.v.o.Metrics != nil {
		names = c.v.o.Metrics.MetricNames()
	}
	for _, n := range names {
		fits := (c.in.str("Namespace") == "" || c.in.str("Namespace") == n.Namespace) && (c.in.str("MetricName") == "" || c.in.str("MetricName") == n.Name)
		for k, v := range want {
			have, ok := n.Dimensions[k]
			fits = fits && ok && (v == "" || v == have)
		}
		if !fits {
			continue
		}
		dims := []any{}
		for _, k := range sortedKeys(n.Dimensions) {
			dims = append(dims, object{{"Name", k}, {"Value", n.Dimensions[k]}})
		}
		list = append(list, object{{"Namespace", n.Namespace}, {"MetricName", n.Name}, {"Dimensions", dims}})
	}
	c.result = object{{"Metrics", list}}
	return nil
}
