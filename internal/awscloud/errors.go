package awscloud

import (
	"context"
	"errors"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"mirador/internal/setup"
)

// kinds are the codes whose meaning does not show in their form. AWS: EC2 and Elastic
// Load Balancing API error codes.
func kinds(code string) setup.ErrorKind {
	switch code {
	case "UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "OperationNotPermitted", "NotAuthorized":
		return setup.KindDenied
	case "AuthFailure", "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "SignatureDoesNotMatch",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException", "UnrecognizedClientException", "IncompleteSignature", "OptInRequired":
		return setup.KindExpired
	case "RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestThrottled", "BandwidthLimitExceeded", "SlowDown", "EC2ThrottledException":
		return setup.KindThrottled
	case "InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable", "InternalServerError":
		return setup.KindUnavailable
	case "NetworkInterfaceNotSupported", "UnsupportedOperation", "Unsupported", "InvalidAction", "UnknownOperationException":
		return setup.KindUnsupported
	case "DependencyViolation", "InvalidNetworkInterface.InUse", "InvalidParameterValue.InUse", "ResourceInUse", "ExistingVpcEndpointConnections", "IncorrectState", "IncorrectInstanceState":
		return setup.KindInUse
	case "InvalidTrafficMirrorTarget": // the interface of a new target is not known
		return setup.KindNotFound
	case "IdempotentParameterMismatch":
		return setup.KindExists
	case "TooManyLoadBalancers", "TooManyTargetGroups", "TooManyListeners", "TooManyTargets", "TooManyTags", "InsufficientFreeAddressesInSubnet":
		return setup.KindLimit
	}
	switch {
	case strings.HasSuffix(code, ".NotFound") || strings.HasSuffix(code, "NotFound") || strings.HasSuffix(code, "NoFound") || strings.HasSuffix(code, ".Unknown"):
		return setup.KindNotFound
	case strings.HasSuffix(code, "InUse") || strings.HasSuffix(code, "InUseException"):
		return setup.KindInUse
	case strings.HasSuffix(code, ".Duplicate") || strings.HasPrefix(code, "Duplicate") || strings.HasSuffix(code, "AlreadyExists"):
		return setup.KindExists
	case strings.HasSuffix(code, "LimitExceeded"):
		return setup.KindLimit
	case strings.HasPrefix(code, "Invalid") || strings.HasPrefix(code, "Missing") || code == "UnknownParameter" || code == "ValidationError":
		return setup.KindInvalid
	}
	return setup.KindOther
}

// hint says what to do about an error.
func hint(kind setup.ErrorKind, op setup.Action, code string) string {
	switch kind {
	case setup.KindDenied:
		return "the caller needs the IAM action " + op.String() + "; mirador aws policy prints a policy with all of them"
	case setup.KindExpired:
		switch code {
		case "RequestExpired", "SignatureDoesNotMatch":
			return "check the clock of this machine, then the secret key"
		case "OptInRequired":
			return "the account does not use this service or region"
		}
		return "renew the credentials: aws sso login, or new AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
	case setup.KindThrottled:
		return "AWS limits the rate of calls of the account: run again later, or with a lower --parallel"
	case setup.KindUnavailable:
		return "run again; what is done stays done"
	case setup.KindUnsupported:
		if code == "NetworkInterfaceNotSupported" {
			return "AWS cannot mirror this instance type: exclude it in sources.exclude, and use the software mirror there"
		}
	case setup.KindLimit:
		switch code {
		case "AttachmentLimitExceeded":
			return "the instance has as many interfaces as its type allows: detach one, or use a larger type"
		case "TrafficMirrorSourcesPerTargetLimitExceeded":
			return "add a traffic interface or sensor, or set target.kind to nlb"
		case "TrafficMirrorSessionsPerInterfaceLimitExceeded":
			return "the source has three sessions already: delete one that is not needed"
		case "InsufficientFreeAddressesInSubnet":
			return "name another subnet of the zone"
		}
	}
	return ""
}

// explain gives an error of the SDK its meaning.
func explain(op setup.Action, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := &setup.CloudError{Op: op, Err: err}
	var re *awshttp.ResponseError
	status := 0
	if errors.As(err, &re) {
		e.Request = re.ServiceRequestID()
		status = re.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		e.Code, e.Message = api.ErrorCode(), api.ErrorMessage()
		e.Kind = kinds(e.Code)
		if e.Kind == setup.KindOther && status >= http.StatusInternalServerError {
			e.Kind = setup.KindUnavailable
		}
		e.Hint = hint(e.Kind, op, e.Code)
		return e
	}
	msg := err.Error()
	switch {
	case strings.Contains(msg, "get credentials") || strings.Contains(msg, "cached credentials") || strings.Contains(msg, "get identity"):
		e.Kind, e.Message = setup.KindExpired, "no usable credentials: "+last(err)
		e.Hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, give --profile, or run aws sso login"
	case status >= http.StatusInternalServerError || status == 0:
		e.Kind, e.Message = setup.KindUnavailable, last(err)
		e.Hint = "is the endpoint right and reachable (--endpoint-url, AWS_ENDPOINT_URL, proxy)?"
	default:
		e.Message = last(err)
	}
	return e
}

// last returns the text of the innermost error, which says what happened.
func last(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}
