package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// taskEnv makes the test binary do something small instead of testing: that way
// instances have programs on machines that have none.
const taskEnv = "MIRADOR_E2E_TASK"

// perform does a task.
func perform(task string, args []string) int {
	tasks := map[string]func([]string) error{"serve": serve, "get": get, "lookup": lookup, "collect": collect, "flows": flows, "mtu": setMTU}
	f := tasks[task]
	if f == nil {
		fmt.Fprintln(os.Stderr, "unknown task", task)
		return 2
	}
	if err := f(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// serve answers HTTP requests at an address until it is killed; /large is longer than any
// frame.
func serve(args []string) error {
	return http.ListenAndServe(args[0], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			w.Write(make([]byte, 1<<16))
			return
		}
		io.WriteString(w, "hello\n")
	}))
}

// get makes one HTTP request.
func get(args []string) error {
	c := http.Client{Timeout: 20 * time.Second}
	res, err := c.Get(args[0])
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(os.Stdout, io.LimitReader(res.Body, 1<<16))
	return err
}

// lookup asks a resolver, args[0], for a name, and prints its addresses.
func lookup(args []string) error {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", args[0])
	}}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	addrs, err := r.LookupHost(ctx, args[1])
	var none *net.DNSError
	if errors.As(err, &none) && none.IsNotFound {
		return nil
	}
	fmt.Println(addrs)
	return err
}

// collect stands for a sensor: it listens for VXLAN at args[0]:4789 and writes "FLOW
// NUMBER" of each mirrored datagram made by flows to the file args[1]; at args[0]:80 it
// says that it is well, unless there is a file args[2].
func collect(args []string) error {
	out, err := os.OpenFile(args[1], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	c, err := net.ListenPacket("udp", net.JoinHostPort(args[0], "4789"))
	if err != nil {
		return err
	}
	c.(*net.UDPConn).SetReadBuffer(8 << 20)
	go http.ListenAndServe(net.JoinHostPort(args[0], "80"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat(args[2]); err == nil || r.URL.Path != "/api/2.0/status" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	b := make([]byte, 10000)
	for {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return err
		}
		// VXLAN, Ethernet, IPv4, UDP, then flow and number.
		const at = 8 + 14 + 20 + 8
		if n < at+8 || b[8+14+9] != 17 || binary.BigEndian.Uint16(b[8+14+20+2:]) != flowsPort {
			continue
		}
		fmt.Fprintf(out, "%d %d\n", binary.BigEndian.Uint32(b[at:]), binary.BigEndian.Uint32(b[at+4:]))
	}
}

// flowsPort is where flows sends to.
const flowsPort = 9000

// flows sends datagrams of several flows from args[0] to args[1] until standard input
// ends. The receiver need not listen. It prints how many it has sent of each flow.
func flows(args []string) error {
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var conns []net.Conn
	for range n {
		d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(args[0])}}
		c, err := d.Dial("udp", net.JoinHostPort(args[1], strconv.Itoa(flowsPort)))
		if err != nil {
			return err
		}
		conns = append(conns, c)
	}
	var stop atomic.Bool
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop.Store(true)
	}()
	number := uint32(0)
	tick := time.NewTicker(5 * time.Millisecond) // slow: nothing is to be lost for want of a processor
	defer tick.Stop()
	for ; !stop.Load(); number++ {
		for i, c := range conns {
			var b [64]byte
			binary.BigEndian.PutUint32(b[:], uint32(i))
			binary.BigEndian.PutUint32(b[4:], number)
			// Nobody may listen there: then the write after an ICMP error only reports it.
			_, err := c.Write(b[:])
			for errors.Is(err, errRefused) {
				_, err = c.Write(b[:])
			}
			if err != nil {
				return err
			}
		}
		<-tick.C
	}
	fmt.Println(number)
	return nil
}
