package mirror

import "fmt"

// Codes of refusals as clients see them on the wire, where the table of error codes in
// the EC2 documentation says something else too. AWS: EC2 API error codes.
const (
	CodeTargetNotFound     = "InvalidTrafficMirrorTargetId.NotFound"
	CodeFilterNotFound     = "InvalidTrafficMirrorFilterId.NotFound"
	CodeFilterRuleNotFound = "InvalidTrafficMirrorFilterRuleId.NotFound"
	CodeSessionNotFound    = "InvalidTrafficMirrorSessionId.NotFound"

	CodeInvalidTarget         = "InvalidTrafficMirrorTarget" // a target's interface that does not exist
	CodeInterfaceNotFound     = "InvalidNetworkInterfaceID.NotFound"
	CodeInterfaceMalformed    = "InvalidNetworkInterfaceId.Malformed"
	CodeInterfaceNotSupported = "NetworkInterfaceNotSupported"
	CodeNLBNotFound           = "InvalidNetworkLoadBalancerArn.NotFound"
	CodeNLBMalformed          = "InvalidNetworkLoadBalancerArn.Malformed"
	CodeEndpointNotFound      = "InvalidVpcEndpointId.NotFound"
	CodeEndpointMalformed     = "InvalidVpcEndpointId.Malformed"

	CodeSessionsPerInterface = "TrafficMirrorSessionsPerInterfaceLimitExceeded"
	CodeSourcesPerTarget     = "TrafficMirrorSourcesPerTargetLimitExceeded"
	CodeSessionsPerTarget    = "TrafficMirrorSessionsPerTargetLimitExceeded"
	CodeTargetLimit          = "TrafficMirrorTargetLimitExceeded"
	CodeFilterLimit          = "TrafficMirrorFilterLimitExceeded"
	CodeFilterRuleLimit      = "TrafficMirrorFilterRuleLimitExceeded"
	CodeSessionLimit         = "TrafficMirrorSessionLimitExceeded"

	CodeFilterRuleExists = "TrafficMirrorFilterRuleAlreadyExists"
	CodeFilterInUse      = "TrafficMirrorFilterInUse"
	CodeTargetInUse      = "TrafficMirrorTargetInUse"

	CodeIdempotentMismatch = "IdempotentParameterMismatch"
	CodeMissingParameter   = "MissingParameter"
	CodeInvalidValue       = "InvalidParameterValue"
	CodeInvalidCombination = "InvalidParameterCombination"
	CodeTagLimit           = "TagLimitExceeded"
)

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func missing(parameter string) *Error {
	return refuse(CodeMissingParameter, "The request must contain the parameter %s", parameter)
}

func invalid(parameter string, value any, why string) *Error {
	return refuse(CodeInvalidValue, "Value (%v) for parameter %s is invalid. %s", value, parameter, why)
}
