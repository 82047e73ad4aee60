package setup

import (
	"errors"
	"fmt"
)

// ErrorKind is what a refusal of the cloud means to a caller. The codes themselves
// are mapped in awscloud.
type ErrorKind int

// The kinds of CloudError.
const (
	KindOther       ErrorKind = iota
	KindNotFound              // what the call names does not exist, or not yet
	KindExists                // what the call would make is there already
	KindInUse                 // something else still needs what the call would remove
	KindDenied                // the identity may not do this
	KindExpired               // the credentials are missing, wrong or too old
	KindThrottled             // too many calls, also after the retries
	KindLimit                 // a quota is used up
	KindUnsupported           // the cloud does not offer this for this resource
	KindInvalid               // a parameter is wrong
	KindUnavailable           // the service failed or could not be reached
)

// CloudError is a refused or failed call.
type CloudError struct {
	Kind    ErrorKind
	Op      Action // which call
	Code    string // as the service said, such as InvalidSubnetID.NotFound; may be empty
	Message string
	Request string // request id, when there is one
	Hint    string // what to do about it; may be empty
	Err     error  // the cause, may be nil
}

// Error returns call, code and message.
func (e *CloudError) Error() string {
	s := e.Op.String()
	if e.Code != "" {
		s += ": " + e.Code
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// Unwrap returns the cause.
func (e *CloudError) Unwrap() error { return e.Err }

// KindOf returns the kind of the CloudError in err, or KindOther.
func KindOf(err error) ErrorKind {
	var e *CloudError
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindOther
}

// fatal tells that no other call will succeed either.
func fatal(err error) bool {
	switch KindOf(err) {
	case KindExpired, KindThrottled, KindUnavailable:
		return true
	}
	return false
}

// A LimitError is a plan that cannot be made within the limits of AWS.
type LimitError struct {
	What       string // what is limited
	Need, Have int
	Hint       string
}

// Error tells both numbers.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %d needed, %d possible", e.What, e.Need, e.Have)
}
