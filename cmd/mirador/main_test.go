package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mirador/internal/demo"
	"mirador/internal/pkttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mirador": main})
}

// TestScripts runs the command as people do: one file in testdata/script for each
// family of commands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(12 * patience), // all scripts, two at a time, under the race detector
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ports": scriptPorts, "await": scriptAwait, "http": scriptHTTP, "story": scriptStory, "signal": scriptSignal,
			"account": scriptAccount, "conversation": scriptConversation,
		},
	})
}

// scriptPorts sets each variable it is given to a loopback address with a port that is
// free for TCP and UDP: ports NAME... The address is of this process alone, so that
// nobody else's sockets come in between until the script binds it.
func scriptPorts(ts *testscript.TestScript, _ bool, names []string) {
	pid := os.Getpid()
	host := fmt.Sprintf("127.%d.%d.%d:0", 1+pid>>16&127, pid>>8&255, 1+pid&127)
	for _, name := range names {
		addr := ""
		for addr == "" {
			l, err := net.Listen("tcp", host)
			ts.Check(err)
			if u, err := net.ListenPacket("udp", l.Addr().String()); err == nil {
				addr = l.Addr().String()
				u.Close()
			}
			l.Close()
		}
		ts.Setenv(name, addr)
	}
}

// patience bounds the waiting of a script.
const patience = 30 * time.Second

// scriptAwait waits until a file or the answer of an URL matches: await FILE|URL REGEXP
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE|URL REGEXP")
	}
	want := regexp.MustCompile(args[1])
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		got := fetch(ts, args[0])
		if want.MatchString(got) {
			return
		}
		select {
		case <-deadline.C:
			ts.Fatalf("%s has no %s in time, but:\n%s", args[0], args[1], got)
		case <-tick.C:
		}
	}
}

func fetch(ts *testscript.TestScript, from string) string {
	if !strings.HasPrefix(from, "http://") {
		b, err := os.ReadFile(ts.MkAbs(from))
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	r, err := http.Get(from)
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	ts.Check(err)
	return fmt.Sprintf("%s\n%s", r.Status, b)
}

// scriptHTTP prints status line and body of an URL: http URL
func scriptHTTP(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: http URL")
	}
	fmt.Fprintln(ts.Stdout(), fetch(ts, args[0]))
}

// scriptStory sends a round of the demo's traffic: story ADDRESS [ROUND]
func scriptStory(ts *testscript.TestScript, _ bool, args []string) {
	round := 0
	if len(args) == 2 {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		round = n
	}
	src, err := demo.NewSource(netip.MustParseAddrPort(args[0]))
	ts.Check(err)
	defer src.Close()
	story, err := demo.NewStory(1, round)
	ts.Check(err)
	for i := range story.Datagrams {
		ts.Check(src.Send(&story.Datagrams[i]))
		if i%32 == 31 {
			// The smallest socket buffer holds some hundred small frames; the sensor needs
			// a moment to read them.
			pace()
		}
	}
	ts.Setenv("SENT", strconv.FormatUint(src.Sent(), 10))
}

// pace lets two milliseconds go by.
func pace() { <-time.After(2 * time.Millisecond) }

// scriptSignal sends a signal to the process whose id is in a file, or to the background command
// that was started last: signal FILE HUP, signal last HUP
func scriptSignal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1}
	if len(args) != 2 || signals[args[1]] == 0 {
		ts.Fatalf("usage: signal FILE HUP|TERM|USR1")
	}
	if list := ts.BackgroundCmds(); args[0] == "last" && len(list) > 0 {
		ts.Check(list[len(list)-1].Process.Signal(signals[args[1]]))
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	if pid <= 1 {
		ts.Fatalf("process id %d", pid)
	}
	ts.Check(syscall.Kill(pid, signals[args[1]]))
}

// scriptConversation writes a capture: conversation FILE.pcap TALK. A line of TALK is
// "tcp CLIENT SERVER" or "udp CLIENT SERVER", which begins a flow, or what the client (>)
// or the server (<) of the last one sends, with Go's escapes.
func scriptConversation(ts *testscript.TestScript, _ bool, args []string) {
	var frames []pkttest.Sent
	var f *pkttest.Flow
	end := func() {
		if f != nil {
			frames = append(frames, f.Frames...)
		}
	}
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		switch word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "tcp", "udp":
			end()
			client, server, _ := strings.Cut(rest, " ")
			f = pkttest.UDP(client, server)
			if word == "tcp" {
				f = pkttest.TCP(client, server)
			}
			if n := len(frames); n > 0 {
				f.Now = frames[n-1].Time + 1e6
			}
		case ">", "<":
			data, err := strconv.Unquote("\"" + rest + "\"")
			ts.Check(err)
			if word == ">" {
				f.ToServer(data)
			} else {
				f.ToClient(data)
			}
		}
	}
	end()
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pkttest.Pcap(frames), 0o644))
}
