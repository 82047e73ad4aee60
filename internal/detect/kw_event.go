package detect

import (
	"slices"
	"strings"

	"mirador/internal/packet"
	"mirador/internal/proto"
	"mirador/internal/rule"
)

// Events of the stations before detection. Suricata 8 rules/decode-layer, app-layer.
func eventKeywords() []keyword {
	return []keyword{
		{name: "decode-event", aliases: []string{"engine-event"}, arg: argNeed, setup: setDecodeEvent, doc: "event of the packet decoder"},
		{name: "stream-event", arg: argNeed, setup: setStreamEvent, doc: "event of TCP reassembly"},
		{name: "app-layer-event", arg: argNeed, setup: setAppEvent, doc: "event of a protocol parser"},
		{name: "app-layer-protocol", arg: argNeed, setup: setAppProto, doc: "protocol of the flow"},
		{name: "app-layer-state", arg: argNeed, setup: setAppState, doc: "progress of the transaction"},
	}
}

type decodeEventCheck struct{ ev packet.Event }

func (k *decodeEventCheck) match(w *Worker) bool {
	p := w.p.P
	return slices.Contains(p.Events[:min(int(p.NEvents), len(p.Events))], k.ev)
}

func setDecodeEvent(b *builder, o *rule.Option) error {
	name := strings.ToLower(strings.TrimSpace(o.Value))
	if o.Name == "engine-event" {
		// The old name knows events of the stream, too, and says where each is from.
		if rest, ok := strings.CutPrefix(name, "stream."); ok {
			o2 := *o
			o2.Value = rest
			return setStreamEvent(b, &o2)
		}
		rest, ok := strings.CutPrefix(name, "decoder.")
		if !ok {
			return refuse(0, "write decode-event, or decoder. before the name", "unknown event %s", quote(name))
		}
		name = rest
	}
	ev, ok := b.c.decodeEvent(name)
	if !ok {
		return refuse(0, "", "unknown decoder event %s", quote(name))
	}
	k := &decodeEventCheck{ev}
	b.s.checks = append(b.s.checks, k)
	b.s.flag |= sigNeedEvent | sigInvalidOK
	b.onlyPD, b.ipOK = false, false
	return nil
}

func (c *compiler) decodeEvent(name string) (packet.Event, bool) {
	if c.opt.DecodeEvent != nil {
		return c.opt.DecodeEvent(name)
	}
	return packet.EventByName(name)
}

type streamEventCheck struct{ ev uint16 }

func (k *streamEventCheck) match(w *Worker) bool { return slices.Contains(w.p.StreamEvents, k.ev) }

func setStreamEvent(b *builder, o *rule.Option) error {
	name := strings.ToLower(strings.TrimSpace(o.Value))
	if head, ok := strings.CutSuffix(name, "_diff_ack"); ok { // as the event log has it
		name = head + "_different_ack"
	}
	i := slices.Index(b.c.opt.StreamEvents, name)
	if i < 0 {
		i = slices.Index(b.c.opt.StreamEvents, "stream."+name)
	}
	if i < 0 {
		return refuse(0, "", "unknown stream event %s", quote(name))
	}
	b.check(&streamEventCheck{uint16(i)}, false)
	return nil
}

func setAppEvent(b *builder, o *rule.Option) error {
	name := strings.ToLower(strings.TrimSpace(o.Value))
	if i := slices.Index(proto.ConnEvents[:], name); i >= 0 {
		b.check(&connEventCheck{proto.EventID(i)}, false)
		b.s.flag |= sigNeedFlow
		return nil
	}
	pname, ev, ok := strings.Cut(name, ".")
	if !ok {
		return refuse(0, "write protocol.event", "%s is not an event", quote(name))
	}
	set, ok := b.c.protoSet(pname)
	if !ok {
		return refuse(0, "", "unknown protocol %s", quote(pname))
	}
	t := txTest{kind: txEvent, custom: &customTest{events: make([]int16, len(b.c.table.Rows())+1)}}
	var have uint64
	for i, p := range b.c.table.Rows() {
		t.custom.events[i+1] = -1
		if set&appBit(proto.ID(i+1)) == 0 {
			continue
		}
		if j := slices.IndexFunc(p.Events, func(e string) bool { return strings.EqualFold(e, ev) }); j >= 0 {
			t.custom.events[i+1] = int16(j)
			have |= appBit(proto.ID(i + 1))
		}
	}
	if have == 0 {
		return &optError{at: len(pname) + 1, what: "unknown event " + quote(ev) + " of protocol " + quote(pname),
			hint: "the rule may be older or newer than this version", outdated: !b.c.strict("app-layer-event")}
	}
	if err := b.needApp(have, "event "+name); err != nil {
		return err
	}
	b.number = append(b.number, t)
	return nil
}

// connEventCheck matches in the packet in which the event came up.
type connEventCheck struct{ ev proto.EventID }

func (k *connEventCheck) match(w *Worker) bool {
	return slices.Contains(w.connEvents, k.ev)
}

// appProtoCheck is app-layer-protocol: one protocol, or several of which one must be it.
type appProtoCheck struct {
	set             uint64 // protocols
	failed, unknown bool   // the words failed and unknown
	not             bool
	mode            appProtoMode
}

type appProtoMode uint8

const (
	appDirection appProtoMode = iota
	appFinal
	appEither
	appToServer
	appToClient
	appOriginal
)

// appProtoModes are the words of the modes.
var appProtoModes = [...]string{"direction", "final", "either", "to_server", "to_client", "original"}

// setAppProto reads [!]name[|name...][,mode][,exact].
func setAppProto(b *builder, o *rule.Option) error {
	if b.s.apps != 0 || b.hasTxBuffer() {
		return refuse(0, "write the protocol once", "the header or a buffer says the protocol already")
	}
	parts := strings.Split(o.Value, ",")
	k := &appProtoCheck{}
	moded, exact := false, false
	at := len(parts[0]) + 1
	for _, word := range parts[1:] {
		switch i := slices.Index(appProtoModes[:], word); {
		case i >= 0 && !moded:
			k.mode, moded = appProtoMode(i), true
		case word == "exact" && !exact:
			exact = true
		default:
			return refuse(at, "write one of "+strings.Join(appProtoModes[:], ", ")+", or exact", "unknown or repeated part %s", quote(word))
		}
		at += len(word) + 1
	}
	list, not := strings.CutPrefix(parts[0], "!")
	k.not = not
	for _, name := range strings.Split(strings.TrimLeft(list, " "), "|") {
		if err := k.add(b, name, exact); err != nil {
			return err
		}
	}
	if err := b.appProtoConflict(k); err != nil {
		return err
	}
	if !k.unknown {
		b.s.flag |= sigNeedFlow
	}
	b.s.checks = append(b.s.checks, k)
	b.onlyDE, b.ipOK = false, false
	return nil
}

// add adds one name to k.
func (k *appProtoCheck) add(b *builder, name string, exact bool) error {
	switch name {
	case "failed":
		k.failed = true
		return nil
	case "unknown":
		if k.not {
			return refuse(0, "", "unknown cannot be negated")
		}
		k.unknown = true
		return nil
	}
	set, ok := b.c.protoSet(name)
	if !ok {
		return refuse(0, "", "unknown protocol %s", quote(name))
	}
	if exact {
		if name == "http" {
			return refuse(0, "write http1 or http2", "no flow is exactly http: it is http1 or http2")
		}
		if only := b.c.appBits(name); only != 0 {
			set = only
		}
	}
	k.set |= set
	return nil
}

// appProtoConflict refuses a second app-layer-protocol that contradicts an earlier one of
// the same mode.
func (b *builder) appProtoConflict(k *appProtoCheck) error {
	for _, x := range b.s.checks {
		old, ok := x.(*appProtoCheck)
		if !ok || old.mode != k.mode {
			continue
		}
		if !old.not || !k.not || old.set&k.set != 0 || old.failed && k.failed {
			return refuse(0, "name several protocols with | between them", "contradicts the app-layer-protocol before it")
		}
	}
	return nil
}

// hasTxBuffer tells whether a buffer or condition of a protocol has been named.
func (b *builder) hasTxBuffer() bool {
	for i := range b.number {
		if b.number[i].kind != txHook {
			return true
		}
	}
	for i := range b.lists {
		if k := b.lists[i].def.kind; k == bufField || k == bufFile {
			return true
		}
	}
	return false
}

func (k *appProtoCheck) match(w *Worker) bool {
	f := w.p.Flow
	if f == nil {
		return false
	}
	id := proto.Unknown
	if c := w.p.App; c != nil {
		switch k.mode {
		case appFinal:
			id = c.App
		case appOriginal:
			id = c.Orig
		case appEither:
			if c.Side[0] == proto.Unknown && c.Side[1] == proto.Unknown && !k.unknown {
				return false
			}
			return (k.is(c.Side[0]) || k.is(c.Side[1])) != k.not
		case appToServer:
			id = c.Side[0]
		case appToClient:
			id = c.Side[1]
		default:
			id = c.Side[w.p.Dir&1]
		}
	}
	if id == proto.Unknown && !k.unknown {
		// Not known yet: neither is nor is not.
		return false
	}
	return k.is(id) != k.not
}

// is tells whether id is a protocol that k names.
func (k *appProtoCheck) is(id proto.ID) bool {
	switch id {
	case proto.Failed:
		return k.failed
	case proto.Unknown:
		return k.unknown
	}
	return k.set&appBit(id) != 0
}

// setAppState: the transaction has come as far as the named state.
func setAppState(b *builder, o *rule.Option) error {
	op := strings.TrimLeft(o.Value, "<>= ")
	past := uint8(0)
	if strings.HasPrefix(o.Value, ">") && !strings.HasPrefix(o.Value, ">=") {
		past = 1
	}
	if _, _, ok := b.hookStates(op, past); !ok {
		return refuse(0, "", "unknown state %s", quote(op))
	}
	if strings.HasPrefix(o.Value, "<") {
		return refuse(0, "", "states before the present one are not supported")
	}
	return nil
}
