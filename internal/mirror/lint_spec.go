package mirror

import (
	"cmp"
	"fmt"
	"slices"
)

// LintSpec is LintFilter for all filters of s, and looks at its sessions too.
func LintSpec(s *Spec) []Finding {
	var out []Finding
	for i := range s.Filters {
		out = append(out, LintFilter(&s.Filters[i].Filter, s.Filters[i].Name)...)
	}
	sources := s.sources()
	for _, id := range sources {
		out = append(out, s.lintSource(id)...)
	}
	perTarget := make(map[string]map[string]bool)
	for i := range s.Sessions {
		x := &s.Sessions[i]
		if perTarget[x.TargetID] == nil {
			perTarget[x.TargetID] = make(map[string]bool)
		}
		perTarget[x.TargetID][x.NetworkInterfaceID] = true
	}
	for i := range s.Targets {
		t := &s.Targets[i]
		if t.NetworkInterfaceID == "" {
			continue
		}
		if n := len(perTarget[t.ID]); n > DefaultSourcesPerTarget {
			out = append(out, Finding{Code: "sources-per-target", Severity: SeverityWarning,
				What: fmt.Sprintf("target %s, an interface, has %d sources; AWS takes %d, and %d on the largest instance types", t.Name, n, DefaultSourcesPerTarget, DefaultSourcesPerLargeTarget),
				Fix:  "spread the sources over more targets, or use a load balancer"})
		}
		if slices.Contains(sources, t.NetworkInterfaceID) {
			out = append(out, Finding{Code: "source-is-target", Severity: SeverityError, Source: t.NetworkInterfaceID,
				What: fmt.Sprintf("%s is a source and the target %s, which AWS refuses", t.NetworkInterfaceID, t.Name)})
		}
	}
	return out
}

// lintSource looks at the sessions of one source.
func (s *Spec) lintSource(id string) []Finding {
	var out []Finding
	name := id
	if i := s.findInterface(id); i != nil {
		name = i.Name
		if support, why := SourceSupport(i.InstanceType); support == Unsupported {
			out = append(out, Finding{Code: "unsupported-source", Severity: SeverityWarning, Source: name,
				What: fmt.Sprintf("its instance type %s cannot be a mirror source of AWS: %s", i.InstanceType, why), Fix: "use the software mirror on it"})
		}
	}
	var sessions []Session
	for i := range s.Sessions {
		if s.Sessions[i].NetworkInterfaceID == id {
			sessions = append(sessions, s.Sessions[i])
		}
	}
	slices.SortStableFunc(sessions, func(a, b Session) int { return cmp.Compare(a.Number, b.Number) })
	if len(sessions) > DefaultSessionsPerInterface {
		out = append(out, Finding{Code: "sessions-per-interface", Severity: SeverityError, Source: name,
			What: fmt.Sprintf("it has %d sessions, and AWS takes %d", len(sessions), DefaultSessionsPerInterface)})
	}
	var taken [2]region
	taken[0].known, taken[1].known = true, true
	dns := false
	for i := range sessions {
		x := &sessions[i]
		if i > 0 && sessions[i-1].Number == x.Number {
			out = append(out, Finding{Code: "session-number", Severity: SeverityError, Source: name, Session: x.Number, What: "the number is there twice"})
		}
		if n := x.PacketLength; n > 0 && n < MinLengthIPv6 {
			out = append(out, Finding{Code: "packet-length", Severity: SeverityAdvice, Source: name, Session: x.Number,
				What: fmt.Sprintf("a packet length of %d is less than the least that is mirrored: %d bytes of IPv4, %d of IPv6", n, MinLengthIPv4, MinLengthIPv6)})
		}
		at := slices.IndexFunc(s.Filters, func(f SpecFilter) bool { return f.ID == x.FilterID })
		if at < 0 {
			continue
		}
		f := &s.Filters[at].Filter
		has := slices.Contains(f.NetworkServices, AmazonDNS)
		useful := has && !dns
		dns = dns || has
		for n, d := range [...]Direction{Ingress, Egress} {
			rules := rulesOf(f.Rules, d)
			if !taken[n].known || len(rules) > maxJudged {
				useful, taken[n] = true, region{}
				continue
			}
			left := accepted(rules).minusAll(taken[n].boxes)
			useful = useful || !left.empty()
			if !left.known || len(taken[n].boxes)+len(left.boxes) > maxBoxes {
				taken[n] = region{}
				continue
			}
			taken[n].boxes = append(taken[n].boxes, left.boxes...)
		}
		if !useful && i > 0 {
			out = append(out, Finding{Code: "shadowed-session", Severity: SeverityWarning, Source: name, Session: x.Number,
				What: "sessions with lower numbers take all that it would mirror", Fix: "give it a lower number, or narrow the filters before it"})
		}
	}
	return out
}
