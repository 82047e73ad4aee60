package detect

import (
	"encoding/hex"
	"strconv"
	"strings"

	"mirador/internal/pcre"
	"mirador/internal/rule"
)

// Transforms: keywords behind a sticky buffer that change what is looked at.
// Suricata 8 rules/transforms.
func transformKeywords() []keyword {
	plain := func(kind transformKind) func(b *builder, o *rule.Option) error {
		return func(b *builder, _ *rule.Option) error { return b.transform(transform{kind: kind}) }
	}
	return []keyword{
		{name: "to_lowercase", arg: argNone, setup: plain(xfLower), doc: "buffer in lower case"},
		{name: "to_uppercase", arg: argNone, setup: plain(xfUpper), doc: "buffer in upper case"},
		{name: "casechange", arg: argNeed, setup: setCaseChange, doc: "buffer in lower or upper case (Suricata 9)"},
		{name: "strip_whitespace", arg: argNone, setup: plain(xfStripSpace), doc: "buffer without white space"},
		{name: "compress_whitespace", arg: argNone, setup: plain(xfOneSpace), doc: "runs of white space as one space"},
		{name: "dotprefix", arg: argNone, setup: plain(xfDotPrefix), doc: "a dot before the buffer"},
		{name: "to_md5", arg: argNone, setup: plain(xfMD5), doc: "MD5 of the buffer"},
		{name: "to_sha1", arg: argNone, setup: plain(xfSHA1), doc: "SHA-1 of the buffer"},
		{name: "to_sha256", arg: argNone, setup: plain(xfSHA256), doc: "SHA-256 of the buffer"},
		{name: "url_decode", arg: argNone, setup: plain(xfURLDecode), doc: "percent signs and + resolved"},
		{name: "xor", arg: argNeed, setup: setXor, doc: "buffer xor a key"},
		{name: "pcrexform", arg: argNeed, setup: setPcreXform, doc: "first group of a regular expression"},
		{name: "domain", arg: argNone, setup: plain(xfDomain), doc: "registered domain of a host name"},
		{name: "tld", arg: argNone, setup: plain(xfTLD), doc: "public suffix of a host name"},
		{name: "from_base64", arg: argMaybe, setup: setFromBase64, doc: "buffer decoded from base64"},
		{name: "header_lowercase", arg: argNone, setup: plain(xfHeaderLower), doc: "header names in lower case"},
		{name: "strip_pseudo_headers", arg: argNone, setup: plain(xfStripPseudo), doc: "without lines that begin with a colon"},
		{name: "gunzip", arg: argMaybe, setup: setInflate, doc: "buffer unpacked with gzip"},
		{name: "zlib_deflate", arg: argMaybe, setup: setInflate, doc: "buffer unpacked with zlib"},
		{name: "subslice", arg: argNeed, setup: setSubslice, doc: "a part of the buffer (Suricata 9)"},
	}
}

// transformKind names a transform.
type transformKind uint8

const (
	xfLower transformKind = iota
	xfUpper
	xfStripSpace
	xfOneSpace
	xfDotPrefix
	xfMD5
	xfSHA1
	xfSHA256
	xfURLDecode
	xfXor
	xfPCRE
	xfDomain
	xfTLD
	xfBase64
	xfHeaderLower
	xfStripPseudo
	xfGunzip
	xfZlib
	xfSubslice
)

// transformNames are the keywords, by kind.
var transformNames = [...]string{"to_lowercase", "to_uppercase", "strip_whitespace", "compress_whitespace", "dotprefix",
	"to_md5", "to_sha1", "to_sha256", "url_decode", "xor", "pcrexform", "domain", "tld", "from_base64",
	"header_lowercase", "strip_pseudo_headers", "gunzip", "zlib_deflate", "subslice"}

// transform is one step between a buffer and what rules look at.
type transform struct {
	kind   transformKind
	arg    string // as in the rule: part of the buffer's label
	key    []byte // xor
	re     *pcre.Regexp
	mode   base64Mode
	bytes  int // from_base64: at most that many bytes are read; gunzip: written
	offset int
	end    int  // subslice
	hasEnd bool // subslice: end is given
}

func (t *transform) label() string {
	if t.arg == "" {
		return transformNames[t.kind]
	}
	return transformNames[t.kind] + ":" + t.arg
}

// transform adds t to the sticky buffer that was just named.
func (b *builder) transform(t transform) error {
	l := &b.lists[b.cur]
	switch {
	case b.cur == 0:
		return refuse(0, "put it behind a sticky buffer", "the payload cannot be transformed")
	case len(l.pend) == maxTransforms:
		return refuse(0, "", "more than %d transforms", maxTransforms)
	case l.def.kind == bufBase64:
		return refuse(0, "", "base64_data cannot be transformed")
	}
	if len(l.ops) > 0 || l.absent != absentNone {
		// Behind contents a transform begins another buffer: what follows looks at
		// the transformed bytes.
		b.lists = append(b.lists, bufList{def: l.def, opened: true})
		b.cur = len(b.lists) - 1
		l = &b.lists[b.cur]
	}
	l.pend = append(l.pend, t)
	return nil
}

func setCaseChange(b *builder, o *rule.Option) error {
	switch o.Value {
	case "lower":
		return b.transform(transform{kind: xfLower})
	case "upper":
		return b.transform(transform{kind: xfUpper})
	}
	return refuse(0, "use lower or upper", "unknown value %s", quote(o.Value))
}

func setXor(b *builder, o *rule.Option) error {
	s := strings.Trim(o.Value, `"`)
	key, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil || len(key) == 0 || len(key) > 255 {
		return refuse(0, "write it as hex", "%s is not a key", quote(s))
	}
	return b.transform(transform{kind: xfXor, arg: s, key: key})
}

func setPcreXform(b *builder, o *rule.Option) error {
	s := strings.TrimSpace(o.Value)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	re, err := pcre.Compile(s, 0)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	if re.NumGroups() != 1 {
		return refuse(0, "", "pattern needs exactly one group, it has %d", re.NumGroups())
	}
	return b.transform(transform{kind: xfPCRE, arg: s, re: re})
}

func setFromBase64(b *builder, o *rule.Option) error {
	t := transform{kind: xfBase64, arg: o.Value, mode: base64Lax}
	for _, it := range rule.SplitList(o.Value) {
		word, arg := words(it.Text)
		switch word {
		case "bytes":
			n, err := strconv.ParseUint(arg, 10, 16)
			if err != nil || n == 0 {
				return refuse(it.Off, "", "bytes %s is not a number from 1 to 65535", quote(arg))
			}
			t.bytes = int(n)
		case "offset":
			n, err := strconv.ParseUint(arg, 10, 16)
			if err != nil {
				return refuse(it.Off, "", "offset %s is not a number up to 65535", quote(arg))
			}
			t.offset = int(n)
		case "mode":
			switch strings.ToLower(arg) {
			case "rfc4648":
				t.mode = base64Lax
			case "rfc2045":
				t.mode = base64Skip
			case "strict":
				t.mode = base64Strict
			default:
				return refuse(it.Off, "use rfc4648, rfc2045 or strict", "unknown mode %s", quote(arg))
			}
		default:
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
	}
	return b.transform(t)
}

// defaultInflate is how much gunzip and zlib_deflate put out when the rule does not
// say. Suricata 8: max-size, 1024.
const defaultInflate = 1024

func setInflate(b *builder, o *rule.Option) error {
	t := transform{kind: xfGunzip, arg: o.Value, bytes: defaultInflate}
	if o.Name == "zlib_deflate" {
		t.kind = xfZlib
	}
	for _, it := range rule.SplitList(o.Value) {
		word, arg := words(it.Text)
		if word != "max-size" {
			return refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
		u, err := rule.ParseUint(arg, 32, nil)
		if err != nil || u.A == 0 || u.A > maxTransformOut {
			return refuse(it.Off, "", "max-size %s is not from 1 to %d", quote(arg), maxTransformOut)
		}
		t.bytes = int(u.A)
	}
	return b.transform(t)
}

// setSubslice: offset[, length]; a negative offset counts from the end.
func setSubslice(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if len(items) == 0 || len(items) > 2 {
		return refuse(0, "", "needs an offset and perhaps a length")
	}
	t := transform{kind: xfSubslice, arg: o.Value}
	for i, it := range items {
		n, err := strconv.ParseInt(it.Text, 10, 32)
		if err != nil {
			return refuse(it.Off, "", "%s is not a number", quote(it.Text))
		}
		if i == 0 {
			t.offset = int(n)
		} else {
			t.end, t.hasEnd = int(n), true
		}
	}
	return b.transform(t)
}
