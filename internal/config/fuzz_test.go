package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/config"
)

// FuzzFlat reads arbitrary files and asks for everything.
func FuzzFlat(f *testing.F) {
	f.Add("outputs:\n  - eve-log:\n      enabled: yes\n      types: [alert, {http: {extended: yes}}]\n", "outputs.0.eve-log.enabled=no")
	f.Add("a: &a {b: c}\nd: *a\n", "a.b=c")
	f.Add("host-os-policy: {windows: [0.0.0.0/0]}\nvars: {port-groups: {A: $A}}\ndecoder: {vxlan: {ports: $A}}", "x=")
	f.Add("%YAML 1.1\n---\n\tflow: {memcap: 1gb}\n", "flow.memcap=9223372036854775807gb")
	f.Add("addresses: !0\n0:\n - 0", "a.1.b=2")
	f.Fuzz(func(t *testing.T, text, set string) {
		if strings.Contains(text, "include") {
			return // would read files
		}
		c, err := config.ParseFlat([]byte(text), "t.yaml")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "t.yaml") {
				t.Fatalf("error %q does not name the file", err)
			}
			return
		}
		if err := c.Set(set); err == nil {
			name, value, _ := strings.Cut(set, "=")
			if got, ok := c.Get(strings.TrimSpace(name)); !ok || got != strings.TrimLeft(value, " \t") {
				t.Fatalf("Set(%q): Get = %q, %v", set, got, ok)
			}
		}
		if o, err := c.Outputs(); err == nil {
			for _, e := range o.EVE {
				if e.Alert.PayloadBuffer < 0 || e.Alert.PayloadBuffer > 1<<20 {
					t.Fatalf("payload buffer %d", e.Alert.PayloadBuffer)
				}
			}
		}
		c.Stream(false)
		c.Flow()
		c.Decoder()
		c.Detect()
		c.FileStore()
		c.Stats()
		c.Vars()
		s := c.Protocol("http")
		s.Strings("libhtp.default-config.personality")
		s.Global().Size("eve.alert.payload-buffer-size")
	})
}

// FuzzFile reads arbitrary mirador.yaml files.
func FuzzFile(f *testing.F) {
	for _, s := range []string{"", "sensor: {workers: 2}\n", "eve: {path: [1]}\n", "nonsense: 1\n", "# x\n", "a: !0\n0:\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse([]byte(text), "m.yaml", nil)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "m.yaml") {
				t.Fatalf("error %q does not name the file", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("Parse accepted what Validate refuses: %v", err)
		}
	})
}

// TestManyKeys guards against a loader whose cost is not linear.
func TestManyKeys(t *testing.T) {
	var b strings.Builder
	for i := range 20000 {
		b.WriteString("- k")
		b.WriteString(strings.Repeat("x", i%7))
		b.WriteByte('\n')
	}
	p := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(p, []byte("list:\n"+b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := config.LoadFlat(p)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := f.Get("list.19999"); !ok || s[0] != 'k' {
		t.Errorf("last element %q, %v", s, ok)
	}
}
