// Package nfs follows NFS 2, 3 and 4 over ONC RPC, TCP and UDP, for detection and
// logging: calls with their replies, the names behind file handles, and the files
// that are read and written.
//
// A call with its reply is one transaction; all reads of one file, and all writes to
// it, are one transaction each, which carries the file. Of NFS 4 only what reads,
// writes, makes or removes files has transactions, as in Suricata. Calls to other RPC
// programs on the same connection are stepped over. It is no client and no server.
//
// Wire form: RFC 5531 (RPC), RFC 4506 (XDR), RFC 1094 (NFS 2), RFC 1813 (NFS 3),
// RFC 7530, 5661 and 7862 (NFS 4).
package nfs

import (
	"fmt"

	"mirador/internal/proto"
	"mirador/internal/proto/netfs"
)

// Indexes into the event names.
const (
	EventMalformedData proto.EventID = iota
	EventNonExistingVersion
	EventUnsupportedVersion
	EventTooManyTransactions
	EventWriteRequestTooLarge
	EventReadResponseTooLarge
	EventReadQueueSizeExceeded
	EventReadQueueCntExceeded
	EventWriteQueueSizeExceeded
	EventWriteQueueCntExceeded
	EventTruncatedFileData
)

func events() []string {
	return []string{
		"malformed_data",
		"non_existing_version",
		"unsupported_version",
		"too_many_transactions",
		"write_request_too_large",
		"read_response_too_large",
		"read_queue_size_exceeded",
		"read_queue_cnt_exceeded",
		"write_queue_size_exceeded",
		"write_queue_cnt_exceeded",
		"truncated_file_data",
	}
}

// Protocol returns the row of NFS.
func Protocol() *proto.Protocol {
	names := newNames()
	return &proto.Protocol{
		Name:        "nfs",
		Files:       proto.DirServer | proto.DirClient,
		Transport:   proto.TCP | proto.UDP,
		Ports:       []uint16{port},
		Probe:       probe,
		Configure:   configure,
		Done:        [2]uint8{1, 1},
		Fields:      fields(),
		Events:      events(),
		Limits:      limitNames(),
		LowerEvents: true,
		RawByChunk:  true,
		Frames: []string{
			"rpc.pdu", "rpc.hdr", "rpc.data", "rpc.creds", "nfs.pdu", "nfs.status",
			"nfs4.pdu", "nfs4.hdr", "nfs4.ops", "nfs4.status",
		},
		Log:      names.log,
		LogAlert: names.logAlert,
	}
}

// fields are the keywords of NFS.
func fields() []proto.Field {
	return []proto.Field{
		{
			Name: "nfs_procedure", Kind: proto.Custom, ToServer: true,
			Compile: compile(func(t *Tx) uint32 { return t.Procedure }),
			Doc:     "number of the procedure, in NFS 4 of the operation",
		},
		{
			Name: "nfs.version", Aliases: []string{"nfs_version"}, Kind: proto.Custom, ToServer: true,
			Compile: compile(func(t *Tx) uint32 { return t.Version }),
			Doc:     "version of NFS: 2, 3 or 4",
		},
	}
}

// config is what the settings say; every flow's parser shares one.
type config struct {
	maxTx                 int
	maxRead, maxWrite     uint32
	readQueue, writeQueue netfs.Limit
}

// configure reads app-layer.protocols.nfs: max-tx, and the limits of reads and
// writes under the names that SMB has: max-read-size, max-write-size,
// max-read-queue-size, max-read-queue-cnt, max-write-queue-size,
// max-write-queue-cnt.
func configure(s proto.Settings) (proto.Factory, error) {
	cfg := &config{
		maxTx: DefaultMaxTx, maxRead: DefaultMaxIO, maxWrite: DefaultMaxIO,
		readQueue:  netfs.Limit{Size: DefaultQueueSize, Count: DefaultQueueCount},
		writeQueue: netfs.Limit{Size: DefaultQueueSize, Count: DefaultQueueCount},
	}
	size := func(key string, to *int, least, most int64) error {
		n, ok := s.Size(key)
		if !ok {
			return nil
		}
		if n < least {
			return fmt.Errorf("%s: %d is less than %d", key, n, least)
		}
		*to = int(min(n, most))
		return nil
	}
	read, write := int(cfg.maxRead), int(cfg.maxWrite)
	for _, e := range []error{
		size("max-tx", &cfg.maxTx, 1, DefaultMaxTx),
		size("max-read-size", &read, 0, 1<<32-1),
		size("max-write-size", &write, 0, 1<<32-1),
		size("max-read-queue-size", &cfg.readQueue.Size, 0, MaxQueueSize),
		size("max-write-queue-size", &cfg.writeQueue.Size, 0, MaxQueueSize),
		size("max-read-queue-cnt", &cfg.readQueue.Count, 0, MaxQueueCount),
		size("max-write-queue-cnt", &cfg.writeQueue.Count, 0, MaxQueueCount),
	} {
		if e != nil {
			return nil, e
		}
	}
	cfg.maxRead, cfg.maxWrite = uint32(read), uint32(write)
	return func(c *proto.Conn) proto.Parser { return newParser(c, cfg) }, nil
}
