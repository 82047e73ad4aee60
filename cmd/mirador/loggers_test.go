package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/config"
	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/http"
	"mirador/internal/proto/prototest"
)

// TestHTTPLogger: http records are short unless the configuration says extended.
func TestHTTPLogger(t *testing.T) {
	c := proto.NewConn(prototest.Table(t, nil, http.Protocol()), proto.Hint{})
	c.Feed(proto.ToServer, []byte("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), 0, false)
	for yaml, extended := range map[string]bool{
		"- http": false, "- http: {custom: [Server]}": false, "- http: {extended: no}": false, "- http: {extended: yes}": true,
	} {
		file := filepath.Join(t.TempDir(), "suricata.yaml")
		text := "%YAML 1.1\n---\noutputs:\n  - eve-log:\n      enabled: yes\n      types:\n        " + yaml + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		flat, err := config.LoadFlat(file)
		if err != nil {
			t.Fatal(err)
		}
		var w jsonw.Writer
		w.Open()
		httpLoggers(flat, 0)[0].Log(c, c.Txs[0], &w)
		w.Close()
		if got := strings.Contains(string(w.Buf), `"http_method":"GET"`); got != extended || !strings.Contains(string(w.Buf), `"url":"/a"`) {
			t.Errorf("%s: %s", yaml, w.Buf)
		}
	}
}
