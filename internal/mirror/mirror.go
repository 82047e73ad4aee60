// Package mirror holds the nouns of AWS VPC Traffic Mirroring and AWS's rules about
// them, for the sensor, the endpoint, the data plane and the tools.
//
// A Book keeps targets, filters and sessions of one account, and refuses what EC2 refuses,
// with its codes. Compile turns the sessions of one source interface into a Program, which
// decides packet by packet, or explains. path.go judges the way of mirrored packets
// through groups, network ACLs and routes. ParseSpec reads all of it from files, and
// LintSpec looks for what is wrong. Where AWS's documentation leaves something open there
// is a switch (switches.go).
//
// source.go and sources_file.go answer the sensor's question: which session, interface and
// instance did an encapsulated packet come from?
//
// Nothing here opens files, locks or reads a clock. Bounds are in limits.go and at the
// readers; Decide, Direction and SourcePort allocate nothing.
package mirror
