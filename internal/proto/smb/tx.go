package smb

import (
	"mirador/internal/proto"
	"mirador/internal/proto/dcerpc"
	"mirador/internal/proto/netfs"
)

// fileID names an open file: 16 bytes in SMB2; in SMB1 two, and the user's id
// behind them.
type fileID struct {
	b [16]byte
	n uint8 // bytes that are shown
}

// guid returns the id in b, which holds 16 bytes.
func guid(b []byte) (id fileID) {
	id.n = 16
	copy(id.b[:], b)
	return id
}

// fid returns the id of an SMB1 file.
func fid(f, uid uint16) (id fileID) {
	id.n = 2
	id.b[0], id.b[1] = byte(f), byte(f>>8)
	id.b[2], id.b[3] = byte(uid), byte(uid>>8)
	return id
}

// status is the outcome a response gives.
type status struct {
	set  bool
	nt   bool
	code uint32 // NT status; else class in the low byte, code in the upper half
}

const (
	ntSuccess        = 0
	ntPending        = 0x00000103
	ntEndOfFile      = 0xc0000011
	ntBufferOverflow = 0x80000005
)

// Tx is one transaction.
type Tx struct {
	proto.TxBase
	p       *parser
	Version uint8 // 1 or 2
	Command uint16
	Session uint64
	Tree    uint32
	status  status
	// What the transaction is about; at most one is not nil.
	nego    *negotiate
	session *session
	tree    *treeConnect
	create  *create
	file    *fileTx
	pipe    *pipeTx
	ioctl   *ioctl
	rename  *rename
	setInfo *setInfo
}

// end completes direction dir.
func (t *Tx) end(dir proto.Dir) { t.Advance(dir, 1) }

func (t *Tx) done(dir proto.Dir) bool { return t.Progress[dir] > 0 }

// answer completes t with the outcome s.
func (t *Tx) answer(s status) {
	t.status = s
	t.end(proto.ToServer)
	t.end(proto.ToClient)
}

// negotiate is a negotiation of the dialect.
type negotiate struct {
	smb1       bool // asked in SMB1
	dialects   [][]byte
	dialects2  []uint16
	clientGUID []byte // nil: none
	serverGUID []byte // empty: none
	maxRead    uint32
	maxWrite   uint32
	answered   bool // by SMB2: the sizes are known
}

// session is a session setup.
type session struct {
	smb1            bool
	ntlm            *ntlmssp
	krb             *kerberos
	reqOS, reqLM    []byte
	respOS, respLM  []byte
	hasReq, hasResp bool
}

// ntlmssp is what an NTLMSSP AUTHENTICATE message says.
type ntlmssp struct {
	domain, user, host []byte
	version            []byte // 8 bytes, nil: none
	odd                bool   // the names are not in the usual order
}

// kerberos is the ticket a client shows.
type kerberos struct {
	realm  []byte
	snames [][]byte
}

// treeConnect is the opening of a share.
type treeConnect struct {
	name                []byte
	pipe                bool
	shareType           uint8
	answered            bool
	reqServe, respServe []byte // SMB1: service names
	hasService          bool
}

// create is the opening or making of a file.
type create struct {
	name          []byte
	disposition   uint32
	deleteOnClose bool
	directory     bool
	times         [4]uint64 // created, accessed, modified, changed; 100 ns since 1601
	size          uint64
	id            fileID
}

type ioctl struct{ function uint32 }

// rename is the renaming of a file.
type rename struct {
	id       fileID
	from, to []byte
	info     string // set_info.info_level; not in SMB1
	smb1     bool
}

// setInfo is a change of a file's properties that matters: its deletion.
type setInfo struct {
	id            fileID
	name          []byte
	deleteOnClose bool
	sub, level    string // SMB1
}

// fileTx is all reads of one file, or all writes to it.
type fileTx struct {
	dir    proto.Dir
	id     fileID
	name   []byte
	share  []byte
	file   *proto.File
	track  netfs.Tracker
	closed bool
}

// pipeTx is a DCE/RPC call over a named pipe.
type pipeTx struct {
	id      fileID
	callID  uint32
	set     [2]bool // the direction was seen
	typ     [2]uint8
	opnum   uint16
	context uint16
	frags   [2]uint32
	stub    [2][]byte
	stubCut [2]int
	little  [2]bool
	ifaces  []dcerpc.Context // of the connection when the call was made
}
