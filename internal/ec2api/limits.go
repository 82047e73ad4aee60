package ec2api

import "time"

// Bounds of what a client can make the endpoint hold or do.
const (
	// maxBody is the longest request body in bytes: EC2 takes 64 KiB of user data and
	// thousands of ids; 1 MiB is beyond every documented request.
	maxBody = 1 << 20
	// maxParams is how many parameters one request may have: 1,000 ids and 200 filter
	// values with room to spare.
	maxParams = 10_000
	// maxDepth is how deep parameter names may nest; the deepest of the models is 7.
	maxDepth = 12
	// maxIndex is the highest list index in a parameter name.
	maxIndex = 100_000
	// maxFilterValues is EC2's own limit of filter values in one call.
	maxFilterValues = 200
	// maxTags is how many tags a resource can have (AWS: tag restrictions).
	maxTags = 50
	// maxTokens is how many client tokens of actions outside mirroring are remembered; the
	// oldest go first. They are in every write of the state file; AWS remembers them for
	// minutes to a day.
	maxTokens = 2_000
	// maxClockSkew is how far a signature's time may be from ours (AWS: 15 minutes).
	maxClockSkew = 15 * time.Minute
	// maxSessions is how many sessions of AssumeRole are remembered.
	maxSessions = 10_000
	// maxLagStates is how many old states are kept for the describe lag.
	maxLagStates = 1_000
	// maxInstancesPerRun is how many instances one RunInstances starts.
	maxInstancesPerRun = 1_000
	// maxResources bounds each table of resources: far above the accounts quotas of AWS,
	// far below what would hurt.
	maxResources = 100_000
	// maxStateFile is the longest state file that is read, in bytes.
	maxStateFile = 1 << 30
	// terminatedFor is how long a terminated instance stays visible, as in EC2.
	terminatedFor = time.Hour
	// maxQueueMessages and maxQueueBytes bound the messages of one queue, maxBrokerBytes
	// those of all queues: events of thousands of instances, far below AWS's 120,000
	// messages in flight. What finds no room is refused or, of events, dropped and counted.
	maxQueueMessages = 10_000
	maxQueueBytes    = 16 << 20
	maxBrokerBytes   = 64 << 20
	// maxMessage is the longest message body in bytes (AWS: SQS quotas), within maxBody.
	maxMessage = 1 << 20
	// maxPattern is the longest event pattern in bytes, maxPatternTests how many values and
	// tests it may have, maxRuleTargets the targets of a rule (AWS: EventBridge quotas; the
	// second is ours: it bounds the work of one event).
	maxPattern      = 4096
	maxPatternTests = 1_000
	maxRuleTargets  = 5
	// maxEvents is how many entries one PutEvents takes (AWS: EventBridge quotas).
	maxEvents = 10
	// readTimeout, writeTimeout and idleTimeout bound a connection.
	readTimeout  = 30 * time.Second
	writeTimeout = 60 * time.Second
	idleTimeout  = 2 * time.Minute
)
