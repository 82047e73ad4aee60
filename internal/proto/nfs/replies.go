package nfs

import "mirador/internal/proto"

// attributes is the length of a file's attributes in NFS 3.
const attributes = 84

// reply takes the reply to c, whose result is next in r.
func (p *parser) reply(c *call, hd *header, r *reader, s *source) {
	if c.tx != nil {
		c.tx.denied = c.tx.denied || hd.denied
	}
	switch {
	case c.version == 4:
		p.compoundReply(c, r, s)
		return
	case c.version == 3 && c.procedure == procRead:
		p.readReply3(c, r, s)
		return
	}
	tx := c.tx
	if tx == nil {
		return
	}
	at := *r
	if status := at.BE32(); !at.Bad {
		tx.status = status
	}
	if c.version == 3 && !p.known3(c, r) {
		tx.status = 0
		tx.AddEvent(EventMalformedData)
	}
	tx.end(proto.ToClient)
}

// known3 takes what a reply of NFS 3 says of handles and their names. It returns
// false when the reply is cut short.
func (p *parser) known3(c *call, r *reader) bool {
	switch c.procedure {
	case procLookup:
		// Suricata reads a handle from a reply that tells of a failure as well, and shows
		// its hash.
		status := r.BE32()
		id := r.handle()
		if r.Bad {
			return false
		}
		if status == 0 {
			p.learn(id, c.name)
		}
		c.tx.setHandle(id)
	case procCreate:
		if status, follows := r.BE32(), r.BE32(); status != 0 || follows == 0 {
			return !r.Bad
		}
		id := r.handle()
		if r.Bad {
			return false
		}
		p.learn(id, c.name)
	case procReaddirplus:
		status := r.BE32()
		r.attributes()
		r.Skip(8)
		if r.Bad {
			return false
		}
		if status == 0 {
			p.entries(r)
		}
	}
	return true
}

// attributes steps over attributes that may be missing.
func (r *reader) attributes() {
	if r.BE32() != 0 {
		r.Skip(attributes)
	}
}

// entries takes the names in a directory.
func (p *parser) entries(r *reader) {
	for range MaxEntries {
		if r.BE32() == 0 {
			return
		}
		r.Skip(8)
		name := r.name()
		r.Skip(8)
		r.attributes()
		if r.BE32() != 0 {
			if id := r.handle(); !r.Bad {
				p.learn(id, name)
			}
		}
		if r.Bad {
			return
		}
	}
	p.c.Limit(limitEntries)
}

// learn notes that the file id is called name.
func (p *parser) learn(id handle, name []byte) {
	if id != "" && len(name) > 0 {
		if p.names.Put(id, name) {
			p.c.Limit(limitFileNames)
		}
	}
}

// read is the result of a read.
type read struct {
	status uint32
	eof    bool
	size   int
}

// readReadResult reads the result of a read up to its data.
func readReadResult(r *reader, whole int) (d read) {
	d.status = r.BE32()
	r.attributes()
	count := r.BE32()
	d.eof = r.BE32() != 0
	d.size = r.data(whole)
	if uint32(d.size) > count {
		r.Bad = true
	}
	return d
}

// readReply3 takes the reply to a read. One that tells of a failure has nothing behind
// its attributes; Suricata takes it for malformed.
func (p *parser) readReply3(c *call, r *reader, s *source) {
	tx := c.tx
	d := readReadResult(r, s.whole)
	if tx == nil {
		return
	}
	tx.file.waiting--
	if r.Bad {
		tx.AddEvent(EventMalformedData)
		return
	}
	if tx.file.closed {
		// A reply that was overtaken by the one with the end of the file.
		tx = nil
	} else {
		tx.status = d.status
	}
	p.readPart(tx, c.offset, d, c.xid, r, s, nil)
}

// readPart takes the data of a read, which is next in r. It tells whether all was at
// hand.
func (p *parser) readPart(tx *Tx, off uint64, d read, xid uint32, r *reader, s *source, next *walk) bool {
	after := func() {
		if tx != nil {
			p.readEnd(tx, xid, d.eof, off+uint64(d.size))
		}
	}
	return p.part(tx, off, d.size, r, s, next, after)
}
