// Package mirror holds the nouns of AWS VPC Traffic Mirroring as the sensor and
// the tools need them.
//
// The attribution part (source.go, sources_file.go) answers one question of the
// packet path: which mirror session, network interface and instance did an
// encapsulated packet come from? A SourceTable is immutable; the sensor swaps a
// new one in. Nothing here opens files, locks or reads a clock.
package mirror
