package main

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"mirador/internal/config"
	"mirador/internal/detect"
	"mirador/internal/proto"
)

var update = flag.Bool("update", false, "write the generated documents anew")

// TestKeywordsDoc keeps docs/reference/keywords.md in step with the keyword table.
func TestKeywordsDoc(t *testing.T) {
	table, err := proto.NewTable(protocols(), config.Stock().Protocol)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := writeKeywords(&want, detect.Keywords(table), "md"); err != nil {
		t.Fatal(err)
	}
	golden(t, "../../docs/reference/keywords.md", want.Bytes())
}

func golden(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the program makes (%v): go test ./cmd/mirador -run Doc -update", path, err)
	}
}
