package detect

import (
	"mirador/internal/proto"
	"mirador/internal/rule"
)

// sigKind is the type of a rule: when it is looked at. Suricata 8 rules/rule-types.
type sigKind uint8

const (
	kindDecodeEvent sigKind = iota // only decoder events: broken packets
	kindPacket                     // every packet
	kindIPOnly                     // first packet of each direction, or each packet without flow
	kindLikeIPOnly                 // as ip-only, but with negated addresses: every packet
	kindProtoDetect                // once per direction when the protocol is known
	kindPacketStream
	kindStream
	kindAppLayer // every packet of a flow of the protocol
	kindTx       // transactions
)

// kindNames are the types in the words of Suricata's engine analysis.
var kindNames = [...]string{"de_only", "pkt", "ip_only", "like_ip_only", "pd_only", "pkt_stream", "stream", "app_layer", "app_tx"}

// sigFlag is a property of a rule.
type sigFlag uint32

const (
	sigNeedPacket     sigFlag = 1 << iota // payload rules: inspect packet payloads
	sigNeedStream                         // payload rules: inspect the stream
	sigPktOnly                            // "tcp-pkt", no_stream: never the stream, nor a pseudo packet
	sigNoAlert                            //
	sigAlways                             // no fast pattern
	sigEstablished                        // flow keyword
	sigNotEstablished                     //
	sigNeedFlow                           //
	sigOnlyFrag                           //
	sigNoFrag                             //
	sigReal                               // needs a packet of the wire, no pseudo packet
	sigFlowStart                          // hook flow_start
	sigTwice                              // hook pre_flow or pre_stream: a match counts twice
	sigFiles                              // looks at files: inspected anew when a file is added
	sigBothDirs                           // "=>": both sides of one transaction
	sigStreamInTx                         // has payload contents beside transaction buffers
	sigNeedEvent                          // decode-event
	sigPass                               // action pass
	sigPrefilter                          // keyword prefilter
	sigNegatedAddr                        // an address list has negated members
	sigInvalidOK                          // may match packets without an IP header
	sigFrames                             // looks at frames
	sigFlowAction                         // the action takes the whole flow
	sigReplaced                           // buffers and the packet are inspected together
)

// protoClass sorts packets and rules by IP protocol for the rule groups.
type protoClass uint8

const (
	classTCP protoClass = iota
	classUDP
	classICMP
	classSCTP
	classOther
	classCount
)

// classOf returns the class of IP protocol p.
func classOf(p uint8) protoClass {
	switch p {
	case 6:
		return classTCP
	case 17:
		return classUDP
	case 1, 58:
		return classICMP
	case 132:
		return classSCTP
	}
	return classOther
}

// ipProtos is a set of IP protocol numbers.
type ipProtos [4]uint64

func (s *ipProtos) has(p uint8) bool { return s[p>>6]&(1<<(p&63)) != 0 }
func (s *ipProtos) add(p uint8)      { s[p>>6] |= 1 << (p & 63) }

// sig is a compiled rule.
type sig struct {
	rule *Rule
	num  uint32 // position in the order of evaluation
	kind sigKind
	flag sigFlag

	action   rule.Action
	dirs     uint8 // bit proto.Dir: directions it looks at
	ipVer    uint8 // 0, 4 or 6
	protos   *ipProtos
	apps     uint64 // application protocols it is for; 0 is any. Bit i: proto.ID i+1
	notApps  uint64 // app-layer-protocol:!x
	src, dst *rule.AddrSet
	sp, dp   *rule.PortSet

	checkOpts []int16   // of a rule to be traced: the option behind each check
	checks    []check   // packet, flow and state conditions, in the order of the rule
	pktBufs   []bufTest // packet sticky buffers
	payload   []op      // contents of packet payload or stream
	tx        [2][]txTest
	frames    []bufTest
	post      []action
	limit     *limit // threshold or detection_filter of the rule itself
	// moreLimits are thresholds after the first one.
	moreLimits []*limit
	tags       []*tagSpec

	// fast pattern
	fastBuf *bufDef // nil when none; payload has kind bufPayload
	fastPat string
	fastNo  bool // nocase
	fastOff int  // the match begins at or after this place
	fastEnd int  // and ends at or before this one; 0 anywhere
}

// check is a condition on the packet, its flow or shared state.
type check interface {
	match(w *Worker) bool
}

// action is what a rule does when it has matched, alert or not.
type action interface {
	apply(w *Worker)
}

// bufTest is a chain of ops on one buffer.
type bufTest struct {
	def *bufDef
	ops []op
}

// appBit returns the bit of protocol id in a set of application protocols.
func appBit(id proto.ID) uint64 {
	if id == proto.Unknown || id > proto.MaxProtocols {
		return 0
	}
	return 1 << (id - 1)
}

// txKind says what a txTest looks at.
type txKind uint8

const (
	txBuffer txKind = iota // sticky buffer of a protocol
	txNumber               // Number field
	txCustom               // Custom field
	txFile                 // conditions on one file (filename, filemd5, filesize, ...)
	txEvent                // app-layer-event
	txStream               // payload contents beside transaction buffers
	txHook                 // progress of the transaction
	txPacket               // packet buffer or check that has to hold at that time
)

// txTest is one condition on a transaction.
type txTest struct {
	kind   txKind
	opt    int16 // 1 + the option it is from, for a rule to be traced
	dir    proto.Dir
	absent absentMode
	def    *bufDef // txBuffer, txNumber, txCustom
	ops    []op
	num    *numTest
	custom *customTest
	file   []fileTest
}

// absentMode is the absent keyword of a buffer.
type absentMode uint8

const (
	absentNone absentMode = iota
	absentOnly
	absentOr
)
