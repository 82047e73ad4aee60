package detect

import (
	"strings"

	"mirador/internal/proto"
)

// bufKind says where a buffer's bytes come from.
type bufKind uint8

const (
	bufPayload bufKind = iota // packet payload or stream
	bufPacket                 // a part of the packet
	bufField                  // a Field of a protocol
	bufFile                   // a part of a file
	bufFrame                  // a frame
	bufBase64                 // what base64_decode decoded
)

// filePart is what of a file a buffer shows.
type filePart uint8

const (
	fileData filePart = iota
	fileName
	fileMagic
)

// bufDef is a buffer that rules name, with the transforms they put on it. Rules that
// name the same buffer with the same transforms share one.
type bufDef struct {
	id         uint16
	name       string // as rules name it: "http.uri"
	label      string // name and transforms
	kind       bufKind
	dirs       uint8  // bit proto.Dir: directions it exists in
	multi      bool   // may have several values
	noScan     bool   // not for the pattern matcher
	protos     uint64 // application protocols that have it
	fields     [2][]*proto.Field
	transforms []transform
	packet     func(w *Worker, p *Packet) ([]byte, bool)
	part       filePart
	frameProto proto.ID
	frameType  string
}

// field returns the field behind d for protocol id and direction dir, or nil.
func (d *bufDef) field(id proto.ID, dir proto.Dir) *proto.Field {
	if f := d.fields[dir]; int(id) < len(f) {
		return f[id]
	}
	return nil
}

// minProgress is the progress from which d can be read.
func (d *bufDef) minProgress(id proto.ID, dir proto.Dir) uint8 {
	if f := d.field(id, dir); f != nil {
		return f.MinProgress[dir]
	}
	return 0
}

// grows tells whether d has new bytes while the transaction goes on.
func (d *bufDef) grows(id proto.ID, dir proto.Dir) bool {
	if f := d.field(id, dir); f != nil {
		return f.Stream
	}
	return d.kind == bufFile
}

// dirBit returns the bit of dir in a set of directions.
func dirBit(dir proto.Dir) uint8 { return 1 << dir }

const bothDirs = 3

// buffer registers a buffer without transforms; a second call with the same name
// returns the first one.
func (c *compiler) buffer(name string, kind bufKind) *bufDef {
	if d := c.byLabel[name]; d != nil {
		return d
	}
	return c.register(&bufDef{name: name, label: name, kind: kind, dirs: bothDirs})
}

func (c *compiler) register(d *bufDef) *bufDef {
	d.id = uint16(len(c.bufs))
	c.bufs = append(c.bufs, d)
	c.byLabel[d.label] = d
	return d
}

// transformed returns the buffer that is d with transforms on it.
func (c *compiler) transformed(d *bufDef, list []transform) *bufDef {
	if len(list) == 0 {
		return d
	}
	var b strings.Builder
	b.WriteString(d.label)
	for i := range list {
		b.WriteByte('|')
		b.WriteString(list[i].label())
	}
	if have := c.byLabel[b.String()]; have != nil {
		return have
	}
	n := *d
	n.label = b.String()
	n.transforms = list
	return c.register(&n)
}

// baseBuffers registers the buffers that do not come from protocols, and then those
// that do.
func (c *compiler) baseBuffers() {
	c.buffer("payload", bufPayload)
	for _, h := range headerBuffers() {
		d := c.buffer(h.name, bufPacket)
		d.packet = h.get
	}
	for i, name := range [...]string{"file.data", "file.name", "file.magic"} {
		d := c.buffer(name, bufFile)
		d.part, d.multi = filePart(i), true
		d.protos = c.fileProtos(filePart(i) == fileName)
	}
	for i, p := range c.table.Rows() {
		id := proto.ID(i + 1)
		for j := range p.Fields {
			f := &p.Fields[j]
			if f.Kind == proto.Bytes {
				c.fieldBuffer(id, f)
			}
		}
	}
}

// fileProtos are the protocols that carry files, or such with names.
func (c *compiler) fileProtos(named bool) (set uint64) {
	for i, p := range c.table.Rows() {
		if p.Files != 0 && !(named && p.NoFileNames) {
			set |= appBit(proto.ID(i + 1))
		}
	}
	return set
}

func (c *compiler) fieldBuffer(id proto.ID, f *proto.Field) {
	d := c.byLabel[f.Name]
	if d == nil {
		d = c.buffer(f.Name, bufField)
		d.dirs = 0
	}
	if d.fields[0] == nil {
		n := len(c.table.Rows()) + 1
		d.fields = [2][]*proto.Field{make([]*proto.Field, n), make([]*proto.Field, n)}
	}
	if f.ToServer {
		d.fields[proto.ToServer][id] = f
		d.dirs |= dirBit(proto.ToServer)
	}
	if f.ToClient {
		d.fields[proto.ToClient][id] = f
		d.dirs |= dirBit(proto.ToClient)
	}
	d.protos |= appBit(id)
	d.multi = d.multi || f.Multi
	d.noScan = d.noScan || f.NoPrefilter
}
