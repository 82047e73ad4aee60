package smb

import (
	"sort"
	"strconv"
	"strings"
)

// ntName is an NTSTATUS value with its name.
type ntName struct {
	code uint32
	name string // with STATUS_
}

// names are the tables that the log needs; they are made once.
type names struct{ nt []ntName }

func newNames() *names {
	list := strings.Fields(ntStatus)
	n := &names{nt: make([]ntName, 0, len(list))}
	for _, s := range list {
		code, name, _ := strings.Cut(s, "=")
		if v, err := strconv.ParseUint(code, 16, 32); err == nil {
			n.nt = append(n.nt, ntName{uint32(v), "STATUS_" + name})
		}
	}
	return n
}

// status returns the name and the number of s as EVE shows them.
func (n *names) status(s status) (name, code string) {
	if s.nt {
		code = "0x" + strconv.FormatUint(uint64(s.code), 16)
		i := sort.Search(len(n.nt), func(i int) bool { return n.nt[i].code >= s.code })
		if i < len(n.nt) && n.nt[i].code == s.code {
			return n.nt[i].name, code
		}
		return strconv.FormatUint(uint64(s.code), 10), code
	}
	class, number := uint8(s.code), uint16(s.code>>16)
	code = "0x" + hex(uint64(number), 4)
	switch class {
	case 1:
		if int(number) < len(dosErrors) {
			return dosErrors[number], code
		}
	case 2:
		if number == 0x5b {
			return "SRV_BADUID", code
		}
		if number > 0 && int(number) < len(srvErrors) {
			return srvErrors[number], code
		}
	default:
		return "UNKNOWN_" + hex(uint64(class), 2) + "_" + hex(uint64(number), 4), code
	}
	return strconv.Itoa(int(number)), code
}

// hex writes v with at least n digits.
func hex(v uint64, n int) string {
	s := strconv.FormatUint(v, 16)
	if len(s) < n {
		s = strings.Repeat("0", n-len(s)) + s
	}
	return s
}

// Errors of the classes ERRDOS and ERRSRV. [MS-CIFS] section 2.2.2.4.
var (
	dosErrors = [...]string{"DOS_SUCCESS", "DOS_BAD_FUNC", "DOS_BAD_FILE", "DOS_BAD_PATH", "DOS_TOO_MANY_OPEN_FILES", "DOS_ACCESS_DENIED"}
	srvErrors = [...]string{"", "SRV_ERROR", "SRV_BADPW", "SRV_BADTYPE", "SRV_ACCESS"}
)

// commands2 are the commands of SMB2, by number.
var commands2 = [...]string{
	"NEGOTIATE_PROTOCOL", "SESSION_SETUP", "SESSION_LOGOFF", "TREE_CONNECT", "TREE_DISCONNECT", "CREATE", "CLOSE",
	"FLUSH", "READ", "WRITE", "LOCK", "IOCTL", "CANCEL", "KEEPALIVE", "FIND", "CHANGE_NOTIFY", "GET_INFO", "SET_INFO",
	"OPLOCK_BREAK",
}

// commandName returns the name of a command as EVE shows it.
func commandName(version uint8, cmd uint16) string {
	if version == 2 {
		if int(cmd) < len(commands2) {
			return "SMB2_COMMAND_" + commands2[cmd]
		}
		return strconv.Itoa(int(cmd))
	}
	if s := command1(cmd); s != "" {
		return "SMB1_COMMAND_" + s
	}
	return strconv.Itoa(int(cmd))
}

func command1(cmd uint16) string {
	switch cmd {
	case 0x00:
		return "CREATE_DIRECTORY"
	case 0x01:
		return "DELETE_DIRECTORY"
	case 0x02:
		return "OPEN"
	case 0x03:
		return "CREATE"
	case 0x04:
		return "CLOSE"
	case 0x05:
		return "FLUSH"
	case 0x06:
		return "DELETE"
	case 0x07:
		return "RENAME"
	case 0x08:
		return "QUERY_INFORMATION"
	case 0x09:
		return "SET_INFORMATION"
	case 0x0a:
		return "READ"
	case 0x0b:
		return "WRITE"
	case 0x0c:
		return "LOCK_BYTE_RANGE"
	case 0x0d:
		return "UNLOCK_BYTE_RANGE"
	case 0x0e:
		return "CREATE_TEMPORARY"
	case 0x0f:
		return "CREATE_NEW"
	case 0x10:
		return "CHECK_DIRECTORY"
	case 0x11:
		return "PROCESS_EXIT"
	case 0x12:
		return "SEEK"
	case 0x13:
		return "LOCK_AND_READ"
	case 0x14:
		return "WRITE_AND_UNLOCK"
	case 0x24:
		return "LOCKING_ANDX"
	case 0x25:
		return "TRANS"
	case 0x2b:
		return "ECHO"
	case 0x2c:
		return "WRITE_AND_CLOSE"
	case 0x2d:
		return "OPEN_ANDX"
	case 0x2e:
		return "READ_ANDX"
	case 0x2f:
		return "WRITE_ANDX"
	case 0x32:
		return "TRANS2"
	case 0x33:
		return "TRANS2_SECONDARY"
	case 0x34:
		return "FIND_CLOSE2"
	case 0x71:
		return "TREE_DISCONNECT"
	case 0x72:
		return "NEGOTIATE_PROTOCOL"
	case 0x73:
		return "SESSION_SETUP_ANDX"
	case 0x74:
		return "LOGOFF_ANDX"
	case 0x75:
		return "TREE_CONNECT_ANDX"
	case 0x80:
		return "QUERY_INFO_DISK"
	case 0xa0:
		return "NT_TRANS"
	case 0xa1:
		return "NT_TRANS_SECONDARY"
	case 0xa2:
		return "NT_CREATE_ANDX"
	case 0xa4:
		return "NT_CANCEL"
	}
	return ""
}

// dialectName returns the name of an SMB2 dialect as EVE shows it.
func dialectName(d uint16) string {
	switch d {
	case 0:
		return "unknown"
	case 0x0202:
		return "2.02"
	case 0x0210:
		return "2.10"
	case 0x0222:
		return "2.22"
	case 0x0224:
		return "2.24"
	case 0x02ff:
		return "2.??"
	case 0x0300:
		return "3.00"
	case 0x0302:
		return "3.02"
	case 0x0310:
		return "3.10"
	case 0x0311:
		return "3.11"
	}
	return strconv.Itoa(int(d))
}

// dispositions of a create, by number.
var dispositions = [...]string{
	"FILE_SUPERSEDE", "FILE_OPEN", "FILE_CREATE", "FILE_OPEN_IF", "FILE_OVERWRITE", "FILE_OVERWRITE_IF",
}

// shareTypes of SMB2, by number.
var shareTypes = [...]string{"UNKNOWN", "FILE", "PIPE", "PRINT"}

// functionName returns the name of a control code as EVE shows it.
func functionName(f uint32) string {
	for _, x := range &functions {
		if x.code == f {
			return x.name
		}
	}
	return strconv.FormatUint(uint64(f), 10)
}
