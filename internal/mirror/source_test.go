package mirror_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"mirador/internal/mirror"
	"mirador/internal/packet"
)

func addr(s string) packet.Addr { return netip.MustParseAddr(s).As16() }

const fileYAML = `# made by hand
sources:
  - vni: 1169
    source_ip: 10.0.1.15
    session_id: tms-1
    session_name: web
    eni: eni-1
    instance_id: i-1
    name: web-1
    account: "011122223333"
    vpc: vpc-1
    subnet: subnet-1
    az: euw1-az1
    mac: 02:29:00:00:00:01
    addresses: [10.0.1.15, 10.0.1.16]
    tags: {env: prod, a: b}
  - vni: 1169
    eni: eni-2
    vpc: vpc-1
  - source_ip: "2001:db8::7"
    eni: eni-3
    tenant: red
  - vni: 7
    eni: eni-4
`

const fileJSON = `{"sources": [{"vni": 1169, "source_ip": "10.0.1.15", "session_id": "tms-1", "vpc": "vpc-1"}]}`

func TestParseSources(t *testing.T) {
	tab, err := mirror.ParseSources([]byte(fileYAML), "s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f := func(outer string, vni uint32, want string) *mirror.Source {
		t.Helper()
		s, ok := tab.Lookup(addr(outer), vni)
		if ok != (want != "") || ok && s.ENI != want {
			t.Errorf("Lookup(%s, %d) = %+v, %v, want %q", outer, vni, s, ok, want)
		}
		return s
	}
	one := f("10.0.1.15", 1169, "eni-1")
	two := f("10.9.9.9", 1169, "eni-2")
	three := f("2001:db8::7", 9999, "eni-3")
	four := f("2001:db8::7", 7, "eni-4") // the VNI goes before the address
	f("10.0.1.15", 8, "")
	if one.TenantID == 0 || one.TenantID != two.TenantID || three.TenantID == one.TenantID || three.TenantID == 0 || four.TenantID != 0 {
		t.Errorf("tenants %d %d %d %d", one.TenantID, two.TenantID, three.TenantID, four.TenantID)
	}
	if one.Account != "011122223333" || one.SessionName != "web" || len(one.Tags) != 2 || one.Tags[0] != (mirror.Tag{Key: "a", Value: "b"}) ||
		!one.HasMAC || one.MAC[1] != 0x29 || len(one.Addrs) != 2 {
		t.Errorf("first source: %+v", one)
	}
	if tab.Len() != 4 || tab.Sources()[2] != three {
		t.Errorf("%d sources", tab.Len())
	}
	if tab, err := mirror.ParseSources([]byte(fileJSON), "s.json"); err != nil || tab.Len() != 1 || tab.Sources()[0].SessionID != "tms-1" {
		t.Errorf("JSON: %v, %v", tab, err)
	}
	if tab, err := mirror.ParseSources(nil, "s.yaml"); err != nil || tab.Len() != 0 {
		t.Errorf("empty file: %v, %v", tab, err)
	}
	if _, ok := new(mirror.SourceTable).Lookup(addr("::1"), 1); ok {
		t.Error("the empty table knows somebody")
	}
}

func TestParseSourcesBad(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "sources:\n  - vni: 1\n    enni: x\n", `s.yaml:3:5: unknown field "enni"`},
		{"unknown key in JSON", "{\n\"sources\": [{\"vni\": 1, \"enni\": 2}]}", "s.yaml:2:"},
		{"syntax in JSON", "{\n\n \"sources\": [}", "s.yaml:3:14: "},
		{"two values", fileJSON + fileJSON, "more than one value"},
		{"no key", "sources:\n  - eni: x\n", "source 1: neither vni nor"},
		{"twice", "sources: [{vni: 1}, {vni: 1}]", "source 2: vni 1 is there twice"},
		{"twice exactly", "sources: [{vni: 1, source_ip: 10.0.0.1}, {vni: 1, source_ip: 10.0.0.1}]", "source 2: vni 1 from 10.0.0.1"},
		{"address twice", "sources: [{source_ip: 10.0.0.1}, {source_ip: 10.0.0.1}]", "source 2: outer address 10.0.0.1"},
		{"vni", "sources: [{vni: 16777216}]", "24 bits"},
		{"address", "sources: [{source_ip: 10.0.0}]", `"10.0.0" is no IP address`},
		{"zone", "sources: [{source_ip: 'fe80::1%eth0'}]", "is no IP address"},
		{"mac", "sources: [{vni: 1, mac: '1:2'}]", "no Ethernet address"},
		{"addresses", "sources: [{vni: 1, addresses: [x]}]", "addresses:"},
		{"long", "sources: [{vni: 1, eni: " + strings.Repeat("x", mirror.MaxText+1) + "}]", "eni: 1025 bytes"},
		{"type", "sources: [{vni: x}]", "s.yaml:1:"},
		{"tags", "sources: [{vni: 1, tags: {" + manyTags() + "}}]", "51 tags"},
	} {
		if _, err := mirror.ParseSources([]byte(c.text), "s.yaml"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	var ee *mirror.EntryError
	if _, err := mirror.ParseSources([]byte("sources: [{vni: 1}, {eni: x}]"), "s"); !errors.As(err, &ee) || ee.Index != 1 {
		t.Errorf("error %v does not carry the index", err)
	}
	if _, err := mirror.NewSourceTable(make([]mirror.Entry, mirror.MaxSources+1)); !errors.Is(err, mirror.ErrTooManySources) {
		t.Errorf("too many: %v", err)
	}
}

func manyTags() string {
	var b strings.Builder
	for i := range mirror.MaxTags + 1 {
		fmt.Fprintf(&b, "k%d: v,", i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func TestDirection(t *testing.T) {
	eni, router := [6]byte{1}, [6]byte{2}
	s := &mirror.Source{MAC: eni, HasMAC: true, Addrs: []packet.Addr{addr("10.0.0.1")}}
	ip := func(src, dst string) *packet.Parsed {
		return &packet.Parsed{Depth: packet.DepthNet, Src: addr(src), Dst: addr(dst)}
	}
	for _, c := range []struct {
		name string
		p    *packet.Parsed
		want string
	}{
		{"sent by MAC", &packet.Parsed{HasEther: true, EtherSrc: eni, EtherDst: router}, "egress"},
		{"received by MAC", &packet.Parsed{HasEther: true, EtherSrc: router, EtherDst: eni}, "ingress"},
		{"neither MAC, no IP", &packet.Parsed{HasEther: true, EtherSrc: router, EtherDst: router}, ""},
		{"sent by address", ip("10.0.0.1", "10.0.0.2"), "egress"},
		{"received by address", ip("10.0.0.2", "10.0.0.1"), "ingress"},
		{"somebody else", ip("10.0.0.2", "10.0.0.3"), ""},
	} {
		if got := s.Direction(c.p).String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLookupAllocs(t *testing.T) {
	tab, err := mirror.ParseSources([]byte(fileYAML), "s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	a := addr("10.0.1.15")
	if n := testing.AllocsPerRun(100, func() { tab.Lookup(a, 1169); tab.Lookup(a, 3) }); n != 0 {
		t.Errorf("%v allocations a lookup", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	entries := make([]mirror.Entry, 10000)
	for i := range entries {
		entries[i].Key = mirror.Key{Outer: packet.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), HasOuter: true, VNI: 1169, HasVNI: true}
	}
	tab, err := mirror.NewSourceTable(entries)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, ok := tab.Lookup(packet.AddrFrom4([4]byte{10, 0, byte(i >> 8 % 39), byte(i)}), 1169); !ok {
			b.Fatal("not found")
		}
		i++
	}
}

func FuzzParseSources(f *testing.F) {
	f.Add([]byte(fileYAML))
	f.Add([]byte(fileJSON))
	f.Add([]byte("sources: [{vni: 1, tags: {a: *x}}]"))
	f.Add([]byte("sources:\n- &a {vni: 1}\n- *a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tab, err := mirror.ParseSources(data, "s")
		if err != nil {
			return
		}
		for _, s := range tab.Sources() {
			if len(s.Tags) > mirror.MaxTags || len(s.ENI) > mirror.MaxText || len(s.Addrs) > mirror.MaxAddrs {
				t.Fatalf("bounds: %+v", s)
			}
		}
	})
}
