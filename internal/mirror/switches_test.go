package mirror_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"reflect"
	"testing"

	"mirador/internal/mirror"
)

var update = flag.Bool("update", false, "write the generated documents anew")

// The reference page of the switches is the one that the table makes.
func TestSwitchesDoc(t *testing.T) {
	const path = "../../docs/reference/mirroring-switches.md"
	var b bytes.Buffer
	b.WriteString(`# Switches of the mirroring model

AWS's documentation leaves open what happens in some cases of traffic mirroring. Where it does, Mirador does what seems most likely, and a
switch chooses the other reading: ` + "`switches: [NAME, ...]`" + ` in the files that ` + "`mirador filter` and `mirador mirror`" + ` read, and ` + "`--switch NAME`" + `
of ` + "`mirador filter`" + `. What the table says of AWS is what its documentation, published captures and the source of its clients show.

| switch | about | by default | with the switch | note |
|---|---|---|---|---|
`)
	for _, i := range mirror.SwitchTable() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", i.Name, i.Where, i.Off, i.On, i.Note)
	}
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s is not what the table makes (%v): go test ./internal/mirror -run SwitchesDoc -update", path, err)
	}
}

// Every field of Switches has one row of the table, which sets it and nothing else.
func TestSwitchTable(t *testing.T) {
	fields := reflect.TypeFor[mirror.Switches]().NumField()
	if n := len(mirror.SwitchTable()); n != fields {
		t.Errorf("%d rows for %d fields", n, fields)
	}
	seen := map[mirror.Switches]string{}
	for _, i := range mirror.SwitchTable() {
		var s mirror.Switches
		if err := s.Set(i.Name, true); err != nil {
			t.Fatal(err)
		}
		if other, dup := seen[s]; dup || s == (mirror.Switches{}) || len(s.On()) != 1 || s.On()[0] != i.Name {
			t.Errorf("%s sets %+v, as does %q", i.Name, s, other)
		}
		seen[s] = i.Name
		if err := s.Set(i.Name, false); err != nil || s != (mirror.Switches{}) {
			t.Errorf("%s is not turned off: %+v, %v", i.Name, s, err)
		}
	}
	if err := new(mirror.Switches).Set("x", true); err == nil {
		t.Error("an unknown switch was set")
	}
}
