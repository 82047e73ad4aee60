package rule_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"mirador/internal/rule"
)

func testVars() rule.Vars {
	v := rule.DefaultVars()
	v.Addresses["LOOP"] = "[10.0.0.1,$LOOP]"
	v.Addresses["ANY"] = "any"
	v.Addresses["SIX"] = "[2001:db8::/32,!2001:db8:1::/48]"
	v.Addresses["D0"] = "1.1.1.1"
	for i := 1; i < 40; i++ {
		name, below := "D"+string(rune('0'+i)), "$D"+string(rune('0'+i-1))
		v.Addresses[name] = "[" + below + "," + below + "]"
	}
	v.Ports["WEB"] = "[80,8000:8100,!8080]"
	return v
}

func TestResolveAddr(t *testing.T) {
	rs := rule.NewResolver(testVars())
	for _, tt := range []struct {
		text, want string
		in, out    string
	}{
		{"any", "any", "1.2.3.4 ::1", ""},
		{"1.2.3.4", "1.2.3.4", "1.2.3.4", "1.2.3.5 1.2.3.3 ::1"},
		{"10.0.0.7/8", "10.0.0.0/8", "10.0.0.0 10.255.255.255", "9.255.255.255 11.0.0.0"},
		{"10.0.0.0/255.255.0.0", "10.0.0.0/16", "10.0.1.1", "10.1.0.0"},
		{"1.2.3.4-1.2.3.6", "1.2.3.4-1.2.3.6", "1.2.3.4 1.2.3.6", "1.2.3.7"},
		{"0.0.0.0/0", "0.0.0.0/0", "255.255.255.255", "::1"},
		{"[0.0.0.0/0,::/0]", "any", "::1 1.1.1.1", ""},
		{"!1.2.3.4", "[0.0.0.0-1.2.3.3,1.2.3.5-255.255.255.255,::/0]", "1.2.3.5 ::1", "1.2.3.4"},
		{"! 1.2.3.4", "[0.0.0.0-1.2.3.3,1.2.3.5-255.255.255.255,::/0]", "", "1.2.3.4"},
		{"[10.0.0.0/24, !10.0.0.5]", "[10.0.0.0-10.0.0.4,10.0.0.6-10.0.0.255]", "10.0.0.4", "10.0.0.5"},
		{"[10.0.0.0/9,10.128.0.0/9]", "10.0.0.0/8", "", ""},
		{"[10.0.0.2,10.0.0.1,10.0.0.1]", "10.0.0.1-10.0.0.2", "", ""},
		{"$HOME_NET", "[10.0.0.0/8,172.16.0.0/12,192.168.0.0/16]", "192.168.1.1", "8.8.8.8 fe80::1"},
		{"$EXTERNAL_NET", "", "8.8.8.8 fe80::1", "192.168.1.1 10.0.0.1"},
		{"!$EXTERNAL_NET", "[10.0.0.0/8,172.16.0.0/12,192.168.0.0/16]", "10.1.1.1", "8.8.8.8"},
		{"[$HOME_NET,!10.1.0.0/16]", "", "10.2.0.0", "10.1.2.3"},
		{"$SIX", "", "2001:db8::1", "2001:db8:1::1 2001:db9::"},
		{"::ffff:1.2.3.4", "", "", "1.2.3.4"},
		{"2001:DB8::1-2001:db8::f", "2001:db8::1-2001:db8::f", "2001:db8::a", "2001:db8::10"},
		{"[[1.1.1.1],[2.2.2.2,[3.3.3.3]]]", "[1.1.1.1,2.2.2.2,3.3.3.3]", "3.3.3.3", "4.4.4.4"},
	} {
		s, err := rs.Addr(tt.text)
		if err != nil {
			t.Errorf("Addr(%q): %v", tt.text, err)
			continue
		}
		if tt.want != "" && s.String() != tt.want && "["+tt.want+"]" != s.String() {
			t.Errorf("Addr(%q) = %v, want %v", tt.text, s, tt.want)
		}
		for _, a := range strings.Fields(tt.in) {
			if !s.ContainsAddr(netip.MustParseAddr(a)) {
				t.Errorf("Addr(%q) has not %s", tt.text, a)
			}
		}
		for _, a := range strings.Fields(tt.out) {
			if s.ContainsAddr(netip.MustParseAddr(a)) {
				t.Errorf("Addr(%q) has %s", tt.text, a)
			}
		}
		again, err := rs.Addr(s.String())
		if err != nil || again != s {
			t.Errorf("Addr(%q) is not the set it was printed from: %v", s, err)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	rs := rule.NewResolver(testVars())
	for _, tt := range []struct{ text, want string }{
		{"", "missing"}, {"!", "missing"}, {"[]", "missing"}, {"[,1.1.1.1]", "missing"}, {"[1.1.1.1,]", "missing"},
		{"[1.1.1.1", "without ']'"}, {"1.1.1.1]", "after the expression"}, {"[1.1.1.1][2.2.2.2]", "after the expression"},
		{"!any", "!any"}, {"!$ANY", "!any"}, {"[1.1.1.1,!1.1.1.0/24]", "no address is left"},
		// Lists are flattened: 10.1.0.0/16 is meant, 10.0.0.0/8 is taken away.
		{"![10.0.0.0/8,!10.1.0.0/16]", "no address is left"},
		{"$NONE", "not defined"}, {"$", "without a name"}, {"$LOOP", "refers to itself"}, {"$DW", "grows beyond"},
		{"1.1.1", "not an address"}, {"1.1.1.256", "not an address"}, {"asdf", "not an address"}, {"fe80::1%eth0", "not an address"},
		{"1.1.1.1/33", "too long"}, {"::/129", "too long"}, {"1.1.1.1/255.0.255.0", "holes"}, {"1.1.1.1/x", "prefix"},
		{"1.1.1.5-1.1.1.1", "before it begins"}, {"1.1.1.1-::2", "not a range"},
		{strings.Repeat("[", 100) + "1.1.1.1" + strings.Repeat("]", 100), "deeper"},
	} {
		if s, err := rs.Addr(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Addr(%q) = %v, %v, want an error with %q", tt.text, s, err, tt.want)
		}
	}
	for _, text := range []string{"", "65536", "80-90", "90:80", ":", "!any", "[80,!80]", "$NONE", "80:x", "[80 81]", "-1", "!0:65535"} {
		if s, err := rs.Port(text); err == nil {
			t.Errorf("Port(%q) = %v, want an error", text, s)
		}
	}
}

func TestResolvePort(t *testing.T) {
	rs := rule.NewResolver(testVars())
	for _, tt := range []struct{ text, want string }{
		{"any", "any"}, {"80", "80"}, {"0:65535", "any"}, {":1023", "0:1023"}, {"1024:", "1024:65535"},
		{"[80: 82]", "80:82"}, {"[1024: ]", "1024:65535"}, {"!80", "[0:79,81:65535]"}, {"[80:100,!99]", "[80:98,100]"},
		{"[1:80,![2,4]]", "[1,3,5:80]"}, {"$WEB", "[80,8000:8079,8081:8100]"}, {"!$HTTP_PORTS", "[0:79,81:65535]"},
		{"[80,81,82]", "80:82"}, {"![!80]", "80"}, {"![21,25,110,143,443,465,587,636,989:995]", "[0:20,22:24,26:109,111:142,144:442,444:464,466:586,588:635,637:988,996:65535]"},
	} {
		s, err := rs.Port(tt.text)
		if err != nil || s.String() != tt.want {
			t.Errorf("Port(%q) = %v, %v, want %s", tt.text, s, err, tt.want)
			continue
		}
		n := 0
		for p := range 65536 {
			if s.Contains(uint16(p)) {
				n++
			}
		}
		if n != s.Len() {
			t.Errorf("Port(%q) has %d ports, Len() = %d", tt.text, n, s.Len())
		}
	}
}

// TestPortSetTwin compares sets with a table of 65536 booleans.
func TestPortSetTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	rs := rule.NewResolver(rule.Vars{})
	for range 200 {
		var pos, neg [65536]bool
		var parts []string
		anyPos := false
		for range 1 + rng.IntN(6) {
			lo := rng.IntN(65536)
			hi := min(65535, lo+rng.IntN(9000))
			e := rule.PortRange{Lo: uint16(lo), Hi: uint16(hi)}
			table, sign := &pos, ""
			if rng.IntN(3) == 0 {
				table, sign = &neg, "!"
			} else {
				anyPos = true
			}
			for p := lo; p <= hi; p++ {
				table[p] = true
			}
			parts = append(parts, sign+itoa(e.Lo)+":"+itoa(e.Hi))
		}
		text := "[" + strings.Join(parts, ",") + "]"
		s, err := rs.Port(text)
		left := false
		for p := range 65536 {
			want := (pos[p] || !anyPos) && !neg[p]
			left = left || want
			if err == nil && s.Contains(uint16(p)) != want {
				t.Fatalf("Port(%q).Contains(%d) = %v", text, p, !want)
			}
		}
		if (err == nil) != left {
			t.Fatalf("Port(%q): %v, ports left: %v", text, err, left)
		}
	}
}

func itoa(n uint16) string {
	s := ""
	for {
		s = string(rune('0'+n%10)) + s
		if n /= 10; n == 0 {
			return s
		}
	}
}

// TestAddrSetTwin compares sets with a linear walk over the prefixes.
func TestAddrSetTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	rs := rule.NewResolver(rule.Vars{})
	addr := func() netip.Addr {
		if rng.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{10, byte(rng.IntN(2)), byte(rng.IntN(4)), byte(rng.IntN(256))})
		}
		b := [16]byte{0x20, 1, 7: byte(rng.IntN(3)), 8: byte(rng.IntN(3)), 15: byte(rng.IntN(256))}
		return netip.AddrFrom16(b)
	}
	for range 300 {
		var pos, neg []netip.Prefix
		var parts []string
		for range 1 + rng.IntN(6) {
			a := addr()
			p := netip.PrefixFrom(a, a.BitLen()-rng.IntN(12)).Masked()
			if rng.IntN(3) == 0 {
				neg = append(neg, p)
				parts = append(parts, "!"+p.String())
			} else {
				pos = append(pos, p)
				parts = append(parts, p.String())
			}
		}
		text := "[" + strings.Join(parts, ",") + "]"
		s, err := rs.Addr(text)
		if err != nil {
			continue // nothing left; the other direction is tested by the loop below
		}
		has := func(list []netip.Prefix, a netip.Addr) bool {
			for _, p := range list {
				if p.Contains(a) {
					return true
				}
			}
			return false
		}
		for range 300 {
			a := addr()
			want := (len(pos) == 0 || has(pos, a)) && !has(neg, a)
			if s.ContainsAddr(a) != want {
				t.Fatalf("Addr(%q).Contains(%v) = %v", text, a, !want)
			}
		}
	}
}

func TestOverlaps(t *testing.T) {
	rs := rule.NewResolver(testVars())
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"$HOME_NET", "$EXTERNAL_NET", false}, {"10.0.0.0/8", "$HOME_NET", true}, {"any", "::1", true},
		{"::1", "1.1.1.1", false}, {"::/64", "[::ff,1::]", true},
	} {
		a, _ := rs.Addr(tt.a)
		b, _ := rs.Addr(tt.b)
		if a.Overlaps(b) != tt.want || b.Overlaps(a) != tt.want {
			t.Errorf("%s overlaps %s: want %v", tt.a, tt.b, tt.want)
		}
	}
	a, _ := rs.Port("[80,443]")
	b, _ := rs.Port("81:442")
	c, _ := rs.Port("443:")
	if a.Overlaps(b) || !a.Overlaps(c) {
		t.Error("Overlaps of ports")
	}
}

func TestHeaderPositions(t *testing.T) {
	text := "alert tcp any any -> [1.1.1.1,!$NOPE] 80:x (sid:7;)\n"
	rules, problems := rule.Parse("f.rules", []byte(text))
	if len(rules) != 1 || len(problems) != 0 {
		t.Fatalf("Parse: %v", problems)
	}
	_, problems = rule.NewResolver(rule.DefaultVars()).Header(rules[0])
	if len(problems) != 2 {
		t.Fatalf("Header: %v", problems)
	}
	if p := problems[0]; p.Column != strings.Index(text, "$NOPE") || p.SID != 7 || p.Kind != rule.KindAddress {
		t.Errorf("first problem: %+v", p)
	}
	if p := problems[1]; p.Column != strings.Index(text, "80:x")+1 || p.Kind != rule.KindPort {
		t.Errorf("second problem: %+v", p)
	}
}

func TestHeadersOfETComposite(t *testing.T) {
	rules, _ := rule.Parse("composite", readShared(t, "data", "etopen", "composite-2025-07.rules"))
	rs := rule.NewResolver(rule.DefaultVars())
	for _, r := range rules {
		if _, problems := rs.Header(r); len(problems) > 0 {
			t.Fatal(problems[0])
		}
	}
	addrs, ports := rs.Sets()
	t.Logf("%d address sets, %d port sets", addrs, ports)
	if addrs > 2000 || ports > 1000 {
		t.Errorf("%d address sets and %d port sets are kept for %d rules", addrs, ports, len(rules))
	}
}

func TestContainsDoesNotAllocate(t *testing.T) {
	rs := rule.NewResolver(testVars())
	s, _ := rs.Addr("[$HOME_NET,$SIX]")
	p, _ := rs.Port("$WEB")
	addr := [16]byte{12: 10, 15: 1}
	n := testing.AllocsPerRun(100, func() {
		if !s.Contains(&addr, 4) || !p.Contains(80) {
			t.Error("not contained")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
