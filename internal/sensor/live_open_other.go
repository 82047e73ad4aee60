//go:build !linux

package sensor

import "errors"

// OpenInputs works on Linux only.
func OpenInputs(InputOptions) ([]Input, error) {
	return nil, errors.New("receiving needs Linux")
}
