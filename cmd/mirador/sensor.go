package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/config"
)

// defaultConfig is read when no other file is named and it is there.
const defaultConfig = "/etc/mirador/mirador.yaml"

// configFlags choose mirador.yaml and single settings of it.
type configFlags struct {
	path string
	over []string // settings by flags, in the form of the environment

	byFlag map[string]string // key of a setting to the flag that set it
}

func (f *configFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.path, "config", "c", "", "configuration `file` (default "+defaultConfig+" if there is one)")
}

// setting adds a flag that stands for a setting.
func (f *configFlags) setting(c *cobra.Command, name, key, usage string) {
	c.Flags().Var(&settingFlag{f: f, key: key, name: name}, name, usage)
}

type settingFlag struct {
	f    *configFlags
	key  string
	name string
	val  string
}

func (s *settingFlag) String() string { return s.val }
func (s *settingFlag) Type() string   { return "value" }
func (s *settingFlag) Set(v string) error {
	s.val = v
	s.f.over = append(s.f.over, config.EnvName(s.key)+"="+v)
	if s.f.byFlag == nil {
		s.f.byFlag = map[string]string{}
	}
	s.f.byFlag[s.key] = s.name
	return nil
}

// load reads the file, then the environment, then the flags.
func (f *configFlags) load() (*config.File, error) {
	environ := append(os.Environ(), f.over...)
	path := f.path
	if path == "" {
		if _, err := os.Stat(defaultConfig); err != nil {
			file, err := config.Parse(nil, "built-in configuration", environ)
			return file, f.named(err)
		}
		path = defaultConfig
	}
	file, err := config.Load(path, environ)
	if err != nil {
		err = f.named(err)
		if _, ok := err.(*failure); ok {
			return nil, err
		}
		return nil, fail(exitFailed, "mirador config check shows all problems, mirador config init writes an example", "read configuration: %w", err)
	}
	return file, nil
}

// named makes an error about a setting that a flag made one about the flag, which is what
// the user has written.
func (f *configFlags) named(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for key, name := range f.byFlag {
		text = strings.ReplaceAll(text, "$"+config.EnvName(key)+": "+key, "--"+name)
	}
	if text == err.Error() {
		return err
	}
	return fail(exitUsage, "docs/reference/config.md has what each setting takes", "%s", text)
}

type sensorFlags struct {
	configFlags
	pidFile   string
	logFormat string
	logLevel  string
}

func sensorCommand() *cobra.Command {
	f := &sensorFlags{}
	c := &cobra.Command{
		Use:     "sensor",
		Aliases: []string{"run"},
		Short:   "receive mirrored packets and watch them",
		Long: `Sensor receives mirrored packets in VXLAN or GENEVE, looks at them with the rules, and
writes events (docs/howto/sensor.md).

SIGHUP or "mirador reload" reads configuration, rules and sources again: the new ones
take over between two packets, or the old ones stay and "mirador status" says why.
SIGUSR1 opens the event file again. SIGTERM makes the status page say 503, goes on
receiving for sensor.drain, writes what is left, and ends.`,
		Example: `  mirador sensor --rules et.rules
  mirador sensor -c /etc/mirador/mirador.yaml
  mirador sensor --vxlan 10.0.0.5:4789 --sources sources.yaml --eve ./eve.json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr()) },
	}
	c.Flags().SortFlags = false
	f.add(c)
	for _, s := range [...][3]string{
		{"rules", "rules.files", "rule files, comma-separated (rules.files)"},
		{"sources", "sources", "sources file (sources)"},
		{"vxlan", "sensor.vxlan", "addresses to receive VXLAN on (sensor.vxlan)"},
		{"geneve", "sensor.geneve", "addresses to receive GENEVE on (sensor.geneve)"},
		{"interface", "sensor.interface", "network interface of the sockets (sensor.interface)"},
		{"afpacket", "sensor.afpacket", "capture from this interface instead (sensor.afpacket)"},
		{"workers", "sensor.workers", "receivers, 0 for one a processor (sensor.workers)"},
		{"drain", "sensor.drain", "how long to go on receiving at the end (sensor.drain)"},
		{"state", "sensor.state", "directory for state (sensor.state)"},
		{"eve", "eve.path", "event file (eve.path)"},
		{"health", "health.listen", "address of the status page (health.listen)"},
		{"management", "management.listen", "address of metrics and API (management.listen)"},
	} {
		f.setting(c, s[0], s[1], s[2])
	}
	c.Flags().StringVar(&f.pidFile, "pid-file", defaultPidFile(), "`file` for the process id; empty for none")
	c.Flags().StringVar(&f.logFormat, "log-format", "text", "text or json")
	c.Flags().StringVar(&f.logLevel, "log-level", "info", "error, warn, info or debug")
	return c
}

// defaultPidFile is within the directory that systemd makes for the unit.
func defaultPidFile() string {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); dir != "" {
		return filepath.Join(dir, "mirador.pid")
	}
	return ""
}

// newLog makes the log of a process.
func newLog(w io.Writer, format, level string) (*slog.Logger, error) {
	o := &slog.HandlerOptions{}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fail(exitUsage, "use error, warn, info or debug", "--log-level %q is not understood", level)
	}
	o.Level = l
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, fail(exitUsage, "use text or json", "--log-format %q is not understood", format)
}

func (f *sensorFlags) run(ctx context.Context, stdout, stderr io.Writer) error {
	log, err := newLog(stderr, f.logFormat, f.logLevel)
	if err != nil {
		return err
	}
	n, err := newNode(nodeOptions{material: material{config: f.load}, log: log, stdout: stdout, failOpen: true})
	if err != nil {
		return err
	}
	defer n.close()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	if err := writePid(f.pidFile); err != nil {
		return err
	}
	defer removePid(f.pidFile)
	if err := n.start(); err != nil {
		return err
	}
	stop := watchdog(n)
	defer stop()
	notify("READY=1\nSTATUS=receiving")
	done := make(chan struct{})
	go n.serveSignals(ctx, signals, done)
	err = n.run(ctx)
	close(done)
	if err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	s := n.live.Load().Snapshot()
	log.Info("stopped", "received", s.Ledger.Received, "processed", s.Ledger.Processed, "dropped", s.Ledger.Dropped(),
		"kernel_drops", s.Ledger.Kernel, "imbalance", s.Ledger.Imbalance())
	return nil
}

// serveSignals obeys signals until done. Once the sensor drains, a second signal to
// stop ends it at once.
func (n *node) serveSignals(ctx context.Context, signals <-chan os.Signal, done <-chan struct{}) {
	over := ctx.Done()
	var again chan os.Signal
	for {
		select {
		case <-done:
			return
		case <-over:
			over = nil
			notify("STOPPING=1\nSTATUS=draining")
			n.log.Info("draining", "for", time.Duration(n.cur.Load().file.Sensor.Drain).String(), "hint", "a second signal stops at once")
			again = make(chan os.Signal, 1)
			signal.Notify(again, os.Interrupt, syscall.SIGTERM)
			defer signal.Stop(again)
		case <-again:
			n.log.Warn("stopped before the drain was over")
			os.Exit(exitInterrupted)
		case s := <-signals:
			if s == syscall.SIGUSR1 {
				for _, f := range n.sinks() {
					f.Reopen()
				}
				continue
			}
			n.signalled(ctx)
		}
	}
}

// writePid writes the process id to path.
func writePid(path string) error {
	if path == "" {
		return nil
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fail(permissionOr(err, exitFailed), "choose another place with --pid-file", "write the process id: %w", err)
	}
	return os.Rename(tmp, path)
}

func removePid(path string) {
	if path != "" {
		os.Remove(path)
	}
}

// notify tells systemd what is going on, where it wants to know (sd_notify(3)).
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if path[0] == '@' {
		path = "\x00" + path[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	c.Write([]byte(state))
}

// watchdog tells systemd that the sensor lives, twice in each interval it asks for,
// as long as no receive loop is stalled.
func watchdog(n *node) (stop func()) {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if pid := os.Getenv("WATCHDOG_PID"); err != nil || usec < 2 || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return func() {}
	}
	quit := make(chan struct{})
	go func() {
		t := time.NewTicker(time.Duration(usec) * time.Microsecond / 2)
		defer t.Stop()
		for {
			select {
			case <-quit:
				return
			case <-t.C:
				if _, reason := n.health.Check(); !strings.HasPrefix(reason, "stalled") {
					notify("WATCHDOG=1")
				}
			}
		}
	}()
	return func() { close(quit) }
}

// statusListener listens on addr, or takes the socket that systemd hands over
// (mirador.socket): then port 80 needs no capability.
func statusListener(addr string) (net.Listener, error) {
	const firstFd = 3 // SD_LISTEN_FDS_START
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) && os.Getenv("LISTEN_FDS") == "1" {
		f := os.NewFile(firstFd, "status page")
		defer f.Close()
		return net.FileListener(f)
	}
	return net.Listen("tcp", addr)
}

// unixPath tells addresses of the form unix:PATH.
func unixPath(addr string) (string, bool) { return strings.CutPrefix(addr, "unix:") }

// errNotRunning is what the client commands say when nobody answers.
var errNotRunning = errors.New("no sensor answers")
