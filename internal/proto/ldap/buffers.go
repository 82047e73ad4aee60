package ldap

import (
	"fmt"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

// fields are the keywords of LDAP.
func fields() []proto.Field {
	return []proto.Field{
		{
			Name: "ldap.request.operation", Kind: proto.Number, Bits: 8, ToServer: true, Names: opNumbers(),
			Uint: func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
				t, ok := tx.(*Tx)
				if !ok || !t.HasRequest || i > 0 {
					return 0, false
				}
				return uint64(t.Request.Op), true
			},
			Doc: "operation of the request, by name or number",
		},
		{
			Name: "ldap.responses.operation", Kind: proto.Number, Bits: 8, ToClient: true, Multi: true, Indexed: true, Names: opNumbers(),
			Uint: func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
				t, ok := tx.(*Tx)
				if !ok || i >= len(t.Responses) {
					return 0, false
				}
				return uint64(t.Responses[i].Op), true
			},
			Doc: "operation of each response, by name or number",
		},
		{
			Name: "ldap.responses.count", Kind: proto.Number, Bits: 32, ToClient: true,
			Uint: func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
				t, ok := tx.(*Tx)
				if !ok || i > 0 {
					return 0, false
				}
				return uint64(len(t.Responses)), true
			},
			Doc: "number of responses",
		},
		{
			Name: "ldap.responses.result_code", Kind: proto.Custom, ToClient: true, Compile: compileCode,
			Doc: "result code of a response, by name or number, with an index: any, all, or which response",
		},
		{
			Name: "ldap.request.dn", ToServer: true, Get: requestDN,
			Doc: "distinguished name that a request is about",
		},
		{
			Name: "ldap.responses.dn", ToClient: true, Multi: true,
			Get: response(func(m *Message) []byte { return m.DN }),
			Doc: "distinguished name of each response",
		},
		{
			Name: "ldap.responses.message", ToClient: true, Multi: true,
			Get: response(func(m *Message) []byte { return m.Text }),
			Doc: "diagnostic message of each response",
		},
		{
			Name: "ldap.request.attribute_type", ToServer: true, Multi: true,
			Get: func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
				t, ok := tx.(*Tx)
				if !ok || i >= len(t.Request.Attrs) {
					return nil, false
				}
				return t.Request.Attrs[i], true
			},
			Doc: "type of each attribute in a search, modify, add or compare request",
		},
		{
			Name: "ldap.responses.attribute_type", ToClient: true, Multi: true, Get: attribute,
			Doc: "type of each attribute of the entries found",
		},
	}
}

func requestDN(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
	t, ok := tx.(*Tx)
	if !ok || i > 0 || !t.HasRequest {
		return nil, false
	}
	switch t.Request.Op {
	case opUnbind, opAbandon, opExtended:
		return nil, false
	}
	return t.Request.DN, true
}

func response(part func(*Message) []byte) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || i >= len(t.Responses) {
			return nil, false
		}
		return part(&t.Responses[i]), true
	}
}

// attribute returns the i-th attribute type of all responses together. The place
// of the last call is kept, since they are asked for in order.
func attribute(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
	t, ok := tx.(*Tx)
	if !ok {
		return nil, false
	}
	if i < t.seen.base {
		t.seen.msg, t.seen.base = 0, 0
	}
	for ; t.seen.msg < len(t.Responses); t.seen.msg++ {
		attrs := t.Responses[t.seen.msg].Attrs
		if i-t.seen.base < len(attrs) {
			return attrs[i-t.seen.base], true
		}
		t.seen.base += len(attrs)
	}
	return nil, false
}

// place is a position in the attributes of all responses: a response and how many
// attributes those before it have.
type place struct{ msg, base int }

func opNumbers() map[string]uint64 {
	m := map[string]uint64{}
	for op := range uint8(32) {
		if isRequest(op) || isResponse(op) {
			m[opName(op)] = uint64(op)
		}
	}
	return m
}

// codeTest is a compiled ldap.responses.result_code.
type codeTest struct {
	op   byte // '=', '!', '<', '>', 'l' (<=), 'g' (>=), '-' (between, ends excluded)
	a, z uint64
	all  bool
	one  bool
	at   int
}

func compileCode(arg string) (proto.TxMatcher, error) {
	var t codeTest
	value, index, has := strings.Cut(arg, ",")
	if has {
		switch index = strings.TrimSpace(index); index {
		case "any":
		case "all":
			t.all = true
		default:
			n, err := strconv.Atoi(index)
			if err != nil {
				return nil, fmt.Errorf("%q is no index: any, all or a number", index)
			}
			t.one, t.at = true, n
		}
	}
	if err := t.value(strings.TrimSpace(value)); err != nil {
		return nil, err
	}
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) bool {
		x, ok := tx.(*Tx)
		return ok && t.match(x)
	}, nil
}

func (t *codeTest) value(s string) (err error) {
	t.op = '='
	for _, p := range [...]struct {
		prefix string
		op     byte
	}{{"<=", 'l'}, {">=", 'g'}, {"<", '<'}, {">", '>'}, {"!", '!'}, {"=", '='}} {
		if rest, ok := strings.CutPrefix(s, p.prefix); ok {
			s, t.op = strings.TrimSpace(rest), p.op
			break
		}
	}
	for _, sep := range [...]string{"<>", "-"} {
		if a, z, ok := strings.Cut(s, sep); ok && t.op == '=' {
			t.op = '-'
			if t.a, err = number(a); err == nil {
				t.z, err = number(z)
			}
			return err
		}
	}
	t.a, err = number(s)
	return err
}

// number reads a result code.
func number(s string) (uint64, error) {
	s = strings.TrimSpace(s)
	for _, c := range codes() {
		if strings.EqualFold(c.name, s) {
			return uint64(c.code), nil
		}
	}
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a result code", s)
	}
	return n, nil
}

func (t *codeTest) ok(m *Message) bool {
	v := uint64(m.Code)
	switch t.op {
	case '!':
		return v != t.a
	case '<':
		return v < t.a
	case '>':
		return v > t.a
	case 'l':
		return v <= t.a
	case 'g':
		return v >= t.a
	case '-':
		return v > t.a && v < t.z
	}
	return v == t.a
}

// match tries the responses that have a result; an index counts all.
func (t *codeTest) match(x *Tx) bool {
	if t.one {
		i := t.at
		if i < 0 {
			i += len(x.Responses)
		}
		return i >= 0 && i < len(x.Responses) && x.Responses[i].HasResult && t.ok(&x.Responses[i])
	}
	for i := range x.Responses {
		if m := &x.Responses[i]; m.HasResult && t.ok(m) != t.all {
			return !t.all
		}
	}
	return t.all
}
