package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/config"
	"mirador/internal/detect"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// Less used parts of a suricata.yaml reach detection, and bad ones are told apart.
func TestDetectExtras(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cats, list := file("cats.txt", "1,Bad,bad hosts\n"), file("bad.list", "192.0.2.1,1,50\n")
	file("broken.list", "192.0.2.1,99,50\n")
	for _, c := range []struct{ name, yaml, wrong string }{
		{"none", "", ""},
		{"all", "action-order: [drop, pass, reject, alert]\ndatasets:\n  ua:\n    type: md5\n    load: " + list +
			"\nreputation-categories-file: " + cats + "\ndefault-reputation-path: " + dir + "\nreputation-files: [bad.list]\n", ""},
		{"order too short", "action-order: [drop, pass]\n", "not an order"},
		{"order twice", "action-order: [drop, drop, reject, alert]\n", "not an order"},
		{"no categories", "reputation-categories-file: " + dir + "/none\n", "reputation-categories-file"},
		{"broken list", "reputation-categories-file: " + cats + "\nreputation-files: [" + dir + "/broken.list]\n", "out of range"},
		{"not a database", "geoip-database: " + cats + "\n", "not a MaxMind database"},
	} {
		flat, err := config.LoadFlat(file("suricata.yaml", "%YAML 1.1\n---\n"+c.yaml))
		if err != nil {
			t.Fatal(c.name, err)
		}
		d, err := flat.Detect()
		if err != nil {
			t.Fatal(c.name, err)
		}
		var o detect.Options
		err = (&engine{flat: flat}).detectExtras(&o, &d)
		if err != nil {
			if c.wrong == "" || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: %v, want %q", c.name, err, c.wrong)
			}
			continue
		}
		if c.wrong != "" {
			t.Errorf("%s: no error, want %q", c.name, c.wrong)
		}
		if all := len(o.ActionOrder) == 4 && len(o.Datasets) == 1 && o.Reputation != nil; all != (c.name == "all") {
			t.Errorf("%s: options are %v %v %v", c.name, o.ActionOrder, o.Datasets, o.Reputation != nil)
		}
	}
}

// Compiling again, as a reload does, reads the lists of addresses and of values anew.
func TestListsAreReadAnew(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	write("bad.list", "10.0.0.9,1,50\n")
	write("addrs.lst", "10.0.0.9\n")
	conf := write("suricata.yaml", "%YAML 1.1\n---\nreputation-categories-file: "+write("cats.txt", "1,Bad,bad hosts\n")+
		"\ndefault-reputation-path: "+dir+"\nreputation-files: [bad.list]\ndatasets:\n  addrs:\n    type: ipv4\n    load: "+filepath.Join(dir, "addrs.lst")+"\n")
	rules := write("test.rules", `alert ip any any -> any any (iprep:src,Bad,>,10; sid:1;)
alert ip any any -> any any (ip.src; dataset:isset,addrs; sid:2;)
`)
	p := &engineParams{configFile: conf, rules: []string{rules}}
	e, err := buildEngine(p)
	if err != nil {
		t.Fatal(err)
	}
	frame := pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1000 2000 | x")
	alerts := func() int {
		d := packet.NewDecoder(packet.Options{})
		list := d.Decode(nil, packet.LinkEthernet, frame, len(frame), 1)
		return len(detect.NewWorker(e.detect, e.shared).Inspect(&detect.Packet{P: &list[0]}))
	}
	if n := alerts(); n != 0 {
		t.Errorf("%d alerts before the address is listed", n)
	}
	write("bad.list", "10.0.0.1,1,50\n")
	write("addrs.lst", "10.0.0.1\n")
	list, problems, err := readRules(p.rules)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.compileRules(p, list, problems); err != nil {
		t.Fatal(err)
	}
	if n := alerts(); n != 2 {
		t.Errorf("%d alerts after it is listed, want 2: %v", n, e.problems)
	}
}
