// Command mirador is VPC traffic mirroring and the sensor that watches it, in one
// binary. Each family of subcommands has its own file here; they parse flags,
// wire the rooms together and turn errors into exit codes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes (docs/reference/cli.md).
const (
	exitOK          = 0
	exitFailed      = 1
	exitFindings    = 2 // checks failed, changes pending, or replay --fail-on hit
	exitPartial     = 3
	exitRefused     = 4
	exitUsage       = 64
	exitPermission  = 77
	exitInterrupted = 130
)

// failure is an error with an exit code and what to do about it.
type failure struct {
	code int
	err  error
	hint string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// fail makes err end the program with code; hint, when not empty, is shown on a
// line of its own.
func fail(code int, hint string, format string, args ...any) error {
	return &failure{code: code, err: fmt.Errorf(format, args...), hint: hint}
}

// gcPercent is how much the heap may grow between collections, in percent. The rules
// are most of it and stay, so that the runtime's 100 doubles them; 75 costs little CPU
// (bench/compare.py). The environment variable GOGC goes first.
const gcPercent = 75

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process around it, so that tests can call it.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := unknownCommand(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		return exitOK
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{code: exitFailed, err: err}
	}
	if msg := f.err.Error(); msg != "" {
		fmt.Fprintf(stderr, "error: %s\n", msg)
	}
	if f.hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", f.hint)
	}
	return f.code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "mirador",
		Short:         "VPC traffic mirroring and the sensor that watches it",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fail(exitUsage, c.CommandPath()+" --help", "%w", err)
	})
	root.AddCommand(replayCommand(), rulesCommand(), demoCommand(), sensorCommand(), statusCommand(), reloadCommand(), vpcCommand(), mirrorCommand(), filterCommand(), configCommand(), versionCommand())
	root.AddCommand(awsCommand())
	usageErrors(root)
	return root
}
