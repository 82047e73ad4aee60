package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mirador/internal/setup"
)

// awsReference makes docs/reference/aws.md.
func awsReference() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# `mirador aws` and `mirror.yaml`")
	p("")
	p("Made by `go test ./cmd/mirador -run AWSReference -update`. How to use it: [the how-to](../howto/aws.md).")
	p("")
	p("## Commands")
	p("")
	root := newRoot()
	aws, _, err := root.Find([]string{"aws"})
	if err != nil {
		return err.Error()
	}
	for _, c := range aws.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		p("### `%s`", c.UseLine())
		p("")
		p("%s", strings.ToUpper(c.Short[:1])+c.Short[1:]+".")
		p("")
		usage(&b, c)
	}
	p("All of them take")
	p("")
	p("```")
	b.WriteString(aws.PersistentFlags().FlagUsages())
	p("```")
	p("")
	p("## Exit codes")
	p("")
	p("| code | meaning |")
	p("|--:|---|")
	p("| 0 | done, or nothing to do |")
	p("| 1 | failed, or it could not be found out |")
	p("| 2 | a check found an error; there are changes (`plan --detailed-exitcode`); it cannot be within AWS' limits |")
	p("| 3 | some changes could not be made; run again |")
	p("| 4 | refused: not confirmed, the plan is out of date, another run is at work |")
	p("| 64 | usage, or an error in `mirror.yaml` |")
	p("| 77 | the caller may not do this (the IAM action is named), or has no valid credentials |")
	p("| 130 | interrupted |")
	p("")
	p("## Keys of `mirror.yaml`")
	p("")
	p("| key | type | meaning |")
	p("|---|---|---|")
	for _, k := range setup.SpecKeys() {
		p("| `%s` | %s | %s |", k.Path, k.Type, strings.ReplaceAll(k.Doc, "|", "\\|"))
	}
	p("")
	p("## Prices")
	p("")
	p("`plan` takes prices from this file, or from the one that `--rates` names:")
	p("")
	p("```yaml")
	b.WriteString(setup.DefaultRatesFile())
	p("```")
	return b.String()
}

func usage(b *strings.Builder, c *cobra.Command) {
	if f := c.LocalNonPersistentFlags().FlagUsages(); f != "" {
		fmt.Fprintf(b, "```\n%s```\n\n", f)
	}
}

// TestAWSReference keeps docs/reference/aws.md in step with commands and keys.
func TestAWSReference(t *testing.T) {
	golden(t, "../../docs/reference/aws.md", []byte(awsReference()))
}

// Commands and descriptions of the how-to are ones that work.
func TestAWSHowto(t *testing.T) {
	b, err := os.ReadFile("../../docs/howto/aws.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllSubmatch(b, -1)
	if len(blocks) < 6 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, m := range blocks {
		text := regexp.MustCompile(`(?m)^   `).ReplaceAllString(string(m[2]), "")
		switch string(m[1]) {
		case "yaml":
			if _, err := setup.ParseSpec([]byte(text), "howto"); err != nil {
				t.Errorf("%v in\n%s", err, text)
			}
		case "console":
			for _, line := range strings.Split(text, "\n") {
				if cmd, ok := strings.CutPrefix(strings.TrimSpace(line), "$ mirador "); ok {
					cmd, _, _ = strings.Cut(cmd, " > ")
					checkCommand(t, strings.Fields(cmd))
				}
			}
		}
	}
}

// TestAWSCoverage checks that every row of the reference page that docs/reference/aws-coverage.md
// lists names a test that exists.
func TestAWSCoverage(t *testing.T) {
	b, err := os.ReadFile("../../docs/reference/aws-coverage.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, dir := range []string{"../../internal/setup", "../../internal/awscloud", "../../internal/ec2api", "../../internal/vpc", "../../internal/mirror", "../../internal/web", "../../internal/sensor", "../../e2e", "."} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), "_test.go") {
				src, err := os.ReadFile(dir + "/" + e.Name())
				if err != nil {
					t.Fatal(err)
				}
				tests.Write(src)
			}
		}
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+) \|.*\| ([^|]+) \|$`).FindAllStringSubmatch(string(b), -1)
	if len(rows) != 43 {
		t.Errorf("%d rows, want 43", len(rows))
	}
	for i, r := range rows {
		if r[1] != fmt.Sprint(i+1) {
			t.Errorf("row %d has number %s", i+1, r[1])
		}
		names := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(r[2], -1)
		if len(names) == 0 {
			t.Errorf("row %d names no test: %s", i+1, r[2])
		}
		for _, n := range names {
			if !strings.Contains(tests.String(), "func "+n[1]+"(") {
				t.Errorf("row %d: there is no %s", i+1, n[1])
			}
		}
	}
}
