package setup

import (
	"cmp"
	"slices"
)

// Level is how bad a finding is.
type Level string

// The levels of findings.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Error   Level = "error"
)

// A Finding is something that a check found, with what to do about it.
type Finding struct {
	Level   Level  `json:"level"`
	Code    string `json:"code"`    // stable word for the kind of finding
	Subject string `json:"subject"` // what it is about
	Text    string `json:"text"`
	Remedy  string `json:"remedy,omitempty"`
	Doc     string `json:"doc,omitempty"` // page of the AWS documentation
}

func (d *Desired) note(l Level, code, subject, text, remedy string) {
	d.Findings = append(d.Findings, Finding{Level: l, Code: code, Subject: subject, Text: text, Remedy: remedy, Doc: docOf(code)})
}

// docOf returns the page of the AWS documentation about a finding.
func docOf(code string) string {
	const base = "https://docs.aws.amazon.com/vpc/latest/mirroring/"
	switch code {
	case "lower-session", "shadowed-rule", "filter":
		return base + "traffic-mirroring-filters.html"
	case "quota", "sessions-of-others":
		return base + "traffic-mirroring-limits.html"
	case "one-zone", "zone-without-balancer", "balancer", "target":
		return base + "traffic-mirroring-targets.html"
	case "route", "group", "acl", "mtu", "cross-zone":
		return base + "traffic-mirroring-connection.html"
	case "source-type", "sensor-size", "subnet-ipv6":
		return base + "traffic-mirroring-limits.html#traffic-mirroring-limitations"
	case "permission", "identity":
		return base + "traffic-mirroring-security.html"
	}
	return ""
}

// sortFindings puts the worst first and keeps the order otherwise.
func sortFindings(list []Finding) {
	rank := func(l Level) int { return slices.Index([]Level{Error, Warning, OK}, l) }
	slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(rank(a.Level), rank(b.Level)) })
}
