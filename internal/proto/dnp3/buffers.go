package dnp3

import (
	"fmt"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

// Application function codes with a meaning to the parser.
const (
	functionConfirm     = 0
	functionUnsolicited = 130
)

// functions are the names of application function codes. IEEE 1815 section 4.4.
func functions() map[string]uint8 {
	return map[string]uint8{
		"confirm": functionConfirm, "read": 1, "write": 2, "select": 3, "operate": 4, "direct_operate": 5, "direct_operate_nr": 6,
		"immed_freeze": 7, "immed_freeze_nr": 8, "freeze_clear": 9, "freeze_clear_nr": 10, "freeze_at_time": 11,
		"freeze_at_time_nr": 12, "cold_restart": 13, "warm_restart": 14, "initialize_data": 15, "initialize_appl": 16,
		"start_appl": 17, "stop_appl": 18, "save_config": 19, "enable_unsolicited": 20, "disable_unsolicited": 21,
		"assign_class": 22, "delay_measure": 23, "record_current_time": 24, "open_file": 25, "close_file": 26,
		"delete_file": 27, "get_file_info": 28, "authenticate_file": 29, "abort_file": 30, "activate_config": 31,
		"authenticate_req": 32, "authenticate_err": 33, "response": 129, "unsolicited_response": functionUnsolicited,
		"authenticate_resp": 131,
	}
}

type indicator struct {
	bit  uint16
	name string
}

// indicators are the internal indications, in the order EVE lists them. The first
// octet on the wire is the upper one. IEEE 1815 section 4.5.
func indicators() []indicator {
	return []indicator{
		{0x8000, "device_restart"}, {0x4000, "device_trouble"}, {0x2000, "local_control"}, {0x1000, "need_time"},
		{0x0800, "class_3_events"}, {0x0400, "class_2_events"}, {0x0200, "class_1_events"}, {0x0100, "all_stations"},
		{0x0080, "reserved_1"}, {0x0040, "reserved_2"}, {0x0020, "config_corrupt"}, {0x0010, "already_executing"},
		{0x0008, "event_buffer_overflow"}, {0x0004, "parameter_error"}, {0x0002, "object_unknown"},
		{0x0001, "no_func_code_support"},
	}
}

// fields are the keywords of DNP3.
func fields() []proto.Field {
	return []proto.Field{
		{
			Name: "dnp3_func", Aliases: []string{"dnp3.func"}, Kind: proto.Custom, ToServer: true, ToClient: true,
			Compile: compileFunction, Doc: "application function code, a number or a name",
		},
		{
			Name: "dnp3_ind", Aliases: []string{"dnp3.ind"}, Kind: proto.Custom, ToClient: true,
			Compile: compileIndicators, Doc: "internal indications, any of a list of names, or a mask",
		},
		{
			Name: "dnp3_obj", Aliases: []string{"dnp3.obj"}, Kind: proto.Custom, ToServer: true, ToClient: true,
			Compile: compileObject, Doc: "group and variation of an object in the message",
		},
		{
			Name: "dnp3.data", Aliases: []string{"dnp3_data"}, ToServer: true, ToClient: true, Get: data,
			Doc: "the reassembled application message",
		},
	}
}

// of returns tx as a message, nil when it is none or goes the other way.
func of(tx proto.Tx, dir proto.Dir) *Tx {
	t, ok := tx.(*Tx)
	if !ok || t.Dir != dir || t.Data == nil {
		return nil
	}
	return t
}

func data(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
	t := of(tx, dir)
	if t == nil || i > 0 {
		return nil, false
	}
	return t.Data, true
}

func compileFunction(arg string) (proto.TxMatcher, error) {
	arg = strings.ToLower(strings.TrimSpace(arg))
	n, ok := functions()[arg]
	if !ok {
		v, err := strconv.ParseUint(arg, 10, 8)
		if err != nil {
			return nil, fmt.Errorf("%q is not a function code", arg)
		}
		n = uint8(v)
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t := of(tx, dir)
		return t != nil && t.Function() == n
	}, nil
}

func compileIndicators(arg string) (proto.TxMatcher, error) {
	mask, err := indicatorMask(arg)
	if err != nil {
		return nil, err
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t := of(tx, dir)
		return t != nil && t.IIN()&mask != 0
	}, nil
}

func indicatorMask(arg string) (mask uint16, err error) {
	if n, err := strconv.ParseUint(strings.TrimSpace(arg), 0, 16); err == nil {
		return uint16(n), nil
	}
	for _, word := range strings.Split(arg, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		bit := uint16(0)
		for _, x := range indicators() {
			if x.name == word {
				bit = x.bit
			}
		}
		if bit == 0 {
			return 0, fmt.Errorf("%q is not an internal indication", word)
		}
		mask |= bit
	}
	return mask, nil
}

func compileObject(arg string) (proto.TxMatcher, error) {
	g, v, ok := strings.Cut(arg, ",")
	group, err1 := strconv.ParseUint(strings.TrimSpace(g), 10, 8)
	variation, err2 := strconv.ParseUint(strings.TrimSpace(v), 10, 8)
	if !ok || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("%q is not group,variation", arg)
	}
	id := uint16(group)<<8 | uint16(variation)
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t := of(tx, dir)
		if t == nil {
			return false
		}
		for _, o := range t.Objects {
			if o == id {
				return true
			}
		}
		return false
	}, nil
}
