package detect

import (
	"strconv"

	"mirador/internal/rule"
)

// asn1. Suricata 8 rules/payload-keywords.
func asn1Keywords() []keyword {
	return []keyword{
		{name: "asn1", arg: argNeed, setup: setASN1, doc: "odd lengths in ASN.1 data"},
	}
}

// maxASN1 bounds the elements looked at in one evaluation (Suricata: asn1-max-frames,
// 256).
const maxASN1 = 256

// asn1Op walks over the BER elements of the buffer from a place on.
type asn1Op struct {
	relative  bool
	offset    int
	oversize  uint32 // 0: not asked
	bitString bool
	double    bool
}

func (o *asn1Op) test(w *Worker, b *window) verdict {
	at := o.offset
	if o.relative {
		at += w.pos
	}
	if at < 0 || at >= len(b.data) {
		return chainNo
	}
	d := b.data[at:]
	for n := 0; n < maxASN1 && len(d) > 0; n++ {
		e, ok := berElement(d)
		if !ok {
			return chainNo
		}
		if o.odd(&e) {
			return chainYes
		}
		if e.constructed {
			d = e.body // its members come next, then what follows it
			continue
		}
		d = d[min(e.head+e.length, uint64(len(d))):]
	}
	return chainNo
}

// element is the head of a BER element (X.690 section 8.1).
type element struct {
	universal, constructed bool
	tag                    uint32
	head, length           uint64
	body                   []byte // what is there of it and behind it
}

func berElement(d []byte) (e element, ok bool) {
	e.universal, e.constructed, e.tag = d[0]>>6 == 0, d[0]&0x20 != 0, uint32(d[0]&0x1f)
	i := 1
	if e.tag == 0x1f {
		e.tag = 0
		for {
			if i >= len(d) || i > 4 {
				return e, false
			}
			c := d[i]
			i++
			e.tag = e.tag<<7 | uint32(c&0x7f)
			if c&0x80 == 0 {
				break
			}
		}
	}
	if i >= len(d) {
		return e, false
	}
	n := d[i]
	i++
	switch {
	case n < 0x80:
		e.length = uint64(n)
	case n > 0x80 && n <= 0x84:
		for range int(n & 0x7f) {
			if i >= len(d) {
				return e, false
			}
			e.length = e.length<<8 | uint64(d[i])
			i++
		}
	case n > 0x84:
		return e, false
	}
	e.head, e.body = uint64(i), d[i:]
	return e, true
}

// odd tells whether e has what the rule looks for.
func (o *asn1Op) odd(e *element) bool {
	if o.oversize > 0 && e.length > uint64(o.oversize) {
		return true
	}
	if !e.universal || e.constructed || len(e.body) == 0 || e.length == 0 {
		return false
	}
	// A bit string with more unused bits than it has, and a REAL in decimal text that
	// is longer than any decoder's buffer.
	return o.bitString && e.tag == 3 && (e.length-1)*8 < uint64(e.body[0]) ||
		o.double && e.tag == 9 && e.body[0]>>6 == 0 && e.length > 256
}

func setASN1(b *builder, o *rule.Option) error {
	x := &asn1Op{}
	for _, it := range rule.SplitList(o.Value) {
		word, arg := words(it.Text)
		n, err := int64(0), error(nil)
		switch word {
		case "oversize_length", "absolute_offset", "relative_offset":
			if n, err = strconv.ParseInt(arg, 10, 32); err != nil {
				return refuse(it.Off, "", "%s is not a number", quote(arg))
			}
		}
		switch word {
		case "oversize_length":
			if n <= 0 {
				return refuse(it.Off, "", "oversize_length must be above 0")
			}
			x.oversize = uint32(n)
		case "absolute_offset":
			x.offset = int(n)
		case "relative_offset":
			x.offset, x.relative = int(n), true
		case "bitstring_overflow":
			x.bitString = true
		case "double_overflow":
			x.double = true
		default:
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
	}
	p := op{kind: opCustom, ext: x}
	if x.relative {
		p.flag |= flagRelative
	}
	b.addRelative(p)
	b.pktOnly = true
	return nil
}
