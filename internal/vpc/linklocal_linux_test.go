package vpc

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

// The metadata service answers at its address while a program of the instance has port 80
// of all addresses, as on EC2, where nothing within the instance listens there.
func TestMetadataLeavesPort80(t *testing.T) {
	l := newLab(t)
	l.eni("eni-a1", "subnet-a", []string{"sg-open"}, "10.0.1.10")
	n, _ := l.start(t, Options{})
	ns := n.open(t, "i-eni-a1")
	n.mu.Lock()
	x := n.insides["i-eni-a1"]
	n.mu.Unlock()
	if x == nil || x.redirect == nil {
		t.Skip("this kernel does not redirect connections (BPF_PROG_TYPE_SK_LOOKUP)")
	}
	var own net.Listener
	if err := ns.in(func() (err error) {
		own, err = net.Listen("tcp4", ":80")
		return err
	}); err != nil {
		t.Fatalf("port 80 of the instance: %v", err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Server", "own") })}
	go s.Serve(own)
	defer s.Close()
	for _, c := range []struct{ to, server string }{{"169.254.169.254:80", "EC2ws"}, {"10.0.1.10:80", "own"}, {"127.0.0.1:80", "own"}} {
		if got := serverAt(t, ns, c.to); got != c.server {
			t.Errorf("%s is answered by %q, want %q", c.to, got, c.server)
		}
	}
}

// serverAt asks a web server within a namespace who it is.
func serverAt(t *testing.T, ns *namespace, to string) string {
	t.Helper()
	var c net.Conn
	if err := ns.in(func() (err error) {
		c, err = net.DialTimeout("tcp", to, patience)
		return err
	}); err != nil {
		t.Error(err)
		return ""
	}
	defer c.Close()
	c.Write([]byte("HEAD / HTTP/1.0\r\n\r\n"))
	b := make([]byte, 4096)
	k, err := c.Read(b)
	if err != nil {
		t.Error(err)
	}
	_, rest, _ := strings.Cut(string(b[:k]), "Server: ")
	name, _, _ := strings.Cut(rest, "\r\n")
	return name
}
