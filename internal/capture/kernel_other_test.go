//go:build !linux

package capture_test

func kernel() []source { return nil }
