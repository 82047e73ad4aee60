package nfs

import (
	"strconv"
	"strings"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// Flavors of RPC credentials.
const (
	authUnix = 1
	authGSS  = 6
)

// names are the names that EVE shows in place of numbers.
type names struct {
	proc2, proc3 []string
	ops          map[uint32]string
	auth         []string
	status       map[uint32]string
}

func newNames() *names {
	n := &names{
		proc2: strings.Fields("NULL GETATTR SETATTR ROOT LOOKUP READLINK READ WRITECACHE WRITE CREATE REMOVE " +
			"RENAME LINK SYMLINK MKDIR RMDIR READDIR STATFS"),
		proc3: strings.Fields("NULL GETATTR SETATTR LOOKUP ACCESS READLINK READ WRITE CREATE MKDIR SYMLINK MKNOD " +
			"REMOVE RMDIR RENAME LINK READDIR READDIRPLUS FSSTAT FSINFO PATHCONF COMMIT"),
		ops:    map[uint32]string{opCreate: "CREATE", opRead: "READ", opRemove: "REMOVE", opWrite: "WRITE"},
		auth:   strings.Fields("NULL UNIX SHORT DH KERB RSA GSS"),
		status: make(map[uint32]string),
	}
	const status = "0=OK 1=ERR_PERM 2=ERR_NOENT 5=ERR_IO 6=ERR_NXIO 13=ERR_ACCES 17=ERR_EXIST 18=ERR_XDEV " +
		"19=ERR_NODEV 20=ERR_NOTDIR 21=ERR_ISDIR 22=ERR_INVAL 27=ERR_FBIG 28=ERR_NOSPC 30=ERR_ROFS 31=ERR_MLINK " +
		"63=ERR_NAMETOOLONG 66=ERR_NOTEMPTY 69=ERR_DQUOT 70=ERR_STALE 71=ERR_REMOTE 10001=ERR_BADHANDLE " +
		"10002=ERR_NOT_SYNC 10003=ERR_BAD_COOKIE 10004=ERR_NOTSUPP 10005=ERR_TOOSMALL 10006=ERR_SERVERFAULT " +
		"10007=ERR_BADTYPE 10008=ERR_JUKEBOX"
	for _, s := range strings.Fields(status) {
		code, name, _ := strings.Cut(s, "=")
		if v, err := strconv.ParseUint(code, 10, 32); err == nil {
			n.status[uint32(v)] = name
		}
	}
	return n
}

// name returns the i-th of list, the number when there is none.
func name(list []string, i uint32) string {
	if uint64(i) < uint64(len(list)) {
		return list[i]
	}
	return strconv.FormatUint(uint64(i), 10)
}

func (n *names) procedure(t *Tx) string {
	switch t.Version {
	case 2:
		return name(n.proc2, t.Procedure)
	case 3:
		return name(n.proc3, t.Procedure)
	}
	if s, ok := n.ops[t.Procedure]; ok {
		return s
	}
	return name(nil, t.Procedure)
}

// log writes the record of a transaction: the open object "nfs", and "rpc" next to
// it, which is left open in its place. Over UDP, writes whose end was not seen are not
// logged, as in Suricata.
func (n *names) log(c *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok || t.quiet || c.Hint.UDP && t.file != nil && t.file.dir == proto.ToServer && !t.file.last {
		return false
	}
	n.nfs(t, w)
	w.Close()
	w.Object("rpc")
	n.rpc(t, w)
	return true
}

// logAlert writes both objects into the records of others.
func (n *names) logAlert(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
	t, ok := tx.(*Tx)
	if !ok {
		return
	}
	w.Object("rpc")
	n.rpc(t, w)
	w.Close()
	w.Object("nfs")
	n.nfs(t, w)
	w.Close()
}

func (n *names) rpc(t *Tx, w *jsonw.Writer) {
	w.Uint("xid", uint64(t.xid))
	outcome := "ACCEPTED"
	if t.denied {
		outcome = "DENIED"
	}
	w.Str("status", outcome)
	w.Str("auth_type", name(n.auth, t.cred.flavor))
	if t.cred.flavor == authUnix {
		w.Object("creds")
		w.Lossy("machine_name", t.cred.machine)
		w.Uint("uid", uint64(t.cred.uid))
		w.Uint("gid", uint64(t.cred.gid))
		w.Close()
	}
}

func (n *names) nfs(t *Tx, w *jsonw.Writer) {
	w.Uint("version", uint64(t.Version))
	w.Str("procedure", n.procedure(t))
	w.Lossy("filename", t.name)
	if t.hasHash {
		w.Str("hhash", strconv.FormatUint(uint64(t.hash), 16))
	}
	w.Uint("id", t.ID+1)
	w.Bool("file_tx", t.file != nil)
	w.Str("type", "response")
	if s, ok := n.status[t.status]; ok {
		w.Str("status", s)
	} else {
		w.Str("status", strconv.FormatUint(uint64(t.status), 10))
	}
	switch {
	case t.file != nil:
		f := t.file
		kind := "write"
		if f.dir == proto.ToClient {
			kind = "read"
		}
		w.Object(kind)
		w.Bool("first", true)
		w.Bool("last", f.last)
		w.Uint("last_xid", uint64(f.lastXID))
		w.Uint("chunks", uint64(f.chunks))
		w.Close()
	case t.Version == 2 && t.Procedure == proc2Write:
		w.Object("write")
		w.Bool("first", false)
		w.Bool("last", false)
		w.Close()
	case t.Version == 2 && t.Procedure == proc2Rename, t.Version == 3 && t.Procedure == procRename:
		w.Object("rename")
		w.Lossy("from", t.name)
		w.Lossy("to", t.to)
		w.Close()
	}
}
