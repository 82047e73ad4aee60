package demo

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/ssh"
)

// certificate makes a self-signed certificate for name.
func certificate(name, org string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name, Organization: []string{org}},
		DNSNames:     []string{name},
		NotBefore:    now.Add(-24 * time.Hour), NotAfter: now.Add(90 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// tlsDialogue records a TLS connection to name with a request and an answer in it.
// max is the highest version: TLS 1.2 shows the certificate, 1.3 does not.
func tlsDialogue(name, org string, max uint16, request, answer string) ([]turn, error) {
	cert, err := certificate(name, org)
	if err != nil {
		return nil, err
	}
	t, c, s := newTape()
	server := tls.Server(s, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: max, SessionTicketsDisabled: true})
	done := make(chan error, 1)
	go func() {
		buf := make([]byte, len(request))
		n, err := server.Read(buf)
		if err == nil && n > 0 {
			_, err = server.Write([]byte(answer))
		}
		done <- err
	}()
	// The certificate is nobody's: the pretend client does not look at it.
	client := tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true, MaxVersion: max, NextProtos: []string{"http/1.1"}})
	_, err = client.Write([]byte(request))
	if err == nil {
		buf := make([]byte, len(answer))
		_, err = client.Read(buf)
	}
	err = errors.Join(err, <-done)
	if err == nil {
		err = client.Close()
	}
	c.Close()
	return t.record(), err
}

// helloDialogue records what a TLS server answers to a ClientHello that is not ours:
// the client leaves after the server's first flight.
func helloDialogue(name, org string, hello []byte) ([]turn, error) {
	cert, err := certificate(name, org)
	if err != nil {
		return nil, err
	}
	t, c, s := newTape()
	server := tls.Server(s, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS12, SessionTicketsDisabled: true})
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Handshake() // ends with an error: the client goes away
	}()
	if _, err := c.Write(hello); err != nil {
		return nil, err
	}
	// The server's flight ends with ServerHelloDone.
	end := []byte{14, 0, 0, 0}
	var got []byte
	buf := make([]byte, 4096)
	for len(got) < 4 || string(got[len(got)-4:]) != string(end) {
		n, err := c.Read(buf)
		if err != nil {
			return nil, fmt.Errorf("the server refused the hello: %w", err)
		}
		got = append(got, buf[:n]...)
	}
	c.Write([]byte{21, 3, 3, 0, 2, 1, 0}) // close_notify
	c.Close()
	<-done
	return t.record(), nil
}

// beaconHello is the ClientHello of the pretend malware family: TLS 1.2, a short list
// of ciphers that no browser sends. Its JA3 is in demo.rules.
func beaconHello(name string) []byte {
	ext := func(b []byte, kind uint16, body []byte) []byte {
		b = binary.BigEndian.AppendUint16(b, kind)
		b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
		return append(b, body...)
	}
	sni := binary.BigEndian.AppendUint16(nil, uint16(len(name)+3))
	sni = append(sni, 0)
	sni = binary.BigEndian.AppendUint16(sni, uint16(len(name)))
	sni = append(sni, name...)
	var exts []byte
	exts = ext(exts, 0, sni)
	exts = ext(exts, 10, []byte{0, 4, 0, 29, 0, 23})     // groups: x25519, P-256
	exts = ext(exts, 11, []byte{1, 0})                   // point formats
	exts = ext(exts, 13, []byte{0, 6, 4, 3, 8, 4, 4, 1}) // signatures: ECDSA P-256, RSA-PSS, RSA, all SHA-256
	exts = ext(exts, 23, nil)                            // extended master secret
	exts = ext(exts, 0xff01, []byte{0})                  // renegotiation info
	body := []byte{3, 3}                                 // TLS 1.2
	body = append(body, make([]byte, 32)...)             // random
	rand.Read(body[2:])                                  // never fails
	body = append(body, 0)                               // no session
	ciphers := []byte{0xc0, 0x2b, 0xc0, 0x2c, 0xc0, 0x23, 0xc0, 0x0a, 0x00, 0x3d}
	body = binary.BigEndian.AppendUint16(body, uint16(len(ciphers)))
	body = append(body, ciphers...)
	body = append(body, 1, 0) // no compression
	body = binary.BigEndian.AppendUint16(body, uint16(len(exts)))
	body = append(body, exts...)
	msg := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	rec := []byte{22, 3, 1, byte(len(msg) >> 8), byte(len(msg))}
	return append(rec, msg...)
}

// sshDialogue records an SSH connection that tries passwords; the server takes good
// and refuses all others.
func sshDialogue(clientVersion, good string, passwords ...string) ([]turn, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, err
	}
	t, c, s := newTape()
	sc := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-OpenSSH_9.6",
		PasswordCallback: func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
			if string(p) == good {
				return nil, nil
			}
			return nil, errors.New("wrong password")
		},
	}
	sc.AddHostKey(signer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, chans, reqs, err := ssh.NewServerConn(s, sc); err == nil {
			go ssh.DiscardRequests(reqs)
			for ch := range chans {
				ch.Reject(ssh.Prohibited, "no shells here")
			}
			conn.Close()
			return
		}
		s.Close()
	}()
	i := -1
	cc := &ssh.ClientConfig{
		User: "ec2-user", ClientVersion: clientVersion, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Auth: []ssh.AuthMethod{ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
			i = min(i+1, len(passwords)-1)
			return passwords[i], nil
		}), len(passwords))},
	}
	conn, chans, reqs, err := ssh.NewClientConn(c, "bastion:22", cc)
	if err == nil {
		go ssh.DiscardRequests(reqs)
		go func() {
			for ch := range chans {
				ch.Reject(ssh.Prohibited, "no")
			}
		}()
		conn.OpenChannel("session", nil) // refused
		conn.Close()
	}
	c.Close()
	<-done
	if len(t.record()) < 4 {
		return nil, fmt.Errorf("no SSH handshake: %w", err)
	}
	return t.record(), nil
}
