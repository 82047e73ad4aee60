// Package ssh follows SSH sessions up to the point where they are encrypted: the
// banners of both sides and the key exchange, of which HASSH (salesforce/hassh,
// BSD-3) makes a fingerprint.
//
// A flow is one transaction. Wire form: RFC 4253.
package ssh

import (
	"fmt"

	"mirador/internal/proto"
)

// Progress of a direction, in Suricata's words.
const (
	InProgress uint8 = iota
	BannerWaitEOL
	BannerDone
	Finished // the direction is encrypted from here on
)

// Indexes into the event names.
const (
	EventInvalidBanner proto.EventID = iota
	EventLongBanner
	EventInvalidRecord
	EventLongKex
)

func events() []string {
	return []string{"invalid_banner", "long_banner", "invalid_record", "long_kex_record"}
}

// Protocol returns the row of SSH. A session is logged when both banners are
// known, or, with HASSH switched on, when both sides are encrypted.
func Protocol() *proto.Protocol {
	p := &proto.Protocol{
		Name:        "ssh",
		Transport:   proto.TCP,
		Ports:       []uint16{22},
		Probe:       probe,
		Done:        [2]uint8{Finished, Finished},
		LogAt:       [2]uint8{BannerDone, BannerDone},
		Fields:      fields(),
		LowerEvents: true,
		Events:      events(),
		States: [2][]string{
			{"request_in_progress", "request_banner_wait_eol", "request_banner_done", "request_finished"},
			{"response_in_progress", "response_banner_wait_eol", "response_banner_done", "response_finished"},
		},
		Frames:   []string{"record.hdr", "record.data", "record.pdu"},
		Log:      log,
		LogAlert: logAlert,
	}
	p.Configure = func(s proto.Settings) (proto.Factory, error) {
		cfg, err := configure(s)
		if err != nil {
			return nil, err
		}
		p.LogAt = [2]uint8{BannerDone, BannerDone}
		if cfg.hassh {
			p.LogAt = p.Done
		}
		return func(c *proto.Conn) proto.Parser { return &parser{c: c, cfg: cfg} }, nil
	}
	return p
}

// config is what the settings say; every flow's parser shares one.
type config struct {
	hassh    bool // log fingerprints
	handling handling
}

// handling says what happens to a session once both sides are encrypted.
type handling uint8

const (
	trackOnly handling = iota // payload is no longer inspected
	bypass                    // nothing more is looked at
	full                      // everything goes on
)

// configure reads app-layer.protocols.ssh: hassh ("auto" counts as no: whoever
// loads rules that use it says yes) and encryption-handling.
func configure(s proto.Settings) (*config, error) {
	cfg := &config{}
	cfg.hassh, _ = s.Bool("hassh")
	switch v, _ := s.String("encryption-handling"); v {
	case "bypass":
		cfg.handling = bypass
	case "full":
		cfg.handling = full
	case "", "default", "track-only":
	default:
		return nil, fmt.Errorf("encryption-handling: %q is not one of track-only, bypass, full", v)
	}
	return cfg, nil
}

// prefix begins every banner.
const prefix = "SSH-"

// probe recognises the banner of either side.
func probe(_ proto.Dir, b []byte, _ proto.Hint) proto.Match {
	n := min(len(b), len(prefix))
	switch {
	case string(b[:n]) != prefix[:n]:
		return proto.No
	case n < len(prefix):
		return proto.More
	}
	return proto.Yes
}
