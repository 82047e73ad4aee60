// Package mqtt follows MQTT 3.1, 3.1.1 and 5 over TCP for detection and logging.
//
// A transaction is what belongs to one packet identifier: CONNECT with CONNACK,
// PUBLISH with its acknowledgements, SUBSCRIBE with SUBACK. Messages that are
// never answered are transactions of their own. The direction of a transaction is
// that of its first message.
//
// Wire form: OASIS MQTT 3.1.1 and 5.0, IBM's MQTT V3.1 specification.
package mqtt

import (
	"mirador/internal/proto"
)

// Indexes into the event names.
const (
	EventMissingConnect proto.EventID = iota
	EventMissingPublish
	EventMissingSubscribe
	EventMissingUnsubscribe
	EventDoubleConnect
	EventUnintroduced
	EventInvalidQoS
	EventMissingID
	EventUnassignedType
	EventTooManyTxs
	EventMalformed
	EventTooManyMessages
	EventTooManyProperties
)

func events() []string {
	return []string{
		"missing_connect", "missing_publish", "missing_subscribe", "missing_unsubscribe",
		"double_connect", "unintroduced_message", "invalid_qos_level", "missing_msg_id",
		"unassigned_msg_type", "too_many_transactions", "malformed_traffic",
		"too_many_messages", "too_many_properties",
	}
}

// port is where MQTT is spoken; there the header of any message is sign enough.
const port = 1883

// done is the progress of a transaction that nothing is added to any more.
const done = 1

// Protocol returns the row of MQTT.
func Protocol() *proto.Protocol {
	p := &proto.Protocol{
		Name:           "mqtt",
		Transport:      proto.TCP,
		Ports:          []uint16{port},
		Probe:          probe,
		Done:           [2]uint8{done, done},
		Events:         events(),
		Limits:         limitNames(),
		Frames:         []string{"pdu", "header", "data"},
		LowerEvents:    true,
		Unidirectional: true,
	}
	cfg := &config{topics: [2]int{defaultTopics, defaultTopics}, str: defaultString, passwords: true}
	p.Log, p.Fields = cfg.log, cfg.fields()
	p.Configure = func(s proto.Settings) (proto.Factory, error) {
		cfg.read(s)
		return func(c *proto.Conn) proto.Parser { return &parser{c: c, cfg: cfg} }, nil
	}
	return p
}

// config is what the settings say; every flow's parser shares one.
type config struct {
	maxMsg    uint64 // bytes of a message that is looked at
	maxTxs    int
	maxMsgs   int    // per transaction
	topics    [2]int // of SUBSCRIBE and UNSUBSCRIBE for detection; 0: all
	str       int    // bytes of a string in EVE; 0: all
	passwords bool   // in EVE
}

// read takes app-layer.protocols.mqtt and the options of EVE type mqtt.
func (cfg *config) read(s proto.Settings) {
	*cfg = config{maxMsg: defaultMessage, maxTxs: proto.MaxTxs, maxMsgs: defaultMessages,
		topics: [2]int{defaultTopics, defaultTopics}, str: defaultString, passwords: true}
	if n, ok := s.Size("max-msg-length"); ok && n > 0 {
		cfg.maxMsg = uint64(min(n, largestMessage))
	}
	if n, ok := s.Int("max-tx"); ok && n > 0 {
		cfg.maxTxs = int(min(n, proto.MaxTxs))
	}
	if n, ok := s.Int("max-messages"); ok && n > 0 {
		cfg.maxMsgs = int(min(n, largestMessages))
	}
	for i, key := range [...]string{"subscribe-topic-match-limit", "unsubscribe-topic-match-limit"} {
		if n, ok := s.Int(key); ok {
			cfg.topics[i] = int(max(0, min(n, MaxTopics)))
		}
	}
	g := s.Global()
	if n, ok := g.Size("eve.mqtt.string-log-limit"); ok && n >= 0 {
		cfg.str = int(min(n, largestMessage))
	}
	if v, ok := g.Bool("eve.mqtt.passwords"); ok {
		cfg.passwords = v
	}
}

// probe recognises a CONNECT anywhere, and on port 1883 any message. What could
// be a CONNACK elsewhere only does not speak against MQTT.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	if len(b) < 2 {
		return proto.More
	}
	if h.DstPort == port || h.SrcPort == port {
		typ, flags := b[0]>>4, b[0]&15
		_, n, st := varint(b[1:])
		switch {
		case st == bad || typ == 0 || flags != wantFlags(typ) && typ != Publish || flags>>1&3 == 3:
			return proto.No
		case st == short:
			return proto.More
		case n > 1 && b[n] == 0: // not the shortest form
			return proto.No
		}
		return proto.Yes
	}
	if dir == proto.ToClient {
		if b[0] == Connack<<4 && len(b) <= maxConnackProbe && b[1] >= 2 && b[1] < 0x80 {
			return proto.More
		}
		return proto.No
	}
	return probeConnect(b)
}

// probeConnect looks for a CONNECT with one of the two protocol names.
func probeConnect(b []byte) proto.Match {
	if b[0] != Connect<<4 {
		return proto.No
	}
	_, n, st := varint(b[1:])
	if st == bad {
		return proto.No
	}
	if st == short {
		return proto.More
	}
	b = b[1+n:]
	for _, name := range [...]string{"\x00\x04MQTT", "\x00\x06MQIsdp"} {
		k := min(len(b), len(name))
		if string(b[:k]) == name[:k] {
			if k == len(name) {
				return proto.Yes
			}
			return proto.More
		}
	}
	return proto.No
}

// wantFlags returns the flags a message of typ must have.
func wantFlags(typ uint8) uint8 {
	switch typ {
	case Pubrel, Subscribe, Unsubscribe:
		return 2
	}
	return 0
}
