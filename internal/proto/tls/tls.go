// Package tls follows TLS and SSL sessions up to the point where they are
// encrypted, for detection and logging: hello messages, certificates, alerts and
// heartbeats, on every version from SSL 2.0 to TLS 1.3 and its drafts.
//
// A flow is one transaction. Nothing is decrypted and no certificate is
// verified; a certificate is taken apart as far as its bytes allow.
//
// Wire form: RFC 2246, 4346, 5246, 8446, 6066 (server name), 6520 (heartbeat),
// 7301 (ALPN), 5280 (X.509); draft-hickman-netscape-ssl-00 (SSL 2.0).
package tls

import (
	"fmt"

	"mirador/internal/proto"
)

// Progress of the client's direction, in Suricata's words client_in_progress,
// client_hello_done, client_cert_done, client_handshake_done, client_finished.
const (
	ClientInProgress uint8 = iota
	ClientHelloDone
	ClientCertDone
	ClientHandshakeDone
	ClientFinished
)

// Progress of the server's direction, in Suricata's words server_in_progress,
// server_hello, server_cert_done, server_hello_done, server_handshake_done,
// server_finished.
const (
	ServerInProgress uint8 = iota
	ServerHello
	ServerCertDone
	ServerHelloDone
	ServerHandshakeDone
	ServerFinished
)

// Indexes into the event names.
const (
	EventInvalidSSLv2Header proto.EventID = iota
	EventInvalidTLSHeader
	EventInvalidRecordVersion
	EventInvalidRecordType
	EventInvalidRecordLength
	EventInvalidHandshakeMessage
	EventHandshakeInvalidLength
	EventHeartbeatMessage
	EventInvalidHeartbeat
	EventOverflowHeartbeat
	EventDataleakHeartbeat
	EventMultipleSNI
	EventInvalidSNIType
	EventInvalidSNILength
	EventTooManyRecords
	EventInvalidAlert
	EventInvalidCertificate
	EventCertMissingElement
	EventCertUnknownElement
	EventCertInvalidLength
	EventCertInvalidVersion
	EventCertInvalidSerial
	EventCertInvalidAlgorithm
	EventCertInvalidName
	EventCertInvalidDate
	EventCertInvalidExtensions
	EventCertInvalidDER
	EventCertInvalidSubject
	EventCertInvalidIssuer
	EventCertInvalidValidity
	EventCertInvalidString
	EventErrorMessage
	EventInvalidSSLRecord
)

func events() []string {
	return []string{
		"invalid_sslv2_header",
		"invalid_tls_header",
		"invalid_record_version",
		"invalid_record_type",
		"invalid_record_length",
		"invalid_handshake_message",
		"handshake_invalid_length",
		"heartbeat_message",
		"invalid_heartbeat_message",
		"overflow_heartbeat_message",
		"dataleak_heartbeat_mismatch",
		"multiple_sni_extensions",
		"invalid_sni_type",
		"invalid_sni_length",
		"too_many_records_in_packet",
		"invalid_alert_message",
		"invalid_certificate",
		"certificate_missing_element",
		"certificate_unknown_element",
		"certificate_invalid_length",
		"certificate_invalid_version",
		"certificate_invalid_serial",
		"certificate_invalid_algorithmidentifier",
		"certificate_invalid_x509name",
		"certificate_invalid_date",
		"certificate_invalid_extensions",
		"certificate_invalid_der",
		"certificate_invalid_subject",
		"certificate_invalid_issuer",
		"certificate_invalid_validity",
		"certificate_invalid_string",
		"error_message_encountered",
		"invalid_ssl_record",
	}
}

// Protocol returns the row of TLS. Its Log writes EVE tls records with the
// extended fields; Logger makes others.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:      "tls",
		Transport: proto.TCP,
		Ports:     []uint16{443},
		Probe:     probe,
		FirstData: proto.DirServer,
		Configure: configure,
		Done:      [2]uint8{ClientFinished, ServerFinished},
		LogAt:     [2]uint8{ClientHandshakeDone, ServerHandshakeDone},
		Fields:    fields(),
		Events:    events(),
		Limits:    limitNames(),
		States: [2][]string{
			{"client_in_progress", "client_hello_done", "client_cert_done", "client_handshake_done", "client_finished"},
			{"server_in_progress", "server_hello", "server_cert_done", "server_hello_done", "server_handshake_done", "server_finished"},
		},
		Frames:   []string{"pdu", "hdr", "data", "alert", "heartbeat", "ssl2.hdr", "ssl2.pdu"},
		Log:      Logger(LogOptions{}),
		LogAlert: logAlert,
	}
}

// Handling says what happens to a session once it is encrypted (setting
// encryption-handling).
type Handling uint8

// The handlings.
const (
	TrackOnly Handling = iota // records are followed, their content is not inspected
	Bypass                    // nothing more is looked at
	Full                      // everything goes on
)

// config is what the settings say; every flow's parser shares one.
type config struct {
	ja3, ja4 bool // log the fingerprints
	handling Handling
}

// configure reads app-layer.protocols.tls: ja3-fingerprints ("auto" counts as no:
// whoever loads rules that use it says yes), ja4-fingerprints (on unless "no"),
// encryption-handling and the older no-reassemble. Rules see the fingerprints
// whatever the settings.
func configure(s proto.Settings) (proto.Factory, error) {
	cfg := &config{ja4: true}
	cfg.ja3, _ = s.Bool("ja3-fingerprints")
	if on, ok := s.Bool("ja4-fingerprints"); ok {
		cfg.ja4 = on
	}
	switch v, _ := s.String("encryption-handling"); v {
	case "bypass":
		cfg.handling = Bypass
	case "full":
		cfg.handling = Full
	case "default", "track-only", "":
		if off, ok := s.Bool("no-reassemble"); ok && off {
			cfg.handling = Bypass
		}
	default:
		return nil, fmt.Errorf("encryption-handling: %q is not one of track-only, bypass, full", v)
	}
	return func(c *proto.Conn) proto.Parser { return &parser{c: c, cfg: cfg} }, nil
}
