package eve_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/eve"
	"mirador/internal/packet"
)

// What rules, files and packets bring into a record is cut at its bound.
func TestBounds(t *testing.T) {
	o := allOn()
	o.Alert.PayloadBuffer = 1 << 30
	table := testTable(t)
	w := eve.NewWriter(o, table)
	c, tx := conn(table, "http", "GET")
	var flowbits, references []string
	for i := range eve.MaxItems + 10 {
		flowbits, references = append(flowbits, fmt.Sprint("b", i)), append(references, fmt.Sprint("r", i))
	}
	h := &eve.Header{Time: t0, Tuple: tcp4(), Vars: &eve.Vars{Flowbits: flowbits}}
	rule := fullRule()
	rule.Msg, rule.References = strings.Repeat("m", eve.MaxText+10), references
	a := &eve.Alert{Rule: rule, Conn: c, Tx: tx, Files: make([]eve.File, eve.MaxFiles+10), Stream: true, Payload: make([]byte, eve.MaxPayload+10),
		Packet: make([]byte, eve.MaxPacket+10), Link: packet.LinkEthernet}
	m := line(t, w.Alert(nil, h, a))
	alert := m["alert"].(map[string]any)
	size := func(v any) int {
		b, err := base64.StdEncoding.DecodeString(v.(string))
		if err != nil {
			t.Fatal(err)
		}
		return len(b)
	}
	for what, x := range map[string][2]int{
		"text":       {len(alert["signature"].(string)), eve.MaxText},
		"references": {len(alert["references"].([]any)), eve.MaxItems},
		"flowbits":   {len(m["metadata"].(map[string]any)["flowbits"].([]any)), eve.MaxItems},
		"files":      {len(m["files"].([]any)), eve.MaxFiles},
		"payload":    {size(m["payload"]), eve.MaxPayload},
		"packet":     {size(m["packet"]), eve.MaxPacket},
	} {
		if x[0] != x[1] {
			t.Errorf("%s: %d in the record, want %d", what, x[0], x[1])
		}
	}
}
