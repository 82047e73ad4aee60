package packet

// Event is a finding of the decoders about one packet: a header that is cut,
// impossible or odd. Its name is the one Suricata gives it (keyword decode-event,
// EVE anomaly.event).
type Event uint16
