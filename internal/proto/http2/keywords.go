package http2

import (
	"fmt"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

// keywords are those of HTTP/2 alone that are no sticky buffers.
func keywords() []proto.Field {
	return []proto.Field{
		{
			Name: "http2.frametype", Kind: proto.Custom, ToServer: true, ToClient: true, Compile: compileFrame,
			Doc: "type of a frame, by name or number",
		},
		{
			Name: "http2.errorcode", Kind: proto.Custom, ToServer: true, ToClient: true, Compile: compileError,
			Doc: "error code of RST_STREAM or GOAWAY, by name or number",
		},
		{
			Name: "http2.settings", Kind: proto.Custom, ToServer: true, ToClient: true, Compile: compileSetting,
			Doc: "a setting, with a comparison of its value",
		},
		number("http2.priority", 8, "weight of the stream", func(m *message, i int) (uint64, bool) {
			if i >= len(m.prio) {
				return 0, false
			}
			return uint64(m.prio[i]), true
		}),
		number("http2.window", 32, "size of a window update", func(m *message, i int) (uint64, bool) {
			if i >= len(m.window) {
				return 0, false
			}
			return uint64(m.window[i]), true
		}),
		number("http2.size_update", 64, "size of the table of header fields", func(m *message, i int) (uint64, bool) {
			if i >= len(m.sizes) {
				return 0, false
			}
			return m.sizes[i], true
		}),
	}
}

func number(name string, bits uint8, doc string, get func(*message, int) (uint64, bool)) proto.Field {
	return proto.Field{Name: name, Kind: proto.Number, Bits: bits, ToServer: true, ToClient: true, Multi: true, Doc: doc,
		Uint: func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
			t, ok := tx.(*Tx)
			if !ok {
				return 0, false
			}
			return get(&t.m[dir], i)
		}}
}

// plain removes underscores and case, so that both spellings of names are taken.
func plain(s string) string {
	return strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(s), "_", ""))
}

func compileFrame(arg string) (proto.TxMatcher, error) {
	typ := -1
	for i, n := range [...]string{"DATA", "HEADERS", "PRIORITY", "RSTSTREAM", "SETTINGS", "PUSHPROMISE", "PING", "GOAWAY",
		"WINDOWUPDATE", "CONTINUATION"} {
		if n == plain(arg) {
			typ = i
		}
	}
	if typ < 0 {
		n, err := strconv.ParseUint(strings.TrimSpace(arg), 10, 8)
		if err != nil {
			return nil, fmt.Errorf("%q is not a type of frame", arg)
		}
		typ = int(n)
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t, ok := tx.(*Tx)
		return ok && t.m[dir].seen(uint8(typ))
	}, nil
}

func compileError(arg string) (proto.TxMatcher, error) {
	code := int64(-1)
	for i, n := range errorNames() {
		if plain(n) == plain(arg) {
			code = int64(i)
		}
	}
	if code < 0 {
		n, err := strconv.ParseUint(strings.TrimSpace(arg), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is not an error code", arg)
		}
		code = int64(n)
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t, ok := tx.(*Tx)
		if ok {
			for _, e := range t.m[dir].errs {
				if int64(e) == code {
					return true
				}
			}
		}
		return false
	}, nil
}

// compileSetting reads "SETTINGS_ENABLE_PUSH=0", "SETTINGS_HEADER_TABLE_SIZE>4096",
// or a setting alone.
func compileSetting(arg string) (proto.TxMatcher, error) {
	name, cond := arg, ""
	if i := strings.IndexAny(arg, "=<>! :"); i >= 0 {
		name, cond = arg[:i], strings.TrimSpace(arg[i:])
	}
	id, found := uint16(0), false
	for n, s := range settingNames() {
		if plain(s) == plain(name) || strings.TrimPrefix(s, "SETTINGS") == plain(name) {
			id, found = n, true
		}
	}
	if !found {
		return nil, fmt.Errorf("%q is not a setting", name)
	}
	test, ok := proto.ParseNumber(cond, 32)
	if !ok && cond != "" {
		return nil, fmt.Errorf("%q is not a condition on a number", cond)
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t, ok := tx.(*Tx)
		if ok {
			for _, s := range t.m[dir].settings {
				if s.id == id && (cond == "" || test(uint64(s.value))) {
					return true
				}
			}
		}
		return false
	}, nil
}
