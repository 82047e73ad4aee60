package main

import (
	"fmt"
	"os"

	"mirador/internal/mirror"
)

// loadSources reads a sources file.
func loadSources(path string) (*mirror.SourceTable, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read sources file: %w", err)
	}
	return mirror.ParseSources(b, path)
}
