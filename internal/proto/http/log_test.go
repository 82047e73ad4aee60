package http_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/http"
	"mirador/internal/proto/prototest"
)

// written is what log makes of the last transaction of a flow.
func written(t *testing.T, log func(*proto.Conn, proto.Tx, *jsonw.Writer), flow ...part) map[string]any {
	t.Helper()
	tab, _ := table(t, nil)
	r := prototest.NewRunner(tab, proto.Hint{SrcPort: 40000, DstPort: 80})
	for _, p := range flow {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, 0)
	}
	r.Finish()
	var w jsonw.Writer
	w.Open()
	log(r.Conn, r.Records[len(r.Records)-1].Tx, &w)
	w.Close()
	var m map[string]any
	if err := json.Unmarshal(w.Buf, &m); err != nil {
		t.Fatalf("%v: %s", err, w.Buf)
	}
	return m
}

func TestLog(t *testing.T) {
	flow := parts(
		q("GET /x?y HTTP/1.1\r\nHost: H.example:8080\r\nUser-Agent: ua\r\nReferer: r\r\nX-Forwarded-For: 1.2.3.4\r\nAccept: a\r\n\r\n"),
		a("HTTP/1.1 206 OK\r\nContent-Type: text/html; charset=x\r\nLocation: /l\r\nContent-Range: bytes 0-2/9\r\nContent-Length: 3\r\n\r\nabc"))
	basic := map[string]any{
		"hostname": "h.example", "http_port": 8080.0, "url": "/x?y", "http_user_agent": "ua", "http_content_type": "text/html", "xff": "1.2.3.4",
		"content_range": map[string]any{"raw": "bytes 0-2/9", "start": 0.0, "end": 2.0, "size": 9.0},
	}
	extended := map[string]any{"http_refer": "r", "http_method": "GET", "protocol": "HTTP/1.1", "status": 206.0, "redirect": "/l", "length": 3.0}
	header := func(name, value string) map[string]any { return map[string]any{"name": name, "value": value} }
	for _, c := range []struct {
		name string
		o    http.LogOptions
		more []map[string]any
	}{
		{"basic", http.LogOptions{}, nil},
		{"extended", http.LogOptions{Extended: true}, []map[string]any{extended}},
		{"custom", http.LogOptions{Custom: []string{"accept", "Location"}}, []map[string]any{
			{"request_headers": []any{header("Accept", "a")}}, {"response_headers": []any{header("Location", "/l")}}}},
		{"dump", http.LogOptions{Dump: http.DumpResponse}, []map[string]any{{"response_headers": []any{
			header("Content-Type", "text/html; charset=x"), header("Location", "/l"), header("Content-Range", "bytes 0-2/9"), header("Content-Length", "3")}}}},
	} {
		want := map[string]any{}
		for _, m := range append([]map[string]any{basic}, c.more...) {
			for k, v := range m {
				want[k] = v
			}
		}
		log := http.Logger(c.o)
		got := written(t, func(conn *proto.Conn, tx proto.Tx, w *jsonw.Writer) { log(conn, tx, w) }, flow...)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\nwant %v", c.name, got, want)
		}
	}
}

func TestAlertLog(t *testing.T) {
	got := written(t, http.AlertLogger(http.AlertOptions{Body: true, BodyPrintable: true}),
		q("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"), a("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\x00b"))
	h, _ := got["http"].(map[string]any)
	for k, want := range map[string]any{
		"http_request_body": "aGk=", "http_request_body_printable": "hi",
		"http_response_body": "YQBi", "http_response_body_printable": "a.b", "http_method": "POST",
	} {
		if h[k] != want {
			t.Errorf("%s = %v, want %v", k, h[k], want)
		}
	}
}
