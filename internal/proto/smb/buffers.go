package smb

import (
	"fmt"
	"strings"

	"mirador/internal/proto"
	"mirador/internal/proto/dcerpc"
)

// fields are the keywords of SMB.
func fields() []proto.Field {
	return []proto.Field{
		{
			Name: "smb.named_pipe", Aliases: []string{"smb_named_pipe"}, ToServer: true, Get: namedPipe,
			Doc: "name of the named pipe in a tree connect",
		},
		{
			Name: "smb.share", Aliases: []string{"smb_share"}, ToServer: true, Get: share,
			Doc: "name of the share in a tree connect",
		},
		{
			Name: "smb.ntlmssp_user", ToServer: true, Get: ntlm(func(n *ntlmssp) []byte { return n.user }),
			Doc: "user in the NTLMSSP part of a session setup",
		},
		{
			Name: "smb.ntlmssp_domain", ToServer: true, Get: ntlm(func(n *ntlmssp) []byte { return n.domain }),
			Doc: "domain in the NTLMSSP part of a session setup",
		},
		{
			Name: "smb.version", Kind: proto.Custom, ToServer: true, ToClient: true, Compile: compileVersion,
			Doc: "version of the message: 1, or 2 for SMB 2 and 3",
		},
		{
			Name: "dcerpc.stub_data", Aliases: []string{"dce_stub_data"}, ToServer: true, ToClient: true, Get: stubData, Little: little,
			Doc: "stub data of a DCE/RPC request or response over a named pipe",
		},
		{
			Name: "dcerpc.iface", Aliases: []string{"dce_iface"}, Kind: proto.Custom, ToServer: true, ToClient: true,
			Compile: compileIface,
			Doc:     "interface of a DCE/RPC call over a named pipe",
		},
		{
			Name: "dcerpc.opnum", Aliases: []string{"dce_opnum"}, Kind: proto.Custom, ToServer: true, ToClient: true,
			Compile: compileOpnum,
			Doc:     "operation number of a DCE/RPC call over a named pipe",
		},
	}
}

func treeName(tx proto.Tx, i int, pipe bool) ([]byte, bool) {
	t, ok := tx.(*Tx)
	if !ok || i > 0 || t.tree == nil || t.tree.pipe != pipe || len(t.tree.name) == 0 {
		return nil, false
	}
	return t.tree.name, true
}

func namedPipe(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
	return treeName(tx, i, true)
}
func share(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
	return treeName(tx, i, false)
}

func ntlm(get func(*ntlmssp) []byte) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || i > 0 || t.session == nil || t.session.ntlm == nil {
			return nil, false
		}
		return get(t.session.ntlm), true
	}
}

func compileVersion(arg string) (proto.TxMatcher, error) {
	var want uint8
	switch strings.TrimSpace(arg) {
	case "1":
		want = 1
	case "2":
		want = 2
	default:
		return nil, fmt.Errorf("%q is neither 1 nor 2", arg)
	}
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) bool {
		t, ok := tx.(*Tx)
		return ok && t.Version == want
	}, nil
}

func stubData(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
	t, ok := tx.(*Tx)
	if !ok || i > 0 || t.pipe == nil || len(t.pipe.stub[dir]) == 0 {
		return nil, false
	}
	return t.pipe.stub[dir], true
}

// little tells the byte order of stub data.
func little(tx proto.Tx, dir proto.Dir) bool {
	t, ok := tx.(*Tx)
	return ok && t.pipe != nil && t.pipe.little[dir]
}

// isCall tells whether t is a DCE/RPC request.
func (t *Tx) isCall() bool {
	return t.pipe != nil && t.pipe.set[proto.ToServer] && t.pipe.typ[proto.ToServer] == dcerpc.TypeRequest
}

func compileIface(arg string) (proto.TxMatcher, error) {
	f, err := dcerpc.ParseIface(arg)
	if err != nil {
		return nil, err
	}
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) bool {
		t, ok := tx.(*Tx)
		if !ok || !t.isCall() {
			return false
		}
		for i := range t.pipe.ifaces {
			if c := &t.pipe.ifaces[i]; c.Accepted() && f.Is(c) {
				return true
			}
		}
		return false
	}, nil
}

func compileOpnum(arg string) (proto.TxMatcher, error) {
	list, err := dcerpc.ParseOpnums(arg)
	if err != nil {
		return nil, err
	}
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) bool {
		t, ok := tx.(*Tx)
		return ok && t.isCall() && list.Has(t.pipe.opnum)
	}, nil
}
