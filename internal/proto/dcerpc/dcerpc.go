// Package dcerpc parses DCE/RPC over TCP (version 5) and UDP (version 4) for
// detection and logging, and holds what other protocols that carry it (SMB)
// share: headers, presentation contexts and the keywords dcerpc.iface and
// dcerpc.opnum.
//
// A request with its response is one transaction, as is a bind or an alter
// context with its answer. Stub data is put together from fragments up to a
// limit and is not interpreted; nothing is decrypted and authentication
// trailers stay part of the stub.
//
// Wire form: The Open Group C706, chapter 12; Microsoft [MS-RPCE].
package dcerpc

import "mirador/internal/proto"

// Protocol returns the row of DCE/RPC.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:      "dcerpc",
		Transport: proto.TCP | proto.UDP,
		Ports:     []uint16{135},
		Probe:     probe,
		Configure: configure,
		Done:      [2]uint8{1, 1},
		Fields:    fields(),
		Limits:    limitNames(),
		Frames:    []string{"pdu", "hdr", "data"},
		Log:       log,
	}
}

// config is what the settings say; every flow's parser shares one.
type config struct {
	maxTx   int
	maxStub int
}

// configure reads app-layer.protocols.dcerpc: max-tx and max-stub-size.
func configure(s proto.Settings) (proto.Factory, error) {
	cfg := &config{maxTx: DefaultMaxTx, maxStub: DefaultMaxStub}
	if n, ok := s.Int("max-tx"); ok && n > 0 {
		cfg.maxTx = int(min(n, proto.MaxTxs))
	}
	if n, ok := s.Size("max-stub-size"); ok && n >= 0 {
		cfg.maxStub = int(min(n, MaxStub))
	}
	return func(c *proto.Conn) proto.Parser {
		if c.Hint.UDP {
			return &datagrams{c: c, cfg: cfg}
		}
		return &parser{c: c, cfg: cfg}
	}, nil
}
