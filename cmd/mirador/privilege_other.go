//go:build !linux

package main

// dropPrivileges does nothing: there is no software mirror here.
func dropPrivileges(string, []uintptr) error { return nil }

var capsAFPacket, capsEBPF []uintptr
