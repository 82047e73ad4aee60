package bittorrentdht

import (
	"encoding/binary"
	"net/netip"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes the EVE object bittorrent_dht.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	w.Hex("transaction_id", t.Transaction)
	if t.Version != nil {
		w.Hex("client_version", t.Version)
	}
	if t.Query != nil {
		w.Text("request_type", t.Query)
	}
	if t.HasError {
		w.Object("error")
		w.Int("num", t.ErrorNum)
		w.Text("msg", t.ErrorMsg)
		w.Close()
	}
	if t.Request != nil {
		w.Object("request")
		t.Request.log(w)
		w.Close()
	}
	if t.Response != nil {
		w.Object("response")
		t.Response.log(w)
		w.Close()
	}
	return true
}

func (x *Body) log(w *jsonw.Writer) {
	hex(w, "id", x.ID)
	hex(w, "target", x.Target)
	hex(w, "info_hash", x.InfoHash)
	nodes(w, "nodes", x.Nodes, 4)
	nodes(w, "nodes6", x.Nodes6, 16)
	if x.HasValues {
		w.Array("values")
		for _, v := range x.Values {
			if len(v) == 6 || len(v) == 18 {
				w.Open()
				peer(w, v)
				w.Close()
			}
		}
		w.CloseArray()
	}
	hex(w, "token", x.Token)
	if x.HasImplied {
		w.Int("implied_port", x.Implied)
	}
	if x.HasPort {
		w.Int("port", x.Port)
	}
}

func hex(w *jsonw.Writer, key string, b []byte) {
	if b != nil {
		w.Hex(key, b)
	}
}

// idLen is the length of a node's identifier.
const idLen = 20

// nodes writes compact nodes with addresses of n octets.
func nodes(w *jsonw.Writer, key string, b []byte, n int) {
	size := idLen + n + 2
	if len(b) == 0 || len(b)%size != 0 {
		return
	}
	w.Array(key)
	for i := 0; len(b) > 0 && i < MaxPeers; i, b = i+1, b[size:] {
		w.Open()
		w.Hex("id", b[:idLen])
		peer(w, b[idLen:size])
		w.Close()
	}
	w.CloseArray()
}

// peer writes a compact address with its port.
func peer(w *jsonw.Writer, b []byte) {
	addr, _ := netip.AddrFromSlice(b[:len(b)-2])
	if addr.Is6() {
		w.Str("ip", addr.StringExpanded())
	} else {
		w.Str("ip", addr.String())
	}
	w.Uint("port", uint64(binary.BigEndian.Uint16(b[len(b)-2:])))
}
