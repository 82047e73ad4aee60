package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/web"
)

func reloadCommand() *cobra.Command {
	f := &client{}
	var pidFile string
	c := &cobra.Command{
		Use:   "reload",
		Short: "make a running sensor read configuration, rules and sources again",
		Long: `Reload asks the sensor over its management listener and waits until the new rules are
in use. When they are refused the old ones stay, the reason is shown, and the exit code
is 1. A sensor without a management listener is sent SIGHUP instead, with the process id
from --pid-file; then "mirador status" tells how it went.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.reload(c.Context(), c.OutOrStdout(), pidFile) },
	}
	f.flags(c)
	c.Flags().StringVar(&pidFile, "pid-file", "/run/mirador/mirador.pid", "`file` with the process id of the sensor")
	return c
}

// reloadTimeout bounds the waiting for a sensor that compiles its rules.
const reloadTimeout = 10 * time.Minute

func (f *client) reload(ctx context.Context, w io.Writer, pidFile string) error {
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	var r web.Reload
	err := f.call(ctx, http.MethodPost, "/api/v1/reload", &r)
	if errors.Is(err, errNotRunning) && hup(pidFile) == nil {
		fmt.Fprintln(w, "sent SIGHUP; the sensor has no management listener that says how it went")
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d rules in use after %.1f s, %d refused\n", r.Rules, r.Seconds, r.Refused)
	if len(r.Restart) > 0 {
		fmt.Fprintf(w, "restart needed for: %s\n", strings.Join(r.Restart, ", "))
	}
	return nil
}

// hup sends SIGHUP to the process whose id is in path.
func hup(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return fmt.Errorf("%s: no process id", path)
	}
	return syscall.Kill(pid, syscall.SIGHUP)
}
