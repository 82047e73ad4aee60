package step

import (
	"runtime"
	"testing"
)

// Cost is what a piece of work took.
type Cost struct {
	Steps uint64
	Bytes uint64 // allocated
}

// Measure returns the cost of f.
func Measure(f func()) Cost {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := N
	f()
	n = N - n
	runtime.ReadMemStats(&after)
	return Cost{n, after.TotalAlloc - before.TotalAlloc}
}

// slack is what Ratio forgives: the cost of a start that does not depend on the
// input.
var slack = Cost{Steps: 2000, Bytes: 64 << 10}

// Case is work whose cost must grow no faster than its input.
type Case struct {
	Name string
	N    int // the small size; the large one is four times that
	// Make prepares the work of size n; the work itself is what counts.
	Make func(n int) (work func())
}

// Ratio checks that each case costs at most five times as much for four times the
// size: steps, and bytes allocated. It runs the test once more with counting code
// (Again).
func Ratio(t *testing.T, cases ...Case) {
	t.Helper()
	if !On {
		Again(t)
		return
	}
	for _, c := range cases {
		Measure(c.Make(c.N)) // what is made once is made now
		small, large := Measure(c.Make(c.N)), Measure(c.Make(4*c.N))
		Check(t, c.Name, small, large)
	}
}

// Check compares the cost of an input with that of one four times as large.
func Check(tb testing.TB, name string, small, large Cost) {
	tb.Helper()
	if small.Steps == 0 {
		tb.Errorf("%s: no steps were counted", name)
	}
	if large.Steps > 5*small.Steps+slack.Steps {
		tb.Errorf("%s: %d steps, and %d for four times the input", name, small.Steps, large.Steps)
	}
	if large.Bytes > 5*small.Bytes+slack.Bytes {
		tb.Errorf("%s: %d bytes allocated, and %d for four times the input", name, small.Bytes, large.Bytes)
	}
}
