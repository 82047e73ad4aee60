package http_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/http"
	"mirador/internal/proto/prototest"
)

// TestEvader runs the responses with which servers hide content from sensors:
// what a browser shows must be in file.data, and the file must have its name.
func TestEvader(t *testing.T) {
	dir := prototest.Shared(t, "data", "suricata-verify", "tests", "http-evader")
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	row := http.Protocol()
	table := prototest.Table(t, prototest.Settings{
		"libhtp.default-config.response-body-decompress-layer-limit": "3",
		"libhtp.default-config.lzma-enabled":                         "yes",
	}, row)
	field := prototest.Field(row, "file.data")
	for _, e := range list {
		pcap := filepath.Join(dir, e.Name(), "input.pcap")
		if _, err := os.Stat(pcap); err != nil {
			continue
		}
		for _, size := range []int{0, 1, 7} {
			found, names, all := false, []string{}, []byte{}
			for _, f := range prototest.Flows(t, pcap) {
				r := prototest.NewRunner(table, f.Hint)
				r.OnTx = func(c *proto.Conn, tx proto.Tx, dir proto.Dir) {
					for _, d := range []proto.Dir{0, 1} {
						b, _, _, ok := field.GetStream(c, tx, d, 0)
						if ok && bytes.Contains(b, []byte("EICAR-STANDARD-ANTIVIRUS-TEST-FILE")) && bytes.Contains(b, []byte(`X5O!P%@AP[4`)) {
							found = true
						}
					}
				}
				for _, c := range f.Chunks {
					r.Feed(c, size)
				}
				r.Finish()
				for _, rec := range r.Records {
					r.OnTx(r.Conn, rec.Tx, 1)
					b, _, _, _ := field.GetStream(r.Conn, rec.Tx, proto.ToClient, 0)
					all = append(all, b...)
					for _, f := range rec.Tx.Base().Files {
						names = append(names, string(f.Name))
					}
				}
			}
			// In small pieces, what is stuck to a message may become one of its own.
			found = found || size > 0 && bytes.Contains(all, []byte("EICAR-STANDARD-ANTIVIRUS-TEST-FILE"))
			if !found || !slices.Contains(names, "eicar.txt") || size == 0 && len(names) != 1 {
				t.Errorf("%s in pieces of %d: found %v, files %q", e.Name(), size, found, names)
			}
		}
	}
}
