package sensor

import "mirador/internal/proto"

// newConn makes the application layer of flow e.
func (w *Worker) newConn(e *entry, h proto.Hint) *proto.Conn {
	c := proto.NewConn(w.opt.Table, h)
	c.Addrs = [2]proto.Addr{e.Tuple.Src, e.Tuple.Dst}
	c.NoFrames, c.WantFrame = !w.wantFrames, w.frameWanted
	c.Hits = w.limitHits
	e.V.app = c
	return c
}

// tenant returns the tenant of the frame being processed.
func (w *Worker) tenant() uint32 {
	if w.mirrored != nil {
		return w.mirrored.root().tenant
	}
	return 0
}

// announce notes the flows that the parser of e has announced.
func (w *Worker) announce(e *entry) {
	c := e.V.app
	for i := range c.Expects {
		c.Expects[i].Parent = e.ID
		w.expected.Add(w.tenant(), c.Expects[i], w.now)
	}
	clear(c.Expects)
	c.Expects = c.Expects[:0]
}

// announced looks whether another flow has announced e, whose first data has come. The
// connection itself may be older than the announcement: FTP's clients often connect
// before they say what for.
func (w *Worker) announced(e *entry, c *proto.Conn) {
	x, ok := w.expected.Take(w.tenant(), e.Tuple.Src, e.Tuple.Dst, e.Tuple.DstPort, w.now)
	if !ok {
		return
	}
	if id := w.opt.Table.ByName(x.Proto); w.opt.Table.Parsed(id) {
		c.Announced(id, x.Data)
		e.V.announcer = x.Parent
	}
}
