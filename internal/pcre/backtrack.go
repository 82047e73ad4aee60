package pcre

// status is how an attempt at one start position ended.
type status uint8

const (
	stFail   status = iota
	stMatch         // regs[0] and regs[1] say where
	stHard          // it has cost what an easy match may cost
	stLimit         // a limit was hit
	stCommit        // (*COMMIT): no other start position either
	stSkip          // (*SKIP): go on at skipTo
)

// run tries to match at position start. It is a loop over the instructions with an
// explicit stack: what stands on it is where to go on when the present way fails.
func (re *Regexp) run(m *Machine, data []byte, start int) status {
	prog, sets := re.prog, re.sets
	stack := m.stack[:0]
	regs := m.regs[:max(re.nregs, 2)]
	for i := range regs {
		regs[i] = -1
	}
	regs[0] = int32(start)
	m.call, m.barrier = -1, -1
	m.calls, m.snaps = m.calls[:0], m.snaps[:0]
	limit := m.matchLimit
	if re.limit > 0 && int(re.limit) < limit {
		limit = int(re.limit)
	}
	if m.memoOn {
		limit = inf // the work is linear
	}
	n, pos, pc, tries := len(data), start, int32(0), 0
	m.work++

next:
	for {
		in := &prog[pc]
		switch in.op {
		case opByte:
			if pos < n && data[pos] == byte(in.set) {
				pos++
				pc++
				continue
			}
		case opByteFold:
			if pos < n && lower(data[pos]) == byte(in.set) {
				pos++
				pc++
				continue
			}
		case opStr:
			if k := int(in.y); n-pos >= k && string(data[pos:pos+k]) == string(re.lits[in.x:in.x+in.y]) {
				pos += k
				pc++
				continue
			}
		case opStrFold:
			if k := int(in.y); n-pos >= k && equalFold(data[pos:pos+k], re.lits[in.x:in.x+in.y]) {
				pos += k
				pc++
				continue
			}
		case opSet:
			if pos < n && sets[in.set].has(data[pos]) {
				pos++
				pc++
				continue
			}
		case opAny:
			if pos < n {
				pos++
				pc++
				continue
			}
		case opJmp:
			pc = in.x
			continue
		case opSplit:
			m.work++
			x, y := in.flag&flagEndX != 0, in.flag&flagEndY != 0
			if pos < n {
				x, y = sets[in.set].has(data[pos]), sets[in.fs].has(data[pos])
			}
			if m.memoOn && in.memo != 0 && m.seen(in.memo, pos) {
				break
			}
			switch {
			case x:
				pc = in.x
				if y {
					if len(stack) >= maxFrames {
						m.stack = stack
						return stLimit
					}
					stack = append(stack, frame{frAlt, in.y, int32(pos), 0})
				}
				continue next
			case y:
				pc = in.y
				continue next
			}
		case opTake:
			if in.y != inf && m.memoOn && in.memo != 0 && m.seen(in.memo, pos) {
				break
			}
			end := m.runOf(re, in, data, pos)
			if end-pos < int(in.x) {
				break
			}
			if in.y == inf && m.memoOn && in.memo != 0 && m.seenRun(in, pos+int(in.x), end) {
				break
			}
			pos = end
			pc++
			continue
		case opGreedy:
			if in.y != inf && m.memoOn && in.memo != 0 && m.seen(in.memo, pos) {
				break
			}
			end := m.runOf(re, in, data, pos)
			lo := pos + int(in.x)
			if end < lo {
				break
			}
			if in.y == inf && m.memoOn && in.memo != 0 {
				if end = m.mark(in.memo, lo, end); end < lo {
					break
				}
			}
			at := re.giveBack(in, data, lo, end)
			if at < 0 {
				break
			}
			if at > lo {
				if len(stack) >= maxFrames {
					m.stack = stack
					return stLimit
				}
				stack = append(stack, frame{frGreedy, pc, int32(lo), int32(at - 1)})
			}
			pos = at
			pc++
			continue
		case opLazy:
			if in.y != inf && m.memoOn && in.memo != 0 && m.seen(in.memo, pos) {
				break
			}
			lo := pos + int(in.x)
			if in.x > 0 {
				if lo > n || re.runOfAtMost(in, data, pos, int(in.x)) < lo {
					break
				}
			}
			end := n
			if in.y != inf && int(in.y) < n-pos {
				end = pos + int(in.y)
			}
			at := m.takeMore(re, in, data, lo, end)
			m.work += 1 + max(at-lo, 0)>>3
			if at < 0 {
				break
			}
			if len(stack) >= maxFrames {
				m.stack = stack
				return stLimit
			}
			stack = append(stack, frame{frLazy, pc, int32(at), int32(end)})
			pos = at
			pc++
			continue
		case opSave:
			if in.flag&flagNeed != 0 || m.wantRegs {
				if len(stack) >= maxFrames {
					m.stack = stack
					return stLimit
				}
				stack = append(stack, frame{frReg, 0, int32(in.set), regs[in.set]})
				regs[in.set] = int32(pos)
			}
			pc++
			continue
		case opAssert:
			if re.holds(m, data, pos, assertKind(in.set)) {
				pc++
				continue
			}
		case opMatch:
			if pos != start || !re.refusesEmpty(m, start) {
				regs[1] = int32(pos)
				m.stack = stack
				return stMatch
			}
		case opLook:
			if in.set == 0 || pos < n && sets[in.set].has(data[pos]) {
				if len(stack) >= maxFrames {
					m.stack = stack
					return stLimit
				}
				stack = append(stack, frame{frBarrier, pc, int32(pos), m.barrier})
				m.barrier = int32(len(stack) - 1)
				pc++
				continue
			}
			// The inside cannot match here.
			if in.flag&flagNeg != 0 {
				pc = in.x
				continue
			}
			if in.y >= 0 {
				pc = in.y
				continue
			}
		default:
			var ok bool
			m.stack = stack
			pc, pos, ok = re.rare(m, in, data, pc, pos)
			stack = m.stack
			if ok {
				continue
			}
			if pc < 0 {
				return stLimit
			}
		}
		// The present way has failed: take the next one from the stack.
		for {
			if len(stack) == 0 {
				m.stack = stack
				return stFail
			}
			f := &stack[len(stack)-1]
			switch f.kind {
			case frReg:
				regs[f.a] = f.b
				stack = stack[:len(stack)-1]
				continue
			case frAlt:
				pc, pos = f.pc, int(f.a)
				stack = stack[:len(stack)-1]
			case frGreedy:
				in := &prog[f.pc]
				at := re.giveBack(in, data, int(f.a), int(f.b))
				m.work += (int(f.b) - max(at, int(f.a))) >> 3
				if at < 0 {
					stack = stack[:len(stack)-1]
					continue
				}
				pc, pos = f.pc+1, at
				if at == int(f.a) {
					stack = stack[:len(stack)-1]
				} else {
					f.b = int32(at - 1)
				}
			case frLazy:
				in := &prog[f.pc]
				from := int(f.a)
				if from >= int(f.b) || !sets[in.set].has(data[from]) {
					stack = stack[:len(stack)-1]
					continue
				}
				at := m.takeMore(re, in, data, from+1, int(f.b))
				if at < 0 {
					stack = stack[:len(stack)-1]
					m.work += 1 + (int(f.b)-from)>>3
					continue
				}
				m.work += (at - from) >> 3
				pc, pos = f.pc+1, at
				f.a = int32(at)
			default:
				var st unwound
				m.stack = stack
				pc, pos, st = re.unwind(m)
				stack = m.stack
				if st == unwoundOn {
					continue
				}
				if st != unwoundGo {
					return st.status()
				}
			}
			break
		}
		tries++
		m.work++
		if tries > limit {
			m.stack = stack
			return stLimit
		}
		if m.work > m.workMax {
			m.stack = stack
			return stHard
		}
	}
}

// refusesEmpty tells whether an empty match at start does not count.
func (re *Regexp) refusesEmpty(m *Machine, start int) bool {
	return re.opts.notEmpty || re.opts.notEmptyAt && start == m.from
}
