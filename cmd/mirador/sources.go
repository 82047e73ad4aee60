package main

import (
	"mirador/internal/config"
	"mirador/internal/mirror"
)

// loadSources reads a sources file.
func loadSources(path string) (*mirror.SourceTable, error) {
	return config.LoadSources(path)
}
