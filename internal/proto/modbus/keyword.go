package modbus

import (
	"fmt"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

// fields is the keyword of Modbus.
func fields() []proto.Field {
	return []proto.Field{{
		Name: "modbus", Kind: proto.Custom, ToServer: true, Compile: compile,
		Doc: "request: unit N; function CODE or category, subfunction N; access read|write table, address N, value N",
	}}
}

// span is a condition on a number: low < n < high.
type span struct{ low, high int }

// parseSpan reads N, >N, <N or N<>M.
func parseSpan(s string) (span, error) {
	s = strings.TrimSpace(s)
	num := func(s string) (int, error) {
		n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 17)
		return int(n), err
	}
	if a, b, ok := strings.Cut(s, "<>"); ok {
		low, err1 := num(a)
		high, err2 := num(b)
		if err1 != nil || err2 != nil || low >= high {
			return span{}, fmt.Errorf("%q is not a range", s)
		}
		return span{low, high}, nil
	}
	op := byte(0)
	if s != "" && (s[0] == '<' || s[0] == '>') {
		op, s = s[0], s[1:]
	}
	n, err := num(s)
	if err != nil {
		return span{}, fmt.Errorf("%q is not a number", s)
	}
	switch op {
	case '<':
		return span{-1, n}, nil
	case '>':
		return span{n, 1 << 17}, nil
	}
	return span{n - 1, n + 1}, nil
}

func (s span) has(n int) bool { return n > s.low && n < s.high }

// overlaps tells whether a number from first to last meets the condition.
func (s span) overlaps(first, last int) bool { return last > s.low && first < s.high }

// Categories of function codes. Application Protocol section 5.
const (
	assigned = 1 << iota
	unassigned
	user
	reserved

	public = assigned | unassigned
	all    = public | user | reserved
)

// category returns the category of a function with its subfunction.
func category(fn byte, sub uint16) int {
	switch {
	case fn >= 65 && fn <= 72 || fn >= 100 && fn <= 110:
		return user
	case fn == 41 || fn == 42 || fn == 90 || fn == 91 || fn >= 125:
		return reserved
	case fn == fnDiagnostics:
		if sub >= 5 && sub <= 9 || sub > 21 {
			return reserved
		}
		return assigned
	case fn == fnEncapsulated:
		if sub != 13 && sub != 14 {
			return reserved
		}
		return assigned
	case fn >= 1 && fn <= 24:
		// With those of old controllers, 9, 10, 13, 14, 18 and 19, as Suricata has it.
		return assigned
	}
	return unassigned
}

// Tables.
const (
	anyTable = iota
	discretes
	coils
	input
	holding
)

// rule is a compiled argument.
type rule struct {
	unit               *span
	byFunction         bool
	function           byte
	sub                *uint16
	categories         int // 0: the function code counts
	byAccess, write    bool
	table              int
	address, writtenTo *span
}

func compile(arg string) (proto.TxMatcher, error) {
	var r rule
	for i, part := range strings.Split(arg, ",") {
		key, rest, _ := strings.Cut(strings.TrimSpace(part), " ")
		if err := r.part(i, key, strings.TrimSpace(rest)); err != nil {
			return nil, err
		}
	}
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) bool {
		t, ok := tx.(*Tx)
		return ok && t.Asked && r.match(t)
	}, nil
}

// part reads one of the settings that commas separate.
func (r *rule) part(i int, key, rest string) error {
	var to **span
	switch key {
	case "unit":
		if i > 0 {
			return fmt.Errorf("unit must come first")
		}
		to = &r.unit
	case "address":
		if !r.byAccess || r.table == anyTable {
			return fmt.Errorf("address needs access to a table")
		}
		to = &r.address
	case "value":
		if r.address == nil || !r.write {
			return fmt.Errorf("value needs the address of a write access")
		}
		to = &r.writtenTo
	case "function":
		return r.readFunction(rest)
	case "subfunction":
		n, err := strconv.ParseUint(rest, 10, 16)
		if err != nil || !r.byFunction || r.categories != 0 {
			return fmt.Errorf("%q is not a subfunction of a function code", rest)
		}
		sub := uint16(n)
		r.sub = &sub
		return nil
	case "access":
		return r.readAccess(rest)
	default:
		return fmt.Errorf("%q is not a setting", key)
	}
	s, err := parseSpan(rest)
	*to = &s
	return err
}

func (r *rule) readFunction(s string) error {
	if r.byAccess || r.byFunction {
		return fmt.Errorf("function must be alone")
	}
	r.byFunction = true
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		r.function = byte(n)
		return nil
	}
	name, not := strings.CutPrefix(s, "!")
	c, ok := map[string]int{"assigned": assigned, "unassigned": unassigned, "public": public, "user": user, "reserved": reserved, "all": all}[strings.TrimSpace(name)]
	if !ok {
		return fmt.Errorf("%q is not a function", s)
	}
	if not {
		c = all &^ c
	}
	if r.categories = c; c == 0 {
		r.categories = 1 << 8 // none
	}
	return nil
}

func (r *rule) readAccess(s string) error {
	if r.byAccess || r.byFunction {
		return fmt.Errorf("access must be alone")
	}
	how, table, _ := strings.Cut(s, " ")
	if how != "read" && how != "write" {
		return fmt.Errorf("%q is neither read nor write", how)
	}
	r.byAccess, r.write = true, how == "write"
	n, ok := map[string]int{"": anyTable, "discretes": discretes, "coils": coils, "input": input, "holding": holding}[strings.TrimSpace(table)]
	if !ok || r.write && (n == discretes || n == input) {
		return fmt.Errorf("no %s access to %q", how, table)
	}
	r.table = n
	return nil
}

func (r *rule) match(t *Tx) bool {
	if r.unit != nil && !r.unit.has(int(t.Unit)) {
		return false
	}
	switch {
	case r.byFunction && r.categories != 0:
		return category(t.Function&^exceptionBit, t.Sub)&r.categories != 0
	case r.byFunction:
		return t.Function == r.function && (r.sub == nil || t.HasSub && t.Sub == *r.sub)
	case r.byAccess:
		return r.access(t)
	}
	return r.unit != nil
}

// access tells whether the request reads or writes what the rule says. Addresses
// count from 1.
func (r *rule) access(t *Tx) bool {
	b, table, at := t.Request, anyTable, 0
	single := false
	switch f := t.Function; {
	case !r.write && f == fnReadCoils:
		table = coils
	case !r.write && f == fnReadDiscretes:
		table = discretes
	case !r.write && f == fnReadInput:
		table = input
	case !r.write && (f == fnReadHolding || f == fnReadWriteRegisters):
		table = holding
	case !r.write && (f == fnReadFile || f == fnReadFIFO):
		return r.table == anyTable
	case r.write && f == fnWriteCoil:
		table, single = coils, true
	case r.write && f == fnWriteCoils:
		table = coils
	case r.write && (f == fnWriteRegister || f == fnMaskWrite):
		table, single = holding, true
	case r.write && f == fnWriteRegisters:
		table = holding
	case r.write && f == fnReadWriteRegisters:
		table, at = holding, 4
	case r.write && f == fnWriteFile:
		return r.table == anyTable
	default:
		return false
	}
	if r.table == anyTable {
		return true
	}
	if r.table != table {
		return false
	}
	if r.address == nil {
		return true
	}
	if len(b) < at+4 {
		return false
	}
	first, count := word(b, at)+1, 1
	if !single {
		count = word(b, at+2)
	}
	if r.writtenTo == nil {
		return r.address.overlaps(first, first+count-1)
	}
	if single {
		v := word(b, 2)
		if t.Function == fnWriteCoil && v != 0 {
			v = 1
		}
		return r.address.has(first) && t.Function != fnMaskWrite && r.writtenTo.has(v)
	}
	return r.written(b[at+4:], table == coils, first, count)
}

// written looks at the values of a write of several; b begins with their size.
func (r *rule) written(b []byte, bits bool, first, count int) bool {
	if len(b) < 1 {
		return false
	}
	b = b[1:]
	for i := range count {
		v := 0
		if bits {
			if i/8 >= len(b) {
				return false
			}
			v = int(b[i/8] >> (i % 8) & 1)
		} else {
			if 2*i+2 > len(b) {
				return false
			}
			v = word(b, 2*i)
		}
		if r.address.has(first+i) && r.writtenTo.has(v) {
			return true
		}
	}
	return false
}
