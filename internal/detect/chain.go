package detect

import (
	"math"

	"mirador/internal/mpm"
	"mirador/internal/pcre"
	"mirador/internal/rule"
)

// An inspection of one buffer is a chain of ops, in the order of the rule. A
// content or pcre that something later is relative to is tried again behind its
// last match when the rest of the chain fails, so that the result does not depend
// on which of several occurrences comes first.

type opKind uint8

const (
	opContent opKind = iota
	opPCRE
	opIsDataAt
	opByteTest
	opByteJump
	opByteExtract
	opByteMath
	opSize   // bsize, urilen
	opCustom // everything behind the bufferOp interface
)

type opFlag uint32

const (
	flagNegated opFlag = 1 << iota
	flagNocase
	flagRelative // starts at the end of the last match
	flagDepth
	flagOffset
	flagDistance
	flagWithin
	flagEndsWith
	flagStartsWith
	flagVars         // positions come from variables (ext is *contentVars)
	flagRetry        // something later is relative to this op's match
	flagFastPattern  // the rule says fast_pattern
	flagFastOnly     // fast_pattern:only: need not be looked for again
	flagProvenByScan // the prefilter's hit says all this op would say
	flagMoves        // a non-relative positive op: sets the position anew
	flagNeedPos      // something later is relative: the end of the match is needed
	flagRawBytes     // the rule says rawbytes
)

// op is one step of a chain. Contents use the plain fields; the others keep their
// data behind ext.
type op struct {
	kind                         opKind
	flag                         opFlag
	pat                          string // as in the rule
	lit                          mpm.Literal
	off, depth, distance, within int32
	ext                          any
}

// contentVars are the variables a content's positions come from; -1 is none.
type contentVars struct{ off, depth, distance, within int8 }

// bufferOp is an op of a kind that is too rare for a case of its own.
type bufferOp interface {
	// test looks at the buffer; w.pos is the end of the last match. It returns
	// chainNo, chainYes, or chainNever.
	test(w *Worker, b *window) verdict
}

// verdict is the outcome of a chain.
type verdict uint8

const (
	chainNo    verdict = iota
	chainYes           // the rest of the chain matches
	chainNever         // no other occurrence of an earlier content can help
)

// window is a buffer, or the part of a growing buffer that is looked at now.
type window struct {
	data   []byte
	off    uint64 // offset of data[0] in the whole buffer
	eof    bool   // data reaches to the end of the buffer
	little bool   // byte order for the dce modifier
}

func (b *window) reset(data []byte, off uint64, eof bool) {
	b.data, b.off, b.eof, b.little = data, off, eof, false
}

// run inspects b with ops from the start.
func (w *Worker) run(ops []op, b *window) bool {
	w.pos = 0
	w.steps = 0
	return w.chain(ops, b) == chainYes
}

// chain inspects b with the rest of a chain.
func (w *Worker) chain(ops []op, b *window) verdict {
	for i := range ops {
		o := &ops[i]
		w.steps++
		if w.steps > w.recursion {
			w.Counters.RecursionLimit++
			return chainNever
		}
		switch o.kind {
		case opContent:
			if o.flag&flagProvenByScan != 0 {
				continue
			}
			v, done := w.content(o, ops[i+1:], b)
			if done || v != chainYes {
				return v
			}
		case opPCRE:
			v, done := w.pcreOp(o, ops[i+1:], b)
			if done || v != chainYes {
				return v
			}
		case opIsDataAt:
			if !w.isDataAt(o, b) {
				return chainNo
			}
		case opByteTest:
			if !w.byteTest(o.ext.(*byteOp), b) {
				return chainNo
			}
		case opByteJump:
			if !w.byteJump(o.ext.(*byteOp), b) {
				return chainNo
			}
		case opByteExtract:
			if !w.byteExtract(o.ext.(*byteOp), b) {
				return chainNo
			}
		case opByteMath:
			if !w.byteMath(o.ext.(*byteOp), b) {
				return chainNo
			}
		case opSize:
			if !o.ext.(*rule.Uint).Match(b.off + uint64(len(b.data))) {
				return chainNever
			}
		case opCustom:
			if v := o.ext.(bufferOp).test(w, b); v != chainYes {
				return v
			}
		}
	}
	return chainYes
}

// content looks for o. done tells that the verdict is of the whole rest and not
// only of o.
func (w *Worker) content(o *op, rest []op, b *window) (v verdict, done bool) {
	lo, hi, ok := w.bounds(o, b)
	negated := o.flag&flagNegated != 0
	start := w.pos
	for {
		at := -1
		if ok {
			at = o.find(b.data, lo, hi)
		}
		if negated {
			if at < 0 {
				return chainYes, false
			}
			return o.fail(), true
		}
		if at < 0 {
			return o.fail(), true
		}
		w.pos = at + len(o.pat)
		if o.flag&flagRetry == 0 {
			return chainYes, false
		}
		if v := w.chain(rest, b); v != chainNo {
			return v, true
		}
		if o.flag&flagEndsWith != 0 || w.steps > w.recursion {
			return o.fail(), true
		}
		w.pos = start
		lo = at + 1
	}
}

// find returns the first place of o in data[lo:hi], or -1.
func (o *op) find(data []byte, lo, hi int) int {
	n := len(o.pat)
	if hi-lo < n {
		return -1
	}
	if o.flag&flagEndsWith != 0 {
		if hi == len(data) && o.lit.Match(data, hi-n) {
			return hi - n
		}
		return -1
	}
	if hi-lo == n {
		if o.lit.Match(data, lo) {
			return lo
		}
		return -1
	}
	return o.lit.Index(data[:hi], lo)
}

// fail is the verdict when o cannot be found: an op that does not depend on the
// last match will not be found the next time either.
func (o *op) fail() verdict {
	if o.flag&(flagRelative|flagVars) != 0 {
		return chainNo
	}
	return chainNever
}

// bounds returns the part of the window in which o has to lie. ok is false when
// there is no such part.
func (w *Worker) bounds(o *op, b *window) (lo, hi int, ok bool) {
	if o.flag&(flagRelative|flagDepth|flagOffset|flagVars) == 0 {
		return 0, len(b.data), true
	}
	// 64-bit arithmetic: variables may hold anything.
	off, depth := int64(o.off), int64(o.depth)
	distance, within := int64(o.distance), int64(o.within)
	if o.flag&flagVars != 0 {
		x := o.ext.(*contentVars)
		off, depth = w.varOr(x.off, off), w.varOr(x.depth, depth)
		distance, within = w.varOr(x.distance, distance), w.varOr(x.within, within)
	}
	size := int64(len(b.data))
	l, h := int64(0), size
	if o.flag&flagRelative != 0 {
		pos := int64(w.pos)
		l = max(pos+distance, 0)
		if o.flag&flagWithin != 0 {
			h = min(h, pos+distance+within)
		}
		if o.flag&flagDepth != 0 {
			h = min(h, pos+depth)
		}
		if o.flag&flagOffset != 0 {
			l = max(l, off)
		}
	} else {
		base := int64(min(b.off, math.MaxInt32))
		if o.flag&flagOffset != 0 {
			l = max(off-base, 0)
		}
		if o.flag&flagDepth != 0 {
			// depth counts from offset on, unless it is a variable.
			if o.flag&flagVars == 0 || o.ext.(*contentVars).depth < 0 {
				depth += off
			}
			h = min(h, depth-base)
		}
	}
	if l >= h || l > size {
		return 0, 0, false
	}
	return int(l), int(h), true
}

// varOr returns variable i, or def when there is none.
func (w *Worker) varOr(i int8, def int64) int64 {
	if i < 0 {
		return def
	}
	return int64(min(w.vars[i], math.MaxInt32))
}

// isDataAt: absolute positions must lie inside the buffer, relative ones may also
// be its end. Suricata 8 rules/payload-keywords, isdataat.
func (w *Worker) isDataAt(o *op, b *window) bool {
	n := int64(o.off)
	if o.flag&flagVars != 0 {
		n = w.varOr(o.ext.(*contentVars).off, n)
	}
	var ok bool
	if o.flag&flagRelative != 0 {
		ok = int64(w.pos)+n <= int64(len(b.data))
	} else {
		ok = n < int64(len(b.data))
	}
	return ok != (o.flag&flagNegated != 0)
}

// markRetries finds the ops that have to be tried again when what follows them
// fails, and prepares the contents.
func markRetries(ops []op) {
	for i := range ops {
		if ops[i].kind == opContent {
			ops[i].lit = mpm.NewLiteral([]byte(ops[i].pat), ops[i].flag&flagNocase != 0)
		}
		if ops[i].flag&flagNegated != 0 || ops[i].kind != opContent && ops[i].kind != opPCRE {
			continue
		}
		for j := i + 1; j < len(ops); j++ {
			if ops[j].flag&flagRelative != 0 {
				ops[i].flag |= flagRetry | flagNeedPos
				break
			}
			if ops[j].flag&flagMoves != 0 {
				break
			}
		}
	}
}

// pcreOp matches o and remembers what it captures. done is as for content.
func (w *Worker) pcreOp(o *op, rest []op, b *window) (v verdict, done bool) {
	x := o.ext.(*pcreOp)
	base := 0
	if o.flag&flagRelative != 0 {
		base = w.pos
		if base > len(b.data) {
			return o.fail(), true
		}
	}
	// A relative pattern sees the buffer from the last match on: ^ is there.
	data := b.data[base:]
	flags := pcre.MatchFlags(0)
	switch {
	case len(x.caps) > 0:
		flags = pcre.WantGroups
	case o.flag&(flagNegated|flagNeedPos) == flagNegated || o.flag&flagNeedPos == 0:
		flags = pcre.OnlyWhether
	}
	for from := 0; ; {
		start, end, ok := x.re.Match(w.machine, data, from, flags)
		if w.machine.LimitHit {
			w.Counters.RegexLimit++
		}
		if o.flag&flagNegated != 0 {
			if !ok {
				return chainYes, false
			}
			return o.fail(), true
		}
		if !ok {
			return o.fail(), true
		}
		if len(x.caps) > 0 {
			w.capture(x, data)
		}
		if end >= 0 {
			w.pos = base + end
		}
		if o.flag&flagRetry == 0 {
			return chainYes, false
		}
		if v := w.chain(rest, b); v != chainNo {
			return v, true
		}
		from = start + 1
		if from > len(data) || w.steps > w.recursion {
			return o.fail(), true
		}
	}
}
