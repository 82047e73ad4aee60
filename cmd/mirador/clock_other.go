//go:build !linux

package main

// monotonicUsec is for systemd only.
func monotonicUsec() string { return "" }
