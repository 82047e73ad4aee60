package dns

import "mirador/internal/proto"

// fields are the keywords of DNS.
func fields() []proto.Field {
	fs := []proto.Field{
		{
			Name: "dns.query", Aliases: []string{"dns_query"}, ToServer: true, Multi: true, Get: question,
			Doc: "name of each question of a request",
		},
		{
			Name: "dns.opcode", Kind: proto.Number, Bits: 8, ToServer: true, ToClient: true, Uint: opcode,
			Doc: "opcode of the header",
		},
		{
			Name: "dns.rcode", Kind: proto.Number, Bits: 16, ToServer: true, ToClient: true, Uint: rcode,
			Names: rcodeNumbers(),
			Doc:   "response code of the header",
		},
		{
			Name: "dns.rrtype", Kind: proto.Number, Bits: 16, ToServer: true, ToClient: true, Multi: true, Uint: rrtype,
			Names: rrtypeNumbers(),
			Doc:   "record type of each question of a request, of each answer of a response",
		},
	}
	fs = append(fs, nameFields("dns", true)...)
	for i := range fs {
		switch fs[i].Name {
		case "dns.queries.rrname":
			fs[i].Aliases = []string{"dns.query.name"}
		case "dns.answers.rrname":
			fs[i].Aliases = []string{"dns.answer.name"}
		}
	}
	return fs
}

// localFields are the keywords of mDNS and LLMNR.
func localFields(proto string) []proto.Field { return nameFields(proto, false) }

// nameFields are the buffers of the names in each section. Only unicast DNS has
// a fixed direction for responses.
func nameFields(p string, unicast bool) []proto.Field {
	return []proto.Field{
		{
			Name: p + ".queries.rrname", ToServer: true, ToClient: true, Multi: true, Get: question,
			Doc: "name of each question, in requests and responses",
		},
		{
			Name: p + ".answers.rrname", ToServer: true, ToClient: true, Multi: true,
			Get: section(func(t *Tx) []Record { return t.Answers }),
			Doc: "name of each answer",
		},
		{
			Name: p + ".authorities.rrname", ToServer: true, ToClient: true, Multi: true,
			Get: section(func(t *Tx) []Record { return t.Authorities }),
			Doc: "name of each authority record",
		},
		{
			Name: p + ".additionals.rrname", ToServer: true, ToClient: true, Multi: true,
			Get: section(func(t *Tx) []Record { return t.Additionals }),
			Doc: "name of each additional record",
		},
		{
			Name: p + ".response.rrname", ToServer: !unicast, ToClient: unicast, Multi: true, Get: responseName,
			Doc: "every name of a response: of its questions and records, and the names in the data of CNAME, PTR, MX, NS and SOA records",
		},
	}
}

// of returns tx as a message, nil when it is none or when it goes the other way.
func of(tx proto.Tx, dir proto.Dir) *Tx {
	t, ok := tx.(*Tx)
	if !ok || t.Dir != dir {
		return nil
	}
	return t
}

func question(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
	t := of(tx, dir)
	if t == nil || i >= len(t.Questions) {
		return nil, false
	}
	return t.Questions[i].Name.B, true
}

func section(of1 func(*Tx) []Record) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		t := of(tx, dir)
		if t == nil {
			return nil, false
		}
		rs := of1(t)
		if i >= len(rs) {
			return nil, false
		}
		return rs[i].Name.B, true
	}
}

func responseName(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
	t := of(tx, dir)
	if t == nil || !t.Response() {
		return nil, false
	}
	all := t.responseNames()
	if i >= len(all) {
		return nil, false
	}
	return all[i], true
}

// responseNames lists every name of the message; made when first asked for.
func (t *Tx) responseNames() [][]byte {
	if t.all != nil {
		return t.all
	}
	t.all = make([][]byte, 0, len(t.Questions)+2*(len(t.Answers)+len(t.Authorities)+len(t.Additionals)))
	for i := range t.Questions {
		t.all = append(t.all, t.Questions[i].Name.B)
	}
	for _, s := range [3][]Record{t.Answers, t.Authorities, t.Additionals} {
		for i := range s {
			t.all = append(t.all, s[i].Name.B)
			switch s[i].Type {
			case typeCNAME, typePTR, typeMX, typeNS, typeSOA:
				t.all = append(t.all, s[i].Target.B)
			}
		}
	}
	return t.all
}

func opcode(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
	t := of(tx, dir)
	if t == nil || i > 0 {
		return 0, false
	}
	return uint64(t.Opcode()), true
}

func rcode(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
	t := of(tx, dir)
	if t == nil || i > 0 {
		return 0, false
	}
	return uint64(t.Rcode()), true
}

func rrtype(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
	t := of(tx, dir)
	switch {
	case t == nil:
	case !t.Response() && i < len(t.Questions):
		return uint64(t.Questions[i].Type), true
	case t.Response() && i < len(t.Answers):
		return uint64(t.Answers[i].Type), true
	}
	return 0, false
}

func rcodeNumbers() map[string]uint64 {
	m := map[string]uint64{}
	for i, s := range rcodes() {
		m[lower(s)] = uint64(i)
	}
	return m
}

func rrtypeNumbers() map[string]uint64 {
	m := map[string]uint64{}
	for _, t := range append(rrTypes(), moreTypes()...) {
		m[lower(t.name)] = uint64(t.num)
	}
	return m
}
