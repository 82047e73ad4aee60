// Package agent is the software mirror: it reads the frames of one interface, asks a
// mirror.Program which session takes each, cuts the frame, puts it into VXLAN in the
// form AWS gives it, and hands it to a Sender in batches.
//
// It knows nothing of the endpoint, and resolves nothing: the caller compiles the
// program, finds the targets and says in a Plan where each session goes. A Plan is
// immutable and is swapped between two batches. Nothing is allocated per packet. Every
// frame seen ends in exactly one place of the ledger (Counters).
package agent
