package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/config"
	"mirador/internal/detect"
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
