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
	if rest, ok := strings.CutPrefix(name, "stream."); ok {
		o2 := *o
		o2.Value = rest
		return setStreamEvent(b, &o2)
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
		// The protocol alone: any event of it.
		ev = ""
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
		if ev == "" {
			t.custom.events[i+1] = anyEvent
			have |= appBit(proto.ID(i + 1))
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

// anyEvent stands for all events of a protocol.
const anyEvent = 256

// connEventCheck matches in the packet in which the event came up.
type connEventCheck struct{ ev proto.EventID }

func (k *connEventCheck) match(w *Worker) bool {
	return slices.Contains(w.connEvents, k.ev)
}

// appProtoCheck is app-layer-protocol.
type appProtoCheck struct {
	set  uint64 // protocols; 0 for failed and unknown
	kind appProtoKind
	not  bool
	mode appProtoMode
}

type appProtoKind uint8

const (
	appNamed appProtoKind = iota
	appFailed
	appUnknown
)

type appProtoMode uint8

const (
	appDirection appProtoMode = iota
	appFinal
	appEither
	appToServer
	appToClient
	appOriginal
)

func setAppProto(b *builder, o *rule.Option) error {
	value, mode, has := strings.Cut(o.Value, ",")
	k := &appProtoCheck{}
	value = strings.TrimSpace(value)
	if strings.HasPrefix(value, "!") {
		k.not = true
		value = strings.TrimSpace(value[1:])
	}
	if has {
		switch strings.TrimSpace(mode) {
		case "final":
			k.mode = appFinal
		case "original":
			k.mode = appOriginal
		case "either":
			k.mode = appEither
		case "to_server":
			k.mode = appToServer
		case "to_client":
			k.mode = appToClient
		case "direction":
			k.mode = appDirection
		default:
			return refuse(len(value)+1, "", "unknown mode %s", quote(mode))
		}
	}
	switch value {
	case "failed":
		k.kind = appFailed
	case "unknown":
		k.kind = appUnknown
	default:
		set, ok := b.c.protoSet(value)
		if !ok {
			return refuse(0, "", "unknown protocol %s", quote(value))
		}
		k.set = set
	}
	if b.s.apps != 0 {
		return refuse(0, "write the protocol once", "rule has a protocol in its header already")
	}
	if k.kind != appUnknown {
		b.s.flag |= sigNeedFlow
	}
	b.s.checks = append(b.s.checks, k)
	b.onlyDE, b.ipOK = false, false
	return nil
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
			if c.Side[0] == proto.Unknown && c.Side[1] == proto.Unknown && k.kind != appUnknown {
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
	if id == proto.Unknown && k.kind != appUnknown {
		// Not known yet: neither is nor is not.
		return false
	}
	return k.is(id) != k.not
}

// is tells whether id is the protocol that k names.
func (k *appProtoCheck) is(id proto.ID) bool {
	switch k.kind {
	case appFailed:
		return id == proto.Failed
	case appUnknown:
		return id == proto.Unknown
	}
	return k.set&appBit(id) != 0
}

// setAppState: the transaction has come as far as the named state.
func setAppState(b *builder, o *rule.Option) error {
	op := strings.TrimLeft(o.Value, "<>= ")
	for i, p := range b.c.table.Rows() {
		if b.s.apps&appBit(proto.ID(i+1)) == 0 {
			continue
		}
		if dir, state, ok := hookState(p, op); ok {
			if strings.HasPrefix(o.Value, ">") && !strings.HasPrefix(o.Value, ">=") {
				state++
			}
			if strings.HasPrefix(o.Value, "<") {
				return refuse(0, "", "states before the present one are not supported")
			}
			b.s.dirs &= dirBit(dir)
			b.number = append(b.number, txTest{kind: txHook, dir: dir, hookAt: state})
			return nil
		}
	}
	return refuse(0, "", "unknown state %s", quote(op))
}
