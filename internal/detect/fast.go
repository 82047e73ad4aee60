package detect

// pickFast picks the pattern that the prefilter looks for: the one marked
// fast_pattern, else the strongest of the contents that are not negated, buffers of
// transactions before the payload. Suricata 8 rules/prefilter-keywords.
func (b *builder) pickFast() error {
	s := &b.s
	// What cannot decide about the rule, such as a content of the payload in a rule
	// for transactions, is passed over.
	if b.fastSeen && !b.lists[b.fast.list].def.noScan && b.canFast(&b.lists[b.fast.list], b.at(b.fast)) {
		l := &b.lists[b.fast.list]
		o := b.at(b.fast)
		b.setFast(l.def, o)
		if b.chop[1] > 0 {
			if b.chop[0]+b.chop[1] > len(o.pat) {
				return refuse(0, "", "fast_pattern: the part is not inside the content of %d bytes", len(o.pat))
			}
			s.fastPat = o.pat[b.chop[0] : b.chop[0]+b.chop[1]]
		}
		return nil
	}
	b.chop = [2]int{}
	best, bestScore := opRef{-1, -1}, -1
	for i := range b.lists {
		l := &b.lists[i]
		if l.def.noScan {
			continue
		}
		for j := range l.ops {
			o := &l.ops[j]
			if !b.canFast(l, o) {
				continue
			}
			score := strength(o.pat)
			if l.def.kind != bufPayload {
				score += 4
			}
			if commonBuffer(l.def.name) {
				score /= 4
			}
			if score > bestScore {
				best, bestScore = opRef{i, j}, score
			}
		}
	}
	if best.list < 0 {
		s.flag |= sigAlways
		return nil
	}
	b.setFast(b.lists[best.list].def, b.at(best))
	return nil
}

// canFast tells whether the prefilter may decide by o alone.
func (b *builder) canFast(l *bufList, o *op) bool {
	if o.kind != opContent || o.flag&flagNegated != 0 || l.absent != absentNone {
		return false
	}
	// Contents of the payload do not decide about a transaction: stream and
	// transaction do not come in step.
	if b.s.kind == kindTx && (l.def.kind == bufPayload || l.def.kind == bufPacket) {
		return false
	}
	return true
}

func (b *builder) setFast(d *bufDef, o *op) {
	s := &b.s
	o.flag |= flagFastPattern
	s.fastBuf, s.fastPat, s.fastNo = d, o.pat, o.flag&flagNocase != 0
	fixed := o.flag&(flagRelative|flagVars) == 0
	if d.kind == bufField && fixed && !d.everGrows() {
		// Places count from the start of the buffer, which the scan sees whole.
		if o.flag&flagOffset != 0 {
			s.fastOff = int(o.off)
		}
		if o.flag&flagDepth != 0 {
			s.fastEnd = int(o.off) + int(o.depth)
		}
		if b.chop[1] > 0 {
			s.fastOff += b.chop[0]
			if s.fastEnd > 0 {
				s.fastEnd -= len(o.pat) - b.chop[0] - b.chop[1]
			}
		}
		// What the scan finds as a whole need not be looked for again.
		if !b.traced() && !d.multi && b.chop[1] == 0 && o.flag&(flagEndsWith|flagRetry) == 0 && s.flag&sigBothDirs == 0 {
			o.flag |= flagProvenByScan
		}
	}
}

// everGrows tells whether d is a buffer that comes in windows in some protocol.
func (d *bufDef) everGrows() bool {
	for dir := range d.fields {
		for _, f := range d.fields[dir] {
			if f != nil && f.Stream {
				return true
			}
		}
	}
	return false
}

// strength rates a pattern: length counts, and bytes that are rare in text count
// more, so that the prefilter has few false hits.
func strength(p string) int {
	score := 0
	var seen [4]uint64
	for i := range len(p) {
		c := p[i]
		if seen[c>>6]&(1<<(c&63)) != 0 {
			score++
			continue
		}
		seen[c>>6] |= 1 << (c & 63)
		switch {
		case c == 0 || c == 0x20 || c == 0xff || c == '\r' || c == '\n' || c == '/' || c == '.' || c == '=' || c == ':':
			score += 2
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			score += 3
		default:
			score += 4
		}
	}
	return score
}

// commonBuffer tells of buffers whose values are few, so that their patterns say
// little about a rule.
func commonBuffer(name string) bool {
	switch name {
	case "http.method", "http.stat_code", "http.stat_msg", "http.protocol", "http.connection", "http.content_len", "http.start":
		return true
	}
	return false
}
