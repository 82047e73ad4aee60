package ftp

import (
	"errors"
	"strings"

	"mirador/internal/proto"
)

// bytesOf makes the Get of a field of commands.
func bytesOf(f func(t *Tx, i int) ([]byte, bool)) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || t.cmd == cmdNone {
			return nil, false
		}
		return f(t, i)
	}
}

// ofReply makes the Get of a field of each line of the reply.
func ofReply(get func(*Reply) []byte) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return bytesOf(func(t *Tx, i int) ([]byte, bool) {
		if i >= len(t.replies) {
			return nil, false
		}
		return get(&t.replies[i]), true
	})
}

// matcher makes a TxMatcher of a condition on commands.
func matcher(f func(t *Tx) bool) proto.TxMatcher {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) bool {
		t, ok := tx.(*Tx)
		return ok && t.cmd != cmdNone && f(t)
	}
}

// fields are the keywords of the control connection. None of them looks at replies
// without a command.
func fields() []proto.Field {
	done := [2]uint8{Complete, Complete}
	return []proto.Field{
		{Name: "ftp.command", ToServer: true, MinProgress: done, Get: bytesOf(func(t *Tx, _ int) ([]byte, bool) {
			return []byte(t.Command()), true
		}), Doc: "name of an FTP command, in upper case"},
		{Name: "ftp.command_data", ToServer: true, MinProgress: done, Get: bytesOf(func(t *Tx, _ int) ([]byte, bool) {
			return t.arg, t.arg != nil
		}), Doc: "what follows the name of an FTP command"},
		{Name: "ftp.completion_code", ToClient: true, MinProgress: done, Multi: true,
			Get: ofReply(func(r *Reply) []byte { return r.Code }),
			Doc: "code of each line of the reply to an FTP command; empty for a line without one"},
		{Name: "ftp.reply", ToClient: true, MinProgress: done, Multi: true,
			Get: ofReply(func(r *Reply) []byte { return r.Text }),
			Doc: "each line of the reply to an FTP command, without its code"},
		{Name: "ftp.dynamic_port", Kind: proto.Number, Bits: 16, ToServer: true, ToClient: true, MinProgress: done,
			Uint: func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, _ int) (uint64, bool) {
				t, ok := tx.(*Tx)
				if !ok || t.cmd == cmdNone || t.port == 0 {
					return 0, false
				}
				return uint64(t.port), true
			}, Doc: "port of the data connection that an FTP command or its reply names"},
		{Name: "ftp.mode", Kind: proto.Custom, ToServer: true, ToClient: true, MinProgress: done,
			Compile: compileMode, Doc: "way of the data connection: active or passive"},
		{Name: "ftp.reply_received", Kind: proto.Custom, ToClient: true, MinProgress: done,
			Compile: compileReceived, Doc: "whether an FTP command was answered: yes or no"},
		{Name: "ftpbounce", Kind: proto.Custom, ToServer: true, MinProgress: done,
			Compile: compileBounce, Doc: "FTP PORT with an address that is not the client's"},
	}
}

func compileMode(arg string) (proto.TxMatcher, error) {
	arg = strings.TrimSpace(arg)
	if !strings.EqualFold(arg, "active") && !strings.EqualFold(arg, "passive") {
		return nil, errors.New("the mode is active or passive")
	}
	return matcher(func(t *Tx) bool { return t.port != 0 && strings.EqualFold(t.mode(), arg) }), nil
}

func compileReceived(arg string) (proto.TxMatcher, error) {
	switch strings.ToLower(strings.TrimSpace(arg)) {
	case "yes", "on", "true", "1":
		return matcher(func(t *Tx) bool { return t.received }), nil
	case "no", "off", "false", "0":
		return matcher(func(t *Tx) bool { return !t.received }), nil
	}
	return nil, errors.New("give yes or no")
}

func compileBounce(arg string) (proto.TxMatcher, error) {
	if arg != "" {
		return nil, errors.New("ftpbounce takes no argument")
	}
	return matcher(func(t *Tx) bool { return t.bounce }), nil
}

// dataFields are the keywords of data connections.
func dataFields() []proto.Field {
	return []proto.Field{
		{Name: "ftpdata_command", Kind: proto.Custom, ToServer: true, ToClient: true, Compile: func(arg string) (proto.TxMatcher, error) {
			name := strings.ToUpper(strings.TrimSpace(arg))
			if name != "RETR" && name != "STOR" {
				return nil, errors.New("the command is retr or stor")
			}
			return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) bool {
				t, ok := tx.(*DataTx)
				return ok && t.Transfer.Command == name
			}, nil
		}, Doc: "command that an FTP data connection was opened for: retr or stor"},
	}
}
