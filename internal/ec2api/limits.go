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
	// readTimeout, writeTimeout and idleTimeout bound a connection.
	readTimeout  = 30 * time.Second
	writeTimeout = 60 * time.Second
	idleTimeout  = 2 * time.Minute
)
