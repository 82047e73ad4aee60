package ssh

import (
	"mirador/internal/proto"
	"mirador/internal/proto/ja"
)

// buffer makes a Get of a function of a side.
func buffer(f func(s *Side) []byte) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || i > 0 {
			return nil, false
		}
		b := f(t.side(dir))
		return b, b != nil
	}
}

func banner() [2]uint8 { return [2]uint8{BannerDone, BannerDone} }

// fields are the keywords of SSH.
func fields() []proto.Field {
	return []proto.Field{
		{Name: "ssh.proto", Aliases: []string{"ssh_proto"}, ToServer: true, ToClient: true, MinProgress: banner(),
			Get: buffer(func(s *Side) []byte { return s.Proto }), Doc: "protocol version of a banner"},
		{Name: "ssh.software", Aliases: []string{"ssh_software"}, ToServer: true, ToClient: true, MinProgress: banner(),
			Get: buffer(func(s *Side) []byte { return s.Software }), Doc: "software version of a banner"},
		{Name: "ssh.hassh", ToServer: true, MinProgress: banner(), Validate: ja.WholeMD5, Case: proto.CaseLower,
			Get: buffer((*Side).Hash), Doc: "HASSH of the client"},
		{Name: "ssh.hassh.string", ToServer: true, MinProgress: banner(),
			Get: buffer(func(s *Side) []byte { return s.Hassh }), Doc: "the text the client's HASSH hashes"},
		{Name: "ssh.hassh.server", ToClient: true, MinProgress: banner(), Validate: ja.WholeMD5, Case: proto.CaseLower,
			Get: buffer((*Side).Hash), Doc: "HASSH of the server"},
		{Name: "ssh.hassh.server.string", ToClient: true, MinProgress: banner(),
			Get: buffer(func(s *Side) []byte { return s.Hassh }), Doc: "the text the server's HASSH hashes"},
	}
}
