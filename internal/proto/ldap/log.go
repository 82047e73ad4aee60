package ldap

import (
	"encoding/hex"
	"strconv"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// log writes the EVE object ldap.
func log(c *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	if t.HasRequest {
		w.Object("request")
		w.Uint("message_id", uint64(t.Request.ID))
		w.Str("operation", opName(t.Request.Op))
		if !t.Request.log(w) {
			c.LimitOf(tx, limitLogged)
		}
		w.Close()
	}
	if len(t.Responses) > 0 {
		w.Array("responses")
		for i := range t.Responses {
			m := &t.Responses[i]
			w.Open()
			w.Str("operation", opName(m.Op))
			if !t.HasRequest {
				w.Uint("message_id", uint64(m.ID))
			}
			if !m.log(w) {
				c.LimitOf(tx, limitLogged)
			}
			w.Close()
		}
		w.CloseArray()
	}
	return true
}

// budget counts the values written of one message.
type budget int

func (n *budget) more() bool { *n++; return *n <= MaxLogged }

// log writes the operation of m and its controls, and tells whether all of its values
// were written.
func (m *Message) log(w *jsonw.Writer) bool {
	if m.body == nil {
		return true
	}
	n := new(budget)
	if m.Op != opUnbind && m.Op != opAbandon && m.Op != opReference {
		w.Object(opName(m.Op))
		m.content(&reader{b: m.body}, n, w)
		w.Close()
	}
	if len(m.controls) == 0 {
		return *n <= MaxLogged
	}
	w.Array("controls")
	for r := (&reader{b: m.controls}); r.more() && n.more(); {
		c := r.sub(tagSequence)
		w.Open()
		w.Text("control_type", c.octets())
		w.Bool("criticality", c.is(tagBoolean) && c.boolean())
		if v := c.option(tagOctets); v != nil {
			w.Hex("control_value", v)
		}
		w.Close()
	}
	w.CloseArray()
	return *n <= MaxLogged
}

func (m *Message) content(r *reader, n *budget, w *jsonw.Writer) {
	switch m.Op {
	case opBind:
		w.Uint("version", uint64(r.number(tagInteger)))
		w.Text("name", r.octets())
		if r.is(0xa3) {
			s := r.sub(0xa3)
			w.Object("sasl")
			w.Text("mechanism", s.octets())
			if c := s.option(tagOctets); c != nil {
				w.Str("credentials", hex.EncodeToString(c))
			}
			w.Close()
		}
	case opSearch:
		search(r, n, w)
	case opModify:
		w.Text("object", r.octets())
		changes(r.sub(tagSequence), n, w)
	case opAdd:
		w.Text("entry", r.octets())
		attributes("name", r.sub(tagSequence), n, w)
	case opEntry:
		w.Text("base_object", r.octets())
		attributes("type", r.sub(tagSequence), n, w)
	case opDel:
		w.Text("dn", m.body)
	case opModDN:
		w.Text("entry", r.octets())
		w.Text("new_rdn", r.octets())
		w.Bool("delete_old_rdn", r.boolean())
		optional("new_superior", r.option(0x80), w)
	case opCompare:
		w.Text("entry", r.octets())
		a := r.sub(tagSequence)
		w.Object("attribute_value_assertion")
		w.Text("description", a.octets())
		w.Text("value", a.octets())
		w.Close()
	case opExtended, opIntermediate:
		optional("name", r.option(0x80), w)
		optional("value", r.option(0x81), w)
	default:
		m.result(r, w)
	}
}

func optional(key string, v []byte, w *jsonw.Writer) {
	if v != nil {
		w.Text(key, v)
	}
}

// result writes an LDAPResult and what follows it in some responses.
func (m *Message) result(r *reader, w *jsonw.Writer) {
	w.Str("result_code", codeName(r.number(tagEnum)))
	w.Text("matched_dn", r.octets())
	w.Text("message", r.octets())
	r.option(0xa3) // referral
	switch m.Op {
	case opBindResp:
		if c := r.option(0x87); c != nil {
			w.Hex("server_sasl_creds", c)
		}
	case opExtendedResp:
		optional("name", r.option(0x8a), w)
		optional("value", r.option(0x8b), w)
	}
}

func search(r *reader, n *budget, w *jsonw.Writer) {
	w.Text("base_object", r.octets())
	w.Uint("scope", uint64(r.number(tagEnum)))
	w.Uint("deref_alias", uint64(r.number(tagEnum)))
	w.Uint("size_limit", uint64(r.number(tagInteger)))
	w.Uint("time_limit", uint64(r.number(tagInteger)))
	w.Bool("types_only", r.boolean())
	if tag, body := r.next(); tag == 0x87 {
		w.Object("filter")
		w.Str("type", "present")
		w.Text("value", body)
		w.Close()
	}
	if list := r.sub(tagSequence); list.more() {
		w.Array("attributes")
		for list.more() && n.more() {
			w.TextValue(list.octets())
		}
		w.CloseArray()
	}
}

// texts writes the values of a set as an array, nothing when it is empty.
func texts(key string, set *reader, n *budget, w *jsonw.Writer) {
	if !set.more() {
		return
	}
	w.Array(key)
	for set.more() && n.more() {
		w.TextValue(set.octets())
	}
	w.CloseArray()
}

// attributes writes a list of attributes with their values.
func attributes(key string, list *reader, n *budget, w *jsonw.Writer) {
	if !list.more() {
		return
	}
	w.Array("attributes")
	for list.more() && n.more() {
		a := list.sub(tagSequence)
		w.Open()
		w.Text(key, a.octets())
		texts("values", a.sub(tagSet), n, w)
		w.Close()
	}
	w.CloseArray()
}

// changes writes the changes of a modify request.
func changes(list *reader, n *budget, w *jsonw.Writer) {
	w.Array("changes")
	for list.more() && n.more() {
		c := list.sub(tagSequence)
		w.Open()
		switch op := c.number(tagEnum); op {
		case 0:
			w.Str("operation", "add")
		case 1:
			w.Str("operation", "delete")
		case 2:
			w.Str("operation", "replace")
		default:
			w.Str("operation", strconv.FormatUint(uint64(op), 10))
		}
		a := c.sub(tagSequence)
		w.Object("modification")
		w.Text("attribute_type", a.octets())
		texts("attribute_values", a.sub(tagSet), n, w)
		w.Close()
		w.Close()
	}
	w.CloseArray()
}
