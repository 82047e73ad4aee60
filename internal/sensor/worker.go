// Package sensor puts the stations of a packet in a row: mirror tunnel off,
// attribution, de-duplication, defragmentation, flow, stream, application layer,
// detection, events.
//
// A Worker is that row for one core; nothing in it is shared, but for the state
// across flows that rules ask for (detect.Shared). Replay runs one Worker in the
// caller's goroutine; Live runs one per receiver. This package holds no protocol,
// header or rule knowledge: one file a station. It starts the goroutines, reads
// the clock and logs, which the rooms below never do.
package sensor

import (
	"time"

	"mirador/internal/detect"
	"mirador/internal/eve"
	"mirador/internal/flow"
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/proto"
	"mirador/internal/stream"
)

// Options configure a Worker. They are read-only once a Worker was made, and may
// be shared by workers.
type Options struct {
	Decoder packet.Options
	Flow    flow.Options
	Defrag  stream.DefragOptions
	Stream  stream.Options
	Table   *proto.Table
	Engine  *detect.Engine // nil: no detection
	Shared  *detect.Shared

	Outputs  []Output
	Fast     *eve.Fast // fast.log, nil when off
	FastSink Sink
	Files    FileOptions

	// Mirror takes VXLAN and GENEVE tunnels off as mirror sessions: no flow of the
	// outer packets, attribution, allow-lists, de-duplication.
	Mirror      bool
	Sources     *mirror.SourceTable
	AllowSource func(packet.Addr) bool // nil: every outer source
	AllowVNI    func(uint32) bool      // nil: every VNI
	DedupWindow int64                  // nanoseconds; 0 switches de-duplication off

	// IgnoreChecksums is Suricata's -k none.
	IgnoreChecksums bool
	InIface         string
	StatsInterval   int64 // nanoseconds between stats records, 0: only at the end
	// Live is set for frames from the network: events have no packet number, and the
	// caller writes the stats records, for all workers together.
	Live bool
	Seed uint64
	// Quarantine, when set, gets the bytes of a packet that made a station panic.
	Quarantine func(link packet.Link, data []byte, wireLen int, at int64, why any)
	// OnAlert, when set, sees every alert after it was written. It must not keep
	// its arguments.
	OnAlert func(h *eve.Header, a *eve.Alert)
	// Trace, when set, follows one rule (rules why).
	Trace *detect.Trace
	// EngineInfo, when set, describes the loaded rules for stats records.
	EngineInfo func() []eve.Engine
	// SimulateIPS shows drop and reject rules as blocked, as an inline engine would.
	SimulateIPS bool
	// MidstreamExceptions is what EVE shows as exception policies of flows that were
	// picked up midstream.
	MidstreamExceptions []eve.Exception
	// ErrorExceptions is the same of flows that their application parser gave up.
	ErrorExceptions []eve.Exception
	// GuessTx is detect.guess-applayer-tx: an alert without a transaction shows the
	// flow's only one.
	GuessTx bool
}

// Output is one EVE output and where its lines go.
type Output struct {
	Options eve.Options
	Sink    Sink
}

// entry is a flow with what this room keeps in it.
type entry = flow.Entry[conv]

// conv is the sensor's part of a flow.
type conv struct {
	tcp   *stream.Session
	app   *proto.Conn
	det   detect.Flow
	src   *source
	trunc bool // a packet of the flow was cut

	parent               uint64 // flow id of the packet around the first one, or of the flow that announced this one
	announcer            uint64 // flow id of the flow that says what this one is
	flags                [2]uint8
	replyType, replyCode uint8
	community            string
	macs                 [2][][6]byte
	appLogged            int    // flow-level application events logged so far
	need                 [2]int // bytes the parser waits for, per direction
}

// Worker is one row of stations. It is owned by one goroutine.
type Worker struct {
	Ledger Ledger
	Stats  Stats

	opt    *Options
	dec    *packet.Decoder
	layers []packet.Parsed
	whole  [][]packet.Parsed // layers of reassembled packets, by nesting
	depth  int               // of w.whole in use
	defrag *stream.Defrag
	flows  *flow.Table[conv]
	tcp    *stream.Engine
	det    *detect.Worker
	dp     detect.Packet

	sources sources
	dedup   *dedup

	outs          []output
	fast          *eve.Fast
	fastBuf       []byte
	sinkErr       error
	wantCommunity bool
	communitySeed uint16
	wantEther     bool
	wantFrames    bool // a rule or an output looks at protocol frames
	allFrames     bool // an output logs them
	frameWanted   func(proto.ID, string) bool
	wantDecode    bool // some output logs decoder anomalies
	wantStream    bool
	h             eve.Header
	varBuf        eve.Vars
	mirrorBuf     eve.Mirror
	tunnelBuf     eve.Tunnel
	flowBuf       eve.Flow
	alertBuf      eve.Alert
	ruleBuf       map[*detect.Rule]*eve.RuleInfo
	frameBuf      eve.Frame
	fileBuf       eve.File
	pseudoBuf     packet.Parsed
	payloadBuf    []byte
	frameBytes    []byte
	parts         []stream.Part
	detParts      []detect.StreamPart
	wantPayload   bool
	forceSHA256   bool
	wantStreamTCP bool // some output logs every TCP packet
	final         bool // the last look at an ending flow
	spare         []*stream.Session
	counters      []Counter
	statsPlanErr  error
	parentID      uint64
	scratch       []byte
	evbuf         []uint16
	filesBuf      []eve.File
	hash          fileHashes
	fileSeq       uint64
	filesOpen     int
	expected      proto.Expectations
	limitHits     *proto.LimitHits

	// The frame being processed.
	pcapCnt   uint64
	pcapFile  string
	mirrored  *source
	truncated bool
	tunnel    int // index in layers of the first packet inside the mirror tunnel
	pseudo    bool
	cur       *entry // flow of the packet being processed
	now       int64  // greatest packet time
	first     int64
	nextTick  int64
	nextStats int64
	statsPlan *eve.StatsPlan
	statsNow  []uint64
	statsLast []uint64
}

// NewWorker makes a worker. It fails on options that the rooms refuse.
func NewWorker(o *Options) (*Worker, error) {
	decoder := o.Decoder
	decoder.AnyInner = o.Mirror
	w := &Worker{opt: o, dec: packet.NewDecoder(decoder), sources: *newSources(o.Sources),
		layers: make([]packet.Parsed, 0, packet.MaxLayers+1), limitHits: o.Table.NewLimitHits()}
	var err error
	if w.flows, err = flow.NewTable(o.Flow, w.flowEnd); err != nil {
		return nil, err
	}
	if w.defrag, err = stream.NewDefrag(o.Defrag); err != nil {
		return nil, err
	}
	if w.tcp, err = stream.NewEngine(o.Stream); err != nil {
		return nil, err
	}
	if o.Engine != nil {
		w.det = detect.NewWorker(o.Engine, o.Shared)
		w.det.SetTrace(o.Trace)
		w.ruleBuf = map[*detect.Rule]*eve.RuleInfo{}
		w.need(o.Engine)
	}
	if o.Mirror && o.DedupWindow > 0 {
		w.dedup = newDedup(o.DedupWindow, o.Seed)
	}
	for _, out := range o.Outputs {
		w.outs = append(w.outs, output{w: eve.NewWriter(out.Options, o.Table), sink: out.Sink})
		w.wantCommunity = w.wantCommunity || out.Options.CommunityID
		a := &out.Options.Alert
		w.wantPayload = w.wantPayload || a.Payload || a.PayloadPrintable || a.PayloadLength
		f := &out.Options.Files
		w.hash.md5, w.hash.sha1, w.hash.sha256 = w.hash.md5 || f.MD5, w.hash.sha1 || f.SHA1, w.hash.sha256 || f.SHA256
		w.hash.magic = w.hash.magic || f.Magic
		w.forceSHA256 = w.forceSHA256 || f.SHA256
		w.wantStreamTCP = w.wantStreamTCP || out.Options.StreamOn
		w.wantEther = w.wantEther || out.Options.Ethernet
		w.communitySeed = out.Options.CommunitySeed
		w.allFrames = w.allFrames || out.Options.FrameOn
		w.wantDecode = w.wantDecode || out.Options.AnomalyOn && out.Options.Anomaly.Decode
		w.wantStream = w.wantStream || out.Options.AnomalyOn && out.Options.Anomaly.Stream
	}
	w.wantFrames = w.wantFrames || w.allFrames
	w.frameWanted = func(app proto.ID, typ string) bool {
		return w.allFrames || w.det != nil && w.det.Engine().WantsFrame(app, typ)
	}
	w.forceSHA256 = w.forceSHA256 || o.Files.Store != nil
	w.hash.md5, w.hash.sha1 = w.hash.md5 || o.Files.MD5, w.hash.sha1 || o.Files.SHA1
	w.fast = o.Fast
	w.initStats()
	return w, nil
}

// need switches on what the rules of e want computed for files.
func (w *Worker) need(e *detect.Engine) {
	w.wantFrames = w.wantFrames || e.UsesFrames()
	m5, s1, s256, magic, _ := e.Needs()
	h := &w.hash
	h.md5, h.sha1, h.sha256, h.magic = h.md5 || m5, h.sha1 || s1, h.sha256 || s256, h.magic || magic
}

// Swap makes e the engine for all packets from now on. The caller calls it
// between batches; live flows go on with the new rules.
func (w *Worker) Swap(e *detect.Engine) {
	if w.det == nil {
		return
	}
	w.det.Swap(e)
	w.need(e)
	clear(w.ruleBuf)
}

// SwapSources makes t the sources file for all packets from now on.
func (w *Worker) SwapSources(t *mirror.SourceTable) { w.sources.swap(t) }

// Frame processes one frame as captured: data from its link header, wireLen bytes
// long on the wire, at Unix nanoseconds t. data is not kept.
func (w *Worker) Frame(link packet.Link, data []byte, wireLen int, t int64) {
	w.arrive(&arrival{link: link, data: data, wireLen: wireLen, time: t})
}

// Datagram processes one mirror datagram as a UDP socket received it from src to
// dst: link is packet.LinkVXLAN or packet.LinkGENEVE, and payload begins with
// that header. payload is not kept.
func (w *Worker) Datagram(link packet.Link, src, dst packet.Addr, srcPort, dstPort uint16, payload []byte, wireLen int, t int64) {
	w.arrive(&arrival{link: link, data: payload, wireLen: wireLen, time: t, socket: true,
		src: src, dst: dst, srcPort: srcPort, dstPort: dstPort})
}

// arrival is one frame, or one datagram of a mirror socket.
type arrival struct {
	link             packet.Link
	data             []byte
	wireLen          int
	time             int64
	socket           bool // with the addresses below
	src, dst         packet.Addr
	srcPort, dstPort uint16
}

// arrive takes a through all stations and closes its account: processed, or one
// named drop.
func (w *Worker) arrive(a *arrival) {
	w.pcapCnt++
	w.Ledger.Received++
	w.Ledger.ReceivedBytes += uint64(len(a.data))
	w.Stats.Frames++
	w.Stats.Bytes += uint64(len(a.data))
	w.Stats.MaxPkt = max(w.Stats.MaxPkt, uint64(len(a.data)))
	w.mirrored, w.truncated, w.tunnel = nil, false, 0
	if a.time > w.now {
		w.now = a.time
	}
	if w.first == 0 {
		w.first = a.time
	}
	if drop, dropped := w.guarded(a); dropped {
		w.Ledger.Drops[drop]++
	} else {
		w.Ledger.Processed++
		w.Ledger.ProcessedBytes += uint64(len(a.data))
		if w.truncated {
			w.Ledger.Truncated++
		}
	}
	if a.time >= w.nextTick {
		w.tick(a.time)
	}
}

// stations decodes a, takes the mirror tunnel off, and processes its layers from
// the innermost out.
func (w *Worker) stations(a *arrival) (drop Drop, dropped bool) {
	if a.socket {
		w.outer(a.src, a.dst, a.srcPort, a.dstPort)
	}
	w.layers = w.dec.Decode(w.layers[:0], a.link, a.data, a.wireLen, a.time)
	switch {
	case a.socket:
		drop, dropped = w.takeHeaderOff(a)
	case w.opt.Mirror:
		drop, dropped = w.takeTunnelOff(a)
	}
	if dropped {
		return drop, true
	}
	for i := len(w.layers) - 1; i >= w.tunnel; i-- {
		w.packet(&w.layers[i], i)
	}
	return 0, false
}

// tick does what is due about once a second of packet time.
func (w *Worker) tick(t int64) {
	w.nextTick = t + int64(time.Second)
	w.flows.Expire(t)
	w.defrag.Expire(t)
	if w.opt.StatsInterval > 0 && t >= w.nextStats {
		if w.nextStats != 0 {
			w.LogStats(t)
		}
		w.nextStats = t + w.opt.StatsInterval
	}
	w.flush(false)
}

// Idle does what is due at Unix nanoseconds t although no frame came: flows and
// fragments end, lines go out.
func (w *Worker) Idle(t int64) {
	if t > w.now {
		w.now = t
	}
	if t >= w.nextTick {
		w.tick(t)
	}
}

// follow lets the worker's time go back when the clock of a live source was set
// back; in a file older packets are only out of order.
func (w *Worker) follow(t int64) {
	const step = int64(2 * time.Second)
	if w.now-t > step {
		w.now, w.nextTick, w.nextStats = t, t, 0
	}
}

// Flush hands all gathered lines to the sinks.
func (w *Worker) Flush() { w.flush(true) }

// guarded runs the stations and turns a panic into a quarantined packet: it costs
// this frame and its flow, nothing else.
func (w *Worker) guarded(a *arrival) (drop Drop, dropped bool) {
	defer func() {
		why := recover()
		if why == nil {
			return
		}
		drop, dropped = DropPanic, true
		w.pseudo, w.final, w.depth = false, false, 0
		w.Stats.Panics++
		if w.cur != nil {
			if w.cur.V.app != nil {
				w.cur.V.app.Quarantine()
			}
			w.cur.V.det.Passed = true
			w.cur = nil
		}
		if w.opt.Quarantine != nil {
			w.opt.Quarantine(a.link, a.data, a.wireLen, a.time, why)
		}
	}()
	return w.stations(a)
}

// Finish ends all flows, writes the last records and flushes. The worker is not
// to be used afterwards.
func (w *Worker) Finish() error {
	w.flows.Close()
	w.LogStats(w.now)
	w.flush(true)
	return w.sinkErr
}
