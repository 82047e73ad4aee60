package ec2api

import (
	"fmt"
	"net/http"
	"strings"

	"mirador/internal/mirror"
)

// Error is a refusal as an AWS client sees it. AWS: EC2 API error codes; ELBv2 and STS
// common errors.
type Error struct {
	Code    string
	Message string
	Status  int // HTTP status; 0 is the one that belongs to the code
}

// Error returns code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// fromMirror gives a refusal of the mirroring model the endpoint's type.
func fromMirror(err *mirror.Error) *Error {
	return &Error{Code: err.Code, Message: err.Message}
}

// status tells the HTTP status that e goes out with.
func (e *Error) status() int {
	if e.Status != 0 {
		return e.Status
	}
	switch e.Code {
	case "DryRunOperation":
		return http.StatusPreconditionFailed
	case "AuthFailure":
		return http.StatusUnauthorized
	case "UnauthorizedOperation", "InvalidClientTokenId", "SignatureDoesNotMatch", "MissingAuthenticationToken",
		"IncompleteSignature", "ExpiredToken", "AccessDenied", "UnrecognizedClientException", "InvalidSignatureException", "MissingAuthenticationTokenException":
		return http.StatusForbidden
	case "RequestLimitExceeded", "ServiceUnavailable", "Unavailable":
		return http.StatusServiceUnavailable
	case "InternalError", "InternalFailure":
		return http.StatusInternalServerError
	case "RequestEntityTooLarge":
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// notFound is what EC2 says of an id that is not there.
func notFound(code, what, id string) *Error {
	return errorf(code, "The %s ID '%s' does not exist", what, clip(id))
}

// malformed is what EC2 says of an id that is none.
func malformed(code, id string) *Error {
	return errorf(code, "Invalid id: \"%s\"", clip(id))
}

// validID tells whether id is prefix and 8 or 17 hexadecimal digits.
func validID(prefix, id string) bool {
	hex, ok := strings.CutPrefix(id, prefix)
	if !ok || len(hex) != 8 && len(hex) != 17 {
		return false
	}
	for _, c := range []byte(hex) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
