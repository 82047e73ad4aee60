package main

import (
	"io"

	"mirador/internal/setup"
)

// planForms returns what plan --as takes.
func planForms() []string {
	return []string{"", "cli", "user-data", "cloudformation", "cloudformation-yaml", "terraform"}
}

// writeExport writes p for another tool.
func writeExport(w io.Writer, p *setup.Plan, as string) error {
	switch as {
	case "terraform":
		return p.WriteTerraform(w)
	case "cloudformation-yaml":
		return p.WriteCloudFormation(w, true)
	}
	return p.WriteCloudFormation(w, false)
}
