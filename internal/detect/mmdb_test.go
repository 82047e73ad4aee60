package detect_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"mirador/internal/detect"
	"mirador/internal/packet"
	"mirador/internal/rule"
)

// mmdbString is a string in the data format of a MaxMind database.
func mmdbString(s string) string { return string(rune(0x40|len(s))) + s }

// mmdbUint is a number of 32 bits in it.
func mmdbUint(v uint32) string { return "\xc4" + string(binary.BigEndian.AppendUint32(nil, v)) }

// countryDB builds a database in which each /8 belongs to a country: a tree of the
// given record size, in an IPv6 tree when version is 6.
func countryDB(bits, version int, nets map[byte]string) []byte {
	type node [2]int // > 0: node, < 0: -(offset in data)-1, 0: nothing
	nodes := []node{{}}
	depth0 := 0
	if version == 6 {
		for depth0 < 96 {
			nodes[depth0][0] = depth0 + 1
			nodes = append(nodes, node{})
			depth0++
		}
	}
	// A name, once, to which the maps point, and something to pass over.
	data := mmdbString("iso_code")
	for net := range 256 {
		cc, ok := nets[byte(net)]
		if !ok {
			continue
		}
		at := depth0
		for i := 7; i > 0; i-- {
			bit := net >> i & 1
			if nodes[at][bit] == 0 {
				nodes[at][bit] = len(nodes)
				nodes = append(nodes, node{})
			}
			at = nodes[at][bit]
		}
		nodes[at][net&1] = -len(data) - 1
		data += "\xe2" + mmdbString("names") + "\x02\x04" + mmdbUint(1) + "\x01\x07" + // array of a number and true
			mmdbString("country") + "\xe2" + mmdbString("x") + "\xe1" + mmdbString("y") + "\x5d\x01" + strings.Repeat("z", 30) +
			"\x20\x00" + mmdbString(cc)
	}
	var out []byte
	for _, n := range nodes {
		var v [2]uint32
		for i, x := range n {
			switch {
			case x > 0:
				v[i] = uint32(x)
			case x == 0:
				v[i] = uint32(len(nodes))
			default:
				v[i] = uint32(len(nodes) + 16 + -x - 1)
			}
		}
		switch bits {
		case 24:
			out = append(out, byte(v[0]>>16), byte(v[0]>>8), byte(v[0]), byte(v[1]>>16), byte(v[1]>>8), byte(v[1]))
		case 28:
			out = append(out, byte(v[0]>>16), byte(v[0]>>8), byte(v[0]), byte(v[0]>>24<<4|v[1]>>24), byte(v[1]>>16), byte(v[1]>>8), byte(v[1]))
		default:
			out = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(out, v[0]), v[1])
		}
	}
	out = append(out, make([]byte, 16)...)
	out = append(out, data...)
	out = append(out, "\xab\xcd\xefMaxMind.com\xe4"...)
	for _, f := range []struct {
		name string
		v    int
	}{{"binary_format_major_version", 2}, {"node_count", len(nodes)}, {"record_size", bits}, {"ip_version", version}} {
		out = append(append(out, mmdbString(f.name)...), mmdbUint(uint32(f.v))...)
	}
	return out
}

// geoip looks up sides and lists as the guide says; what is unknown matches nothing.
func TestGeoIP(t *testing.T) {
	nets := map[byte]string{10: "DE", 20: "FR", 21: "US"}
	for _, c := range []struct {
		body, src, dst string
		want           bool
	}{
		{"src,DE", "10.1.1.1", "20.1.1.1", true},
		{"src,FR", "10.1.1.1", "20.1.1.1", false},
		{"dst,FR", "10.1.1.1", "20.1.1.1", true},
		{"dest,fr", "10.1.1.1", "20.1.1.1", true},
		{"any,FR", "10.1.1.1", "20.1.1.1", true},
		{"FR", "20.1.1.1", "10.1.1.1", true},
		{"both,FR", "20.1.1.1", "10.1.1.1", false},
		{"both,FR,DE", "20.1.1.1", "10.1.1.1", true},
		{"src, DE, US", "21.0.0.1", "10.1.1.1", true},
		{"src,!DE", "10.1.1.1", "20.1.1.1", false},
		{"src,!US", "10.1.1.1", "20.1.1.1", true},
		{"src,!US", "99.1.1.1", "20.1.1.1", false},
		{"src,DE", "11.1.1.1", "20.1.1.1", false},
	} {
		for _, form := range [][2]int{{24, 4}, {28, 4}, {32, 4}, {24, 6}, {28, 6}, {32, 6}} {
			db, err := detect.ParseCountryDB(countryDB(form[0], form[1], nets))
			if err != nil {
				t.Fatal(form, err)
			}
			e := engine(t, detect.Options{Countries: db}, `alert ip any any -> any any (geoip:`+c.body+`; sid:1;)`)
			p := &detect.Packet{P: udpPacket("x")}
			p.P.Src, p.P.Dst = ipAddr(c.src), ipAddr(c.dst)
			if got := len(detect.NewWorker(e, e.Shared()).Inspect(p)) == 1; got != c.want {
				t.Errorf("geoip:%s of %s -> %s with %v: %v", c.body, c.src, c.dst, form, got)
			}
		}
	}
}

func ipAddr(s string) packet.Addr { return packet.Addr(netip.MustParseAddr(s).As16()) }

func TestGeoIPRefused(t *testing.T) {
	db, err := detect.ParseCountryDB(countryDB(24, 4, map[byte]string{10: "DE"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		db         *detect.CountryDB
		body, want string
	}{
		{nil, "src,DE", "no database"},
		{db, "src", "no country"},
		{db, "src,Germany", "two letters"},
		{db, "DE,src", "two letters"},
	} {
		parsed, _ := rule.Parse("t", []byte("alert ip any any -> any any (geoip:"+c.body+"; sid:1;)"))
		_, rep := detect.Compile(parsed, detect.Options{Countries: c.db})
		if rep.Refused != 1 || !strings.Contains(fmt.Sprint(rep.Problems), c.want) {
			t.Errorf("geoip:%s: %v, want %q", c.body, rep.Problems, c.want)
		}
	}
	good := countryDB(24, 4, map[byte]string{10: "DE"})
	for name, b := range map[string][]byte{
		"empty": nil, "no metadata": good[:100], "no tree": good[len(good)-120:],
		"cut metadata": good[:len(good)-3],
	} {
		if _, err := detect.ParseCountryDB(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A damaged database yields an error or wrong countries, nothing worse.
func FuzzCountryDB(f *testing.F) {
	for _, form := range [][2]int{{24, 4}, {28, 6}, {32, 6}} {
		f.Add(countryDB(form[0], form[1], map[byte]string{10: "DE", 200: "US"}))
	}
	parsed, _ := rule.Parse("t", []byte(`alert ip any any -> any any (geoip:any,DE; sid:1;)`))
	f.Fuzz(func(t *testing.T, b []byte) {
		db, err := detect.ParseCountryDB(b)
		if err != nil {
			return
		}
		e, _ := detect.Compile(parsed, detect.Options{Countries: db})
		w := detect.NewWorker(e, e.Shared())
		p := &detect.Packet{P: udpPacket("x")}
		for _, a := range []string{"10.0.0.1", "200.1.1.1", "0.0.0.0", "255.255.255.255"} {
			p.P.Src = ipAddr(a)
			w.Inspect(p)
		}
	})
}
