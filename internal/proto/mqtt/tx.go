package mqtt

import "mirador/internal/proto"

// Types of messages.
const (
	Unassigned uint8 = iota
	Connect
	Connack
	Publish
	Puback
	Pubrec
	Pubrel
	Pubcomp
	Subscribe
	Suback
	Unsubscribe
	Unsuback
	Pingreq
	Pingresp
	Disconnect
	Auth
)

// typeName returns the key of a message in EVE.
func typeName(t uint8) string {
	return [...]string{"", "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe",
		"suback", "unsubscribe", "unsuback", "pingreq", "pingresp", "disconnect", "auth"}[t&15]
}

// Bits of the connect flags (MQTT 5.0 section 3.1.2.3).
const (
	flagClean      = 0x02
	flagWill       = 0x04
	flagWillRetain = 0x20
	flagPassword   = 0x40
	flagUsername   = 0x80
)

// Message is one message. Its byte slices share one copy of the wire form.
type Message struct {
	Type   uint8
	QoS    uint8
	Dup    bool
	Retain bool
	// Skipped is the length of a message too long to be looked at, else 0.
	Skipped uint64

	ID     uint16 // packet identifier
	HasID  bool
	Code   uint8 // return or reason code
	Reason bool  // Code is there
	// Session is the flag "session present" of a CONNACK.
	Session bool
	Topic   []byte   // PUBLISH
	Payload []byte   // PUBLISH
	Topics  [][]byte // SUBSCRIBE, UNSUBSCRIBE
	Codes   []byte   // QoS asked for (SUBSCRIBE), granted (SUBACK), reasons (UNSUBACK)
	Props   []Property
	Connect *ConnectInfo

	more bool // there were more properties than are kept

	moreTopics bool // the same of topics or of codes
}

// ConnectInfo is what a CONNECT says.
type ConnectInfo struct {
	Protocol, ClientID     []byte
	Username, Password     []byte
	WillTopic, WillMessage []byte
	WillProps              []Property
	Version, Flags         uint8
}

// Property is a property of MQTT 5.
type Property struct {
	ID    uint8
	Num   uint32
	Key   []byte // user property
	Bytes []byte
}

// Tx is a transaction.
type Tx struct {
	proto.TxBase
	Messages []*Message
	version  uint8
	waits    uint8 // what it waits for: Connack, Suback, Unsuback, Puback; 0 nothing
	id       uint16
}

// complete ends the transaction.
func (t *Tx) complete() {
	t.waits = 0
	t.Advance(t.Dir, done)
}
