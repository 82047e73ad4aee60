package ssh

import (
	"mirador/internal/proto"
	"mirador/internal/proto/ja"
)

// Side is what one end of a session showed.
type Side struct {
	Proto    []byte // "2.0", nil while no banner was seen
	Software []byte // "OpenSSH_9.6"; may be empty
	Hassh    []byte // the text HASSH hashes, nil when no key exchange was seen
	hash     []byte
}

// Hash returns the HASSH of the side, nil when no key exchange was seen.
func (s *Side) Hash() []byte {
	if s.hash == nil && s.Hassh != nil {
		s.hash = ja.Hash(s.Hassh)
	}
	return s.hash
}

// Tx is a session.
type Tx struct {
	proto.TxBase
	Client, Server Side
	hassh          bool // log fingerprints
}

func (t *Tx) side(dir proto.Dir) *Side {
	if dir == proto.ToServer {
		return &t.Client
	}
	return &t.Server
}
