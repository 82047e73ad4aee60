package smb

import "mirador/internal/proto"

const (
	// DefaultMaxTx bounds the open transactions of a flow (setting max-tx,
	// Suricata: 1024). Beyond it the flow is given up: the other side is not seen or
	// does not answer.
	DefaultMaxTx = 1024
	// DefaultMaxIO is the largest read or write that is followed (settings
	// max-read-size, max-write-size; Suricata: 16 MiB). Servers offer 8 MiB at most.
	DefaultMaxIO = 16 << 20
	// DefaultQueueSize and DefaultQueueCount bound the parts of one file that wait
	// for those before them (settings max-read-queue-size and the like; Suricata:
	// 64 MiB and 64). MaxQueueSize, for all files of a flow together, keeps one flow
	// from taking the sensor's memory.
	DefaultQueueSize  = 16 << 20
	DefaultQueueCount = 64
	MaxQueueSize      = 64 << 20
	MaxQueueCount     = 4096
	// MaxFlowQueue bounds the waiting parts of all files of a flow, in bytes.
	MaxFlowQueue = 16 << 20
	// DefaultMaxStub is how many bytes of DCE/RPC stub data are kept per direction of
	// a transaction (setting dcerpc.max-stub-size, Suricata: 1 MiB), MaxStub bounds
	// the setting, MaxFlowStub what all transactions of a flow hold.
	DefaultMaxStub = 1 << 20
	MaxStub        = 16 << 20
	MaxFlowStub    = 16 << 20
	// MaxGUIDs bounds the open files whose names are remembered, MaxTrees the shares,
	// MaxPending the requests that wait for a response; the oldest are forgotten
	// (Suricata: 1024, 512 and the like).
	MaxGUIDs   = 1024
	MaxTrees   = 512
	MaxPending = 1024
	// MaxPipeData bounds the part of a DCE/RPC fragment that waits for the next read
	// of its pipe; a fragment has 65535 bytes at most. MaxPipes bounds the pipes.
	MaxPipeData = 64 << 10
	MaxPipes    = 128
	// MaxRecord is the longest message that is looked at as a whole; longer ones
	// that are neither a read nor a write are stepped over. Servers take 8 MiB but
	// clients use 64 KiB.
	MaxRecord = 1 << 20
	// MaxChain bounds the commands followed in one message (AndX chains, compounds);
	// Windows sends under ten.
	MaxChain = 64
	// MaxName bounds names kept, in bytes (UTF-16 before narrowing); Windows allows
	// 32767 characters in a path, real ones have under 260.
	MaxName = 8192
	// MaxDialects bounds the dialects kept of a negotiation, MaxDialect the bytes of
	// one (the longest there is has 27), MaxSNames the components of a Kerberos
	// service name.
	MaxDialects = 64
	MaxDialect  = 256
	MaxSNames   = 16
	// MaxOpenFiles bounds the files of a flow followed at once, in either direction.
	MaxOpenFiles = 512
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitFiles proto.LimitID = iota
	limitPending
	limitTrees
	limitGUIDs
	limitPipes
	limitStub
	limitChain
	limitDialects
)

func limitNames() []string {
	return []string{"files", "pending", "trees", "names", "pipes", "stub", "chain", "dialects"}
}
