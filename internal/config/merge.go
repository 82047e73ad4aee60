package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// merge puts the keys below from over those below into. A sequence replaces the
// old one whole.
func (f *Flat) merge(into, from *Node) {
	for _, k := range from.Kids {
		old := into.Child(k.Name)
		switch {
		case old == nil:
			into.Kids = append(into.Kids, k.clone())
		case len(k.Kids) > 0 && !k.Seq && !old.Seq && len(old.Kids) > 0:
			f.merge(old, k)
		default:
			*old = *k.clone()
		}
	}
}

func (n *Node) clone() *Node {
	c := *n
	c.Kids = make([]*Node, len(n.Kids))
	for i, k := range n.Kids {
		c.Kids[i] = k.clone()
	}
	return &c
}

// put sets the value at path, making what is missing.
func (f *Flat) put(path, value string) *Node {
	n := &f.root
	for _, part := range strings.Split(path, ".") {
		kid := n.Child(part)
		if kid == nil {
			kid = &Node{Name: part}
			n.Kids = append(n.Kids, kid)
		}
		n = kid
	}
	n.Value, n.null = value, false
	return n
}

// putOutputs replaces the outputs by the one that m.EVE describes. The event
// types and their options are those of the Suricata settings, but for what m
// sets.
func (f *Flat) putOutputs(m *File) {
	e := &m.EVE
	types := f.eveTypes()
	if types == nil {
		types = Stock().eveTypes()
	}
	types = types.clone()
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	log := &Node{Name: "eve-log"}
	one := &Flat{root: Node{Kids: []*Node{{Name: "o", Kids: []*Node{log}}}}}
	for _, kv := range [...][2]string{
		{"enabled", yes(e.Path != "")}, {"filename", e.Path}, {"filetype", "regular"}, {"mirror", yes(e.Mirror)},
		{"community-id", yes(e.CommunityID)}, {"community-id-seed", strconv.Itoa(e.CommunitySeed)}, {"ethernet", yes(e.Ethernet)},
	} {
		one.put("o.eve-log."+kv[0], kv[1])
	}
	for _, o := range [...]struct{ own, typ, key, value string }{
		{"eve.payload", "alert", "payload", yes(e.Payload)},
		{"eve.payload", "alert", "payload-printable", yes(e.Payload)},
		{"eve.packet", "alert", "packet", yes(e.Packet)},
		{"eve.dns-version", "dns", "version", strconv.Itoa(e.DNSVersion)},
		{"eve.stats", "stats", "enabled", yes(e.Stats)},
		{"eve.netflow", "netflow", "enabled", yes(e.Netflow)},
	} {
		if m.IsSet(o.own) {
			typeSet(types, o.typ, o.key, o.value)
		}
	}
	types.Name = "types"
	log.Kids = append(log.Kids, types)

	item := &Node{Name: "0", Value: "eve-log", Kids: []*Node{log}}
	outs := f.Node("outputs")
	if outs == nil {
		outs = f.put("outputs", "")
	}
	keep := []*Node{item}
	for _, n := range f.outputs("file-store") {
		keep = append(keep, &Node{Name: "1", Value: "file-store", Kids: []*Node{n}})
		break
	}
	outs.Kids, outs.Seq, outs.Value = keep, true, ""
	if m.IsSet("eve.stats-interval") {
		f.put("stats.interval", strconv.FormatInt(int64(time.Duration(e.StatsInterval)/time.Second), 10))
	}
}

// eveTypes returns the types list of the first enabled eve-log output.
func (f *Flat) eveTypes() *Node {
	for _, n := range f.outputs("eve-log") {
		if t := n.Child("types"); t != nil {
			return t
		}
	}
	return nil
}

// typeSet sets an option of a type in a types list, adding the type when it is
// not there.
func typeSet(types *Node, typ, key, value string) {
	var item *Node
	for _, k := range types.Kids {
		if k.Value == typ {
			item = k
			break
		}
	}
	if item == nil {
		item = &Node{Name: strconv.Itoa(len(types.Kids)), Value: typ}
		types.Kids = append(types.Kids, item)
	}
	opts := item.Child(typ)
	if opts == nil {
		opts = &Node{Name: typ}
		item.Kids = append(item.Kids, opts)
	}
	opts.null = false
	if k := opts.Child(key); k != nil {
		*k = Node{Name: key, Value: value}
		return
	}
	opts.Kids = append(opts.Kids, &Node{Name: key, Value: value})
}

func sortedKeys(m map[string]string) []string {
	return slices.Sorted(maps.Keys(m))
}
