package ja_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"mirador/internal/proto/ja"
)

func u16(v int) string { return string(binary.BigEndian.AppendUint16(nil, uint16(v))) }

func ext(typ int, body string) string { return u16(typ) + u16(len(body)) + body }

func sni(name string) string { return ext(0, u16(3+len(name))+"\x00"+u16(len(name))+name) }

func alpn(names ...string) string {
	list := ""
	for _, n := range names {
		list += string(rune(len(n))) + n
	}
	return ext(16, u16(len(list))+list)
}

func client(version int, ciphers, exts string) []byte {
	return []byte(u16(version) + strings.Repeat("r", 32) + "\x00" + u16(len(ciphers)) + ciphers + "\x01\x00" + u16(len(exts)) + exts)
}

// suites are those of most cases here.
const suites = "\xc0\x2f\x00\x35"

// The expected strings were made by Suricata 8.0.7 of the same messages.
func TestClientFingerprints(t *testing.T) {
	cases := []struct {
		name     string
		msg      []byte
		ja3, ja4 string
	}{
		{"TLS 1.2", client(0x0303, suites, sni("a.b")), "771,49199-53,0,,", "t12d020100_1584f0a67932_d2e2adf7177b"},
		{"ticket", client(0x0303, suites, sni("a.b")+ext(35, "tick")), "771,49199-53,0-35,,", "t12d020200_1584f0a67932_94264683603e"},
		{"TLS 1.3", client(0x0303, suites, sni("a.b")+ext(43, "\x04\x03\x04\x03\x03")), "771,49199-53,0-43,,", "t13d020200_1584f0a67932_9b00d4eb1ff0"},
		{"the first known version counts", client(0x0303, suites, ext(35, "")+ext(43, "\x04\x03\x03\x03\x04")), "771,49199-53,35-43,,", "t12i020200_1584f0a67932_a669311f0a40"},
		{"GREASE", client(0x0303, suites, ext(35, "")+ext(43, "\x04\x1a\x1a\x03\x04")), "771,49199-53,35-43,,", "t13i020200_1584f0a67932_a669311f0a40"},
		{"draft", client(0x0303, suites, ext(35, "")+ext(43, "\x04\x7f\x1c\x03\x04")), "771,49199-53,35-43,,", "t00i020200_1584f0a67932_a669311f0a40"},
		{"SSL 3.0", client(0x0300, suites, ""), "768,49199-53,,,", "ts3i020000_1584f0a67932_d2e2adf7177b"},
		{"ALPN", client(0x0303, suites, ext(35, "")+alpn("http/1.1")), "771,49199-53,35-16,,", "t12i0202h1_1584f0a67932_94264683603e"},
		{"ALPN of one letter", client(0x0303, suites, ext(35, "")+alpn("a")), "771,49199-53,35-16,,", "t12i0202aa_1584f0a67932_94264683603e"},
	}
	for _, c := range cases {
		h := ja.ParseClient(c.msg)
		if h.Fault != ja.Whole {
			t.Errorf("%s: fault %d", c.name, h.Fault)
		}
		if got := string(h.AppendJA3(nil)); got != c.ja3 {
			t.Errorf("%s: JA3 %q, want %q", c.name, got, c.ja3)
		}
		if got := string(h.AppendJA4(nil, false)); got != c.ja4 {
			t.Errorf("%s: JA4 %q, want %q", c.name, got, c.ja4)
		}
	}
}

func TestALPNCharacters(t *testing.T) {
	for in, want := range map[string]string{"h2": "h2", "\xab": "ab", "\xab\xcd": "ad", "h\xcd": "6d", "\xabZ": "aa", "-x": "28"} {
		h := ja.ParseClient(client(0x0303, suites, ext(16, u16(1+len(in))+string([]byte{byte(len(in))})+in)))
		if got := string(h.AppendJA4(nil, false)[8:10]); got != want {
			t.Errorf("protocol %q gives %q, want %q", in, got, want)
		}
	}
}

func TestQUICFingerprints(t *testing.T) {
	grease := client(0x0303, "\x5a\x5a\x13\x01", ext(0x1a1a, "")+ext(10, "\x00\x04\x2a\x2a\x00\x1d")+ext(11, "\x01\x00")+
		ext(13, "\x00\x04\x3a\x3a\x04\x03")+ext(43, "\x04\x4a\x4a\x03\x04"))
	h := ja.ParseClient(grease)
	if got, want := string(h.AppendJA3Grease(nil)), "771,23130-4865,64250-10-11-13-43,10794-29,0"; got != want {
		t.Errorf("JA3 over QUIC %q, want %q", got, want)
	}
	if got, want := string(h.AppendJA4(nil, true)), "q13i010400_0f2cb44170f4_5e519ef2b8a0"; got != want {
		t.Errorf("JA4 over QUIC %q, want %q", got, want)
	}
	if got, want := string(h.AppendJA3(nil)), "771,4865,10-11-13-43,29,0"; got != want {
		t.Errorf("JA3 over TCP %q, want %q", got, want)
	}
	h = ja.ParseClient(client(0x0303, suites, ""))
	if got := string(h.AppendJA4(nil, true)[:3]); got != "q00" {
		t.Errorf("no version named: %q, want q00", got)
	}
}

func TestServerFingerprint(t *testing.T) {
	body := "\x03\x03" + strings.Repeat("r", 32) + "\x00\x13\x02\x00" + u16(6) + ext(43, "\x03\x04")
	h := ja.ParseServer([]byte(body))
	if got, want := string(h.AppendJA3S(nil)), "771,4866,43"; got != want || h.Version != 0x0304 {
		t.Errorf("JA3S %q version %x, want %q", got, h.Version, want)
	}
	draft := "\x7f\x12" + strings.Repeat("r", 32) + "\x13\x01" + u16(4) + ext(40, "")
	h = ja.ParseServer([]byte(draft))
	if got, want := string(h.AppendJA3S(nil)), "32530,4865,40"; got != want {
		t.Errorf("JA3S of draft 18 %q, want %q", got, want)
	}
	if got := string(ja.Hash([]byte("771,4866,43-51-41"))); got != "2253c82f03b621c5144709b393fde2c9" {
		t.Errorf("hash %s", got)
	}
}

func TestFaults(t *testing.T) {
	cases := []struct {
		name string
		exts string
		want ja.Fault
		sni  string
	}{
		{"two server names", sni("a.b") + sni("c.d"), ja.SNIMultiple, "a.b"},
		{"name type", ext(0, u16(6)+"\x01\x00\x03a.b"), ja.SNIType, ""},
		{"list too long", ext(0, u16(9)+"\x00\x00\x03a.b"), ja.SNILength, ""},
		{"name too long for its list", ext(0, u16(6)+"\x00\x00\x09a.b"), ja.SNILength, ""},
		{"name too long", sni(strings.Repeat("a", 256)), ja.SNILength, ""},
		{"ALPN too long", ext(16, u16(9)+"\x02h2"), ja.Malformed, ""},
		{"extension too long", "\x00\x0a\x00\x09a", ja.Malformed, ""},
		{"extension header", "\x00\x0a\x00", ja.Malformed, ""},
	}
	for _, c := range cases {
		h := ja.ParseClient(client(0x0303, suites, c.exts))
		if h.Fault != c.want || string(h.SNI) != c.sni {
			t.Errorf("%s: fault %d name %q, want %d %q", c.name, h.Fault, h.SNI, c.want, c.sni)
		}
	}
	whole := client(0x0303, suites, sni("a.b"))
	for n := range whole {
		if h := ja.ParseClient(whole[:n]); h.Fault == ja.Whole && n != len(whole)-2-len(sni("a.b")) {
			t.Errorf("the first %d of %d bytes are taken for a whole hello", n, len(whole))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(client(0x0303, suites, sni("a.b")+alpn("h2", "x")+ext(43, "\x04\x03\x04\x03\x03")+ext(10, "\x00\x02\x00\x1d")))
	f.Add([]byte("\x03\x03" + strings.Repeat("r", 32) + "\x00\x13\x02\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, s := ja.ParseClient(b), ja.ParseServer(b)
		// A list element takes at most six characters.
		if n := len(c.AppendJA3(nil)); n > 64+6*len(b) {
			t.Errorf("JA3 of %d bytes from %d", n, len(b))
		}
		s.AppendJA3S(nil)
		if n := len(c.AppendJA4(nil, true)); n != 36 {
			t.Errorf("JA4 has %d characters", n)
		}
	})
}
