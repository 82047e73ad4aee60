package pcre

const (
	// DefaultMatchLimit bounds the retries of the backtracker from one start position.
	// Source: Suricata's default for pcre.match-limit.
	DefaultMatchLimit = 3500
	// DefaultDepthLimit bounds how deep a pattern may call itself.
	// Source: Suricata's default for pcre.match-limit-recursion.
	DefaultDepthLimit = 1500

	// maxPattern is the longest pattern in bytes. PCRE2 refuses patterns whose compiled
	// form is above 64 KiB, which this approaches.
	maxPattern = 1 << 16
	// maxParens is how deep groups may nest. Source: PCRE2's PARENS_NEST_LIMIT.
	maxParens = 250
	// maxRepeat is the largest number in a quantifier. Source: PCRE2.
	maxRepeat = 65535
	// maxGroups bounds capturing groups; far above any rule, so that registers fit 16 bits.
	maxGroups = 2000
	// maxName is the longest group name in bytes. Source: PCRE2.
	maxName = 32
	// maxLookbehind is the longest look-behind of variable length in bytes. Source: PCRE2 10.43.
	maxLookbehind = 255
	// maxInsts bounds the program of a pattern: 64 Ki instructions of 20 bytes.
	maxInsts = 1 << 16
	// maxSets bounds the different byte sets of a pattern: 32 bytes each.
	maxSets = 1 << 12
	// expandInsts is up to how many instructions a counted group is written out instead
	// of counted at run time. Written out it can be remembered (memo.go).
	expandInsts = 600

	// maxFrames bounds the backtracker's stack: 16 bytes each, 2 MiB in a Machine.
	maxFrames = 1 << 17
	// maxSnapshot bounds the registers kept for recursion, in 4-byte words: 1 MiB.
	maxSnapshot = 1 << 18
	// workBase and workPerByte bound the whole work of a match, in about the cost of one
	// step, so that many start positions which each stay below the match limit still
	// cost linear time. Suricata has no such bound.
	workBase    = 1 << 20
	workPerByte = 64
	// easyBase and easyPerByte are the work after which a DFA is asked whether there is
	// a match at all, and failures are remembered.
	easyBase    = 512
	easyPerByte = 1
	// maxMemoBits bounds the memory for remembered failures: 2 MiB in a Machine.
	maxMemoBits = 1 << 24

	// maxNFA bounds the nodes of the automaton behind a DFA. Beyond it repeats are
	// widened, so that the DFA only proves that there is no match.
	maxNFA = 320
	// maxDFATable bounds the transitions of one pattern's DFA (4 bytes each), after
	// which it is emptied and begun again.
	maxDFATable = 1 << 16
	// maxDFAWords bounds the node sets of one DFA's states (8 bytes each).
	maxDFAWords = 1 << 14
	// maxMachineDFA bounds the memory in bytes of all DFAs of a Machine; beyond it all
	// are dropped.
	maxMachineDFA = 8 << 20
)
