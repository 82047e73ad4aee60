package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/config"
)

// shared returns the directory of test data beside the module, or skips.
func shared(t *testing.T, sub string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the package")
		}
	}
	p := filepath.Join(filepath.Dir(dir), "shared", sub)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("needs the test data in ../shared/%s", sub)
	}
	return p
}

func parse(t *testing.T, text string, sets ...string) *config.Flat {
	t.Helper()
	f, err := config.ParseFlat([]byte(text), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sets {
		if err := f.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestFlatGet(t *testing.T) {
	const text = "%YAML 1.1\n---\n" + `
outputs:
  - fast:
      enabled: yes
  - eve-log:
      enabled: "no"
      types:
        - alert: {payload: on}
        - flow
empty:
tilde: ~
a_b: {c_d: 1}
vars:
  address-groups: {HOME_NET: any}
number: 0x10
quoted: "x \" y"
anchor: &A {k: v}
alias: *A
list: [a, b]
stats: {interval: 8}
stats: {enabled: yes}
`
	f := parse(t, text)
	for _, c := range []struct{ path, want string }{
		{"outputs.0", "fast"},
		{"outputs.0.fast.enabled", "yes"},
		{"outputs.1", "eve-log"},
		{"outputs.1.eve-log.enabled", "no"},
		{"outputs.1.eve-log.types.0", "alert"},
		{"outputs.1.eve-log.types.0.alert.payload", "on"},
		{"outputs.1.eve-log.types.1", "flow"},
		{"a-b.c-d", "1"},
		{"vars.address-groups.HOME_NET", "any"},
		{"number", "0x10"},
		{"quoted", `x " y`},
		{"alias.k", "v"},
		{"list.1", "b"},
		{"stats.enabled", "yes"},
	} {
		if got, ok := f.Get(c.path); !ok || got != c.want {
			t.Errorf("Get(%q) = %q, %v, want %q", c.path, got, ok, c.want)
		}
	}
	for _, path := range []string{"empty", "outputs.2", "a_b", "outputs", "nothing.at.all", "stats.interval", ""} {
		if got, ok := f.Get(path); ok {
			t.Errorf("Get(%q) = %q, want none", path, got)
		}
	}
}

func TestFlatSet(t *testing.T) {
	f := config.Stock()
	for _, s := range []string{
		"outputs.1.eve-log.types.1.frame.enabled=yes",
		"stream.midstream= true",
		"app-layer.protocols.http.libhtp.default-config.response-body-decompress-layer-limit=3",
	} {
		if err := f.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	o, err := f.Outputs()
	if err != nil {
		t.Fatal(err)
	}
	if len(o.EVE) != 1 || !o.EVE[0].FrameOn {
		t.Errorf("frame is not on: %+v", o.EVE)
	}
	if on, ok := f.Root().Bool("stream.midstream"); !on || !ok {
		t.Errorf("stream.midstream = %v, %v", on, ok)
	}
	http := f.Protocol("http")
	if n, ok := http.Int("libhtp.default-config.response-body-decompress-layer-limit"); n != 3 || !ok {
		t.Errorf("layer limit = %d, %v", n, ok)
	}
	if n, ok := http.Size("libhtp.default-config.response-body-limit"); n != 100<<10 || !ok {
		t.Errorf("response-body-limit = %d, %v", n, ok)
	}
	for _, bad := range []string{"", "a", "=b", "a..b=c", strings.Repeat("a.", 200) + "b=c"} {
		if f.Set(bad) == nil {
			t.Errorf("Set(%.20q) was accepted", bad)
		}
	}
}

func TestFlatInclude(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	write("base.yaml", "%YAML 1.1\n---\nstats: {interval: 8, enabled: yes}\nflow: {memcap: 1mb}\n")
	write("part.yaml", "one: 1\n")
	main := write("main.yaml", "include: base.yaml\nstats: {enabled: no}\nsub: !include part.yaml\n")
	f, err := config.LoadFlat(main)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"stats.enabled": "no", "flow.memcap": "1mb", "sub.one": "1"} {
		if got, _ := f.Get(path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	if _, ok := f.Get("stats.interval"); ok {
		t.Error("a key that is defined again is to be replaced whole")
	}
	if len(f.Files()) != 3 {
		t.Errorf("Files() = %q", f.Files())
	}
	loop := write("loop.yaml", "include: [loop.yaml, loop.yaml]\n")
	if _, err := config.LoadFlat(loop); err == nil {
		t.Error("a file that includes itself was accepted")
	}
	if _, err := config.LoadFlat(write("gone.yaml", "a: 1\ninclude: missing.yaml\n")); err == nil ||
		!strings.Contains(err.Error(), "gone.yaml:2:") {
		t.Errorf("error %v does not name file and line", err)
	}
}

func TestFlatBad(t *testing.T) {
	for name, text := range map[string]string{
		"sequence":  "- a\n- b\n",
		"scalar":    "hello\n",
		"syntax":    "a: [1, 2\nb: }\n",
		"no anchor": "a: *nothing\n",
		"bomb": "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n" +
			"g: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n",
	} {
		if _, err := config.ParseFlat([]byte(text), "t.yaml"); err == nil {
			t.Errorf("%s: accepted", name)
		} else if !strings.HasPrefix(err.Error(), "t.yaml") {
			t.Errorf("%s: error %q does not name the file", name, err)
		}
	}
	if _, err := config.ParseFlat(nil, "t.yaml"); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "10": 10, "100kb": 100 << 10, "100 KiB": 100 << 10, "1mb": 1 << 20, "1 MiB": 1 << 20,
		"2GiB": 2 << 30, " 4 kb ": 4096, "1.5kb": 1536, "64 MB": 64 << 20,
	} {
		if got, err := config.ParseSize(s); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "x", "1xb", "-1", "kb", "1 2", "99999999999999999999gb", "1e3"} {
		if got, err := config.ParseSize(s); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", s, got)
		}
	}
}

// TestSuiteConfigs reads every suricata.yaml of the peer's test suite.
func TestSuiteConfigs(t *testing.T) {
	dir := shared(t, "data/suricata-verify/tests")
	n := 0
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(p) != "suricata.yaml" {
			return err
		}
		n++
		f, err := config.LoadFlat(p)
		if err != nil {
			t.Errorf("%v", err)
			return nil
		}
		if _, err := f.Outputs(); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		return nil
	})
	if err != nil || n < 100 {
		t.Fatalf("%d files, %v", n, err)
	}
}
