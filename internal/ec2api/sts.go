package ec2api

import (
	"encoding/base32"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"time"
)

func stsActions() []action {
	return []action{
		read("GetCallerIdentity", (*call).callerIdentity),
		write("AssumeRole", (*call).assumeRole, "AccessDenied"),
		write("GetSessionToken", (*call).sessionToken),
		read("GetAccessKeyInfo", func(c *call) *Error { c.x.str("Account", c.s.meta.AccountID); return nil }),
		read("DecodeAuthorizationMessage", func(*call) *Error {
			return errorf("InvalidAuthorizationMessageException", "Message is not valid: this endpoint encodes none")
		}, "InvalidAuthorizationMessageException"),
	}
}

func (c *call) callerIdentity() *Error {
	c.x.str("UserId", c.who.userID)
	c.x.str("Account", c.s.meta.AccountID)
	c.x.str("Arn", c.who.arn)
	return nil
}

var (
	roleForm    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):role/([\w+=,.@/-]{1,512})$`)
	sessionForm = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// session returns what AssumeRole gave this token out for.
func (v *Server) session(token string) *stsSession {
	if token == "" {
		return nil
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	for i := range v.s.meta.Sessions {
		if v.s.meta.Sessions[i].Token == token {
			return &v.s.meta.Sessions[i]
		}
	}
	return nil
}

// identity is who a session acts as.
func (t *stsSession) identity() identity {
	f := strings.Split(t.ARN, ":")
	return identity{account: f[4], accessKey: t.AccessKey, arn: t.ARN, userID: t.UserID}
}

// newSession makes temporary credentials. Sessions that are over make place for it.
func (c *call) newSession(arn, userID string, life time.Duration) stsSession {
	var b [64]byte
	c.s.rand(b[:])
	s := stsSession{
		AccessKey: "ASIA" + base32.StdEncoding.EncodeToString(b[:10]), Secret: base64.StdEncoding.EncodeToString(b[10:40]),
		Token: base64.StdEncoding.EncodeToString(b[16:]), ARN: arn, UserID: userID, Until: c.stamp().Add(life),
	}
	// The first account keeps the sessions of all.
	first := c.v.s
	old := first.meta.Sessions
	first.undo = append(first.undo, func() { first.meta.Sessions = old })
	first.metaDirty = true
	list := slices.DeleteFunc(slices.Clone(old), func(o stsSession) bool { return o.Until.Before(c.now) })
	if len(list) >= maxSessions {
		list = list[1:]
	}
	first.meta.Sessions, first.changed = append(list, s), true
	return s
}

func (c *call) writeCredentials(s stsSession) {
	c.x.group("Credentials", func() {
		c.x.str("AccessKeyId", s.AccessKey)
		c.x.str("SecretAccessKey", s.Secret)
		c.x.str("SessionToken", s.Token)
		c.x.time("Expiration", s.Until)
	})
}

// assumeRole lets everybody be any role of the endpoint's account: it keeps no policies.
func (c *call) assumeRole() *Error {
	m := roleForm.FindStringSubmatch(c.in.str("RoleArn"))
	name := c.in.str("RoleSessionName")
	switch {
	case m == nil:
		return errorf("ValidationError", "%s is invalid", clip(c.in.str("RoleArn")))
	case !sessionForm.MatchString(name):
		return errorf("ValidationError", "1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", clip(name))
	case c.v.account(m[1]) == nil:
		return &Error{Code: "AccessDenied", Message: "User: " + c.who.arn + " is not authorized to perform: sts:AssumeRole on resource: " + c.in.str("RoleArn"), Status: 403}
	}
	role := m[2][strings.LastIndexByte(m[2], '/')+1:]
	arn := "arn:aws:sts::" + m[1] + ":assumed-role/" + role + "/" + name
	id := strings.ToUpper(nameID("AROA", role)) + ":" + name
	s := c.newSession(arn, id, time.Duration(c.in.num("DurationSeconds", 3600))*time.Second)
	c.writeCredentials(s)
	c.x.group("AssumedRoleUser", func() {
		c.x.str("AssumedRoleId", id)
		c.x.str("Arn", arn)
	})
	c.x.num("PackedPolicySize", 0)
	c.x.opt("SourceIdentity", c.in.str("SourceIdentity"))
	return nil
}

func (c *call) sessionToken() *Error {
	c.writeCredentials(c.newSession(c.who.arn, c.who.userID, time.Duration(c.in.num("DurationSeconds", 43200))*time.Second))
	return nil
}
