package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"mirador/internal/config"
)

// release is the version of this source; a build may set another one with
// -ldflags "-X main.release=...".
var release = "0.1.0-dev"

// version returns the version of this program.
func version() string { return release }

// versionInfo is the JSON form of version. Fields are only ever added.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Suricata string `json:"suricata"` // the release whose behaviour this follows
}

func versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := versionInfo{Version: version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Suricata: config.Compat}
			if b, ok := debug.ReadBuildInfo(); ok {
				for _, s := range b.Settings {
					switch s.Key {
					case "vcs.revision":
						v.Revision = s.Value
					case "vcs.modified":
						v.Modified = s.Value == "true"
					}
				}
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(v)
			}
			fmt.Fprintf(c.OutOrStdout(), "mirador %s (%s, %s, rules as Suricata %s)\n", v.Version, v.Go, v.Platform, v.Suricata)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}
