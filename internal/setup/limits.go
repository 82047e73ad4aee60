package setup

import "time"

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
	// maxStack bounds the name of a stack, so that the names made of it fit those of
	// load balancers (32 characters).
	maxStack = 20

	// maxGroupRules bounds the inbound rules of a security group (the default quota).
	maxGroupRules = 60
	// maxRuleNumber bounds the numbers of filter rules.
	maxRuleNumber = 32766
	// minSensorVCPU and minSensorMiB are those of m5.xlarge.
	minSensorVCPU, minSensorMiB = 4, 16 << 10

	// maxFreshTries bounds how often a call is repeated that does not find what was
	// made a moment ago; with pauses that double from freshPause to maxPause it is
	// more than a minute.
	maxFreshTries = 12
	// maxInUseTries bounds how often a removal is repeated that others still hold up.
	maxInUseTries = 6
	// maxWaitTries bounds how often a wait looks; load balancers take minutes.
	maxWaitTries = 90
)

// The pauses between looks at what takes its time; each is twice the one before.
const (
	freshPause = 500 * time.Millisecond
	maxPause   = 10 * time.Second
)
