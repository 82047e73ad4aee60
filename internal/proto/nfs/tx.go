package nfs

import (
	"hash/crc32"

	"mirador/internal/proto"
	"mirador/internal/proto/netfs"
)

// handle is a file handle: its bytes.
type handle string

// Tx is one transaction: a call with its reply, or all reads of, or writes to, a
// file.
type Tx struct {
	proto.TxBase
	Version   uint32
	Procedure uint32 // of NFS 4: the operation
	xid       uint32
	cred      credentials
	name      []byte
	to        []byte // rename: the new name
	hash      uint32 // of the file handle
	hasHash   bool
	status    uint32
	denied    bool
	quiet     bool // not logged
	file      *fileTx
}

// setHandle notes the file handle that the transaction is about.
func (t *Tx) setHandle(h handle) {
	if h != "" {
		t.hash, t.hasHash = crc32.ChecksumIEEE([]byte(h)), true
	}
}

// end completes direction dir.
func (t *Tx) end(dir proto.Dir) { t.Advance(dir, 1) }

// fileTx is all reads of one file, or all writes to it.
type fileTx struct {
	dir     proto.Dir
	id      handle
	file    *proto.File // nil before there is data
	track   netfs.Tracker
	chunks  int
	waiting int    // reads without a reply
	atEnd   bool   // the end of the file was seen
	end     uint64 // where it is
	last    bool
	lastXID uint32
	closed  bool
}

// call is a call that waits for its reply.
type call struct {
	xid       uint32
	version   uint32
	procedure uint32
	tx        *Tx // nil: none of its own
	handle    handle
	name      []byte
	offset    uint64
	reads     []readOp // of NFS 4
}

// readOp is one read in a compound of NFS 4.
type readOp struct {
	handle handle
	offset uint64
}
