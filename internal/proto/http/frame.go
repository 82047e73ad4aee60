package http

import "mirador/internal/proto"

var _ proto.Parser = (*parser)(nil)

// openFrame begins the frame of a message (Suricata: http1.request,
// http1.response).
func (p *parser) openFrame(t *Tx, dir proto.Dir, off uint64) {
	t.begin[dir] = off
	name := "request"
	if dir == proto.ToClient {
		name = "response"
	}
	p.c.AddFrame(dir, name, off, -1, t.ID)
}

// closeFrame sets the length of the frame that openFrame began.
func (p *parser) closeFrame(t *Tx, dir proto.Dir, end uint64) {
	for i := range p.c.Frames {
		f := &p.c.Frames[i]
		if f.Type != "stream" && f.Dir == dir && f.Tx == t.ID && f.Len < 0 && f.Offset == t.begin[dir] {
			f.Len = int64(end - f.Offset)
			return
		}
	}
}
