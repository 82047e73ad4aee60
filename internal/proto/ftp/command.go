package ftp

// command is a command with a known name.
type command uint8

// The commands that matter beyond their name; the others are numbered behind them.
const (
	cmdNone command = iota
	cmdPort
	cmdEprt
	cmdPasv
	cmdEpsv
	cmdRetr
	cmdStor
	cmdStou
	cmdAppe
	cmdList
	cmdNlst
	cmdMlsd
	cmdAuthTLS
	cmdAuthSSL
	cmdAuthTLSName // as Suricata spells it
	cmdFirstPlain
)

// names are the commands by number. Suricata knows those but AUTH.
var names = [...]string{
	cmdPort: "PORT", cmdEprt: "EPRT", cmdPasv: "PASV", cmdEpsv: "EPSV",
	cmdRetr: "RETR", cmdStor: "STOR", cmdStou: "STOU", cmdAppe: "APPE",
	cmdList: "LIST", cmdNlst: "NLST", cmdMlsd: "MLSD",
	cmdAuthTLS: "AUTH TLS", cmdAuthSSL: "AUTH SSL", cmdAuthTLSName: "AUTH_TLS",
	cmdFirstPlain: "USER",
	"PASS", "ACCT", "CWD", "CDUP", "SMNT", "REIN", "QUIT", "TYPE", "STRU", "MODE", "ALLO", "REST", "RNFR", "RNTO",
	"ABOR", "DELE", "RMD", "MKD", "PWD", "SITE", "SYST", "STAT", "HELP", "NOOP", "MAIL", "MLFL", "MDTM", "MSND",
	"MSOM", "MSAM", "MRSQ", "MRCP", "SIZE", "CHMOD", "UMASK", "IDLE",
}

func (c command) String() string { return names[c] }

// transfers tells whether c uses a data connection.
func (c command) transfers() bool { return c >= cmdRetr && c <= cmdMlsd }

// addresses tells whether c settles the address of the data connection.
func (c command) addresses() bool { return c >= cmdPort && c <= cmdEpsv }

// tls tells whether c asks for TLS.
func (c command) tls() bool { return c >= cmdAuthTLS && c <= cmdAuthTLSName }

// lookup lists the commands by their last four letters, or all three of them.
func lookup() map[uint32]command {
	m := make(map[uint32]command, len(names))
	for i, n := range names {
		if n == "" {
			continue
		}
		var k uint32
		for j := max(0, len(n)-4); j < len(n); j++ {
			k = k<<8 | uint32(n[j])
		}
		// Of AUTH TLS and AUTH SSL only one is found by " TLS" and " SSL": itself.
		m[k] = command(i)
	}
	return m
}

// find returns the command whose name ends first in line, wherever it is: so does
// Suricata.
func (o *options) find(line []byte) command {
	var k uint32
	for i, b := range line {
		if b >= 'a' && b <= 'z' {
			b -= 'a' - 'A'
		}
		k = k<<8 | uint32(b)
		if i < 2 {
			continue
		}
		if c := o.names[k&0xffffff]; c != cmdNone && len(names[c]) == 3 {
			return c
		}
		if c := o.names[k]; c != cmdNone && i+1 >= len(names[c]) && ends(line[:i+1], names[c]) {
			return c
		}
	}
	return cmdNone
}

// ends tells whether line ends in name, which is in upper case.
func ends(line []byte, name string) bool {
	line = line[len(line)-len(name):]
	for i, b := range line {
		if b >= 'a' && b <= 'z' {
			b -= 'a' - 'A'
		}
		if b != name[i] {
			return false
		}
	}
	return true
}
