package mqtt

import (
	"strconv"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes every message of a transaction under its name.
func (cfg *config) log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	seen := uint16(0)
	for _, m := range t.Messages {
		// The same kind of message again (a PUBREC sent twice) would be the same key.
		if m.Type == Unassigned || seen&(1<<m.Type) != 0 {
			continue
		}
		seen |= 1 << m.Type
		w.Object(typeName(m.Type))
		w.Uint("qos", uint64(m.QoS))
		w.Bool("retain", m.Retain)
		w.Bool("dup", m.Dup)
		if m.Skipped > 0 {
			w.Bool("truncated", true)
			w.Uint("skipped_length", m.Skipped)
		} else {
			cfg.body(m, w)
		}
		w.Close()
	}
	return true
}

// body writes what is particular to a kind of message.
func (cfg *config) body(m *Message, w *jsonw.Writer) {
	switch m.Type {
	case Connect:
		cfg.connect(m.Connect, w)
	case Connack:
		w.Bool("session_present", m.Session)
		w.Uint("return_code", uint64(m.Code))
	case Publish:
		cfg.str1("topic", m.Topic, w)
		if m.HasID {
			w.Uint("message_id", uint64(m.ID))
		}
		cfg.str1("message", m.Payload, w)
	case Subscribe:
		w.Uint("message_id", uint64(m.ID))
		w.Array("topics")
		for i, topic := range m.Topics {
			w.Open()
			cfg.str1("topic", topic, w)
			w.Uint("qos", uint64(m.Codes[i]))
			w.Close()
		}
		w.CloseArray()
	case Unsubscribe:
		w.Uint("message_id", uint64(m.ID))
		w.Array("topics")
		for _, topic := range m.Topics {
			w.TextValue(cfg.cut(topic))
		}
		w.CloseArray()
	case Suback:
		w.Uint("message_id", uint64(m.ID))
		codes("qos_granted", m.Codes, w)
	case Unsuback:
		w.Uint("message_id", uint64(m.ID))
		if len(m.Codes) > 0 {
			codes("reason_codes", m.Codes, w)
		}
	default:
		if m.HasID {
			w.Uint("message_id", uint64(m.ID))
		}
		if m.Reason {
			w.Uint("reason_code", uint64(m.Code))
		}
	}
	cfg.props(m.Props, w)
}

func codes(key string, list []byte, w *jsonw.Writer) {
	w.Array(key)
	for _, c := range list {
		w.UintValue(uint64(c))
	}
	w.CloseArray()
}

func (cfg *config) connect(c *ConnectInfo, w *jsonw.Writer) {
	cfg.str1("protocol_string", c.Protocol, w)
	w.Uint("protocol_version", uint64(c.Version))
	cfg.str1("client_id", c.ClientID, w)
	w.Object("flags")
	w.Bool("username", c.Flags&flagUsername != 0)
	w.Bool("password", c.Flags&flagPassword != 0)
	w.Bool("will_retain", c.Flags&flagWillRetain != 0)
	w.Bool("will", c.Flags&flagWill != 0)
	w.Bool("clean_session", c.Flags&flagClean != 0)
	w.Close()
	if c.Flags&flagUsername != 0 {
		cfg.str1("username", c.Username, w)
	}
	if c.Flags&flagPassword != 0 && cfg.passwords {
		cfg.str1("password", c.Password, w)
	}
	if c.Flags&flagWill != 0 {
		w.Object("will")
		cfg.str1("topic", c.WillTopic, w)
		cfg.str1("message", c.WillMessage, w)
		cfg.props(c.WillProps, w)
		w.Close()
	}
}

// props writes properties: of several of one kind the first, and all of the user's.
func (cfg *config) props(list []Property, w *jsonw.Writer) {
	if list == nil {
		return
	}
	w.Object("properties")
	seen, users := uint64(0), false
	for i := range list {
		x := &list[i]
		form, name := property(x.ID)
		if form == formPair {
			users = true
			continue
		}
		if seen&(1<<(x.ID&63)) != 0 {
			continue
		}
		seen |= 1 << (x.ID & 63)
		if form == formBytes {
			cfg.str1(name, x.Bytes, w)
		} else {
			w.Uint(name, uint64(x.Num))
		}
	}
	if users {
		w.Array("user_properties")
		for i := range list {
			if form, _ := property(list[i].ID); form == formPair {
				w.Open()
				cfg.str1("key", list[i].Key, w)
				cfg.str1("value", list[i].Bytes, w)
				w.Close()
			}
		}
		w.CloseArray()
	}
	w.Close()
}

func (cfg *config) str1(key string, v []byte, w *jsonw.Writer) { w.Text(key, cfg.cut(v)) }

// cut shortens v to what EVE shows and says how much is missing.
func (cfg *config) cut(v []byte) []byte {
	if cfg.str <= 0 || len(v) <= cfg.str {
		return v
	}
	b := append(make([]byte, 0, cfg.str+40), v[:cfg.str]...)
	b = append(b, "[truncated "...)
	b = strconv.AppendInt(b, int64(len(v)-cfg.str), 10)
	return append(b, " additional bytes]"...)
}
