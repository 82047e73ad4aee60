package ec2api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// protocol is how requests and answers are written.
type protocol uint8

const (
	protocolEC2 protocol = iota
	protocolQuery
	protocolJSON
	protocolCBOR
)

// Names of services, as in wire.txt.
const (
	serviceEC2         = "ec2"
	serviceELB         = "elbv2"
	serviceSTS         = "sts"
	serviceCloudWatch  = "cloudwatch"
	serviceSQS         = "sqs"
	serviceEvents      = "events"
	serviceAutoScaling = "autoscaling"
	serviceRAM         = "ram"
	serviceIAM         = "iam" // has no actions: asked for, it says so
)

// request is a request on its way to an action.
type request struct {
	r       *http.Request
	id      string
	body    []byte
	payload []byte // what has the parameters: the body, or made of the query
	form    map[string]string
	service string
	action  string
	version string
	proto   protocol
	cred    *credential
	who     identity
}

// call is what an action works on.
type call struct {
	v   *Server
	s   *state // of now, or of Lag ago
	in  *node
	x   *xmlWriter
	now time.Time
	act *action
	who identity
	q   *request
	// events happen when the action has succeeded.
	events []event
	// result is what actions of services with their own form of answers leave.
	result any
}

// ServeHTTP answers one call.
func (v *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := v.o.Now()
	q := &request{r: r, id: v.requestID()}
	status, code := v.serve(w, q)
	v.log.Info("call", slog.String("service", q.service), slog.String("action", q.action), slog.Int("status", status),
		slog.String("code", code), slog.String("from", r.RemoteAddr), slog.String("key", q.who.accessKey),
		slog.String("request", q.id), slog.Duration("took", v.o.Now().Sub(start)))
}

// requestID makes a random id in the form of a UUID.
func (v *Server) requestID() string {
	var b [16]byte
	if _, err := io.ReadFull(v.o.Random, b[:]); err != nil {
		panic("random source: " + err.Error())
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// serve does the work of ServeHTTP and tells what it answered.
func (v *Server) serve(w http.ResponseWriter, q *request) (status int, code string) {
	w.Header().Set("X-Amzn-Requestid", q.id)
	fail := func(err *Error) (int, string) {
		v.writeError(w, q, err)
		return err.status(), err.Code
	}
	if err := v.read(w, q); err != nil {
		return fail(err)
	}
	if err := v.authenticate(q); err != nil {
		return fail(err)
	}
	act := v.actions[q.service][q.action]
	if act == nil || q.service == serviceELB && q.version == classicVersion {
		return fail(unknownAction(q))
	}
	fault := v.inject.next(q.service, q.action)
	switch fault {
	case "", FaultLose:
	case FaultReset:
		hangUp(w)
		return 0, string(fault)
	default:
		return fail(fault.err())
	}
	if !v.bucket.take(v.o.Now()) {
		return fail(throttled(q.service))
	}
	body, err := v.run(q, act)
	if fault == FaultLose {
		hangUp(w)
		return 0, string(fault)
	}
	if err != nil {
		return fail(err)
	}
	w.Header().Set("Content-Type", contentType(q))
	if q.proto == protocolCBOR {
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	w.WriteHeader(http.StatusOK)
	w.Write(body)
	return http.StatusOK, ""
}

func throttled(service string) *Error {
	if service == serviceEC2 {
		return errorf("RequestLimitExceeded", "Request limit exceeded.")
	}
	return &Error{Code: "Throttling", Message: "Rate exceeded", Status: http.StatusBadRequest}
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			if t, ok := c.(*net.TCPConn); ok {
				t.SetLinger(0)
			}
			c.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}

func contentType(q *request) string {
	switch q.proto {
	case protocolJSON:
		switch q.service {
		case serviceEvents:
			return "application/x-amz-json-1.1"
		case serviceRAM:
			return "application/json"
		}
		return "application/x-amz-json-1.0"
	case protocolCBOR:
		return "application/cbor"
	}
	return "text/xml;charset=UTF-8"
}

// read takes the request in: body, form, and for which service it is.
func (v *Server) read(w http.ResponseWriter, q *request) *Error {
	r := q.r
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var long *http.MaxBytesError
		if errors.As(err, &long) {
			return errorf("RequestEntityTooLarge", "The request is longer than %d bytes", maxBody)
		}
		return errorf("IncompleteBody", "The request body could not be read")
	}
	q.body, q.payload = body, body
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errorf("MalformedQueryString", "The query string contains a syntax error")
	}
	cred, fault := parseCredential(r, query)
	q.cred = cred
	q.service = v.serviceOf(q, cred)
	if fault != nil {
		return fault
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/service/"):
		q.proto = protocolCBOR
		f := strings.Split(r.URL.Path, "/")
		if len(f) != 5 || f[3] != "operation" || r.Method != http.MethodPost {
			return &Error{Code: "UnknownOperationException", Message: "no such operation", Status: http.StatusNotFound}
		}
		q.service, q.action = serviceCloudWatch, f[4]
		return nil
	case q.service == serviceRAM:
		q.proto = protocolJSON
		q.action = v.ramAction(r)
		if r.Method == http.MethodDelete { // its parameters are in the query
			q.payload, _ = json.Marshal(map[string]string{"resourceShareArn": query.Get("resourceShareArn"), "clientToken": query.Get("clientToken")})
		}
		return nil
	case r.Header.Get("X-Amz-Target") != "":
		q.proto = protocolJSON
		var prefix string
		prefix, q.action, _ = strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		switch prefix {
		case "AmazonSQS":
			q.service = serviceSQS
		case "AWSEvents":
			q.service = serviceEvents
		default:
			q.service = serviceCloudWatch
		}
		return nil
	}
	return v.readForm(q)
}

// ramAction finds the action that a path of RAM names in small letters.
func (v *Server) ramAction(r *http.Request) string {
	for name := range v.actions[serviceRAM] {
		if strings.EqualFold(strings.Trim(r.URL.Path, "/"), name) {
			return name
		}
	}
	return strings.Trim(r.URL.Path, "/")
}

func (v *Server) readForm(q *request) *Error {
	text := q.r.URL.RawQuery
	switch q.r.Method {
	case http.MethodGet:
	case http.MethodPost:
		if len(q.body) > 0 {
			if text != "" {
				text += "&"
			}
			text += string(q.body)
		}
	default:
		return &Error{Code: "InvalidRequest", Message: "The request method must be GET or POST", Status: http.StatusMethodNotAllowed}
	}
	form, err := parseForm(text)
	if err != nil {
		return err
	}
	q.form, q.action, q.version = form, form["Action"], form["Version"]
	q.service = v.serviceOf(q, q.cred)
	q.proto = protocolQuery
	if q.service == serviceEC2 {
		q.proto = protocolEC2
	}
	switch {
	case q.action == "":
		return errorf("MissingAction", "The request must contain the parameter Action")
	case q.version == "" && q.service == serviceEC2:
		return errorf("MissingParameter", "The request must contain the parameter Version")
	}
	return nil
}

// serviceOf tells which service a request is for: by what it is signed for, else by the
// name it was sent to, else by the API version, which no two of them share.
func (v *Server) serviceOf(q *request, cred *credential) string {
	if cred != nil {
		for _, n := range serviceNames() {
			if cred.service == n.scope {
				return n.service
			}
		}
	}
	host, _, _ := strings.Cut(q.r.Host, ".")
	for _, n := range serviceNames() {
		if host == n.scope {
			return n.service
		}
	}
	for _, n := range serviceNames() {
		if q.version == n.version {
			return n.service
		}
	}
	return serviceEC2
}

// classicVersion is the API of Classic Load Balancers: it has the host and the scope of
// ours, and some of its actions have the names of ours.
const classicVersion = "2012-06-01"

const codeUnknownOperation = "UnknownOperationException"

// unknownAction is what services say of actions that they do not have, each in the words
// of its protocol.
func unknownAction(q *request) *Error {
	if q.proto == protocolJSON || q.proto == protocolCBOR {
		return errorf(codeUnknownOperation, "The operation %s is not known to this service.", clip(q.action))
	}
	return errorf("InvalidAction", "The action %s is not valid for this web service.", clip(q.action))
}

// serviceName is how clients name a service: in the scope of signatures and first in the
// name of its host, and by the version of its API.
type serviceName struct{ service, scope, version, namespace string }

func serviceNames() []serviceName {
	return []serviceName{
		{serviceEC2, "ec2", "2016-11-15", nsEC2},
		{serviceELB, "elasticloadbalancing", "2015-12-01", "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"},
		{serviceSTS, "sts", "2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/"},
		{serviceCloudWatch, "monitoring", "2010-08-01", "http://monitoring.amazonaws.com/doc/2010-08-01/"},
		{serviceSQS, "sqs", "2012-11-05", "http://queue.amazonaws.com/doc/2012-11-05/"},
		{serviceEvents, "events", "2015-10-07", ""},
		{serviceAutoScaling, "autoscaling", "2011-01-01", "http://autoscaling.amazonaws.com/doc/2011-01-01/"},
		{serviceRAM, "ram", "2018-01-04", ""},
		{serviceIAM, "iam", "2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/"},
	}
}

// authenticate checks who signed the request. AWS has different codes for the same
// refusals in EC2 and elsewhere.
func (v *Server) authenticate(q *request) *Error {
	now := v.o.Now()
	if v.o.AnyAuth {
		// A web page can make a browser on this machine send such a request; no AWS client
		// has an origin.
		if q.r.Header.Get("Origin") != "" || q.r.Header.Get("Sec-Fetch-Site") != "" {
			return &Error{Code: "UnauthorizedOperation", Message: "Requests of web pages are not taken without signatures"}
		}
		q.who = v.user("")
		if q.cred != nil {
			q.who = v.user(q.cred.accessKey)
			if t := v.session(q.cred.token); t != nil {
				q.who = t.identity()
			}
		}
		return nil
	}
	if q.cred == nil {
		return authError(q, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	secret, known := v.o.Keys[q.cred.accessKey]
	who := v.user(q.cred.accessKey)
	if !known {
		t := v.session(q.cred.token)
		if t == nil || t.AccessKey != q.cred.accessKey {
			return authError(q, "InvalidClientTokenId", "The security token included in the request is invalid.")
		}
		if !now.Before(t.Until) {
			return authError(q, "ExpiredToken", "The security token included in the request is expired")
		}
		secret, who = t.Secret, t.identity()
	}
	if !q.cred.verify(q.r, q.body, secret) {
		return authError(q, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	if err := q.cred.fresh(now); err != nil {
		return authError(q, err.Code, err.Message)
	}
	q.who = who
	return nil
}

// authError gives a refusal the code that the service has for it.
func authError(q *request, code, message string) *Error {
	switch {
	case q.service == serviceEC2:
		switch code {
		case "InvalidClientTokenId", "SignatureDoesNotMatch":
			code, message = "AuthFailure", "AWS was not able to validate the provided access credentials"
		case "RequestExpired":
			message = "Request has expired."
		case "ExpiredToken":
			code = "RequestExpired"
		}
	case q.proto == protocolJSON || q.proto == protocolCBOR:
		switch code {
		case "InvalidClientTokenId":
			code = "UnrecognizedClientException"
		case "SignatureDoesNotMatch", "RequestExpired":
			code = "InvalidSignatureException"
		case "MissingAuthenticationToken":
			code = "MissingAuthenticationTokenException"
		}
	case code == "RequestExpired":
		code = "SignatureDoesNotMatch"
	}
	e := errorf(code, "%s", message)
	if q.service == serviceEC2 && code == "RequestExpired" {
		e.Status = http.StatusBadRequest
	}
	return e
}

// user is the identity of a configured key.
func (v *Server) user(key string) identity {
	id := cmp.Or(v.o.Accounts[key], v.o.AccountID)
	return identity{account: id, accessKey: key, arn: "arn:aws:iam::" + id + ":user/mirador", userID: "AIDAMIRADORMIRADORM"}
}

// run decodes a request, runs its action and returns the answer.
func (v *Server) run(q *request, act *action) ([]byte, *Error) {
	c := &call{v: v, act: act, now: v.o.Now(), who: q.who, q: q}
	var err *Error
	switch {
	case q.proto == protocolJSON:
		c.in, err = decodeJSON(act.wire.in, q.payload)
	case q.proto == protocolCBOR:
		c.in, err = decodeCBOR(act.wire.in, q.body)
	case q.service == serviceSQS:
		c.in, err = decodeSQSForm(act.wire, q.form, q.r.URL.Path)
	default:
		c.in, err = decodeQuery(act.wire.in, q.form, q.service == serviceEC2)
	}
	if err == nil {
		err = c.in.check("")
	}
	if err != nil {
		return nil, asService(q.service, err)
	}
	if q.service == serviceEC2 && c.in.yes("DryRun") {
		return nil, errorf("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	}
	c.x = newAnswer(q)
	gen, err := v.execute(c)
	if err != nil {
		return nil, asService(q.service, err)
	}
	if gen > 0 {
		if err := v.sync(gen); err != nil {
			v.log.Error("state not written", "error", err)
			return nil, &Error{Code: "InternalError", Message: "The change could not be stored", Status: 500}
		}
	}
	body := c.answer()
	if trailed(act) && v.listening(q.who.account) {
		c.events = append(c.events, v.trailEvent(q, c, body))
	}
	for _, e := range c.events {
		v.publish(e)
	}
	return body, nil
}

// answer writes what the action has left.
func (c *call) answer() []byte {
	q := c.q
	switch q.proto {
	case protocolJSON:
		if c.result == nil {
			return nil
		}
		return encodeJSON(c.result)
	case protocolCBOR:
		return encodeCBOR(c.result)
	}
	if o, ok := c.result.(object); ok && q.service == serviceSQS {
		c.x.sqsAny(q.action, o)
	} else {
		for _, f := range o {
			c.x.any(f.name, f.value)
		}
	}
	return endAnswer(q, c.x)
}

// execute runs an action under the lock. It returns the generation that has its change,
// or 0 when it changed nothing.
func (v *Server) execute(c *call) (gen uint64, err *Error) {
	if c.act.free {
		return 0, c.act.run(c)
	}
	if !c.act.write {
		v.mu.RLock()
		defer v.mu.RUnlock()
		c.s = v.seen(v.account(c.who.account), c.now)
		return 0, c.act.run(c)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	own := v.account(c.who.account)
	c.s = own.s
	c.s.reap(c.now)
	if err := v.keepPast(own, c.now); err != nil {
		return 0, err
	}
	// A bug in an action must not leave half of its changes behind.
	done := false
	defer func() {
		if !done {
			v.rollback()
		}
	}()
	if err := c.act.run(c); err != nil {
		return 0, err
	}
	for _, t := range c.s.tables {
		if t.count() > v.most {
			return 0, errorf("ResourceLimitExceeded", "The endpoint keeps at most %d resources of the kind %s", v.most, t.name())
		}
	}
	done = true
	if !v.commit() {
		return v.s.gen, nil // an answer to a repeated call waits for the first one's change
	}
	select {
	case v.changed <- struct{}{}:
	default:
	}
	return v.s.gen, nil
}

// seen is the state that describes see.
func (v *Server) seen(a *account, now time.Time) *state {
	if v.o.Lag <= 0 {
		return a.s
	}
	at := now.Add(-v.o.Lag)
	for i := range a.past {
		if a.past[i].at.After(at) {
			return a.past[i].s
		}
	}
	return a.s
}

// keepPast puts the present state aside before it changes, for describes that lag.
func (v *Server) keepPast(a *account, now time.Time) *Error {
	if v.o.Lag <= 0 {
		return nil
	}
	old := now.Add(-v.o.Lag)
	for len(a.past) > 0 && (!a.past[0].at.After(old) || len(a.past) >= maxLagStates) {
		a.past = a.past[1:]
	}
	s, err := a.s.past(v.bookOptions(a.s.meta.AccountID))
	if err != nil {
		return errorf("InternalError", "An internal error has occurred")
	}
	a.past = append(a.past, pastState{at: now, s: s})
	return nil
}

// asService gives errors of the request's form the codes of services other than EC2.
func asService(service string, err *Error) *Error {
	if service == serviceEC2 {
		return err
	}
	switch err.Code {
	case "InvalidParameterValue", "MissingParameter", "UnknownParameter", "InvalidParameterCombination":
		switch service {
		case serviceCloudWatch, serviceSQS:
			return err
		case serviceEvents:
			return &Error{Code: "ValidationException", Message: err.Message}
		case serviceRAM:
			return &Error{Code: "InvalidParameterException", Message: err.Message}
		}
		return &Error{Code: "ValidationError", Message: err.Message}
	}
	return err
}

const nsEC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"

func namespace(service string) string {
	for _, n := range serviceNames() {
		if n.service == service {
			return n.namespace
		}
	}
	return nsEC2
}

// newAnswer writes what comes before the members of an answer.
func newAnswer(q *request) *xmlWriter {
	x := &xmlWriter{item: "item"}
	x.b = append(x.b, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<"...)
	x.b = append(x.b, q.action...)
	x.b = append(x.b, `Response xmlns="`...)
	x.b = append(x.b, namespace(q.service)...)
	x.b = append(x.b, `">`...)
	if q.proto == protocolEC2 {
		x.str("requestId", q.id)
		return x
	}
	x.item = "member"
	x.open(q.action + "Result")
	return x
}

func endAnswer(q *request, x *xmlWriter) []byte {
	if q.proto != protocolEC2 {
		x.close(q.action + "Result")
		x.group("ResponseMetadata", func() { x.str("RequestId", q.id) })
	}
	x.close(q.action + "Response")
	return x.b
}

// writeError answers with an error in the form of the protocol.
func (v *Server) writeError(w http.ResponseWriter, q *request, err *Error) {
	var b []byte
	switch q.proto {
	case protocolJSON, protocolCBOR:
		kind := err.Code
		switch q.service {
		case serviceCloudWatch:
			kind = "com.amazonaws.cloudwatch#" + err.Code
		case serviceSQS:
			kind = "com.amazonaws.sqs#" + err.Code
		}
		if err.Code == codeUnknownOperation {
			kind = "com.amazon.coral.service#" + err.Code // no service's own
		}
		if q.service == serviceRAM {
			w.Header().Set("X-Amzn-Errortype", err.Code)
		} else {
			w.Header().Set("X-Amzn-Query-Error", queryCode(err.Code)+";Sender")
		}
		o := object{{"__type", kind}, {"message", err.Message}}
		if q.proto == protocolCBOR {
			w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
			b = encodeCBOR(o)
		} else {
			b = encodeJSON(o)
		}
	case protocolQuery:
		x := &xmlWriter{}
		x.b = append(x.b, `<ErrorResponse xmlns="`+namespace(q.service)+`">`...)
		x.group("Error", func() {
			kind := "Sender"
			if err.status() >= 500 {
				kind = "Receiver"
			}
			x.str("Type", kind)
			x.str("Code", queryCode(err.Code))
			x.str("Message", err.Message)
		})
		x.str("RequestId", q.id)
		x.close("ErrorResponse")
		b = x.b
	default:
		x := &xmlWriter{}
		x.b = append(x.b, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"...)
		x.group("Response", func() {
			x.group("Errors", func() {
				x.group("Error", func() {
					x.str("Code", err.Code)
					x.str("Message", err.Message)
				})
			})
			x.str("RequestID", q.id)
		})
		b = x.b
	}
	w.Header().Set("Content-Type", contentType(q))
	w.WriteHeader(err.status())
	w.Write(b)
}
