// Package proto says what an application parser is: the contract between the
// stream of a flow, the parsers in proto/<name>, the detection engine that asks
// for named buffers, and the event writer.
//
// No parser lives here. A protocol is one Protocol value, listed in a Table that
// the program puts together; nothing registers itself. Parsers see bytes in
// order, gaps as gaps, and return verdicts instead of errors. A Conn is owned by
// one worker: nothing here locks.
package proto

import "mirador/internal/jsonw"

// Dir is the direction of data in a flow.
type Dir uint8

// The two directions.
const (
	ToServer Dir = iota
	ToClient
)

// Other returns the opposite direction.
func (d Dir) Other() Dir { return d ^ 1 }

// ID is a protocol's position in its Table plus one; 0 is "unknown".
type ID uint8

// Ids with a meaning of their own.
const (
	Unknown ID = 0
	Failed  ID = 255 // detection gave up (EVE app_proto "failed")
)

// Match is what a probe says of the first bytes of one direction.
type Match uint8

// What a probe can say.
const (
	No       Match = iota // certainly not this protocol
	More                  // cannot tell yet
	Yes                   // it is
	Reversed              // it is, and these bytes come from the other side than dir says (midstream)
)

// Transport is a set of transports.
type Transport uint8

// The transports a protocol may run over.
const (
	TCP Transport = 1 << iota
	UDP
)

// Protocol describes one application protocol: one row of a Table.
type Protocol struct {
	// Name is Suricata's name, as in rule headers and EVE app_proto ("http",
	// "tls", ...).
	Name string
	// LogName is the EVE event_type and the key of its object; "" means Name.
	LogName   string
	Transport Transport
	// Ports is a hint for the order of probing only. ProbePorts limits Probe to
	// those server ports when the content alone is too weak a sign (such as for
	// TFTP); empty means every port.
	Ports, ProbePorts []uint16
	// Probe looks at the first bytes of direction dir (all of them from the
	// start of the flow). It must be cheap and must not keep data. nil means the
	// protocol is only reached through Conn.Switch (as ftp-data, websocket).
	Probe func(dir Dir, data []byte, h Hint) Match
	// FirstData says which direction must speak first: 0 either, else a set of
	// DirServer and DirClient bits.
	FirstData uint8
	// Configure makes a factory from the settings. It is called once per Table.
	Configure func(s Settings) (Factory, error)
	// Disabled is the default of app-layer.protocols.NAME.enabled.
	Disabled bool
	// Done holds the progress value per direction at which a Tx is complete.
	Done [2]uint8
	// Fields are the sticky buffers and keywords this protocol feeds.
	Fields []Field
	// Limits are the names of the parser's bounds that no event and no record tells of,
	// by LimitID (counters app_layer.limit.NAME.*).
	Limits []string
	// Events are the names for app-layer-event and anomaly, by EventID.
	Events []string
	// LogAt is the progress per direction a Tx must have reached to be logged;
	// zero value means Done.
	LogAt [2]uint8
	// Log writes the keys of tx's EVE object into the open object of w.
	// It returns false when this tx is not to be logged.
	Log func(c *Conn, tx Tx, w *jsonw.Writer) bool
	// LogAlert, when not nil, is used for alert records in place of Log. It
	// writes whole members ("http": {...}) into w.
	LogAlert func(c *Conn, tx Tx, w *jsonw.Writer)
	// States are the names of the progress values per direction, as rule hooks use
	// them ("request_line"; header "alert http1:request_line ..."). "request_started",
	// "request_complete" and the like of the other side exist always. May be nil.
	States [2][]string
	// Frames are the types of frames the parser may open (keyword frame), without
	// the protocol's name.
	Frames []string
	// Beginnings: the parser makes use of the beginning of a datagram (Hint.Short),
	// and Probe knows it. Others are not shown cut datagrams.
	Beginnings bool
	// RawByChunk: the end of a Tx does not ask for raw inspection of the stream at
	// once; windows come by their size only (or by Conn.RawNow).
	RawByChunk bool
	// Files are the directions in which transactions carry files, a set of DirServer
	// and DirClient bits; NoFileNames tells that the files have no names.
	Files       uint8
	NoFileNames bool
	// Unidirectional: a Tx belongs to one direction only; TxBase.Dir says which.
	Unidirectional bool
	// LowerEvents: records of anomalies show the names of Events as they are; else
	// in upper case.
	LowerEvents bool
	// TxID: records of its transactions tell their number, as those of HTTP/1, SMTP and
	// SMB do in Suricata.
	TxID bool
	// StreamDepth, when not nil, gives the reassembly depth of TCP flows of this
	// protocol in bytes per direction, 0 for no limit (setting stream-depth); ok is
	// false when the general one holds. It is called once per Table.
	StreamDepth func(s Settings) (depth int64, ok bool)
}

// Bits of Protocol.FirstData.
const (
	DirServer uint8 = 1 << ToServer // the client speaks first
	DirClient uint8 = 1 << ToClient // the server speaks first
)

// Hint is what is known of a flow besides its bytes.
type Hint struct {
	SrcPort, DstPort uint16 // client port, server port
	UDP              bool
	Midstream        bool
	// Short: the datagram was cut on its way (packet length of a mirror session, MTU,
	// snap length); the data is its beginning.
	Short bool
}

// Factory makes the parser of a new flow.
type Factory func(c *Conn) Parser

// Status is the outcome of one Parse call.
type Status uint8

// The outcomes.
const (
	OK     Status = iota
	Flawed        // this datagram is none of the protocol; the next one may be, and nothing waits for an answer any more
	Broken        // this protocol's data cannot be followed any more in this flow
)

// Parser follows one flow.
//
// Parse gets the next bytes of direction dir and returns how many it used. Bytes
// not used are offered again in front of the next ones, so a parser keeps no
// buffers of its own for incomplete messages; need > 0 tells that calling again
// makes sense only with at least that many bytes. eof tells that nothing
// follows. data is valid during the call only. For UDP, data is one datagram and
// used is ignored.
//
// Gap tells that n bytes of dir were lost. Parse goes on behind them. It returns
// false when the parser cannot resynchronise; the flow is then no longer parsed.
type Parser interface {
	Parse(dir Dir, data []byte, eof bool) (used, need int, st Status)
	Gap(dir Dir, n int) bool
}

// Inspector is an optional interface of a Parser with sliding body windows:
// Inspected is called after the detection engine has looked at tx in direction
// dir, so that inspected body bytes can be let go.
type Inspector interface {
	Inspected(tx Tx, dir Dir)
}

// EventID is an index into Protocol.Events.
type EventID uint8

// Tx is one transaction (request with its response, or one message). Concrete
// types embed TxBase.
type Tx interface{ Base() *TxBase }

// Named is an optional interface of a Tx whose records have another type than its
// protocol's LogName (DNS messages in HTTP/2).
type Named interface{ LogName() string }

// TxBase is the part of a transaction that everybody knows.
type TxBase struct {
	ID       uint64   // 0, 1, 2 ... in the flow
	Progress [2]uint8 // per direction; only ever rises
	Dir      Dir      // for unidirectional protocols
	Events   []EventID
	// Skip tells the direction that never comes (a one-way transaction); it
	// counts as complete.
	Skip [2]bool
	// Memo belongs to the detection engine.
	Memo any
	// Waits is set by the detection engine when a rule that is part way through looks
	// at the stream too: the transaction is looked at though it has nothing new.
	Waits bool
	// Logged and EventsSeen belong to the event writer; Inspected to the Conn:
	// detection has seen the completed direction.
	Logged     bool
	EventsSeen int
	Inspected  [2]bool
	// DetectSeen belongs to the detection engine: the progress at its last look,
	// per direction, plus one.
	DetectSeen [2]uint8
	// Files seen in this transaction, in order of appearance.
	Files []*File
	// Vars are variables that rules captured (pkt/flow/tx metadata).
	proto  *Protocol
	app    ID
	forced bool // completed to make room

	conn  *Conn
	self  Tx     // what embeds this
	place uint64 // order in the Conn
	dirty [2]bool
	awake bool // in Conn.awake
}

// Base returns b; it makes every struct that embeds TxBase a Tx.
func (b *TxBase) Base() *TxBase { return b }

// MaxTxEvents bounds the events kept per transaction.
const MaxTxEvents = 64

// AddEvent notes e once.
func (b *TxBase) AddEvent(e EventID) {
	for _, have := range b.Events {
		if have == e {
			return
		}
	}
	b.RepeatEvent(e)
}

// RepeatEvent notes e even when it is there already, for events that count.
func (b *TxBase) RepeatEvent(e EventID) {
	if len(b.Events) < MaxTxEvents {
		b.Events = append(b.Events, e)
		b.Touch(ToServer)
		b.Touch(ToClient)
	}
}

// Kind is the type of a Field.
type Kind uint8

// The kinds of Field.
const (
	Bytes  Kind = iota // sticky buffer
	Number             // unsigned integer with ranges, comparisons, names
	Custom             // own argument syntax
)

// Field is one keyword that looks into transactions of a protocol. The detection
// engine builds its keyword table from these rows; the same Name may come from
// several protocols (http.uri of HTTP/1 and HTTP/2).
type Field struct {
	Name    string   // sticky buffer or keyword name, such as "http.uri"
	Aliases []string // other names of the same sticky buffer
	Legacy  string   // content modifier of old rules ("http_uri"), "" if none
	Kind    Kind
	// Dirs in which the field exists, and from which Progress on it can be read.
	ToServer, ToClient bool
	MinProgress        [2]uint8

	// Get returns the i-th value of a Bytes field, false when there is none. The
	// bytes are valid until the flow's next packet. Only Multi fields are asked
	// for i > 0.
	Get   func(c *Conn, tx Tx, dir Dir, i int) ([]byte, bool)
	Multi bool
	// Stream marks a body-like buffer that grows while the transaction is open.
	// GetStream returns the window to inspect now, the offset of its first byte
	// in the whole body, and whether the body is complete; ok is false when there
	// is nothing to inspect (yet). Get is unused then.
	Stream    bool
	GetStream func(c *Conn, tx Tx, dir Dir, i int) (data []byte, offset uint64, done, ok bool)
	// Again, when not 0, is the progress from which a Bytes field is looked at once
	// more if Changed says that it has changed meanwhile (trailers). With Repeats, a
	// rule that is found by a pattern in the field then matches once more.
	Again   [2]uint8
	Changed func(tx Tx, dir Dir) bool
	Repeats bool
	// Little tells whether numbers in a Bytes field are little-endian, for the byte
	// order "dce" of byte_test and its like; nil: they are not.
	Little func(tx Tx, dir Dir) bool
	// NoPrefilter keeps the field out of multi-pattern matching.
	NoPrefilter bool
	// Validate, when set, refuses a content (or the list of contents) that can
	// never match, such as an upper-case letter in http.host. Nocase tells
	// whether the content is case-insensitive.
	Validate func(content []byte, nocase bool) error
	// Case is what the contents of rules are brought into before they are looked
	// for: the buffer has letters of that case only.
	Case Case
	// OneWay fields may only be used by rules that name a direction (flow).
	OneWay bool

	// Uint returns the i-th value of a Number field.
	Uint  func(c *Conn, tx Tx, dir Dir, i int) (uint64, bool)
	Bits  uint8             // width of the number: 8, 16, 32, 64
	Names map[string]uint64 // names accepted instead of numbers
	// Only, when set, are the values that a rule may ask for; there are no
	// comparisons then.
	Only []uint64
	// Indexed Number fields take "any", "all" or the place of one value behind a
	// comma.
	Indexed bool

	// Compile parses the argument of a Custom keyword.
	Compile func(arg string) (TxMatcher, error)

	Doc string // one line for docs/reference/keywords.md
}

// Case is the case of a buffer's letters.
type Case uint8

// The cases.
const (
	CaseAny Case = iota
	CaseLower
	CaseUpper
)

// TxMatcher is a compiled Custom keyword.
type TxMatcher func(c *Conn, tx Tx, dir Dir) bool

// Settings hands a protocol its configuration under Suricata's names, relative
// to app-layer.protocols.NAME (for example "libhtp.default-config.personality").
// Lookups of absent keys return false.
type Settings interface {
	String(key string) (string, bool)
	Bool(key string) (bool, bool)
	Int(key string) (int64, bool)
	// Size reads "100kb", "1mb", "0".
	Size(key string) (int64, bool)
	Strings(key string) ([]string, bool)
	// Global looks a key up from the root of the configuration.
	Global() Settings
}
