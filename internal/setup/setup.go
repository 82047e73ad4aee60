// Package setup sets traffic mirroring up on AWS and keeps it so: it reads a
// description of what shall be (Spec), looks at what is (Observe), works out the
// calls that lead from one to the other (NewPlan) and makes them (Apply).
//
// It keeps no database. What belongs to a stack carries tags, and a run that was
// broken off is finished by running again: what was made is seen by its tags, a
// request whose answer was lost is repeated with the same client token, and what was
// made twice in spite of that is put back to one. A Journal lets the next run know
// what a describe call may not show yet.
//
// It speaks no protocol: the port Cloud does, whose adapter is awscloud. It
// does not watch packets: sensor and agent do. cmd/mirador calls it.
package setup

import "strings"

// The tags of everything that belongs to a stack.
const (
	TagStack   = "mirador:stack" // the name of the stack
	TagKey     = "mirador:key"   // which part of the stack; unique in it but during a replacement
	TagManaged = "managed-by"    // ManagedBy
	ManagedBy  = "mirador"
	tagName    = "Name"
	tagASG     = "aws:autoscaling:groupName" // AWS: tags of Auto Scaling groups
)

// The keys of the parts of a stack: a kind and, where there are several, what the
// part is for.
const (
	keyGroup     = "group"     // group/VPC
	keyInterface = "interface" // interface/INSTANCE/N
	keyBalancer  = "balancer"
	keyTargets   = "targetgroup"
	keyListener  = "listener"
	keyService   = "service"
	keyEndpoint  = "endpoint" // endpoint/SUBNET
	keyTarget    = "target"   // target/INSTANCE/N, target/nlb or target/SUBNET
	keyFilter    = "filter"
	keyRule      = "rule"    // rule/DIRECTION/NUMBER
	keySession   = "session" // session/ENI
)

// key joins the parts of a key.
func key(parts ...string) string { return strings.Join(parts, "/") }

// keyKind returns the first part of a key.
func keyKind(k string) string {
	kind, _, _ := strings.Cut(k, "/")
	return kind
}
