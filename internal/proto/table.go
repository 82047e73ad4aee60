package proto

import (
	"fmt"
	"slices"
)

// MaxProtocols bounds a Table: probing keeps the candidates of a flow in one
// 64-bit word.
const MaxProtocols = 64

// NewTable configures rows. settings gives the view of app-layer.protocols.NAME
// for a protocol name. It fails when two rows share a name, when there are more
// than MaxProtocols, or when a row refuses its settings.
func NewTable(rows []*Protocol, settings func(name string) Settings) (*Table, error) {
	if len(rows) > MaxProtocols {
		return nil, fmt.Errorf("protocol table: %d rows, at most %d are possible", len(rows), MaxProtocols)
	}
	t := &Table{byName: make(map[string]ID, len(rows))}
	for _, p := range rows {
		if _, dup := t.byName[p.Name]; dup {
			return nil, fmt.Errorf("protocol table: two rows named %q", p.Name)
		}
		s := settings(p.Name)
		parse, detect := !p.Disabled, !p.Disabled
		switch v, _ := s.String("enabled"); v {
		case "detection-only":
			parse, detect = false, true
		default:
			if on, ok := s.Bool("enabled"); ok {
				parse, detect = on, on
			}
		}
		var f Factory
		if p.Configure != nil {
			var err error
			if f, err = p.Configure(s); err != nil {
				return nil, fmt.Errorf("app-layer.protocols.%s: %w", p.Name, err)
			}
		}
		depth := int64(-1)
		if p.StreamDepth != nil {
			if n, ok := p.StreamDepth(s); ok && n >= 0 {
				depth = n
			}
		}
		t.depths = append(t.depths, depth)
		t.rows = append(t.rows, p)
		t.factories = append(t.factories, f)
		t.parse = append(t.parse, parse && f != nil)
		t.byName[p.Name] = ID(len(t.rows))
		if detect && p.Probe != nil {
			i := len(t.rows) - 1
			if p.Transport&TCP != 0 {
				t.probeTCP |= 1 << i
			}
			if p.Transport&UDP != 0 {
				t.probeUDP |= 1 << i
			}
		}
	}
	return t, nil
}

// Parsed tells whether protocol id is enabled and has a parser.
func (t *Table) Parsed(id ID) bool {
	return t.Protocol(id) != nil && t.parse[id-1]
}

// StreamDepth returns the reassembly depth for TCP flows of protocol id; ok is
// false when it has none of its own.
func (t *Table) StreamDepth(id ID) (depth int64, ok bool) {
	if t.Protocol(id) == nil || t.depths[id-1] < 0 {
		return 0, false
	}
	return t.depths[id-1], true
}

// candidates returns the set of rows to probe for a flow.
func (t *Table) candidates(h Hint) uint64 {
	all := t.probeTCP
	if h.UDP {
		all = t.probeUDP
	}
	return all
}

func portHinted(ports []uint16, h Hint) bool {
	return slices.Contains(ports, h.DstPort) || slices.Contains(ports, h.SrcPort)
}
