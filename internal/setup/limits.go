package setup

// Bounds of what is read and made. AWS: traffic-mirroring-limits,
// VPC quotas; read 2026-09.
const (
	// MaxSpec bounds mirror.yaml in bytes. A thousand selectors fit.
	MaxSpec = 1 << 20
	// maxSpecErrors bounds the problems of a spec that are reported together.
	maxSpecErrors = 50
	// maxSelectors bounds include and exclude lists; each interface is compared with each.
	maxSelectors = 200
	// maxSensors bounds the sensors of a spec.
	maxSensors = 100
	// maxTags bounds the tags of a spec: AWS takes 50 on a resource, ours take four.
	maxTags = 40
	// maxTagKey and maxTagValue are in characters. AWS: tag restrictions.
	maxTagKey, maxTagValue = 128, 256
	// maxStack bounds the name of a stack, so that the names made of it fit those of
	// load balancers (32 characters).
	maxStack = 20

	// MaxRulesPerFilter counts the rules of both directions together.
	MaxRulesPerFilter = 10
	// MaxSessionsPerInterface bounds the sessions of one source.
	MaxSessionsPerInterface = 3
	// MaxSessions, MaxTargets and MaxFilters are per account and region.
	MaxSessions, MaxTargets, MaxFilters = 10000, 10000, 10000
	// maxGroupRules bounds the inbound rules of a security group (the default quota).
	maxGroupRules = 60
	// maxSessionNumber is the largest session number.
	maxSessionNumber = 32766
	// maxPacketLength is the largest packet length, and what sessions of load balancers have
	// when nothing is said.
	maxPacketLength = 8500
	// minSensorVCPU and minSensorMiB are those of m5.xlarge.
	minSensorVCPU, minSensorMiB = 4, 16 << 10

	// maxFreshTries bounds how often a call is repeated that does not find what was
	// made a moment ago; with pauses that double from freshPause to maxPause it is
	// more than a minute.
	maxFreshTries = 12
	// maxWaitTries bounds how often a wait looks; load balancers take minutes.
	maxWaitTries = 90
)
