package detect

import (
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// StreamPart is a run of stream bytes without a hole.
type StreamPart struct {
	Data   []byte
	Offset uint64 // stream offset of Data[0]
}

// Packet is what the engine looks at: one packet with what the stations before
// detection found out about it. The sensor fills one and hands it to Inspect; the
// engine keeps nothing of it.
type Packet struct {
	P      *packet.Parsed
	Dir    proto.Dir // side it came from; meaningful with Flow
	Tenant uint32

	Flow *Flow       // nil without flow
	App  *proto.Conn // nil without application layer

	Established bool // the flow is established (TCP: handshake done; else: both sides seen)
	Closing     bool // TCP: after this packet the session is between its first FIN and its end
	StreamAdded bool // the payload is part of the stream, which is inspected instead
	// NoPayloadInspect keeps payload and stream out of inspection (encrypted or
	// bypassed flows); headers and transactions are still looked at.
	NoPayloadInspect bool
	// NoPacketInspect keeps everything out (Suricata: NOPACKET_INSPECTION).
	NoPacketInspect bool

	StreamEvents []uint16 // indexes into Options.StreamEvents

	// Raw is the window of this direction's stream to look at now, as received;
	// RawOffset is the stream offset of Raw[0].
	Raw       []byte
	RawOffset uint64
	HasRaw    bool
	RawEnd    bool // nothing follows Raw in this direction

	// Stream is everything of this direction that is still kept, for frames, in
	// order: one part for each run without a hole. When nil, Raw is used.
	Stream    []StreamPart
	StreamEnd bool

	FlowEnd bool // last inspection of this direction
	Pseudo  bool // not a packet of the wire: made at the end of a flow or stream
	Again   bool // not the first pseudo packet of this direction at the end of its flow
	Defrag  bool // put together from fragments

	PcapCnt uint64
}

// Flow is the detection state of one flow. The zero value is ready. The sensor
// embeds it in its flow entry and keeps the counters in it up to date before
// Inspect; everything else belongs to the engine.
type Flow struct {
	Pkts, Bytes [2]uint64 // per direction
	Start, Last int64     // Unix nanoseconds of the first and the last packet
	// TCP numbers for stream_size: bytes seen by sequence numbers per direction.
	StreamBytes [2]uint64
	// Elephant is set per direction by the sensor (keyword flow.elephant).
	Elephant [2]bool

	// StoreFiles is set per direction by filestore with scope flow: all files of
	// that direction are to be stored.
	StoreFiles [2]bool

	NoLog bool // a config rule switched the logging of the flow off

	Alerted bool // some rule has alerted in this flow
	Passed  bool // a pass rule took the whole flow: no more inspection
	Dropped bool // a drop or reject rule took the flow (IDS: only noted)

	ipOnly     [2]bool // ip-only rules have been looked at
	started    [2]bool // a packet of this direction has been seen (hook flow_start)
	protoSeen  [2]bool // protocol-detection-only rules have been looked at
	connEvents uint8   // flow-level application events already looked at

	state *flowState // allocated when a rule first needs it
}

// flowState is the part of a Flow that most flows never need.
type flowState struct {
	bits   []uint32 // sorted ids of the flowbits set
	ints   []flowInt
	vars   []Var
	tags   []tag
	frames []frameHit
	// backoff and by_flow thresholds
	limits []flowLimit
	// entropy results by buffer name
	entropy []Entropy
}

type flowInt struct {
	id  uint32
	val uint32
}

// Var is a value that a rule captured.
type Var struct {
	Name  string
	Value []byte
	Key   []byte // not nil: the pair was captured as key and value
}

// Entropy is the value an entropy keyword computed.
type Entropy struct {
	Buffer string
	Value  float64
}

func (f *Flow) more() *flowState {
	if f.state == nil {
		f.state = new(flowState)
	}
	return f.state
}

// hasBit tells whether flowbit id is set.
func (f *Flow) hasBit(id uint32) bool {
	if f == nil || f.state == nil {
		return false
	}
	for _, b := range f.state.bits {
		if b == id {
			return true
		}
	}
	return false
}

func (f *Flow) setBit(id uint32, c *Counters) {
	if f.hasBit(id) {
		return
	}
	s := f.more()
	if len(s.bits) >= maxFlowBits {
		c.FlowBitsFull++
		return
	}
	s.bits = append(s.bits, id)
}

func (f *Flow) clearBit(id uint32) {
	if f.state == nil {
		return
	}
	s := f.state
	for i, b := range s.bits {
		if b == id {
			s.bits = append(s.bits[:i], s.bits[i+1:]...)
			return
		}
	}
}

// intVal returns flowint id and whether it is set.
func (f *Flow) intVal(id uint32) (uint32, bool) {
	if f == nil || f.state == nil {
		return 0, false
	}
	for _, v := range f.state.ints {
		if v.id == id {
			return v.val, true
		}
	}
	return 0, false
}

func (f *Flow) setInt(id, val uint32, c *Counters) {
	s := f.more()
	for i := range s.ints {
		if s.ints[i].id == id {
			s.ints[i].val = val
			return
		}
	}
	if len(s.ints) >= maxFlowInts {
		c.FlowBitsFull++
		return
	}
	s.ints = append(s.ints, flowInt{id, val})
}

// setVar keeps a copy of value under name; a later value replaces an earlier one.
func (f *Flow) setVar(name string, value []byte, c *Counters) {
	s := f.more()
	if len(value) > maxVarLen {
		value = value[:maxVarLen]
	}
	for i := range s.vars {
		if s.vars[i].Name == name {
			s.vars[i].Value = append(s.vars[i].Value[:0], value...)
			return
		}
	}
	if len(s.vars) >= maxFlowVars {
		c.FlowBitsFull++
		return
	}
	s.vars = append(s.vars, Var{Name: name, Value: append([]byte(nil), value...)})
}

func (f *Flow) setEntropy(buffer string, v float64, c *Counters) {
	s := f.more()
	for i := range s.entropy {
		if s.entropy[i].Buffer == buffer {
			s.entropy[i].Value = v
			return
		}
	}
	if len(s.entropy) >= maxFlowVars {
		c.FlowBitsFull++
		return
	}
	s.entropy = append(s.entropy, Entropy{buffer, v})
}

// Vars returns the flow variables that rules captured. The slice belongs to f.
func (f *Flow) Vars() []Var {
	if f.state == nil {
		return nil
	}
	return f.state.vars
}

// Entropies returns what entropy keywords computed in this flow. The slice
// belongs to f.
func (f *Flow) Entropies() []Entropy {
	if f.state == nil {
		return nil
	}
	return f.state.entropy
}

// Bits calls yield with the name of each flowbit set in f, in the order they were
// set, until it returns false.
func (f *Flow) Bits(s *Shared, yield func(name string) bool) {
	if f.state == nil {
		return
	}
	for _, id := range f.state.bits {
		if !yield(s.names.name(id)) {
			return
		}
	}
}

// Ints is Bits for flowints.
func (f *Flow) Ints(s *Shared, yield func(name string, val uint32) bool) {
	if f.state == nil {
		return
	}
	for _, v := range f.state.ints {
		if !yield(s.names.name(v.id), v.val) {
			return
		}
	}
}
