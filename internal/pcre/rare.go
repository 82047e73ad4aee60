package pcre

// rare executes the less usual instructions. It returns where to go on; when ok is
// false the present way has failed, and pc is negative when a limit was hit.
func (re *Regexp) rare(m *Machine, in *inst, data []byte, pc int32, pos int) (int32, int, bool) {
	if len(m.stack) >= maxFrames-2 {
		return -1, 0, false
	}
	switch in.op {
	case opClose:
		if in.flag&flagNeed != 0 || m.wantRegs {
			m.setReg(int32(2*in.set), m.regs[in.x])
			m.setReg(int32(2*in.set)+1, int32(pos))
		}
	case opBackref:
		end, ok := re.backref(m, in, data, pos)
		if !ok {
			return pc, pos, false
		}
		pos = end
	case opAtomic:
		m.stack = append(m.stack, frame{frBarrier, pc, int32(pos), m.barrier})
		m.barrier = int32(len(m.stack) - 1)
	case opAtomicEnd:
		m.leave(re, true)
	case opLookEnd:
		return re.lookEnd(m)
	case opBack:
		if pos < int(in.x) {
			return pc, pos, false
		}
		pos -= int(in.x)
	case opBackVar:
		return m.backVar(in, pc, pos, min(int(in.y), pos))
	case opBackEnd:
		if int32(pos) != m.stack[m.barrier].a {
			return pc, pos, false
		}
	case opCond:
		if !re.condition(m, in) {
			return in.y, pos, true
		}
	case opCall:
		return re.enter(m, in, pc, pos)
	case opRet:
		if m.call >= 0 && m.calls[m.call].group == in.x {
			return re.leaveCall(m, pos)
		}
	case opMark:
		m.setReg(int32(in.set), int32(pos))
	case opEmptyTo:
		if m.regs[in.set] == int32(pos) && (in.fs == 0 || m.regs[in.fs] >= in.y) {
			return in.x, pos, true
		}
	case opZero:
		m.setReg(int32(in.set), 0)
	case opInc:
		m.setReg(int32(in.set), m.regs[in.set]+1)
	case opCount:
		return re.count(m, in, pc), pos, true
	case opAccept:
		return re.accept(m, in, pos)
	case opVerb:
		m.stack = append(m.stack, frame{frVerb, pc, int32(pos), 0})
	default: // opFail
		return pc, pos, false
	}
	return pc + 1, pos, true
}

// setReg changes a register such that backtracking restores it.
func (m *Machine) setReg(r, v int32) {
	m.stack = append(m.stack, frame{frReg, 0, r, m.regs[r]})
	m.regs[r] = v
}

// count decides on another round of a counted group; between the bounds the split that
// follows does.
func (re *Regexp) count(m *Machine, in *inst, pc int32) int32 {
	split := &re.prog[pc+1]
	body, exit := split.x, split.y
	if in.flag&flagLazy != 0 {
		body, exit = exit, body
	}
	switch v := m.regs[in.set]; {
	case v < in.x:
		return body
	case v >= in.y:
		return exit
	}
	return pc + 1
}

// backref matches what one of the groups matched; of several groups of one name the
// first that is set counts. A group that is not set matches nothing.
func (re *Regexp) backref(m *Machine, in *inst, data []byte, pos int) (int, bool) {
	for _, g := range re.lists[in.x] {
		s, e := m.regs[2*g], m.regs[2*g+1]
		if s < 0 || e < 0 || e < s {
			continue
		}
		k := int(e - s)
		m.work += k >> 3
		if len(data)-pos < k {
			return pos, false
		}
		if in.flag&flagFold == 0 {
			return pos + k, string(data[s:e]) == string(data[pos:pos+k])
		}
		for i := 0; i < k; i++ {
			if lower(data[int(s)+i]) != lower(data[pos+i]) {
				return pos, false
			}
		}
		return pos + k, true
	}
	return pos, false
}

func (re *Regexp) condition(m *Machine, in *inst) bool {
	list := re.lists[in.x]
	if in.set == condRecurse {
		if m.call < 0 {
			return false
		}
		if len(list) == 0 {
			return true
		}
		for _, g := range list {
			if m.calls[m.call].group == int32(g) {
				return true
			}
		}
		return false
	}
	for _, g := range list {
		if m.regs[2*g] >= 0 && m.regs[2*g+1] >= 0 {
			return true
		}
	}
	return false
}

// leave drops the innermost barrier and all ways to go on that were put on the stack
// since; what restores registers stays, unless undo asks for it to be done now.
func (m *Machine) leave(re *Regexp, keep bool) {
	at := m.barrier
	b := m.stack[at]
	m.barrier = b.b
	if re.prog[b.pc].flag&flagUndo == 0 {
		m.stack = m.stack[:at]
		return
	}
	if !keep {
		for i := len(m.stack) - 1; i > int(at); i-- {
			m.restore(&m.stack[i])
		}
		m.stack = m.stack[:at]
		return
	}
	out := int(at)
	for i := int(at) + 1; i < len(m.stack); i++ {
		if m.stack[i].kind >= frReg {
			m.stack[out] = m.stack[i]
			out++
		}
	}
	m.work += (len(m.stack) - out) >> 3
	m.stack = m.stack[:out]
}

// restore undoes what a frame of kind frReg or above has changed.
func (m *Machine) restore(f *frame) {
	switch f.kind {
	case frReg:
		m.regs[f.a] = f.b
	case frCall:
		m.call = f.a
		m.calls = m.calls[:f.b]
	case frSnapshot:
		copy(m.regs, m.snaps[f.a:])
		m.snaps = m.snaps[:f.a]
	}
}

// lookEnd is reached when the inside of a look-around has matched.
func (re *Regexp) lookEnd(m *Machine) (int32, int, bool) {
	b := m.stack[m.barrier]
	in := &re.prog[b.pc]
	if in.flag&flagNeg == 0 {
		m.leave(re, true)
		return in.x, int(b.a), true
	}
	m.leave(re, false)
	if in.y >= 0 {
		return in.y, int(b.a), true
	}
	return 0, 0, false
}

// backVar goes back bytes, and notes that fewer may be tried.
func (m *Machine) backVar(in *inst, pc int32, pos, back int) (int32, int, bool) {
	if back < int(in.x) {
		return pc, pos, false
	}
	if back > int(in.x) {
		m.stack = append(m.stack, frame{frBackVar, pc, int32(pos), int32(back - 1)})
	}
	return pc + 1, pos - back, true
}

// enter calls a group as a subroutine. Its captures are forgotten when it returns.
func (re *Regexp) enter(m *Machine, in *inst, pc int32, pos int) (int32, int, bool) {
	depth := int32(1)
	if m.call >= 0 {
		depth = m.calls[m.call].depth + 1
	}
	if int(depth) > m.depthLimit || len(m.snaps)+re.nregs > maxSnapshot || len(m.calls) >= maxSnapshot/16 {
		return -1, 0, false
	}
	m.work += 1 + re.nregs>>3
	c := call{ret: pc + 1, group: in.y, parent: m.call, snap: int32(len(m.snaps)), depth: depth}
	m.stack = append(m.stack, frame{frSnapshot, 0, int32(len(m.snaps)), 0})
	m.snaps = append(m.snaps, m.regs[:re.nregs]...)
	m.stack = append(m.stack, frame{frCall, 0, m.call, int32(len(m.calls))})
	m.calls = append(m.calls, c)
	m.call = int32(len(m.calls) - 1)
	return in.x, pos, true
}

// leaveCall returns from the innermost call. Backtracking can come back into it.
func (re *Regexp) leaveCall(m *Machine, pos int) (int32, int, bool) {
	if len(m.snaps)+re.nregs > maxSnapshot {
		return -1, 0, false
	}
	c := m.calls[m.call]
	m.work += 1 + re.nregs>>3
	m.stack = append(m.stack, frame{frSnapshot, 0, int32(len(m.snaps)), 0})
	m.snaps = append(m.snaps, m.regs[:re.nregs]...)
	keep := m.regs[0]
	copy(m.regs, m.snaps[c.snap:int(c.snap)+re.nregs])
	m.regs[0] = keep // \K lasts
	m.stack = append(m.stack, frame{frCall, 0, m.call, int32(len(m.calls))})
	m.call = c.parent
	return c.ret, pos, true
}

// accept ends the innermost look-around or the match, with the open groups closed.
func (re *Regexp) accept(m *Machine, in *inst, pos int) (int32, int, bool) {
	if len(m.stack)+2*len(re.lists[in.x]) > maxFrames {
		return -1, 0, false
	}
	for _, g := range re.lists[in.x] {
		m.setReg(int32(2*g), m.regs[2*(re.groups+1)+g])
		m.setReg(int32(2*g+1), int32(pos))
	}
	for b := m.barrier; b >= 0; b = m.stack[b].b {
		if re.prog[m.stack[b].pc].op == opLook {
			m.barrier = b
			return re.lookEnd(m)
		}
	}
	return int32(len(re.prog) - 1), pos, true
}

// unwound says how unwind ended.
type unwound uint8

const (
	unwoundOn     unwound = iota // nothing to try there: go further down the stack
	unwoundGo                    // go on at the place returned
	unwoundCommit                // (*COMMIT)
	unwoundPrune
	unwoundSkip
)

func (u unwound) status() status {
	switch u {
	case unwoundCommit:
		return stCommit
	case unwoundSkip:
		return stSkip
	}
	return stFail
}

// unwind takes the topmost frame of a less usual kind off the stack.
func (re *Regexp) unwind(m *Machine) (int32, int, unwound) {
	f := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	switch f.kind {
	case frBackVar:
		pc, pos, ok := m.backVar(&re.prog[f.pc], f.pc, int(f.a), int(f.b))
		if ok {
			return pc, pos, unwoundGo
		}
	case frBarrier:
		m.barrier = f.b
		in := &re.prog[f.pc]
		switch {
		case in.op == opAtomic:
		case in.flag&flagNeg != 0: // the inside does not match: it holds
			return in.x, int(f.a), unwoundGo
		case in.y >= 0:
			return in.y, int(f.a), unwoundGo
		}
	case frVerb:
		return re.unwindVerb(m, &f)
	default:
		m.restore(&f)
	}
	return 0, 0, unwoundOn
}

// unwindVerb makes everything fail up to the innermost look-around that is
// negative or a condition, or else the attempt. PCRE2 does the same.
func (re *Regexp) unwindVerb(m *Machine, f *frame) (int32, int, unwound) {
	for b := m.barrier; b >= 0; b = m.stack[b].b {
		if in := &re.prog[m.stack[b].pc]; in.op != opLook || in.flag&flagNeg == 0 && in.y < 0 {
			continue
		}
		for len(m.stack)-1 > int(b) {
			m.restore(&m.stack[len(m.stack)-1])
			m.stack = m.stack[:len(m.stack)-1]
		}
		return 0, 0, unwoundOn
	}
	switch verbKind(re.prog[f.pc].set) {
	case vbCommit:
		return 0, 0, unwoundCommit
	case vbSkip:
		m.skipTo = int(f.a)
		return 0, 0, unwoundSkip
	}
	return 0, 0, unwoundPrune
}

// holds evaluates an assertion.
func (re *Regexp) holds(m *Machine, data []byte, pos int, k assertKind) bool {
	n := len(data)
	switch k {
	case asBOT:
		return pos == 0
	case asStart:
		return pos == m.from
	case asEOT:
		return pos == n
	case asWord, asNotWord:
		a := pos > 0 && isWord(data[pos-1])
		b := pos < n && isWord(data[pos])
		return (a != b) == (k == asWord)
	case asEOTL:
		return pos == n || re.newlineAt(data, pos) == n-pos && pos < n
	case asEOL:
		return pos == n || re.newlineAt(data, pos) > 0
	case asBOL:
		return pos == 0 || pos < n && re.newlineBefore(data, pos)
	case asCR:
		return pos+1 >= n || data[pos] != '\r' || data[pos+1] != '\n'
	}
	return false
}

// newlineAt returns the length of the newline that begins at pos, 0 for none.
func (re *Regexp) newlineAt(data []byte, pos int) int {
	if pos >= len(data) {
		return 0
	}
	c := data[pos]
	two := c == '\r' && pos+1 < len(data) && data[pos+1] == '\n'
	switch re.opts.newline {
	case nlLF:
		if c == '\n' {
			return 1
		}
		return 0
	case nlCR:
		if c == '\r' {
			return 1
		}
		return 0
	case nlCRLF:
		if two {
			return 2
		}
		return 0
	case nlNUL:
		if c == 0 {
			return 1
		}
		return 0
	case nlAnyCRLF:
		switch {
		case two:
			return 2
		case c == '\n' || c == '\r':
			return 1
		}
		return 0
	}
	s := vspaceSet()
	switch {
	case two:
		return 2
	case s.has(c):
		return 1
	}
	return 0
}

// newlineBefore tells whether a newline ends right before pos, which is not 0.
func (re *Regexp) newlineBefore(data []byte, pos int) bool {
	c := data[pos-1]
	switch re.opts.newline {
	case nlLF:
		return c == '\n'
	case nlCR:
		return c == '\r'
	case nlNUL:
		return c == 0
	case nlCRLF:
		return c == '\n' && pos > 1 && data[pos-2] == '\r'
	}
	// Between the bytes of CRLF no newline has ended yet.
	if c == '\r' && pos < len(data) && data[pos] == '\n' {
		return false
	}
	if re.opts.newline == nlAnyCRLF {
		return c == '\n' || c == '\r'
	}
	s := vspaceSet()
	return s.has(c)
}
