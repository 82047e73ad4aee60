// Package deploy holds what a sensor needs to run under systemd, and the files that
// "mirador aws deploy" makes.
package deploy

import "embed"

//go:embed *.service *.socket *.conf
var units embed.FS

// Units returns the units and the files beside them.
func Units() embed.FS { return units }
