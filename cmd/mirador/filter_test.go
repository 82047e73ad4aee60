package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mirador/internal/capture"
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// writePcap writes frames a second apart.
func writePcap(t *testing.T, frames ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := capture.NewWriter(f, packet.LinkEthernet)
	if err != nil {
		t.Fatal(err)
	}
	for i, desc := range frames {
		b := pkttest.Frame(desc)
		if err := w.Write(b, len(b), int64(1e18)+int64(i)*1e9); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

const simFilters = `
interfaces:
  web-1: {addresses: [10.0.1.15], vpc_cidrs: [10.0.0.0/16]}
filters:
  first:
    rules:
      - {number: 10, direction: egress, action: reject, protocol: udp, destination_ports: 123}
      - {number: 20, direction: egress, protocol: tcp}
      - {number: 30, direction: egress, protocol: tcp, destination_ports: 22}
  second:
    network_services: [amazon-dns]
    rules:
      - {number: 10, direction: egress, protocol: udp}
sessions:
  - {number: 1, source: web-1, filter: first, packet_length: 60}
  - {number: 2, source: web-1, filter: second}
`

// Each packet of a capture is counted in one place, and the sums are those of the capture.
func TestFilterSimulate(t *testing.T) {
	pcap := writePcap(t,
		"eth ip 10.0.1.15 203.0.113.9 tcp 5 443 | 0123456789",                  // session 1, 64 bytes cut to 60
		"eth ip 203.0.113.9 10.0.1.15 tcp 443 5",                               // no ingress rules
		"eth ip 10.0.1.15 203.0.113.9 udp 5 123 | x",                           // rejected by 1, taken by 2
		"eth ip 10.0.1.15 10.0.0.2 udp 5 53 | q",                               // amazon-dns, session 2
		"eth ip 10.0.0.2 10.0.1.15 udp 53 5 | a",                               // likewise
		"eth ip 10.0.1.15 169.254.169.254 tcp 5 80",                            // never
		"eth ip 10.0.7.7 10.0.7.8 tcp 5 80",                                    // others
		"eth type=0x0806 raw 000108000604000102000000000a0a00010f000000000000", // ARP: nobody knows whose
	)
	dir := t.TempDir()
	file := filepath.Join(dir, "f.yaml")
	if err := os.WriteFile(file, []byte(simFilters), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run([]string{"filter", "simulate", "-f", file, "-o", "json", pcap}, nil, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	var got struct{ Sources []simReport }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got.Sources) != 1 {
		t.Fatalf("%v in %s", err, &out)
	}
	r := got.Sources[0]
	// Six packets are the source's, over five seconds.
	if r.Packets != 6 || r.Others != 2 || r.Seconds != 5 || r.Source != "web-1" {
		t.Errorf("%+v", r)
	}
	if r.Mirrored != 4 || r.Cut != 1 || r.Inner != 60+3*43 || r.Wire != r.Inner+4*50 {
		t.Errorf("mirrored %d, cut %d, %d bytes, %d on the wire", r.Mirrored, r.Cut, r.Inner, r.Wire)
	}
	if want := float64(60+50) * 8; r.PeakBs != want || r.AverageBs != float64(r.Wire)*8/5 {
		t.Errorf("peak %v, want %v; average %v", r.PeakBs, want, r.AverageBs)
	}
	hits := map[string]uint64{}
	for _, x := range r.Rules {
		hits[x.What] += x.Packets
	}
	for what, want := range map[string]uint64{"egress 10 reject udp any → any:123": 1, "egress 20 accept tcp any → any": 1,
		"network service amazon-dns": 2, "egress 10 accept udp any → any": 1} {
		if hits[what] != want {
			t.Errorf("%s has %d packets, want %d", what, hits[what], want)
		}
	}
	if len(r.NeverHit) != 1 || r.NeverHit[0].Rule != "egress 30" {
		t.Errorf("never hit %+v", r.NeverHit)
	}
	reasons := map[string]uint64{}
	for _, x := range r.Reasons {
		reasons[x.What] = x.Packets
	}
	if len(reasons) != 2 || reasons["no-rule"] != 1 || reasons["instance-metadata"] != 1 {
		t.Errorf("reasons %v", reasons)
	}

	out.Reset()
	if code := run([]string{"filter", "simulate", "-f", file, "--pcap", pcap}, nil, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	for _, want := range []string{`web-1: 6 packets, .* in 5.0 s; 2 packets of others left out`, `1 +egress 20 accept tcp any → any +1 +16.7 %`,
		`- +not mirrored: no-rule +1 `, `mirrored: 4 packets \(66.7 %\)`, `cut: 1 packets`, `never hit: session 1, egress 30`} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("no %s in\n%s", want, &out)
		}
	}
}

// The capture that AWS has made is read with --decap: all of it would be mirrored.
func TestFilterSimulateDecap(t *testing.T) {
	pcap := pkttest.Shared(t, "data", "aws-capture", "vxlan.pcap")
	file := filepath.Join(t.TempDir(), "f.yaml")
	text := "filter: {network_services: [amazon-dns], rules: [{}]}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	args := []string{"filter", "simulate", "-f", file, "--decap", "--address", "172.31.0.238", "--vpc-cidr", "172.31.0.0/16", "-o", "json", pcap}
	if code := run(args, nil, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	var got struct{ Sources []simReport }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got.Sources) != 1 {
		t.Fatalf("%v in %s", err, &out)
	}
	if r := got.Sources[0]; r.Packets != 100 || r.Mirrored != 100 || r.Inner != r.Bytes {
		t.Errorf("%+v", r)
	}
}

// Every packet that the command line takes is built and told the same.
func TestParsePacket(t *testing.T) {
	for _, words := range []string{"tcp 10.0.0.1:5 -> 10.0.0.2:6", "udp [2001:db8::1]:5 [2001:db8::2]:6", "icmp 10.0.0.1 10.0.0.2", "icmpv6 2001:db8::1 → 2001:db8::2",
		"sctp 10.0.0.1 10.0.0.2", "47 10.0.0.1 10.0.0.2", "89 2001:db8::1 2001:db8::2"} {
		for _, fragment := range []bool{false, true} {
			for _, length := range []int{0, 20, 1514} {
				p, err := parsePacket([]string{words})
				if err != nil {
					t.Fatalf("%s: %v", words, err)
				}
				p.fragment, p.length = fragment, length
				x := p.parsed()
				if x.IPVersion == 0 || int(x.Proto) != p.protocol || x.Fragment != fragment || x.Src != p.src.As16() || x.Dst != p.dst.As16() || x.Invalid && (x.IsTCP() || x.IsUDP() || p.protocol == packet.ProtoICMP) {
					t.Errorf("%s, fragment %v: %+v", words, fragment, x)
				}
				if !fragment && x.SrcPort != p.sport {
					t.Errorf("%s: port %d", words, x.SrcPort)
				}
				if length == 1514 && len(x.Data) != length {
					t.Errorf("%s: %d bytes", words, len(x.Data))
				}
				q, err := parsePacket([]string{strings.Split(p.String(), ",")[0]})
				if q.fragment, q.length = fragment, length; err != nil || q != p {
					t.Errorf("%s reads back as %+v, %v", p.String(), q, err)
				}
			}
		}
	}
	for _, words := range []string{"", "tcp", "tcp 10.0.0.1:5", "tcp 10.0.0.1 10.0.0.2", "tcp 10.0.0.1:5 [2001:db8::1]:5", "xyz 10.0.0.1 10.0.0.2", "all 10.0.0.1 10.0.0.2",
		"icmp 10.0.0.1:5 10.0.0.2", "tcp 10.0.0.1:5 10.0.0.2:70000", "tcp 10.0.0.1:5 10.0.0.2:6 7", "tcp a:5 b:6", "icmp fe80::1%eth0 fe80::2"} {
		if p, err := parsePacket([]string{words}); err == nil {
			t.Errorf("%q is %+v", words, p)
		}
	}
}

// Every YAML block and command of the how-to works.
func TestFiltersHowto(t *testing.T) {
	b, err := os.ReadFile("../../docs/howto/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	yaml, commands := 0, 0
	for _, m := range regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllSubmatch(b, -1) {
		switch string(m[1]) {
		case "yaml":
			yaml++
			s, err := mirror.ParseSpec(m[2], "howto")
			if err != nil {
				t.Errorf("%v in\n%s", err, m[2])
				continue
			}
			for _, name := range append(s.SourceNames(), "")[:1] {
				if _, err := s.Program(name, mirror.CompileOptions{}); err != nil {
					t.Errorf("%v in\n%s", err, m[2])
				}
			}
		case "console":
			for _, line := range strings.Split(string(m[2]), "\n") {
				_, cmd, ok := strings.Cut(line, "mirador ")
				if ok && strings.HasPrefix(line, "$ ") {
					commands++
					checkCommand(t, strings.Fields(cmd))
				}
			}
		}
	}
	if yaml < 2 || commands < 5 {
		t.Errorf("%d YAML blocks, %d commands", yaml, commands)
	}
}
