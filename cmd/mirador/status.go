package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mirador/internal/web"
)

// client talks to the management listener of a sensor.
type client struct {
	configFlags
	addr string
}

func (f *client) flags(c *cobra.Command) {
	f.add(c)
	c.Flags().StringVar(&f.addr, "addr", "", "management `address` of the sensor (default: the one in the configuration)")
}

// address is where the sensor's management listener is.
func (f *client) address() (string, error) {
	if f.addr != "" {
		return strings.TrimSuffix(strings.TrimPrefix(f.addr, "http://"), "/"), nil
	}
	file, err := f.load()
	if err != nil {
		return "", err
	}
	if file.Management.Listen == "" {
		return "", fail(exitFailed, "set management.listen", "the configuration has no management listener")
	}
	return file.Management.Listen, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// call sends a request and decodes the answer into v.
func (f *client) call(ctx context.Context, method, path string, v any) error {
	addr, err := f.address()
	if err != nil {
		return err
	}
	t := &http.Transport{DisableKeepAlives: true}
	host := addr
	if p, unix := unixPath(addr); unix {
		host = "localhost"
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", p)
		}
	} else if strings.HasPrefix(addr, ":") {
		host = "127.0.0.1" + addr
	} else if h, port, err := net.SplitHostPort(addr); err == nil && (h == "0.0.0.0" || h == "::") {
		host = net.JoinHostPort("127.0.0.1", port)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+host+path, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return fail(exitFailed, "is it running? --addr names the address of its management listener", "%w at %s: %w", errNotRunning, addr, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the sensor's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var p struct{ Error, Hint string }
		if json.Unmarshal(body, &p) != nil || p.Error == "" {
			p.Error = resp.Status
		}
		if resp.StatusCode == http.StatusNotFound && p.Hint == "" {
			p.Error, p.Hint = fmt.Sprintf("%s has no %s: %s", addr, path, p.Error), "is it the management listener, and not the status page or another program?"
		}
		return fail(exitFailed, p.Hint, "%s", p.Error)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("read the sensor's answer: %w", err)
	}
	return nil
}

// statusView is what status shows of web.Stats. Counters are an object there.
type statusView struct {
	web.Stats
	Counters json.RawMessage `json:"counters"`
}

func statusCommand() *cobra.Command {
	f := &client{}
	var format string
	var watch bool
	c := &cobra.Command{
		Use:   "status",
		Short: "show how a running sensor is doing",
		Long: `Status asks the management listener of the sensor. The exit code is 0 when packets
may be sent to it, 2 when it says why not, and 1 when nobody answers.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for {
				err := f.status(c.Context(), c.OutOrStdout(), format)
				if !watch || err != nil {
					return err
				}
				select {
				case <-c.Context().Done():
					return nil
				case <-time.After(2 * time.Second):
					fmt.Fprintln(c.OutOrStdout())
				}
			}
		},
	}
	f.flags(c)
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	c.Flags().BoolVarP(&watch, "watch", "w", false, "again every two seconds")
	return c
}

func (f *client) status(ctx context.Context, w io.Writer, format string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var raw json.RawMessage
	if err := f.call(ctx, http.MethodGet, "/api/v1/stats", &raw); err != nil {
		return err
	}
	var s statusView
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("read the sensor's answer: %w", err)
	}
	switch format {
	case "json":
		fmt.Fprintf(w, "%s\n", raw)
	case "table":
		printStatus(w, &s.Stats)
	default:
		return fail(exitUsage, "use -o table or json", "output %q is not understood", format)
	}
	if !s.Status.OK {
		return &failure{code: exitFindings, err: fmt.Errorf("the sensor is not ready: %s", strings.TrimSuffix(s.Status.State+": "+s.Status.Detail, ": "))}
	}
	return nil
}

// printStatus prints a page for people.
func printStatus(w io.Writer, s *web.Stats) {
	up := time.Duration(s.Uptime * float64(time.Second)).Truncate(time.Second)
	fmt.Fprintf(w, "%s  version %s, up %s\n", s.Status.State, s.Version, up)
	r := &s.Rules
	fmt.Fprintf(w, "rules: %d loaded, %d refused, of %s\n", r.Loaded, r.Refused, r.LoadedAt.Local().Format(time.DateTime))
	if r.StaleSince != nil {
		fmt.Fprintf(w, "config: stale since %s because %s\n", r.StaleSince.Local().Format(time.DateTime), r.StaleWhy)
	}
	if len(r.Restart) > 0 {
		fmt.Fprintf(w, "restart needed for: %s\n", strings.Join(r.Restart, ", "))
	}
	l := &s.Ledger
	fmt.Fprintf(w, "ledger: received %d = processed %d", l.Received, l.Processed)
	for _, d := range l.Drops {
		if d.Frames > 0 {
			fmt.Fprintf(w, " + %s %d", d.Reason, d.Frames)
		}
	}
	if l.Imbalance != 0 {
		fmt.Fprintf(w, " + UNACCOUNTED %d", l.Imbalance)
	}
	fmt.Fprintf(w, "\n        lost in the kernel %d, cut %d, unknown source %d\n", l.Kernel, l.Truncated, l.Unknown)
	for _, in := range s.Inputs {
		fmt.Fprintf(w, "input: %s, kernel drops %d", in.Name, in.Drops)
		if in.Gone {
			fmt.Fprint(w, ", THE INTERFACE IS GONE")
		}
		if !in.Steered {
			fmt.Fprintf(w, ", not steered by the kernel: %s", in.Why)
		}
		fmt.Fprintln(w)
	}
	for _, o := range s.Outputs {
		fmt.Fprintf(w, "output: %s, %d events, %d lost", o.Name, o.Lines, o.DroppedLines)
		if o.Error != "" {
			fmt.Fprintf(w, ", %s", o.Error)
		}
		fmt.Fprintln(w)
	}
	if len(s.Sources) == 0 {
		fmt.Fprintln(w, "sources: none yet; if packets should come: is UDP 4789 open in the security group, and does the mirror target point here?")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SOURCE\tVNI\tSESSION\tINSTANCE\tPACKETS\tCUT\tDUPLICATES\tALERTS\tLAST")
	const most = 50
	for i, src := range s.Sources {
		if i == most {
			fmt.Fprintf(t, "and %d more (-o json shows all)\n", len(s.Sources)-most)
			break
		}
		session := src.SessionID
		if !src.Known {
			session = "unknown"
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%s\n", src.Outer, src.VNI, session, instanceOf(&src), src.Packets, src.Truncated, src.Duplicates, src.Alerts,
			src.Last.Local().Format(time.TimeOnly))
	}
	t.Flush()
}

func instanceOf(s *web.Source) string {
	if s.Name != "" {
		return s.Name
	}
	return s.InstanceID
}
