package ec2api

import (
	"slices"
	"strings"
	"time"

	"mirador/internal/mirror"
)

// ramActions are those of Resource Access Manager: traffic mirror targets are shared with
// other accounts of the endpoint.
func ramActions() []action {
	const none = "UnknownResourceException"
	return []action{
		write("CreateResourceShare", (*call).createShare, "InvalidParameterException", "MalformedArnException", "ResourceArnNotFoundException", "OperationNotPermittedException"),
		write("UpdateResourceShare", (*call).updateShare, none),
		write("DeleteResourceShare", (*call).deleteShare, none),
		read("GetResourceShares", (*call).getShares, none, "InvalidNextTokenException"),
		write("AssociateResourceShare", (*call).associateShare, none, "MalformedArnException", "ResourceArnNotFoundException", "OperationNotPermittedException"),
		write("DisassociateResourceShare", (*call).disassociateShare, none),
		read("GetResourceShareAssociations", (*call).getShareAssociations, none, "InvalidNextTokenException"),
		read("GetResourceShareInvitations", (*call).getInvitations, "ResourceShareInvitationArnNotFoundException", "InvalidNextTokenException"),
		write("AcceptResourceShareInvitation", func(c *call) *Error { return c.answerInvitation("ACCEPTED") }, "ResourceShareInvitationArnNotFoundException", "ResourceShareInvitationAlreadyAcceptedException", "ResourceShareInvitationAlreadyRejectedException"),
		write("RejectResourceShareInvitation", func(c *call) *Error { return c.answerInvitation("REJECTED") }, "ResourceShareInvitationArnNotFoundException", "ResourceShareInvitationAlreadyAcceptedException", "ResourceShareInvitationAlreadyRejectedException"),
		read("ListResources", (*call).listShared, "InvalidNextTokenException"),
		read("ListPrincipals", (*call).listPrincipals, "InvalidNextTokenException"),
		read("ListResourceSharePermissions", (*call).listSharePermissions, none),
		read("ListResourceTypes", (*call).listShareTypes),
		write("EnableSharingWithAwsOrganization", (*call).enableSharing),
		write("TagResource", (*call).tagShare, none),
		write("UntagResource", (*call).untagShare, none),
	}
}

// ResourceShare is a resource share; its ID is its ARN. It is kept by its owner.
type ResourceShare struct {
	Resource
	Name      string           `json:"name"`
	External  bool             `json:"external"` // may be shared outside the organization
	Status    string           `json:"status"`   // ACTIVE, DELETED
	Updated   time.Time        `json:"updated"`
	Targets   []SharedResource `json:"targets,omitempty"`
	Consumers []ShareConsumer  `json:"consumers,omitempty"`
}

// SharedResource is a resource of a share.
type SharedResource struct {
	ARN    string    `json:"arn"`
	Status string    `json:"status"` // ASSOCIATED, DISASSOCIATED
	At     time.Time `json:"at"`
}

// ShareConsumer is an account that a share is for.
type ShareConsumer struct {
	Account    string    `json:"account"`
	Status     string    `json:"status"` // ASSOCIATING until the invitation is accepted, ASSOCIATED, DISASSOCIATED, FAILED
	At         time.Time `json:"at"`
	Invitation string    `json:"invitation,omitempty"` // ARN
	Answer     string    `json:"answer,omitempty"`     // PENDING, ACCEPTED, REJECTED
}

const (
	shareType       = "ec2:TrafficMirrorTarget"
	sharePermission = "arn:aws:ram::aws:permission/AWSRAMDefaultPermissionTrafficMirrorTarget"
	// maxShareItems bounds the resources and the principals of a share.
	maxShareItems = 1_000
)

// shares tells whether the target is shared with the account by an active share.
func (s *state) shares(target, with string) bool {
	arn := s.arn("ec2", s.meta.AccountID, "traffic-mirror-target/"+target)
	return slices.ContainsFunc(s.sharing.all(), func(r *ResourceShare) bool {
		return r.Status == "ACTIVE" && slices.ContainsFunc(r.Targets, func(t SharedResource) bool { return t.ARN == arn && t.Status == "ASSOCIATED" }) &&
			slices.ContainsFunc(r.Consumers, func(p ShareConsumer) bool { return p.Account == with && p.Status == "ASSOCIATED" })
	})
}

// sharedTargets are the targets of other accounts that an account may mirror to.
func (v *Server) sharedTargets(with *state) []mirror.Target {
	var out []mirror.Target
	for _, a := range v.accounts {
		if a.s == with || a.s.sharing.count() == 0 {
			continue
		}
		for _, t := range a.s.book.Targets() {
			if a.s.shares(t.ID, with.meta.AccountID) {
				t.Tags = nil // tags are their account's own
				out = append(out, t)
			}
		}
	}
	return out
}

// foreignSessions are the sessions of other accounts to the targets of an account.
func (v *Server) foreignSessions(of *state) []mirror.Session {
	var out []mirror.Session
	for _, a := range v.accounts {
		if a.s == of {
			continue
		}
		for _, x := range a.s.book.Sessions() {
			if _, own := of.book.Target(x.TargetID); own {
				x.Tags = nil
				out = append(out, x)
			}
		}
	}
	return out
}

func (c *call) share(arn string) (*ResourceShare, *Error) {
	if r := c.s.sharing.get(arn); r != nil {
		return r, nil
	}
	if !strings.HasPrefix(arn, "arn:aws:ram:") {
		return nil, errorf("MalformedArnException", "The specified resource share ARN %s is not valid.", clip(arn))
	}
	return nil, errorf("UnknownResourceException", "ResourceShare %s could not be found.", clip(arn))
}

// shareItems adds the resources and principals that the call names to a share of its own.
func (c *call) shareItems(r *ResourceShare) *Error {
	for _, arn := range c.in.strs("resourceArns") {
		id, ok := strings.CutPrefix(arn, c.s.arn("ec2", c.s.meta.AccountID, "traffic-mirror-target/"))
		if !ok {
			if !strings.HasPrefix(arn, "arn:") {
				return errorf("MalformedArnException", "The specified resource ARN %s is not valid.", clip(arn))
			}
			return errorf("InvalidParameterException", "This endpoint shares traffic mirror targets of the account only, not %s", clip(arn))
		}
		if _, own := c.s.book.Target(id); !own {
			return errorf("ResourceArnNotFoundException", "The resource %s could not be found.", clip(arn))
		}
		item := SharedResource{ARN: arn, Status: "ASSOCIATED", At: c.stamp()}
		if i := slices.IndexFunc(r.Targets, func(t SharedResource) bool { return t.ARN == arn }); i >= 0 {
			r.Targets[i] = item
		} else {
			r.Targets = append(r.Targets, item)
		}
	}
	for _, p := range c.in.strs("principals") {
		if !accountForm.MatchString(p) {
			return errorf("InvalidParameterException", "This endpoint shares with accounts only; %s is none", clip(p))
		}
		if p == c.s.meta.AccountID {
			return errorf("OperationNotPermittedException", "You can't share with your own account.")
		}
		together := c.s.meta.Organization && c.v.account(p) != nil
		if !together && !r.External {
			return errorf("OperationNotPermittedException", "The resource you are attempting to share can only be shared within your AWS Organization.")
		}
		item := ShareConsumer{Account: p, Status: "ASSOCIATED", At: c.stamp()}
		if !together {
			item.Status, item.Answer = "ASSOCIATING", "PENDING"
			item.Invitation = "arn:aws:ram:" + c.s.meta.Region + ":" + c.s.meta.AccountID + ":resource-share-invitation/" + c.v.requestID()
		}
		i := slices.IndexFunc(r.Consumers, func(o ShareConsumer) bool { return o.Account == p })
		switch {
		case i < 0:
			r.Consumers = append(r.Consumers, item)
		case r.Consumers[i].Status == "ASSOCIATED" || r.Consumers[i].Answer == "PENDING":
		default:
			r.Consumers[i] = item
		}
	}
	if len(r.Targets) > maxShareItems || len(r.Consumers) > maxShareItems {
		return errorf("ResourceShareLimitExceededException", "A resource share has at most %d resources and principals", maxShareItems)
	}
	return nil
}

// answered ends a call with a result and the client token, if one was given.
func (c *call) answered(o object) *Error {
	if t := c.in.str("clientToken"); t != "" {
		o = append(o, field{"clientToken", t})
	}
	c.result = o
	return nil
}

func (c *call) createShare() *Error {
	digest := c.in.digest("clientToken")
	made, err := c.s.findToken(c.act.name, c.in.str("clientToken"), digest)
	if err != nil {
		return &Error{Code: "IdempotentParameterMismatchException", Message: err.Message}
	}
	if len(made) > 0 && c.s.sharing.get(made[0]) != nil {
		return c.answered(object{{"resourceShare", c.s.sharing.get(made[0]).fields()}})
	}
	r := &ResourceShare{Name: c.in.str("name"), External: c.in.yesOr("allowExternalPrincipals", true), Status: "ACTIVE", Updated: c.stamp()}
	r.Resource = c.s.res("arn:aws:ram:"+c.s.meta.Region+":"+c.s.meta.AccountID+":resource-share/"+c.v.requestID(), c.now, nil)
	for _, n := range c.in.list("tags") {
		r.Tags = append(r.Tags, mirror.Tag{Key: n.str("key"), Value: n.str("value")})
	}
	if len(r.Tags) > maxTags {
		return errorf("TagLimitExceededException", "A resource share has at most %d tags", maxTags)
	}
	if err := c.shareItems(r); err != nil {
		return err
	}
	c.s.sharing.put(r)
	c.s.keepToken(c.act.name, c.in.str("clientToken"), digest, r.ID)
	return c.answered(object{{"resourceShare", r.fields()}})
}

// fields are a share as answers have it.
func (r *ResourceShare) fields() object {
	tags := []any{}
	for _, t := range r.Tags {
		tags = append(tags, object{{"key", t.Key}, {"value", t.Value}})
	}
	return object{
		{"resourceShareArn", r.ID}, {"name", r.Name}, {"owningAccountId", r.OwnerID}, {"allowExternalPrincipals", r.External}, {"status", r.Status},
		{"creationTime", r.Created}, {"lastUpdatedTime", r.Updated}, {"featureSet", "STANDARD"}, {"tags", tags},
	}
}

// ownShare copies a share of the account that the call changes.
func (c *call) ownShare() (*ResourceShare, *Error) {
	old, err := c.share(c.in.str("resourceShareArn"))
	if err != nil {
		return nil, err
	}
	if old.Status != "ACTIVE" {
		return nil, errorf("UnknownResourceException", "ResourceShare %s could not be found.", old.ID)
	}
	r := *old
	r.Targets, r.Consumers, r.Updated = slices.Clone(old.Targets), slices.Clone(old.Consumers), c.stamp()
	return &r, nil
}

func (c *call) updateShare() *Error {
	r, err := c.ownShare()
	if err != nil {
		return err
	}
	r.Name, r.External = c.in.or("name", r.Name), c.in.yesOr("allowExternalPrincipals", r.External)
	c.s.sharing.put(r)
	return c.answered(object{{"resourceShare", r.fields()}})
}

// deleteShare leaves the share to be seen for a while, as AWS does.
func (c *call) deleteShare() *Error {
	r, err := c.ownShare()
	if err != nil {
		return err
	}
	r.Status = "DELETED"
	for i := range r.Targets {
		r.Targets[i].Status = "DISASSOCIATED"
	}
	for i := range r.Consumers {
		r.Consumers[i].Status = "DISASSOCIATED"
	}
	c.s.sharing.put(r)
	return c.answered(object{{"returnValue", true}})
}

func (c *call) associateShare() *Error {
	r, err := c.ownShare()
	if err != nil {
		return err
	}
	if err := c.shareItems(r); err != nil {
		return err
	}
	c.s.sharing.put(r)
	return c.answered(object{{"resourceShareAssociations", r.named(c)}})
}

// named are the associations of a share with what the call names.
func (r *ResourceShare) named(c *call) []any {
	want := append(c.in.strs("resourceArns"), c.in.strs("principals")...)
	out := []any{}
	for _, kind := range []string{"RESOURCE", "PRINCIPAL"} {
		for _, a := range r.associations(kind) {
			if slices.Contains(want, a.entity) {
				out = append(out, a.object)
			}
		}
	}
	return out
}

// association is what a share is tied to, and how answers have it.
type association struct {
	entity, status string
	object         object
}

func (r *ResourceShare) associations(kind string) []association {
	var out []association
	add := func(entity, status string, at time.Time) {
		out = append(out, association{entity, status, object{
			{"resourceShareArn", r.ID}, {"resourceShareName", r.Name}, {"associatedEntity", entity}, {"associationType", kind}, {"status", status},
			{"creationTime", at}, {"lastUpdatedTime", at}, {"external", kind == "PRINCIPAL"},
		}})
	}
	if kind == "RESOURCE" {
		for _, t := range r.Targets {
			add(t.ARN, t.Status, t.At)
		}
		return out
	}
	for _, p := range r.Consumers {
		add(p.Account, p.Status, p.At)
	}
	return out
}

// disassociateShare is for the owner, and for a consumer that leaves.
func (c *call) disassociateShare() *Error {
	arn := c.in.str("resourceShareArn")
	me, owner := c.s.meta.AccountID, c.s
	if c.s.sharing.get(arn) == nil {
		for _, a := range c.v.accounts {
			if r := a.s.sharing.get(arn); r != nil && r.isFor(me) {
				owner = a.s
			}
		}
	}
	sub := *c
	sub.s = owner
	r, err := sub.ownShare()
	if err != nil {
		return err
	}
	for i, t := range r.Targets {
		if owner == c.s && slices.Contains(c.in.strs("resourceArns"), t.ARN) {
			r.Targets[i].Status = "DISASSOCIATED"
		}
	}
	for i, p := range r.Consumers {
		if slices.Contains(c.in.strs("principals"), p.Account) && (owner == c.s || p.Account == me) {
			r.Consumers[i].Status, r.Consumers[i].Answer = "DISASSOCIATED", ""
		}
	}
	owner.sharing.put(r)
	return c.answered(object{{"resourceShareAssociations", r.named(c)}})
}

func (r *ResourceShare) isFor(account string) bool {
	return slices.ContainsFunc(r.Consumers, func(p ShareConsumer) bool { return p.Account == account && p.Status == "ASSOCIATED" })
}

// sharesOf are the shares of the account, or those of others that are for it.
func (c *call) sharesOf(owner string) []*ResourceShare {
	if owner == "SELF" {
		return c.s.sharing.all()
	}
	var out []*ResourceShare
	for _, a := range c.v.accounts {
		for _, r := range a.s.sharing.all() {
			if a.s != c.s && r.isFor(c.s.meta.AccountID) {
				out = append(out, r)
			}
		}
	}
	return out
}

func (c *call) getShares() *Error {
	want := c.in.strs("resourceShareArns")
	list := slices.Clone(c.sharesOf(c.in.str("resourceOwner")))
	for _, arn := range want {
		if !slices.ContainsFunc(list, func(r *ResourceShare) bool { return r.ID == arn }) {
			return errorf("UnknownResourceException", "ResourceShare %s could not be found.", clip(arn))
		}
	}
	list = slices.DeleteFunc(list, func(r *ResourceShare) bool {
		if len(want) > 0 && !slices.Contains(want, r.ID) || c.in.or("resourceShareStatus", r.Status) != r.Status || c.in.or("name", r.Name) != r.Name {
			return true
		}
		for _, f := range c.in.list("tagFilters") {
			v, ok := r.Tag(f.str("tagKey"))
			if values := f.strs("tagValues"); !ok || len(values) > 0 && !slices.Contains(values, v) {
				return true
			}
		}
		return false
	})
	return ramPage(c, "resourceShares", list, func(r *ResourceShare) any { return r.fields() })
}

// ramPage is pageOf with the names of RAM.
func ramPage[T any](c *call, name string, list []T, show func(T) any) *Error {
	if t := c.in.get("nextToken"); t != nil {
		c.in.kids["NextToken"] = t
	}
	err := pageOf(c, name, "maxResults", list, show)
	if o, ok := c.result.(object); ok {
		for i := range o {
			if o[i].name == "NextToken" {
				o[i].name = "nextToken"
			}
		}
	}
	return err
}

func (c *call) getShareAssociations() *Error {
	want := c.in.strs("resourceShareArns")
	for _, arn := range want {
		if _, err := c.share(arn); err != nil {
			return err
		}
	}
	var list []association
	for _, r := range c.s.sharing.all() {
		if len(want) > 0 && !slices.Contains(want, r.ID) {
			continue
		}
		for _, a := range r.associations(c.in.str("associationType")) {
			if c.in.or("resourceArn", a.entity) == a.entity && c.in.or("principal", a.entity) == a.entity && c.in.or("associationStatus", a.status) == a.status {
				list = append(list, a)
			}
		}
	}
	return ramPage(c, "resourceShareAssociations", list, func(a association) any { return a.object })
}

// invitation is one to the account that calls, or from it.
type invitation struct {
	owner *state
	r     *ResourceShare
	p     ShareConsumer
}

func (i invitation) fields() object {
	return object{
		{"resourceShareInvitationArn", i.p.Invitation}, {"resourceShareName", i.r.Name}, {"resourceShareArn", i.r.ID}, {"senderAccountId", i.r.OwnerID},
		{"receiverAccountId", i.p.Account}, {"invitationTimestamp", i.p.At}, {"status", i.p.Answer},
	}
}

// invitations are those that the account that calls has got.
func (c *call) invitations() []invitation {
	var out []invitation
	for _, a := range c.v.accounts {
		for _, r := range a.s.sharing.all() {
			for _, p := range r.Consumers {
				if p.Account == c.s.meta.AccountID && p.Answer != "" && r.Status == "ACTIVE" {
					out = append(out, invitation{a.s, r, p})
				}
			}
		}
	}
	return out
}

func (c *call) getInvitations() *Error {
	arns, shares := c.in.strs("resourceShareInvitationArns"), c.in.strs("resourceShareArns")
	list := c.invitations()
	for _, arn := range arns {
		if !slices.ContainsFunc(list, func(i invitation) bool { return i.p.Invitation == arn }) {
			return errorf("ResourceShareInvitationArnNotFoundException", "The resource share invitation %s could not be found.", clip(arn))
		}
	}
	list = slices.DeleteFunc(list, func(i invitation) bool {
		return len(arns) > 0 && !slices.Contains(arns, i.p.Invitation) || len(shares) > 0 && !slices.Contains(shares, i.r.ID)
	})
	return ramPage(c, "resourceShareInvitations", list, func(i invitation) any { return i.fields() })
}

func (c *call) answerInvitation(answer string) *Error {
	arn := c.in.str("resourceShareInvitationArn")
	list := c.invitations()
	at := slices.IndexFunc(list, func(i invitation) bool { return i.p.Invitation == arn })
	if at < 0 {
		return errorf("ResourceShareInvitationArnNotFoundException", "The resource share invitation %s could not be found.", clip(arn))
	}
	i := list[at]
	switch i.p.Answer {
	case "ACCEPTED":
		return errorf("ResourceShareInvitationAlreadyAcceptedException", "The invitation %s was already accepted.", arn)
	case "REJECTED":
		return errorf("ResourceShareInvitationAlreadyRejectedException", "The invitation %s was already rejected.", arn)
	}
	r := *i.r
	r.Consumers = slices.Clone(i.r.Consumers)
	for n := range r.Consumers {
		if r.Consumers[n].Invitation == arn {
			r.Consumers[n].Answer, r.Consumers[n].Status = answer, map[bool]string{true: "ASSOCIATED", false: "FAILED"}[answer == "ACCEPTED"]
			i.p = r.Consumers[n]
		}
	}
	i.owner.sharing.put(&r)
	return c.answered(object{{"resourceShareInvitation", i.fields()}})
}

func (c *call) listShared() *Error {
	arns, shares := c.in.strs("resourceArns"), c.in.strs("resourceShareArns")
	list := []any{}
	for _, r := range c.sharesOf(c.in.str("resourceOwner")) {
		if r.Status != "ACTIVE" || len(shares) > 0 && !slices.Contains(shares, r.ID) || !strings.EqualFold(c.in.or("resourceType", shareType), shareType) {
			continue
		}
		if p := c.in.str("principal"); p != "" && !r.isFor(p) && p != r.OwnerID {
			continue
		}
		for _, t := range r.Targets {
			if t.Status == "ASSOCIATED" && (len(arns) == 0 || slices.Contains(arns, t.ARN)) {
				list = append(list, object{{"arn", t.ARN}, {"type", shareType}, {"resourceShareArn", r.ID}, {"status", "AVAILABLE"}, {"creationTime", t.At}, {"lastUpdatedTime", t.At}, {"resourceRegionScope", "REGIONAL"}})
			}
		}
	}
	return ramPage(c, "resources", list, func(o any) any { return o })
}

func (c *call) listPrincipals() *Error {
	want, shares := c.in.strs("principals"), c.in.strs("resourceShareArns")
	list := []any{}
	for _, r := range c.sharesOf(c.in.str("resourceOwner")) {
		if len(shares) > 0 && !slices.Contains(shares, r.ID) || r.Status != "ACTIVE" {
			continue
		}
		add := func(id string, at time.Time, external bool) {
			if len(want) == 0 || slices.Contains(want, id) {
				list = append(list, object{{"id", id}, {"resourceShareArn", r.ID}, {"creationTime", at}, {"lastUpdatedTime", at}, {"external", external}})
			}
		}
		if r.OwnerID != c.s.meta.AccountID {
			add(r.OwnerID, r.Created, true)
			continue
		}
		for _, p := range r.Consumers {
			if p.Status == "ASSOCIATED" {
				add(p.Account, p.At, p.Invitation != "")
			}
		}
	}
	return ramPage(c, "principals", list, func(o any) any { return o })
}

func (c *call) listSharePermissions() *Error {
	r, err := c.share(c.in.str("resourceShareArn"))
	if err != nil {
		return err
	}
	list := []any{}
	if len(r.Targets) > 0 {
		list = append(list, object{
			{"arn", sharePermission}, {"version", "1"}, {"defaultVersion", true}, {"name", "AWSRAMDefaultPermissionTrafficMirrorTarget"}, {"resourceType", shareType},
			{"status", "ASSOCIATED"}, {"creationTime", r.Created}, {"lastUpdatedTime", r.Created}, {"isResourceTypeDefault", true}, {"permissionType", "AWS_MANAGED"}, {"featureSet", "STANDARD"},
		})
	}
	return ramPage(c, "permissions", list, func(o any) any { return o })
}

func (c *call) listShareTypes() *Error {
	c.result = object{{"resourceTypes", []any{object{{"resourceType", shareType}, {"serviceName", "ec2"}, {"resourceRegionScope", "REGIONAL"}}}}}
	return nil
}

// enableSharing makes the accounts of the endpoint an organization: shares need no
// invitations among them.
func (c *call) enableSharing() *Error {
	if old := c.s.meta.Organization; !old {
		c.s.undo = append(c.s.undo, func() { c.s.meta.Organization = false })
		c.s.meta.Organization, c.s.changed, c.s.metaDirty = true, true, true
	}
	c.result = object{{"returnValue", true}}
	return nil
}

// taggedShare is the share that TagResource and UntagResource name in one of two ways.
func (c *call) taggedShare() (*ResourceShare, *Error) {
	return c.share(c.in.or("resourceShareArn", c.in.str("resourceArn")))
}

func (c *call) tagShare() *Error {
	r, err := c.taggedShare()
	if err != nil {
		return err
	}
	var add []mirror.Tag
	for _, n := range c.in.list("tags") {
		add = append(add, mirror.Tag{Key: n.str("key"), Value: n.str("value")})
	}
	tags, err := mergeTags(r.Tags, add)
	if err != nil {
		return errorf("TagLimitExceededException", "A resource share has at most %d tags", maxTags)
	}
	c.s.sharing.setTags(r.ID, tags)
	c.result = object{}
	return nil
}

func (c *call) untagShare() *Error {
	r, err := c.taggedShare()
	if err != nil {
		return err
	}
	c.s.sharing.setTags(r.ID, untag(r.Tags, c.in.strs("tagKeys")))
	c.result = object{}
	return nil
}
