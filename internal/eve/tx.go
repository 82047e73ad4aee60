package eve

import (
	"mirador/internal/proto"
)

// Tx appends the record of a transaction, unless its protocol is switched off in
// this output or does not want it logged. The event type and the object's key
// are the protocol's LogName.
func (w *Writer) Tx(dst []byte, h *Header, c *proto.Conn, tx proto.Tx) []byte {
	id := w.id(tx)
	if !w.txOn[id] {
		return dst
	}
	l := &w.logs[id]
	name := l.Name
	if n, ok := tx.(proto.Named); ok {
		name = n.LogName()
	}
	if w.turn[id] && sentBy(tx, h) == ToClient {
		h.turn()
		defer h.turn()
	}
	numbered := h.HasTx && c.Table.Protocol(id).TxID
	w.begin(dst)
	w.header(h, name)
	if numbered {
		w.w.Uint("tx_id", h.TxID)
	}
	w.w.Object(name)
	if !l.Log(c, tx, &w.w) {
		return w.cancel()
	}
	w.w.Close()
	if !w.tooLong() {
		return w.end()
	}
	w.Oversize++
	w.cancel()
	w.begin(dst)
	w.header(h, name)
	if numbered {
		w.w.Uint("tx_id", h.TxID)
	}
	return w.end()
}

// sentBy returns the direction that a record of tx is shown in when it goes by
// the packet: that of a transaction of one direction, else that of the packet.
func sentBy(tx proto.Tx, h *Header) Direction {
	b := tx.Base()
	if h.PacketDir == NoDirection || !b.Protocol().Unidirectional {
		return h.PacketDir
	}
	if b.Dir == proto.ToClient {
		return ToClient
	}
	return ToServer
}

// id returns the id of tx's protocol, Unknown when it is not in the table.
func (w *Writer) id(tx proto.Tx) proto.ID {
	p := tx.Base().Protocol()
	if p == nil || w.table == nil {
		return proto.Unknown
	}
	return w.table.ByName(p.Name)
}

// LogsTx tells whether transactions of protocol id are logged at all.
func (w *Writer) LogsTx(id proto.ID) bool { return w.txOn[id] }

// File is a file with what its tracker has found out.
type File struct {
	Name    []byte
	SIDs    []uint32 // rules that asked to store it
	Magic   string
	Gaps    bool
	State   proto.FileState
	MD5     []byte // 16, 20 and 32 bytes; nil when not computed
	SHA1    []byte
	SHA256  []byte
	Stored  bool
	Storing bool // to be stored, not there yet
	FileID  uint64
	Size    uint64
	// HasRange with Start and End of an HTTP range.
	HasRange   bool
	Start, End uint64
	TxID       uint64
}

// fileStates are the values of fileinfo.state, by proto.FileState.
var fileStates = [...]string{
	proto.FileOpen:      "UNKNOWN",
	proto.FileClosed:    "CLOSED",
	proto.FileTruncated: "TRUNCATED",
	proto.FileError:     "ERROR",
}

// FileInfo appends the record of a file. c and tx give the application-layer
// object beside it; tx may be nil. h is in the direction of the file.
func (w *Writer) FileInfo(dst []byte, h *Header, c *proto.Conn, tx proto.Tx, f *File) []byte {
	if !w.o.FilesOn {
		return dst
	}
	w.begin(dst)
	w.fileRecord(h, c, tx, f)
	if w.tooLong() {
		w.Oversize++
		w.cancel()
		w.begin(dst)
		w.fileRecord(h, nil, nil, f)
	}
	return w.end()
}

func (w *Writer) fileRecord(h *Header, c *proto.Conn, tx proto.Tx, f *File) {
	w.header(h, "fileinfo")
	if c != nil && tx != nil {
		w.appLayer(c, tx)
	}
	if h.App.Proto != "" {
		w.w.Str("app_proto", h.App.Proto)
	}
	w.w.Key("fileinfo")
	w.file(f)
}

// files writes the array that alerts have.
func (w *Writer) files(files []File) {
	if len(files) == 0 {
		return
	}
	w.w.Array("files")
	for i := range files[:min(len(files), MaxFiles)] {
		w.file(&files[i])
	}
	w.w.CloseArray()
}

// file writes one file as an object.
func (w *Writer) file(f *File) {
	j := &w.w
	j.Open()
	if len(f.Name) > 0 {
		j.Text("filename", cut(f.Name))
	}
	if len(f.SIDs) > 0 {
		j.Array("sid")
		for _, s := range f.SIDs[:min(len(f.SIDs), MaxItems)] {
			j.UintValue(uint64(s))
		}
		j.CloseArray()
	}
	w.str("magic", f.Magic)
	j.Bool("gaps", f.Gaps)
	state := "UNKNOWN"
	if int(f.State) < len(fileStates) {
		state = fileStates[f.State]
	}
	j.Str("state", state)
	if len(f.MD5) > 0 {
		j.Hex("md5", f.MD5)
	}
	if len(f.SHA1) > 0 {
		j.Hex("sha1", f.SHA1)
	}
	if len(f.SHA256) > 0 {
		j.Hex("sha256", f.SHA256)
	}
	j.Bool("stored", f.Stored)
	switch {
	case f.Stored && f.FileID != 0:
		j.Uint("file_id", f.FileID)
	case !f.Stored && f.Storing:
		j.Bool("storing", true)
	}
	j.Uint("size", f.Size)
	if f.HasRange {
		j.Uint("start", f.Start)
		j.Uint("end", f.End)
	}
	j.Uint("tx_id", f.TxID)
	j.Close()
}
