//go:build !linux

package ec2api

import "os"

// lockDir opens the lock file; only on Linux does it keep others out.
func lockDir(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}
