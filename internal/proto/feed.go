package proto

import "math/bits"

// Flow-level application-layer events, indexes into ConnEvents.
const (
	EventMismatch EventID = iota
	EventWrongDirection
	EventOneDirection
	EventSkipped
	EventNoTLS
	EventUnexpected
)

// ConnEvents are the names of flow-level events as app-layer-event knows them
// (EVE shows them in upper case).
var ConnEvents = [...]string{
	"applayer_mismatch_protocol_both_directions",
	"applayer_wrong_direction_first_data",
	"applayer_detect_protocol_only_one_direction",
	"applayer_proto_detection_skipped",
	"applayer_no_tls_after_starttls",
	"applayer_unexpected_protocol",
}

// leastProbe is how many bytes of a stream's direction must be there before it is
// given up: less says nothing. Suricata's numbers.
var leastProbe = [2]int{17, 10}

// NewConn returns the application layer of a new flow.
func NewConn(t *Table, h Hint) *Conn { return &Conn{Table: t, Hint: h} }

// neverCame ends a flow that was to go on as another protocol (STARTTLS) and did not go
// on at all.
func (c *Conn) neverCame() {
	c.unexpected()
	c.App, c.stopped = Failed, [2]bool{true, true}
}

// unexpected notes that what follows a Switch is not what was awaited.
func (c *Conn) unexpected() {
	c.AddEvent(EventUnexpected)
	if c.Table.Name(c.Expected) == "tls" {
		c.AddEvent(EventNoTLS)
	}
}

// AddEvent notes a flow-level event once.
func (c *Conn) AddEvent(e EventID) {
	for _, have := range c.Events {
		if have == e {
			return
		}
	}
	c.Events = append(c.Events, e)
}

// Stopped tells that bytes of direction dir are no longer looked at.
func (c *Conn) Stopped(dir Dir) bool { return c.stopped[dir] }

// Parses tells that the protocol of direction dir is known and a parser reads it.
func (c *Conn) Parses(dir Dir) bool { return c.parser != nil && c.Side[dir] == c.App }

// Stop ends the parsing of direction dir.
func (c *Conn) Stop(dir Dir) { c.stopped[dir] = true }

// Turn swaps the two directions, after the owner has turned the flow around.
func (c *Conn) Turn() {
	c.Reversed = false
	c.Side[0], c.Side[1] = c.Side[1], c.Side[0]
	c.Offset[0], c.Offset[1] = c.Offset[1], c.Offset[0]
	c.seen[0], c.seen[1] = c.seen[1], c.seen[0]
	c.EOF[0], c.EOF[1] = c.EOF[1], c.EOF[0]
	c.Cut[0], c.Cut[1] = c.Cut[1], c.Cut[0]
	c.Addrs[0], c.Addrs[1] = c.Addrs[1], c.Addrs[0]
	c.first = c.first.Other()
	c.stopped[0], c.stopped[1] = c.stopped[1], c.stopped[0]
	c.probed = [2]bool{}
	c.Hint.SrcPort, c.Hint.DstPort = c.Hint.DstPort, c.Hint.SrcPort
}

// Feed offers the next stream bytes of direction dir, which begin at stream
// offset off, and returns how many were used and how many are needed for the
// next try to make sense (0: any). eof tells that nothing follows. After Feed
// the owner must look at Reversed.
func (c *Conn) Feed(dir Dir, data []byte, off uint64, eof bool) (used, need int) {
	if eof {
		c.EOF[dir] = true
		if len(data) == 0 && c.Changing() && c.Expected != Unknown && c.EOF[dir.Other()] {
			c.neverCame()
		}
	}
	if len(data) > 0 {
		if !c.seen[0] && !c.seen[1] {
			c.first = dir
		}
		c.seen[dir] = true
	}
	if c.stopped[dir] {
		return len(data), 0
	}
	for {
		if c.Side[dir] == Unknown {
			if !c.probe(dir, data, eof) {
				if c.stopped[dir] {
					return len(data), 0
				}
				return used, 0
			}
			if c.OtherFirst {
				return used, 0
			}
		}
		if c.parser == nil {
			if c.App == Unknown && c.Side[dir.Other()] == Unknown && len(data) < MaxProbe && !eof {
				// The other side may still be recognised; these bytes are its too.
				return used, 0
			}
			c.stopped[dir] = c.App != Unknown || c.Side[dir] == Failed
			if c.stopped[dir] {
				return used + len(data), 0
			}
			return used, 0
		}
		c.Offset[dir] = off
		if !c.framed[dir] && len(data) > 0 {
			c.framed[dir] = true
			c.AddFrame(dir, StreamFrame, off, -1, NoTx)
		}
		n, want, st := c.parser.Parse(dir, data, eof)
		n = max(0, min(n, len(data)))
		used += n
		if c.OneSided {
			c.settle(dir)
		} else {
			c.settled[dir] = false
		}
		if st == Broken {
			c.giveUp()
			return used + len(data) - n, 0
		}
		if !c.switching {
			return used, want
		}
		c.change()
		data, off = data[n:], off+uint64(n)
		if len(data) == 0 || c.Switched {
			return used, 0
		}
	}
}

// Beginning offers the beginning of a datagram of direction dir whose rest was cut
// off on its way. Only protocols with Beginnings look at it, on their ports as long
// as the flow's protocol is not known.
func (c *Conn) Beginning(dir Dir, data []byte) {
	if c.stopped[dir] || c.App == Failed {
		return
	}
	c.Hint.Short = true
	defer func() { c.Hint.Short = false }()
	if c.App == Unknown {
		for i, p := range c.Table.rows {
			if p.Beginnings && p.Transport&UDP != 0 && portHinted(p.Ports, c.Hint) && p.Probe(dir, data, c.Hint) == Yes {
				c.found(dir, ID(i+1))
				break
			}
		}
	}
	if p := c.Table.Protocol(c.App); c.parser == nil || p == nil || !p.Beginnings {
		return
	}
	c.seen[dir], c.Offset[dir] = true, 0
	if _, _, st := c.parser.Parse(dir, data, false); st == Broken {
		c.giveUp()
	}
}

// Datagram offers one datagram of direction dir.
func (c *Conn) Datagram(dir Dir, data []byte) {
	if c.stopped[dir] {
		return
	}
	c.seen[dir] = true
	if c.Side[dir] == Unknown && c.App == Unknown && !c.probe(dir, data, true) {
		return
	}
	if c.parser == nil {
		return
	}
	c.Offset[dir] = 0
	switch _, _, st := c.parser.Parse(dir, data, false); st {
	case Broken:
		c.giveUp()
	case Flawed:
		c.flawed = true
		c.countBroken()
	}
	if c.flawed {
		c.completeAll()
	}
}

// Gap tells that n bytes of direction dir were lost.
func (c *Conn) Gap(dir Dir, n int) {
	if c.stopped[dir] {
		return
	}
	if c.parser == nil {
		// Bytes lost before the protocol was known: it cannot be found any more
		// in this direction.
		if c.Side[dir] == Unknown {
			c.fail(dir)
		}
		return
	}
	if c.Side[dir] == Unknown {
		// There is no beginning to recognise; it is what the other side speaks.
		c.Side[dir] = c.App
	}
	if !c.parser.Gap(dir, n) {
		c.stopped[dir] = true
		c.countBroken()
	}
	if c.OneSided {
		c.settle(dir)
	}
}

// settle ends the waiting of transactions that are done in direction dir for the
// other one. Those that were there before the flow was known to be one-sided are looked
// at once.
func (c *Conn) settle(dir Dir) {
	list := c.Awake()
	if !c.settled[dir] {
		list, c.settled[dir] = c.Txs, true
	}
	for _, tx := range list {
		if b := tx.Base(); b.DirDone(dir) && b.Progress[dir.Other()] == 0 && !b.Skip[dir.Other()] {
			b.Skip[dir.Other()] = true
			b.wake()
		}
	}
}

// giveUp ends parsing for both directions; the open transactions stay and are
// completed.
func (c *Conn) giveUp() {
	c.stopped = [2]bool{true, true}
	c.countBroken()
	c.completeAll()
}

// countBroken counts a failure of the parser.
func (c *Conn) countBroken() {
	if c.Broken < 255 {
		c.Broken++
	}
}

// Quarantine is giveUp for a parser that panicked.
func (c *Conn) Quarantine() { c.giveUp() }

// completeAll ends all live transactions.
func (c *Conn) completeAll() {
	for _, tx := range c.Txs {
		b := tx.Base()
		for d := range b.Progress {
			if b.Progress[d] < b.proto.Done[d] {
				b.Progress[d] = b.proto.Done[d]
				b.Touch(Dir(d))
			}
		}
	}
}

// change carries out a Switch: the flow is probed anew from here on.
func (c *Conn) change() {
	c.completeAll()
	c.Orig, c.Expected, c.changed = c.App, c.switchTo, true
	c.App, c.Side = Unknown, [2]ID{}
	c.parser, c.switching, c.announced = nil, false, Unknown
	c.probed, c.seen = [2]bool{}, [2]bool{}
	c.stopped, c.framed, c.lastFrame = [2]bool{}, [2]bool{}, [2]uint32{}
	if c.become {
		c.become = false
		c.reached()
		return
	}
	c.Switched = true
}

// reached makes the awaited protocol that of the flow without a probe.
func (c *Conn) reached() {
	c.decide(c.Expected)
	c.Side = [2]ID{c.Expected, c.Expected}
}

// probe tries to recognise direction dir. It returns true when there is
// something to parse with.
func (c *Conn) probe(dir Dir, data []byte, last bool) bool {
	if c.App != Unknown && c.App != Failed && c.Table.Protocol(c.App).Probe == nil {
		c.Side[dir] = c.App
		return true
	}
	if len(data) == 0 {
		return false
	}
	if p := c.Table.Protocol(c.Expected); p != nil && p.Probe == nil && c.Changing() {
		c.reached()
		return true
	}
	if !c.probed[dir] {
		c.live[dir], c.probed[dir] = c.Table.candidates(c.Hint), true
	}
	if c.App != Unknown && c.App != Failed && c.live[dir]&(1<<(c.App-1)) != 0 &&
		c.Table.rows[c.App-1].Probe(dir, data, c.Hint) == More {
		// The other side was recognised and nothing speaks against it here.
		return c.found(dir, c.App)
	}
	if p := c.Table.Protocol(c.Expected); p != nil && c.changed && c.App == Unknown && len(data) >= leastProbe[dir] &&
		p.Probe(dir, data, c.Hint) == More {
		// It is awaited here, and nothing speaks against it.
		return c.found(dir, c.Expected)
	}
	id, rev := c.scan(dir, data)
	if rev && !c.seen[dir.Other()] && c.App == Unknown {
		c.Reversed = true
		return false
	}
	if id == Unknown && c.App == Unknown {
		id = c.announced
	}
	if id != Unknown {
		return c.found(dir, id)
	}
	known := c.App != Unknown && c.App != Failed
	switch {
	case !c.Hint.UDP && len(data) < leastProbe[dir]:
		if last && known {
			// Nothing follows: it is what the other side speaks.
			c.Side[dir] = c.App
			return true
		}
		return false
	case c.live[dir] != 0 && len(data) < MaxProbe && !last && !known:
		return false
	}
	return c.fail(dir)
}

// scan asks the live rows, those with a port hint first.
func (c *Conn) scan(dir Dir, data []byte) (ID, bool) {
	for pass := range 2 {
		for set := c.live[dir]; set != 0; set &= set - 1 {
			i := bits.TrailingZeros64(set)
			p := c.Table.rows[i]
			if portHinted(p.Ports, c.Hint) != (pass == 0) {
				continue
			}
			if len(p.ProbePorts) > 0 && !portHinted(p.ProbePorts, c.Hint) {
				c.live[dir] &^= 1 << i
				continue
			}
			switch p.Probe(dir, data, c.Hint) {
			case Yes:
				return ID(i + 1), false
			case Reversed:
				return ID(i + 1), true
			case No:
				c.live[dir] &^= 1 << i
			}
		}
	}
	return Unknown, false
}

// found notes that direction dir speaks protocol id.
func (c *Conn) found(dir Dir, id ID) bool {
	c.Side[dir] = id
	switch {
	case c.App == Unknown || c.App == Failed:
		p := c.Table.Protocol(id)
		if p.FirstData != 0 && !c.Hint.UDP && !c.Hint.Midstream && !c.changed &&
			p.FirstData&(1<<dir) == 0 && !c.seen[dir.Other()] {
			c.AddEvent(EventWrongDirection)
			c.stopped = [2]bool{true, true}
			return false
		}
		if c.changed && c.Expected != Unknown && id != c.Expected {
			c.unexpected()
		}
		other := dir.Other()
		c.OtherFirst = c.first == other && c.seen[other] && !c.stopped[other] && !c.Hint.UDP
		c.decide(id)
		if c.Side[other] == Failed {
			c.oneDirection()
		}
	case c.App != id:
		// The first direction's word counts.
		c.AddEvent(EventMismatch)
	}
	return true
}

// fail notes that direction dir could not be recognised. When the other one was,
// its protocol is used for both.
func (c *Conn) fail(dir Dir) bool {
	c.Side[dir] = Failed
	if c.App != Unknown && c.App != Failed {
		c.oneDirection()
		return true
	}
	if c.Side[dir.Other()] == Failed {
		c.App = Failed
		c.stopped = [2]bool{true, true}
	}
	return false
}

// oneDirection notes that only one direction was recognised. Of a protocol that is
// detected and not parsed there is nothing to tell: as in Suricata.
func (c *Conn) oneDirection() {
	if c.parser != nil {
		c.AddEvent(EventOneDirection)
	}
}

// decide makes id the flow's protocol.
func (c *Conn) decide(id ID) {
	c.App = id
	c.nextTx = 0
	if c.changed {
		c.nextTx = 0
	}
	if f := c.Table.factories[id-1]; f != nil && c.Table.parse[id-1] {
		c.parser = f(c)
	}
}

// Finish ends the application layer: no bytes follow. The owner has fed what was
// left of both directions with eof set, and inspects and logs a last time.
func (c *Conn) Finish() {
	if c.App == Unknown && c.Hint.UDP && (c.Side[0] == Failed || c.Side[1] == Failed) {
		c.App = Failed
	}
}

// DropFrames forgets the frames of direction dir that end at or before stream
// offset end: they were seen whole. With all set it forgets every frame.
func (c *Conn) DropFrames(dir Dir, end uint64, all bool) {
	keep := c.Frames[:0]
	for _, f := range c.Frames {
		if !all && (f.Dir != dir || f.Len < 0 || f.Offset+uint64(f.Len) > end) {
			keep = append(keep, f)
		}
	}
	c.Frames = keep
}
