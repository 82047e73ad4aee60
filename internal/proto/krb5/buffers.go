package krb5

import (
	"fmt"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

// fields are the keywords of Kerberos. Names and ticket encryption are looked at
// in what the server sends.
func fields() []proto.Field {
	return []proto.Field{
		{
			Name: "krb5_msg_type", Kind: proto.Custom, ToServer: true, ToClient: true, Compile: compileType,
			Doc: "message type, a number",
		},
		{
			Name: "krb5_err_code", Kind: proto.Custom, ToServer: true, ToClient: true, Compile: compileError,
			Doc: "error code of a KRB-ERROR, a number",
		},
		{
			Name: "krb5.cname", Aliases: []string{"krb5_cname"}, ToClient: true, Multi: true,
			Get: names(func(t *Tx) [][]byte { return t.CName }),
			Doc: "parts of the client's name",
		},
		{
			Name: "krb5.sname", Aliases: []string{"krb5_sname"}, ToClient: true, Multi: true,
			Get: names(func(t *Tx) [][]byte { return t.SName }),
			Doc: "parts of the service's name",
		},
		{
			Name: "krb5.ticket_encryption", Kind: proto.Custom, ToClient: true, Compile: compileTicket,
			Doc: "encryption of the ticket in a reply: weak, !weak, or a list of names and numbers",
		},
	}
}

// of returns tx as a message, nil when it is none or goes the other way.
func of(tx proto.Tx, dir proto.Dir) *Tx {
	t, ok := tx.(*Tx)
	if !ok || t.Dir != dir {
		return nil
	}
	return t
}

func names(list func(*Tx) [][]byte) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		t := of(tx, dir)
		if t == nil {
			return nil, false
		}
		l := list(t)
		if i >= len(l) {
			return nil, false
		}
		return l[i], true
	}
}

func compileType(arg string) (proto.TxMatcher, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(arg), 10, 8)
	if err != nil {
		return nil, fmt.Errorf("%q is not a message type", arg)
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t := of(tx, dir)
		return t != nil && t.Type == int32(n)
	}, nil
}

func compileError(arg string) (proto.TxMatcher, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(arg), 10, 31)
	if err != nil {
		return nil, fmt.Errorf("%q is not an error code", arg)
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t := of(tx, dir)
		return t != nil && t.Type == Error && t.Code == int32(n)
	}, nil
}

func compileTicket(arg string) (proto.TxMatcher, error) {
	arg = strings.TrimSpace(arg)
	if arg == "weak" || arg == "!weak" {
		want := arg == "weak"
		return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
			t := of(tx, dir)
			return t != nil && t.HasTicket && Weak(t.Ticket) == want
		}, nil
	}
	var list []int32
	for _, s := range strings.Split(arg, ",") {
		n, ok := etypeNumber(strings.TrimSpace(s))
		if !ok {
			return nil, fmt.Errorf("%q is not an encryption type", s)
		}
		list = append(list, n)
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t := of(tx, dir)
		if t == nil || !t.HasTicket {
			return false
		}
		for _, n := range list {
			if t.Ticket == n {
				return true
			}
		}
		return false
	}, nil
}

func etypeNumber(s string) (int32, bool) {
	for _, t := range etypes() {
		if strings.EqualFold(t.name, s) {
			return t.n, true
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil
}
