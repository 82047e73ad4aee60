//go:build !linux

package main

// dropPrivileges does nothing: there is no software mirror here.
func dropPrivileges(string) error { return nil }

func dropsPrivileges(string) bool { return false }
