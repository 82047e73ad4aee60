package sensor_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/packet"
	"mirador/internal/pkttest"
	"mirador/internal/proto/http"
)

// conversation has three requests; the header block of each comes in two segments.
func conversation() []pkttest.Sent {
	f := pkttest.TCP("10.0.0.1:40000", "10.0.0.2:80").Open()
	for i := range 3 {
		f.ToServer(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a.example\r\nUser-Age", i)).ToServer("nt: x\r\nAccept: */*\r\n\r\n")
		f.ToClient("HTTP/1.1 200 OK\r\nContent-Le").ToClient("ngth: 2\r\n\r\nok")
	}
	return f.Close().Frames
}

// TestLossInsideMessages loses each frame of a conversation in turn, and cuts each in
// turn: nothing panics, and requests behind the hole are read.
func TestLossInsideMessages(t *testing.T) {
	f := func(name string, frames []pkttest.Sent, lost int, keep func(i int, b []byte) []byte) {
		t.Helper()
		o, out := workerOptions(t, `alert http any any -> any any (msg:"last"; http.uri; content:"/2"; sid:1;)`, http.Protocol())
		o.Mirror = false
		o.Quarantine = func(_ packet.Link, _ []byte, _ int, _ int64, why any) { t.Errorf("%s: panic: %v", name, why) }
		w := startWorker(t, o)
		for i, s := range frames {
			if b := keep(i, s.Data); b != nil {
				w.Frame(packet.LinkEthernet, b, len(s.Data), s.Time)
			}
		}
		if err := w.Finish(); err != nil {
			t.Error(err)
		}
		if w.Stats.Panics != 0 {
			t.Errorf("%s: %d panics", name, w.Stats.Panics)
		}
		first := strings.Contains(string(frames[lost].Data), "/0") || strings.Contains(string(frames[lost].Data), "nt: x")
		if first && lost < len(frames)/3 && !strings.Contains(out.String(), `"signature":"last"`) {
			t.Errorf("%s: the last request was not seen", name)
		}
	}
	frames := conversation()
	for lost := range frames {
		if lost < 3 {
			continue // the handshake
		}
		f(fmt.Sprintf("frame %d lost", lost), frames, lost, func(i int, b []byte) []byte {
			if i == lost {
				return nil
			}
			return b
		})
		for cut := 54; cut < len(frames[lost].Data); cut += 7 {
			f(fmt.Sprintf("frame %d cut at %d", lost, cut), frames, lost, func(i int, b []byte) []byte {
				if i == lost {
					return b[:cut:cut]
				}
				return b
			})
		}
	}
}
