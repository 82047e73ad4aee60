package dcerpc

import "mirador/internal/proto"

const (
	// DefaultMaxTx bounds the transactions alive in a flow (setting max-tx;
	// Suricata's default is 1024, proto.MaxTxs is the house's bound). The oldest
	// are ended beyond it.
	DefaultMaxTx = 512
	// DefaultMaxStub is how many bytes of stub data are kept per direction of a
	// transaction (setting max-stub-size, Suricata: 1 MiB).
	DefaultMaxStub = 1 << 20
	// MaxStub bounds the setting, so that MaxTxs transactions of one flow stay in
	// reach of a sensor's memory.
	MaxStub = 16 << 20
	// MaxFlowStub bounds the stub data that all calls of a flow without their end hold
	// together; clients have a handful of calls under way.
	MaxFlowStub = 8 << 20
	// MaxContexts bounds the presentation contexts kept of one bind and of one
	// flow. A bind names at most 255; real clients stay below 40.
	MaxContexts = 255

	headerLen = 16 // common header of version 5
	dgLen     = 80 // header of version 4
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitStub proto.LimitID = iota
	limitContexts
)

func limitNames() []string {
	return []string{"stub", "contexts"}
}
