// Package step counts the steps of a program: calls of functions, turns of loops
// and bytes that library calls run over.
//
// Nothing counts in an ordinary build. Rewrite makes copies of source files with
// calls of this package in them, for an overlay of the go command; Again runs a test
// built that way. A count depends on the input alone, not on the machine or what
// else it does, so a test can say that four times the input costs at most five times
// the steps. Only tests use it (prototest.Cost for the parsers, Ratio for others).
package step

import (
	"bytes"
	"unicode"
	"unsafe"
)

// N is the number of steps so far. It is a global because the counting code has
// nothing else at hand; a test that counts runs alone in its process.
var N uint64

// perStep is how many bytes a library call runs over in one step: vector
// instructions make such bytes cheap, but not free.
const perStep = 8

func run(n int) { N += uint64(n)/perStep + 1 }

// text is what the rewritten library calls work on.
type text interface{ ~[]byte | ~string }

// view is the bytes of s.
func view[T text](s T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&s)), len(s))
}

// S counts the length of s, which is a slice, a string or anything else (then one
// step), and returns it. The second word of a slice or a string is its length.
func S[T any](s T) T {
	const word = unsafe.Sizeof(uintptr(0))
	if n := unsafe.Sizeof(s); n == 2*word || n == 3*word {
		run(*(*int)(unsafe.Add(unsafe.Pointer(&s), word)))
		return s
	}
	N++
	return s
}

// Copied counts n copied elements and returns n.
func Copied(n int) int { run(n); return n }

// found counts a search of s that ended at i (-1: nowhere).
func found(i, length int) int {
	if i < 0 {
		run(length)
	} else {
		run(i)
	}
	return i
}

// The functions below stand for those of the same name in bytes and strings; they
// count the bytes looked at, as far as the result tells.

// IndexByte counts up to the place found.
func IndexByte[T text](s T, c byte) int { return found(bytes.IndexByte(view(s), c), len(s)) }

// Index counts up to the place found.
func Index[T text](s, sep T) int { return found(bytes.Index(view(s), view(sep)), len(s)) }

// IndexAny counts up to the place found.
func IndexAny[T text](s T, chars string) int { return found(bytes.IndexAny(view(s), chars), len(s)) }

// Contains counts up to the place found.
func Contains[T text](s, sub T) bool { return Index(s, sub) >= 0 }

// LastIndexByte counts back to the place found.
func LastIndexByte[T text](s T, c byte) int {
	i := bytes.LastIndexByte(view(s), c)
	run(len(s) - max(i, 0))
	return i
}

// LastIndexAny counts back to the place found.
func LastIndexAny[T text](s T, chars string) int {
	i := bytes.LastIndexAny(view(s), chars)
	run(len(s) - max(i, 0))
	return i
}

// Cut counts up to the separator.
func Cut[T text](s, sep T) (before, after T, ok bool) {
	if i := Index(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	var none T
	return s, none, false
}

// Equal counts the shorter of both.
func Equal[T text](a, b T) bool { run(min(len(a), len(b))); return string(a) == string(b) }

// EqualFold counts the shorter of both.
func EqualFold[T text](a, b T) bool {
	run(min(len(a), len(b)))
	return bytes.EqualFold(view(a), view(b))
}

// TrimSpace counts what it takes off.
func TrimSpace[T text](s T) T {
	v := view(s)
	n := len(v) - len(bytes.TrimLeftFunc(v, unicode.IsSpace))
	m := len(bytes.TrimRightFunc(v[n:], unicode.IsSpace))
	run(len(s) - m)
	return s[n : n+m]
}

// Trim counts what it takes off.
func Trim[T text](s T, set string) T { return TrimLeft(TrimRight(s, set), set) }

// TrimLeft counts what it takes off.
func TrimLeft[T text](s T, set string) T {
	n := len(s) - len(bytes.TrimLeft(view(s), set))
	run(n)
	return s[n:]
}

// TrimRight counts what it takes off.
func TrimRight[T text](s T, set string) T {
	n := len(bytes.TrimRight(view(s), set))
	run(len(s) - n)
	return s[:n]
}
