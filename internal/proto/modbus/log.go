package modbus

import (
	"strings"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// functionNames are EVE's names of the function codes.
func functionNames() map[byte]string {
	return map[byte]string{
		1: "RdCoils", 2: "RdDiscreteInputs", 3: "RdHoldRegs", 4: "RdInputRegs", 5: "WrSingleCoil", 6: "WrSingleReg",
		7: "RdExcStatus", 8: "Diagnostic", 9: "Program484", 10: "Poll484", 11: "GetCommEventCtr", 12: "GetCommEventLog",
		13: "ProgramController", 14: "PollController", 15: "WrMultCoils", 16: "WrMultRegs", 17: "ReportServerID",
		18: "Program884", 19: "ResetCommLink", 20: "RdFileRec", 21: "WrFileRec", 22: "MaskWrReg", 23: "RdWrMultRegs",
		24: "RdFIFOQueue", 43: "MEI",
	}
}

// accessNames are EVE's names of what functions do to the tables.
func accessNames() map[byte]string {
	return map[byte]string{
		1: "READ | COILS", 2: "READ | DISCRETES", 3: "READ | HOLDING", 4: "READ | INPUT",
		5: "WRITE | COILS | SINGLE | WRITE_SINGLE", 6: "WRITE | HOLDING | SINGLE | WRITE_SINGLE",
		15: "WRITE | COILS | MULTIPLE | WRITE_MULTIPLE", 16: "WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE",
		22: "WRITE | HOLDING", 23: "READ | WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE",
	}
}

// exceptionName returns EVE's name of an exception code.
func exceptionName(n byte) string {
	names := [...]string{
		1: "IllegalFunction", 2: "IllegalDataAddr", 3: "IllegalDataValue", 4: "ServerDeviceFail", 5: "Ack",
		6: "ServerDeviceBusy", 7: "NegAck", 8: "MemParityErr", 10: "GatewayPathUnavailable", 11: "GatewayTargetFailToResp",
	}
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return "Unknown"
}

// diagnosticName returns EVE's name of a subfunction of diagnostics.
func diagnosticName(n uint16) string {
	names := [...]string{
		0: "RetQueryData", 1: "RestartCommOpt", 2: "RetDiagReg", 3: "ChangeInputDelimiter", 4: "ForceListenOnlyMode",
		10: "ClearCtrDiagReg", 11: "RetBusMsgCount", 12: "RetBusCommErrCount", 13: "RetBusExcErrCount", 14: "RetServerMsgCount",
		15: "RetServerNoRespCount", 16: "RetServerNAKCount", 17: "RetServerBusyCount", 18: "RetBusCharOverrunCount",
		19: "RetOverrunErrCount", 20: "ClearOverrunCounterFlag", 21: "GetClearPlusStats",
	}
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return "Reserved"
}

// meiName returns EVE's name of a type of encapsulated interface.
func meiName(n uint16) string {
	switch n {
	case 13:
		return "CANOpenGenRefReqResp"
	case 14:
		return "RdDevId"
	}
	return "Unknown"
}

func categoryName(c int) string {
	switch c {
	case assigned:
		return "PUBLIC_ASSIGNED"
	case unassigned:
		return "PUBLIC_UNASSIGNED"
	case user:
		return "USER_DEFINED"
	}
	return "RESERVED"
}

// logAlert writes the request and the response of a transaction for an alert.
func logAlert(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
	t, ok := tx.(*Tx)
	if !ok {
		return
	}
	w.Object("modbus")
	w.Uint("id", t.Base().ID+1)
	if t.Asked {
		w.Object("request")
		t.side(t.Function, t.Request, t.RequestErrors, proto.ToServer, w)
		w.Close()
	}
	if t.Answered {
		w.Object("response")
		t.side(t.ResponseFunction, t.Response, t.ResponseErrors, proto.ToClient, w)
		w.Close()
	}
	w.Close()
}

// Bits of RequestErrors and ResponseErrors.
const (
	errDataValue = 1 << iota
	errDataLength
	errException
	errFunction
	errProtocol
)

// errorNames names the bits that are set.
func errorNames(bits byte) string {
	var list []string
	for i, s := range [...]string{"DATA_VALUE", "DATA_LENGTH", "EXC_CODE", "FUNC_CODE", "PROTO_ID"} {
		if bits&(1<<i) != 0 {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return "NONE"
	}
	return strings.Join(list, " | ")
}

// side writes one message.
func (t *Tx) side(raw byte, b []byte, errors byte, dir proto.Dir, w *jsonw.Writer) {
	fn := raw &^ exceptionBit
	w.Uint("transaction_id", uint64(t.ID))
	w.Uint("protocol_id", uint64(t.Protocol))
	w.Uint("unit_id", uint64(t.Unit))
	w.Uint("function_raw", uint64(raw))
	name, ok := functionNames()[fn]
	if !ok {
		name = "Unknown"
	}
	w.Str("function_code", name)
	access, ok := accessNames()[fn]
	if !ok {
		access = "NONE"
	}
	w.Str("access_type", access)
	w.Str("category", categoryName(category(fn, t.Sub)))
	w.Str("error_flags", errorNames(errors))
	switch {
	case raw&exceptionBit != 0 && dir == proto.ToClient && len(b) == 1:
		w.Object("exception")
		w.Uint("raw", uint64(b[0]))
		w.Str("code", exceptionName(b[0]))
		w.Close()
	case errors&errDataLength != 0 || raw&exceptionBit != 0:
		w.Text("data", b)
	case fn == fnDiagnostics && len(b) >= 2:
		w.Object("diagnostic")
		w.Uint("raw", uint64(word(b, 0)))
		w.Str("code", diagnosticName(uint16(word(b, 0))))
		w.Text("data", b[2:])
		w.Close()
	case fn == fnEncapsulated && len(b) >= 1:
		w.Object("mei")
		w.Uint("raw", uint64(b[0]))
		w.Str("code", meiName(uint16(b[0])))
		w.Text("data", b[1:])
		w.Close()
	case dir == proto.ToServer:
		asked(fn, b, w)
	default:
		answered(fn, b, w)
	}
}

// asked writes what a request reads and writes.
func asked(fn byte, b []byte, w *jsonw.Writer) {
	switch fn {
	case fnReadCoils, fnReadDiscretes, fnReadHolding, fnReadInput, fnReadWriteRegisters:
		if len(b) < 4 {
			break
		}
		w.Object("read")
		w.Uint("address", uint64(word(b, 0)))
		w.Uint("quantity", uint64(word(b, 2)))
		w.Close()
		if fn == fnReadWriteRegisters && len(b) >= 9 {
			several(b[4:], w)
		}
		return
	case fnWriteCoils, fnWriteRegisters:
		if len(b) < 5 {
			break
		}
		several(b, w)
		return
	case fnWriteCoil, fnWriteRegister, fnMaskWrite:
		if single(fn, b, w) {
			return
		}
	}
	w.Text("data", b)
}

// answered writes what a response holds.
func answered(fn byte, b []byte, w *jsonw.Writer) {
	switch fn {
	case fnReadCoils, fnReadDiscretes, fnReadHolding, fnReadInput, fnReadWriteRegisters:
		if len(b) < 1 {
			break
		}
		w.Object("read")
		w.Text("data", b[1:])
		w.Close()
		return
	case fnWriteCoil, fnWriteRegister, fnWriteCoils, fnWriteRegisters, fnMaskWrite:
		if single(fn, b, w) {
			return
		}
	}
	w.Text("data", b)
}

// several writes the write of several values: address, quantity, size, data.
func several(b []byte, w *jsonw.Writer) {
	w.Object("write")
	w.Uint("address", uint64(word(b, 0)))
	w.Uint("quantity", uint64(word(b, 2)))
	w.Text("data", b[5:])
	w.Close()
}

// single writes an address with one value or two masks.
func single(fn byte, b []byte, w *jsonw.Writer) bool {
	if len(b) < 4 || fn == fnMaskWrite && len(b) < 6 {
		return false
	}
	w.Object("write")
	w.Uint("address", uint64(word(b, 0)))
	if fn == fnMaskWrite {
		w.Uint("and_mask", uint64(word(b, 2)))
		w.Uint("or_mask", uint64(word(b, 4)))
	} else {
		w.Uint("data", uint64(word(b, 2)))
	}
	w.Close()
	return true
}
