//go:build !linux

package ruleupdate

import (
	"errors"
	"fmt"
	"os"
)

// lock takes the lock of a state folder. After a crash the file must be removed by hand.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("lock rules: %w", err)
	}
	return func() { f.Close(); os.Remove(name) }, nil
}
