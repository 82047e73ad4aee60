package dcerpc

import "mirador/internal/proto"

// fields are the keywords of DCE/RPC.
func fields() []proto.Field {
	return []proto.Field{
		{
			Name: "dcerpc.stub_data", Aliases: []string{"dce_stub_data"}, ToServer: true, ToClient: true, Get: stubData,
			Little: little,
			Doc:    "stub data of a request or response, put together from fragments",
		},
		{
			Name: "dcerpc.iface", Aliases: []string{"dce_iface"}, Kind: proto.Custom, ToServer: true, ToClient: true,
			Compile: compileIface,
			Doc:     "interface of a call, by UUID, with its version, as the server accepted it",
		},
		{
			Name: "dcerpc.opnum", Aliases: []string{"dce_opnum"}, Kind: proto.Custom, ToServer: true, ToClient: true,
			Compile: compileOpnum,
			Doc:     "operation number of a call, numbers and ranges",
		},
	}
}

func stubData(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
	t, ok := tx.(*Tx)
	if !ok || i > 0 || len(t.Stub[dir]) == 0 {
		return nil, false
	}
	return t.Stub[dir], true
}

// little tells the byte order of stub data.
func little(tx proto.Tx, dir proto.Dir) bool {
	t, ok := tx.(*Tx)
	return ok && t.Little[dir]
}

func compileIface(arg string) (proto.TxMatcher, error) {
	f, err := ParseIface(arg)
	if err != nil {
		return nil, err
	}
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) bool {
		t, ok := tx.(*Tx)
		if !ok || !t.isRequest() {
			return false
		}
		for i := range t.Ifaces {
			c := &t.Ifaces[i]
			if c.Accepted() && (f.AnyFrag || c.First) && f.Is(c) {
				return true
			}
		}
		return false
	}, nil
}

func compileOpnum(arg string) (proto.TxMatcher, error) {
	list, err := ParseOpnums(arg)
	if err != nil {
		return nil, err
	}
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) bool {
		t, ok := tx.(*Tx)
		return ok && t.isRequest() && list.Has(t.Opnum)
	}, nil
}
