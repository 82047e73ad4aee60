package nfs

import "mirador/internal/proto"

const (
	// DefaultMaxTx bounds the open transactions of a flow (setting max-tx,
	// Suricata: 1024); beyond it the oldest is ended with an event. It leaves room for
	// complete ones below the bound that every flow has.
	DefaultMaxTx = proto.MaxTxs - 64
	// DefaultMaxIO is the largest read or write that is followed (settings
	// max-read-size, max-write-size; Suricata: 16 MiB). Servers offer 1 MiB.
	DefaultMaxIO = 16 << 20
	// DefaultQueueSize and DefaultQueueCount bound the parts of one file that wait
	// for those before them (settings max-read-queue-size and the like; Suricata:
	// 64 MiB and 64). MaxQueueSize and MaxQueueCount bound the settings, MaxFlowQueue
	// all files of a flow together, in bytes.
	DefaultQueueSize  = 16 << 20
	DefaultQueueCount = 64
	MaxQueueSize      = 64 << 20
	MaxQueueCount     = 4096
	MaxFlowQueue      = 16 << 20
	// MaxPending bounds the calls that wait for their replies; the oldest are
	// forgotten. Clients have 128 under way at most.
	MaxPending = 1024
	// MaxNames bounds the names known of file handles; the oldest are forgotten.
	MaxNames = 1024
	// MaxName bounds names kept, in bytes; file systems allow 255.
	MaxName = 1024
	// MaxHandle bounds file handles, in bytes: NFS 3 allows 64, NFS 4 128.
	MaxHandle = 256
	// MaxRecord is the longest message that is looked at as a whole. A read or a
	// write is followed piece by piece, at any length; other longer ones are stepped
	// over. MaxTail bounds what is looked at behind the data of a read or write.
	MaxRecord = 1 << 20
	MaxTail   = 64 << 10
	// FirstLook is how much of a message is waited for before it is looked at for file
	// data that need not be waited for.
	FirstLook = 256
	// MaxOps bounds the operations followed in one NFS 4 compound (Linux sends under
	// 20), MaxReads the reads in it.
	MaxOps   = 256
	MaxReads = 16
	// MaxEntries bounds the directory entries taken from one reply.
	MaxEntries = 4096
	// MaxWritten bounds the finished writes that are logged only when the flow ends.
	MaxWritten = 16
	// MaxOpenFiles bounds the files of a flow followed at once, in either direction.
	MaxOpenFiles = 512
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitFiles proto.LimitID = iota
	limitCalls
	limitFileNames
	limitRecord
	limitOps
	limitReads
	limitEntries
)

func limitNames() []string {
	return []string{"files", "calls", "names", "record", "operations", "reads", "entries"}
}
