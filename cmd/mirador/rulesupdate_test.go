package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"mirador/internal/config"
)

// Every command and every YAML block of docs/howto/rules.md is one that works.
func TestRulesHowto(t *testing.T) {
	b, err := os.ReadFile("../../docs/howto/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllSubmatch(b, -1)
	if len(blocks) < 3 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, m := range blocks {
		if string(m[1]) == "yaml" {
			if _, err := config.Parse(m[2], "howto", nil); err != nil {
				t.Errorf("%v in\n%s", err, m[2])
			}
			continue
		}
		for line := range strings.Lines(string(m[2])) {
			if cmd, ok := strings.CutPrefix(line, "$ mirador "); ok {
				checkCommand(t, strings.Fields(cmd))
			}
		}
	}
}
