package mqtt

import (
	"fmt"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

type (
	getter  = func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool)
	counter = func(*proto.Conn, proto.Tx, proto.Dir, int) (uint64, bool)
)

// each makes a Get of a function that gives the values of a message one by one.
func each(typ uint8, f func(m *Message, i int) ([]byte, bool)) getter {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok {
			return nil, false
		}
		for _, m := range t.Messages {
			if m.Type == typ && m.Skipped == 0 {
				return f(m, i)
			}
		}
		return nil, false
	}
}

// one makes a Get of a function that gives one value.
func one(typ uint8, f func(m *Message) []byte) getter {
	return each(typ, func(m *Message, i int) ([]byte, bool) {
		if i > 0 {
			return nil, false
		}
		b := f(m)
		return b, b != nil
	})
}

func fromConnect(f func(c *ConnectInfo) []byte) getter {
	return one(Connect, func(m *Message) []byte { return f(m.Connect) })
}

func topics(typ uint8, limit *int) getter {
	return each(typ, func(m *Message, i int) ([]byte, bool) {
		if i >= len(m.Topics) || *limit > 0 && i >= *limit {
			return nil, false
		}
		return m.Topics[i], true
	})
}

// number makes a Uint of a function of a message.
func number(f func(t *Tx, m *Message) uint64) counter {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
		t, ok := tx.(*Tx)
		if !ok || i >= len(t.Messages) {
			return 0, false
		}
		return f(t, t.Messages[i]), true
	}
}

// reasons gives every return, reason or granted QoS code of a transaction.
func reasons(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
	t, ok := tx.(*Tx)
	if !ok {
		return 0, false
	}
	for _, m := range t.Messages {
		if m.Reason {
			if i == 0 {
				return uint64(m.Code), true
			}
			i--
		}
		if m.Type == Suback || m.Type == Unsuback {
			if i < len(m.Codes) {
				return uint64(m.Codes[i]), true
			}
			i -= len(m.Codes)
		}
	}
	return 0, false
}

func session(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
	t, ok := tx.(*Tx)
	if !ok || i > 0 {
		return 0, false
	}
	for _, m := range t.Messages {
		if m.Type == Connack && m.Skipped == 0 {
			if m.Session {
				return 1, true
			}
			return 0, true
		}
	}
	return 0, false
}

func version(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
	t, ok := tx.(*Tx)
	return uint64(t.version), ok && i == 0
}

func typeNames() map[string]uint64 {
	names := map[string]uint64{"UNASSIGNED": 0}
	for t := Connect; t <= Auth; t++ {
		names[strings.ToUpper(typeName(t))] = uint64(t)
	}
	return names
}

// fields are the keywords of MQTT. What the client alone says is looked at in
// transactions that the client began.
func (cfg *config) fields() []proto.Field {
	text := func(name, doc string, get getter) proto.Field {
		return proto.Field{Name: name, ToServer: true, Get: get, Doc: doc}
	}
	both := func(f proto.Field) proto.Field { f.ToClient = true; return f }
	multi := func(f proto.Field) proto.Field { f.Multi = true; return f }
	return []proto.Field{
		{Name: "mqtt.type", Kind: proto.Number, Bits: 8, ToServer: true, ToClient: true, Multi: true, Names: typeNames(),
			Uint: number(func(_ *Tx, m *Message) uint64 { return uint64(m.Type) }), Doc: "type of a message"},
		{Name: "mqtt.reason_code", Kind: proto.Number, Bits: 8, ToServer: true, ToClient: true, Multi: true, Uint: reasons,
			Doc: "return or reason code of a message"},
		{Name: "mqtt.connack.session_present", Kind: proto.Number, Bits: 8, ToServer: true, ToClient: true, Uint: session,
			Only: []uint64{0, 1}, Doc: "flag of a CONNACK, 0 or 1"},
		{Name: "mqtt.protocol_version", Kind: proto.Number, Bits: 8, ToServer: true, Uint: version,
			Doc: "protocol version that the CONNECT of the flow named"},
		{Name: "mqtt.qos", Kind: proto.Custom, ToServer: true, Compile: compileQoS, Doc: "QoS level of a message: 0, 1, 2"},
		{Name: "mqtt.flags", Kind: proto.Custom, ToServer: true, Compile: compileFlags, Doc: "flags of a message: dup, retain"},
		{Name: "mqtt.connect.flags", Kind: proto.Custom, ToServer: true, Compile: compileConnectFlags,
			Doc: "flags of a CONNECT: username, password, will, will_retain, clean_session"},
		text("mqtt.connect.clientid", "client identifier", fromConnect(func(c *ConnectInfo) []byte { return c.ClientID })),
		text("mqtt.connect.username", "user name", fromConnect(func(c *ConnectInfo) []byte { return c.Username })),
		text("mqtt.connect.password", "password", fromConnect(func(c *ConnectInfo) []byte { return c.Password })),
		text("mqtt.connect.protocol_string", "protocol name of a CONNECT", fromConnect(func(c *ConnectInfo) []byte { return c.Protocol })),
		text("mqtt.connect.willtopic", "topic of the will", fromConnect(func(c *ConnectInfo) []byte { return c.WillTopic })),
		text("mqtt.connect.willmessage", "message of the will", fromConnect(func(c *ConnectInfo) []byte { return c.WillMessage })),
		both(text("mqtt.publish.topic", "topic of a PUBLISH", one(Publish, func(m *Message) []byte { return m.Topic }))),
		both(text("mqtt.publish.message", "message of a PUBLISH", one(Publish, func(m *Message) []byte { return m.Payload }))),
		multi(text("mqtt.subscribe.topic", "topic of a SUBSCRIBE", topics(Subscribe, &cfg.topics[0]))),
		multi(text("mqtt.unsubscribe.topic", "topic of an UNSUBSCRIBE", topics(Unsubscribe, &cfg.topics[1]))),
	}
}

// anyMessage makes a matcher that holds when f holds for a message.
func anyMessage(f func(m *Message) bool) proto.TxMatcher {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) bool {
		t, ok := tx.(*Tx)
		if !ok {
			return false
		}
		for _, m := range t.Messages {
			if f(m) {
				return true
			}
		}
		return false
	}
}

func compileQoS(arg string) (proto.TxMatcher, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(arg), 10, 8)
	if err != nil || n > 2 {
		return nil, fmt.Errorf("%q is not a QoS level: 0, 1 or 2", arg)
	}
	return anyMessage(func(m *Message) bool { return m.QoS == uint8(n) }), nil
}

func compileFlags(arg string) (proto.TxMatcher, error) {
	test, err := proto.ParseFlags(arg, map[string]uint8{"dup": 8, "retain": 1})
	if err != nil {
		return nil, err
	}
	return anyMessage(func(m *Message) bool {
		v := uint8(0)
		if m.Dup {
			v |= 8
		}
		if m.Retain {
			v |= 1
		}
		return test(v)
	}), nil
}

func compileConnectFlags(arg string) (proto.TxMatcher, error) {
	test, err := proto.ParseFlags(arg, map[string]uint8{"username": flagUsername, "password": flagPassword,
		"will": flagWill, "will_retain": flagWillRetain, "clean_session": flagClean})
	if err != nil {
		return nil, err
	}
	return anyMessage(func(m *Message) bool { return m.Connect != nil && test(m.Connect.Flags) }), nil
}
