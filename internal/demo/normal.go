package demo

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// request writes an HTTP request.
func request(method, path, hostName, agent, extra, body string) string {
	if body != "" {
		extra += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\n%s\r\n%s", method, path, hostName, agent, extra, body)
}

// response writes an HTTP answer.
func response(status, kind, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nServer: nginx\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", status, kind, len(body), body)
}

const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

// normalWeb is a user at the web server, which asks the application behind it. That
// conversation is mirrored at both of its ends.
func (s *script) normalWeb() error {
	c := s.cast
	for _, path := range []string{"/", "/catalog?page=2", "/img/logo.png"} {
		x := s.dial(c.user, c.web, 80)
		x.toServer(request("GET", path, "www.demo.example", browser, "", ""))
		if strings.HasPrefix(path, "/catalog") {
			y := s.dial(c.web, c.app, 8080)
			y.toServer(request("GET", "/api/items?page=2", "app.internal", "shop-frontend/2.3", "", ""))
			y.toClient(response("200 OK", "application/json", `{"items":[`+strings.Repeat(`{"id":17,"name":"lamp"},`, 40)+`{}]}`))
			y.close()
		}
		kind, body := "text/html", "<html><body>"+strings.Repeat("<p>catalog entry</p>", 20+s.rnd.IntN(80))+"</body></html>"
		if strings.HasSuffix(path, ".png") {
			kind, body = "image/png", "\x89PNG\r\n\x1a\n"+strings.Repeat("\x00IDAT\x11\x22", 400)
		}
		x.toClient(response("200 OK", kind, body))
		x.close()
		s.pause(20 * time.Millisecond)
	}
	db := s.dial(c.app, c.db, 5432)
	db.toServer("\x00\x00\x00\x08\x04\xd2\x16\x2f") // PostgreSQL: may I use TLS?
	db.toClient("N")
	db.close()
	return nil
}

// resolve asks the VPC's resolver for name and gets one address.
func (s *script) resolve(who *host, name string, kind dnsmessage.Type, answer dnsmessage.ResourceBody) error {
	n, err := dnsmessage.NewName(name)
	if err != nil {
		return fmt.Errorf("name %q: %w", name, err)
	}
	q := dnsmessage.Question{Name: n, Type: kind, Class: dnsmessage.ClassINET}
	id := uint16(s.rnd.Uint32())
	ask := dnsmessage.Message{Header: dnsmessage.Header{ID: id, RecursionDesired: true}, Questions: []dnsmessage.Question{q}}
	reply := dnsmessage.Message{Header: dnsmessage.Header{ID: id, Response: true, RecursionDesired: true, RecursionAvailable: true}, Questions: ask.Questions}
	if answer == nil {
		reply.RCode = dnsmessage.RCodeNameError
	} else {
		reply.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: n, Type: kind, Class: dnsmessage.ClassINET, TTL: 60}, Body: answer}}
	}
	port := s.ephemeral()
	for i, m := range []*dnsmessage.Message{&ask, &reply} {
		b, err := m.Pack()
		if err != nil {
			return fmt.Errorf("pack DNS message: %w", err)
		}
		if i == 0 {
			s.udp(who, s.cast.resolver, port, 53, b)
		} else {
			s.udp(s.cast.resolver, who, 53, port, b)
		}
		s.pause(time.Millisecond)
	}
	return nil
}

func (s *script) normalDNS() error {
	c := s.cast
	for _, x := range []struct {
		who  *host
		name string
		ip   [4]byte
	}{{c.app, "api.shop-supplier.example.", c.shop.ip}, {c.web, "app.internal.", c.app.ip}, {c.bastion, "packages.demo.example.", c.mirrorSite.ip}} {
		if err := s.resolve(x.who, x.name, dnsmessage.TypeA, &dnsmessage.AResource{A: x.ip}); err != nil {
			return err
		}
	}
	return s.resolve(c.app, "nosuch.demo.example.", dnsmessage.TypeA, nil)
}

// normalTLS is the application calling a supplier, and a user on HTTPS.
func (s *script) normalTLS() error {
	c := s.cast
	for _, x := range []struct {
		from, to  *host
		name, org string
		max       uint16
	}{
		{c.app, c.shop, "api.shop-supplier.example", "Shop Supplier Example", tls.VersionTLS12},
		{c.user, c.web, "www.demo.example", "Demo Example", tls.VersionTLS13},
	} {
		t, err := tlsDialogue(x.name, x.org, x.max, request("GET", "/v1/stock", x.name, "demo", "", ""), response("200 OK", "application/json", "{}"))
		if err != nil {
			return err
		}
		y := s.dial(x.from, x.to, 443)
		y.replay(t)
		y.close()
		s.pause(10 * time.Millisecond)
	}
	return nil
}

// normalSSH is an administrator at the bastion, who knows the password.
func (s *script) normalSSH() error {
	t, err := sshDialogue("SSH-2.0-OpenSSH_9.7", "right", "right")
	if err != nil {
		return err
	}
	x := s.dial(s.cast.admin, s.cast.bastion, 22)
	x.replay(t)
	x.close()
	return nil
}

// normalFiles is a backup that the application puts on the file server, and a package
// that the bastion fetches.
func (s *script) normalFiles() error {
	c := s.cast
	zip := "PK\x03\x04\x14\x00\x00\x00\x08\x00" + strings.Repeat("backup of the catalog ", 2000)
	x := s.dial(c.app, c.files, 80)
	x.toServer(request("PUT", "/backup/catalog.zip", "files.internal", "backup/1.4", "Content-Type: application/zip\r\n", zip))
	x.toClient(response("201 Created", "text/plain", "stored\n"))
	x.close()
	y := s.dial(c.bastion, c.mirrorSite, 80)
	y.toServer(request("GET", "/pool/tool_1.0.deb", "packages.demo.example", "apt/2.7", "", ""))
	y.toClient(response("200 OK", "application/vnd.debian.binary-package", "!<arch>\ndebian-binary   "+strings.Repeat("package data ", 3000)))
	y.close()
	return nil
}
