package detect

import "mirador/internal/rule"

// limitTable is threshold.config, compiled: what holds for all rules, and for some.
type limitTable struct {
	all []configLimit
	by  map[uint64][]configLimit // by gid and sid
}

// configLimit is one line of threshold.config.
type configLimit struct {
	limit
	suppress bool
	track    rule.Track
	addr     *rule.AddrSet // nil: all
	gid      uint32        // 0: all
}

// limitTable compiles threshold.config. A threshold there takes the place of the one in
// the rule.
func (c *compiler) limitTable(e *Engine) {
	t := &limitTable{by: map[uint64][]configLimit{}}
	for i, ev := range c.opt.Thresholds {
		l := configLimit{gid: ev.GID, track: ev.Track, suppress: ev.Kind == rule.EventSuppress}
		l.limit = limit{kind: ev.Type, track: ev.Track, count: ev.Count, seconds: int64(ev.Seconds), id: uint32(i + 1)}
		if ev.Kind == rule.EventRateFilter {
			l.rate, l.timeout, l.action = true, int64(ev.Timeout), ev.NewAction
		}
		if ev.IP != "" {
			set, err := c.resolver.Addr(ev.IP)
			if err != nil {
				c.refuse(rule.Problem{File: "threshold.config", Line: ev.Line, Kind: rule.KindAddress, What: err.Error()})
				continue
			}
			l.addr = set
		}
		if ev.SID == 0 {
			t.all = append(t.all, l)
			continue
		}
		gid := ev.GID
		if gid == 0 {
			gid = 1
		}
		id := uint64(gid)<<32 | uint64(ev.SID)
		t.by[id] = append(t.by[id], l)
	}
	if len(t.all) > 0 || len(t.by) > 0 {
		e.limits = t
	}
}

// thresholds counts a match of s and says whether it alerts, and with which action.
func (w *Worker) thresholds(s *sig) (limitOutcome, rule.Action) {
	action := s.action
	own := s.limit
	if t := w.e.limits; t != nil {
		for _, l := range [...][]configLimit{t.by[s.rule.ID()], t.all} {
			for i := range l {
				c := &l[i]
				if c.gid != 0 && c.gid != s.rule.GID {
					continue
				}
				if c.suppress {
					if w.suppressed(c) {
						return limitSuppress, action
					}
					continue
				}
				if !c.rate && (own == nil || !own.filter) {
					own = nil // the configuration goes before the rule
				}
				switch w.checkLimit(&c.limit, s, w.p.P.Time) {
				case limitSuppress:
					return limitSuppress, action
				case limitAction:
					action = c.action
				}
			}
		}
	}
	if own == nil {
		return limitPass, action
	}
	out := w.checkLimit(own, s, w.p.P.Time)
	for _, l := range s.moreLimits {
		if out == limitSuppress {
			break
		}
		out = w.checkLimit(l, s, w.p.P.Time)
	}
	return out, action
}

// suppressed tells whether the packet's addresses are those of a suppress line.
func (w *Worker) suppressed(c *configLimit) bool {
	p := w.p.P
	if c.addr == nil {
		return true
	}
	src := c.addr.Contains((*[16]byte)(&p.Src), p.IPVersion)
	dst := c.addr.Contains((*[16]byte)(&p.Dst), p.IPVersion)
	switch c.track {
	case rule.TrackSrc:
		return src
	case rule.TrackDst:
		return dst
	}
	return src || dst
}
