package tls_test

import (
	"strconv"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/tls"
)

func u16(v int) string { return string([]byte{byte(v >> 8), byte(v)}) }
func u24(v int) string { return string([]byte{byte(v >> 16), byte(v >> 8), byte(v)}) }

// rec is a record of TLS 1.2.
func rec(typ byte, body string) string { return recV(typ, 0x0303, body) }

func recV(typ byte, version int, body string) string {
	return string([]byte{typ}) + u16(version) + u16(len(body)) + body
}

func msg(typ byte, body string) string { return string([]byte{typ}) + u24(len(body)) + body }

func ext(typ int, body string) string { return u16(typ) + u16(len(body)) + body }

func sni(name string) string { return ext(0, u16(3+len(name))+"\x00"+u16(len(name))+name) }

// clientHello has session id sid and extensions exts.
func clientHello(sid, exts string) string { return helloV(0x0303, sid, exts) }

func helloV(version int, sid, exts string) string {
	return msg(1, u16(version)+strings.Repeat("c", 32)+string([]byte{byte(len(sid))})+sid+
		"\x00\x04\xc0\x2f\x00\x35\x01\x00"+u16(len(exts))+exts)
}

func serverHello(sid, exts string) string {
	return msg(2, "\x03\x03"+strings.Repeat("s", 32)+string([]byte{byte(len(sid))})+sid+"\xc0\x2f\x00"+u16(len(exts))+exts)
}

func chain(certs ...string) string {
	list := ""
	for _, c := range certs {
		list += u24(len(c)) + c
	}
	return msg(11, u24(len(list))+list)
}

const (
	ccs     = "\x14\x03\x03\x00\x01\x01"
	data    = "\x17\x03\x03\x00\x04abcd"
	ticket  = "\x00\x23\x00\x00"
	offer13 = "\x00\x2b\x00\x05\x04\x03\x04\x03\x03"
	pick13  = "\x00\x2b\x00\x02\x03\x04"
)

// DER.

func tlv(tag byte, parts ...string) string {
	b := strings.Join(parts, "")
	n := len(b)
	switch {
	case n < 128:
		return string([]byte{tag, byte(n)}) + b
	case n < 256:
		return string([]byte{tag, 0x81, byte(n)}) + b
	}
	return string([]byte{tag, 0x82}) + u16(n) + b
}

func oid(s string) string {
	var b []byte
	for i, p := range strings.Split(s, ".") {
		v, _ := strconv.Atoi(p)
		switch i {
		case 0:
			b = append(b, byte(v*40))
			continue
		case 1:
			b[0] += byte(v)
			continue
		}
		var d []byte
		for d = append(d, byte(v&0x7f)); v > 0x7f; {
			v >>= 7
			d = append(d, byte(v&0x7f|0x80))
		}
		for j := len(d) - 1; j >= 0; j-- {
			b = append(b, d[j])
		}
	}
	return tlv(6, string(b))
}

func atv(id string, tag byte, value string) string { return tlv(0x30, oid(id), tlv(tag, value)) }

// name makes a Name of one-valued parts.
func name(atvs ...string) string {
	out := ""
	for _, a := range atvs {
		out += tlv(0x31, a)
	}
	return tlv(0x30, out)
}

func cn(tag byte, value string) string { return name(atv("2.5.4.3", tag, value)) }

// certificate is a certificate with replaceable parts; "" means the usual one,
// "-" none.
type certificate struct {
	version, serial, alg, issuer, validity, subject, key, exts, outerAlg, sig string
}

func (c certificate) der() string {
	pick := func(v, usual string) string {
		switch v {
		case "":
			return usual
		case "-":
			return ""
		}
		return v
	}
	alg := tlv(0x30, oid("1.2.840.113549.1.1.11"), "\x05\x00")
	return tlv(0x30,
		tlv(0x30,
			pick(c.version, tlv(0xa0, tlv(2, "\x02"))), pick(c.serial, tlv(2, "\x01\x02\x03")), pick(c.alg, alg),
			pick(c.issuer, cn(0x0c, "issuer")), pick(c.validity, tlv(0x30, tlv(0x17, "200101000000Z"), tlv(0x17, "300101000000Z"))),
			pick(c.subject, cn(0x0c, "subject")), pick(c.key, tlv(0x30, alg, tlv(3, "\x00key"))), pick(c.exts, "")),
		pick(c.outerAlg, alg), pick(c.sig, tlv(3, "\x00sig")))
}

func extensions(e ...string) string { return tlv(0xa3, tlv(0x30, e...)) }

func extension(id, value string) string { return tlv(0x30, oid(id), tlv(4, value)) }

func altNames(names ...string) string { return extension("2.5.29.17", tlv(0x30, names...)) }

// piece is what one side sends.
type piece struct {
	dir  proto.Dir
	data string
}

const (
	up   = proto.ToServer
	down = proto.ToClient
)

func newRunner(tb testing.TB, s prototest.Settings) *prototest.Runner {
	return prototest.NewRunner(prototest.Table(tb, s, tls.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 443})
}

// run feeds pieces and returns the only record.
func run(tb testing.TB, s prototest.Settings, ps ...piece) prototest.Record {
	tb.Helper()
	r := newRunner(tb, s)
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, 0)
	}
	r.Finish()
	if len(r.Records) != 1 {
		tb.Fatalf("%d records, want 1", len(r.Records))
	}
	return r.Records[0]
}
