package pcre

// Options bounds the matching of a Machine. Zero means the default.
type Options struct {
	// MatchLimit is how often the backtracker may try again from one start position
	// before the match is given up. Unlike Suricata's pcre.match-limit it does not
	// touch regular patterns, for which no retries are wasted.
	MatchLimit int
	// DepthLimit is how deep a pattern may call itself.
	// Suricata: pcre.match-limit-recursion.
	DepthLimit int
}

// Stats counts what a Machine did; for the operator, and for tests.
type Stats struct {
	Matches    uint64 // calls of Match
	Rejected   uint64 // answered "no" without running an engine
	Runs       uint64 // start positions tried by the backtracker
	DFA        uint64 // subjects given to a DFA
	DFARebuilt uint64 // DFAs emptied because they grew too big
	LimitHits  uint64 // matches given up
	Work       uint64 // what it has cost, in about the cost of one instruction
}

// Machine is the scratch memory of matching. It belongs to one goroutine; the zero
// value is not ready, NewMachine makes one. It keeps DFAs of the patterns it has met:
// call Forget after patterns were replaced.
type Machine struct {
	// LimitHit tells whether the last Match was given up at a limit; it then reported
	// no match, and nobody knows whether there is one.
	LimitHit bool
	Stats    Stats

	matchLimit int
	depthLimit int
	easy       int // see easyBase; tests set it to 0

	stack   []frame
	regs    []int32
	calls   []call
	snaps   []int32
	call    int32 // the innermost call, -1 = none
	barrier int32 // the innermost atomic group or look-around on the stack, -1 = none

	memo     []uint64
	memoLen  int // len(subject)+1, the distance between two places in memo
	memoOn   bool
	work     int   // what the present match has cost
	workMax  int   // the bound of it: at first the one after which help is asked for
	runIn    *inst // the loop whose long run is kept
	runStart int
	runEnd   int
	skipTo   int // where (*SKIP) wants to go on
	from     int // where the search starts
	wantRegs bool

	groups int // of the last match
	dfas   map[*Regexp]*dfa
	dfaMem int
}

// frame is an entry of the backtracker's stack.
type frame struct {
	kind frameKind
	pc   int32
	a, b int32
}

type frameKind uint32

const (
	frAlt      frameKind = iota // go on at pc, position a
	frGreedy                    // give back: positions a to b are still to be tried
	frLazy                      // take more: from position a, at most to b
	frBackVar                   // look-behind: a bytes back are still to be tried
	frBarrier                   // an atomic group or look-around pc began at position a; b: barrier before
	frVerb                      // (*COMMIT) and the like at pc, position a
	frReg                       // register a was b
	frCall                      // the innermost call was a; b calls were kept before
	frSnapshot                  // registers were those at a of snaps
)

// call is a pattern's call of itself.
type call struct {
	ret    int32 // where to go on
	group  int32
	parent int32
	snap   int32 // registers to come back to
	depth  int32
}

// NewMachine returns a Machine.
func NewMachine(o Options) *Machine {
	m := &Machine{easy: easyBase, dfas: make(map[*Regexp]*dfa), stack: make([]frame, 0, 64)}
	m.SetLimits(o)
	return m
}

// SetLimits changes the limits; zero means the default. Suricata's modifier O asks
// for the configured limits in place of the default ones.
func (m *Machine) SetLimits(o Options) {
	m.matchLimit, m.depthLimit = o.MatchLimit, o.DepthLimit
	if m.matchLimit <= 0 {
		m.matchLimit = DefaultMatchLimit
	}
	if m.depthLimit <= 0 {
		m.depthLimit = DefaultDepthLimit
	}
}

// Forget drops what m remembers of patterns.
func (m *Machine) Forget() {
	clear(m.dfas)
	m.dfaMem = 0
}

// Group returns where group i of the last successful Match stands in the subject, as
// data[start:end]; start is -1 when the group took no part in the match or the match
// was made without WantGroups. Group 0 is the match.
func (m *Machine) Group(i int) (start, end int) {
	if i < 0 || i > m.groups || 2*i+1 >= len(m.regs) {
		return -1, -1
	}
	s, e := m.regs[2*i], m.regs[2*i+1]
	if s < 0 || e < 0 {
		return -1, -1
	}
	return int(s), int(e)
}

// MatchFlags say what a caller of Match wants to know.
type MatchFlags uint8

const (
	// WantGroups makes Match keep the groups for Machine.Group.
	WantGroups MatchFlags = 1 << iota
	// OnlyWhether tells that the caller does not use start and end, which may be -1
	// then. It lets a DFA answer alone.
	OnlyWhether
)

// Match looks for the leftmost match of re in data that starts at or after from; what
// lies before from can be seen by look-behind, \b and ^. start and end are offsets in
// data. It keeps nothing of data. Cost: linear in len(data) for Kind "literal" and
// "dfa"; bounded by the match limit and a bound linear in len(data) for "backtrack".
// It allocates only while m grows.
func (re *Regexp) Match(m *Machine, data []byte, from int, opts MatchFlags) (start, end int, ok bool) {
	m.Stats.Matches++
	m.LimitHit = false
	m.groups = -1
	if from < 0 || from > len(data) || len(data)-from < re.minLen {
		m.Stats.Rejected++
		return -1, -1, false
	}
	if len(data) >= inf {
		m.LimitHit = true
		m.Stats.LimitHits++
		return -1, -1, false
	}
	s := scan{re: re, data: data, from: from, hit: -1, last: len(data) - re.minLen}
	if re.plain {
		return m.plain(&s)
	}
	at, found := s.next(from)
	if !found {
		m.Stats.Rejected++
		return -1, -1, false
	}
	return re.attempts(m, &s, at, opts)
}

// plain answers for a pattern that is nothing but its required literal.
func (m *Machine) plain(s *scan) (int, int, bool) {
	i := s.find(&s.re.need, s.from)
	if i < 0 {
		m.Stats.Rejected++
		return -1, -1, false
	}
	end := i + len(s.re.need.text)
	m.groups = 0
	m.growRegs(2)
	m.regs[0], m.regs[1] = int32(i), int32(end)
	return i, end, true
}

func (m *Machine) growRegs(n int) {
	if cap(m.regs) < n {
		m.regs = make([]int32, n, n+16)
	}
	m.regs = m.regs[:n]
}

// attempts runs the backtracker at one start position after the other.
func (re *Regexp) attempts(m *Machine, s *scan, at int, opts MatchFlags) (int, int, bool) {
	start, end, ok := re.tryAll(m, s, at, opts)
	m.Stats.Work += uint64(m.work)
	return start, end, ok
}

func (re *Regexp) tryAll(m *Machine, s *scan, at int, opts MatchFlags) (int, int, bool) {
	data := s.data
	m.growRegs(max(re.nregs, 2))
	m.from = s.from
	m.wantRegs = opts&WantGroups != 0
	m.memoOn = false
	m.runIn = nil
	m.work = 0
	m.workMax = m.easy
	if m.easy > 0 {
		m.workMax += easyPerByte * (len(data) - s.from)
	}
	helped := false
	for {
		m.Stats.Runs++
		st := re.run(m, data, at)
		switch st {
		case stMatch:
			m.groups = 0
			if m.wantRegs {
				m.groups = re.groups
			}
			return int(m.regs[0]), int(m.regs[1]), true
		case stHard, stLimit:
			if helped {
				return m.giveUp()
			}
			helped = true
			switch m.help(s, at) {
			case never:
				return -1, -1, false
			case surely:
				if opts&OnlyWhether != 0 {
					return -1, -1, true
				}
			}
			if st == stLimit && !m.memoOn {
				return m.giveUp()
			}
			continue
		case stCommit:
			return -1, -1, false
		case stSkip:
			if m.skipTo > at {
				at = m.skipTo - 1
			}
		}
		var found bool
		if at, found = s.next(at + 1); !found {
			return -1, -1, false
		}
	}
}

func (m *Machine) giveUp() (int, int, bool) {
	m.LimitHit = true
	m.Stats.LimitHits++
	return -1, -1, false
}

// help is called when matching gets dear. It looks for the literals that must be there
// and asks a DFA whether there is a match at or after position at. When there may be
// one it grants the work that is allowed at most and has failures remembered from now on.
func (m *Machine) help(s *scan, at int) verdict {
	re, data := s.re, s.data
	if s.lacks(at) {
		return never
	}
	v := maybe
	if re.canDFA {
		v = m.dfaMatch(re, data, at)
	}
	if v != never {
		m.Stats.Work += uint64(m.work)
		m.work = 0
		m.workMax = workBase + workPerByte*(len(data)-m.from)
		m.remember(re, data)
	}
	return v
}

// remember switches the memory of failures on, when the pattern allows and it is not
// too big.
func (m *Machine) remember(re *Regexp, data []byte) {
	if re.memos == 0 {
		return
	}
	bits := re.memos * (len(data) + 1)
	if bits > maxMemoBits {
		return
	}
	words := (bits + 63) / 64
	if cap(m.memo) < words {
		m.memo = make([]uint64, words)
	}
	m.memo = m.memo[:words]
	clear(m.memo)
	m.memoLen = len(data) + 1
	m.memoOn = true
}

// seen tells whether matching from place p at position pos has failed before, and
// notes that it is being tried now.
func (m *Machine) seen(p uint16, pos int) bool {
	i := int(p-1)*m.memoLen + pos
	w, b := i>>6, uint64(1)<<(i&63)
	if m.memo[w]&b != 0 {
		return true
	}
	m.memo[w] |= b
	return false
}
