package enip

import (
	"strconv"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// tables are the names records use.
type tables struct {
	commands, statuses, services, cipStatuses, classes, deviceTypes, vendors names
}

func newTables() *tables {
	return &tables{commands(), statuses(), services(), cipStatuses(), classes(), deviceTypes(), vendors()}
}

// log writes the EVE object enip.
func (n *tables) log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	if t.Request != nil {
		w.Object("request")
		n.message(t.Request, w)
		w.Close()
	}
	if t.Response != nil {
		w.Object("response")
		n.message(t.Response, w)
		w.Close()
	}
	return true
}

func (n *tables) message(m *Message, w *jsonw.Writer) {
	w.Str("command", n.commands.of(uint32(m.Command)))
	w.Str("status", n.statuses.of(m.Status))
	if m.Options != 0 {
		w.Uint("options", uint64(m.Options))
	}
	if m.HasRegister {
		w.Object("register_session")
		w.Uint("protocol_version", uint64(m.Version))
		w.Uint("options", uint64(m.RegisterOptions))
		w.Close()
	}
	if x := m.Services; x != nil {
		w.Object("list_services")
		w.Uint("protocol_version", uint64(x.Version))
		w.Uint("capabilities", uint64(x.Capabilities))
		w.Text("service_name", x.Name)
		w.Close()
	}
	if x := m.Identity; x != nil {
		w.Object("identity")
		w.Uint("protocol_version", uint64(x.Version))
		w.Str("revision", strconv.Itoa(int(x.Major))+"."+strconv.Itoa(int(x.Minor)))
		w.Str("vendor_id", n.vendors.of(uint32(x.Vendor)))
		w.Str("device_type", n.deviceTypes.of(uint32(x.Type)))
		w.Uint("product_code", uint64(x.Product))
		w.Uint("status", uint64(x.Status))
		w.Uint("serial", uint64(x.Serial))
		w.Text("product_name", x.Name)
		w.Uint("state", uint64(x.State))
		w.Close()
	}
	if m.CIP != nil {
		w.Object("cip")
		n.cip(m.CIP, w)
		w.Close()
	}
}

func (n *tables) cip(c *CIP, w *jsonw.Writer) {
	w.Str("service", n.services.of(uint32(c.Service)))
	if c.Response {
		w.Str("status", n.cipStatuses.of(uint32(c.Status)))
		if len(c.Extended) > 0 {
			w.Hex("status_extended", c.Extended)
		}
	} else if len(c.Path) > 0 {
		w.Array("path")
		for _, s := range c.Path {
			w.Open()
			w.Str("segment_type", [...]string{segClass: "class", segInstance: "instance", segAttribute: "attribute"}[s.Kind])
			w.Uint("value", uint64(s.Value))
			w.Close()
		}
		w.CloseArray()
		for _, s := range c.Path {
			if s.Kind == segClass {
				w.Str("class_name", n.classes.of(s.Value))
				break
			}
		}
	}
	if len(c.Multiple) > 0 {
		w.Array("multiple")
		for _, x := range c.Multiple {
			w.Open()
			n.cip(x, w)
			w.Close()
		}
		w.CloseArray()
	}
}
