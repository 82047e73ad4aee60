package ruleupdate

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock takes the lock of a state folder; it ends with the process, however that ends.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock rules: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("lock rules: %w", err)
	}
	return func() { f.Close() }, nil
}
