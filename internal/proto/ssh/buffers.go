package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"mirador/internal/proto"
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
		{Name: "ssh.hassh", ToServer: true, MinProgress: banner(), Validate: md5Only,
			Get: buffer((*Side).Hash), Doc: "HASSH of the client"},
		{Name: "ssh.hassh.string", ToServer: true, MinProgress: banner(),
			Get: buffer(func(s *Side) []byte { return s.Hassh }), Doc: "the text the client's HASSH hashes"},
		{Name: "ssh.hassh.server", ToClient: true, MinProgress: banner(), Validate: md5Only,
			Get: buffer((*Side).Hash), Doc: "HASSH of the server"},
		{Name: "ssh.hassh.server.string", ToClient: true, MinProgress: banner(),
			Get: buffer(func(s *Side) []byte { return s.Hassh }), Doc: "the text the server's HASSH hashes"},
		{Name: "ssh.protoversion", Kind: proto.Custom, ToServer: true, ToClient: true, MinProgress: banner(),
			Compile: compileProto, Doc: "protocol version of a banner: 1.99, 2.0, 2_compat (old form of ssh.proto)"},
		{Name: "ssh.softwareversion", Kind: proto.Custom, ToServer: true, ToClient: true, MinProgress: banner(),
			Compile: compileSoftware, Doc: "text in the software version of a banner (old form of ssh.software)"},
	}
}

// md5Only refuses contents that no MD5 in lower-case hex contains.
func md5Only(content []byte, nocase bool) error {
	if len(content) > 32 {
		return fmt.Errorf("content %q: an MD5 has 32 digits", content)
	}
	for _, c := range content {
		if !nocase && c >= 'A' && c <= 'F' {
			return fmt.Errorf("content %q: the hash is lower case", content)
		}
	}
	return nil
}

// unquote takes the quotes off an argument.
func unquote(arg string) (string, error) {
	s := strings.TrimSpace(arg)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	if s == "" {
		return "", errors.New("needs an argument")
	}
	return s, nil
}

func compileProto(arg string) (proto.TxMatcher, error) {
	s, err := unquote(arg)
	if err != nil {
		return nil, err
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t, ok := tx.(*Tx)
		if !ok {
			return false
		}
		have := string(t.side(dir).Proto)
		if s == "2_compat" {
			return have == "2" || have == "2.0" || have == "1.99"
		}
		return have == s
	}, nil
}

func compileSoftware(arg string) (proto.TxMatcher, error) {
	s, err := unquote(arg)
	if err != nil {
		return nil, err
	}
	want := []byte(s)
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t, ok := tx.(*Tx)
		return ok && bytes.Contains(t.side(dir).Software, want)
	}, nil
}
