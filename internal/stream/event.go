package stream

// Event is a finding of the TCP engine about one packet, under Suricata's name
// (keyword stream-event, EVE anomaly.event with "stream." before it).
type Event uint8

// The stream events.
const (
	EvAckInWrongDir Event = iota
	EvAsyncWrongSeq
	EvRightSeqWrongAck
	EvSynackInWrongDir
	EvSynackDifferentAck
	EvSynackDifferentSeq
	EvSynackToServerOnSynRecv
	EvSynackWrongAck
	EvSynackFlood
	EvSynFlood
	EvSynDifferentSeqOnSynRecv
	EvSynToClientOnSynRecv
	EvWrongSeqWrongAck
	EvAckDataInject
	EvSynackTFODataIgnored
	Ev4WHSSynackWrongAck
	Ev4WHSSynackWrongSyn
	Ev4WHSWrongSeq
	Ev4WHSInvalidAck
	EvCloseWaitAckOutOfWindow
	EvCloseWaitFinOutOfWindow
	EvCloseWaitBeforeLastAck
	EvCloseWaitInvalidAck
	EvClosingAckWrongSeq
	EvClosingInvalidAck
	EvEstOutOfWindow
	EvEstBeforeLastAck
	EvEstSynackResend
	EvEstSynackDifferentAck
	EvEstSynackDifferentSeq
	EvEstSynackToServer
	EvEstSynResend
	EvEstSynDifferentSeq
	EvEstSynToClient
	EvEstInvalidAck
	EvFinInvalidAck
	EvFin1AckWrongSeq
	EvFin1FinWrongSeq
	EvFin1InvalidAck
	EvFin2AckWrongSeq
	EvFin2FinWrongSeq
	EvFin2InvalidAck
	EvFinNoSession
	EvFinOutOfWindow
	EvFinSyn
	EvLastAckWrongSeq
	EvLastAckInvalidAck
	EvRstNoSession
	EvTimeWaitAckWrongSeq
	EvTimeWaitInvalidAck
	EvShutdownSynResend
	EvInvalidTimestamp
	EvInvalidAck
	EvBrokenAck
	EvRstInvalidAck
	EvRetransmission
	EvSpuriousRetransmission
	EvBadWindowUpdate
	EvSuspectedRstInject
	EvWrongThread
	EvSegmentBeforeBase
	EvNoSegment
	EvSeqGap
	EvOverlapDifferentData
	EvDepthReached
	EvInsertMemcap
	EvInsertLimit
	EvInsertInvalid
	EvUrgentLimit
	NumEvents
)

// eventNames is read only.
var eventNames = [NumEvents]string{
	EvAckInWrongDir:            "3whs_ack_in_wrong_dir",
	EvAsyncWrongSeq:            "3whs_async_wrong_seq",
	EvRightSeqWrongAck:         "3whs_right_seq_wrong_ack_evasion",
	EvSynackInWrongDir:         "3whs_synack_in_wrong_direction",
	EvSynackDifferentAck:       "3whs_synack_resend_with_different_ack",
	EvSynackDifferentSeq:       "3whs_synack_resend_with_diff_seq",
	EvSynackToServerOnSynRecv:  "3whs_synack_toserver_on_syn_recv",
	EvSynackWrongAck:           "3whs_synack_with_wrong_ack",
	EvSynackFlood:              "3whs_synack_flood",
	EvSynFlood:                 "3whs_syn_flood",
	EvSynDifferentSeqOnSynRecv: "3whs_syn_resend_diff_seq_on_syn_recv",
	EvSynToClientOnSynRecv:     "3whs_syn_toclient_on_syn_recv",
	EvWrongSeqWrongAck:         "3whs_wrong_seq_wrong_ack",
	EvAckDataInject:            "3whs_ack_data_inject",
	EvSynackTFODataIgnored:     "3whs_synack_tfo_data_ignored",
	Ev4WHSSynackWrongAck:       "4whs_synack_with_wrong_ack",
	Ev4WHSSynackWrongSyn:       "4whs_synack_with_wrong_syn",
	Ev4WHSWrongSeq:             "4whs_wrong_seq",
	Ev4WHSInvalidAck:           "4whs_invalid_ack",
	EvCloseWaitAckOutOfWindow:  "closewait_ack_out_of_window",
	EvCloseWaitFinOutOfWindow:  "closewait_fin_out_of_window",
	EvCloseWaitBeforeLastAck:   "closewait_pkt_before_last_ack",
	EvCloseWaitInvalidAck:      "closewait_invalid_ack",
	EvClosingAckWrongSeq:       "closing_ack_wrong_seq",
	EvClosingInvalidAck:        "closing_invalid_ack",
	EvEstOutOfWindow:           "est_packet_out_of_window",
	EvEstBeforeLastAck:         "est_pkt_before_last_ack",
	EvEstSynackResend:          "est_synack_resend",
	EvEstSynackDifferentAck:    "est_synack_resend_with_different_ack",
	EvEstSynackDifferentSeq:    "est_synack_resend_with_diff_seq",
	EvEstSynackToServer:        "est_synack_toserver",
	EvEstSynResend:             "est_syn_resend",
	EvEstSynDifferentSeq:       "est_syn_resend_diff_seq",
	EvEstSynToClient:           "est_syn_toclient",
	EvEstInvalidAck:            "est_invalid_ack",
	EvFinInvalidAck:            "fin_invalid_ack",
	EvFin1AckWrongSeq:          "fin1_ack_wrong_seq",
	EvFin1FinWrongSeq:          "fin1_fin_wrong_seq",
	EvFin1InvalidAck:           "fin1_invalid_ack",
	EvFin2AckWrongSeq:          "fin2_ack_wrong_seq",
	EvFin2FinWrongSeq:          "fin2_fin_wrong_seq",
	EvFin2InvalidAck:           "fin2_invalid_ack",
	EvFinNoSession:             "fin_but_no_session",
	EvFinOutOfWindow:           "fin_out_of_window",
	EvFinSyn:                   "fin_syn",
	EvLastAckWrongSeq:          "lastack_ack_wrong_seq",
	EvLastAckInvalidAck:        "lastack_invalid_ack",
	EvRstNoSession:             "rst_but_no_session",
	EvTimeWaitAckWrongSeq:      "timewait_ack_wrong_seq",
	EvTimeWaitInvalidAck:       "timewait_invalid_ack",
	EvShutdownSynResend:        "shutdown_syn_resend",
	EvInvalidTimestamp:         "pkt_invalid_timestamp",
	EvInvalidAck:               "pkt_invalid_ack",
	EvBrokenAck:                "pkt_broken_ack",
	EvRstInvalidAck:            "rst_invalid_ack",
	EvRetransmission:           "pkt_retransmission",
	EvSpuriousRetransmission:   "pkt_spurious_retransmission",
	EvBadWindowUpdate:          "pkt_bad_window_update",
	EvSuspectedRstInject:       "suspected_rst_inject",
	EvWrongThread:              "wrong_thread",
	EvSegmentBeforeBase:        "reassembly_segment_before_base_seq",
	EvNoSegment:                "reassembly_no_segment",
	EvSeqGap:                   "reassembly_seq_gap",
	EvOverlapDifferentData:     "reassembly_overlap_different_data",
	EvDepthReached:             "reassembly_depth_reached",
	EvInsertMemcap:             "reassembly_insert_memcap",
	EvInsertLimit:              "reassembly_insert_limit",
	EvInsertInvalid:            "reassembly_insert_invalid",
	EvUrgentLimit:              "reassembly_urgent_oob_limit_reached",
}

// String returns the name as in rules, without "stream.".
func (e Event) String() string {
	if e >= NumEvents {
		return "unknown"
	}
	return eventNames[e]
}

// LogName is the name of ev in Suricata's event log, which abbreviates two of the
// names that rules use.
func (ev Event) LogName() string {
	switch ev {
	case EvSynackDifferentAck:
		return "3whs_synack_resend_with_diff_ack"
	case EvEstSynackDifferentAck:
		return "est_synack_resend_with_diff_ack"
	}
	return ev.String()
}
