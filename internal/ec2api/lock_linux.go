package ec2api

import (
	"errors"
	"os"
	"syscall"
)

// lockDir takes a lock that ends with the process. Two endpoints over one state file
// would write each other's changes away.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.New("another endpoint uses it")
		}
		return nil, err
	}
	return f, nil
}
