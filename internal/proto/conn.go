package proto

// Table is the list of protocols a sensor speaks, configured.
type Table struct {
	rows      []*Protocol
	factories []Factory
	parse     []bool  // false: detected only
	depths    []int64 // StreamDepth of each row, -1 none
	byName    map[string]ID
	// probeTCP and probeUDP are the rows to probe, one bit each.
	probeTCP, probeUDP uint64
}

// ByName returns the id of a protocol, 0 when the table has none of that name.
func (t *Table) ByName(name string) ID { return t.byName[name] }

// Protocol returns the row of id, nil for Unknown and Failed.
func (t *Table) Protocol(id ID) *Protocol {
	if id == Unknown || int(id) > len(t.rows) {
		return nil
	}
	return t.rows[id-1]
}

// Rows returns all protocols, enabled or not. The slice is not to be changed.
func (t *Table) Rows() []*Protocol { return t.rows }

// Name returns EVE's app_proto for id: "" for Unknown, "failed" for Failed.
func (t *Table) Name(id ID) string {
	switch p := t.Protocol(id); {
	case id == Failed:
		return "failed"
	case p == nil:
		return ""
	default:
		return p.Name
	}
}

// Bounds on what one flow may hold (limits are per flow).
const (
	// MaxTxs bounds the open transactions of one flow; the oldest are then finished
	// by force (Suricata: app-layer max-tx of the protocols, 256 .. 1024).
	MaxTxs = 1024
	// MaxTxFiles bounds the files of one transaction: a mail or a form can have one
	// for each 50 bytes, and all of them are walked for each packet.
	MaxTxFiles = 1024
	// MaxProbe is how many bytes of one direction are probed before detection
	// gives up (Suricata: stream reassembly toserver/toclient inspection of the
	// first chunk).
	MaxProbe = 16 << 10
)

// Conn is the application layer of one flow: the probing, the parser and the
// live transactions. One worker owns it.
type Conn struct {
	Table    *Table
	Hint     Hint
	App      ID    // protocol of the flow
	Side     [2]ID // what each direction was recognised as
	Orig     ID    // protocol before a Switch
	Expected ID    // protocol that a Switch awaits
	Time     int64 // Unix nanoseconds of the packet being processed
	// Txs are the live transactions, oldest first. Awake has those of them with which
	// there is something to do.
	Txs []Tx
	// Events are flow-level application-layer events (ApplayerEvents).
	Events []EventID
	// Counters of what was cut short.
	TxOverflow, ExpectOverflow, FileOverflow, FrameOverflow uint64
	// Hits counts what met the bounds of Protocol.Limits. The owner sets it and shares
	// it between flows; nil: nobody counts.
	Hits *LimitHits

	// Offset is, during Parse, the stream offset of data[0] per direction.
	Offset [2]uint64

	// NoPayload is set by a parser whose flow is encrypted from here on: payload and
	// stream of later packets are not inspected.
	NoPayload bool
	// NoFrames is set by the owner when nobody looks at frames: AddFrame notes none.
	NoFrames bool
	// WantFrame, when set, tells whether somebody looks at frames of type typ; others
	// are not noted and have no number.
	WantFrame func(app ID, typ string) bool
	// RawNow is set by a parser that wants what a direction has sent so far to be
	// inspected as a stream without waiting for more. The owner clears it.
	RawNow [2]bool
	// Switched is set by a Switch: what follows is for the new protocol and waits for
	// the owner to clear it, with the next packet.
	Switched bool
	// FlushNow is set by a parser that ends the inspection of the flow: what both
	// directions hold is to be looked at now. The owner clears it.
	FlushNow bool
	// Reversed is set when probing found that the flow's first sender is the
	// server. The owner must turn the flow around and call Turn.
	Reversed bool
	// Broken counts the directions given up by the parser, and datagrams that it
	// could not read, up to 255.
	Broken uint8
	// EOF seen per direction.
	EOF [2]bool
	// Cut tells, per direction, that its end is that of what is looked at (reassembly
	// depth), not of the stream. The owner sets it.
	Cut [2]bool
	// OtherFirst is set when probing has found the protocol while older bytes of the
	// other direction wait: the owner must clear it and feed those first, then offer
	// the bytes at hand again.
	OtherFirst bool
	// Addrs are the addresses of client and server; the owner sets them.
	Addrs [2]Addr
	// Given is what the flow that announced this one left for its parser
	// (Expectation.Data); nil when nobody did.
	Given any
	// Expects are the flows that the parser has announced. The owner takes them.
	Expects []Expectation
	// OneSided is set by the owner when only one side of the flow is seen: then a
	// transaction that is done in one direction does not wait for the other.
	OneSided bool

	parser    Parser
	announced ID // what another flow says that this one is
	nextTx    uint64
	nextFile  uint32
	open      []Tx      // what Open returns, behind openHead
	openHead  int       // those before are complete
	openMark  int       // length of open at which complete ones are taken out
	openNew   int       // transactions begun since
	openGone  int       // complete ones that were dropped since
	awake     []Tx      // what Awake returns
	unsorted  bool      // awake is to be put in order
	places    uint64    // transactions ever begun
	holes     []int     // scratch of Clean
	settled   [2]bool   // settle has seen those that were there
	live      [2]uint64 // rows still possible in each direction
	probed    [2]bool   // live is set
	seen      [2]bool   // bytes were offered in this direction
	first     Dir       // the direction that spoke first
	stopped   [2]bool   // no more parsing in this direction
	framed    [2]bool   // the frame of the direction as a whole was noted
	flawed    bool      // a datagram was Flawed
	switchTo  ID
	switching bool
	changed   bool // a Switch took place: Expected and Orig mean something
	become    bool // the Switch asked for is a Become
	// Frames opened by the parser and not yet inspected (keyword frame).
	Frames    []Frame
	lastFrame [2]uint32 // ID
}

// Frame is a named part of the protocol's wire form (Suricata keyword frame).
type Frame struct {
	Type   string // "pdu", "hdr", ... without the protocol's name
	Dir    Dir
	Offset uint64 // stream offset; for UDP offset in the datagram
	Len    int64  // -1 while not known
	Tx     uint64
	ID     uint32 // counts in a direction, from 1
	Seen   uint64 // owned by the detection engine
	Logged bool   // owned by the event writer
}

// StreamFrame is the type of the frame that a direction of a TCP flow is as a whole.
const StreamFrame = "stream"

// NoTx is the Tx of a frame that belongs to no transaction.
const NoTx = ^uint64(0)

// MaxFrames bounds Conn.Frames; beyond it they are counted.
const MaxFrames = 64

// AddFrame notes a frame that begins at absolute offset off of dir.
func (c *Conn) AddFrame(dir Dir, typ string, off uint64, n int64, tx uint64) {
	if c.NoFrames || c.WantFrame != nil && !c.WantFrame(c.App, typ) {
		return
	}
	c.lastFrame[dir]++
	if len(c.Frames) >= MaxFrames {
		c.FrameOverflow++
		return
	}
	c.Frames = append(c.Frames, Frame{Type: typ, Dir: dir, Offset: off, Len: n, Tx: tx, ID: c.lastFrame[dir]})
}

// NewTx gives b the next id and appends tx to the live transactions. tx.Base()
// must be b. When MaxTxs are open the oldest is completed by force and counted.
func (c *Conn) NewTx(tx Tx) {
	b := tx.Base()
	b.ID = c.nextTx
	b.proto, b.app = c.Table.Protocol(c.App), c.App
	c.adopt(tx, b)
	c.nextTx++
	if len(c.Open()) >= MaxTxs {
		// Some may be complete; but to look at all of them each time would be dear.
		if c.openNew >= MaxTxs/8 {
			c.tidyOpen()
		}
		if open := c.Open(); len(open) >= MaxTxs {
			c.TxOverflow++
			o := open[0].Base()
			o.Progress, o.forced = o.proto.Done, true
			o.wake()
		}
	}
	c.Txs = append(c.Txs, tx)
	if len(c.open) >= c.openMark || c.openHead > len(c.open)/2 {
		c.tidyOpen()
	}
	c.open = append(c.open, tx)
	c.openNew++
}

// Open returns the live transactions that are not complete, oldest first. Some that
// are complete may be among them, but not the first, and no more than there are
// others, but for a few. A parser that looks for the transaction of a message must
// look here: the stream may hand over so much at once that Txs gets long.
func (c *Conn) Open() []Tx {
	for c.openHead < len(c.open) && c.open[c.openHead].Base().Complete() {
		c.open[c.openHead] = nil
		c.openHead++
	}
	return c.open[c.openHead:]
}

// tidyOpen takes the complete transactions out of open.
func (c *Conn) tidyOpen() {
	keep := c.open[:0]
	for _, tx := range c.open[c.openHead:] {
		if !tx.Base().Complete() {
			keep = append(keep, tx)
		}
	}
	clear(c.open[len(keep):])
	c.open, c.openHead, c.openMark, c.openNew = keep, 0, 2*len(keep)+32, 0
	c.openGone = 0
}

// TxCount returns how many transactions the flow had so far.
func (c *Conn) TxCount() uint64 { return c.nextTx }

// Advance raises the progress of direction dir to at least to.
func (b *TxBase) Advance(dir Dir, to uint8) {
	b.Touch(dir)
	if b.Progress[dir] < to {
		b.Progress[dir] = to
	}
}

// Protocol returns the row of the protocol the transaction belongs to.
func (b *TxBase) Protocol() *Protocol { return b.proto }

// App returns the id of that protocol. After a Switch it is not that of the flow.
func (b *TxBase) App() ID { return b.app }

// Complete tells whether both directions are done.
func (b *TxBase) Complete() bool { return b.DirDone(ToServer) && b.DirDone(ToClient) }

// DirDone tells whether direction dir is done or will never come.
func (b *TxBase) DirDone(dir Dir) bool {
	if b.Skip[dir] || b.proto == nil {
		return true
	}
	return b.Progress[dir] >= b.proto.Done[dir]
}

// NextTx returns the first transaction that detection has still to see in direction
// dir, nil when there is none, and whether it is the only one: no other follows, or
// one that belongs to the other direction.
func (c *Conn) NextTx(dir Dir) (tx Tx, only bool) {
	for i, tx := range c.Txs {
		b := tx.Base()
		if b.Inspected[dir] || b.Skip[dir] {
			continue
		}
		rest := c.Txs[i+1:]
		return tx, len(rest) == 0 || len(rest) == 1 && rest[0].Base().Skip[dir]
	}
	return nil, false
}

// Changing tells whether a Switch is under way: the new protocol is not found yet.
func (c *Conn) Changing() bool { return c.changed && c.App == Unknown }

// Spoken returns the protocol that rules take the flow for: App, and during a Switch
// the one before.
func (c *Conn) Spoken() ID {
	if c.Changing() {
		return c.Orig
	}
	return c.App
}

// Switch asks that the flow goes on as protocol name (STARTTLS, CONNECT,
// upgrade), after the bytes used by the present call. An empty name asks for
// probing anew.
func (c *Conn) Switch(name string) {
	c.switchTo = c.Table.ByName(name)
	c.switching = true
}

// Become is Switch for a protocol that the present one turns out to be a form of (DNS
// over HTTP/2): it goes on at once.
func (c *Conn) Become(name string) {
	c.Switch(name)
	c.become = true
}

// NewFile opens a file in tx. Its Dir says which direction carries it. Beyond
// MaxTxFiles it is counted, and what is returned takes no bytes and is shown nowhere.
func (c *Conn) NewFile(tx Tx, dir Dir, name []byte) *File {
	b := tx.Base()
	if len(b.Files) >= MaxTxFiles {
		c.FileOverflow++
		return &File{Dir: dir, TxID: b.ID, State: FileTruncated}
	}
	c.nextFile++
	f := &File{Dir: dir, Name: append([]byte(nil), name...), TxID: b.ID, seq: c.nextFile}
	b.Files = append(b.Files, f)
	b.Touch(dir)
	return f
}
