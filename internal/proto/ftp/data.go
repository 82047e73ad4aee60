package ftp

import "mirador/internal/proto"

// Progress of a direction of a data connection.
const (
	dataStarted uint8 = iota
	dataMoving
	dataComplete
)

// Transfer is what a control connection knows of a data connection.
type Transfer struct {
	Command string
	Name    []byte    // of the file; nil: it carries none
	From    proto.Dir // who sends
}

// DataTx is the one transaction of a data connection.
type DataTx struct {
	proto.TxBase
	Transfer *Transfer
}

// dataParser follows a data connection.
type dataParser struct {
	c    *proto.Conn
	tx   *DataTx
	file *proto.File
}

func newDataParser(c *proto.Conn) *dataParser {
	f, ok := c.Given.(*Transfer)
	if !ok {
		f = &Transfer{From: proto.ToClient}
	}
	return &dataParser{c: c, tx: &DataTx{Transfer: f}}
}

// begin makes the transaction and its file with the first bytes.
func (p *dataParser) begin() {
	if p.c.TxCount() > 0 {
		return
	}
	p.c.NewTx(p.tx)
	from := p.tx.Transfer.From
	p.tx.Advance(from.Other(), dataComplete)
	p.tx.Advance(from, dataMoving)
	if name := p.tx.Transfer.Name; name != nil {
		p.file = p.c.NewFile(p.tx, from, name)
	}
}

// Parse implements proto.Parser. What the side that receives says does not matter.
func (p *dataParser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	p.begin()
	if dir != p.tx.Transfer.From {
		return len(data), 0, proto.OK
	}
	p.tx.Touch(dir)
	if p.file != nil {
		p.file.Append(data)
	}
	if eof {
		if p.file != nil {
			state := proto.FileClosed
			if p.c.Cut[dir] {
				state = proto.FileTruncated
			}
			p.file.Close(state)
		}
		p.tx.Advance(dir, dataComplete)
	}
	return len(data), 0, proto.OK
}

// Gap implements proto.Parser.
func (p *dataParser) Gap(dir proto.Dir, n int) bool {
	p.begin()
	if p.file != nil && dir == p.tx.Transfer.From {
		p.file.Gap(uint64(n))
		p.tx.Touch(dir)
	}
	return true
}
