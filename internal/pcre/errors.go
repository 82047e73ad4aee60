package pcre

import (
	"errors"
	"strconv"
)

// ErrNoGroup is wrapped by the error for a reference to a group that does not exist.
// It is what PCRE2 calls error 115.
var ErrNoGroup = errors.New("reference to a group that does not exist")

// ErrUnsupported is wrapped by the error for syntax that PCRE2 knows and this engine does not.
var ErrUnsupported = errors.New("not supported")

// ErrTooBig is wrapped by the error for a pattern that exceeds a limit of this engine.
var ErrTooBig = errors.New("pattern is too big")

// Error is why a pattern was refused.
type Error struct {
	Pos int    // offset in bytes in the pattern at which it was noticed
	Msg string // what is wrong
	Err error  // a sentinel of this package, or nil
}

// Error returns the message with the position.
func (e *Error) Error() string { return e.Msg + " at offset " + strconv.Itoa(e.Pos) }

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }
