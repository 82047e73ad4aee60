package detect

import (
	"strconv"

	"mirador/internal/rule"
)

// base64_decode and base64_data. Suricata 8 rules/base64-keywords.
func base64Keywords() []keyword {
	return []keyword{
		{name: "base64_decode", arg: argMaybe, setup: setBase64Decode, doc: "decode base64 text of the buffer"},
		{name: "base64_data", arg: argNone, setup: setBase64Data, doc: "what base64_decode decoded"},
	}
}

// base64Op decodes a part of the buffer and looks into the result with the contents
// behind base64_data.
type base64Op struct {
	bytes    int // 0: all
	offset   int
	relative bool
	ops      []op
}

func (o *base64Op) test(w *Worker, b *window) verdict {
	at := o.offset
	if o.relative {
		at += w.pos
	}
	if at < 0 || at >= len(b.data) {
		return chainNo
	}
	d := b.data[at:]
	if o.bytes > 0 && o.bytes < len(d) {
		d = d[:o.bytes]
	}
	d = d[:min(len(d), base64Max)]
	w.base64 = decodeBase64(w.base64[:0], d, base64Lax, base64Max)
	if len(w.base64) == 0 {
		return chainNo
	}
	if len(o.ops) == 0 {
		return chainYes
	}
	// The decoded bytes are a buffer of their own: positions start anew in it.
	pos := w.pos
	w.base64Win.reset(w.base64, 0, true)
	w.pos = 0
	v := w.chain(o.ops, &w.base64Win)
	w.pos = pos
	if v == chainYes {
		return chainYes
	}
	return chainNo
}

func setBase64Decode(b *builder, o *rule.Option) error {
	x := &base64Op{}
	for _, it := range rule.SplitList(o.Value) {
		word, arg := words(it.Text)
		switch word {
		case "relative":
			x.relative = true
		case "bytes":
			n, err := strconv.ParseUint(arg, 10, 16)
			if err != nil || n == 0 {
				return refuse(it.Off, "", "bytes %s is not a number from 1 to 65535", quote(arg))
			}
			x.bytes = int(n)
		case "offset":
			n, err := strconv.ParseUint(arg, 10, 16)
			if err != nil {
				return refuse(it.Off, "", "offset %s is not a number up to 65535", quote(arg))
			}
			x.offset = int(n)
		default:
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
	}
	p := op{kind: opCustom, ext: x}
	if x.relative {
		p.flag |= flagRelative
	}
	ref := b.addRelative(p)
	b.base64 = x
	b.base64List = ref.list
	return nil
}

// setBase64Data makes a list for the contents that follow; it is moved into the
// decode when the rule is complete.
func setBase64Data(b *builder, _ *rule.Option) error {
	if b.base64 == nil {
		return refuse(0, "put base64_decode before it", "there is no base64_decode before it")
	}
	if err := b.leave(); err != nil {
		return err
	}
	b.lists = append(b.lists, bufList{def: b.c.buffer("base64_data", bufBase64), opened: true})
	b.cur = len(b.lists) - 1
	b.base64Data = b.cur
	return nil
}

// closeBase64 moves the contents on base64_data into their decode.
func (b *builder) closeBase64() {
	if b.base64 == nil || b.base64Data == 0 {
		return
	}
	b.base64.ops = b.lists[b.base64Data].ops
	markRetries(b.base64.ops)
	if b.fastSeen && b.fast.list == b.base64Data {
		b.fastSeen = false // no prefilter sees the decoded bytes
	}
	b.lists[b.base64Data].ops = nil
	b.lists[b.base64Data].opened = false
}
