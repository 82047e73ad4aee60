// Package smb follows SMB 1, 2 and 3 over NetBIOS session service or TCP alone,
// for detection and logging: negotiation, sessions with their NTLMSSP or Kerberos
// names, shares, files and what is read from and written to them, and DCE/RPC
// over named pipes.
//
// A request with its response is one transaction; all reads of one file, and all
// writes to it, are one transaction each, which carries the file. Requests that
// say little (queries of information, reads and writes of files) have none of
// their own. Encrypted messages are stepped over. It is no client and no server.
//
// Wire form: RFC 1001/1002 (session service), [MS-CIFS], [MS-SMB], [MS-SMB2],
// [MS-NLMP], RFC 4178 (SPNEGO), RFC 4120 (Kerberos).
package smb

import (
	"fmt"

	"mirador/internal/proto"
	"mirador/internal/proto/netfs"
)

// Indexes into the event names.
const (
	EventInternalError proto.EventID = iota
	EventRecordOverflow
	EventMalformedData
	EventMalformedNTLMSSPRequest
	EventMalformedNTLMSSPResponse
	EventDuplicateNegotiate
	EventNegotiateMalformedDialects
	EventFileOverlap
	EventRequestToClient
	EventResponseToServer
	EventNegotiateMaxReadSizeTooLarge
	EventNegotiateMaxWriteSizeTooLarge
	EventReadRequestTooLarge
	EventReadResponseTooLarge
	EventReadQueueSizeExceeded
	EventReadQueueCntExceeded
	EventWriteRequestTooLarge
	EventWriteQueueSizeExceeded
	EventWriteQueueCntExceeded
	EventUnusualNTLMSSPOrder
	EventTooManyTransactions
	EventTruncatedFileData
)

func events() []string {
	return []string{
		"internal_error",
		"record_overflow",
		"malformed_data",
		"malformed_ntlmssp_request",
		"malformed_ntlmssp_response",
		"duplicate_negotiate",
		"negotiate_malformed_dialects",
		"file_overlap",
		"request_to_client",
		"response_to_server",
		"negotiate_max_read_size_too_large",
		"negotiate_max_write_size_too_large",
		"read_request_too_large",
		"read_response_too_large",
		"read_queue_size_exceeded",
		"read_queue_cnt_exceeded",
		"write_request_too_large",
		"write_queue_size_exceeded",
		"write_queue_cnt_exceeded",
		"unusual_ntlmssp_order",
		"too_many_transactions",
		"truncated_file_data",
	}
}

// Protocol returns the row of SMB. Its Log writes every transaction; Logger
// chooses.
func Protocol() *proto.Protocol {
	names := newNames()
	return &proto.Protocol{
		Name:        "smb",
		TxID:        true,
		Files:       proto.DirServer | proto.DirClient,
		Transport:   proto.TCP,
		Ports:       []uint16{445, 139},
		Probe:       probe,
		Configure:   configure,
		Done:        [2]uint8{1, 1},
		Fields:      fields(),
		Events:      events(),
		Limits:      limitNames(),
		LowerEvents: true,
		RawByChunk:  true,
		StreamDepth: streamDepth,
		Frames: []string{
			"nbss.pdu", "nbss.hdr", "nbss.data", "smb1.pdu", "smb1.hdr", "smb1.data",
			"smb2.pdu", "smb2.hdr", "smb2.data", "smb3.pdu", "smb3.hdr", "smb3.data",
		},
		Log: names.logger(LogOptions{}),
	}
}

// config is what the settings say; every flow's parser shares one.
type config struct {
	maxTx    int
	maxStub  int
	maxRead  uint32 // bytes asked for or answered at once, 0 no limit
	maxWrite uint32
	// Out of order parts of one file: bytes and number, 0 no limit.
	readQueue, writeQueue   netfs.Limit
	maxGUIDs, maxTrees      int
	maxPending, maxPipeData int
}

// streamDepth reads stream-depth: SMB is followed to its end unless it says
// otherwise.
func streamDepth(s proto.Settings) (int64, bool) {
	if n, ok := s.Size("stream-depth"); ok {
		return n, true
	}
	return 0, true
}

// configure reads app-layer.protocols.smb: max-tx, max-read-size,
// max-write-size, max-read-queue-size, max-read-queue-cnt, max-write-queue-size,
// max-write-queue-cnt, dcerpc.max-stub-size and the cache sizes.
func configure(s proto.Settings) (proto.Factory, error) {
	cfg := &config{
		maxTx: DefaultMaxTx, maxStub: DefaultMaxStub, maxRead: DefaultMaxIO, maxWrite: DefaultMaxIO,
		readQueue:  netfs.Limit{Size: DefaultQueueSize, Count: DefaultQueueCount},
		writeQueue: netfs.Limit{Size: DefaultQueueSize, Count: DefaultQueueCount},
		maxGUIDs:   MaxGUIDs, maxTrees: MaxTrees, maxPending: MaxPending, maxPipeData: MaxPipeData,
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
		size("max-tx", &cfg.maxTx, 1, proto.MaxTxs),
		size("max-read-size", &read, 0, 1<<32-1),
		size("max-write-size", &write, 0, 1<<32-1),
		size("max-read-queue-size", &cfg.readQueue.Size, 0, MaxQueueSize),
		size("max-write-queue-size", &cfg.writeQueue.Size, 0, MaxQueueSize),
		size("max-read-queue-cnt", &cfg.readQueue.Count, 0, MaxQueueCount),
		size("max-write-queue-cnt", &cfg.writeQueue.Count, 0, MaxQueueCount),
		size("max-guid-cache-size", &cfg.maxGUIDs, 1, MaxGUIDs),
		size("max-session-cache-size", &cfg.maxTrees, 1, MaxTrees),
		size("max-rec-offset-cache-size", &cfg.maxPending, 1, MaxPending),
		size("dcerpc.max-stub-size", &cfg.maxStub, 0, MaxStub),
	} {
		if e != nil {
			return nil, e
		}
	}
	cfg.maxRead, cfg.maxWrite = uint32(read), uint32(write)
	// 0 is no limit of the file's own. Those of the flow hold, and the parts that wait
	// are walked for each other one.
	for _, q := range []*netfs.Limit{&cfg.readQueue, &cfg.writeQueue} {
		if q.Count == 0 {
			q.Count = MaxQueueCount
		}
	}
	return func(c *proto.Conn) proto.Parser { return newParser(c, cfg) }, nil
}
