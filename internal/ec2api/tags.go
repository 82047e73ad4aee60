package ec2api

import (
	"slices"
	"strings"
	"unicode/utf8"

	"mirador/internal/mirror"
)

func tagActions() []action {
	return []action{
		write("CreateTags", (*call).createTags, "InvalidID", "TagLimitExceeded", "Invalid*.NotFound"),
		write("DeleteTags", (*call).deleteTags, "InvalidID", "Invalid*.NotFound"),
		read("DescribeTags", (*call).describeTags, "InvalidPaginationToken"),
	}
}

// resourceTypes tells the kind of tagged resources by what their ids begin with.
func resourceTypes() []struct{ prefix, kind, notFound, what string } {
	return []struct{ prefix, kind, notFound, what string }{
		{"vpce-svc-", "vpc-endpoint-service", "InvalidVpcEndpointServiceId.NotFound", "VpcEndpointService"},
		{"vpce-", "vpc-endpoint", "InvalidVpcEndpointId.NotFound", "VpcEndpoint"},
		{"vpc-", "vpc", "InvalidVpcID.NotFound", "vpc"},
		{"subnet-", "subnet", "InvalidSubnetID.NotFound", "subnet"},
		{"sgr-", "security-group-rule", "InvalidSecurityGroupRuleId.NotFound", "security group rule"},
		{"sg-", "security-group", "InvalidGroup.NotFound", "security group"},
		{"acl-", "network-acl", "InvalidNetworkAclID.NotFound", "networkAcl"},
		{"rtb-", "route-table", "InvalidRouteTableID.NotFound", "routeTable"},
		{"igw-", "internet-gateway", "InvalidInternetGatewayID.NotFound", "internetGateway"},
		{"eipalloc-", "elastic-ip", "InvalidAllocationID.NotFound", "allocation"},
		{"nat-", "natgateway", "NatGatewayNotFound", "NatGateway"},
		{"pcx-", "vpc-peering-connection", "InvalidVpcPeeringConnectionID.NotFound", "vpcPeeringConnection"},
		{"eigw-", "egress-only-internet-gateway", "InvalidGatewayID.NotFound", "egressOnlyInternetGateway"},
		{"dopt-", "dhcp-options", "InvalidDhcpOptionsID.NotFound", "dhcpOptions"},
		{"pl-", "prefix-list", "InvalidPrefixListID.NotFound", "prefix list"},
		{"lt-", "launch-template", "InvalidLaunchTemplateId.NotFound", "launch template"},
		{"eni-", "network-interface", "InvalidNetworkInterfaceID.NotFound", "networkInterface"},
		{"i-", "instance", "InvalidInstanceID.NotFound", "instance"},
		{"vol-", "volume", "InvalidVolume.NotFound", "volume"},
		{"key-", "key-pair", "InvalidKeyPair.NotFound", "key pair"},
		{"tmt-", "traffic-mirror-target", mirror.CodeTargetNotFound, "TrafficMirrorTarget"},
		{"tmfr-", "traffic-mirror-filter-rule", mirror.CodeFilterRuleNotFound, "TrafficMirrorFilterRule"},
		{"tmf-", "traffic-mirror-filter", mirror.CodeFilterNotFound, "TrafficMirrorFilter"},
		{"tms-", "traffic-mirror-session", mirror.CodeSessionNotFound, "TrafficMirrorSession"},
	}
}

func kindOf(id string) string {
	for _, t := range resourceTypes() {
		if strings.HasPrefix(id, t.prefix) {
			return t.kind
		}
	}
	return ""
}

// parseTags reads a list of tags.
func parseTags(list []*node) ([]mirror.Tag, *Error) {
	var tags []mirror.Tag
	for _, n := range list {
		t := mirror.Tag{Key: n.str("Key"), Value: n.str("Value")}
		switch {
		case t.Key == "":
			return nil, errorf("InvalidParameterValue", "Tag key cannot be empty")
		case utf8.RuneCountInString(t.Key) > mirror.MaxTagKey:
			return nil, errorf("InvalidParameterValue", "Tag key exceeds the maximum length of %d characters", mirror.MaxTagKey)
		case utf8.RuneCountInString(t.Value) > mirror.MaxTagValue:
			return nil, errorf("InvalidParameterValue", "Tag value exceeds the maximum length of %d characters", mirror.MaxTagValue)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, errorf("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		case slices.ContainsFunc(tags, func(o mirror.Tag) bool { return o.Key == t.Key }):
			return nil, errorf("InvalidParameterValue", "Duplicate tag key '%s' specified.", clip(t.Key))
		}
		tags = append(tags, t)
	}
	if len(tags) > maxTags {
		return nil, errorf("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return tags, nil
}

// specTags reads TagSpecification.N for resources of one kind; others may be there when
// the action makes them too.
func (c *call) specTags(kind string, others ...string) ([]mirror.Tag, *Error) {
	var tags []mirror.Tag
	for _, n := range c.in.list("TagSpecification") {
		t := n.str("ResourceType")
		if t != kind && !slices.Contains(others, t) {
			if t == "" {
				return nil, errorf("MissingParameter", "Tag specification resource type must have a value")
			}
			return nil, errorf("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", clip(t))
		}
		list, err := parseTags(n.list("Tag"))
		if err != nil {
			return nil, err
		}
		if t == kind {
			tags = append(tags, list...)
		}
	}
	if len(tags) > maxTags {
		return nil, errorf("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return tags, nil
}

// create makes a resource with tags of a kind, or returns what the client token of the
// call has made before and is still there. make need not put it into its table.
func create[T any, P interface {
	*T
	resource() *Resource
}](c *call, t *table[T, P], kind string, make func(tags []mirror.Tag) (*T, *Error)) (*T, *Error) {
	tags, err := c.specTags(kind)
	if err != nil {
		return nil, err
	}
	digest := c.in.digest("ClientToken", "DryRun")
	made, err := c.s.findToken(c.act.name, c.in.str("ClientToken"), digest)
	if err != nil {
		return nil, err
	}
	if len(made) > 0 && t.get(made[0]) != nil {
		return t.get(made[0]), nil
	}
	o, err := make(tags)
	if err != nil {
		return nil, err
	}
	id := P(o).resource().ID
	if t.get(id) != o {
		t.put(o)
	}
	c.s.keepToken(c.act.name, c.in.str("ClientToken"), digest, id)
	return o, nil
}

func (c *call) writeTags(tags []mirror.Tag) {
	eachXML(c.x, "tagSet", tags, func(t mirror.Tag) {
		c.x.str("key", t.Key)
		c.x.str("value", t.Value)
	})
}

// mergeTags adds tags to old ones, in place of those with the same keys.
func mergeTags(old, add []mirror.Tag) ([]mirror.Tag, *Error) {
	out := slices.Clone(old)
	for _, t := range add {
		i := slices.IndexFunc(out, func(o mirror.Tag) bool { return o.Key == t.Key })
		if i < 0 {
			out = append(out, t)
		} else {
			out[i] = t
		}
	}
	if len(out) > maxTags {
		return nil, errorf("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return out, nil
}

// dropTags removes tags. No keys means all of them; a value, when given, has to be the
// tag's.
func dropTags(old []mirror.Tag, keys []mirror.TagKey) []mirror.Tag {
	if len(keys) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(old), func(t mirror.Tag) bool {
		return slices.ContainsFunc(keys, func(k mirror.TagKey) bool { return k.Key == t.Key && (k.Value == nil || *k.Value == t.Value) })
	})
}

// retag changes the tags of resources that the book does not have.
func (c *call) retag(id string, change func([]mirror.Tag) ([]mirror.Tag, *Error)) *Error {
	for _, t := range c.s.tables {
		if r, ok := t.tagged(id); ok && !strings.HasPrefix(id, "arn:") {
			tags, err := change(r.Tags)
			if err != nil {
				return err
			}
			t.setTags(id, tags)
			return nil
		}
	}
	if strings.HasPrefix(id, "sgr-") {
		return c.retagRule(id, change)
	}
	for _, t := range resourceTypes() {
		if strings.HasPrefix(id, t.prefix) {
			return notFound(t.notFound, t.what, id)
		}
	}
	return errorf("InvalidID", "The ID '%s' is not valid", clip(id))
}

func (c *call) retagRule(id string, change func([]mirror.Tag) ([]mirror.Tag, *Error)) *Error {
	for _, g := range c.s.groups.all() {
		for i, r := range g.Rules {
			if r.ID != id {
				continue
			}
			tags, err := change(r.Tags)
			if err != nil {
				return err
			}
			n := *g
			n.Rules = slices.Clone(g.Rules)
			n.Rules[i].Tags = tags
			c.s.groups.put(&n)
			return nil
		}
	}
	return notFound("InvalidSecurityGroupRuleId.NotFound", "security group rule", id)
}

// splitIDs parts the ids of mirroring from the others.
func (c *call) splitIDs() (book, others []string) {
	for _, id := range c.in.strs("ResourceId") {
		if mirror.ResourceTypeOf(id) != "" {
			book = append(book, id)
		} else {
			others = append(others, id)
		}
	}
	return book, others
}

func (c *call) createTags() *Error {
	tags, err := parseTags(c.in.list("Tag"))
	if err != nil {
		return err
	}
	if len(tags) == 0 {
		return errorf("MissingParameter", "The request must contain the parameter Tag")
	}
	book, others := c.splitIDs()
	if len(book)+len(others) == 0 {
		return errorf("MissingParameter", "The request must contain the parameter ResourceId")
	}
	for _, id := range others {
		if err := c.retag(id, func(old []mirror.Tag) ([]mirror.Tag, *Error) { return mergeTags(old, tags) }); err != nil {
			return err
		}
	}
	if len(book) > 0 {
		if err := c.s.book.CreateTags(book, tags); err != nil {
			return bookError(err)
		}
		c.s.touchBook()
	}
	c.x.yes("return", true)
	return nil
}

func (c *call) deleteTags() *Error {
	var keys []mirror.TagKey
	for _, n := range c.in.list("Tag") {
		k := mirror.TagKey{Key: n.str("Key")}
		if n.has("Value") {
			v := n.str("Value")
			k.Value = &v
		}
		keys = append(keys, k)
	}
	book, others := c.splitIDs()
	for _, id := range others {
		if err := c.retag(id, func(old []mirror.Tag) ([]mirror.Tag, *Error) { return dropTags(old, keys), nil }); err != nil {
			return err
		}
	}
	if len(book) > 0 {
		if err := c.s.book.DeleteTags(book, keys); err != nil {
			return bookError(err)
		}
		c.s.touchBook()
	}
	c.x.yes("return", true)
	return nil
}

type tagRow struct {
	id, kind string
	tag      mirror.Tag
	seq      uint64
}

func (c *call) describeTags() *Error {
	var rows []*tagRow
	add := func(id, kind string, tags []mirror.Tag) {
		for _, t := range tags {
			rows = append(rows, &tagRow{id: id, kind: kind, tag: t, seq: uint64(len(rows) + 1)})
		}
	}
	for _, t := range c.s.tables {
		t.eachTagged(func(r *Resource) {
			if !strings.HasPrefix(r.ID, "arn:") {
				add(r.ID, kindOf(r.ID), r.Tags)
			}
		})
	}
	for _, g := range c.s.groups.all() {
		for _, r := range g.Rules {
			add(r.ID, "security-group-rule", r.Tags)
		}
	}
	for _, t := range c.s.book.Targets() {
		add(t.ID, "traffic-mirror-target", t.Tags)
	}
	for _, f := range c.s.book.Filters() {
		add(f.ID, "traffic-mirror-filter", f.Tags)
		for _, r := range f.Rules {
			add(r.ID, "traffic-mirror-filter-rule", r.Tags)
		}
	}
	for _, t := range c.s.book.Sessions() {
		add(t.ID, "traffic-mirror-session", t.Tags)
	}
	rows, err := filter(c, rows, func(r *tagRow, name string) ([]string, bool) {
		switch {
		case name == "key":
			return one(r.tag.Key), true
		case name == "value":
			return []string{r.tag.Value}, true
		case name == "resource-id":
			return one(r.id), true
		case name == "resource-type":
			return one(r.kind), true
		case strings.HasPrefix(name, "tag:"):
			return filterTags([]mirror.Tag{r.tag}, name)
		}
		return nil, false
	})
	if err != nil {
		return err
	}
	rows, next, err := page(c, rows, func(r *tagRow) uint64 { return r.seq })
	if err != nil {
		return err
	}
	eachXML(c.x, "tagSet", rows, func(r *tagRow) {
		c.x.str("key", r.tag.Key)
		c.x.str("resourceId", r.id)
		c.x.str("resourceType", r.kind)
		c.x.str("value", r.tag.Value)
	})
	c.x.opt("nextToken", next)
	return nil
}
