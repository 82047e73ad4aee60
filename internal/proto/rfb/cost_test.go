package rfb_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/rfb"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 5900}
	var session []prototest.Chunk
	for _, p := range append(vnc("8", "\x00\x00\x00\x00"), piece{up, "\x01"}) {
		session = append(session, prototest.To(p.dir, p.data))
	}
	version := prototest.To(down, "RFB 003.008\n")
	prototest.Cost(t, prototest.Table(t, nil, rfb.Protocol()),
		prototest.Load{Name: "a long name", N: 200_000, Hint: hint, Piece: 100, Flow: func(n int) []prototest.Chunk {
			return append(session[:len(session):len(session)], prototest.To(down, pixels+text(strings.Repeat("n", n))))
		}},
		prototest.Load{Name: "what comes behind the handshake", N: 50_000, Hint: hint, Piece: 10, Flow: prototest.After(prototest.Rep(down, "\x00\x00\x00\x01"), append(session[:len(session):len(session)], prototest.To(down, pixels+text("x")))...)},
		prototest.Load{Name: "a reason without end, byte by byte", N: 30_000, Hint: hint, Piece: 1, Flow: func(n int) []prototest.Chunk {
			return []prototest.Chunk{version, prototest.To(up, "RFB 003.008\n"), prototest.To(down, "\x00"+text(strings.Repeat("r", 200_000))[:n])}
		}},
	)
}
