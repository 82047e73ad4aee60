package detect

import (
	"strconv"
	"strings"

	"mirador/internal/rule"
)

// Keywords that read numbers from the payload. Suricata 8 rules/payload-keywords.
func byteKeywords() []keyword {
	return []keyword{
		{name: "byte_test", arg: argNeed, setup: setByteTest, doc: "compare a number in the buffer"},
		{name: "byte_jump", arg: argNeed, setup: setByteJump, doc: "move by a number in the buffer"},
		{name: "byte_extract", arg: argNeed, setup: setByteExtract, doc: "keep a number of the buffer in a variable"},
		{name: "byte_math", arg: argNeed, setup: setByteMath, doc: "compute with a number of the buffer"},
	}
}

func newByteOp() *byteOp {
	return &byteOp{countVar: -1, offsetVar: -1, valueVar: -1, result: -1}
}

// count reads the number of bytes, or the variable that holds it.
func (b *builder) count(x *byteOp, it rule.Item, vars bool) error {
	if n, err := strconv.ParseUint(it.Text, 10, 8); err == nil {
		if n > maxText {
			return refuse(it.Off, "", "%d bytes are more than %d", n, maxText)
		}
		x.count = int8(n)
		return nil
	}
	if i := b.varIndex(it.Text); vars && i >= 0 {
		x.countVar = i
		return nil
	}
	return refuse(it.Off, "", "%s is not a number of bytes", quote(it.Text))
}

// offset reads the place, or the variable that holds it.
func (b *builder) offset(x *byteOp, it rule.Item, vars bool) error {
	if n, err := strconv.ParseInt(it.Text, 10, 32); err == nil {
		if n < -65535 || n > 65535 {
			return refuse(it.Off, "", "offset %d is not between -65535 and 65535", n)
		}
		x.offset = int32(n)
		return nil
	}
	if i := b.varIndex(it.Text); vars && i >= 0 {
		x.offsetVar = i
		return nil
	}
	return refuse(it.Off, "", "%s is neither a number nor a variable", quote(it.Text))
}

// common reads the parts that several of the keywords share. It returns false when
// it does not know the part.
func (x *byteOp) common(word, arg string) (known bool, err error) {
	switch word {
	case "relative":
		x.relative = true
	case "big":
		x.little = false
	case "little":
		x.little = true
	case "dce":
		x.dce = true
	case "string":
		if x.base == 0 {
			x.base = 10
		}
	case "hex":
		x.base = 16
	case "dec":
		x.base = 10
	case "oct":
		x.base = 8
	case "bitmask":
		n, perr := parseMaskValue(arg)
		if perr != nil {
			return true, perr
		}
		x.mask = n
	default:
		return false, nil
	}
	return true, nil
}

func parseMaskValue(s string) (uint32, error) {
	t := strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	n, err := strconv.ParseUint(t, 16, 32)
	if err != nil || n == 0 {
		return 0, refuse(0, "write it as hex, such as 0x0f", "bitmask %s is not a hex number above 0", quote(s))
	}
	return uint32(n), nil
}

// words splits "bitmask 0x0f" into its name and argument.
func words(s string) (string, string) {
	name, arg, _ := strings.Cut(s, " ")
	return name, strings.TrimSpace(arg)
}

// complete checks what holds for all of them.
func (x *byteOp) complete() error {
	if x.countVar >= 0 {
		return nil
	}
	if x.base == 0 && x.count > maxBinary {
		return refuse(0, "", "%d bytes are too many for a number that is not in text (string)", x.count)
	}
	return nil
}

func (b *builder) addByteOp(kind opKind, x *byteOp) {
	o := op{kind: kind, ext: x}
	if x.relative {
		o.flag |= flagRelative
	} else if kind != opByteTest {
		o.flag |= flagMoves
	}
	b.addRelative(o)
}

func setByteTest(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if len(items) < 4 {
		return refuse(0, "", "needs count, operator, value and offset")
	}
	x := newByteOp()
	if err := b.count(x, items[0], true); err != nil {
		return err
	}
	op := items[1].Text
	if strings.HasPrefix(op, "!") {
		x.negated = true
		op = strings.TrimSpace(op[1:])
		if op == "" {
			op = "="
		}
	}
	switch op {
	case "<", ">", "=", "&", "^":
		x.oper = op[0]
	case "<=":
		x.oper = 'l'
	case ">=":
		x.oper = 'g'
	default:
		return refuse(items[1].Off, "", "unknown operator %s", quote(items[1].Text))
	}
	if n, err := strconv.ParseUint(items[2].Text, 0, 64); err == nil {
		x.value = n
	} else if i := b.varIndex(items[2].Text); i >= 0 {
		x.valueVar = i
	} else {
		return refuse(items[2].Off, "", "%s is neither a number nor a variable", quote(items[2].Text))
	}
	if err := b.offset(x, items[3], true); err != nil {
		return err
	}
	for _, it := range items[4:] {
		word, arg := words(it.Text)
		known, err := x.common(word, arg)
		if err != nil {
			return err
		}
		if !known {
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
	}
	if err := x.complete(); err != nil {
		return err
	}
	b.addByteOp(opByteTest, x)
	return nil
}

func setByteJump(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if len(items) < 2 {
		return refuse(0, "", "needs count and offset")
	}
	x := newByteOp()
	if err := b.count(x, items[0], true); err != nil {
		return err
	}
	if err := b.offset(x, items[1], true); err != nil {
		return err
	}
	for _, it := range items[2:] {
		word, arg := words(it.Text)
		known, err := x.common(word, arg)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		switch word {
		case "align":
			x.align = 4
		case "from_beginning":
			x.fromBegin = true
		case "from_end":
			x.fromEnd = true
		case "multiplier":
			n, err := strconv.ParseUint(arg, 10, 16)
			if err != nil || n == 0 {
				return refuse(it.Off, "", "multiplier %s is not a number from 1 to 65535", quote(arg))
			}
			x.mult = uint32(n)
		case "post_offset":
			n, err := strconv.ParseInt(arg, 10, 32)
			if err != nil || n < -65535 || n > 65535 {
				return refuse(it.Off, "", "post_offset %s is not between -65535 and 65535", quote(arg))
			}
			x.post = int32(n)
		default:
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
	}
	if x.fromBegin && x.fromEnd {
		return refuse(0, "", "from_beginning and from_end contradict each other")
	}
	if x.count == 0 && x.base != 0 {
		return refuse(0, "", "count must not be 0 for a number in text")
	}
	if err := x.complete(); err != nil {
		return err
	}
	b.addByteOp(opByteJump, x)
	return nil
}

func setByteExtract(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if len(items) < 3 {
		return refuse(0, "", "needs count, offset and a name")
	}
	x := newByteOp()
	if err := b.count(x, items[0], false); err != nil {
		return err
	}
	if err := b.offset(x, items[1], false); err != nil {
		return err
	}
	for _, it := range items[3:] {
		word, arg := words(it.Text)
		known, err := x.common(word, arg)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		switch word {
		case "align":
			n, err := strconv.ParseUint(arg, 10, 8)
			if err != nil || n != 2 && n != 4 {
				return refuse(it.Off, "", "align is 2 or 4")
			}
			x.align = uint8(n)
		case "multiplier":
			n, err := strconv.ParseUint(arg, 10, 16)
			if err != nil || n == 0 {
				return refuse(it.Off, "", "multiplier %s is not a number from 1 to 65535", quote(arg))
			}
			x.mult = uint32(n)
		default:
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
	}
	if x.count == 0 {
		return refuse(items[0].Off, "", "count must not be 0")
	}
	if err := x.complete(); err != nil {
		return err
	}
	if !isVarName(items[2].Text) {
		return refuse(items[2].Off, "", "%s is not a variable name", quote(items[2].Text))
	}
	var err error
	if x.result, err = b.newVar(items[2].Text, items[2].Off); err != nil {
		return err
	}
	b.addByteOp(opByteExtract, x)
	return nil
}

// isVarName tells whether s can name a variable: it begins with a letter.
func isVarName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

func setByteMath(b *builder, o *rule.Option) error {
	x := newByteOp()
	result := rule.Item{}
	var seen [6]bool // bytes offset oper rvalue result endian
	need := [...]string{"bytes", "offset", "oper", "rvalue", "result"}
	for _, it := range rule.SplitList(o.Value) {
		word, arg := words(it.Text)
		sub := rule.Item{Text: arg, Off: it.Off}
		for i, n := range need {
			if word != n {
				continue
			}
			if seen[i] {
				return refuse(it.Off, "", "%s is given twice", n)
			}
			seen[i] = true
		}
		var err error
		switch word {
		case "bytes":
			err = b.count(x, sub, true)
		case "offset":
			err = b.offset(x, sub, true)
		case "oper":
			switch arg {
			case "+", "-", "*", "/":
				x.oper = arg[0]
			case "<<":
				x.oper = 'l'
			case ">>":
				x.oper = 'r'
			default:
				err = refuse(it.Off, "", "unknown operator %s", quote(arg))
			}
		case "rvalue":
			if n, perr := strconv.ParseUint(arg, 10, 32); perr == nil {
				if n == 0 {
					return refuse(it.Off, "", "rvalue must not be 0")
				}
				x.value = n
			} else if x.valueVar = b.varIndex(arg); x.valueVar < 0 {
				err = refuse(it.Off, "", "%s is neither a number nor a variable", quote(arg))
			}
		case "result":
			result = sub
		case "endian":
			switch arg {
			case "big", "little", "dce":
				_, err = x.common(arg, "")
			default:
				err = refuse(it.Off, "", "unknown byte order %s", quote(arg))
			}
		case "string":
			switch arg {
			case "hex", "dec", "oct":
				_, err = x.common(arg, "")
			default:
				err = refuse(it.Off, "", "unknown number type %s", quote(arg))
			}
		case "relative", "dce", "bitmask":
			_, err = x.common(word, arg)
		default:
			err = refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
		if err != nil {
			return err
		}
	}
	for i, n := range need {
		if !seen[i] {
			return refuse(0, "", "%s is missing", n)
		}
	}
	if x.countVar < 0 && (x.count < 1 || x.count > 10) {
		return refuse(0, "", "bytes must be from 1 to 10")
	}
	if err := x.complete(); err != nil {
		return err
	}
	if !isVarName(result.Text) {
		return refuse(result.Off, "", "%s is not a variable name", quote(result.Text))
	}
	var err error
	if x.result, err = b.newVar(result.Text, result.Off); err != nil {
		return err
	}
	b.addByteOp(opByteMath, x)
	return nil
}
