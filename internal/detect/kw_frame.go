package detect

import (
	"strings"

	"mirador/internal/proto"
	"mirador/internal/rule"
)

// frame. Suricata 8 rules/frame-keywords.
func frameKeywords() []keyword {
	return []keyword{
		{name: "frame", arg: argNeed, setup: setFrame, doc: "bytes of a frame of the protocol"},
	}
}

// setFrame reads [protocol.]type.
func setFrame(b *builder, o *rule.Option) error {
	name := strings.ToLower(strings.TrimSpace(o.Value))
	var id proto.ID
	typ := name
	if head, rest, ok := strings.Cut(name, "."); ok {
		// "request.line" of sip is a type with a dot, "http1.request" is not.
		if set, known := b.c.protoSet(head); known && set != 0 {
			typ = rest
			if b.s.apps != 0 && b.s.apps&set == 0 {
				return refuse(0, "", "frame of %s in a rule for %s", quote(head), quote(b.r.Proto))
			}
			id = firstApp(set)
			if b.s.apps == 0 {
				b.s.apps = set
			} else {
				b.s.apps &= set
			}
		}
	}
	if typ == name && b.r.Proto == "http" {
		return refuse(0, "write http1 or http2 for http", "frame %s of http: which of its versions is not known", quote(name))
	}
	if b.s.apps == 0 {
		return refuse(0, "write frame:protocol.type", "protocol of the frame is not known")
	}
	if !knownFrame(b.c, b.s.apps, typ) {
		return refuse(0, "", "unknown frame %s", quote(name))
	}
	if b.s.protos != nil && !b.carriesApps() {
		return refuse(0, "", "the protocol of the frame is not over %s", quote(b.r.Proto))
	}
	if b.c.frames == nil {
		b.c.frames = map[string]uint64{}
	}
	b.c.frames[typ] |= b.s.apps
	d := b.c.byLabel["frame:"+name]
	if d == nil {
		d = b.c.register(&bufDef{name: "frame:" + name, label: "frame:" + name, kind: bufFrame, dirs: bothDirs, frameProto: id, frameType: typ})
	}
	b.s.flag |= sigNeedFlow
	return b.sticky(d)
}

// carriesApps tells whether the rule's application protocols go over its IP protocols.
func (b *builder) carriesApps() bool {
	for i, p := range b.c.table.Rows() {
		if b.s.apps&appBit(proto.ID(i+1)) == 0 {
			continue
		}
		if p.Transport&proto.TCP != 0 && b.s.protos.has(6) || p.Transport&proto.UDP != 0 && b.s.protos.has(17) {
			return true
		}
	}
	return false
}

// firstApp returns the id of the first protocol in set.
func firstApp(set uint64) proto.ID {
	for i := proto.ID(1); i <= proto.MaxProtocols; i++ {
		if set&appBit(i) != 0 {
			return i
		}
	}
	return proto.Unknown
}

// knownFrame tells whether a protocol of set has frames of this type. Every protocol
// over TCP has the frame "stream".
func knownFrame(c *compiler, set uint64, typ string) bool {
	for i, p := range c.table.Rows() {
		if set&appBit(proto.ID(i+1)) == 0 {
			continue
		}
		if typ == proto.StreamFrame && p.Transport&proto.TCP != 0 {
			return true
		}
		for _, f := range p.Frames {
			if f == typ {
				return true
			}
		}
	}
	return false
}
