package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// unknownCommand returns a usage error when args end at a group of commands with a word
// that is none of them. Cobra says so for the root only, and prints the help of other
// groups as if it had been asked for.
func unknownCommand(root *cobra.Command, args []string) error {
	c, rest, _ := root.Find(args)
	if c == nil || !c.HasAvailableSubCommands() {
		return nil
	}
	for _, a := range rest {
		if a == "-h" || a == "--help" {
			return nil
		}
	}
	if c.ParseFlags(rest) != nil || len(c.Flags().Args()) == 0 {
		return nil // a wrong flag is told when the command runs
	}
	name := c.Flags().Args()[0]
	for _, own := range []string{"help", "completion", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd} {
		if c == root && name == own {
			return nil // cobra adds these when it executes
		}
	}
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(name); len(near) > 0 {
		return fail(exitUsage, "did you mean "+c.CommandPath()+" "+strings.Join(near, ", or "+c.CommandPath()+" ")+"?", "unknown command %q for %q", name, c.CommandPath())
	}
	return fail(exitUsage, c.CommandPath()+" --help lists the commands", "unknown command %q for %q", name, c.CommandPath())
}

// usageErrors makes what the commands below c say of wrong arguments a usage error that
// shows the form of the command.
func usageErrors(c *cobra.Command) {
	for _, sub := range c.Commands() {
		usageErrors(sub)
	}
	check := c.Args
	if check == nil {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		err := check(c, args)
		if _, ok := err.(*failure); ok || err == nil {
			return err
		}
		if check(c, nil) == nil && len(args) > 0 { // too many
			return fail(exitUsage, c.CommandPath()+" --help", "argument %q is one too many", args[len(args)-1])
		}
		if len(args) == 0 {
			return fail(exitUsage, c.UseLine(), "an argument is missing")
		}
		return fail(exitUsage, c.UseLine(), "%w", err)
	}
}
