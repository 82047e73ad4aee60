package detect

import (
	"unsafe"

	"mirador/internal/proto"
)

// cachedBuf holds the values of one buffer in one direction of the transaction in
// work: each is fetched and transformed once, however many rules look at it.
type cachedBuf struct {
	gen  uint32
	n    int  // values fetched
	end  bool // there are no more
	inst []bufInst
}

// bufInst is one value.
type bufInst struct {
	data []byte
	own  []byte // memory for transforms
	off  uint64
	eof  bool
	ok   bool // a transform may leave nothing
}

func (w *Worker) cached(d *bufDef, dir proto.Dir) *cachedBuf {
	c := &w.bufs[int(d.id)*2+int(dir&1)]
	if c.gen != w.gen {
		c.gen, c.n, c.end = w.gen, 0, false
	}
	return c
}

// slot returns the next free value of c.
func (c *cachedBuf) slot() *bufInst {
	if c.n == len(c.inst) {
		c.inst = append(c.inst, bufInst{})
	}
	c.n++
	return &c.inst[c.n-1]
}

// value returns the i-th value of d; false when there is none. The value's ok may still
// be false.
func (w *Worker) value(d *bufDef, dir proto.Dir, i int) (*bufInst, bool) {
	c := w.cached(d, dir)
	for c.n <= i && !c.end {
		w.fetch(d, dir, c)
	}
	if i >= c.n {
		return nil, false
	}
	return &c.inst[i], true
}

// fetch gets the next value of d.
func (w *Worker) fetch(d *bufDef, dir proto.Dir, c *cachedBuf) {
	if c.n >= maxInstances {
		w.Counters.ValuesLimit++
		c.end = true
		return
	}
	f := d.field(w.app, dir)
	var data []byte
	var off uint64
	eof := true
	ok := false
	switch {
	case f == nil && d.kind == bufFile:
		data, off, eof, ok = w.filePart(d, dir, c.n)
	case f == nil:
	case f.Stream:
		if f.GetStream != nil {
			data, off, eof, ok = f.GetStream(w.p.App, w.tx, dir, c.n)
		}
	case f.Get != nil:
		data, ok = f.Get(w.p.App, w.tx, dir, c.n)
	}
	if !ok {
		c.end = true
		return
	}
	if !d.multi {
		c.end = true
	}
	x := c.slot()
	x.data, x.off, x.eof, x.ok = data, off, eof, true
	if len(d.transforms) > 0 {
		x.data, x.own, x.ok = w.transformed(d, data, x.own)
		x.off = 0
	}
}

// filePart is what d shows of the i-th file of direction dir. A file whose bytes are
// not to be looked at yet is there without bytes.
func (w *Worker) filePart(d *bufDef, dir proto.Dir, i int) (data []byte, off uint64, eof, ok bool) {
	n := 0
	for _, f := range w.tx.Base().Files {
		if f.Dir != dir {
			continue
		}
		if n != i {
			n++
			continue
		}
		switch d.part {
		case fileName:
			return f.Name, 0, true, true
		case fileMagic:
			return w.magic(f), 0, f.State != proto.FileOpen, true
		}
		data, off, eof = w.fileWindow(f)
		return data, off, eof, true
	}
	return nil, 0, false, false
}

// fileWindow returns the bytes of f to look at now; nil when there are too few new
// ones.
func (w *Worker) fileWindow(f *proto.File) (data []byte, off uint64, eof bool) {
	end := f.DataOff + uint64(len(f.Data))
	closed := f.State != proto.FileOpen
	if !w.fileReady(f) {
		return nil, f.Inspected, false
	}
	from := f.DataOff
	if _, back := w.fileLimits(f); f.Inspected > from+back {
		from = f.Inspected - back
	}
	if from > end {
		from = end
	}
	return f.Data[from-f.DataOff:], from, closed
}

// fileReady tells whether file f is to be looked at: it is closed, or has enough new
// bytes.
func (w *Worker) fileReady(f *proto.File) bool {
	if f.State != proto.FileOpen || w.p.FlowEnd {
		return true
	}
	end := f.DataOff + uint64(len(f.Data))
	least, window := w.fileLimits(f)
	if f.Inspected == 0 {
		return end >= least
	}
	return end-min(end, f.Inspected) >= window
}

// fileLimits returns when f is looked at first and again.
func (w *Worker) fileLimits(f *proto.File) (least, window uint64) {
	least, window = uint64(w.e.opt.FileMinInspect), uint64(w.e.opt.FileWindow)
	if f.MinInspect > 0 {
		least = uint64(f.MinInspect)
	}
	if f.Window > 0 {
		window = uint64(f.Window)
	}
	return least, window
}

// magic returns the type of f as bytes, without allocating.
func (w *Worker) magic(f *proto.File) []byte {
	return unsafe.Slice(unsafe.StringData(f.Magic), len(f.Magic))
}
