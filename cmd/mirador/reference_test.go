package main

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mirador/internal/web"
)

// TestCLIDoc keeps docs/reference/cli.md in step with the commands.
func TestCLIDoc(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Commands\n\nMade from the program (`go test ./cmd/mirador -run Doc -update`). Exit codes: 0 done, 1 failed, 2 findings or changes pending, " +
		"3 partly done, 4 refused, 64 usage, 77 permission, 130 interrupted.\n")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || !c.IsAvailableCommand() && c.HasParent() {
			return
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```\n%s\n```\n", c.CommandPath(), about(c), c.UseLine())
		if c.Example != "" {
			fmt.Fprintf(&b, "\nExamples:\n\n```\n%s\n```\n", strings.Trim(c.Example, "\n"))
		}
		if f := c.NonInheritedFlags().FlagUsages(); f != "" {
			fmt.Fprintf(&b, "\n```\n%s```\n", f)
		}
		list := slices.Clone(c.Commands())
		slices.SortFunc(list, func(a, b *cobra.Command) int { return strings.Compare(a.Name(), b.Name()) })
		for _, sub := range list {
			walk(sub)
		}
	}
	walk(newRoot())
	golden(t, "../../docs/reference/cli.md", b.Bytes())
}

func about(c *cobra.Command) string {
	if c.Long != "" {
		return strings.TrimSpace(c.Long)
	}
	s := c.Short
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// TestMetricsDoc keeps docs/reference/metrics.md in step with what a sensor at rest
// offers; metrics that only appear with a value (decoder events, errors of parsers,
// sources) are described by hand above the table.
func TestMetricsDoc(t *testing.T) {
	r := start(t)
	rec := httptest.NewRecorder()
	web.ManagementHandler(r.node, web.Options{}).ServeHTTP(rec, httptest.NewRequest("GET", "http://127.0.0.1/metrics", nil))
	if rec.Code != 200 {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	var b bytes.Buffer
	b.WriteString(`# Metrics

Made from the program (` + "`go test ./cmd/mirador -run Doc -update`" + `). ` + "`GET /metrics`" + ` of the management listener answers in the Prometheus text format.
No label has a value that traffic can choose. These appear only once they have a value:

| metric | type | labels | meaning |
|---|---|---|---|
| ` + "`mirador_decoder_events_total`" + ` | counter | event, worker | decoder events, by name |
| ` + "`mirador_app_layer_limits_total`" + ` | counter | limit, worker | bounds of application protocol parsers that were met, by protocol and bound; docs/limits.md names them |
| ` + "`mirador_app_layer_errors_total`" + ` | counter | error, worker | failures of application protocol parsers, by protocol and kind |
| ` + "`mirador_source_frames_total`" + ` and its like | counter | session, eni, instance | what came from a source; all that the sources file does not name count as one |

Always there:

| metric | type | labels | meaning |
|---|---|---|---|
`)
	body := rec.Body.String()
	label := regexp.MustCompile(`(\w+)="`)
	for _, m := range regexp.MustCompile(`(?m)^# HELP (mirador_\S+) (.*)\n# TYPE \S+ (\w+)\n(.*)$`).FindAllStringSubmatch(body, -1) {
		var names []string
		for _, l := range label.FindAllStringSubmatch(m[4], -1) {
			names = append(names, l[1])
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m[1], m[3], strings.Join(names, ", "), m[2])
	}
	golden(t, "../../docs/reference/metrics.md", b.Bytes())
}
