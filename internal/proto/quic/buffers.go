package quic

import (
	"mirador/internal/proto"
	"mirador/internal/proto/ja"
)

// buffer makes a Get of a function of a packet.
func buffer(f func(t *Tx) []byte) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || i > 0 || t.Dir != dir {
			return nil, false
		}
		b := f(t)
		return b, b != nil
	}
}

func ja3Text(t *Tx) []byte { s, _ := t.JA3(); return s }
func ja3Hash(t *Tx) []byte { _, h := t.JA3(); return h }

// fields are the keywords of QUIC.
func fields() []proto.Field {
	return []proto.Field{
		{Name: "quic.sni", ToServer: true, Get: buffer(func(t *Tx) []byte { return t.SNI }),
			Doc: "server name of the ClientHello or CHLO"},
		{Name: "quic.ua", ToServer: true, Get: buffer(func(t *Tx) []byte { return t.UserAgent }),
			Doc: "user agent of a CHLO"},
		{Name: "quic.version", ToServer: true, ToClient: true, Get: buffer((*Tx).versionBytes),
			Doc: "version of the packet, its four bytes"},
		{Name: "quic.cyu.hash", ToServer: true, Multi: true, Validate: ja.WholeMD5, Get: buffer((*Tx).CYUHash),
			Doc: "MD5 of the version and tags of a CHLO"},
		{Name: "quic.cyu.string", ToServer: true, Multi: true, Get: buffer(func(t *Tx) []byte { return t.CYU }),
			Doc: "version and tags of a CHLO"},
		{Name: "ja3.hash", Aliases: []string{"ja3_hash"}, ToServer: true, Validate: ja.WholeMD5, Case: proto.CaseLower, Get: buffer(ja3Hash), Doc: "JA3 of the ClientHello"},
		{Name: "ja3.string", Aliases: []string{"ja3_string"}, ToServer: true, Get: buffer(ja3Text), Doc: "the text JA3 hashes"},
		{Name: "ja3s.hash", ToClient: true, Validate: ja.WholeMD5, Case: proto.CaseLower, Get: buffer(ja3Hash), Doc: "JA3S of the ServerHello"},
		{Name: "ja3s.string", ToClient: true, Get: buffer(ja3Text), Doc: "the text JA3S hashes"},
		{Name: "ja4.hash", ToServer: true, Get: buffer((*Tx).JA4), Doc: "JA4 of the ClientHello"},
	}
}
