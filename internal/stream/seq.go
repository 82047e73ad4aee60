package stream

// Sequence numbers live on a circle (RFC 9293 section 3.4): a comes before b when
// the way from a to b is shorter than the way round.

func seqLT(a, b uint32) bool { return int32(a-b) < 0 }
func seqLE(a, b uint32) bool { return int32(a-b) <= 0 }
func seqGT(a, b uint32) bool { return int32(a-b) > 0 }
func seqGE(a, b uint32) bool { return int32(a-b) >= 0 }
